/* SPDX-License-Identifier: MIT */
/*
 * unserved: hosts that inspection cannot serve, because their clients do not accept our certificates (pinning) or they demand a certificate of the client.
 * Counted for each host and client; told in the operations log at once and then at most once an hour. Decides nothing: a host is let
 * through by a rule, never by itself.
 * Bounded: HOSTS, and CLIENTS of each; one that was not seen for longest is forgotten first.
 */
#ifndef POSTERN_SESSION_UNSERVED_H
#define POSTERN_SESSION_UNSERVED_H

#include <stdint.h>

#include "base/addr.h"
#include "base/fault.h"
#include "parse/authority.h"

struct unserved;

struct unserved *unserved_new(void); /* NULL: no memory */
void             unserved_free(struct unserved *u);
/* `fault`: FAULT_CLIENT_REJECTED_CERTIFICATE or FAULT_ORIGIN_WANTS_CERTIFICATE. True: it was told. */
bool unserved_note(struct unserved *u, const struct authority *at, enum fault fault, const struct addr *client, uint64_t now_us);

#endif
