/* SPDX-License-Identifier: MIT */
/*
 * host_set: which of up to a million host patterns hold for a name, by one look-up.
 *
 * Patterns are added with a tag: a small number that the caller gives to each group of patterns that it wants to tell apart (a list, a
 * rule's own hosts, each once for every scheme, port and sign). The answer of a look-up is the set of tags that hold. Distinct sets are
 * interned when the set is built: a look-up yields one number, and the caller may have prepared whatever it wants for each number.
 * Exact names and suffixes live in one hash table of names, closed over their ancestors when built, so that the longest known suffix says
 * it all. Globs and regexes (the "loose" ones) are tried only when a literal that they need stands in the name.
 * The built form is flat (base/flat) and read-only. The hash is keyed; a hit is always confirmed on the full name.
 */
#ifndef POSTERN_MATCH_HOST_SET_H
#define POSTERN_MATCH_HOST_SET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/flat.h"
#include "base/span.h"
#include "match/host_spec.h"

struct host_set_builder;

/* `key`: 16 random bytes. */
struct host_set_builder *host_set_builder_new(const uint8_t key[16]);
void host_set_builder_free(struct host_set_builder *b);
/* `origin` is the caller's number for where the pattern stands (a global line number). The same pattern may be added again with other tags
 * and origins. False: out of memory or (regex) not compilable: *why says it with PCRE2's words and offset. */
bool host_set_builder_add(struct host_set_builder *b, const struct host_spec *s, uint32_t tag, uint32_t origin, char why[HOST_SPEC_WHY]);
/* Does whatever a pattern of tag `wide` at `wide_origin` holds for count for the pattern of `tag` at `origin` too? `below`: a name by itself, and a pattern
 * that takes in more. */
typedef bool host_within_fn(void *arg, uint32_t tag, uint32_t origin, uint32_t wide, uint32_t wide_origin, bool below);
/* Patterns that others of the same tag cover (or repeat): called once for each, in order of origin. Of names `within` says which others count, of whatever
 * tag; null: all of the same tag. */
void host_set_builder_covered(struct host_set_builder *b, host_within_fn *within, void (*each)(void *arg, uint32_t tag, uint32_t origin, uint32_t by_origin), void *arg);
/* Append the built set to `f`; returns its offset, 0 on failure. The builder can only be freed after. */
uint32_t host_set_builder_finish(struct host_set_builder *b, struct flat *f);

/* A built set in a mapped block, and what each process needs beside it (regexes decoded and JIT-compiled). */
struct host_set;

/* `block` and `off`: as finish gave them. `jit`: compile regexes by JIT where executable memory is allowed. NULL: out of memory or damaged. */
struct host_set *host_set_open(const void *block, size_t size, uint32_t off, bool jit);
/* The same for those who only read its patterns: globs and regexes are not made ready, and no look-up finds them. */
struct host_set *host_set_open_names(const void *block, size_t size, uint32_t off);
void host_set_close(struct host_set *h);
/* Did JIT work (true as well when there is no regex)? */
bool host_set_has_jit(const struct host_set *h);
/* As pattern_set_warm: for those who open without jit, and cannot wait for it. */
bool host_set_warm(struct host_set *h, uint32_t *n);
bool host_set_is_warm(const struct host_set *h);

/* Number of distinct interned sets; sets are 0 .. n-1; set 0 is that of a name that nothing is known of (tags of `*` included), set 1 that
 * of an address that nothing is known of. */
uint32_t host_set_count(const struct host_set *h);
/* The tags of interned set `set`, ascending. */
const uint32_t *host_set_tags(const struct host_set *h, uint32_t set, uint32_t *n);

struct host_hit {
	uint32_t set;     /* interned: exact and suffix patterns, `*`; for addresses the address patterns */
	uint32_t node;    /* number of the longest known name, for hit counters; UINT32_MAX none */
	uint32_t stretch; /* for addresses: number of the piece of the address space that it lies in (addr_set) */
	bool     whole;   /* the name at `node` is the one that was asked for, not one above it */
	uint32_t n_loose; /* tags that globs and regexes add, unique, ascending, not already in `set`; in `loose` */
	uint32_t *loose;  /* the caller's, of room host_set_loose_tags(h) */
	uint64_t  given_up; /* regexes that hit their limit: policy refuses what hangs on them */
};
/* How many distinct tags loose patterns have: the room that host_hit.loose needs; 0: may be null. */
uint32_t host_set_loose_tags(const struct host_set *h);
/* Number of nodes (for counters). */
uint32_t host_set_nodes(const struct host_set *h);
/* The same with globs, regexes and pieces of the address space: how many things there are that a look-up can be counted under. */
uint32_t host_set_places(const struct host_set *h);
/* The glob or regex by which a tag of hit.loose held in the last look-up: of several the first that was added. UINT32_MAX: none. */
uint32_t host_set_loose_by(const struct host_set *h, uint32_t tag);

/* Look up a canonical name (parse/hostname). Never fails; a regex that hits its match limit counts as not matching and is counted in
 * hit->given_up. No allocation, no system call, no lock. */
void host_set_find(const struct host_set *h, struct span name, struct host_hit *hit);
void host_set_find_addr(const struct host_set *h, const struct addr *a, struct host_hit *hit);
/* What a regex that hits its limit counts as from now on: matching or not (as at first). */
void host_set_assume(struct host_set *h, bool match);

/* For explanations, slow: the origins of all patterns that match `name` and carry `tag`, most specific first. Returns how many there are;
 * at most `room` are written. */
uint32_t host_set_origins(const struct host_set *h, struct span name, uint32_t tag, uint32_t *origin, uint32_t room);
uint32_t host_set_origins_addr(const struct host_set *h, const struct addr *a, uint32_t tag, uint32_t *origin, uint32_t room);

/* --- its patterns, for those who count by them (host_read.c) --- */
struct host_entry {
	enum host_spec_kind kind;
	struct span text;  /* the name x, the glob or the regex, in the block; empty for others */
	struct cidr cidr;  /* SPEC_ADDR */
	uint32_t    tag, origin;
};
/* Where a reader stands; all zero at first. */
struct host_walk {
	uint32_t stage, i, k;
	uint32_t at;
};
/* The next pattern; each is given once for each tag and origin. False: there are no more. */
bool host_set_next(const struct host_set *h, struct host_walk *w, struct host_entry *e);
/* What a look-up that ended at a name would find: its set of tags, and of those with `tag` the most specific pattern. node UINT32_MAX: nothing was known of it. */
const uint32_t *host_set_node_tags(const struct host_set *h, uint32_t node, bool whole, uint32_t *n);
bool            host_set_node_entry(const struct host_set *h, uint32_t node, bool whole, uint32_t tag, struct host_entry *e);
/* The same of a piece of the address space, and of a glob or regex (its k-th tag; false: it has no more). */
const uint32_t *host_set_stretch_tags(const struct host_set *h, uint32_t stretch, uint32_t *n);
bool            host_set_stretch_entry(const struct host_set *h, uint32_t stretch, uint32_t tag, struct host_entry *e);
bool            host_set_loose_entry(const struct host_set *h, uint32_t loose, uint32_t k, struct host_entry *e);

#endif
