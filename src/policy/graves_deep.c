/* SPDX-License-Identifier: MIT */
/*
 * graves_deep: looks longer for rules that never decide: beyond a start's patience, for `check`. What it says is always true; it may miss some.
 */
#include "policy/graves.h"

#include <stdlib.h>
#include <string.h>

/* Beyond so many rules, those that several bury together are not looked for. */
#define TOGETHER_RULES_MAX 1000
/* So much is done about hosts; the rules that are left are not looked at. */
#define TOGETHER_STEPS_MAX 100000000u

static bool
items_have(const struct conf_items *items, const struct conf_item *item)
{
	for (size_t i = 0; i < items->n; i++)
		if (items->v[i].negated == item->negated && span_eq_nocase(items->v[i].text, item->text))
			return true;
	return false;
}

static bool
has_plain(const struct conf_items *items)
{
	for (size_t i = 0; i < items->n; i++)
		if (!items->v[i].negated)
			return true;
	return false;
}

/* By their words: `wide` has each plain item of `narrow`, and negates no other. */
static bool
items_within(const struct conf_items *narrow, const struct conf_items *wide)
{
	if (wide->n == 0)
		return true;
	if (narrow->n == 0 || (has_plain(wide) && !has_plain(narrow)))
		return false;
	for (size_t i = 0; i < narrow->n && has_plain(wide); i++)
		if (!narrow->v[i].negated && !items_have(wide, &narrow->v[i]))
			return false;
	for (size_t i = 0; i < wide->n; i++)
		if (wide->v[i].negated && !items_have(narrow, &wide->v[i]))
			return false;
	return true;
}

bool
graves_people(const struct build *b, uint32_t wide, uint32_t rule)
{
	return items_within(&b->rule[rule]->users, &b->rule[wide]->users) && items_within(&b->rule[rule]->groups, &b->rule[wide]->groups);
}

/* The same items in the same order, to the letter: regexes are case-sensitive. */
static bool
items_same(const struct conf_items *a, const struct conf_items *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (a->v[i].negated != b->v[i].negated || !span_eq(a->v[i].text, b->v[i].text))
			return false;
	return true;
}

bool
graves_read(const struct build *b, uint32_t wide, uint32_t rule)
{
	const struct conf_rule *w = b->rule[wide], *r = b->rule[rule];

	/* one that waits for the response decides later than one that does not */
	return w->content_types.n == 0 && (w->url.n == 0 || items_same(&w->url, &r->url)) && (w->headers.n == 0 || items_same(&w->headers, &r->headers)) &&
	    (w->origin_tls.n == 0 || items_same(&w->origin_tls, &r->origin_tls)) &&
	    (w->origin_strength.n == 0 || items_same(&w->origin_strength, &r->origin_strength));
}

/* Rules that hold wherever `rule` does, but for one dimension or for the hosts. */
static void
fellows_find(const struct graves *g, uint32_t rule, enum condition but, uint64_t *row)
{
	const struct build *b = g->b;
	bool                hosts = but != COND_HOSTS;

	memset(row, 0xff, b->words * sizeof *row);
	for (unsigned c = 0; c < COND_COUNT; c++)
		if (c != but && b->dim[c].used && (1u << c & COND_DIMS))
			graves_narrow(g, c, rule, row);
	for (uint32_t i = 0; i < b->words * 64; i++)
		if (bit_has(row, i) &&
		    (i >= rule || b->rule[i]->report || (hosts ? !graves_hosts(g, i, rule) : graves_is_loose(b, i, true)) || !graves_people(b, i, rule) || !graves_read(b, i, rule)))
			row[i >> 6] &= ~((uint64_t)1 << (i & 63));
}

/* The first of `row` that holds for this class. */
static uint32_t
first_of(const struct build *b, const uint64_t *row, const uint64_t *class)
{
	for (uint32_t w = 0; w < b->words; w++)
		if (row[w] & class[w])
			return w * 64 + (uint32_t)__builtin_ctzll(row[w] & class[w]);
	return RULE_NONE;
}

/* The first two of all: in what order lists come is not settled. */
static void
by_note(uint32_t by[2], uint32_t one)
{
	if (one < by[0]) {
		by[1] = by[0];
		by[0] = one;
	} else if (one > by[0] && one < by[1]) {
		by[1] = one;
	}
}

static bool
together_in(const struct graves *g, uint32_t rule, enum condition c, const uint64_t *row, uint32_t by[2])
{
	const struct build *b = g->b;
	const struct pool  *rows = &b->dim[c].rows;

	by[0] = by[1] = RULE_NONE;
	for (uint32_t k = 0; k < rows->n; k++) {
		const uint64_t *class = (const void *)(rows->bytes + rows->v[k].off);
		uint32_t        one;
		if (!g->met[c][k] || ((b->has[rule] >> c & 1) && !bit_has(class, rule)))
			continue;
		one = first_of(b, row, class);
		if (one == RULE_NONE)
			return false;
		by_note(by, one);
	}
	return by[1] != RULE_NONE;
}

/* Where this list is what is known of a host: the place in which `rule` holds; PROG_NEVER: nowhere. */
static uint32_t
list_prog(const struct build *b, const struct candidate *list, uint32_t rule)
{
	for (; list->rule < rule; list++)
		;
	if (list->rule == rule)
		return list->prog;
	return bit_has(b->base, rule) ? PROG_ALWAYS : PROG_NEVER;
}

/* The first of `row` that, by this list, holds wherever `prog` says. */
static uint32_t
list_first(const struct graves *g, const struct candidate *list, const uint64_t *row, uint32_t prog, uint64_t *steps)
{
	const struct build     *b = g->b;
	const struct candidate *c = list;

	for (uint32_t w = 0; w < b->words; w++)
		for (uint64_t bits = row[w]; bits; bits &= bits - 1) {
			uint32_t i = w * 64 + (uint32_t)__builtin_ctzll(bits);
			++*steps;
			while (c->rule < i)
				c++;
			if (graves_prog_within(b, prog, c->rule == i ? c->prog : bit_has(b->base, i) ? PROG_ALWAYS : PROG_NEVER))
				return i;
		}
	return RULE_NONE;
}

/* Whatever is known of a host that `rule` holds for, one of these holds for it too. A rule with globs or regexes holds for hosts of which nothing is known. */
static bool
together_hosts(struct graves *g, uint32_t rule, const uint64_t *row, uint32_t by[2])
{
	const struct build *b = g->b;

	by[0] = by[1] = RULE_NONE;
	if (graves_is_loose(b, rule, false))
		return false;
	for (uint32_t k = 0; k < b->lists.n && g->steps < TOGETHER_STEPS_MAX; k++) {
		const struct candidate *list = (const void *)(b->lists.bytes + b->lists.v[k].off);
		uint32_t                prog = list_prog(b, list, rule), one;
		g->steps++;
		if (prog == PROG_NEVER)
			continue;
		one = list_first(g, list, row, prog, &g->steps);
		if (one == RULE_NONE)
			return false;
		by_note(by, one);
	}
	return by[1] != RULE_NONE && g->steps < TOGETHER_STEPS_MAX;
}

bool
graves_together(struct graves *g, uint32_t rule, uint32_t by[2], enum condition *cond)
{
	static const enum condition dims[] = {COND_PORTS, COND_SCHEMES, COND_METHODS, COND_CLIENTS, COND_LISTENERS, COND_TIMES, COND_HOSTS};
	const struct build         *b = g->b;
	uint64_t                   *row = b->n_rules <= TOGETHER_RULES_MAX ? malloc(b->words * sizeof *row) : NULL;
	bool                        found = false;

	for (size_t i = 0; row && i < sizeof dims / sizeof *dims && !found; i++) {
		if (dims[i] != COND_HOSTS && !b->dim[dims[i]].used)
			continue;
		*cond = dims[i];
		fellows_find(g, rule, dims[i], row);
		found = dims[i] == COND_HOSTS ? together_hosts(g, rule, row, by) : together_in(g, rule, dims[i], row, by);
	}
	free(row);
	return found;
}
