/* SPDX-License-Identifier: MIT */
#include "import/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define BLOCK_BYTES 65536u

struct arena_block {
	struct arena_block *next;
	size_t             n, room;
	max_align_t        bytes[];
};

void
arena_clear(struct arena *p)
{
	while (p->blocks) {
		struct arena_block *next = p->blocks->next;
		free(p->blocks);
		p->blocks = next;
	}
	*p = (struct arena){0};
}

void *
arena_take(struct arena *p, size_t n)
{
	struct arena_block *b = p->blocks;
	size_t             room;
	void              *at;

	if (p->failed || n > ARENA_MOST || p->taken > ARENA_MOST - n) {
		p->failed = true;
		return NULL;
	}
	n = (n + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
	if (!b || b->room - b->n < n) {
		room = n > BLOCK_BYTES ? n : BLOCK_BYTES;
		b = calloc(1, sizeof *b + room);
		if (!b) {
			p->failed = true;
			return NULL;
		}
		b->room = room;
		b->next = p->blocks;
		p->blocks = b;
		p->taken += room;
	}
	at = (char *)b->bytes + b->n;
	b->n += n;
	return at;
}

void *
arena_grow(struct arena *p, void *old, size_t n, size_t *room, size_t size)
{
	size_t more = *room ? *room * 2 : 8;
	void  *made;

	if (n < *room)
		return old;
	made = more > ARENA_MOST / size ? NULL : arena_take(p, more * size);
	if (!made) {
		p->failed = true;
		return NULL;
	}
	if (n > 0)
		memcpy(made, old, n * size);
	*room = more;
	return made;
}

struct span
arena_copy(struct arena *p, struct span s)
{
	char *to = arena_take(p, s.n + 1);

	if (!to)
		return (struct span){0};
	if (s.n > 0)
		memcpy(to, s.p, s.n);
	return span_of(to, s.n);
}

struct span
arena_printf(struct arena *p, const char *fmt, ...)
{
	char    text[8192];
	va_list ap;
	int     n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (n < 0)
		n = 0;
	return arena_copy(p, span_of(text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1));
}
