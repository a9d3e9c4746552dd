/* SPDX-License-Identifier: MIT */
/*
 * side: one end of a session: a socket, or what a carrier makes of one (TLS over it, one stream of HTTP/2).
 * Those who move bytes call side_read and side_write and need not know which. On the bare socket that costs one test more than the system call.
 * Always true: readable and writable are hints that are never falsely off: they go off only when a read or write has come up empty.
 */
#ifndef POSTERN_NET_SIDE_H
#define POSTERN_NET_SIDE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/span.h"
#include "net/loop.h"

struct carrier;
struct side;

struct carrier_ops {
	/* Bytes; 0 at a proper end; -1 with errno: EAGAIN, or ECONNRESET for an end of any other kind (TLS that stops without its close_notify too). */
	ssize_t (*read)(struct carrier *c, void *buf, size_t n);
	/* All bytes of a, then b, or as many as can be taken until it says that it is writable again; -1 with errno: EAGAIN (none), or EPIPE. What was not
	 * taken is offered again first, the very same bytes. */
	ssize_t (*write)(struct carrier *c, struct span a, struct span b);
	void (*shut_write)(struct carrier *c);
	/* Is it known to have failed? */
	bool (*failed)(struct carrier *c);
	/* The end: says goodbye, unless by reset, and frees itself. The side's descriptor is closed by the side, after this. */
	void (*end)(struct carrier *c, bool reset);
};

/* The first member of whatever carries. */
struct carrier {
	const struct carrier_ops *ops;
	struct side              *side; /* whose it is; one without a socket wakes that side's watch by watch_again */
};

/* One end, and what its edge-triggered watch has said since. */
struct side {
	struct watch    watch;
	struct carrier *carrier; /* owned; null: the bare socket */
	int             fd;      /* -1: none; a stream of HTTP/2 has none of its own */
	bool            readable; /* until a read comes up short */
	bool            writable; /* until a write does */
	bool            closed;   /* the FIN was seen: read to the end even when a read comes up short */
};

/* Note what the watch says. TLS may have to write in order to read, so any event of a carrier allows both. */
static inline void
side_note(struct side *s, unsigned what)
{
	if (what & (WATCH_READ | WATCH_CLOSED) || s->carrier)
		s->readable = true;
	if (what & WATCH_WRITE || s->carrier)
		s->writable = true;
	if (what & WATCH_CLOSED)
		s->closed = true;
}

/* As sock_read, sock_write2, sock_shut_write and sock_failed; readable and writable follow. */
ssize_t side_read(struct side *s, void *buf, size_t n);
ssize_t side_write(struct side *s, struct span a, struct span b);
void    side_shut_write(struct side *s);
bool    side_failed(struct side *s);
/* From now on bytes go through the carrier, which becomes the side's. */
void side_carry(struct side *s, struct carrier *c);
/* Ends carrier, watch and socket; by a reset (of a carrier: its end without a goodbye, behind what was sent): so that nobody takes what came for
 * complete. Harmless twice. */
void side_close(struct side *s);
void side_reset(struct side *s);

#endif
