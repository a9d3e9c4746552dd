/* SPDX-License-Identifier: MIT */
/*
 * lru: a bounded table from digests (32 bytes) to values; what was used longest ago goes first.
 * Always true: never more values than allowed; each is given back to `drop` exactly once.
 */
#ifndef POSTERN_TLS_LRU_H
#define POSTERN_TLS_LRU_H

#include <stdbool.h>
#include <stdint.h>

#define LRU_KEY 32u

struct lru;

struct lru *lru_new(uint32_t most, void (*drop)(void *value));
void        lru_free(struct lru *l);
/* False: no memory for a table of that size; the old size stays. 0 keeps nothing. */
bool        lru_fit(struct lru *l, uint32_t most);
/* Counts as a use. Null: not there. */
void       *lru_find(struct lru *l, const uint8_t key[LRU_KEY]);
/* Takes the value, and replaces what was there. Without memory it is dropped at once. */
void        lru_put(struct lru *l, const uint8_t key[LRU_KEY], void *value);
void        lru_remove(struct lru *l, const uint8_t key[LRU_KEY]);
void        lru_clear(struct lru *l);
uint32_t    lru_count(const struct lru *l);
/* Each value, in no order; fn may not touch the table. */
void        lru_each(struct lru *l, void (*fn)(void *value, void *arg), void *arg);

#endif
