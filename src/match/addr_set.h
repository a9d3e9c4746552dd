/* SPDX-License-Identifier: MIT */
/*
 * addr_set: which of many CIDRs hold for an address, by one binary search.
 * As host_set: CIDRs are added with tags, distinct sets of tags are interned, a look-up yields one number. Flat and read-only.
 */
#ifndef POSTERN_MATCH_ADDR_SET_H
#define POSTERN_MATCH_ADDR_SET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/flat.h"
#include "parse/cidr.h"

struct addr_set_builder;

struct addr_set_builder *addr_set_builder_new(void);
void addr_set_builder_free(struct addr_set_builder *b);
/* Each CIDR's addresses shall be pieces of their own, also where the same tags hold around them: for those who count by pieces. */
void addr_set_builder_keep_apart(struct addr_set_builder *b);
bool addr_set_builder_add(struct addr_set_builder *b, const struct cidr *c, uint32_t tag, uint32_t origin);
/* CIDRs of the same tag that others cover (or repeat): called once for each, in no order. False: out of memory. */
bool addr_set_builder_covered(struct addr_set_builder *b, void (*each)(void *arg, uint32_t tag, uint32_t origin, uint32_t by_origin), void *arg);
/* Append the built set; returns its offset, 0 on failure. */
uint32_t addr_set_builder_finish(struct addr_set_builder *b, struct flat *f);

/* What finish wrote; used in place. */
struct addr_set;
static inline const struct addr_set *
addr_set_at(const void *block, uint32_t off)
{
	return (const struct addr_set *)((const char *)block + off);
}
uint32_t addr_set_count(const struct addr_set *s);
/* Set 0: nothing holds. */
uint32_t addr_set_find(const struct addr_set *s, const struct addr *a);
/* The same, and which piece of the address space it lies in: 0 .. addr_set_pieces - 1. */
uint32_t addr_set_find_piece(const struct addr_set *s, const struct addr *a, uint32_t *piece);
uint32_t addr_set_pieces(const struct addr_set *s);
uint32_t addr_set_piece_set(const struct addr_set *s, uint32_t piece);
/* One CIDR of those that were added, wide ones before those inside them. False: there are no more. */
bool addr_set_cidr(const struct addr_set *s, uint32_t i, struct cidr *c, uint32_t *tag, uint32_t *origin);
/* The narrowest with this tag around a piece: its number, UINT32_MAX when there is none. */
uint32_t addr_set_piece_cidr(const struct addr_set *s, uint32_t piece, uint32_t tag);
const uint32_t *addr_set_tags(const struct addr_set *s, uint32_t set, uint32_t *n);
bool addr_set_has(const struct addr_set *s, const struct addr *a); /* any tag */
uint32_t addr_set_origins(const struct addr_set *s, const struct addr *a, uint32_t tag, uint32_t *origin, uint32_t room);

/* The named groups that options understand, as CIDRs: "private" (loopback, link-local, RFC 1918, RFC 6598, ULA, cloud metadata, unspecified,
 * multicast, reserved, benchmarking, documentation: all of IANA's special-purpose registries that are not globally reachable), "loopback", "any". False: no such group. */
bool addr_group(struct span name, const struct cidr **list, size_t *n);

#endif
