/* SPDX-License-Identifier: MIT */
/*
 * alone: what bypass rules would do if no other rule were there, and those of them that let every host pass unseen.
 * Always true: rules are afterwards as they were.
 */
#include <stdlib.h>

#include "lint/ask.h"
#include "lint/parts.h"
#include "policy/compile.h"

/* A rule that only reports may change nothing of what is sent. */
static void
rule_silence(struct conf_rule *rule)
{
	rule->report = true;
	rule->redirect.text = SPAN("");
	rule->set_request_header.n = rule->set_response_header.n = rule->remove_request_header.n = rule->remove_response_header.n = 0;
}

struct policy *
lint_alone(struct conf *c, struct flat *f)
{
	struct conf_rule *rule, *was;
	struct report     unread;
	struct policy    *p = NULL;
	uint32_t          off, i = 0, n = 0;

	TAILQ_FOREACH (rule, &c->rules, link)
		n++;
	was = calloc((size_t)n + 1, sizeof *was);
	if (!was)
		return NULL;
	TAILQ_FOREACH (rule, &c->rules, link) {
		was[i++] = *rule;
		if (rule->action != ACTION_BYPASS)
			rule_silence(rule);
	}
	report_init(&unread);
	flat_add(f, NULL, 64, 64); /* offset 0 is no offset */
	off = policy_compile(c, f, &unread);
	if (off)
		p = policy_open(f->base, f->used, off, false);
	report_clear(&unread);
	i = 0;
	TAILQ_FOREACH (rule, &c->rules, link)
		*rule = was[i++];
	free(was);
	return p;
}

/* Names and addresses that nobody would list. */
static const char *const strangers[] = {"some-host.nobody-has-this-name.com", "nobody-has-this-name.example", "nobody-has-this-name.dev"};
static const char *const stranger_addresses[] = {"45.67.89.10", "101.102.103.104", "[2a00:1234:5678::9]"};

/* Who lets all of them pass, whenever, and whoever asks: the rule of the first; RULE_NONE: nobody. */
static uint32_t
passes_all(const struct policy *alone, const struct moments *m, const char *const *host, size_t n)
{
	uint32_t by = RULE_NONE, rule;

	for (size_t i = 0; i < m->n; i++)
		for (size_t k = 0; k < n; k++) {
			struct probe_request q;
			if (!probe_request_init(&q, span_str(host[k]), SCHEME_HTTPS, 443, SPAN("CONNECT")) || treatment_ask(&q, alone, &m->v[i], &rule) != TREATMENT_BYPASSED)
				return RULE_NONE;
			if (by == RULE_NONE)
				by = rule;
		}
	return by;
}

static bool
has_conditions(const struct conf_rule *r)
{
	return r->hosts.n || r->ports.n || r->schemes.n || r->methods.n || r->clients.n || r->listeners.n || r->addresses.n || r->times.n;
}

void
lint_everything(const struct conf *c, const struct policy *alone, const struct moments *m, struct report *r)
{
	uint32_t                name = passes_all(alone, m, strangers, sizeof strangers / sizeof *strangers);
	uint32_t                address = passes_all(alone, m, stranger_addresses, sizeof stranger_addresses / sizeof *stranger_addresses), n = 0;
	uint32_t                by = name != RULE_NONE ? name : address;
	const struct conf_rule *rule;

	TAILQ_FOREACH (rule, &c->rules, link)
		if (n++ == by && !rule->force && has_conditions(rule)) /* of one without conditions it is said where rules are read */
			report_find(r, FINDING_BYPASS_EVERYTHING, rule->action_at,
			    "rule `%.*s` lets every %s pass unseen that no earlier bypass rule names, whoever asks and at any time; name the hosts, or say force = yes",
			    SPAN_ARG(rule->name), name != RULE_NONE ? "host" : "address");
}
