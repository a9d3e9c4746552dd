/* SPDX-License-Identifier: MIT */
#include "tls/lru.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/random.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

struct node {
	LIST_ENTRY(node) chain;
	TAILQ_ENTRY(node) link;
	uint8_t key[LRU_KEY];
	void   *value;
};
LIST_HEAD(chain, node);

struct lru {
	struct chain *table; /* null: nothing may be kept */
	uint32_t      size; /* of the table; a power of two */
	uint32_t      n, most;
	uint64_t      seed; /* what peers ask for must not be able to choose its place */
	void        (*drop)(void *value);
	TAILQ_HEAD(, node) used; /* the last one used stands last */
};

static struct chain *
chain_of(struct lru *l, const uint8_t key[LRU_KEY])
{
	return &l->table[XXH64(key, LRU_KEY, l->seed) & (l->size - 1)];
}

static struct node *
node_of(struct lru *l, const uint8_t key[LRU_KEY])
{
	struct node *n = NULL;

	if (l->table)
		LIST_FOREACH(n, chain_of(l, key), chain)
			if (memcmp(n->key, key, LRU_KEY) == 0)
				break;
	return n;
}

static void
node_free(struct lru *l, struct node *n)
{
	LIST_REMOVE(n, chain);
	TAILQ_REMOVE(&l->used, n, link);
	l->n--;
	l->drop(n->value);
	free(n);
}

struct lru *
lru_new(uint32_t most, void (*drop)(void *value))
{
	struct lru *l = calloc(1, sizeof *l);

	if (!l)
		return NULL;
	TAILQ_INIT(&l->used);
	l->drop = drop;
	if (getrandom(&l->seed, sizeof l->seed, 0) == sizeof l->seed && lru_fit(l, most))
		return l;
	free(l);
	return NULL;
}

void
lru_clear(struct lru *l)
{
	while (!TAILQ_EMPTY(&l->used))
		node_free(l, TAILQ_FIRST(&l->used));
}

void
lru_free(struct lru *l)
{
	if (!l)
		return;
	lru_clear(l);
	free(l->table);
	free(l);
}

bool
lru_fit(struct lru *l, uint32_t most)
{
	uint32_t      size = 16;
	struct chain *table = NULL;
	struct node  *n;

	while (size < most && size < 1u << 30)
		size *= 2;
	if (most > 0 && (!l->table || size != l->size)) {
		table = calloc(size, sizeof *table);
		if (!table)
			return false;
	}
	l->most = most;
	while (l->n > most)
		node_free(l, TAILQ_FIRST(&l->used));
	if (table || most == 0) {
		free(l->table);
		l->table = table;
		l->size = size;
		TAILQ_FOREACH(n, &l->used, link)
			LIST_INSERT_HEAD(chain_of(l, n->key), n, chain);
	}
	return true;
}

void *
lru_find(struct lru *l, const uint8_t key[LRU_KEY])
{
	struct node *n = node_of(l, key);

	if (!n)
		return NULL;
	TAILQ_REMOVE(&l->used, n, link);
	TAILQ_INSERT_TAIL(&l->used, n, link);
	return n->value;
}

void
lru_put(struct lru *l, const uint8_t key[LRU_KEY], void *value)
{
	struct node *n;

	lru_remove(l, key);
	if (l->most == 0 || !(n = calloc(1, sizeof *n))) {
		l->drop(value);
		return;
	}
	while (l->n >= l->most)
		node_free(l, TAILQ_FIRST(&l->used));
	memcpy(n->key, key, LRU_KEY);
	n->value = value;
	LIST_INSERT_HEAD(chain_of(l, key), n, chain);
	TAILQ_INSERT_TAIL(&l->used, n, link);
	l->n++;
}

void
lru_remove(struct lru *l, const uint8_t key[LRU_KEY])
{
	struct node *n = node_of(l, key);

	if (n)
		node_free(l, n);
}

uint32_t
lru_count(const struct lru *l)
{
	return l->n;
}

void
lru_each(struct lru *l, void (*fn)(void *value, void *arg), void *arg)
{
	struct node *n;

	TAILQ_FOREACH(n, &l->used, link)
		fn(n->value, arg);
}
