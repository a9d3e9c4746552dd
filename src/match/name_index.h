/* SPDX-License-Identifier: MIT */
/*
 * name_index: the hash table of names inside a host_set, and the keyed hash of every suffix of a name.
 * Private to match/. Shared by the builder, which fills it, and the look-up, which only reads.
 *
 * First of all the last two labels are asked for: a name of which no pattern shares them ends there, after one bit test in little memory.
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

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/span.h"
#include "parse/hostname.h"

#define NAME_BUCKETS    12
#define NAME_LOAD       24 /* names for each line, on average: one stranger in a hundred passes the filter */
#define NAME_FAMILY     2  /* labels */
#define NAME_FAMILY_BITS 8 /* of the filter, for each name: one stranger in thirty passes, if all names are of different families */
#define NAME_LABELS_MAX (HOSTNAME_MAX / 2 + 1)
#define NAME_HEAP_SPARE 32 /* zero bytes after the last entry: the look-up may glance at one more */
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
	const uint64_t         *family;    /* filter of the last NAME_FAMILY labels of all names that have so many */
	uint64_t                n_family;  /* words */
	uint64_t                depths[2]; /* bit d - 1: there is a name of d labels */
	uint32_t                max_depth;
	struct name_key         key;
};

/* One suffix of a name. */
struct name_suffix {
	uint64_t hash;
	size_t   at; /* where in the name it begins */
};

/* What a walk keeps in memory; apart from it, so that the rest of it can stay in registers. */
struct name_words {
	uint64_t chain[HOSTNAME_MAX / 8 + 1]; /* hash of the last 8 i bytes */
	uint64_t dots[HOSTNAME_MAX / 64 + 1]; /* bit i of word w: byte 64 w + i is a dot */
	char     small[8];                    /* a copy of a name too short to load eight bytes from */
};

/* Walks the suffixes of a name from the whole to the last label. */
struct name_walk {
	const char *p;
	size_t      n;
	size_t      last;   /* the last place where eight bytes can be loaded */
	size_t      at;     /* where the suffix at hand begins */
	unsigned    depth;  /* its labels; 0: the walk is over */
	unsigned    window; /* word of dots */
	uint64_t    dots;   /* those of it that are not passed yet */
};

/* Inlined by force: a look-up has some hundred cycles in all. */
#define NAME_HOT static inline __attribute__((always_inline))

NAME_HOT uint64_t
name_load(const char *p)
{
	uint64_t w;
	memcpy(&w, p, sizeof w);
	return le64toh(w);
}

NAME_HOT uint64_t
name_fold(uint64_t x, uint64_t y)
{
	unsigned __int128 p = (unsigned __int128)x * y;
	return (uint64_t)p ^ (uint64_t)(p >> 64);
}

/* Bit i: byte i of the eight at p is a dot. */
NAME_HOT uint64_t
name_dots8(const char *p)
{
	uint64_t x = name_load(p) ^ 0x2e2e2e2e2e2e2e2eu;
	uint64_t zero = ~(((x & 0x7f7f7f7f7f7f7f7fu) + 0x7f7f7f7f7f7f7f7fu) | x | 0x7f7f7f7f7f7f7f7fu);
	return ((zero >> 7) * 0x0102040810204080u) >> 56;
}

#ifdef __SSE2__
NAME_HOT uint64_t
name_dots16(const char *p)
{
	return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(const void *)p), _mm_set1_epi8('.')));
}
#endif

/* The dots among the `n` bytes (1 to 64) at p + at; the whole name at p has at least eight bytes to load. */
NAME_HOT uint64_t
name_dots(const char *p, size_t at, size_t n)
{
	uint64_t dots = 0;
	size_t   i = 0;

#ifdef __SSE2__
	if (n < 16 && n >= 8) {
		__m128i both = _mm_unpacklo_epi64(_mm_loadl_epi64((const __m128i *)(const void *)(p + at)), _mm_loadl_epi64((const __m128i *)(const void *)(p + at + n - 8)));
		uint64_t d = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(both, _mm_set1_epi8('.')));
		return (d & 0xff) | d >> 8 << (n - 8);
	}
	if (n >= 16) {
		/* four places that cover 64 bytes, fewer when there are fewer; no branch on 32, which names fall on both sides of */
		size_t second = n < 32 ? n - 16 : 16, third = n < 32 ? 0 : n - 32;
		return name_dots16(p + at) | name_dots16(p + at + second) << second | name_dots16(p + at + third) << third |
		       name_dots16(p + at + n - 16) << (n - 16);
	}
#endif
	for (; i + 8 <= n; i += 8)
		dots |= name_dots8(p + at + i) << i;
	if (i < n && at + n >= 8) {
		uint64_t d = name_dots8(p + at + n - 8);
		dots |= n >= 8 ? d << (n - 8) : d >> (8 - n);
	} else if (i < n) {
		dots |= name_dots8(p) & ((1u << n) - 1);
	}
	return dots;
}

/* The last `n` (0 to 8) of the bytes that end at p + end, in the upper bytes of a word. */
NAME_HOT uint64_t
name_tail(const char *p, size_t end, size_t n)
{
	static const uint64_t keep[9] = {0, 0xff00000000000000u, 0xffff000000000000u, 0xffffff0000000000u, 0xffffffff00000000u,
		0xffffffffff000000u, 0xffffffffffff0000u, 0xffffffffffffff00u, 0xffffffffffffffffu};
	size_t                at = end >= 8 ? end - 8 : 0;
	unsigned              shift = end >= 8 ? 0 : (unsigned)(64 - 8 * end) & 63;

	return (name_load(p + at) << shift) & keep[n];
}

NAME_HOT unsigned
name_count(uint64_t bits)
{
	bits -= bits >> 1 & 0x5555555555555555u;
	bits = (bits & 0x3333333333333333u) + (bits >> 2 & 0x3333333333333333u);
	return (unsigned)(((bits + (bits >> 4)) & 0x0f0f0f0f0f0f0f0fu) * 0x0101010101010101u >> 56);
}

/* Reads a name of 1 to HOSTNAME_MAX bytes. `words` must outlive the walk. */
NAME_HOT struct name_walk
name_walk_begin(struct name_words *words, const struct name_key *k, struct span name)
{
	struct name_walk w = {.p = name.p, .n = name.n, .last = name.n >= 8 ? name.n - 8 : 0};
	uint64_t         hash = k->start;
	size_t           end, i;

	if (name.n < 8) {
		memset(words->small, 0, sizeof words->small);
		for (size_t c = 0; c < name.n; c++)
			words->small[c] = name.p[c];
		w.p = words->small;
	}
	w.dots = words->dots[0] = name_dots(w.p, 0, name.n < 64 ? name.n : 64);
	for (i = 64; i < name.n; i += 64)
		words->dots[i / 64] = name_dots(w.p, i, name.n - i < 64 ? name.n - i : 64);
	words->chain[0] = hash;
	/* four steps whether or not the name has as many words: a wrong guess costs more, and what lies beyond is not asked for */
	for (i = 1; i <= 4; i++) {
		end = name.n >= 8 * i ? name.n - 8 * i : 0;
		hash = name_fold(hash ^ name_load(w.p + end), k->block);
		words->chain[i] = hash;
	}
	for (; 8 * i <= name.n; i++) {
		hash = name_fold(hash ^ name_load(w.p + name.n - 8 * i), k->block);
		words->chain[i] = hash;
	}
	return w;
}

/* Stand at the whole name. */
NAME_HOT void
name_walk_whole(struct name_walk *w, const struct name_words *words)
{
	w->depth = 1 + name_count(w->dots);
	for (size_t i = 64; i < w->n; i += 64)
		w->depth += name_count(words->dots[i / 64]);
}

/* Where the last label begins, and the last NAME_FAMILY ones. False: there are not so many. */
NAME_HOT bool
name_walk_family(const struct name_walk *w, const struct name_words *words, size_t *top, size_t *family)
{
	unsigned left = NAME_FAMILY;

	*top = *family = 0;
	for (unsigned i = (unsigned)(w->n - 1) / 64 + 1; i--;)
		for (uint64_t d = words->dots[i]; d;) {
			unsigned bit = 63u ^ (unsigned)__builtin_clzll(d);
			if (left == NAME_FAMILY)
				*top = 64 * i + bit + 1;
			if (--left == 0) {
				*family = 64 * i + bit + 1;
				return true;
			}
			d ^= (uint64_t)1 << bit;
		}
	return left < NAME_FAMILY;
}

/* Go on to the next shorter suffix. */
NAME_HOT void
name_walk_down(struct name_walk *w, const struct name_words *words)
{
	if (--w->depth == 0)
		return;
	while (!w->dots)
		w->dots = words->dots[++w->window];
	w->at = 64 * w->window + (unsigned)__builtin_ctzll(w->dots) + 1;
	w->dots &= w->dots - 1;
}

/* Hash of the suffix from `at`: its whole words from the end, and what is left at its front. It needs no length: a name holds no NUL, so that
 * the words say it. */
NAME_HOT uint64_t
name_walk_hash(const struct name_walk *w, const struct name_words *words, const struct name_key *k, size_t at)
{
	static const uint64_t first[8] = {0, 0xff, 0xffff, 0xffffff, 0xffffffff, 0xffffffffff, 0xffffffffffff, 0xffffffffffffff};
	size_t                n = w->n - at, from = at < w->last ? at : w->last;
	uint64_t              part = name_load(w->p + from) >> (8 * (at - from) & 63) & first[n & 7];

	return name_fold(words->chain[n >> 3] ^ part, k->label);
}

/* The line of a hash, and its bucket there; both grow with the hash. */
NAME_HOT uint64_t
name_line_of(const struct name_index *x, uint64_t hash)
{
	return (uint64_t)(((unsigned __int128)hash * x->n_lines) >> 64);
}

NAME_HOT unsigned
name_bucket_of(const struct name_index *x, uint64_t hash)
{
	return (unsigned)(((unsigned __int128)(hash * x->n_lines) * NAME_BUCKETS) >> 64);
}

/* 1: may be there. 0: is not. */
NAME_HOT unsigned
name_filter(const struct name_line *l, uint64_t hash)
{
	return (unsigned)((l->filter[0] >> (hash & 63)) & (l->filter[1] >> (hash >> 6 & 63)) & (l->filter[2] >> (hash >> 12 & 63)) &
	                  (l->filter[3] >> (hash >> 18 & 63)) & 1);
}

/* In which bits do the eight bytes at a and b differ? */
NAME_HOT uint64_t
name_differ(const char *a, const char *b)
{
	return name_load(a) ^ name_load(b);
}

/* The word of the family filter, and the bits there. */
NAME_HOT uint64_t
name_family_word(const struct name_index *x, uint64_t hash)
{
	return (uint64_t)(((unsigned __int128)hash * x->n_family) >> 64);
}

static inline uint64_t
name_family_bits(uint64_t hash)
{
	return (uint64_t)1 << (hash >> 24 & 63) | (uint64_t)1 << (hash >> 30 & 63) | (uint64_t)1 << (hash >> 36 & 63);
}

NAME_HOT bool
name_family_is_known(const struct name_index *x, uint64_t hash)
{
	uint64_t word = x->family[name_family_word(x, hash)];

	return (word >> (hash >> 24 & 63)) & (word >> (hash >> 30 & 63)) & (word >> (hash >> 36 & 63)) & 1;
}

/* Is the entry the `n` bytes that end at p + end? p has at least eight bytes to load; so has an entry before its text's end. */
NAME_HOT bool
name_entry_is(const struct name_entry *e, const char *p, size_t end, size_t n)
{
	const char *q = p + end - n;
	uint64_t    differ;

	if (e->n != n)
		return false;
	if (n < 8)
		return name_tail((const char *)e, sizeof *e + n, n) == name_tail(p, end, n);
	differ = name_differ(e->text, q) | name_differ(e->text + n - 8, q + n - 8);
	if (n > 16)
		differ |= name_differ(e->text + 8, q + 8) | name_differ(e->text + n - 16, q + n - 16);
	for (size_t i = 16; i + 16 < n; i += 8)
		differ |= name_differ(e->text + i, q + i);
	return differ == 0;
}

static inline const struct name_entry *
name_entry_next(const struct name_entry *e)
{
	return (const struct name_entry *)(e->text + e->n);
}

/* The entry of the suffix of p that ends at `end`, and has this hash, and its number; null when there is none. */
NAME_HOT const struct name_entry *
name_find(const struct name_index *x, const char *p, size_t end, const struct name_suffix *s, uint32_t *node)
{
	const struct name_line  *l = &x->line[name_line_of(x, s->hash)];
	const struct name_entry *first, *e;
	unsigned                 at = l->bucket[name_bucket_of(x, s->hash)];
	size_t                   n = end - s->at, miss;

	if (at == NAME_NO_BUCKET)
		return NULL;
	first = (const struct name_entry *)(x->heap + l->heap + at);
	__builtin_prefetch((const char *)first + 64);
	/* mostly it is the first or the second; which of both is reckoned, not branched on: a wrong guess here would cost what memory costs */
	miss = (first->n != n) | (name_tail((const char *)first, sizeof *first + first->n, first->n < 8 ? first->n : 8) != name_tail(p, end, n < 8 ? n : 8));
	e = (const struct name_entry *)((const char *)first + miss * (sizeof *first + first->n));
	if (!name_entry_is(e, p, end, n)) {
		for (e = first; !name_entry_is(e, p, end, n); e = name_entry_next(e))
			if (e->value & NAME_LAST)
				return NULL;
	}
	*node = l->node + e->nth;
	return e;
}

NAME_HOT bool
name_depth_is_known(const struct name_index *x, unsigned depth)
{
	return x->depths[(depth - 1) >> 6] >> ((depth - 1) & 63) & 1;
}

/* Begin to look for a name of 1 to HOSTNAME_MAX bytes. */
NAME_HOT struct name_walk
name_search(const struct name_index *x, struct name_words *words, struct span name)
{
	struct name_walk w = name_walk_begin(words, &x->key, name);
	size_t           top, family;

	if (name_walk_family(&w, words, &top, &family) && !name_family_is_known(x, name_walk_hash(&w, words, &x->key, family))) {
		/* what is left to ask is the top label */
		w.depth = 1;
		w.at = top;
	} else {
		name_walk_whole(&w, words);
	}
	return w;
}

/* The next shorter suffix that may be there: it has a known depth, and its line's filter lets it through. */
NAME_HOT bool
name_search_next(const struct name_index *x, struct name_walk *w, const struct name_words *words, struct name_suffix *s)
{
	bool found = false;

	while (w->depth && !found) {
		if (w->depth <= x->max_depth && name_depth_is_known(x, w->depth)) {
			s->at = w->at;
			s->hash = name_walk_hash(w, words, &x->key, w->at);
			found = name_filter(&x->line[name_line_of(x, s->hash)], s->hash);
		}
		name_walk_down(w, words);
	}
	return found;
}

/* Three secrets from the caller's sixteen bytes. */
void name_key_init(struct name_key *k, const uint8_t key[16]);
/* Hash of a whole name, of its last NAME_FAMILY labels (0: it has fewer), and its number of labels. */
uint64_t name_hash(const struct name_key *k, struct span name, uint64_t *family, unsigned *depth);

#endif
