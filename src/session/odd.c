/* SPDX-License-Identifier: MIT */
/*
 * odd: judges the first bytes of a tunnel whose TLS is to be taken up: may it be inspected, and under which name? What cannot be inspected as it should is
 * refused, or let through as it is, as the configuration says; either way the log says why.
 */
#include <stdio.h>
#include <stdlib.h>

#include "net/sock.h"
#include "policy/guard.h"
#include "session/inspect.h"

static const struct inspection_settings *
settings(const struct session *s)
{
	return &s->req->snap->set->inspection;
}

bool
odd_server_spoke(const struct session *s)
{
	return s->inside && settings(s)->non_tls == ODD_TUNNEL && s->origin && s->origin->side.readable && buf_size(&s->in) == 0;
}

void
odd_refuse(struct session *s, enum fault fault, enum alert alert)
{
	struct span bytes = tls_alert((uint8_t)alert);

	session_cancel_errands(s);
	/* should the answer to the CONNECT still wait, nobody reads what comes behind it in time either */
	if (!outbox_is_empty(&s->down.kept)) {
		session_finish(s, fault);
		return;
	}
	if (outbox_send(&s->down.kept, &s->client, bytes, SPAN("")) != OUTBOX_SENT) {
		session_finish(s, FAULT_CLIENT_ABORTED);
		return;
	}
	s->req->bytes_out += bytes.n;
	record_request(s, fault);
	linger_begin(s);
}

/* It passes as it is. */
static void
let_through(struct session *s, const char *why)
{
	struct request *r = s->req;

	request_note_tls(r, why);
	if (r->inspection)
		r->inspection->plan = PLAN_TUNNEL;
	if (s->origin) {
		tunnel_begin(s);
		return;
	}
	inspect_go(s);
}

static void
odd(struct session *s, uint8_t answer, enum fault fault, enum alert alert)
{
	char why[64];

	if (answer != ODD_TUNNEL) {
		odd_refuse(s, fault, alert);
		return;
	}
	snprintf(why, sizeof why, "not inspected: %s", fault_row(fault)->word);
	let_through(s, why);
}

static bool
has_inspection(struct request *r)
{
	return r->inspection || (r->inspection = calloc(1, sizeof *r->inspection));
}

void
odd_no_hello(struct session *s, enum fault fault)
{
	if (!has_inspection(s->req))
		session_finish(s, FAULT_NO_MEMORY);
	else if (fault == FAULT_INSPECT_NOT_TLS && settings(s)->non_tls == ODD_TUNNEL)
		odd(s, ODD_TUNNEL, fault, ALERT_DECODE_ERROR);
	else if (fault == FAULT_INSPECT_BAD_HELLO)
		odd_refuse(s, fault, ALERT_DECODE_ERROR);
	else
		session_finish(s, fault); /* nobody there who would understand an alert */
}

/* The name is settled. */
static void
go_on(struct session *s)
{
	const struct inspection *p = s->req->inspection;

	if (s->req->alpn[0] && !p->h2 && !p->http11)
		odd(s, s->inside->how.unknown_alpn, FAULT_INSPECT_ALPN, ALERT_NO_APPLICATION_PROTOCOL);
	else
		inspect_go(s);
}

/* Where the name leads is known. Elsewhere: the rule of the address stays, and the origin has to prove by its certificate that it owns the name. */
static void
judge_name(struct session *s, const struct resolved *res)
{
	struct request *r = s->req;
	bool            leads = false;

	for (unsigned i = 0; res && i < res->n; i++)
		leads |= addr_eq(&res->addr[i], &s->inside->fixed);
	if (leads) {
		r->verdict = r->inspection->named;
		let_through(s, "");
		return;
	}
	request_note_tls(r, "the name of another rule, which leads to other addresses");
	go_on(s);
}

static void
on_name(void *arg, enum fault fault, struct resolved *res)
{
	struct session *s = arg;

	(void)fault; /* it leads nowhere */
	s->req->job = NULL;
	judge_name(s, res);
	resolved_unref(res);
}

/* The rule of that name would let the tunnel pass as it is. A client can say any name of any address, and in a tunnel no certificate is seen: the name must
 * lead to the address. */
static void
prove_name(struct session *s)
{
	struct request  *r = s->req;
	enum fault       fault = FAULT_NONE;
	struct span      name = host_span(&s->inside->at.host);
	struct resolved *res = resolver_cached(s->gw->resolver, name, &fault);

	if (res || fault != FAULT_NONE) {
		judge_name(s, res);
		resolved_unref(res);
		return;
	}
	session_move(s, SESSION_LOOKUP);
	r->job = resolver_start(s->gw->resolver, name, on_name, s);
	if (!r->job)
		odd_refuse(s, FAULT_NO_MEMORY, ALERT_INTERNAL_ERROR);
}

/* The CONNECT named an address, the ClientHello a name: the rules are asked with that. False: it went on elsewhere. */
static bool
ask_with_name(struct session *s, const struct hello *h)
{
	struct request *r = s->req;
	struct inside  *in = s->inside;
	struct facts    f = r->facts;
	struct verdict  v;

	if (r->identity && !(f.user_row = identity_row(r->identity, r->snap))) {
		session_finish(s, FAULT_NO_MEMORY);
		return false;
	}
	f.host = &h->sni;
	f.address = in->fixed;
	f.known |= FACT_ADDRESS;
	switch (policy_decide(r->snap->policy, &f, &v)) {
	case POLICY_VERDICT:
		break;
	case POLICY_UNDECIDED:
		odd_refuse(s, FAULT_UNDECIDED, ALERT_UNRECOGNIZED_NAME);
		return false;
	default:
		odd_refuse(s, FAULT_USER_UNKNOWN, ALERT_UNRECOGNIZED_NAME);
		return false;
	}
	if (v.action == ACTION_DENY) {
		r->verdict = v;
		s->gw->count->by_action[ACTION_DENY]++;
		odd_refuse(s, v.rule == RULE_NONE ? FAULT_NO_RULE : FAULT_DENIED, ALERT_UNRECOGNIZED_NAME);
		return false;
	}
	in->at.host = h->sni;
	if (v.action != ACTION_INSPECT) {
		r->inspection->named = v;
		prove_name(s);
		return false;
	}
	r->verdict = v;
	inspect_take_rule(s);
	return true;
}

/* Which name is inspected? False: none, it went on elsewhere. */
static bool
settle_name(struct session *s, const struct hello *h)
{
	const struct inspection_settings *set = settings(s);
	struct inside                    *in = s->inside;
	enum odd_answer                   answer;
	enum fault                        fault;

	if (in->is_fixed)
		return !h->has_sni || ask_with_name(s, h);
	fault = guard_judge_inspected(set, &in->at.host, h->has_sni ? &h->sni : NULL, &answer);
	if (fault == FAULT_NONE)
		return true;
	if (h->has_sni && h->has_ech && set->ech == ECH_FALLBACK) {
		s->req->inspection->plan = PLAN_FALLBACK;
		s->req->inspection->outer = h->sni;
		return true;
	}
	if (h->has_sni && h->has_ech) {
		odd(s, set->ech == ECH_TUNNEL ? ODD_TUNNEL : ODD_REFUSE, FAULT_INSPECT_ECH, ALERT_UNRECOGNIZED_NAME);
		return false;
	}
	if (answer == ODD_INSPECT)
		return true;
	odd(s, (uint8_t)answer, fault, h->has_sni ? ALERT_UNRECOGNIZED_NAME : ALERT_MISSING_EXTENSION);
	return false;
}

void
odd_judge_hello(struct session *s, const struct hello *h)
{
	struct request *r = s->req;

	if (!has_inspection(r)) {
		session_finish(s, FAULT_NO_MEMORY);
		return;
	}
	*r->inspection = (struct inspection){
		.plan = PLAN_INSPECT,
		.h2 = h->alpn_h2 && settings(s)->h2,
		.http11 = h->alpn_http11,
		.ecdsa = h->ecdsa,
		.ecdsa_12 = h->ecdsa_12,
	};
	if (settle_name(s, h))
		go_on(s);
}
