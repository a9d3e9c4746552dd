/* SPDX-License-Identifier: MIT */
/*
 * way: how what a rule lets through goes out: by which parent, from which address, and which connections it may share.
 * Chooses; connecting is reach's and the parent's CONNECT is parent's.
 * Always true: a connection by one way is never used for a request that goes another.
 */
#ifndef POSTERN_SESSION_WAY_H
#define POSTERN_SESSION_WAY_H

#include "session/session.h"

/* Of the rule that decided. */
const struct rule_way *way_of(const struct request *r);
/* The parent that the request goes through; null: none. */
const struct snapshot_parent *way_parent(const struct request *r);
/* Through which parent, if any, unless that is settled already. False: none serves, and that was answered. */
bool way_choose(struct session *s);
/* The parent of the request did not take its connection: it is not tried again for it. `fault`: why. */
void way_failed(struct session *s, enum fault fault);
/* It did, after so long. */
void way_worked(struct session *s, uint64_t us);
/* A plain request that its parent gets as it is, in absolute form. */
bool way_is_relayed(const struct session *s);
/* Of connections that it may share (struct origin): 0: straight, from whatever address. */
uint64_t way_key(const struct session *s);
/* What such a connection is found by: the origin, or the parent that requests for many origins go to. */
struct span way_host(const struct session *s);
uint16_t    way_port(const struct session *s);
/* The rule's addresses to connect from; null: whatever the system chooses. Points into `room`. */
const struct dial_source *way_source(const struct request *r, struct dial_source *room);
/* Keep those of the request's addresses that its source can reach. False: none. */
bool way_fit_addresses(struct request *r);
/* For the log; `original`: the tunnel that the request is inside leads to the address that its client meant. */
enum record_hier way_hier(const struct request *r, bool original);
/* What all workers know of it. */
struct parent_health *way_health(const struct gateway *gw, const struct snapshot_parent *p);
struct compose;
/* The Proxy-Authorization field for the parent of this index, with its CRLF; nothing where there are no credentials. */
void way_put_authorization(struct compose *to, const struct snapshot *snap, uint32_t parent);
/* Whether it is up or down, where the operations log does not say so yet; by whichever worker sees it first, once a minute each. */
void way_say(struct gateway *gw, const struct snapshot *snap, const struct snapshot_parent *p);

#endif
