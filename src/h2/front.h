/* SPDX-License-Identifier: MIT */
/*
 * front: a client's connection of HTTP/2 (RFC 9113), over a side whose carrier is TLS.
 * Each stream becomes a carrier that reads as one HTTP/1.1 request (origin-form, Host from :authority, a chunked body when no length is given, trailers in it) and takes one
 * HTTP/1.1 response (interim ones before it). For clients that speak to the proxy itself the request is in absolute form where its scheme is http, or a CONNECT; after a 2xx the stream of that carries
 * bytes as they are, each way with an end of its own (RFC 9113 8.5); one that breaks off is reset with CONNECT_ERROR. Floods (rapid reset, CONTINUATION, SETTINGS, PING, empty frames, window crumbs) end the connection.
 */
#ifndef POSTERN_H2_FRONT_H
#define POSTERN_H2_FRONT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"
#include "net/side.h"

struct front;

struct front_limits {
	uint32_t streams;  /* open at once, of this connection */
	uint32_t max_head; /* bytes of a request's head, as HTTP/1.1 */
	bool     proxy;    /* it speaks to the proxy itself */
};

/* A request has begun. The callee makes a session and gives it this carrier by side_carry. False: no memory; the stream is refused. */
typedef bool front_stream_fn(void *arg, struct carrier *stream);
/* The connection has ended, once, from the loop; streams that are still open read ECONNRESET. FAULT_NONE: in good order. */
typedef void front_end_fn(void *arg, enum fault fault);

/* NULL: no memory. `under` stays the caller's and must outlive the front. */
struct front *front_new(struct loop *loop, struct side *under, const struct front_limits *limits, front_stream_fn *on_stream, front_end_fn *on_end, void *arg);
/* The side has been noted an event: read, write, serve. */
void front_on_event(struct front *f);
/* No new streams (GOAWAY); on_end comes when those that are open have ended. */
void front_drain(struct front *f);
unsigned front_streams(const struct front *f);
/* Streams that are still open lose their connection. */
void front_free(struct front *f);

#endif
