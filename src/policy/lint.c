/* SPDX-License-Identifier: MIT */
/*
 * lint: warns of what is not wrong but cannot be meant: entries that others cover, lists that nobody names, rules that never decide.
 */
#include "policy/build.h"

#include <stdlib.h>
#include <string.h>

/* Warnings of one kind for each list or rule; the rest is counted. */
#define LINT_MAX 20
/* Beyond so many rules, dead ones are not looked for. */
#define LINT_RULES_MAX 10000

struct covered {
	struct build *b;
	uint32_t     *count; /* by owner */
	struct where *last;  /* by owner: where the last one stood */
};

/* The text of the entry at a place, when only one stands there. */
static struct span
entry_text(const struct conf_items *items, struct where at)
{
	struct span found = {NULL, 0};

	for (size_t i = 0; i < items->n; i++) {
		if (items->v[i].at.file != at.file || items->v[i].at.line != at.line)
			continue;
		if (found.n > 0)
			return (struct span){NULL, 0};
		found = items->v[i].text;
	}
	return found;
}

static void
on_covered(void *arg, uint32_t tag, uint32_t origin, uint32_t by_origin)
{
	struct covered         *c = arg;
	struct build           *b = c->b;
	const struct block_tag *tags = (const void *)b->side[SIDE_HOSTS].tags.bytes;
	uint32_t                o = tags[tag].owner;
	const struct conf_list *list = b->side[SIDE_HOSTS].owner[o].list;
	struct where            at = build_where(b, origin);
	struct span             text = {NULL, 0};
	char                    by[4200];

	c->last[o] = at;
	if (c->count[o]++ >= LINT_MAX)
		return;
	if (list)
		text = entry_text(&list->hosts, at);
	where_print(b->conf, build_where(b, by_origin), by, sizeof by);
	if (text.n > 0)
		report_warn(b->report, at, "`%.*s` adds nothing: the entry at %s holds for it already", SPAN_ARG(text), by);
	else
		report_warn(b->report, at, "an entry on this line adds nothing: the one at %s holds for it already", by);
}

void
lint_lists(struct build *b)
{
	const struct side_build *s = &b->side[SIDE_HOSTS];
	struct covered           c = {b, calloc((size_t)s->n_owners + 1, sizeof *c.count), calloc((size_t)s->n_owners + 1, sizeof *c.last)};

	if (!c.count || !c.last)
		build_oom(b);
	else
		host_set_builder_covered(b->hosts, on_covered, &c);
	for (uint32_t o = 0; o < s->n_owners && !b->oom; o++)
		if (c.count[o] > LINT_MAX)
			report_warn(b->report, c.last[o], "and %u more entries of the same list or rule add nothing", c.count[o] - LINT_MAX);
	for (uint32_t i = 0; i < b->n_lists && !b->oom; i++)
		if (!b->list[i].used)
			report_warn(b->report, b->list[i].list->at, "list `%.*s` is used by no rule; name it with @%.*s", SPAN_ARG(b->list[i].list->name),
			    SPAN_ARG(b->list[i].list->name));
	free(c.count);
	free(c.last);
}

/* What each rule's fellows are, while dead ones are looked for. */
struct graves {
	struct build *b;
	uint64_t     *cover;  /* for each rule a row: rules whose host condition holds wherever its own does */
	uint64_t     *always; /* row: rules whose host condition holds everywhere */
	uint64_t     *here;   /* row: rules that hold for the host set at hand */
	bool         *seen;   /* by rule: some host set lets it hold */
	uint64_t     *dead;   /* row: the answer for one rule */
};

static uint64_t *
cover_of(const struct graves *g, uint32_t rule)
{
	return g->cover + (size_t)rule * g->b->words;
}

static bool
prog_within(const struct build *b, uint32_t narrow, uint32_t wide)
{
	const uint64_t *progs = (const void *)b->progs.bytes;

	if (narrow == wide || wide == PROG_ALWAYS)
		return true;
	if (narrow < PROG_FIRST || wide < PROG_FIRST)
		return false;
	for (uint32_t i = 0; i < b->prog_words; i++)
		if (progs[(size_t)(narrow - PROG_FIRST) * b->prog_words + i] & ~progs[(size_t)(wide - PROG_FIRST) * b->prog_words + i])
			return false;
	return true;
}

static void
row_and(const struct build *b, uint64_t *row, const uint64_t *with)
{
	for (uint32_t i = 0; i < b->words; i++)
		row[i] &= with[i];
}

/* What one list of candidates says about who covers whom. */
static void
list_look(const struct graves *g, const struct candidate *list)
{
	const struct build *b = g->b;

	memcpy(g->here, b->base, b->words * sizeof *g->here);
	for (const struct candidate *c = list; c->rule != RULE_NONE; c++) {
		if (c->prog == PROG_ALWAYS)
			bit_set(g->here, c->rule);
		else
			g->here[c->rule >> 6] &= ~((uint64_t)1 << (c->rule & 63));
	}
	row_and(b, g->always, g->here);
	for (const struct candidate *c = list; c->rule != RULE_NONE; c++) {
		if (c->prog == PROG_NEVER)
			continue;
		g->seen[c->rule] = true;
		if (c->prog == PROG_ALWAYS) {
			row_and(b, cover_of(g, c->rule), g->here);
			continue;
		}
		memcpy(g->dead, g->here, b->words * sizeof *g->dead);
		for (const struct candidate *k = list; k->rule != RULE_NONE; k++)
			if (prog_within(b, c->prog, k->prog))
				bit_set(g->dead, k->rule);
		row_and(b, cover_of(g, c->rule), g->dead);
	}
}

static bool
graves_init(struct graves *g, struct build *b)
{
	*g = (struct graves){
		.b = b,
		.cover = calloc((size_t)b->n_rules + 1, b->words * sizeof *g->cover),
		.always = calloc(b->words, sizeof *g->always),
		.here = calloc(b->words, sizeof *g->here),
		.seen = calloc((size_t)b->n_rules + 1, sizeof *g->seen),
		.dead = calloc(b->words, sizeof *g->dead),
	};
	if (!g->cover || !g->always || !g->here || !g->seen || !g->dead)
		return false;
	memset(g->cover, 0xff, (size_t)b->n_rules * b->words * sizeof *g->cover);
	memcpy(g->always, b->base, b->words * sizeof *g->always);
	for (uint32_t i = 0; i < b->lists.n; i++)
		list_look(g, (const void *)(b->lists.bytes + b->lists.v[i].off));
	return true;
}

static void
graves_clear(struct graves *g)
{
	free(g->cover);
	free(g->always);
	free(g->here);
	free(g->seen);
	free(g->dead);
}

/* Globs and regexes are in no list: may some of this rule's (loose: plain ones) let it hold, (veto) make it fail, unseen? */
static bool
rule_is_loose(const struct build *b, uint32_t rule, bool veto)
{
	const struct side_build *s = &b->side[SIDE_HOSTS];

	for (uint32_t i = 0; i < s->rule_terms[rule].n; i++) {
		uint32_t            term = s->terms.v[s->rule_terms[rule].at + i];
		const struct owner *o = &s->owner[term >> 1];
		if ((term & 1) == veto ? o->loose_plain : o->loose_negated)
			return true;
	}
	return false;
}

static bool
rule_has_term(const struct build *b, uint32_t rule, uint32_t term)
{
	const struct side_build *s = &b->side[SIDE_HOSTS];

	for (uint32_t i = 0; i < s->rule_terms[rule].n; i++)
		if (s->terms.v[s->rule_terms[rule].at + i] == term)
			return true;
	return false;
}

/* By their lists alone: does `wide` name all that `narrow` names, and negate no more? */
static bool
terms_within(const struct build *b, uint32_t narrow, uint32_t wide)
{
	const struct side_build *s = &b->side[SIDE_HOSTS];
	bool                     plain = false;

	if (s->rule_terms[wide].n == 0)
		return true;
	for (uint32_t i = 0; i < s->rule_terms[narrow].n; i++) {
		uint32_t term = s->terms.v[s->rule_terms[narrow].at + i];
		plain |= !(term & 1);
		if (!(term & 1) && !rule_has_term(b, wide, term))
			return false;
	}
	for (uint32_t i = 0; i < s->rule_terms[wide].n; i++) {
		uint32_t term = s->terms.v[s->rule_terms[wide].at + i];
		if (term & 1 ? !rule_has_term(b, narrow, term) : !plain)
			return false;
	}
	return true;
}

/* Keep in `dead` only the rules that hold, in dimension `cond`, wherever `rule` does. False: `rule` holds nowhere. */
static bool
dim_narrow(const struct build *b, enum condition cond, uint32_t rule, uint64_t *dead)
{
	const struct pool *rows = &b->dim[cond].rows;
	bool               some = false;

	for (uint32_t c = 0; c < rows->n; c++) {
		const uint64_t *row = (const void *)(rows->bytes + rows->v[c].off);
		if (!bit_has(row, rule))
			continue;
		some = true;
		row_and(b, dead, row);
	}
	return some;
}

static bool
host_covers(const struct graves *g, uint32_t wide, uint32_t rule)
{
	const struct build *b = g->b;
	const uint64_t     *cover = bit_has(b->base, rule) || rule_is_loose(b, rule, false) ? g->always : cover_of(g, rule);

	return (bit_has(cover, wide) && !rule_is_loose(b, wide, true)) || terms_within(b, rule, wide);
}

static void
rule_bury(const struct graves *g, uint32_t rule)
{
	struct build *b = g->b;
	char          at[4200];

	memset(g->dead, 0xff, b->words * sizeof *g->dead);
	for (unsigned c = 0; c < COND_COUNT; c++) {
		bool some = true;
		if (c == COND_HOSTS)
			some = bit_has(b->base, rule) || g->seen[rule] || rule_is_loose(b, rule, false);
		else if (b->dim[c].used)
			some = dim_narrow(b, c, rule, g->dead);
		if (some)
			continue;
		report_warn(b->report, b->rule[rule]->at, "rule `%.*s` can never hold: nothing satisfies its `%s`", SPAN_ARG(b->rule[rule]->name),
		    condition_name(c));
		return;
	}
	for (uint32_t i = 0; i < rule; i++) {
		if (!bit_has(g->dead, i) || b->rule[i]->report || !host_covers(g, i, rule))
			continue;
		where_print(b->conf, b->rule[i]->at, at, sizeof at);
		report_warn(b->report, b->rule[rule]->at,
		    "rule `%.*s` never decides: rule `%.*s` (%s) stands before it and holds wherever it does; move it up or remove it",
		    SPAN_ARG(b->rule[rule]->name), SPAN_ARG(b->rule[i]->name), at);
		return;
	}
}

void
lint_rules(struct build *b)
{
	struct graves g;

	/* the work grows with the square of the rules */
	if (b->n_rules > LINT_RULES_MAX)
		return;
	if (!graves_init(&g, b))
		build_oom(b);
	for (uint32_t i = 0; i < b->n_rules && !b->oom; i++)
		rule_bury(&g, i);
	graves_clear(&g);
}
