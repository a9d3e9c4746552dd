/* SPDX-License-Identifier: MIT */
/*
 * wire: one connection of a test: bytes over a socket, over TLS, or over TLS that lies over TLS with a proxy. Non-blocking; judges no certificate.
 */
#ifndef POSTERN_DOCTOR_WIRE_H
#define POSTERN_DOCTOR_WIRE_H

#include <openssl/types.h>

#include "doctor/result.h"
#include "parse/hostname.h"

struct wire {
	int  fd; /* owned; -1: none */
	SSL *outer, *inner; /* with the proxy; with the server */
};

enum wire_answer { WIRE_DONE, WIRE_WAITS /* for an event of the socket */, WIRE_CLOSED, WIRE_BROKE };

/* TLS as Windows offers it: 1.2 and 1.3, HTTP/1.1. NULL: no memory. */
SSL_CTX *wire_context_new(void);

void wire_init(struct wire *w);
void wire_clear(struct wire *w);
/* TLS from now on, over what there is: the outer one first. False: no memory. */
bool wire_begin_tls(struct wire *w, SSL_CTX *ctx, const struct host *name);
/* WIRE_BROKE, WIRE_CLOSED: *fault and why. */
enum wire_answer wire_shake(struct wire *w, enum doctor_fault *fault, char *why, size_t n);
enum wire_answer wire_read(struct wire *w, char *buf, size_t room, size_t *got);
enum wire_answer wire_write(struct wire *w, const char *bytes, size_t n, size_t *put);

#endif
