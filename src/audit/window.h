/* SPDX-License-Identifier: MIT */
/*
 * window: messages on their way to one syslog server, framed as its way wants them (RFC 6587 3.4.1, RFC 5425 4.3: octet counting; RFC 5426: one datagram).
 * What a stream has carried is kept for a while, since its reader may be gone before it has read it; then it is sent again.
 * Bounded: WINDOW_KEPT bytes that went, and as many more until they are dropped at once; WINDOW_WAITING that did not, and one message.
 */
#ifndef POSTERN_AUDIT_WINDOW_H
#define POSTERN_AUDIT_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "audit/spool.h"
#include "audit/wire.h"

#define WINDOW_KEPT    ((size_t)1 << 20)
#define WINDOW_WAITING ((size_t)128 << 10)

/* Most bytes of a datagram; what is longer is cut. RFC 5426 3.2 wants 2048 taken; usual servers take 8 KiB. */
#define WINDOW_UDP_MAX  8192u
#define WINDOW_UNIX_MAX 65536u

struct frame {
	uint32_t n;
	uint64_t mark;   /* in the spool; 0: not there */
	uint64_t end;    /* what its connection had carried when all of it had gone */
};

struct window {
	enum syslog_way way;
	char         *buf;   /* owned */
	size_t        room, len, at; /* at: buf[..at) went */
	struct frame *frame; /* owned */
	size_t        frames_room, n, next; /* next: the first that did not go as a whole */
	size_t        next_at; /* where it begins */
};

void window_clear(struct window *w);
/* No more is to be added before something went. */
bool window_is_full(const struct window *w);
bool window_is_sent(const struct window *w);
/* A message of n bytes, its newline last. False: no memory. */
bool window_add(struct window *w, const char *p, size_t n, uint64_t mark);
/* Send what goes. Returns how many bytes did. */
size_t window_send(struct window *w, struct wire *wire, uint64_t now_us);
/* The connection is lost, and its peer has read so many of the bytes that it carried: the rest goes again. */
void window_rewind(struct window *w, uint64_t known_read);
/* The mark of the last message that went; 0: it has none. */
uint64_t window_mark(const struct window *w);
/* What did not go and is in no spool is put there. False: not all. */
bool window_stash(struct window *w, struct spool *s, int *error);
/* Messages that did not go and are in no spool. */
uint64_t window_unsaved(const struct window *w);

#endif
