/* SPDX-License-Identifier: MIT */
/*
 * pattern: regexes, of names or of texts. The only file that knows which library does it (PCRE2).
 * Used by match/ (names) and by policy's conditions on requests (texts). Every match is bounded in steps and memory; one that hits a bound counts as
 * none, unless told otherwise.
 */
#ifndef POSTERN_MATCH_PATTERN_H
#define POSTERN_MATCH_PATTERN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/flat.h"
#include "match/host_spec.h"

struct pattern;

enum pattern_use {
	PATTERN_NAME, /* must match the whole name; case does not matter */
	PATTERN_TEXT  /* is searched anywhere in a text of up to PATTERN_TEXT_MAX bytes; case matters */
};
#define PATTERN_TEXT_MAX 8192

/* Null: *why says it, in the library's words and with the offset. Callouts and \C are refused. */
struct pattern *pattern_new(enum pattern_use use, struct span regex, char why[HOST_SPEC_WHY]);
void            pattern_free(struct pattern *p);
/* A name that no one has, and anyone could, that this pattern of names matches: below a whole public suffix. Null: it matches none of those that are tried. */
const char *pattern_stranger(const struct pattern *p);
/* Append n (at least 1) patterns to `f`: returns the offset and how many bytes; 0: out of memory. */
uint32_t pattern_write(struct pattern *const *p, uint32_t n, struct flat *f, uint32_t *bytes);

struct pattern_set;

/* What pattern_write gave; all were made for this use. Null: out of memory, or written by another version of the library. */
struct pattern_set *pattern_set_open(enum pattern_use use, const void *bytes, uint32_t n, bool jit);
/* For those who cannot wait for jit, which takes some microseconds for each: they open without it, and then have up to *n of those that are left compiled;
 * *n becomes less by as many. False: out of memory. */
bool                pattern_set_warm(struct pattern_set *s, uint32_t *n);
/* There is no more to compile, or this system does not allow it. */
bool                pattern_set_is_warm(const struct pattern_set *s);
void                pattern_set_close(struct pattern_set *s);
bool                pattern_set_has_jit(const struct pattern_set *s);
/* No allocation. A text beyond PATTERN_TEXT_MAX hits a bound. */
bool pattern_set_matches(struct pattern_set *s, uint32_t i, struct span text);
/* What a match that hits a bound counts as from now on; false at first. */
void     pattern_set_assume(struct pattern_set *s, bool match);
uint64_t pattern_set_limit_hits(const struct pattern_set *s);

#endif
