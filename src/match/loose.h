/* SPDX-License-Identifier: MIT */
/*
 * loose: the patterns of a host_set that are no suffixes: globs and regexes. Private to match/.
 * From each one a literal is taken that every match must hold; a name is searched once for a few bytes of all the literals, and only patterns
 * whose literal stands in it are tried. Globs are matched in linear time; regexes by pattern.c, bounded.
 */
#ifndef POSTERN_MATCH_LOOSE_H
#define POSTERN_MATCH_LOOSE_H

#include "match/host_flat.h"
#include "match/host_set.h"

struct loose_builder;

struct loose_builder *loose_builder_new(void);
void loose_builder_free(struct loose_builder *b);
bool loose_builder_add(struct loose_builder *b, const struct host_spec *s, uint32_t tag, uint32_t origin, char why[HOST_SPEC_WHY]);
/* False: out of memory. */
bool loose_builder_write(struct loose_builder *b, struct flat *f, struct loose_flat *out);
/* Calls each for every pattern that repeats another of the same tag; as host_set_builder_covered, in no order. False: out of memory. */
bool loose_builder_repeats(const struct loose_builder *b, void (*each)(void *arg, uint32_t tag, uint32_t origin, uint32_t by_origin), void *arg);
/* Calls each for every pattern. */
void loose_builder_each(const struct loose_builder *b, void (*each)(void *arg, uint32_t tag, uint32_t origin), void *arg);
/* The first glob with this tag that matches the name: its origin. False: none. */
bool loose_builder_glob_covers(const struct loose_builder *b, struct span name, uint32_t tag, uint32_t *origin);
/* How many globs there are, each counted once for each tag and origin. */
uint32_t loose_builder_globs(const struct loose_builder *b);

/* What a process needs beside the block. */
struct loose;

struct loose *loose_open(const void *block, const struct loose_flat *flat, bool jit);
void loose_close(struct loose *l);
bool loose_has_jit(const struct loose *l);
/* Tags of all patterns that match, except those in `but` (ascending); unique, ascending. Returns how many. */
uint32_t loose_find(struct loose *l, struct span name, const uint32_t *but, uint32_t n_but, uint32_t *tag);
/* Origins of patterns that match and have the tag, as they were added; returns how many there are, writes at most `room`. */
uint32_t loose_origins(struct loose *l, struct span name, uint32_t tag, uint32_t *origin, uint32_t room);
uint64_t loose_limit_hits(const struct loose *l);

/* The literal of a pattern, as loose uses it: longest run of bytes that every matching name holds. For a regex a conservative reading; n 0
 * when nothing is sure. `buf` of 256 bytes holds it. One for each branch of a top-level alternation: *at starts at 0; false: no more. */
bool loose_regex_literal(struct span regex, size_t *at, char buf[256], size_t *n);

#endif
