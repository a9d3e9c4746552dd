/* SPDX-License-Identifier: MIT */
/*
 * graves_deep: looks longer for rules that never decide: beyond a start's patience, for `check`. What it says is always true; it may miss some.
 */
#include "policy/graves.h"

#include <stdlib.h>
#include <string.h>

/* Beyond so many rules, those that several bury together are not looked for. */
#define TOGETHER_RULES_MAX 1000

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

/* Rules that hold wherever `rule` does, but for one dimension. */
static void
fellows_find(const struct graves *g, uint32_t rule, enum condition but, uint64_t *row)
{
	const struct build *b = g->b;

	memset(row, 0xff, b->words * sizeof *row);
	for (unsigned c = 0; c < COND_COUNT; c++)
		if (c != but && b->dim[c].used && (1u << c & COND_DIMS))
			graves_narrow(g, c, rule, row);
	for (uint32_t i = 0; i < b->words * 64; i++)
		if (bit_has(row, i) &&
		    (i >= rule || b->rule[i]->report || !graves_hosts(g, i, rule) || !graves_people(b, i, rule) || !graves_read(b, i, rule)))
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

static bool
class_meets(const struct build *b, enum condition c, uint32_t class)
{
	uint32_t first, last;

	if (!dim_range(b, c, &first, &last))
		return true;
	for (uint32_t n = first; n <= last; n++)
		if (number_map_find(flat_at(b->flat, b->dim[c].where), n) == class)
			return true;
	return false;
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
		if ((b->has[rule] >> c & 1) && !bit_has(class, rule))
			continue;
		one = first_of(b, row, class);
		if (one == RULE_NONE) {
			if (class_meets(b, c, k))
				return false;
			continue;
		}
		if (by[0] == RULE_NONE)
			by[0] = one;
		else if (one != by[0] && by[1] == RULE_NONE)
			by[1] = one;
	}
	return by[1] != RULE_NONE;
}

bool
graves_together(const struct graves *g, uint32_t rule, uint32_t by[2], enum condition *cond)
{
	static const enum condition dims[] = {COND_PORTS, COND_SCHEMES, COND_METHODS, COND_CLIENTS, COND_LISTENERS, COND_TIMES};
	const struct build         *b = g->b;
	uint64_t                   *row = b->n_rules <= TOGETHER_RULES_MAX ? malloc(b->words * sizeof *row) : NULL;
	bool                        found = false;

	for (size_t i = 0; row && i < sizeof dims / sizeof *dims && !found; i++) {
		if (!b->dim[dims[i]].used)
			continue;
		*cond = dims[i];
		fellows_find(g, rule, dims[i], row);
		found = together_in(g, rule, dims[i], row, by);
	}
	free(row);
	return found;
}
