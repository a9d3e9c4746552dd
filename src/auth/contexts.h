/* SPDX-License-Identifier: MIT */
/*
 * contexts: log-ons that take more than one message, kept between them. Bounded in number and in time.
 * Always true: what is kept is found only by a handle that nobody can guess, from the address that it began at, and once.
 */
#ifndef POSTERN_AUTH_CONTEXTS_H
#define POSTERN_AUTH_CONTEXTS_H

#include "base/addr.h"

#define CONTEXTS_MAX        256u
#define CONTEXTS_MAX_CLIENT 32u /* of one address: then its oldest goes, so that one client cannot drive out the others */
#define CONTEXTS_KEEP_US    60000000u

struct contexts;

/* `drop` is called for what is given up. May be called from any thread. NULL: no memory. */
struct contexts *contexts_new(void (*drop)(void *context));
void             contexts_free(struct contexts *c);
/* Owns the context from here on; when all places are taken the oldest goes. The handle; 0: no random bytes, and the context stays the caller's. */
uint64_t contexts_put(struct contexts *c, const struct addr *client, uint64_t now_us, void *context);
/* The caller's from here on. NULL: none of that handle, another client's, or too old. */
void *contexts_take(struct contexts *c, uint64_t handle, const struct addr *client, uint64_t now_us);

#endif
