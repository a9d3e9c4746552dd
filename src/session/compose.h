/* SPDX-License-Identifier: MIT */
/*
 * compose: puts a message head together in a buffer of fixed size.
 */
#ifndef POSTERN_SESSION_COMPOSE_H
#define POSTERN_SESSION_COMPOSE_H

#include <stdbool.h>
#include <stdio.h>

#include "base/span.h"
#include "parse/authority.h"

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

/* As it stands in Host and in a URL: without the port that goes without saying. */
static inline void
put_authority(struct compose *c, const struct authority *at, uint16_t implied)
{
	bool bracket = at->host.kind == HOST_ADDR && !addr_is_v4(&at->host.addr);
	char port[8];

	if (bracket)
		put(c, SPAN("["));
	put(c, host_span(&at->host));
	if (bracket)
		put(c, SPAN("]"));
	if (at->port != implied)
		put(c, span_of(port, (size_t)snprintf(port, sizeof port, ":%u", at->port)));
}

/* The whole; a null span when it did not fit. */
static inline struct span
compose_span(const struct compose *c)
{
	return c->full ? (struct span){NULL, 0} : (struct span){c->p, c->n};
}

#endif
