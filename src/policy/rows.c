/* SPDX-License-Identifier: MIT */
/*
 * rows: makes the classes of each dimension and their rows.
 * Numbers (ports, schemes, methods, listeners, minutes) are cut where any rule's items begin or end; between two cuts all rules answer alike.
 * Addresses are cut by addr_set.
 */
#include "policy/build.h"

#include <stdlib.h>
#include <string.h>

static int
number_order(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return x < y ? -1 : x > y;
}

/* A row with the bits of all rules that have no such condition. */
static void
row_begin(const struct build *b, enum condition cond, uint64_t *row)
{
	memset(row, 0, b->words * sizeof *row);
	for (uint32_t i = 0; i < b->n_rules; i++)
		if (!(b->has[i] >> cond & 1))
			bit_set(row, i);
}

/* The rules whose stretches (in rule order) hold for `number`. */
static void
row_mark(const struct stretches *s, uint32_t number, uint64_t *row)
{
	for (size_t i = 0; i < s->n;) {
		uint32_t rule = s->v[i].rule;
		bool     asked = false, held = false, denied = false;
		for (; i < s->n && s->v[i].rule == rule; i++) {
			bool in = s->v[i].first <= number && number <= s->v[i].last;
			asked |= !s->v[i].negated;
			held |= in && !s->v[i].negated;
			denied |= in && s->v[i].negated;
		}
		if ((held || !asked) && !denied)
			bit_set(row, rule);
	}
}

/* Sorted points at which the answer may change, 0 first and 65536 last. */
static bool
cuts_find(const struct stretches *s, struct numbers *cuts)
{
	uint32_t n = 0;

	if (!numbers_add(cuts, 0) || !numbers_add(cuts, 65536))
		return false;
	for (size_t i = 0; i < s->n; i++)
		if (!numbers_add(cuts, s->v[i].first) || !numbers_add(cuts, s->v[i].last + 1))
			return false;
	qsort(cuts->v, cuts->n, sizeof *cuts->v, number_order);
	for (uint32_t i = 0; i < cuts->n; i++)
		if (n == 0 || cuts->v[n - 1] != cuts->v[i])
			cuts->v[n++] = cuts->v[i];
	cuts->n = n;
	return true;
}

uint32_t
number_map_add(struct flat *f, const uint16_t *class_of)
{
	struct pool pages = {0};
	uint16_t    page[256];
	uint32_t    off = 0, index;

	for (uint32_t i = 0; i < 256; i++) {
		if (!pool_intern(&pages, class_of + i * 256, 512, &index))
			goto out;
		page[i] = (uint16_t)index;
	}
	off = flat_add(f, NULL, sizeof page + pages.used, 64);
	if (off) {
		memcpy(flat_at(f, off), page, sizeof page);
		memcpy((char *)flat_at(f, off) + sizeof page, pages.bytes, pages.used);
	}
out:
	pool_clear(&pages);
	return off;
}

static void
numbers_rows(struct build *b, enum condition cond)
{
	const struct stretches *s = &b->numbers[cond];
	struct numbers          cuts = {0};
	uint64_t               *row = calloc(b->words, sizeof *row), *plain = calloc(b->words, sizeof *plain);
	uint16_t               *class_of = calloc(65536, sizeof *class_of);
	uint32_t                index;

	if (!row || !plain || !class_of || !cuts_find(s, &cuts))
		goto oom;
	row_begin(b, cond, plain);
	for (uint32_t i = 0; i + 1 < cuts.n; i++) {
		memcpy(row, plain, b->words * sizeof *row);
		row_mark(s, cuts.v[i], row);
		if (!pool_intern(&b->dim[cond].rows, row, b->words * sizeof *row, &index))
			goto oom;
		for (uint32_t k = cuts.v[i]; k < cuts.v[i + 1]; k++)
			class_of[k] = (uint16_t)index;
	}
	b->dim[cond].where = number_map_add(b->flat, class_of);
	if (b->dim[cond].where)
		goto out;
oom:
	build_oom(b);
out:
	free(cuts.v);
	free(row);
	free(plain);
	free(class_of);
}

struct block_owner *
owners_flat(const struct side_build *s)
{
	struct block_owner *o = calloc((size_t)s->n_owners + 1, sizeof *o);

	for (uint32_t i = 0; o && i < s->n_owners; i++)
		o[i].only_negated = s->owner[i].n_plain == 0 && s->owner[i].n_negated > 0;
	return o;
}

static void
addr_rows(struct build *b, enum side side)
{
	enum condition         cond = side_condition[side];
	struct side_build     *s = &b->side[side];
	struct block_owner    *owners = owners_flat(s);
	uint8_t               *on = calloc((size_t)s->n_owners + 1, 1);
	uint64_t              *row = calloc(b->words, sizeof *row), *plain = calloc(b->words, sizeof *plain);
	const struct addr_set *set;
	uint32_t               n, index;

	b->dim[cond].where = addr_set_builder_finish(b->addrs[side], b->flat);
	if (!owners || !on || !row || !plain || !b->dim[cond].where)
		goto oom;
	row_begin(b, cond, plain);
	set = addr_set_at(b->flat->base, b->dim[cond].where);
	for (uint32_t i = 0; i < addr_set_count(set); i++) {
		const uint32_t         *tag = addr_set_tags(set, i, &n);
		const struct block_tag *tags = (const void *)s->tags.bytes;
		memset(on, 0, s->n_owners);
		for (uint32_t k = 0; k < n; k++)
			owner_mark(on, &tags[tag[k]]);
		memcpy(row, plain, b->words * sizeof *row);
		for (uint32_t r = 0; r < b->n_rules; r++)
			if (b->has[r] >> cond & 1 && terms_hold(s->terms.v + s->rule_terms[r].at, s->rule_terms[r].n, owners, on))
				bit_set(row, r);
		/* one row for each set, equal or not: the set's number is the class */
		if (!pool_append(&b->dim[cond].rows, row, b->words * sizeof *row, &index))
			goto oom;
	}
	goto out;
oom:
	build_oom(b);
out:
	free(owners);
	free(on);
	free(row);
	free(plain);
}

void
rows_build(struct build *b)
{
	for (unsigned c = 0; c < COND_COUNT; c++)
		for (uint32_t i = 0; i < b->n_rules; i++)
			b->dim[c].used |= b->has[i] >> c & 1;
	for (unsigned c = 0; c < COND_COUNT && !b->oom; c++) {
		if (!(1u << c & COND_DIMS) || !b->dim[c].used)
			continue;
		if (c == COND_CLIENTS)
			addr_rows(b, SIDE_CLIENTS);
		else if (c == COND_ADDRESSES)
			addr_rows(b, SIDE_ADDRESSES);
		else
			numbers_rows(b, c);
	}
}
