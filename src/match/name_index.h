/* SPDX-License-Identifier: MIT */
/*
 * name_index: the hash table of names inside a host_set, and the keyed hash of every suffix of a name.
 * Private to match/. Shared by the builder, which fills it, and the look-up, which only reads.
 *
 * A line of the index is one cache line. It stands for some twenty names that lie side by side in the heap: a filter that rules out most
 * strangers, and where the names of each of its buckets begin. So a name that is not there costs one line for each of its suffixes, and
 * one that is there one line more of the heap. A hit is always confirmed on the text.
 * Names must be canonical: lower-case, no NUL; others are merely not found.
 */
#ifndef POSTERN_MATCH_NAME_INDEX_H
#define POSTERN_MATCH_NAME_INDEX_H

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "parse/hostname.h"

#define NAME_BUCKETS    12
#define NAME_LOAD       20 /* names for each line, on average: 0.5 % of strangers pass the filter */
#define NAME_LABELS_MAX (HOSTNAME_MAX / 2 + 1)
#define NAME_LAST       0x80000000u
#define NAME_NO_BUCKET  0xffffu

struct name_line {
	uint64_t filter[4];          /* each name sets one bit in each word */
	uint32_t heap;               /* where its entries begin, from the heap's start */
	uint32_t node;               /* number of its first entry */
	uint16_t bucket[NAME_BUCKETS]; /* where each bucket's entries begin, from `heap`; NAME_NO_BUCKET: none */
};

/* In the heap, one after the other, unaligned. */
struct name_entry {
	uint32_t value;  /* row of the values table; NAME_LAST set: the last one of its bucket */
	uint32_t origin; /* the caller's, or the first of several: see struct host_value */
	uint8_t  nth;    /* within its line: line.node + nth is its number */
	uint8_t  n;
	char     text[];
} __attribute__((packed));

struct name_key {
	uint64_t start, block, label;
};

/* A view on an index, wherever its bytes lie. */
struct name_index {
	const struct name_line *line;
	const char             *heap;
	uint64_t                n_lines;
	uint64_t                depths[2]; /* bit d - 1: there is a name of d labels */
	uint32_t                max_depth;
	struct name_key         key;
};

/* One suffix of a name. */
struct name_suffix {
	uint64_t hash;
	size_t   at; /* where in the name it begins */
};

/* Walks the suffixes of a name from the last label to the whole. */
struct name_walk {
	const char *p;
	uint64_t    dots;   /* not yet passed, of the 64 bytes at `window` */
	size_t      window;
	size_t      end;    /* of the next label */
	uint64_t    hash;
	bool        more;
	char        small[8]; /* a copy of a name too short to load eight bytes from */
};

static inline uint64_t
name_load(const char *p)
{
	uint64_t w;
	memcpy(&w, p, sizeof w);
	return le64toh(w);
}

static inline uint64_t
name_fold(uint64_t x, uint64_t y)
{
	unsigned __int128 p = (unsigned __int128)x * y;
	return (uint64_t)p ^ (uint64_t)(p >> 64);
}

/* Bit i: byte i of the eight at p is a dot. Bytes are below 0x80 in a canonical name; for others the answer may be wrong, never unsafe. */
static inline uint64_t
name_dots8(const char *p)
{
	uint64_t x = name_load(p) ^ 0x2e2e2e2e2e2e2e2eu;
	uint64_t zero = ~(((x & 0x7f7f7f7f7f7f7f7fu) + 0x7f7f7f7f7f7f7f7fu) | x | 0x7f7f7f7f7f7f7f7fu);
	return ((zero >> 7) * 0x0102040810204080u) >> 56;
}

/* The dots among the `n` bytes (1 to 64) at p + at; the whole name at p has at least eight bytes to load. */
static inline uint64_t
name_dots(const char *p, size_t at, size_t n)
{
	uint64_t dots = 0;
	size_t   i = 0;

	for (; i + 8 <= n; i += 8)
		dots |= name_dots8(p + at + i) << i;
	if (i < n) {
		if (at + n >= 8) {
			uint64_t d = name_dots8(p + at + n - 8);
			dots |= n >= 8 ? d << (n - 8) : d >> (8 - n);
		} else {
			dots |= name_dots8(p) & ((1u << n) - 1);
		}
	}
	return dots;
}

/* The last `n` (0 to 8) of the bytes that end at p + end, in the upper bytes of a word. */
static inline uint64_t
name_tail(const char *p, size_t end, size_t n)
{
	static const uint64_t keep[9] = {0, 0xff00000000000000u, 0xffff000000000000u, 0xffffff0000000000u, 0xffffffff00000000u,
		0xffffffffff000000u, 0xffffffffffff0000u, 0xffffffffffffff00u, 0xffffffffffffffffu};
	size_t                at = end >= 8 ? end - 8 : 0;
	unsigned              shift = end >= 8 ? 0 : (unsigned)(64 - 8 * end) & 63;

	return (name_load(p + at) << shift) & keep[n];
}

static inline void
name_walk_init(struct name_walk *w, const struct name_key *k, struct span name)
{
	w->p = name.p;
	if (name.n < 8) {
		memset(w->small, 0, sizeof w->small);
		for (size_t i = 0; i < name.n; i++)
			w->small[i] = name.p[i];
		w->p = w->small;
	}
	w->more = name.n > 0;
	w->window = name.n ? (name.n - 1) & ~(size_t)63 : 0;
	w->dots = name.n ? name_dots(w->p, w->window, name.n - w->window) : 0;
	w->end = name.n;
	w->hash = k->start;
}

static inline bool
name_walk_next(struct name_walk *w, const struct name_key *k, struct name_suffix *s)
{
	size_t end = w->end, n;

	if (!w->more)
		return false;
	while (!w->dots && w->window) {
		w->window -= 64;
		w->dots = name_dots(w->p, w->window, 64);
	}
	if (w->dots) {
		unsigned bit = 63u - (unsigned)__builtin_clzll(w->dots);
		w->dots ^= (uint64_t)1 << bit;
		w->end = w->window + bit;
		s->at = w->end + 1;
	} else {
		w->more = false;
		s->at = 0;
	}
	for (n = end - s->at; n > 16; n -= 16, end -= 16)
		w->hash = name_fold(w->hash ^ name_tail(w->p, end, 8), k->block ^ name_tail(w->p, end - 8, 8));
	/* no length is needed: a name holds no NUL, so that what the words hold says it */
	w->hash = name_fold(w->hash ^ name_tail(w->p, end, n < 8 ? n : 8), k->label ^ name_tail(w->p, end >= 8 ? end - 8 : 0, n > 8 ? n - 8 : 0));
	s->hash = w->hash;
	return true;
}

/* The line of a hash, and its bucket there; both grow with the hash. */
static inline uint64_t
name_line_of(const struct name_index *x, uint64_t hash)
{
	return (uint64_t)(((unsigned __int128)hash * x->n_lines) >> 64);
}

static inline unsigned
name_bucket_of(const struct name_index *x, uint64_t hash)
{
	return (unsigned)(((unsigned __int128)(hash * x->n_lines) * NAME_BUCKETS) >> 64);
}

/* 1: may be there. 0: is not. */
static inline unsigned
name_filter(const struct name_line *l, uint64_t hash)
{
	return (unsigned)((l->filter[0] >> (hash & 63)) & (l->filter[1] >> (hash >> 6 & 63)) & (l->filter[2] >> (hash >> 12 & 63)) &
	                  (l->filter[3] >> (hash >> 18 & 63)) & 1);
}

/* Is the entry the `n` bytes that end at p + end? p has at least eight bytes to load; so has an entry before its text's end. */
static inline bool
name_entry_is(const struct name_entry *e, const char *p, size_t end, size_t n)
{
	size_t at = end - n;

	if (e->n != n)
		return false;
	for (size_t i = 0; i + 8 < n; i += 8)
		if (name_load(e->text + i) != name_load(p + at + i))
			return false;
	return name_tail((const char *)e, sizeof *e + n, n < 8 ? n : 8) == name_tail(p, end, n < 8 ? n : 8);
}

static inline const struct name_entry *
name_entry_next(const struct name_entry *e)
{
	return (const struct name_entry *)(e->text + e->n);
}

/* The entry of the suffix of p that ends at `end`, and has this hash; null when there is none. */
static inline const struct name_entry *
name_find(const struct name_index *x, const char *p, size_t end, const struct name_suffix *s)
{
	const struct name_line  *l = &x->line[name_line_of(x, s->hash)];
	const struct name_entry *e;
	unsigned                 at = l->bucket[name_bucket_of(x, s->hash)];

	if (at == NAME_NO_BUCKET)
		return NULL;
	for (e = (const struct name_entry *)(x->heap + l->heap + at);; e = name_entry_next(e)) {
		if (name_entry_is(e, p, end, end - s->at))
			return e;
		if (e->value & NAME_LAST)
			return NULL;
	}
}

static inline bool
name_depth_is_known(const struct name_index *x, unsigned depth)
{
	return x->depths[(depth - 1) >> 6] >> ((depth - 1) & 63) & 1;
}

/* Three secrets from the caller's sixteen bytes. */
void name_key_init(struct name_key *k, const uint8_t key[16]);
/* Hash of a whole name and its number of labels. */
uint64_t name_hash(const struct name_key *k, struct span name, unsigned *depth);

#endif
