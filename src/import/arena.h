/* SPDX-License-Identifier: MIT */
/*
 * arena: memory that is given out piece by piece and given back all at once, up to a bound.
 * Always true: after a failure (no memory, or over the bound) `failed` stays, and every further piece is NULL.
 */
#ifndef POSTERN_IMPORT_ARENA_H
#define POSTERN_IMPORT_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

#define ARENA_MOST ((size_t)512 << 20)

struct arena {
	struct arena_block *blocks; /* owned; the newest first */
	size_t             taken;
	bool               failed;
};

void  arena_clear(struct arena *p);
void *arena_take(struct arena *p, size_t n); /* zeroed, aligned for anything */
/* `n` elements of `size` bytes are at `old`, which has room for *room: the same place, or a larger one with the old ones copied; at least n + 1 fit. */
void       *arena_grow(struct arena *p, void *old, size_t n, size_t *room, size_t size);
struct span arena_copy(struct arena *p, struct span s); /* with a NUL behind it; an empty span when it failed */
struct span arena_printf(struct arena *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
