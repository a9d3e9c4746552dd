/* SPDX-License-Identifier: MIT */
/*
 * loose: the patterns of a host_set that are no suffixes: globs and regexes. Private to match/.
 * From each one a literal is taken that every match must hold, the rarest that it has; a name is searched once for a few bytes of all the literals, and only patterns
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
/* As pattern_set_warm. */
bool loose_warm(struct loose *l, uint32_t *n);
bool loose_is_warm(const struct loose *l);
/* Tags of all patterns that match, except those in `but` (ascending); unique, ascending. Returns how many. */
uint32_t loose_find(struct loose *l, struct span name, const uint32_t *but, uint32_t n_but, uint32_t *tag);
/* Origins of patterns that match and have the tag, as they were added; returns how many there are, writes at most `room`. */
uint32_t loose_origins(struct loose *l, struct span name, uint32_t tag, uint32_t *origin, uint32_t room);
/* As host_set_loose_by. */
uint32_t loose_by(const struct loose *l, uint32_t tag);
/* As host_set_loose_entry; only the block is needed. */
bool     loose_entry(const char *block, const struct loose_flat *flat, uint32_t pattern, uint32_t k, struct host_entry *e);
void     loose_assume(struct loose *l, bool match);
uint64_t loose_limit_hits(const struct loose *l);

#define LOOSE_RUN_MIN 2
#define LOOSE_RUNS    16

/* Runs of bytes that every name which a pattern matches holds; in order, apart. */
struct loose_runs {
	struct loose_run {
		uint8_t at, n;
	} run[LOOSE_RUNS];
	unsigned n;
	char     text[255];
};

/* The runs of the next branch of a regex's top-level alternation, by a conservative reading; none when nothing is sure. *at starts at 0.
 * False: no more branches. */
bool loose_regex_runs(struct span regex, size_t *at, struct loose_runs *out);
/* The same for a glob. False: it has none. */
bool loose_glob_runs(struct span glob, struct loose_runs *out);

#endif
