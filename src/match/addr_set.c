/* SPDX-License-Identifier: MIT */
/*
 * addr_set: CIDRs are nested or apart, so that one sweep in order cuts the address space into pieces, each with its set of tags.
 * The built form is an array of where pieces begin, searched by halves, and the CIDRs themselves for explanations.
 */
#include "match/addr_set.h"

#include <endian.h>
#include <stdlib.h>

#include "match/tag_sets.h"

#define CIDR_DEPTH_MAX 129 /* prefixes of 0 to 128 bits can lie inside one another */

struct number {
	uint64_t hi, lo;
};

struct range {
	struct number first, last;
	uint32_t      tag, origin;
	uint32_t      bits;
	uint32_t      nth; /* as they came */
};

struct piece {
	struct number first; /* up to the next piece's */
	uint32_t      set;
	uint32_t      spare;
};

struct addr_set {
	uint32_t             n_pieces; /* at least one, from :: on */
	uint32_t             piece;    /* offsets from this header's start */
	uint32_t             n_ranges;
	uint32_t             range; /* sorted by first, then wide before narrow */
	struct tag_sets_flat sets;
};

struct addr_set_builder {
	struct range *range;
	uint32_t      n, room;
	bool          apart;
};

static struct number
number_of(const struct addr *a)
{
	struct number n;

	memcpy(&n, a->b, sizeof n);
	return (struct number){be64toh(n.hi), be64toh(n.lo)};
}

static int
number_compare(struct number a, struct number b)
{
	if (a.hi != b.hi)
		return a.hi < b.hi ? -1 : 1;
	return (a.lo > b.lo) - (a.lo < b.lo);
}

static struct number
number_next(struct number a)
{
	return (struct number){a.hi + (a.lo == UINT64_MAX), a.lo + 1};
}

struct addr_set_builder *
addr_set_builder_new(void)
{
	return calloc(1, sizeof(struct addr_set_builder));
}

void
addr_set_builder_keep_apart(struct addr_set_builder *b)
{
	b->apart = true;
}

void
addr_set_builder_free(struct addr_set_builder *b)
{
	if (!b)
		return;
	free(b->range);
	free(b);
}

bool
addr_set_builder_add(struct addr_set_builder *b, const struct cidr *c, uint32_t tag, uint32_t origin)
{
	struct addr first, last;

	if (!tag_grow(&b->range, &b->room, (size_t)b->n + 1, sizeof *b->range))
		return false;
	cidr_range(c, &first, &last);
	b->range[b->n] = (struct range){.first = number_of(&first), .last = number_of(&last), .tag = tag, .origin = origin, .bits = c->bits, .nth = b->n};
	b->n++;
	return true;
}

static int
range_compare(const void *a, const void *b)
{
	const struct range *x = a, *y = b;
	int                 c = number_compare(x->first, y->first);

	if (c)
		return c;
	if (x->bits != y->bits)
		return x->bits < y->bits ? -1 : 1;
	return (x->nth > y->nth) - (x->nth < y->nth);
}

bool
addr_set_builder_covered(struct addr_set_builder *b, void (*each)(void *arg, uint32_t tag, uint32_t origin, uint32_t by_origin), void *arg)
{
	uint32_t *open = calloc((size_t)b->n + 1, sizeof *open), n_open = 0; /* those that the one at hand lies in, wide first */

	if (!open)
		return false;
	if (b->n)
		qsort(b->range, b->n, sizeof *b->range, range_compare);
	for (uint32_t i = 0; i < b->n; i++) {
		const struct range *r = &b->range[i];
		uint32_t            k = 0;
		while (n_open && number_compare(b->range[open[n_open - 1]].last, r->first) < 0)
			n_open--;
		while (k < n_open && b->range[open[k]].tag != r->tag)
			k++;
		if (k < n_open)
			each(arg, r->tag, r->origin, b->range[open[k]].origin);
		else
			open[n_open++] = i; /* what is covered need not cover others: its own cover does */
	}
	free(open);
	return true;
}

struct open {
	struct number last;
	uint32_t      set;
};

struct sweep {
	struct tag_sets sets;
	struct piece   *piece;
	uint32_t        n, room;
	struct open     open[CIDR_DEPTH_MAX + 1];
	unsigned        n_open;
	bool            apart;
};

/* From `first` on, `set` holds. */
static bool
sweep_piece(struct sweep *w, struct number first, uint32_t set)
{
	if (w->n && number_compare(w->piece[w->n - 1].first, first) == 0) {
		w->piece[w->n - 1].set = set;
		return true;
	}
	if (w->n && w->piece[w->n - 1].set == set && !w->apart)
		return true;
	if (!tag_grow(&w->piece, &w->room, (size_t)w->n + 1, sizeof *w->piece))
		return false;
	w->piece[w->n++] = (struct piece){.first = first, .set = set};
	return true;
}

/* End the open prefixes that end before `first`; null: all. */
static bool
sweep_close(struct sweep *w, const struct number *first)
{
	while (w->n_open > 1 && (!first || number_compare(w->open[w->n_open - 1].last, *first) < 0)) {
		struct number next = number_next(w->open[--w->n_open].last);
		if ((next.hi || next.lo) && !sweep_piece(w, next, w->open[w->n_open - 1].set))
			return false;
	}
	return true;
}

static bool
sweep_all(struct sweep *w, const struct addr_set_builder *b)
{
	uint32_t none;

	if (!tag_sets_push(&w->sets, NULL, 0, &none) || !sweep_piece(w, (struct number){0}, 0))
		return false;
	w->open[0] = (struct open){.set = 0};
	w->n_open = 1;
	for (uint32_t i = 0; i < b->n; i++) {
		const struct range *r = &b->range[i];
		struct open        *top;
		uint32_t            set;
		if (!sweep_close(w, &r->first))
			return false;
		top = &w->open[w->n_open - 1];
		if (!tag_sets_add(&w->sets, top->set, &r->tag, 1, &set) || !sweep_piece(w, r->first, set))
			return false;
		if (i && number_compare(b->range[i - 1].first, r->first) == 0 && b->range[i - 1].bits == r->bits)
			top->set = set;
		else
			w->open[w->n_open++] = (struct open){r->last, set};
	}
	return sweep_close(w, NULL);
}

uint32_t
addr_set_builder_finish(struct addr_set_builder *b, struct flat *f)
{
	struct sweep    w = {.apart = b->apart};
	struct addr_set s = {0};
	uint32_t        off = 0;

	if (b->n)
		qsort(b->range, b->n, sizeof *b->range, range_compare);
	tag_sets_init(&w.sets);
	if (!sweep_all(&w, b))
		goto out;
	off = flat_add(f, NULL, sizeof s, 8);
	s.n_pieces = w.n;
	s.piece = flat_add(f, w.piece, w.n * sizeof *w.piece, 8);
	s.n_ranges = b->n;
	s.range = flat_add(f, b->range, b->n * sizeof *b->range, 8);
	if (!off || !s.piece || !s.range || !tag_sets_write(&w.sets, f, &s.sets)) {
		off = 0;
		goto out;
	}
	s.piece -= off;
	s.range -= off;
	s.sets.edge -= off;
	s.sets.tag -= off;
	memcpy(flat_at(f, off), &s, sizeof s);
out:
	tag_sets_clear(&w.sets);
	free(w.piece);
	return off;
}

uint32_t
addr_set_count(const struct addr_set *s)
{
	return s->sets.n;
}

uint32_t
addr_set_find(const struct addr_set *s, const struct addr *a)
{
	uint32_t piece;

	return addr_set_find_piece(s, a, &piece);
}

uint32_t
addr_set_find_piece(const struct addr_set *s, const struct addr *a, uint32_t *which)
{
	const struct piece *piece = (const struct piece *)((const char *)s + s->piece);
	struct number       n = number_of(a);
	uint32_t            low = 0, count = s->n_pieces;

	/* the last piece that begins at or before n; piece 0 begins at :: */
	while (count > 1) {
		uint32_t half = count / 2;
		if (number_compare(piece[low + half].first, n) <= 0)
			low += half;
		count -= half;
	}
	*which = low;
	return piece[low].set;
}

uint32_t
addr_set_pieces(const struct addr_set *s)
{
	return s->n_pieces;
}

uint32_t
addr_set_piece_set(const struct addr_set *s, uint32_t piece)
{
	return piece < s->n_pieces ? ((const struct piece *)((const char *)s + s->piece))[piece].set : 0;
}

bool
addr_set_cidr(const struct addr_set *s, uint32_t i, struct cidr *c, uint32_t *tag, uint32_t *origin)
{
	const struct range *r = (const struct range *)((const char *)s + s->range) + i;
	struct number       n;

	if (i >= s->n_ranges)
		return false;
	n = (struct number){htobe64(r->first.hi), htobe64(r->first.lo)};
	memcpy(c->addr.b, &n, sizeof n);
	c->bits = (uint8_t)r->bits;
	*tag = r->tag;
	*origin = r->origin;
	return true;
}

uint32_t
addr_set_piece_cidr(const struct addr_set *s, uint32_t piece, uint32_t tag)
{
	const struct range *range = (const struct range *)((const char *)s + s->range);
	struct number       n;

	if (piece >= s->n_pieces)
		return UINT32_MAX;
	n = ((const struct piece *)((const char *)s + s->piece))[piece].first;
	for (uint32_t i = s->n_ranges; i--;) /* narrow before wide */
		if (range[i].tag == tag && number_compare(range[i].first, n) <= 0 && number_compare(n, range[i].last) <= 0)
			return i;
	return UINT32_MAX;
}

const uint32_t *
addr_set_tags(const struct addr_set *s, uint32_t set, uint32_t *n)
{
	return tag_sets_read(s, &s->sets, set, n);
}

bool
addr_set_has(const struct addr_set *s, const struct addr *a)
{
	return addr_set_find(s, a) != 0;
}

uint32_t
addr_set_origins(const struct addr_set *s, const struct addr *a, uint32_t tag, uint32_t *origin, uint32_t room)
{
	const struct range *range = (const struct range *)((const char *)s + s->range);
	struct number       n = number_of(a);
	uint32_t            found = 0;

	for (uint32_t i = s->n_ranges; i--;) /* narrow before wide */
		if (range[i].tag == tag && number_compare(range[i].first, n) <= 0 && number_compare(n, range[i].last) <= 0) {
			if (found < room)
				origin[found] = range[i].origin;
			found++;
		}
	return found;
}
