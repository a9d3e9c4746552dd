/* SPDX-License-Identifier: MIT */
/*
 * rear: a connection of HTTP/2 to an origin, over a side whose carrier is TLS. Each stream that is opened is a carrier that takes one HTTP/1.1 request and
 * reads as its HTTP/1.1 response: so that a session need not know.
 */
#ifndef POSTERN_H2_REAR_H
#define POSTERN_H2_REAR_H

#include <stdbool.h>
#include <stdint.h>

#include "net/side.h"

struct rear;

/* The connection can be used no more (ended, or told to go and all streams done); once, from the loop. */
typedef void rear_end_fn(void *arg);

struct rear *rear_new(struct loop *loop, struct side *under, uint32_t max_head, rear_end_fn *on_end, void *arg);
void rear_on_event(struct rear *r);
/* Can another stream be opened: within the origin's limit and ours, no GOAWAY? */
bool rear_has_room(const struct rear *r);
/* A new stream; null: no room, or no memory. */
struct carrier *rear_stream(struct rear *r);
/* Has the origin said that it did nothing for this stream, which read ECONNRESET? Then it may be asked again, whatever the method (RFC 9113 8.7). */
bool            rear_is_unserved(const struct carrier *c);
unsigned        rear_streams(const struct rear *r);
void            rear_free(struct rear *r);

#endif
