/* SPDX-License-Identifier: MIT */
/*
 * cord: one connection of a test: bytes over a socket, over TLS, or over TLS that lies over TLS with a proxy. Non-blocking; judges no certificate.
 */
#ifndef POSTERN_DOCTOR_CORD_H
#define POSTERN_DOCTOR_CORD_H

#include <openssl/types.h>

#include "doctor/result.h"
#include "parse/hostname.h"
#include "tls/bound.h"

struct cord {
	int    fd; /* owned; -1: none */
	struct tls_bound bound; /* of all that comes from the socket */
	SSL   *outer, *inner; /* with the proxy; with the server */
	bool   asked; /* whoever is at the end of the last of the two wants a certificate of ours */
};

enum cord_answer { CORD_DONE, CORD_WAITS /* for an event of the socket */, CORD_CLOSED, CORD_BROKE };

/* TLS as Windows offers it: 1.2 and 1.3, HTTP/1.1. NULL: no memory. */
SSL_CTX *cord_context_new(void);

void cord_init(struct cord *w);
void cord_clear(struct cord *w);
/* TLS from now on, over what there is: the outer one first. False: no memory. */
bool cord_begin_tls(struct cord *w, SSL_CTX *ctx, const struct host *name);
/* CORD_BROKE, CORD_CLOSED: *fault and why. */
enum cord_answer cord_shake(struct cord *w, enum doctor_fault *fault, char *why, size_t n);
enum cord_answer cord_read(struct cord *w, char *buf, size_t room, size_t *got);
enum cord_answer cord_write(struct cord *w, const char *bytes, size_t n, size_t *put);

#endif
