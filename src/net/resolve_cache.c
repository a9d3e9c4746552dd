/* SPDX-License-Identifier: MIT */
#include "net/resolve_cache.h"

#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "net/resolve_answer.h"

#define BUCKETS_FIRST 64u

void
resolved_unref(struct resolved *r)
{
	if (r && --r->refs == 0)
		free(r);
}

struct resolved *
resolved_ref(struct resolved *r)
{
	r->refs++;
	return r;
}

/* Append those of `from` that are (or are not) IPv4 and not there yet, up to `most` in all. */
static void
addrs_append(struct resolved *r, const struct addr *from, unsigned n, bool v4, unsigned most)
{
	for (unsigned i = 0; i < n && r->n < most; i++) {
		unsigned k = 0;
		if (addr_is_v4(&from[i]) != v4)
			continue;
		while (k < r->n && !addr_eq(&r->addr[k], &from[i]))
			k++;
		if (k == r->n)
			r->addr[r->n++] = from[i];
	}
}

struct resolved *
resolved_new(const struct addr *a, unsigned n_a, const struct addr *b, unsigned n_b, uint64_t expires_us)
{
	unsigned         total = n_a + n_b, v4 = 0, room;
	struct resolved *r;

	for (unsigned i = 0; i < n_a; i++)
		v4 += addr_is_v4(&a[i]);
	for (unsigned i = 0; i < n_b; i++)
		v4 += addr_is_v4(&b[i]);
	room = total < DNS_ADDRS_MAX ? total : DNS_ADDRS_MAX;
	r = malloc(sizeof *r + room * sizeof *r->addr);
	if (!r)
		return NULL;
	*r = (struct resolved){.refs = 1, .expires_us = expires_us};
	/* neither family may crowd out the other */
	unsigned most6 = DNS_ADDRS_MAX - (v4 < DNS_ADDRS_MAX / 2 ? v4 : DNS_ADDRS_MAX / 2);
	addrs_append(r, a, n_a, false, most6);
	addrs_append(r, b, n_b, false, most6);
	addrs_append(r, a, n_a, true, room);
	addrs_append(r, b, n_b, true, room);
	return r;
}

uint64_t
resolve_hash(uint64_t seed, struct span name)
{
	return XXH3_64bits_withSeed(name.p, name.n, seed);
}

void
resolve_cache_init(struct resolve_cache *c, uint32_t most, uint64_t seed)
{
	*c = (struct resolve_cache){.most = most, .seed = seed};
	TAILQ_INIT(&c->uses);
}

static void
entry_free(struct cache_entry *e)
{
	resolved_unref(e->addrs);
	free(e);
}

void
resolve_cache_clear(struct resolve_cache *c)
{
	struct cache_entry *e;

	while ((e = TAILQ_FIRST(&c->uses))) {
		TAILQ_REMOVE(&c->uses, e, use);
		entry_free(e);
	}
	free(c->bucket);
	c->bucket = NULL;
	c->buckets = c->names = 0;
}

void
resolve_cache_take(struct resolve_cache *to, struct resolve_cache *from)
{
	*to = *from;
	TAILQ_INIT(&to->uses);
	TAILQ_CONCAT(&to->uses, &from->uses, use);
	from->bucket = NULL;
	from->buckets = from->names = 0;
}

static void
entry_drop(struct resolve_cache *c, struct cache_entry *e)
{
	struct cache_entry **at = &c->bucket[e->hash & (c->buckets - 1)];

	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	TAILQ_REMOVE(&c->uses, e, use);
	c->names--;
	entry_free(e);
}

static struct cache_entry *
entry_find(const struct resolve_cache *c, struct span name, uint64_t hash)
{
	struct cache_entry *e = c->buckets ? c->bucket[hash & (c->buckets - 1)] : NULL;

	while (e && !(e->hash == hash && span_eq(span_of(e->name, e->n), name)))
		e = e->next;
	return e;
}

struct cache_entry *
resolve_cache_find(struct resolve_cache *c, struct span name, uint64_t hash, uint64_t now_us)
{
	struct cache_entry *e = entry_find(c, name, hash);

	if (!e)
		return NULL;
	if (e->expires_us <= now_us) {
		entry_drop(c, e);
		return NULL;
	}
	if (e != TAILQ_FIRST(&c->uses)) {
		TAILQ_REMOVE(&c->uses, e, use);
		TAILQ_INSERT_HEAD(&c->uses, e, use);
	}
	return e;
}

/* One bucket for each name. When there is no memory for more buckets the chains grow instead. */
static bool
buckets_grow(struct resolve_cache *c)
{
	uint32_t             n = c->buckets ? c->buckets * 2 : BUCKETS_FIRST;
	struct cache_entry **bucket, *e;

	if (c->names < c->buckets)
		return true;
	bucket = n ? calloc(n, sizeof(struct cache_entry *)) : NULL;
	if (!bucket)
		return c->buckets > 0;
	TAILQ_FOREACH(e, &c->uses, use)
	{
		e->next = bucket[e->hash & (n - 1)];
		bucket[e->hash & (n - 1)] = e;
	}
	free(c->bucket);
	c->bucket = bucket;
	c->buckets = n;
	return true;
}

bool
resolve_cache_put(struct resolve_cache *c, struct span name, uint64_t hash, struct resolved *addrs, enum fault fault, uint64_t expires_us)
{
	struct cache_entry *e = entry_find(c, name, hash);

	if (e)
		entry_drop(c, e);
	if (c->most == 0)
		return false;
	while (c->names >= c->most)
		entry_drop(c, TAILQ_LAST(&c->uses, cache_uses));
	e = malloc(sizeof *e + name.n);
	if (!e || !buckets_grow(c)) {
		free(e);
		return false;
	}
	struct cache_entry **bucket = &c->bucket[hash & (c->buckets - 1)];
	*e = (struct cache_entry){.next = *bucket, .hash = hash, .expires_us = expires_us, .fault = fault, .n = (unsigned)name.n};
	e->addrs = addrs ? resolved_ref(addrs) : NULL;
	memcpy(e->name, name.p, name.n);
	*bucket = e;
	TAILQ_INSERT_HEAD(&c->uses, e, use);
	c->names++;
	return true;
}
