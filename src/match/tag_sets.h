/* SPDX-License-Identifier: MIT */
/*
 * tag_sets: interned sets of tags. Equal sets get the same number, so that whoever looks one up may prepare an answer for each number.
 * Private to match/. Tags in a set are unique and ascending.
 */
#ifndef POSTERN_MATCH_TAG_SETS_H
#define POSTERN_MATCH_TAG_SETS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/flat.h"

struct tag_sets {
	uint32_t *tag;   /* all sets' tags, one set after the other */
	uint32_t  n_tags, room_tags;
	uint32_t *edge;  /* n + 1 of them: set i is tag[edge[i] .. edge[i + 1] - 1] */
	uint32_t  n, room;
	uint32_t *slot;  /* hash table: set + 1, 0 free */
	uint32_t  n_slots;
	uint32_t *mixed; /* scratch of tag_sets_add */
	uint32_t  room_mixed;
};

struct tag_sets_flat {
	uint32_t n;
	uint32_t edge, tag; /* offsets */
};

void tag_sets_init(struct tag_sets *t);
void tag_sets_clear(struct tag_sets *t);
/* Appends a new set even when there is an equal one, which keeps its number. False: out of memory. */
bool tag_sets_push(struct tag_sets *t, const uint32_t *tag, uint32_t n, uint32_t *set);
/* The set of what `base` holds and these tags (in any order, repeated or not). False: out of memory. */
bool tag_sets_add(struct tag_sets *t, uint32_t base, const uint32_t *tag, uint32_t n, uint32_t *set);
/* False: out of memory. */
bool tag_sets_write(const struct tag_sets *t, struct flat *f, struct tag_sets_flat *out);

static inline const uint32_t *
tag_sets_read(const void *block, const struct tag_sets_flat *t, uint32_t set, uint32_t *n)
{
	const uint32_t *edge = (const uint32_t *)((const char *)block + t->edge);
	*n = edge[set + 1] - edge[set];
	return (const uint32_t *)((const char *)block + t->tag) + edge[set];
}

/* Room for at least `need` elements of `size` bytes, doubling. False: out of memory. */
bool tag_grow(void *array, uint32_t *room, size_t need, size_t size);
/* Sorts and drops what is repeated; returns how many are left. */
uint32_t tag_sort_unique(uint32_t *tag, uint32_t n);

#endif
