/* SPDX-License-Identifier: MIT */
/*
 * pass_ticket: a ticket of ours, got with a key, and the passes that it gives: GSSAPI as the initiator (SPNEGO, for Kerberos alone).
 * Lives in memory: no file of credentials is read or written. Asks KDCs, so it may block. Leaves to others when a new one is due.
 * Always true: one may be used by several threads at once.
 */
#ifndef POSTERN_AUTH_PASS_TICKET_H
#define POSTERN_AUTH_PASS_TICKET_H

#include <stdbool.h>
#include <stdint.h>

#include "auth/keyring.h"

struct pass_ticket;

struct pass_trouble {
	bool away; /* the KDC cannot be asked: another time may do */
	char text[BACK_WHY_MAX];
};

/* Of this principal, of whom the keyring has a key. NULL: `out` says why. */
struct pass_ticket *pass_ticket_get(const struct keyring *keys, const char *principal, struct pass_trouble *out);
struct pass_ticket *pass_ticket_ref(struct pass_ticket *t);
void                pass_ticket_unref(struct pass_ticket *t); /* takes NULL */

/* By the clock of clock_mono_us. */
uint64_t pass_ticket_since(const struct pass_ticket *t);
uint64_t pass_ticket_half(const struct pass_ticket *t); /* of its life is over: time for the next */
uint64_t pass_ticket_end(const struct pass_ticket *t);

/* A token for HTTP at this host; `token` is to be released. False: `out` says why. */
bool pass_ticket_use(struct pass_ticket *t, const char *host, gss_buffer_t token, struct pass_trouble *out);

#endif
