/* SPDX-License-Identifier: MIT */
/*
 * endpoints: asks what becomes of each of Microsoft's diagnostic endpoints, for every listener, and for clients and times on each side of every boundary
 * that rules name. A device whose data is challenged, intercepted or denied says nothing to anybody, so that this is an error.
 * A rule that says force = yes is taken at its word, and so is one with auth = required that names the endpoint.
 */
#include <stdio.h>
#include <stdlib.h>

#include "lint/ask.h"
#include "lint/parts.h"
#include "lint/shipped.h"
#include "match/host_spec.h"

#define NAMES_TOLD 3u

struct harm {
	uint64_t      endpoints; /* bit for each */
	struct moment first;
	bool          always; /* at the first moment of its listener, so that no client or time is to blame */
};

struct endpoints {
	const struct conf       *c;
	const struct snapshot   *s;
	struct report           *r;
	struct moments           moments;
	struct probe_request     q[SHIPPED_COUNT];
	uint32_t                 n_rules;
	const struct conf_rule **rule; /* by number */
	struct harm             *harm; /* by rule (the last: no rule held) and fate */
};

/* A name below a wildcard that nobody has listed by itself. */
static bool
endpoint_question(struct probe_request *q, const char *entry)
{
	struct host_spec spec;
	char             why[HOST_SPEC_WHY], name[HOSTNAME_MAX + 16];

	if (!host_spec_parse(span_str(entry), &spec, why))
		return false;
	snprintf(name, sizeof name, spec.kind == SPEC_BELOW ? "some-device.%s" : "%s", spec.text);
	return probe_request_init(q, span_str(name), spec.scheme, spec.port);
}

static bool
endpoints_init(struct endpoints *e, const struct conf *c, const struct snapshot *s, struct report *r)
{
	const struct conf_rule *rule;
	uint32_t                n = 0;

	*e = (struct endpoints){.c = c, .s = s, .r = r, .n_rules = policy_rule_count(s->policy)};
	e->rule = calloc((size_t)e->n_rules + 1, sizeof *e->rule);
	e->harm = calloc(((size_t)e->n_rules + 1) * FATE_COUNT, sizeof *e->harm);
	if (!e->rule || !e->harm || !moments_init(&e->moments, c, s))
		return false;
	TAILQ_FOREACH (rule, &c->rules, link)
		if (n < e->n_rules)
			e->rule[n++] = rule;
	for (unsigned i = 0; i < SHIPPED_COUNT; i++)
		if (!endpoint_question(&e->q[i], shipped_endpoint[i]))
			return false;
	return true;
}

static void
endpoints_clear(struct endpoints *e)
{
	moments_clear(&e->moments);
	free(e->rule);
	free(e->harm);
}

/* Does the rule name this endpoint? One whose hosts hold for any name whatever names none. */
static bool
rule_names(const struct endpoints *e, uint32_t rule, const struct probe_request *q)
{
	struct host other;

	return policy_rule_has_hosts(e->s->policy, rule) && policy_rule_host_holds(e->s->policy, rule, &q->host, q->scheme, q->port) &&
	    host_parse(SPAN("nobody-has-this-name.invalid"), &other) && !policy_rule_host_holds(e->s->policy, rule, &other, q->scheme, q->port);
}

static bool
is_meant(const struct endpoints *e, uint32_t rule, enum fate fate, const struct probe_request *q)
{
	if (rule == RULE_NONE)
		return false;
	return e->rule[rule]->force ||
	    (fate == FATE_CHALLENGED && e->rule[rule]->auth == AUTH_REQUIRED && e->rule[rule]->action != ACTION_INSPECT && rule_names(e, rule, q));
}

static bool
is_first(const struct moments *m, size_t i)
{
	return i == 0 || m->v[i - 1].listener < m->v[i].listener;
}

static void
endpoints_ask(struct endpoints *e)
{
	bool first = true;

	for (size_t i = 0; i < e->moments.n; i++) {
		first &= is_first(&e->moments, i);
		for (unsigned k = 0; k < SHIPPED_COUNT; k++) {
			uint32_t     rule;
			enum fate    fate = fate_ask(&e->q[k], e->s->policy, &e->moments.v[i], &rule);
			struct harm *h;
			if (fate < FATE_CHALLENGED || is_meant(e, rule, fate, &e->q[k]))
				continue;
			h = &e->harm[(size_t)(rule == RULE_NONE ? e->n_rules : rule) * FATE_COUNT + fate];
			if (!h->endpoints) {
				h->first = e->moments.v[i];
				h->always = first;
			}
			h->endpoints |= (uint64_t)1 << k;
		}
	}
}

/* "a, b, c and 4 more" */
static void
names_print(uint64_t endpoints, char *buf, size_t n)
{
	unsigned told = 0, all = (unsigned)__builtin_popcountll(endpoints);
	size_t   used = 0;

	buf[0] = '\0';
	for (unsigned k = 0; k < SHIPPED_COUNT && told < NAMES_TOLD && used < n; k++)
		if (endpoints >> k & 1)
			used += (size_t)snprintf(buf + used, n - used, "%s%s", told++ ? ", " : "", shipped_endpoint[k]);
	if (all > told && used < n)
		snprintf(buf + used, n - used, " and %u more", all - told);
}

static void
harm_report(const struct endpoints *e, uint32_t rule, enum fate fate)
{
	static const enum finding kind[FATE_COUNT] = {
		[FATE_CHALLENGED] = FINDING_ENDPOINT_CHALLENGED,
		[FATE_INTERCEPTED] = FINDING_ENDPOINT_INTERCEPTED,
		[FATE_DENIED] = FINDING_ENDPOINT_DENIED,
	};
	const struct harm *h = &e->harm[(size_t)rule * FATE_COUNT + fate];
	char               names[400], when[400] = "";

	if (!h->endpoints)
		return;
	names_print(h->endpoints, names, sizeof names);
	if (!h->always)
		moment_tell(&h->first, e->c, when, sizeof when);
	if (rule == e->n_rules)
		report_find(e->r, kind[fate], (struct where){0}, "no rule lets Microsoft's diagnostic endpoints through, so that they are denied: %s%s; name them in a bypass rule, "
		    "or end with a rule that says action = deny and force = yes", names, when);
	else
		report_find(e->r, kind[fate], e->rule[rule]->at, "rule `%.*s` would %s Microsoft's diagnostic endpoints: %s%s; put a bypass rule that names them before it, or say "
		    "force = yes here%s", SPAN_ARG(e->rule[rule]->name), fate_verb(fate), names, when,
		    fate == FATE_CHALLENGED ? ", or name them in a rule with auth = required" : "");
}

void
lint_endpoints(const struct conf *c, const struct snapshot *s, struct report *r)
{
	struct endpoints e;

	if (!endpoints_init(&e, c, s, r)) {
		lint_no_memory(r);
	} else {
		endpoints_ask(&e);
		for (uint32_t rule = 0; rule <= e.n_rules; rule++)
			for (unsigned fate = FATE_CHALLENGED; fate < FATE_COUNT; fate++)
				harm_report(&e, rule, (enum fate)fate);
	}
	endpoints_clear(&e);
}
