/* SPDX-License-Identifier: MIT */
/*
 * basic_cache: user names and passwords that were found good lately, by keyed hash (HMAC-SHA256 with a key of this process): the password itself is
 * not kept. Bounded; one for each worker.
 */
#ifndef POSTERN_AUTH_BASIC_CACHE_H
#define POSTERN_AUTH_BASIC_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "auth/identity.h"

struct basic_cache;

#define BASIC_CACHE_MAX 16384u

struct basic_cache *basic_cache_new(void); /* NULL: no memory, no randomness */
void                basic_cache_free(struct basic_cache *c);
/* `epoch` changes when a password file or the back end does: older entries are not found. Returns a borrowed identity, or NULL. */
struct identity *basic_cache_find(struct basic_cache *c, struct span user, struct span password, uint64_t epoch, uint64_t now_us);
void basic_cache_add(struct basic_cache *c, struct span user, struct span password, uint64_t epoch, uint64_t now_us, uint64_t ttl_us, struct identity *i);

#endif
