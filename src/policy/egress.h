/* SPDX-License-Identifier: MIT */
/*
 * egress: where the gateway itself may connect to, whatever the rules say: connect-ports, http-ports, egress-deny, egress-allow.
 * A flat piece like the policy, used in place; the worker and explain call the same functions.
 */
#ifndef POSTERN_POLICY_EGRESS_H
#define POSTERN_POLICY_EGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/flat.h"
#include "conf/conf.h"

struct egress;

/* Append; returns its offset, 0 when out of memory. */
uint32_t egress_compile(const struct conf *c, struct flat *f);

static inline const struct egress *
egress_at(const void *block, uint32_t off)
{
	return (const struct egress *)((const char *)block + off);
}

/* May a CONNECT (else a plain request) go to this port? */
bool egress_port_allowed(const struct egress *e, bool connect, uint16_t port);
/* May the gateway connect to this address? egress-allow wins over egress-deny. An IPv4 address wrapped in a transition form must be allowed by
 * itself as well. */
bool egress_allows(const struct egress *e, const struct addr *a);
/* The same for where no client asked to go, such as what a certificate names: whatever egress-deny says, private addresses only if egress-allow has them. */
bool egress_allows_errand(const struct egress *e, const struct addr *a);

#endif
