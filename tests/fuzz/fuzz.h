/* SPDX-License-Identifier: MIT */
/* fuzz: what the targets share. A target is one file with LLVMFuzzerTestOneInput; libFuzzer or replay.c brings the main. */
#ifndef POSTERN_FUZZ_H
#define POSTERN_FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/span.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Unlike assert, there in every build. */
#define CHECK(what) \
	do { \
		if (!(what)) { \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what); \
			abort(); \
		} \
	} while (0)

/* Is `s` empty or a part of `whole`? */
static inline bool
span_inside(struct span s, struct span whole)
{
	return s.n == 0 || (s.p >= whole.p && s.n <= whole.n && (size_t)(s.p - whole.p) <= whole.n - s.n);
}

static inline struct span
fuzz_input(const uint8_t *data, size_t n)
{
	return span_of((const char *)data, n);
}

/* A heap block of exactly n bytes. */
static inline struct span
fuzz_block(const void *p, size_t n)
{
	char *copy = malloc(n ? n : 1);

	CHECK(copy != NULL);
	if (n > 0)
		memcpy(copy, p, n);
	return span_of(copy, n);
}

static inline void
fuzz_free(struct span s)
{
	free((void *)(uintptr_t)s.p);
}

#endif
