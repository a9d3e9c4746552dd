/* SPDX-License-Identifier: MIT */
/*
 * gate: settles one request.
 * Owns no sockets. Has target read where the request wants to go, refuses what no rule may allow, then gives policy the facts at hand; when policy wants one
 * more, has it fetched and asks again. Leaves connecting to reach and refusing to reply.
 * Always true: facts only grow; a verdict is final; the destination judged here is the one that is resolved, connected to and logged.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "parse/url.h"
#include "session/consent.h"
#include "session/count.h"
#include "session/effects.h"
#include "session/inside.h"
#include "session/session.h"
#include "session/target.h"

/* Has our own name been put into Via before (RFC 9110 7.6.3)? */
static bool
has_passed_here(const struct request *r, struct span name)
{
	struct field f;
	size_t       at = 0, in_list;
	struct span  item;

	if (!(r->head.seen & 1u << FIELD_VIA))
		return false;
	while (head_field_next(&r->head, &at, &f)) {
		if (f.id != FIELD_VIA)
			continue;
		in_list = 0;
		while (field_list_next(f.value, &in_list, &item)) {
			/* received-protocol RWS received-by [RWS comment] */
			const char *by = memchr(item.p, ' ', item.n);
			if (!by)
				continue;
			struct span rest = span_of(by + 1, item.n - (size_t)(by + 1 - item.p));
			const char *end = memchr(rest.p, ' ', rest.n);
			if (end)
				rest.n = (size_t)(end - rest.p);
			if (span_eq_nocase(rest, name))
				return true;
		}
	}
	return false;
}

/* Max-Forwards of a TRACE or OPTIONS (RFC 9110 7.6.2). */
static enum fault
read_hops(struct request *r)
{
	struct span text = r->head.max_forwards;

	if (!(r->head.seen & 1u << FIELD_MAX_FORWARDS) || (r->head.method_id != METHOD_TRACE && r->head.method_id != METHOD_OPTIONS))
		return FAULT_NONE;
	if (text.n == 0 || text.n > 9)
		return FAULT_BAD_FIELD;
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return FAULT_BAD_FIELD;
		r->hops = r->hops * 10 + (uint32_t)(text.p[i] - '0');
	}
	r->has_hops = true;
	return FAULT_NONE;
}

/* What is refused whatever the rules say. */
static enum fault
judge_request(const struct request *r, const struct inside *in)
{
	const struct snapshot *snap = r->snap;
	const struct settings *set = snap->set;
	enum fault             fault = target_judge_host(r, in);

	if (fault != FAULT_NONE)
		return fault;
	if (r->head.expect_other)
		return FAULT_BAD_EXPECTATION;
	if (has_passed_here(r, snapshot_text(snap, set->visible_name)))
		return FAULT_VIA_LOOP;
	if (!in && !egress_port_allowed(egress_at(snap->block, set->egress), r->is_connect, r->at.port))
		return FAULT_PORT_DENIED;
	if (set->max_request_body && r->head.has_length && r->head.length > set->max_request_body)
		return FAULT_BODY_TOO_LARGE;
	return FAULT_NONE;
}

/* A server may ignore an Upgrade (RFC 9110 7.8). To another HTTP it must not get through: its requests would pass no rule. */
static bool
names_http(struct span protocols)
{
	struct span item;

	for (size_t at = 0; field_list_next(protocols, &at, &item);)
		if ((item.n >= 3 && span_eq_nocase(span_of(item.p, 3), SPAN("h2c"))) || (item.n >= 4 && span_eq_nocase(span_of(item.p, 4), SPAN("http"))))
			return true;
	return false;
}

/* What the rules may ask of a request that can be read. */
static enum fault
know_request(struct request *r)
{
	if (r->is_connect)
		return FAULT_NONE;
	if (policy_wants_url(r->snap->policy)) {
		struct url url = {.scheme = r->url.scheme, .at = r->at, .path = r->url.path, .query = r->url.query, .has_query = r->url.has_query};
		size_t     room = url_normal_room(&url);

		r->url_text = malloc(room);
		if (!r->url_text)
			return FAULT_NO_MEMORY;
		if (!url_normalise(&url, r->url_text, room, &r->facts.url))
			return FAULT_BAD_TARGET;
	}
	r->facts.head = &r->head;
	r->facts.known |= FACT_REQUEST;
	if (request_ends_here(r))
		r->facts.known |= FACT_RESPONSE; /* there will be none but ours, which has no type */
	return FAULT_NONE;
}

/* And of the tunnel that it came in. Who opened that is who asks: nobody can be asked inside, so what the request says of a user is not read. */
static void
know_tunnel(struct request *r, const struct inside *in)
{
	r->facts.bare = true;
	if (in->identity) {
		r->identity = identity_ref(in->identity);
		r->facts.known |= FACT_USER;
		r->facts.bare = false;
	}
	if (in->profile) {
		r->facts.origin_tls = in->profile->version;
		r->facts.origin_strength = in->profile->strength;
		r->facts.known |= FACT_ORIGIN;
	}
}

/* The tunnel leads to a server that nothing may be sent to, or only if somebody insists. False: answered. */
static bool
origin_is_good(struct session *s)
{
	const struct inside *in = s->inside;
	enum fault           fault = in->profile ? in->profile->fault : FAULT_NONE;

	if (in->detail[0])
		s->req->detail = in->detail;
	else if (fault != FAULT_NONE && in->profile->detail[0])
		s->req->detail = in->profile->detail;
	if (in->fault != FAULT_NONE)
		fault = in->fault;
	else if (fault == FAULT_NONE || in->bad == ORIGIN_PASS)
		return true;
	else if (in->bad == ORIGIN_WARN)
		return consent_pass(s);
	reply_fault(s, fault);
	return false;
}

static enum fault
read_request(struct session *s)
{
	struct request *r = s->req;
	enum fault      fault = target_read(r, s->inside, s->original);

	if (fault == FAULT_NONE)
		fault = read_hops(r);
	if (fault == FAULT_NONE)
		fault = judge_request(r, s->inside);
	if (fault != FAULT_NONE)
		return fault;
	r->facts = (struct facts){
		.host = &r->at.host,
		.port = r->at.port,
		.scheme = r->url.scheme,
		.method = r->head.method,
		.client = s->peer.addr,
		.listener = r->listener,
		.week_minute = policy_week_minute(clock_real_us()),
		.bare = r->head.n_proxy_authorization == 0 || s->original,
	};
	return know_request(r);
}

void
gate_enter(struct session *s)
{
	struct request *r = s->req;
	enum fault      fault;

	session_move(s, SESSION_GATE);
	r->snap = snapshot_ref(s->gw->snap);
	r->listener = gateway_listener(s->gw, s->slot);
	r->head.upgrade = r->head.upgrade && !names_http(r->head.upgrade_to);
	s->keep = r->head.keep_alive && !s->gw->draining;
	if (s->is_stream && r->head.method_id == METHOD_CONNECT)
		s->keep = false; /* one stream is one request, and a refused tunnel's client may never end it */
	body_init(&r->body, r->head.body, r->head.length);
	if (s->inside)
		s->inside->requests++;
	fault = read_request(s);
	if (fault == FAULT_NOT_A_PROXY_REQUEST && pac_serve(s))
		return;
	if (fault != FAULT_NONE) {
		reply_fault(s, fault);
		return;
	}
	if (s->inside) {
		know_tunnel(r, s->inside);
		if (origin_is_good(s))
			gate_decide(s);
	} else if ((!s->identity && !s->handshake) || authenticate_recall(s)) {
		gate_decide(s);
	}
}

void
gate_decide(struct session *s)
{
	struct request *r = s->req;

	if (r->identity && !request_know_user(r)) {
		reply_fault(s, FAULT_NO_MEMORY);
		return;
	}
	switch (policy_decide(r->snap->policy, &r->facts, &r->verdict)) {
	case POLICY_NEED_ADDRESS:
		reach_lookup(s);
		return;
	case POLICY_NEED_USER:
		authenticate(s);
		return;
	case POLICY_UNDECIDED:
		reply_fault(s, FAULT_UNDECIDED);
		return;
	case POLICY_NEED_RESPONSE:
		r->needs_response = true;
		break;
	case POLICY_VERDICT:
		break;
	}
	r->has_verdict = true;
	if (s->handshake)
		authenticate_break_off(s); /* decided without it: this request does not go on with it */
	if (!r->needs_response && !gate_settle(s))
		return;
	if (request_ends_here(r))
		reply_trace(s);
	else if (queue_pass(s))
		reach_begin(s);
}

bool
gate_settle(struct session *s)
{
	struct request     *r = s->req;
	struct rule_effects effects;
	bool                goes = !effects_of(r, &effects) || !effects.redirect.n, denied = r->verdict.action == ACTION_DENY;

	r->reported_only = r->snap->set->report_only && (denied || !goes);
	count_decided(s->gw, r);
	s->gw->count->by_action[r->reported_only ? ACTION_TUNNEL : r->verdict.action]++;
	if (r->reported_only || (goes && !denied))
		return true;
	if (goes)
		reply_fault(s, r->verdict.rule == RULE_NONE ? FAULT_NO_RULE : FAULT_DENIED);
	else /* RFC 9110 15.4: a 302 may turn another method into GET */
		reply_elsewhere(s, FAULT_REDIRECTED, r->head.method_id == METHOD_GET || r->head.method_id == METHOD_HEAD ? 302 : 307, effects.redirect, SPAN(""));
	return false;
}

bool
gate_judge_response(struct session *s, struct span type)
{
	struct request *r = s->req;

	r->facts.response_type = type;
	r->facts.known |= FACT_RESPONSE;
	if (r->facts.known & FACT_ADDRESS)
		r->facts.address = r->to;
	r->needs_response = false;
	if (r->identity && !request_know_user(r))
		reply_fault(s, FAULT_NO_MEMORY);
	else if (policy_decide(r->snap->policy, &r->facts, &r->verdict) != POLICY_VERDICT)
		reply_fault(s, FAULT_UNDECIDED); /* all else that it could ask for was known before */
	else
		return gate_settle(s) && queue_change(s);
	return false;
}
