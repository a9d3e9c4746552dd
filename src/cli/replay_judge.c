/* SPDX-License-Identifier: MIT */
/*
 * replay_judge: asks a configuration what it would do with a logged request, by the functions that the worker calls and in their order: who may connect, ports, rules,
 * addresses. Where an answer hangs on what the log does not tell, it finds out whether it does: it asks with each of the possible answers, or looks at
 * the rules' trace. A guess is never an answer.
 */
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/replay.h"
#include "lint/shipped.h"
#include "match/addr_set.h"

/* --- a configuration --- */

static void
rule_note(struct judge *s, const struct conf_rule *r, uint32_t n)
{
	const struct conf_items *const items[COND_COUNT] = {
		[COND_HOSTS] = &r->hosts, [COND_PORTS] = &r->ports, [COND_SCHEMES] = &r->schemes, [COND_METHODS] = &r->methods, [COND_CLIENTS] = &r->clients,
		[COND_LISTENERS] = &r->listeners, [COND_ADDRESSES] = &r->addresses, [COND_TIMES] = &r->times, [COND_USERS] = &r->users, [COND_GROUPS] = &r->groups,
		[COND_URL] = &r->url, [COND_HEADERS] = &r->headers, [COND_CONTENT_TYPES] = &r->content_types, [COND_ORIGIN_TLS] = &r->origin_tls,
		[COND_ORIGIN_STRENGTH] = &r->origin_strength,
	};
	const uint64_t bit = (uint64_t)1 << (n & 63);

	for (unsigned c = 0; c < COND_COUNT; c++)
		s->uses |= (uint32_t)(items[c]->n != 0) << c;
	for (size_t i = 0; i < r->users.n; i++)
		s->nobody |= span_eq_nocase(r->users.v[i].text, SPAN("nobody"));
	if (r->groups.n)
		s->groups[n >> 6] |= bit;
	for (size_t i = 0; i < r->groups.n; i++) {
		struct span g = r->groups.v[i].text;
		if (g.n > 2 && span_eq_nocase(span_of(g.p, 2), SPAN("S-")))
			s->sids[n >> 6] |= bit;
	}
	s->rule[n] = r;
}

bool
judge_open(struct judge *s, const char *path)
{
	const struct conf_rule *r;
	uint32_t                n = 0;

	*s = (struct judge){0};
	if (!built_open(&s->built, path))
		return false;
	s->policy = s->built.s->policy;
	s->n_rules = policy_rule_count(s->policy);
	s->words = policy_row_words(s->policy);
	s->rule = calloc((size_t)s->n_rules + 1, sizeof *s->rule);
	s->groups = calloc(s->words + 1, sizeof *s->groups);
	s->sids = calloc(s->words + 1, sizeof *s->sids);
	s->row = calloc(s->words + 1, sizeof *s->row);
	s->high = calloc(s->words + 1, sizeof *s->high);
	if (!s->rule || !s->groups || !s->sids || !s->row || !s->high) {
		judge_close(s);
		cli_usage_error("out of memory");
		return false;
	}
	TAILQ_FOREACH (r, &s->built.c->rules, link)
		if (n < s->n_rules)
			rule_note(s, r, n++);
	return true;
}

void
judge_close(struct judge *s)
{
	free(s->rule);
	free(s->groups);
	free(s->sids);
	free(s->row);
	free(s->high);
	built_close(&s->built);
	*s = (struct judge){0};
}

void
judge_know(struct judge *s, const struct asked *a)
{
	s->told = true;
	if (!a->has_user)
		return;
	policy_user_row(s->policy, &a->who, s->row);
	if (!(s->uses & 1u << COND_GROUPS))
		return;
	for (size_t w = 0; w < s->words; w++) {
		uint64_t unknown = a->groups_known ? s->sids[w] : s->groups[w];
		s->told &= unknown == 0;
		s->high[w] = s->row[w] | unknown;
		s->row[w] &= ~unknown;
	}
}

bool
judge_bypasses(const struct judge *s, const struct asked *a)
{
	for (uint32_t i = 0; i < s->n_rules; i++)
		if (s->rule[i]->action == ACTION_BYPASS && policy_rule_has_hosts(s->policy, i) &&
		    policy_rule_host_holds(s->policy, i, a->facts.host, a->facts.scheme, a->facts.port))
			return true;
	return false;
}

/* One of ours: "https://HOST", "http://HOST", or with "*.HOST", names below it. */
static bool
endpoint_is(const char *endpoint, const struct asked *a)
{
	bool        tls = strncmp(endpoint, "https://", 8) == 0;
	struct span host = host_span(a->facts.host), want = span_str(endpoint + (tls ? 8 : 7));

	if (a->facts.scheme != (tls ? SCHEME_HTTPS : SCHEME_HTTP) || a->facts.port != (tls ? 443 : 80))
		return false;
	if (want.p[0] != '*')
		return span_eq(host, want);
	want = span_of(want.p + 1, want.n - 1);
	return host.n > want.n && span_eq(span_of(host.p + host.n - want.n, want.n), want);
}

bool
asked_is_shipped(const struct asked *a)
{
	for (unsigned i = 0; i < SHIPPED_COUNT; i++)
		if (endpoint_is(shipped_endpoint[i], a))
			return true;
	return false;
}

/* --- one answer --- */

static struct outcome
outcome_untold(enum untold why)
{
	return (struct outcome){.fate = FATE_UNTOLD, .untold = why};
}

static struct outcome
outcome_refused(enum fault fault)
{
	return (struct outcome){.fate = FATE_DENY, .fault = fault_row(fault)->word};
}

static bool
is_same(const struct outcome *a, const struct outcome *b)
{
	return a->fate == b->fate && span_eq(a->rule, b->rule) && a->fault == b->fault;
}

static struct outcome
outcome_decided(const struct judge *s, const struct facts *f, const struct verdict *v)
{
	static const enum fate fate[] = {[ACTION_DENY] = FATE_DENY, [ACTION_BYPASS] = FATE_BYPASS, [ACTION_TUNNEL] = FATE_TUNNEL, [ACTION_INSPECT] = FATE_INSPECT};
	struct rule_effects    e;
	struct outcome         o = {.fate = fate[v->action]};

	if (v->rule == RULE_NONE)
		return outcome_refused(FAULT_NO_RULE);
	o.rule = policy_rule_name(s->policy, v->rule);
	if (f->known & FACT_REQUEST && policy_rule_effects(s->policy, v->rule, &e) && e.redirect.n) /* a CONNECT is refused */
		o.fate = FATE_REDIRECT;
	return o;
}

/* What is let through has to go somewhere. */
static struct outcome
outcome_led(const struct judge *s, const struct asked *a, const struct verdict *v, struct outcome o)
{
	const struct snapshot *snap = s->built.s;
	const struct egress   *egress = egress_at(snap->block, snap->set->egress);
	const struct host     *h = a->facts.host;
	bool                   literal = h->kind == HOST_ADDR;
	const struct addr     *to = literal ? &h->addr : a->has_address ? &a->address : NULL;

	if (!to || a->inner || o.fate == FATE_DENY || o.fate == FATE_REDIRECT || (!literal && policy_rule_way(s->policy, v->rule)->n_parents))
		return o;
	if (egress_allows(egress, to) && !snapshot_is_self(snap, to, a->facts.port))
		return o;
	/* a name may lead to others */
	return literal ? outcome_refused(snapshot_is_self(snap, to, a->facts.port) ? FAULT_SELF_TARGET : FAULT_EGRESS_DENIED) : outcome_untold(UNTOLD_ADDRESS);
}

/* All facts are there that the log has; those that rules ask for are added when they do. */
static struct outcome
ask(const struct judge *s, struct asked *a, struct facts f, struct verdict *v)
{
	for (;;) {
		switch (policy_decide(s->policy, &f, v)) {
		case POLICY_VERDICT:
			return outcome_led(s, a, v, outcome_decided(s, &f, v));
		case POLICY_UNDECIDED:
			return outcome_refused(FAULT_UNDECIDED);
		case POLICY_NEED_USER:
			if (a->inner)
				return outcome_refused(FAULT_USER_UNKNOWN);
			return (struct outcome){.fate = FATE_CHALLENGE};
		case POLICY_NEED_ADDRESS:
			if (a->facts.host->kind == HOST_ADDR)
				f.address = a->facts.host->addr;
			else if (a->has_address)
				f.address = a->address;
			else
				return outcome_untold(UNTOLD_ADDRESS);
			f.known |= FACT_ADDRESS;
			break;
		case POLICY_NEED_RESPONSE:
			if (!a->has_type)
				return outcome_untold(UNTOLD_TYPE);
			f.response_type = a->type;
			f.known |= FACT_RESPONSE;
			break;
		}
	}
}

/* --- what is not known --- */

struct hanging {
	const struct judge *s;
	uint32_t           unknown; /* conditions */
	uint32_t           found;   /* those of them on which it hangs */
};

static void
on_rule(void *arg, const struct trace_rule *t)
{
	struct hanging *h = arg;
	uint32_t        here = 0;

	for (unsigned c = 0; c < COND_COUNT; c++) {
		if (t->cond[c] == TRACE_ABSENT)
			continue;
		if (h->unknown >> c & 1)
			here |= 1u << c;
		else if (t->cond[c] == TRACE_FAILED)
			return;
	}
	if (!h->s->rule[t->rule]->report)
		h->found |= here;
}

/* Conditions whose answer the log does not have, for a request that comes in this way. */
static uint32_t
unknown_of(const struct judge *s, const struct asked *a, const struct facts *f)
{
	uint32_t unknown = a->has_client ? 0 : 1u << COND_CLIENTS;

	if (f->known & FACT_REQUEST) {
		unknown |= 1u << COND_HEADERS;
		if (a->query_is_cut)
			unknown |= 1u << COND_URL;
	}
	if (a->inner && f->known & FACT_REQUEST)
		unknown |= 1u << COND_ORIGIN_TLS | 1u << COND_ORIGIN_STRENGTH;
	return unknown & s->uses;
}

static struct outcome
ask_unknown(const struct judge *s, struct asked *a, const struct facts *f, struct verdict *v)
{
	struct outcome o = ask(s, a, *f, v);
	struct hanging h = {s, unknown_of(s, a, f), 0};
	struct verdict again;

	if (h.unknown == 0 || o.fate == FATE_UNTOLD)
		return o;
	policy_trace(s->policy, f, &again, on_rule, &h);
	if (h.found & 1u << COND_HEADERS)
		return outcome_untold(UNTOLD_HEADERS);
	if (h.found & 1u << COND_URL)
		return outcome_untold(UNTOLD_QUERY);
	if (h.found & 1u << COND_CLIENTS)
		return outcome_untold(UNTOLD_CLIENT);
	return h.found ? outcome_untold(UNTOLD_ORIGIN) : o;
}

/* By whom? The rules are asked with each of the answers that are possible: a rule that may hold or not makes a difference just where these differ. */
static struct outcome
ask_whom(const struct judge *s, struct asked *a, struct facts f, struct verdict *v)
{
	struct outcome low, high;
	struct verdict other;

	if (f.known & FACT_USER) {
		f.user_row = s->row;
		low = ask_unknown(s, a, &f, v);
		if (s->told)
			return low;
		f.user_row = s->high;
		high = ask_unknown(s, a, &f, &other);
		return is_same(&low, &high) ? low : outcome_untold(UNTOLD_GROUPS);
	}
	f.bare = a->bare != 0;
	low = ask_unknown(s, a, &f, v);
	if (a->bare >= 0 || !s->nobody)
		return low;
	f.bare = false;
	high = ask_unknown(s, a, &f, &other);
	return is_same(&low, &high) ? low : outcome_untold(UNTOLD_CREDENTIALS);
}

/* --- the whole --- */

/* A request inside a tunnel is there only when its CONNECT would be inspected, and its user is known only when that would have been asked. */
static struct outcome
ask_inside(const struct judge *s, struct asked *a, struct facts f)
{
	const struct egress *egress = egress_at(s->built.s->block, s->built.s->set->egress);
	struct facts         tunnel = f;
	struct verdict       v;
	struct outcome       o;

	if (!egress_port_allowed(egress, true, f.port))
		return (struct outcome){.fate = FATE_UNSEEN};
	tunnel.method = SPAN("CONNECT");
	tunnel.known &= FACT_USER;
	a->inner = false;
	o = ask_whom(s, a, tunnel, &v);
	if (o.fate == FATE_INSPECT && f.known & FACT_USER) {
		tunnel.known &= ~FACT_USER;
		if (policy_decide(s->policy, &tunnel, &v) == POLICY_VERDICT)
			f.known &= ~FACT_USER;
	}
	a->inner = true;
	return o.fate == FATE_INSPECT ? ask_whom(s, a, f, &v) : (struct outcome){.fate = FATE_UNSEEN};
}

static bool
listener_takes(const struct snapshot *snap, uint32_t listener, const struct asked *a)
{
	const struct snapshot_listener *l = snapshot_at(snap, snap->set->listeners.off);

	return !a->has_client || addr_set_has(addr_set_at(snap->block, l[listener].clients), &a->facts.client);
}

static struct outcome
ask_at(const struct judge *s, struct asked *a, uint32_t listener)
{
	const struct snapshot          *snap = s->built.s;
	const struct snapshot_listener *l = snapshot_at(snap, snap->set->listeners.off);
	struct facts                    f = a->facts;
	struct verdict                  v;
	struct outcome                  o;

	f.listener = (uint16_t)listener;
	if (a->url.scheme == SCHEME_OTHER)
		return outcome_refused(FAULT_BAD_SCHEME);
	if (a->inner)
		return ask_inside(s, a, f);
	if (!egress_port_allowed(egress_at(snap->block, snap->set->egress), a->connect, f.port))
		return outcome_refused(FAULT_PORT_DENIED);
	o = ask_whom(s, a, f, &v);
	if (o.fate == FATE_CHALLENGE && listener < snap->set->listeners.n && l[listener].mode == LISTENER_TRANSPARENT)
		return outcome_refused(FAULT_USER_UNKNOWN);
	return o;
}

/* Where the log does not say at which listener it came in, each of those that take the client is asked. */
void
judge_ask(const struct judge *s, struct asked *a, struct outcome *out)
{
	const struct snapshot          *snap = s->built.s;
	const struct snapshot_listener *l = snapshot_at(snap, snap->set->listeners.off);
	uint32_t                        n = snap->set->listeners.n;
	bool                            any = false;
	struct outcome                  o;

	*out = (struct outcome){.fate = FATE_DENY, .fault = "client-not-allowed"};
	for (uint32_t i = 0; i < n && a->listener.n; i++)
		if (span_eq(snapshot_text(snap, l[i].name), a->listener)) {
			if (listener_takes(snap, i, a))
				*out = ask_at(s, a, i);
			return;
		}
	for (uint32_t i = 0; i < n && (!any || out->fate != FATE_UNTOLD); i++) {
		if (!listener_takes(snap, i, a))
			continue;
		o = ask_at(s, a, i);
		if (!any || o.fate == FATE_UNTOLD)
			*out = o;
		else if (!is_same(out, &o))
			*out = outcome_untold(UNTOLD_LISTENER);
		any = true;
	}
}
