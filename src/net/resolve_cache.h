/* SPDX-License-Identifier: MIT */
/*
 * resolve_cache: names and what is known about them: addresses, or why there are none. The least recently used name goes first.
 * Also the table of the hosts file, whose entries never expire. Knows nothing of the DNS.
 */
#ifndef POSTERN_NET_RESOLVE_CACHE_H
#define POSTERN_NET_RESOLVE_CACHE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/fault.h"
#include "base/span.h"
#include "net/resolve.h"

#define CACHE_FOREVER UINT64_MAX

struct cache_entry {
	TAILQ_ENTRY(cache_entry) use; /* most recent first */
	struct cache_entry *next;     /* same bucket */
	uint64_t            hash;
	uint64_t            expires_us;
	struct resolved    *addrs; /* null: `fault` says why */
	enum fault          fault;
	unsigned            n;
	char                name[];
};

struct resolve_cache {
	struct cache_entry **bucket;  /* null until the first name comes */
	uint32_t             buckets; /* power of two */
	uint32_t             names, most;
	uint64_t             seed;
	TAILQ_HEAD(cache_uses, cache_entry) uses;
};

void resolve_cache_init(struct resolve_cache *c, uint32_t most, uint64_t seed);
void resolve_cache_clear(struct resolve_cache *c);
/* Move all of `from` into `to`, which is empty; `from` is then empty. */
void resolve_cache_take(struct resolve_cache *to, struct resolve_cache *from);
/* Keyed by the resolver's seed, so that nobody can craft names that collide. */
uint64_t resolve_hash(uint64_t seed, struct span name);
/* Null when the name is unknown or its time is over (then it is dropped). */
struct cache_entry *resolve_cache_find(struct resolve_cache *c, struct span name, uint64_t hash, uint64_t now_us);
/* Put or replace. Takes a reference on `addrs`; null with a fault. False: out of memory, or no room at all; an older entry of that name is
 * then gone. */
bool resolve_cache_put(
    struct resolve_cache *c, struct span name, uint64_t hash, struct resolved *addrs, enum fault fault, uint64_t expires_us);
/* Make addresses of one name from two groups, IPv6 first, each address once, DNS_ADDRS_MAX at most and then a fair share for both.
 * Null: out of memory. */
struct resolved *resolved_new(const struct addr *a, unsigned n_a, const struct addr *b, unsigned n_b, uint64_t expires_us);
/* Fill an empty table from the bytes of hosts(5). False: out of memory. */
bool resolve_hosts_read(struct resolve_cache *c, struct span bytes);

#endif
