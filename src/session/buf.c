/* SPDX-License-Identifier: MIT */
#include "session/buf.h"

#include <stdlib.h>

struct spare {
	struct spare *next;
};

static char *
block_take(struct buf_pool *p)
{
	struct spare *s = p->spare;

	if (!s)
		return malloc(BUF_BLOCK);
	p->spare = s->next;
	p->n_spare--;
	return (char *)s;
}

void
buf_release(struct buf *b, struct buf_pool *p)
{
	if (b->p && b->room == BUF_BLOCK && p->n_spare < BUF_SPARES) {
		struct spare *s = (struct spare *)(void *)b->p;
		s->next = p->spare;
		p->spare = s;
		p->n_spare++;
	} else {
		free(b->p);
	}
	*b = (struct buf){0};
}

bool
buf_make_room(struct buf *b, struct buf_pool *p, size_t most)
{
	if (!b->p) {
		if (!(b->p = block_take(p)))
			return false;
		b->room = BUF_BLOCK;
		b->at = b->n = 0;
	}
	if (b->at) {
		memmove(b->p, b->p + b->at, b->n - b->at);
		b->n -= b->at;
		b->at = 0;
	}
	if (b->n < b->room && b->n < most)
		return true;
	if (b->n >= most)
		return false;
	size_t room = (size_t)b->room * 4 < most ? (size_t)b->room * 4 : most;
	if (room <= b->n)
		return false;
	char *q = realloc(b->p, room);
	if (!q)
		return false;
	b->p = q;
	b->room = (uint32_t)room;
	return true;
}

bool
buf_put(struct buf *b, struct buf_pool *p, struct span bytes)
{
	b->room = bytes.n > BUF_BLOCK ? (uint32_t)bytes.n : BUF_BLOCK;
	b->p = b->room == BUF_BLOCK ? block_take(p) : malloc(b->room);
	if (!b->p)
		return false;
	memcpy(b->p, bytes.p, bytes.n);
	b->at = 0;
	b->n = (uint32_t)bytes.n;
	return true;
}

void
buf_pool_clear(struct buf_pool *p)
{
	for (struct spare *s = p->spare, *next; s; s = next) {
		next = s->next;
		free(s);
	}
	*p = (struct buf_pool){0};
}
