/* SPDX-License-Identifier: MIT */
/*
 * context: what the TLS connections of one worker under one snapshot share. Made from the snapshot's bytes, no file is read.
 * Our settings are our own: OpenSSL's configuration file is never loaded, versions, ciphers, groups, signatures and the security level are set here.
 * Counted: connections under way keep theirs when a reload brings the next.
 */
#ifndef POSTERN_TLS_CONTEXT_H
#define POSTERN_TLS_CONTEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/snapshot.h"

struct tls_context;

/* To be called once, before anything else of OpenSSL's in this process: no configuration file, no atexit work. False: said in the operations log. */
bool tls_library_begin(void);

/* NULL: no memory, or something in the snapshot that the parent should not have let through (said in the operations log). `s` must have inspection. */
struct tls_context *tls_context_new(const struct snapshot *s);
struct tls_context *tls_context_ref(struct tls_context *c);
void                tls_context_unref(struct tls_context *c);

/* Keys of session tickets, which all workers share: the first makes new ones, all of them open old ones. As they come from the signer; before that a
 * worker has one of its own. */
#define TICKET_KEYS     3u
#define TICKET_KEY_SIZE 80u /* name, AES-256, HMAC-SHA256 */
void tls_context_set_tickets(struct tls_context *c, const uint8_t key[][TICKET_KEY_SIZE], unsigned n);

#endif
