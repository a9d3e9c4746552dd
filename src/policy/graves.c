/* SPDX-License-Identifier: MIT */
/*
 * graves: warns of rules that never decide: one before holds wherever they do, or nothing satisfies them. Looks at the finished rows and host
 * lists. What it says is always true; it does not find every such rule (globs and regexes by their meaning; those that
 * several bury together are graves_deep's).
 * Warns also of bypass rules whose hosts an earlier rule asks for a user, wherever they hold.
 */
#include "policy/graves.h"

#include <stdlib.h>
#include <string.h>

/* Beyond so many rules, dead ones are not looked for: the work grows with their square. */
#define LINT_RULES_MAX 10000

static uint64_t *
cover_of(const struct graves *g, uint32_t rule)
{
	return g->cover + (size_t)rule * g->b->words;
}

bool
graves_prog_within(const struct build *b, uint32_t narrow, uint32_t wide)
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
			if (graves_prog_within(b, c->prog, k->prog))
				bit_set(g->dead, k->rule);
		row_and(b, cover_of(g, c->rule), g->dead);
	}
}

/* The numbers that a request can bring. False: every class of this dimension is one that it can bring. */
static bool
dim_range(const struct build *b, enum condition c, uint32_t *first, uint32_t *last)
{
	*first = 0;
	switch (c) {
	case COND_PORTS:
		*first = 1;
		*last = 65535;
		return true;
	case COND_SCHEMES:
		*first = SCHEME_HTTP;
		*last = SCHEME_HTTPS;
		return true;
	case COND_LISTENERS:
		*last = b->n_listeners ? b->n_listeners - 1 : 0;
		return true;
	case COND_TIMES:
		*last = WEEK_MINUTES - 1;
		return true;
	default:
		return false;
	}
}

/* Which classes of a dimension a request can bring. Those of addresses are kept in sets, of which the last ones alone lie somewhere. */
static void
classes_meet(const struct build *b, enum condition c, uint8_t *met)
{
	const void *where = flat_at(b->flat, b->dim[c].where);
	uint32_t    first, last;

	if (c == COND_CLIENTS || c == COND_ADDRESSES)
		for (uint32_t i = 0; i < addr_set_pieces(where); i++)
			met[addr_set_piece_set(where, i)] = 1;
	else if (dim_range(b, c, &first, &last))
		for (uint32_t n = first; n <= last; n++)
			met[number_map_find(where, n)] = 1;
	else
		memset(met, 1, b->dim[c].rows.n);
}

static bool
dim_init(struct graves *g, enum condition c)
{
	const struct build *b = g->b;
	const struct pool  *rows = &b->dim[c].rows;

	g->all[c] = malloc(b->words * sizeof *g->all[c]);
	g->met[c] = calloc(rows->n, 1);
	if (!g->all[c] || !g->met[c])
		return false;
	classes_meet(b, c, g->met[c]);
	memset(g->all[c], 0xff, b->words * sizeof *g->all[c]);
	for (uint32_t i = 0; i < rows->n; i++)
		if (g->met[c][i])
			row_and(b, g->all[c], (const void *)(rows->bytes + rows->v[i].off));
	return true;
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
	for (unsigned c = 0; c < COND_COUNT; c++)
		if (b->dim[c].rows.n && !dim_init(g, c))
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
	for (unsigned c = 0; c < COND_COUNT; c++) {
		free(g->all[c]);
		free(g->met[c]);
	}
}

bool
graves_is_loose(const struct build *b, uint32_t rule, bool veto)
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

bool
build_has_term(const struct build *b, uint32_t rule, uint32_t term)
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
		if (!(term & 1) && !build_has_term(b, wide, term))
			return false;
	}
	for (uint32_t i = 0; i < s->rule_terms[wide].n; i++) {
		uint32_t term = s->terms.v[s->rule_terms[wide].at + i];
		if (term & 1 ? !build_has_term(b, narrow, term) : !plain)
			return false;
	}
	return true;
}

bool
graves_narrow(const struct graves *g, enum condition cond, uint32_t rule, uint64_t *keep)
{
	const struct build *b = g->b;
	const struct pool  *rows = &b->dim[cond].rows;
	bool                some = false;

	if (!(b->has[rule] >> cond & 1)) {
		row_and(b, keep, g->all[cond]);
		return true;
	}

	for (uint32_t c = 0; c < rows->n; c++) {
		const uint64_t *row = (const void *)(rows->bytes + rows->v[c].off);
		if (!g->met[cond][c] || !bit_has(row, rule))
			continue;
		some = true;
		row_and(b, keep, row);
	}
	return some;
}

bool
graves_hosts(const struct graves *g, uint32_t wide, uint32_t rule)
{
	const struct build *b = g->b;
	const uint64_t     *cover = bit_has(b->base, rule) || graves_is_loose(b, rule, false) ? g->always : cover_of(g, rule);

	return (bit_has(cover, wide) && !graves_is_loose(b, wide, true)) || terms_within(b, rule, wide);
}

static bool
is_people_free_bypass(const struct build *b, uint32_t rule)
{
	return b->rule[rule]->action == ACTION_BYPASS && !rule_needs_user(b->rule[rule]) && !(b->has[rule] & COND_PEOPLE);
}

/* Rule `by` holds wherever `rule` does, but for whom it means: what is said then. False: nothing. */
static bool
asked_before(const struct build *b, uint32_t by, uint32_t rule)
{
	char at[4200];

	if (!is_people_free_bypass(b, rule) || bit_has(b->nobody, by) || b->rule[by]->force)
		return false;
	where_print(b->conf, b->rule[by]->at, at, sizeof at);
	report_find(b->report, FINDING_BYPASS_CHALLENGED, b->rule[rule]->at,
	    "rule `%.*s` (%s) stands before bypass rule `%.*s` and asks who it is wherever that holds, so that its hosts get a 407; move the bypass rule up, or say "
	    "force = yes there",
	    SPAN_ARG(b->rule[by]->name), at, SPAN_ARG(b->rule[rule]->name));
	return true;
}

static void
bury_together(struct graves *g, uint32_t rule)
{
	const struct build *b = g->b;
	char                first[4200], second[4200];
	enum condition      cond;
	uint32_t            by[2];

	if (!graves_together(g, rule, by, &cond))
		return;
	where_print(b->conf, b->rule[by[0]]->at, first, sizeof first);
	where_print(b->conf, b->rule[by[1]]->at, second, sizeof second);
	report_find(b->report, FINDING_RULE_DEAD, b->rule[rule]->at,
	    "rule `%.*s` never decides: rules before it, such as `%.*s` (%s) and `%.*s` (%s), hold together wherever it does, whatever the `%s`; move it up or remove it",
	    SPAN_ARG(b->rule[rule]->name), SPAN_ARG(b->rule[by[0]]->name), first, SPAN_ARG(b->rule[by[1]]->name), second, condition_name(cond));
}

static void
rule_bury(struct graves *g, uint32_t rule)
{
	struct build *b = g->b;
	char          at[4200];
	bool          asked = false;

	memset(g->dead, 0xff, b->words * sizeof *g->dead);
	for (unsigned c = 0; c < COND_COUNT; c++) {
		bool some = true;
		if (c == COND_HOSTS)
			some = bit_has(b->base, rule) || g->seen[rule] || graves_is_loose(b, rule, false);
		else if (b->dim[c].used && (1u << c & COND_DIMS))
			some = graves_narrow(g, c, rule, g->dead);
		if (some)
			continue;
		report_find(b->report, FINDING_RULE_NEVER, b->rule[rule]->at, "rule `%.*s` can never hold: nothing satisfies its `%s`", SPAN_ARG(b->rule[rule]->name),
		    condition_name(c));
		return;
	}
	for (uint32_t i = 0; i < rule; i++) {
		if (!bit_has(g->dead, i) || b->rule[i]->report || !graves_hosts(g, i, rule))
			continue;
		/* what is read of a request, and whom a rule means, a start does not look into: rules with such conditions bury none then */
		if ((b->has[i] & COND_READ) && !(b->report->thorough && graves_read(b, i, rule)))
			continue;
		if ((b->has[i] & COND_PEOPLE) && !(b->report->thorough && graves_people(b, i, rule))) {
			asked |= !asked && asked_before(b, i, rule);
			continue;
		}
		where_print(b->conf, b->rule[i]->at, at, sizeof at);
		report_find(b->report, FINDING_RULE_DEAD, b->rule[rule]->at,
		    "rule `%.*s` never decides: rule `%.*s` (%s) stands before it and holds wherever it does; move it up or remove it",
		    SPAN_ARG(b->rule[rule]->name), SPAN_ARG(b->rule[i]->name), at);
		return;
	}
	if (b->report->thorough)
		bury_together(g, rule);
}

void
graves_find(struct build *b)
{
	struct graves g;

	if (b->n_rules > LINT_RULES_MAX)
		return;
	if (!graves_init(&g, b))
		build_oom(b);
	for (uint32_t i = 0; i < b->n_rules && !b->oom; i++)
		rule_bury(&g, i);
	graves_clear(&g);
}
