/* SPDX-License-Identifier: MIT */
/*
 * loose_flat: how loose patterns lie in the block of a host_set, and how grams are hashed. Private to loose_builder.c and loose.c.
 * A gram is two or four bytes of a literal. Names are searched for grams by one filter bit each, then by bucket.
 */
#ifndef POSTERN_MATCH_LOOSE_FLAT_H
#define POSTERN_MATCH_LOOSE_FLAT_H

#include "match/loose.h"

#define LOOSE_SHORT       LOOSE_RUN_MIN /* bytes of the gram of a literal of 2 or 3 */
#define LOOSE_LONG        4
#define LOOSE_FILTER_BITS 16 /* for each bucket */
#define LOOSE_COUNT_BITS  16
#define LOOSE_COUNTS      (1u << LOOSE_COUNT_BITS)

struct loose_pattern {
	uint32_t kind; /* SPEC_GLOB, SPEC_REGEX */
	uint32_t text, n;
	uint32_t code;   /* number of the regex */
	uint32_t origin; /* the first of its origins */
	uint32_t n_origins;
};

struct loose_origin {
	uint32_t nth; /* place of the tag among the distinct ones */
	uint32_t origin;
};

/* A literal that is searched for by its gram. */
struct loose_word {
	uint32_t gram;
	uint32_t pattern;
	uint32_t text;
	uint8_t  n;
	uint8_t  at; /* of the gram in the literal */
};

struct loose_grams {
	uint32_t shift;  /* a bucket is the upper 32 - shift bits of a hash */
	uint32_t filter; /* bits, LOOSE_FILTER_BITS for each bucket */
	uint32_t edge;   /* bucket b: words edge[b] .. edge[b + 1] - 1 */
	uint32_t word;
};

static inline unsigned
loose_gram_size(unsigned literal)
{
	return literal >= LOOSE_LONG ? LOOSE_LONG : LOOSE_SHORT;
}

static inline uint32_t
loose_gram(const char *p, unsigned n)
{
	uint32_t four;
	uint16_t two;

	if (n == LOOSE_LONG) {
		memcpy(&four, p, sizeof four);
		return le32toh(four);
	}
	memcpy(&two, p, sizeof two);
	return le16toh(two);
}

static inline uint32_t
loose_gram_hash(uint32_t gram)
{
	gram *= 0x9e3779b1u;
	gram ^= gram >> 15;
	return gram * 0x85ebca77u;
}

static inline uint32_t
loose_bucket(uint32_t hash, uint32_t shift)
{
	return (uint32_t)((uint64_t)hash >> shift);
}

static inline uint32_t
loose_filter_bit(uint32_t hash, uint32_t shift)
{
	return (uint32_t)((uint64_t)hash * LOOSE_FILTER_BITS >> shift);
}

#endif
