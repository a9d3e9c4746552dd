/* SPDX-License-Identifier: MIT */
/* bench_match: the names and patterns that bench_match.c measures with, and what it is measured against. */
#ifndef POSTERN_BENCH_MATCH_H
#define POSTERN_BENCH_MATCH_H

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

/* Spans that lie one after the other in one block. */
struct names {
	struct span *at;
	size_t       n;
	char        *text;
};

/* Patterns as lines of a file have them: x or *.x. */
void peer_plain_table(const struct names *patterns, const struct names *asked);
void peer_pcre2(const struct names *patterns, const struct names *asked);
void peer_hyperscan(const struct names *patterns, const struct names *asked);

#endif
