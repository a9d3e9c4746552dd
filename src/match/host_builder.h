/* SPDX-License-Identifier: MIT */
/*
 * host_builder: what is gathered until a host_set is finished. Private to match/: host_builder.c gathers and sorts, host_covered.c looks for
 * patterns that others cover, host_finish.c writes.
 */
#ifndef POSTERN_MATCH_HOST_BUILDER_H
#define POSTERN_MATCH_HOST_BUILDER_H

#include "match/addr_set.h"
#include "match/host_flat.h"
#include "match/host_set.h"
#include "match/loose.h"

struct added {
	uint64_t hash;   /* of the name */
	uint64_t family; /* of its last labels */
	uint32_t text;   /* offset in the builder's text */
	uint32_t tag;
	uint32_t origin;
	uint8_t  n;      /* bytes of text */
	uint8_t  depth;  /* labels */
	uint8_t  kind;   /* SPEC_EXACT, SPEC_BELOW, SPEC_TREE */
};

/* A distinct name and the patterns that have it. */
struct node {
	uint32_t first, n; /* in `order` */
	uint32_t entry;    /* offset in `heap` */
	uint32_t parent;   /* the longest known name that it is below; UINT32_MAX: none */
};

struct host_set_builder {
	struct name_key key;
	struct added   *added;
	uint32_t        n_added, room_added;
	char           *text;
	uint32_t        n_text, room_text;
	struct host_origin *all; /* `*` */
	uint32_t        n_all, room_all;
	struct addr_set_builder *addrs;
	struct loose_builder    *loose;

	/* made by host_builder_settle; freed by the next add */
	bool              settled;
	uint32_t         *order; /* numbers of `added`, sorted by name's hash, then name, then as they came */
	struct node      *node;
	uint32_t          n_nodes;
	struct name_line *line;
	uint64_t         *family;
	char             *heap;
	size_t            n_heap;
	struct name_index index; /* on line and heap; an entry's value is NAME_LAST or 0 until finish fills it */
};

/* Sort what was added, build the index and find each name's parent. False: out of memory. */
bool host_builder_settle(struct host_set_builder *b);

static inline const struct added *
host_builder_added(const struct host_set_builder *b, const struct node *n, uint32_t i)
{
	return &b->added[b->order[n->first + i]];
}

#endif
