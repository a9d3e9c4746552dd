/* SPDX-License-Identifier: MIT */
/*
 * host_flat: how a built host_set lies in its block. Private to match/: the builder writes it, host_set and loose read it.
 * All places are offsets from the block's start.
 */
#ifndef POSTERN_MATCH_HOST_FLAT_H
#define POSTERN_MATCH_HOST_FLAT_H

#include <stdint.h>

#include "match/name_index.h"
#include "match/tag_sets.h"

/* Where a pattern stands, for explanations. */
struct host_origin {
	uint32_t tag;
	uint32_t origin;
	uint32_t kind; /* enum host_spec_kind */
};

#define HOST_MANY UINT32_MAX

/* What a name says: the tags that hold when it is the longest known one, its ancestors' included. */
struct host_value {
	uint32_t exact; /* the name itself was asked for */
	uint32_t below; /* a name below it was */
	uint32_t kind;  /* of its only pattern, whose origin stands in the entry; HOST_MANY: the entry has the number of the first host_origin */
	uint32_t tag;   /* of its only pattern; HOST_MANY: how many host_origins */
};

struct loose_flat {
	uint32_t n;        /* patterns */
	uint32_t pattern;  /* struct loose_pattern[n] */
	uint32_t n_tags;   /* distinct tags of all */
	uint32_t tag;      /* ascending */
	uint32_t origin;   /* struct host_origin[]: each pattern's own, sorted by tag */
	uint32_t text;
	uint32_t n_text;
	uint32_t n_always; /* patterns without a literal */
	uint32_t always;   /* their numbers */
	uint32_t gram[2];  /* struct loose_grams for grams of 2 and of 4 bytes; 0: none */
	uint32_t n_codes;  /* regexes */
	uint32_t codes;    /* as pcre2_serialize_encode gave them */
	uint32_t n_code_bytes;
};

struct host_set_flat {
	uint32_t             magic;
	uint32_t             size; /* of everything, from this header's start; a check on damage */
	struct name_key      key;
	uint64_t             depths[2];
	uint32_t             max_depth;
	uint32_t             n_nodes;
	uint32_t             n_lines;
	uint32_t             line; /* struct name_line[n_lines], aligned to 64 */
	uint32_t             n_family;
	uint32_t             family; /* uint64_t[n_family] */
	uint32_t             heap;
	uint32_t             n_heap;
	uint32_t             n_values;
	uint32_t             value;
	struct tag_sets_flat sets;
	uint32_t             n_origins;
	uint32_t             origin; /* struct host_origin[]: of names with several patterns, and of `*` at the end */
	uint32_t             n_all;  /* how many of them are of `*` */
	uint32_t             addrs;  /* addr_set; its set i > 0 is our sets.n + i - 1 */
	struct loose_flat    loose;
};

#define HOST_SET_MAGIC 0x31736870u

#endif
