/* SPDX-License-Identifier: MIT */
/*
 * wire: the way to one syslog server: a UNIX socket, UDP, TCP, or TLS over TCP; looks its name up, connects, connects again with growing pauses.
 * Knows no messages. Has no events of its own: whoever holds it calls wire_go now and then, and nothing here waits. SIGPIPE must be ignored.
 * Always true: with TLS no byte is sent before chain and name of the server's certificate were found good; TLS 1.2 or later.
 */
#ifndef POSTERN_AUDIT_WIRE_H
#define POSTERN_AUDIT_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/syslog_to.h"
#include "net/loop.h"
#include "net/resolve.h"

struct wire;

enum wire_state {
	WIRE_DOWN, /* nothing is tried before a pause is over */
	WIRE_OPENING,
	WIRE_UP
};

#define WIRE_WHY 120

/* `resolver` is borrowed, and may be null where `to` names no host. ca: PEM file, copied; null: the system's. NULL: no memory. */
struct wire *wire_new(const struct syslog_to *to, const char *ca, struct resolver *resolver);
void         wire_free(struct wire *w);
/* Of connections to come. False: no memory, nothing changed. */
bool         wire_trust(struct wire *w, const char *ca);

/* Go on with what can go on now. */
enum wire_state wire_go(struct wire *w, uint64_t now_us);
/* Milliseconds until wire_go may change something; only while it is not up. */
unsigned        wire_wait_ms(const struct wire *w, uint64_t now_us);
/* Why it is down, or was last. */
const char     *wire_why(const struct wire *w);
/* Failures since the last call. */
unsigned        wire_errors_take(struct wire *w);
bool            wire_is_packets(const struct wire *w); /* each write is one message */

/* Bytes that went (packets: n), 0: not now, or the connection is lost: then it is no longer up. */
size_t wire_write(struct wire *w, const char *p, size_t n, uint64_t now_us);
/* Bytes that this connection has carried, TLS's own included. */
uint64_t wire_carried(const struct wire *w);
/* Of the connection that was lost last: how many of these bytes its peer is known to have read. */
uint64_t wire_known_read(const struct wire *w);

#endif
