/* SPDX-License-Identifier: MIT */
/*
 * wire_tls: TLS to a syslog server (RFC 5425), as its client. Private to wire.
 */
#ifndef POSTERN_AUDIT_WIRE_TLS_H
#define POSTERN_AUDIT_WIRE_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "parse/hostname.h"

struct wire_tls;

enum wire_tls_result { WIRE_TLS_OK, WIRE_TLS_AGAIN, WIRE_TLS_CLOSED, WIRE_TLS_FAILED };

/* Over the connected fd, which stays the caller's; ca: PEM file, null: the system's roots. NULL: *why. */
struct wire_tls *wire_tls_new(int fd, const struct host *name, const char *ca, char *why, size_t n_why);
/* Says good-bye to a peer that is still there. */
void             wire_tls_free(struct wire_tls *t, bool is_up);
enum wire_tls_result wire_tls_shake(struct wire_tls *t, char *why, size_t n_why);
/* AGAIN wants the same bytes next time. FAILED leaves errno, 0: of TLS. */
enum wire_tls_result wire_tls_write(struct wire_tls *t, const char *p, size_t n, size_t *took);
/* Take in what the peer says, which is of no interest but for its end. */
enum wire_tls_result wire_tls_listen(struct wire_tls *t);
uint64_t             wire_tls_carried(const struct wire_tls *t);

#endif
