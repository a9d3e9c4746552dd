/* SPDX-License-Identifier: MIT */
/*
 * reach: what its two files, the way to an origin (reach.c) and to a parent (reach_parent.c), have of each other.
 */
#ifndef POSTERN_SESSION_REACH_H
#define POSTERN_SESSION_REACH_H

#include "session/session.h"

/* To the addresses of the request. */
void reach_dial(struct session *s);
/* To the origin itself, or, an address that the client named being judged here too, to the parent. */
void reach_straight(struct session *s);
/* Over the connection that is there. */
void reach_use_origin(struct session *s);
/* To the parent that was chosen. */
void reach_parent(struct session *s);
uint32_t reach_since_ms(const struct session *s, uint64_t us);

#endif
