/* SPDX-License-Identifier: MIT */
/*
 * greet: what comes before a connection's first request, on listeners that want it: the PROXY header of a balancer, where a transparent client
 * wants to go, TLS to the proxy itself. In this order.
 */
#ifndef POSTERN_SESSION_GREET_H
#define POSTERN_SESSION_GREET_H

#include <stdbool.h>

#include "base/addr.h"
#include "policy/snapshot.h"

struct gateway;
struct session;

/* Must a connection from this address begin with a PROXY header? Whether its client may come is judged after that. */
bool greet_is_balancer(const struct gateway *gw, const struct snapshot_listener *l, const struct addr *peer);
/* A connection was accepted on a listener that greets. */
void greet_begin(struct session *s);
void greet_on_client(struct session *s);
void greet_on_timeout(struct session *s);
/* What stands in s->in is no request. If it is a PROXY header, from somebody who may not send one (a balancer that the configuration forgot, or one who would
 * like to be another), say so. */
void greet_tell_of_stranger(const struct session *s);

#endif
