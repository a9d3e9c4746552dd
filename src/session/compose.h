/* SPDX-License-Identifier: MIT */
/*
 * compose: puts a message head together in a buffer of fixed size.
 */
#ifndef POSTERN_SESSION_COMPOSE_H
#define POSTERN_SESSION_COMPOSE_H

#include <stdbool.h>

#include "base/span.h"

struct compose {
	char  *p;
	size_t n, room;
	bool   full; /* something did not fit; nothing is added any more */
};

static inline void
put(struct compose *c, struct span s)
{
	if (c->full || s.n > c->room - c->n) {
		c->full = true;
		return;
	}
	if (s.n)
		memcpy(c->p + c->n, s.p, s.n);
	c->n += s.n;
}

/* The whole; a null span when it did not fit. */
static inline struct span
compose_span(const struct compose *c)
{
	return c->full ? (struct span){NULL, 0} : (struct span){c->p, c->n};
}

#endif
