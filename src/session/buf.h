/* SPDX-License-Identifier: MIT */
/*
 * buf: bytes that arrived and were not used yet. First blocks come from a pool and go back to it as soon as the buffer is empty.
 */
#ifndef POSTERN_SESSION_BUF_H
#define POSTERN_SESSION_BUF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

#define BUF_BLOCK  16384u
#define BUF_SPARES 256u

struct buf {
	char    *p;     /* owned; null when nothing is held */
	uint32_t at, n; /* unused bytes: p[at] .. p[n-1] */
	uint32_t room;
};

struct buf_pool {
	struct spare *spare;
	unsigned      n_spare;
};

/* Make room for at least one more byte, growing up to `most` bytes in all. False: no memory, or full. Moves the bytes to the front. */
bool buf_make_room(struct buf *b, struct buf_pool *p, size_t most);
/* Put these bytes, which may be many, into an empty buffer. False: no memory. */
bool buf_put(struct buf *b, struct buf_pool *p, struct span bytes);
/* Give the block back. */
void buf_release(struct buf *b, struct buf_pool *p);
void buf_pool_clear(struct buf_pool *p);

static inline struct span
buf_span(const struct buf *b)
{
	return (struct span){b->p ? b->p + b->at : "", b->n - b->at};
}
static inline size_t
buf_size(const struct buf *b)
{
	return b->n - b->at;
}
static inline void
buf_use(struct buf *b, size_t n)
{
	b->at += (uint32_t)n;
}

#endif
