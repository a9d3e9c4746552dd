/* SPDX-License-Identifier: MIT */
/*
 * server: the certificate and key by which one listener speaks TLS to its clients, and the channel binding that comes of them.
 * Made by a worker from the snapshot's chain and the key's file, which the parent has opened; `tls_welcome` (end.h) begins connections with it.
 * Counted: connections that began under one certificate keep it when a reload brings the next.
 */
#ifndef POSTERN_TLS_SERVER_H
#define POSTERN_TLS_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "tls/context.h"

struct tls_server;

#define TLS_SERVER_WHY 160u

/* `chain`: DER, as the snapshot has it, the listener's own certificate first. `key_fd`: of a file with the private key in PEM; stays the caller's, what was read is
 * wiped. `ground`: what a ticket must agree with beside the certificate (the listener's name). NULL: `why` says it, without a secret. */
struct tls_server *tls_server_new(struct span chain, int key_fd, struct span ground, char why[TLS_SERVER_WHY]);
struct tls_server *tls_server_ref(struct tls_server *s);
void               tls_server_unref(struct tls_server *s);
/* As tls_context_set_tickets. Before that, and where there is no signer, each worker has keys of its own, which it renews: a client that comes back to another worker
 * shakes hands in full. */
void tls_server_set_tickets(struct tls_server *s, const uint8_t key[][TICKET_KEY_SIZE], unsigned n);

/* Channel binding of RFC 5929 4: "tls-server-end-point:" and the hash of the certificate, whole; and the MD5 of the structure that NTLM binds to (MS-NLMP 2.2.2.1). */
struct span    tls_server_end_point(const struct tls_server *s);
const uint8_t *tls_server_binding(const struct tls_server *s);

#endif
