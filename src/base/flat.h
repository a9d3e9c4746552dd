/* SPDX-License-Identifier: MIT */
/*
 * flat: builds one position-independent block of bytes, piece by piece.
 * Everything inside a finished block is named by its offset from the block's start, never by a pointer, so that the block can be
 * sent in a memfd and mapped anywhere. Offset 0 is never a valid piece (the caller's header lies there).
 */
#ifndef POSTERN_BASE_FLAT_H
#define POSTERN_BASE_FLAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

struct flat {
	char  *base;  /* owned; grows by mremap, so pointers into it die at each flat_add */
	size_t used;
	size_t room;
	bool   failed; /* out of memory or over 4 GiB: set once, every later flat_add answers 0 */
};

/* A piece of text or an array inside a block. */
struct flat_ref {
	uint32_t off; /* from the block's start */
	uint32_t n;   /* bytes for text; elements for arrays */
};

void flat_init(struct flat *f);
void flat_clear(struct flat *f);
/* Append n zero bytes (or a copy of `data` when it is not null) at the next multiple of `align` (a power of two up to 4096).
 * Returns the offset, 0 on failure. */
uint32_t flat_add(struct flat *f, const void *data, size_t n, size_t align);
struct flat_ref flat_add_text(struct flat *f, struct span s);
/* Pointer to offset `off`; valid until the next flat_add. */
static inline void *
flat_at(struct flat *f, uint32_t off)
{
	return f->base + off;
}
/* Copy the block into a new memfd, seal it against writing, growing and shrinking, and return the descriptor (close-on-exec);
 * -1 with errno. */
int flat_seal(const struct flat *f, const char *name);
/* Map a sealed memfd read-only and private. *n gets its size. NULL with errno; refuses one that is not sealed. */
const void *flat_map(int fd, size_t *n);
void        flat_unmap(const void *p, size_t n);

#endif
