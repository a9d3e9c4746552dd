/* SPDX-License-Identifier: MIT */
/* block: input for a parser in a heap block of exactly its size, so that the sanitizer sees a read beyond it. */
#ifndef POSTERN_UNIT_BLOCK_H
#define POSTERN_UNIT_BLOCK_H

#include <stdlib.h>
#include <string.h>

#include "base/span.h"

#define ROWS(a) (sizeof(a) / sizeof *(a))

/* Free `p` of the answer. */
static inline struct span
block_of(const void *p, size_t n)
{
	char *copy = malloc(n);

	assert_non_null(copy);
	if (n > 0)
		memcpy(copy, p, n);
	return span_of(copy, n);
}

static inline void
block_free(struct span s)
{
	free((void *)(uintptr_t)s.p);
}

/* For rows: text with NULs in it, and its length. */
#define TEXT(lit) {(lit), sizeof(lit) - 1}

#endif
