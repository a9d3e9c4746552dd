/* SPDX-License-Identifier: MIT */
/*
 * outbox: bytes on their way into a side.
 * Writes at once; keeps only what the peer would not take, in a heap block of just that size, until it drains. Bounded by its
 * callers: whoever fills an outbox stops reading while it is not empty.
 */
#ifndef POSTERN_NET_OUTBOX_H
#define POSTERN_NET_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

struct side;

struct outbox {
	struct kept *kept; /* owned; null when empty */
};

enum outbox_state {
	OUTBOX_SENT,  /* all of it; empty again */
	OUTBOX_KEPT,  /* something waits until the side is writable */
	OUTBOX_BROKEN /* the side failed (errno), or no memory (ENOMEM) */
};

/* Send a and then b. They may be kept (copied) beside what waits already. */
enum outbox_state outbox_send(struct outbox *o, struct side *to, struct span a, struct span b);
/* Go on with what waits. */
enum outbox_state outbox_flush(struct outbox *o, struct side *to);
static inline bool
outbox_is_empty(const struct outbox *o)
{
	return o->kept == NULL;
}
void   outbox_clear(struct outbox *o);

#endif
