/* SPDX-License-Identifier: MIT */
/*
 * leaf_cache: the leaves that a worker has, by the digest of their ask (tls/leaf_ask).
 * Always true: none is handed out that is about to expire; the one used longest ago goes first.
 */
#ifndef POSTERN_TLS_LEAF_CACHE_H
#define POSTERN_TLS_LEAF_CACHE_H

#include <stdint.h>

#include "tls/leaf.h"

struct leaf_cache;

struct leaf_cache *leaf_cache_new(uint32_t most);
void leaf_cache_free(struct leaf_cache *all);
/* Where there is no memory for as many: as before. */
void leaf_cache_fit(struct leaf_cache *all, uint32_t most);
/* With a reference of its own; without memory it is not kept. */
void leaf_cache_put(struct leaf_cache *all, const uint8_t digest[32], struct leaf *l);
/* A reference, or null. */
struct leaf *leaf_cache_find(struct leaf_cache *all, const uint8_t digest[32]);
/* Those that are there now are used for so long at most. */
void leaf_cache_age(struct leaf_cache *all, int64_t most_s);

#endif
