/* SPDX-License-Identifier: MIT */
/*
 * bypass: host items of bypass rules that an earlier rule catches, for some client, listener or time.
 * Two policies are asked: the real one, and one in which all but bypass rules only report. Where the second would bypass and the first does something else,
 * the rule that does it stands in the way. No condition is read here.
 * Always true: rules say `report` afterwards as they did.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lint/ask.h"
#include "lint/parts.h"
#include "lint/shipped.h"
#include "match/host_spec.h"
#include "policy/compile.h"

#define QUESTIONS_MOST 500000u /* asked in all; what is left of a long list is taken to be like its beginning */
#define CATCHES_MOST   100u     /* told */

struct catch {
	uint32_t      by, bypass;
	enum fate     fate;
	size_t        items;
	struct span   item; /* the first */
	struct moment at;
};

struct bypasses {
	const struct conf     *c;
	const struct snapshot *s;
	struct report         *r;
	struct policy         *alone; /* where only bypass rules decide */
	const struct conf_rule **rule;
	uint32_t               n_rules;
	struct moments         moments;
	struct catch           catches[CATCHES_MOST];
	size_t                 n_catches, asked;
};

/* The policy with all but bypass rules set to report; null: no memory. */
static struct policy *
alone_open(struct conf *c, struct flat *f)
{
	struct conf_rule *rule;
	struct report     unread;
	struct policy    *p = NULL;
	uint32_t          off, i = 0, n = 0;
	bool             *was;

	TAILQ_FOREACH (rule, &c->rules, link)
		n++;
	was = calloc((size_t)n + 1, sizeof *was);
	if (!was)
		return NULL;
	TAILQ_FOREACH (rule, &c->rules, link) {
		was[i++] = rule->report;
		rule->report |= rule->action != ACTION_BYPASS;
	}
	report_init(&unread);
	flat_add(f, NULL, 64, 64); /* offset 0 is no offset */
	off = policy_compile(c, f, &unread);
	if (off)
		p = policy_open(f->base, f->used, off, false);
	report_clear(&unread);
	i = 0;
	TAILQ_FOREACH (rule, &c->rules, link)
		rule->report = was[i++];
	free(was);
	return p;
}

/* A name that the item holds for; false: that is not tried (addresses, regexes, every name). */
static bool
item_question(const struct conf_item *item, struct probe_request *q)
{
	struct host_spec spec;
	char             why[HOST_SPEC_WHY], name[2 * HOSTNAME_MAX];
	size_t           n = 0;

	if (item->negated || !host_spec_parse(item->text, &spec, why))
		return false;
	if (spec.kind != SPEC_EXACT && spec.kind != SPEC_BELOW && spec.kind != SPEC_TREE && spec.kind != SPEC_GLOB)
		return false;
	if (spec.kind == SPEC_BELOW)
		n = (size_t)snprintf(name, sizeof name, "some-host.");
	for (uint16_t i = 0; i < spec.n && n + 2 < sizeof name; i++)
		name[n++] = spec.text[i] == '*' ? 'x' : spec.text[i];
	return probe_request_init(q, span_of(name, n), spec.scheme == SCHEME_HTTP ? SCHEME_HTTP : SCHEME_HTTPS,
	    spec.port ? spec.port : spec.scheme == SCHEME_HTTP ? 80 : 443);
}

static bool
is_shipped(struct span text)
{
	for (unsigned i = 0; i < SHIPPED_COUNT; i++)
		if (span_eq(text, span_str(shipped_endpoint[i])))
			return true;
	return false;
}

static void
catch_add(struct bypasses *b, uint32_t by, uint32_t bypass, enum fate fate, const struct conf_item *item, const struct moment *at)
{
	struct catch *c = b->catches;

	while (c < b->catches + b->n_catches && (c->by != by || c->bypass != bypass || c->fate != fate))
		c++;
	if (c == b->catches + CATCHES_MOST)
		return;
	if (c == b->catches + b->n_catches) {
		*c = (struct catch){by, bypass, fate, 0, item->text, *at};
		b->n_catches++;
	}
	/* once for each item, at the moment of the first */
	c->items += c->at.listener == at->listener && c->at.week_minute == at->week_minute && memcmp(&c->at.client, &at->client, sizeof at->client) == 0;
}

static void
item_ask(struct bypasses *b, const struct conf_item *item, const struct moment *m)
{
	struct probe_request q;
	uint32_t             bypass, by;
	enum fate            fate;

	if (is_shipped(item->text) || !item_question(item, &q) || ++b->asked > QUESTIONS_MOST)
		return;
	if (fate_ask(&q, b->alone, m, &bypass) != FATE_BYPASSED)
		return;
	fate = fate_ask(&q, b->s->policy, m, &by);
	if (fate >= FATE_CHALLENGED && by < bypass && !b->rule[by]->force)
		catch_add(b, by, bypass, fate, item, m);
}

static const struct conf_list *
list_named(const struct conf *c, struct span name)
{
	const struct conf_list *list;

	TAILQ_FOREACH (list, &c->lists, link)
		if (span_eq(list->name, name))
			return list;
	return NULL;
}

static void
rule_ask(struct bypasses *b, const struct conf_rule *rule, const struct moment *m)
{
	for (size_t i = 0; i < rule->hosts.n && b->asked <= QUESTIONS_MOST; i++) {
		const struct conf_item *item = &rule->hosts.v[i];
		const struct conf_list *list;
		if (item->quoted || item->text.n == 0 || item->text.p[0] != '@') {
			item_ask(b, item, m);
			continue;
		}
		list = item->negated ? NULL : list_named(b->c, span_of(item->text.p + 1, item->text.n - 1));
		for (size_t k = 0; list && k < list->hosts.n && b->asked <= QUESTIONS_MOST; k++)
			item_ask(b, &list->hosts.v[k], m);
	}
}

/* That the bypass rule never decides, or that one asks wherever it holds, the policy itself has said at its place. */
static bool
is_told(const struct bypasses *b, const struct conf_rule *bypass)
{
	for (size_t i = 0; i < b->r->n; i++) {
		const struct report_line *l = &b->r->v[i];
		if ((l->kind == FINDING_RULE_DEAD || l->kind == FINDING_BYPASS_CHALLENGED) && l->at.file == bypass->at.file && l->at.line == bypass->at.line)
			return true;
	}
	return false;
}

static void
catch_report(const struct bypasses *b, const struct catch *c)
{
	const struct conf_rule *by = b->rule[c->by], *bypass = b->rule[c->bypass];
	char                    when[400], more[40] = "";

	if (c->items > 1)
		snprintf(more, sizeof more, " and %zu more", c->items - 1);
	report_find(b->r, c->fate == FATE_CHALLENGED ? FINDING_BYPASS_CHALLENGED : FINDING_BYPASS_CAUGHT, by->at,
	    "rule `%.*s` would %s `%.*s`%s of bypass rule `%.*s`%s; move the bypass rule before it, or say force = yes here", SPAN_ARG(by->name), fate_verb(c->fate),
	    SPAN_ARG(c->item), more, SPAN_ARG(bypass->name), moment_tell(&c->at, b->c, when, sizeof when));
}

static void
bypasses_ask(struct bypasses *b)
{
	/* rules outside: where too much is to be asked, each is asked of the first moments at least */
	for (size_t i = 0; i < b->moments.n && b->asked <= QUESTIONS_MOST; i++)
		for (uint32_t k = 1; k < b->n_rules; k++)
			if (b->rule[k]->action == ACTION_BYPASS && !b->rule[k]->report)
				rule_ask(b, b->rule[k], &b->moments.v[i]);
	for (size_t i = 0; i < b->n_catches; i++)
		if (!is_told(b, b->rule[b->catches[i].bypass]))
			catch_report(b, &b->catches[i]);
}

/* Is there a bypass rule with another kind of rule before it? */
static bool
is_wanted(const struct conf *c)
{
	const struct conf_rule *rule;
	bool                    other = false;

	TAILQ_FOREACH (rule, &c->rules, link) {
		if (rule->report)
			continue;
		if (other && rule->action == ACTION_BYPASS)
			return true;
		other |= rule->action != ACTION_BYPASS;
	}
	return false;
}

void
lint_bypass(struct conf *c, const struct snapshot *s, struct report *r)
{
	struct bypasses        *b;
	const struct conf_rule *rule;
	struct flat             f;

	if (!is_wanted(c))
		return;
	flat_init(&f);
	b = calloc(1, sizeof *b);
	if (b) {
		*b = (struct bypasses){.c = c, .s = s, .r = r};
		b->alone = alone_open(c, &f);
		b->rule = calloc((size_t)policy_rule_count(s->policy) + 1, sizeof *b->rule);
	}
	if (b && b->alone && b->rule && moments_init(&b->moments, c, s)) {
		TAILQ_FOREACH (rule, &c->rules, link)
			b->rule[b->n_rules++] = rule;
		bypasses_ask(b);
	} else {
		lint_no_memory(r);
	}
	if (b) {
		moments_clear(&b->moments);
		policy_close(b->alone);
		free(b->rule);
	}
	free(b);
	flat_clear(&f);
}
