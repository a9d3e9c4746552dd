/* SPDX-License-Identifier: MIT */
/*
 * h2_peer: the library's own session at the other end of a socket, as client or as server, for tests of front and rear.
 * As a server it answers by path: /echo the body back with a trailer, /bytes/N, /hint a 103 first, /refuse, /reset in the middle, /early before the body came and NO_ERROR, /silent.
 */
#ifndef POSTERN_TESTS_H2_PEER_H
#define POSTERN_TESTS_H2_PEER_H

#include <nghttp2/nghttp2.h>
#include <stdbool.h>

#include "net/loop.h"

#define PEER_STREAMS 256

struct peer_stream {
	int32_t  id;
	char     path[64];
	unsigned status, interim;
	size_t   to_send, sent;  /* bytes of our body */
	size_t   got;            /* of the peer's */
	bool     trailer;        /* to be sent */
	bool     got_trailer, got_end, closed, deferred, wrong; /* wrong: a byte that nobody sent */
	bool     echo, hold_back, breaks; /* echo: sends what it got; hold_back: no end yet */
	uint32_t code;
};

struct peer {
	struct loop       *loop;
	int                fd;
	struct watch       watch;
	nghttp2_session   *h2;
	bool               is_server, over, paused; /* paused: reads nothing */
	size_t             step;                    /* bytes moved at once; 0: all */
	unsigned           n_streams, n_closed, n_settings, n_acks; /* acks: of PING */
	uint32_t           goaway; /* code + 1; 0: none came */
	struct peer_stream streams[PEER_STREAMS];
	unsigned char      out[70000];
	size_t             at_out, n_out;
};

bool peer_start(struct peer *p, struct loop *loop, int fd, bool is_server, uint32_t streams, uint32_t window);
/* A request with a body of `n` bytes; SIZE_MAX: without one. */
struct peer_stream *peer_ask(struct peer *p, const char *method, const char *path, size_t n, bool trailer);
void peer_serve(struct peer *p);
void peer_stop(struct peer *p);

/* Byte `at` of every body. */
static inline char
peer_byte(size_t at)
{
	return (char)('a' + at % 23);
}

#endif
