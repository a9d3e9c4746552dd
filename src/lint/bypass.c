/* SPDX-License-Identifier: MIT */
/*
 * bypass: host items of bypass rules that an earlier rule catches, for some client, listener or time; in the way in which they are usually asked for, and, if
 * it asks who somebody is, in others too (ways).
 * Two policies are asked: the real one, and one in which all but bypass rules only report. Where the second would bypass and the first does something else,
 * the rule that does it stands in the way. No condition is read here.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lint/ask.h"
#include "lint/parts.h"
#include "lint/shipped.h"
#include "lint/ways.h"
#include "policy/rule.h"

#define QUESTIONS_MOST 500000u /* asked in all; what is left of a long list is taken to be like its beginning */
#define UNUSUAL_MOST   250000u /* and in ways that are not the usual ones */
#define CATCHES_MOST   100u     /* told */

struct catch {
	uint32_t      by, bypass;
	enum treatment treatment;
	size_t        items;
	struct span   item; /* the first */
	struct moment at;
	size_t        way;
	bool          unusual; /* which the way is */
	const struct conf_item *last;
};

struct bypasses {
	const struct conf     *c;
	const struct snapshot *s;
	struct report         *r;
	struct policy         *alone; /* where only bypass rules decide */
	const struct conf_rule **rule;
	uint32_t               n_rules;
	struct moments         moments;
	struct ways            ways;
	struct catch           catches[CATCHES_MOST];
	size_t                 n_catches, asked, most;
	bool                   unusual; /* whether ways that are not the usual one are asked about now */
};

static bool
is_shipped(struct span text)
{
	for (unsigned i = 0; i < SHIPPED_COUNT; i++)
		if (span_eq(text, span_str(shipped_endpoint[i])))
			return true;
	return false;
}

static void
catch_add(struct bypasses *b, struct catch new)
{
	struct catch *c = b->catches;

	while (c < b->catches + b->n_catches && (c->by != new.by || c->bypass != new.bypass || c->treatment != new.treatment))
		c++;
	if (c == b->catches + CATCHES_MOST)
		return;
	if (c == b->catches + b->n_catches) {
		*c = new;
		b->n_catches++;
	} else if (c->last == new.last) {
		return;
	}
	/* once for each item, at the moment of the first */
	c->items += c->way == new.way && c->at.listener == new.at.listener && c->at.week_minute == new.at.week_minute &&
	    memcmp(&c->at.client, &new.at.client, sizeof new.at.client) == 0;
	c->last = new.last;
}

/* What becomes of it in one way. TREATMENT_UNKNOWN: no bypass rule is meant, or the question is not to be asked. */
static enum treatment
way_ask(struct bypasses *b, const struct host_spec *spec, unsigned name, size_t way, const struct moment *m, struct catch *found)
{
	struct probe_request q;

	if (!ways_question(&b->ways, way, spec, name, &q))
		return TREATMENT_UNKNOWN;
	b->asked++;
	if (treatment_ask(&q, b->alone, m, &found->bypass) != TREATMENT_BYPASSED)
		return TREATMENT_UNKNOWN;
	found->way = way;
	found->treatment = treatment_ask(&q, b->s->policy, m, &found->by);
	return found->by < found->bypass && !b->rule[found->by]->force ? found->treatment : TREATMENT_UNKNOWN;
}

/* In the usual way an item should not be asked, inspected or denied; in all other ways, which may be denied on purpose, it should not be asked. */
static void
item_ask(struct bypasses *b, const struct conf_item *item, const struct moment *m)
{
	bool             shipped = is_shipped(item->text); /* endpoints looks after their usual way */
	struct host_spec spec;
	char             why[HOST_SPEC_WHY];

	if (item->negated || (shipped && !b->unusual) || !host_spec_parse(item->text, &spec, why))
		return;
	for (unsigned name = 0; name < 2 && b->asked <= b->most; name++) {
		struct catch found = {.item = item->text, .last = item, .at = *m, .unusual = b->unusual};
		enum treatment treatment = way_ask(b, &spec, name, ways_usual(&spec), m, &found);
		if (!b->unusual && treatment >= TREATMENT_CHALLENGED)
			catch_add(b, found);
		if (!b->unusual || treatment == TREATMENT_CHALLENGED)
			continue;
		for (size_t way = 0; way < b->ways.n; way++)
			if (way != ways_usual(&spec) && way_ask(b, &spec, name, way, m, &found) == TREATMENT_CHALLENGED)
				catch_add(b, found);
	}
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
	for (size_t i = 0; i < rule->hosts.n && b->asked <= b->most; i++) {
		const struct conf_item *item = &rule->hosts.v[i];
		const struct conf_list *list;
		if (item->quoted || item->text.n == 0 || item->text.p[0] != '@') {
			item_ask(b, item, m);
			continue;
		}
		list = item->negated ? NULL : list_named(b->c, span_of(item->text.p + 1, item->text.n - 1));
		for (size_t k = 0; list && k < list->hosts.n && b->asked <= b->most; k++)
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
	char                    when[400], more[40] = "", way[120];

	if (c->items > 1)
		snprintf(more, sizeof more, " and %zu more", c->items - 1);
	report_find(b->r, c->treatment == TREATMENT_CHALLENGED ? FINDING_BYPASS_CHALLENGED : FINDING_BYPASS_CAUGHT, by->at,
	    "rule `%.*s` would %s `%.*s`%s of bypass rule `%.*s`%s%s; move the bypass rule before it, or say force = yes here", SPAN_ARG(by->name), treatment_verb(c->treatment),
	    SPAN_ARG(c->item), more, SPAN_ARG(bypass->name), c->unusual ? way_tell(&b->ways, c->way, way, sizeof way) : "", moment_tell(&c->at, b->c, when, sizeof when));
}

static void
all_ask(struct bypasses *b, bool unusual, size_t most)
{
	b->unusual = unusual;
	b->most = b->asked + most;
	/* rules outside: where too much is to be asked, each is asked of the first moments at least */
	for (size_t i = 0; i < b->moments.n && b->asked <= b->most; i++)
		for (uint32_t k = 1; k < b->n_rules; k++)
			if (b->rule[k]->action == ACTION_BYPASS && !b->rule[k]->report)
				rule_ask(b, b->rule[k], &b->moments.v[i]);
}

/* Does some rule ask who it is? */
static bool
some_ask(const struct bypasses *b)
{
	for (uint32_t k = 0; k < b->n_rules; k++)
		if (!b->rule[k]->report && (b->rule[k]->users.n || b->rule[k]->groups.n || rule_needs_user(b->rule[k])))
			return true;
	return false;
}

static void
bypasses_ask(struct bypasses *b)
{
	all_ask(b, false, QUESTIONS_MOST);
	if (some_ask(b))
		all_ask(b, true, UNUSUAL_MOST);
	for (size_t i = 0; i < b->n_catches; i++)
		if (!is_told(b, b->rule[b->catches[i].bypass]))
			catch_report(b, &b->catches[i]);
}

static bool
has_bypass(const struct conf *c)
{
	const struct conf_rule *rule;

	TAILQ_FOREACH (rule, &c->rules, link)
		if (rule->action == ACTION_BYPASS && !rule->report)
			return true;
	return false;
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

	if (!has_bypass(c))
		return;
	flat_init(&f);
	b = calloc(1, sizeof *b);
	if (b) {
		*b = (struct bypasses){.c = c, .s = s, .r = r};
		b->alone = lint_alone(c, &f);
		b->rule = calloc((size_t)policy_rule_count(s->policy) + 1, sizeof *b->rule);
	}
	if (b && b->alone && b->rule && moments_init(&b->moments, c, s)) {
		TAILQ_FOREACH (rule, &c->rules, link)
			b->rule[b->n_rules++] = rule;
		ways_init(&b->ways, c, s);
		lint_everything(c, b->alone, &b->moments, r);
		if (is_wanted(c))
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
