/* SPDX-License-Identifier: MIT */
/*
 * endpoints: asks what becomes of each of Microsoft's diagnostic endpoints, for every listener, and for clients and times on each side of every boundary
 * that rules name; below their wildcards also of each host that a rule or list names. A device whose data is challenged, intercepted or denied says nothing
 * to anybody, so that this is an error.
 * A rule that says force = yes is taken at its word, and so is one with auth = required that names the endpoint.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lint/ask.h"
#include "lint/parts.h"
#include "lint/shipped.h"
#include "match/host_spec.h"

#define NAMES_TOLD   3u
#define PROBES_MOST  64u /* bits of harm.probes */

struct harm {
	uint64_t      probes; /* bit for each */
	struct moment first;
	bool          always; /* at the first moment of its listener, so that no client or time is to blame */
};

/* One endpoint, or a host below one. */
struct probe {
	struct span     name; /* as it is told */
	struct probe_request q;
};

struct endpoints {
	const struct conf       *c;
	const struct snapshot   *s;
	struct report           *r;
	struct moments           moments;
	struct probe            *probe; /* PROBES_MOST; a question points into itself, so that it stays where it is */
	unsigned                 n_probes;
	uint32_t                 n_rules;
	const struct conf_rule **rule; /* by number */
	struct harm             *harm; /* by rule (the last: no rule held) and treatment */
};

/* A wildcard stands for a name below it that nobody has listed. */
static bool
probe_add(struct endpoints *e, struct span entry, enum url_scheme scheme, uint16_t port)
{
	struct probe    *p = &e->probe[e->n_probes];
	struct host_spec spec;
	char             why[HOST_SPEC_WHY], name[HOSTNAME_MAX + 16];

	if (e->n_probes == PROBES_MOST)
		return true;
	if (!host_spec_parse(entry, &spec, why))
		return false;
	snprintf(name, sizeof name, spec.kind == SPEC_EXACT ? "%s" : "some-device.%s", spec.text);
	scheme = spec.scheme ? spec.scheme : scheme;
	if (!probe_request_init(&p->q, span_str(name), scheme, spec.port ? spec.port : port, scheme == SCHEME_HTTP ? SPAN("GET") : SPAN("CONNECT")))
		return false;
	p->name = entry;
	e->n_probes++;
	return true;
}

/* Is it one more name below a wildcard of the shipped lists, in TLS at its port? */
static bool
is_below(const struct host_spec *spec)
{
	if ((spec->kind != SPEC_EXACT && spec->kind != SPEC_BELOW) || spec->scheme == SCHEME_HTTP || (spec->port && spec->port != 443))
		return false;
	for (unsigned i = 0; i < SHIPPED_COUNT; i++) {
		const char *star = strchr(shipped_endpoint[i], '*');
		size_t      n = star ? strlen(star + 1) : 0;
		if (n && spec->n > n && memcmp(spec->text + spec->n - n, star + 1, n) == 0)
			return true;
	}
	return false;
}

static void
items_probe(struct endpoints *e, const struct conf_items *items)
{
	for (size_t i = 0; i < items->n && e->n_probes < PROBES_MOST; i++) {
		struct span      text = items->v[i].text;
		struct host_spec spec;
		char             why[HOST_SPEC_WHY];
		bool             known = false;

		if (!memmem(text.p, text.n, "microsoft.com", 13) || !host_spec_parse(text, &spec, why) || !is_below(&spec))
			continue;
		for (unsigned k = 0; k < e->n_probes; k++)
			known |= span_eq(text, e->probe[k].name);
		if (!known)
			probe_add(e, text, SCHEME_HTTPS, 443);
	}
}

static bool
endpoints_init(struct endpoints *e, const struct conf *c, const struct snapshot *s, struct report *r)
{
	const struct conf_rule *rule;
	const struct conf_list *list;
	uint32_t                n = 0;

	*e = (struct endpoints){.c = c, .s = s, .r = r, .n_rules = policy_rule_count(s->policy)};
	e->rule = calloc((size_t)e->n_rules + 1, sizeof *e->rule);
	e->harm = calloc(((size_t)e->n_rules + 1) * TREATMENT_COUNT, sizeof *e->harm);
	e->probe = calloc(PROBES_MOST, sizeof *e->probe);
	if (!e->rule || !e->harm || !e->probe || !moments_init(&e->moments, c, s))
		return false;
	TAILQ_FOREACH (rule, &c->rules, link)
		if (n < e->n_rules)
			e->rule[n++] = rule;
	for (unsigned i = 0; i < SHIPPED_COUNT; i++)
		if (!probe_add(e, span_str(shipped_endpoint[i]), SCHEME_HTTPS, 443))
			return false;
	TAILQ_FOREACH (rule, &c->rules, link)
		items_probe(e, &rule->hosts);
	TAILQ_FOREACH (list, &c->lists, link)
		items_probe(e, &list->hosts);
	return true;
}

static void
endpoints_clear(struct endpoints *e)
{
	moments_clear(&e->moments);
	free(e->rule);
	free(e->harm);
	free(e->probe);
}

/* "microsoft.com" of "v10.events.data.microsoft.com" */
static const char *
last_labels(const char *name)
{
	const char *dot = strrchr(name, '.');

	while (dot && dot > name && dot[-1] != '.')
		dot--;
	return dot ? dot : name;
}

/* Does the rule name this endpoint? One whose hosts hold for any name of that domain, such as *.microsoft.com, names none. */
static bool
rule_names(const struct endpoints *e, uint32_t rule, const struct probe_request *q)
{
	struct host other;
	char        name[2 * HOSTNAME_MAX];

	snprintf(name, sizeof name, "nobody-has-this-name.%s", last_labels(q->host.text));
	return policy_rule_has_hosts(e->s->policy, rule) && policy_rule_host_holds(e->s->policy, rule, &q->host, q->scheme, q->port) &&
	    host_parse(span_str(name), &other) && !policy_rule_host_holds(e->s->policy, rule, &other, q->scheme, q->port);
}

static bool
is_meant(const struct endpoints *e, uint32_t rule, enum treatment treatment, const struct probe_request *q)
{
	if (rule == RULE_NONE)
		return false;
	return e->rule[rule]->force ||
	    (treatment == TREATMENT_CHALLENGED && e->rule[rule]->auth == AUTH_REQUIRED && e->rule[rule]->action != ACTION_INSPECT && rule_names(e, rule, q));
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
		for (unsigned k = 0; k < e->n_probes; k++) {
			uint32_t     rule;
			enum treatment treatment = treatment_ask(&e->probe[k].q, e->s->policy, &e->moments.v[i], &rule);
			struct harm *h;
			if (treatment < TREATMENT_CHALLENGED || is_meant(e, rule, treatment, &e->probe[k].q))
				continue;
			h = &e->harm[(size_t)(rule == RULE_NONE ? e->n_rules : rule) * TREATMENT_COUNT + treatment];
			if (!h->probes) {
				h->first = e->moments.v[i];
				h->always = first;
			}
			h->probes |= (uint64_t)1 << k;
		}
	}
}

/* "a, b, c and 4 more" */
static void
names_print(const struct endpoints *e, uint64_t probes, char *buf, size_t n)
{
	unsigned told = 0, all = (unsigned)__builtin_popcountll(probes);
	size_t   used = 0;

	buf[0] = '\0';
	for (unsigned k = 0; k < e->n_probes && told < NAMES_TOLD && used < n; k++)
		if (probes >> k & 1)
			used += (size_t)snprintf(buf + used, n - used, "%s%.*s", told++ ? ", " : "", SPAN_ARG(e->probe[k].name));
	if (all > told && used < n)
		snprintf(buf + used, n - used, " and %u more", all - told);
}

static void
harm_report(const struct endpoints *e, uint32_t rule, enum treatment treatment)
{
	static const enum finding kind[TREATMENT_COUNT] = {
		[TREATMENT_CHALLENGED] = FINDING_ENDPOINT_CHALLENGED,
		[TREATMENT_INTERCEPTED] = FINDING_ENDPOINT_INTERCEPTED,
		[TREATMENT_DENIED] = FINDING_ENDPOINT_DENIED,
	};
	const struct harm *h = &e->harm[(size_t)rule * TREATMENT_COUNT + treatment];
	char               names[1000], when[400] = "";

	if (!h->probes)
		return;
	names_print(e, h->probes, names, sizeof names);
	if (!h->always)
		moment_tell(&h->first, e->c, when, sizeof when);
	if (rule == e->n_rules)
		report_find(e->r, kind[treatment], (struct where){0},
		    "no rule lets Microsoft's diagnostic endpoints through, so that they are denied: %s%s; name them in a bypass rule, or end "
		    "with a rule that says action = deny and force = yes", names, when);
	else
		report_find(e->r, kind[treatment], e->rule[rule]->at,
		    "rule `%.*s` would %s Microsoft's diagnostic endpoints: %s%s; put a bypass rule that names them before it, or say force = "
		    "yes here%s", SPAN_ARG(e->rule[rule]->name), treatment_verb(treatment), names, when,
		    treatment == TREATMENT_CHALLENGED ? ", or name them in a rule with auth = required" : "");
}

/* What no rule can let through. */
static void
ports_look(const struct conf *c, struct report *r)
{
	if (!conf_ports_have(&c->gateway.connect_ports, 443))
		report_find(r, FINDING_ENDPOINT_DENIED, (struct where){0},
		    "connect-ports of [gateway] leaves out 443, where Microsoft's diagnostic endpoints are, whatever the rules say; name it there");
	if (!conf_ports_have(&c->gateway.http_ports, 80))
		report_find(r, FINDING_ENDPOINT_DENIED, (struct where){0},
		    "http-ports of [gateway] leaves out 80, where http://adl.windows.com is, whatever the rules say; name it there");
}

void
lint_endpoints(const struct conf *c, const struct snapshot *s, struct report *r)
{
	struct endpoints e;

	if (!endpoints_init(&e, c, s, r)) {
		lint_no_memory(r);
	} else {
		ports_look(c, r);
		endpoints_ask(&e);
		for (uint32_t rule = 0; rule <= e.n_rules; rule++)
			for (unsigned treatment = TREATMENT_CHALLENGED; treatment < TREATMENT_COUNT; treatment++)
				harm_report(&e, rule, (enum treatment)treatment);
	}
	endpoints_clear(&e);
}
