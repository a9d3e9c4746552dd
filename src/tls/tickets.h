/* SPDX-License-Identifier: MIT */
/*
 * tickets: the keys that seal the session tickets which we hand to clients (RFC 5077, RFC 8446 4.6.1), and OpenSSL's call-back that uses them.
 * Always true: the first key seals, all of them open; a ticket opened by another one than the first is replaced. Keys are wiped when they go.
 */
#ifndef POSTERN_TLS_TICKETS_H
#define POSTERN_TLS_TICKETS_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

#include "tls/context.h"

struct tickets {
	unsigned n; /* 1..TICKET_KEYS, newest first */
	uint64_t made_us; /* of tickets_renew: when the newest was made; 0: not yet asked */
	uint8_t  key[TICKET_KEYS][TICKET_KEY_SIZE];
};

/* One random key of our own. False: no randomness. */
bool tickets_init(struct tickets *t);
void tickets_set(struct tickets *t, const uint8_t key[][TICKET_KEY_SIZE], unsigned n);
/* Where nobody hands out keys: a new one of our own from time to time, the ones before stay for what was sealed by them. `now_us`: monotonic. */
void tickets_renew(struct tickets *t, uint64_t now_us);
void tickets_clear(struct tickets *t);
/* Connections of `ctx` use them; `t` outlives it. */
bool tickets_serve(struct tickets *t, SSL_CTX *ctx);

#endif
