/* SPDX-License-Identifier: MIT */
/*
 * explain_answer: asks what live traffic asks, in its order: may this client come, may this port be reached, what do the rules say with the facts at hand and
 * with those that they ask for, where does it lead, and does the ClientHello fit.
 * Resolves nothing and connects nowhere. Always true: a fact that no rule asked for is not known, as it would not be to the gateway.
 */
#include <stdlib.h>

#include "audit/record.h"
#include "auth/challenge.h"
#include "cli/explain.h"
#include "policy/guard.h"

static const struct settings *
settings(const struct answer *a)
{
	return a->snap->set;
}

static const struct egress *
egress(const struct answer *a)
{
	return egress_at(a->snap->block, settings(a)->egress);
}

unsigned
answer_schemes(const struct answer *a)
{
	return challenge_schemes(a->snap, true, a->client_tls);
}

const struct rule_way *
answer_way(const struct answer *a)
{
	return policy_rule_way(a->snap->policy, a->verdict.rule);
}

bool
answer_is_allowed(const struct answer *a)
{
	return a->client_allowed && a->fault == FAULT_NONE && a->needs == NEEDS_NOTHING;
}

void
answer_trace(const struct answer *a, void (*each)(void *arg, const struct trace_rule *t), void *arg)
{
	struct verdict v;

	policy_trace_all(a->snap->policy, &a->facts, &v, each, arg);
}

static void
refuse(struct answer *a, enum fault fault)
{
	a->fault = fault;
	a->status = a->stage == STAGE_NAMED ? 200 : fault_row(fault)->status; /* the CONNECT has had its answer */
}

/* --- the listener --- */

/* False: there is none of that name. */
static bool
listener_take(struct answer *a, struct question *q)
{
	const struct snapshot_listener *l = snapshot_at(a->snap, settings(a)->listeners.off);
	uint32_t                        n = settings(a)->listeners.n;
	uint16_t                        i = 0;

	while (q->listener && i < n && !span_eq(snapshot_text(a->snap, l[i].name), span_str(q->listener)))
		i++;
	q->facts.listener = i;
	a->client_allowed = true;
	if (i >= n)
		return !q->listener || question_fail(q, "--listener: the configuration has no such listener");
	a->client_tls = l[i].tls;
	a->is_transparent = l[i].mode == LISTENER_TRANSPARENT;
	a->client_allowed = !q->has_client || addr_set_has(addr_set_at(a->snap->block, l[i].clients), &q->facts.client);
	return true;
}

/* --- the rules --- */

static enum fault
judge_address(struct answer *a)
{
	a->is_self = snapshot_is_self(a->snap, a->address, a->facts.port);
	a->address_allowed = !a->is_self && egress_allows(egress(a), a->address);
	return a->is_self ? FAULT_SELF_TARGET : a->address_allowed ? FAULT_NONE : FAULT_EGRESS_DENIED;
}

static bool
know_user(struct answer *a)
{
	const struct policy *p = a->snap->policy;

	a->row = calloc(policy_row_words(p), sizeof *a->row);
	if (!a->row)
		return false;
	policy_user_row(p, &a->q->who, a->row);
	a->facts.user_row = a->row;
	a->facts.who = &a->q->who;
	a->facts.known |= FACT_USER;
	a->facts.bare = false;
	a->asked_user = true;
	return true;
}

/* Can somebody be asked who they are, and has that not been done? */
static bool
can_ask(const struct answer *a)
{
	return a->stage == STAGE_FIRST && !a->is_transparent && !(a->facts.known & FACT_USER) && answer_schemes(a);
}

/* As gate does: with what is known, then with what is asked for. False: no memory. An address that may not be reached ends it before a rule is asked again. */
static bool
ask_rules(struct answer *a)
{
	const struct question *q = a->q;

	for (;;) {
		a->rules = policy_decide(a->snap->policy, &a->facts, &a->verdict);
		if (a->rules == POLICY_NEED_ADDRESS && a->address) {
			enum fault fault = judge_address(a);
			a->asked_address = true;
			if (fault != FAULT_NONE) {
				refuse(a, fault);
				return true;
			}
			a->facts.address = *a->address;
			a->facts.known |= FACT_ADDRESS;
		} else if (a->rules == POLICY_NEED_USER && q->has_user && can_ask(a)) {
			if (!know_user(a))
				return false;
		} else {
			return true;
		}
	}
}

/* Where what is let through leads. A parent looks names up itself. */
static void
judge_way(struct answer *a)
{
	if (!a->address || a->asked_address || (a->stage == STAGE_FIRST && a->facts.host->kind == HOST_NAME && answer_way(a)->n_parents))
		return;
	enum fault fault = judge_address(a);
	if (fault != FAULT_NONE)
		refuse(a, fault);
}

/* The request is sent, and the rules are asked once more when its response is there. False: that is the end of it. */
static bool
respond(struct answer *a)
{
	if (!((a->q->facts.known | a->q->known_inside) & FACT_RESPONSE)) {
		a->needs = NEEDS_RESPONSE;
		return false;
	}
	judge_way(a);
	if (a->fault != FAULT_NONE)
		return false;
	a->facts.known |= FACT_RESPONSE;
	a->rules = policy_decide(a->snap->policy, &a->facts, &a->verdict);
	if (a->rules != POLICY_VERDICT)
		refuse(a, FAULT_UNDECIDED); /* all else that it could ask for was known before */
	return a->rules == POLICY_VERDICT;
}

static void
settle_verdict(struct answer *a)
{
	struct rule_effects e = {0};

	a->has_verdict = true;
	if (a->rules == POLICY_NEED_RESPONSE && !respond(a))
		return;
	if (!a->connect && a->verdict.rule != RULE_NONE)
		policy_rule_effects(a->snap->policy, a->verdict.rule, &e);
	if (e.redirect.n) {
		bool reads = span_eq(a->facts.method, SPAN("GET")) || span_eq(a->facts.method, SPAN("HEAD"));
		refuse(a, FAULT_REDIRECTED);
		a->status = reads ? 302 : 307; /* RFC 9110 15.4: a 302 may turn another method into GET */
	} else if (a->verdict.action == ACTION_DENY) {
		refuse(a, a->verdict.rule == RULE_NONE ? FAULT_NO_RULE : FAULT_DENIED);
	} else {
		a->status = a->connect ? 200 : 0;
		judge_way(a);
	}
}

static void
settle(struct answer *a)
{
	if (a->fault != FAULT_NONE)
		return;
	switch (a->rules) {
	case POLICY_NEED_ADDRESS:
		a->needs = NEEDS_ADDRESS;
		break;
	case POLICY_NEED_USER:
		if (can_ask(a))
			a->needs = NEEDS_USER;
		refuse(a, a->needs == NEEDS_USER ? FAULT_AUTH_REQUIRED : FAULT_USER_UNKNOWN);
		break;
	case POLICY_UNDECIDED:
		refuse(a, FAULT_UNDECIDED);
		break;
	case POLICY_NEED_RESPONSE:
	case POLICY_VERDICT:
		settle_verdict(a);
	}
}

/* Whatever the rules say. */
static void
judge_port(struct answer *a)
{
	a->port_allowed = a->stage != STAGE_FIRST || egress_port_allowed(egress(a), a->connect, a->facts.port);
	if (a->port_allowed)
		return;
	a->needs = NEEDS_NOTHING;
	a->has_verdict = a->asked_user = a->asked_address = false;
	refuse(a, FAULT_PORT_DENIED);
}

/* --- the ClientHello --- */

/* What is not said is taken to be as it should. */
static const struct host *
sni_of(const struct answer *a)
{
	const struct question *q = a->q;

	return q->has_sni ? &q->sni : q->no_sni || a->facts.host->kind == HOST_ADDR ? NULL : a->facts.host;
}

bool
answer_reads_hello(const struct answer *a)
{
	if (!a->connect)
		return false;
	if (a->is_transparent || a->facts.host == &a->q->sni) /* it was read before these rules were asked */
		return true;
	return a->has_verdict && (a->verdict.action == ACTION_INSPECT || (a->verdict.action == ACTION_BYPASS && a->verdict.guard != GUARD_OFF));
}

static void
judge_guard(struct answer *a)
{
	struct facts f = a->facts;

	if (a->address) {
		f.address = *a->address;
		f.known |= FACT_ADDRESS;
	}
	a->hello = guard_judge(a->snap->policy, a->verdict.rule, &f, sni_of(a));
	a->guard = a->hello == FAULT_NONE ? GUARD_WORD_PASSED : a->verdict.guard == GUARD_REPORT ? GUARD_WORD_REPORTED : GUARD_WORD_CLOSED;
	if (a->guard == GUARD_WORD_CLOSED)
		a->fault = a->hello;
}

static void
judge_inspected(struct answer *a)
{
	enum odd_answer answer;

	if (a->facts.host->kind == HOST_ADDR)
		return;
	a->hello = guard_judge_inspected(&settings(a)->inspection, a->facts.host, sni_of(a), &answer);
	if (a->hello == FAULT_NONE)
		return;
	a->not_inspected = answer == ODD_TUNNEL;
	if (answer == ODD_REFUSE)
		a->fault = a->hello;
}

static void
judge_hello(struct answer *a)
{
	if (!a->connect || !answer_is_allowed(a))
		return;
	if (a->verdict.action == ACTION_BYPASS && a->verdict.guard != GUARD_OFF)
		judge_guard(a);
	else if (a->verdict.action == ACTION_INSPECT)
		judge_inspected(a);
}

/* --- the stages --- */

static void
first_begin(struct answer *a)
{
	const struct question *q = a->q;

	a->connect = q->connect;
	a->facts = q->facts;
	a->facts.known &= ~FACT_RESPONSE; /* which is not there when the request is */
	a->facts.bare = q->is_nobody || a->is_transparent;
	/* a transparent client's own TLS names where it goes */
	if (a->is_transparent && a->connect && q->has_sni)
		a->facts.host = &q->sni;
	if (a->facts.host->kind == HOST_ADDR)
		a->address = &a->facts.host->addr;
	else if (q->has_address)
		a->address = &q->address;
}

/* The rules of an address that is to be inspected are asked with the name in the ClientHello; nobody is asked for anything any more. */
static void
named_begin(struct answer *a, const struct answer *first)
{
	a->connect = true;
	a->facts = first->facts;
	a->facts.host = &a->q->sni;
	a->facts.address = *first->address;
	a->facts.known |= FACT_ADDRESS;
	a->address = first->address;
}

static void
inside_begin(struct answer *a, const struct answer *first)
{
	const struct question *q = a->q;

	a->facts = first->facts;
	a->facts.bare = !(first->facts.known & FACT_USER);
	a->facts.known = (first->facts.known & FACT_USER) | (q->known_inside & ~FACT_RESPONSE);
	a->facts.method = q->method;
	a->address = first->address;
}

static struct answer *
stage_add(struct answers *all, enum stage stage)
{
	const struct answer *first = &all->v[0];
	struct answer       *a = &all->v[all->n++];

	if (a != first)
		*a = (struct answer){.q = first->q, .snap = first->snap, .client_tls = first->client_tls, .is_transparent = first->is_transparent, .client_allowed = true};
	a->stage = stage;
	return a;
}

static bool
stage_decide(struct answer *a)
{
	if (!ask_rules(a))
		return false;
	settle(a);
	judge_port(a);
	if (a->stage != STAGE_NAMED) /* there the name in the ClientHello is what was asked about */
		judge_hello(a);
	a->logged = a->has_verdict ? &a->verdict : NULL;
	return true;
}

bool
answers_find(struct answers *all, const struct snapshot *s, struct question *q)
{
	struct answer *first = &all->v[0], *a;

	memset(all, 0, sizeof *all);
	*first = (struct answer){.q = q, .snap = s};
	stage_add(all, STAGE_FIRST);
	if (!listener_take(first, q))
		return false;
	first_begin(first);
	if (!stage_decide(first))
		return question_fail(q, "out of memory");
	if (!answer_is_allowed(first) || first->verdict.action != ACTION_INSPECT || first->not_inspected)
		return true;
	if (first->connect && first->facts.host->kind == HOST_ADDR && q->has_sni) {
		named_begin(a = stage_add(all, STAGE_NAMED), first);
		if (!stage_decide(a))
			return question_fail(q, "out of memory");
		if (!a->logged)
			a->logged = first->logged;
		return true;
	}
	if (!first->connect || !q->is_url)
		return true;
	inside_begin(a = stage_add(all, STAGE_INSIDE), first);
	return stage_decide(a) || question_fail(q, "out of memory");
}

void
answers_clear(struct answers *all)
{
	for (unsigned i = 0; i < all->n; i++)
		free(all->v[i].row);
}

int
answers_code(const struct answers *all)
{
	const struct answer *last = &all->v[all->n - 1];

	if (last->client_allowed && last->needs != NEEDS_NOTHING)
		return CLI_USAGE;
	return answer_is_allowed(last) ? CLI_FINE : CLI_NEGATIVE;
}
