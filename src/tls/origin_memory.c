/* SPDX-License-Identifier: MIT */
#include "tls/origin_memory.h"

#include <stdlib.h>
#include <sys/queue.h>
#include <sys/random.h>

#include "parse/hostname.h"

struct entry {
	LIST_ENTRY(entry) in_bucket;
	TAILQ_ENTRY(entry) by_use;
	struct profile *profile; /* a reference */
	uint64_t        ground;
	uint32_t        hash;
	uint16_t        port;
	uint16_t        n;
	char            host[];
};

struct origin_memory {
	TAILQ_HEAD(, entry) by_use; /* used longest ago first */
	uint64_t seed;      /* so that nobody can choose names that share a bucket */
	uint32_t n, most;
	uint32_t mask;
	LIST_HEAD(, entry) bucket[];
};

struct origin_memory *
origin_memory_new(uint32_t most)
{
	uint32_t              buckets = 16;
	struct origin_memory *m;

	while (buckets < most && buckets < 1u << 20)
		buckets *= 2;
	m = calloc(1, sizeof *m + buckets * sizeof m->bucket[0]);
	if (!m || getrandom(&m->seed, sizeof m->seed, 0) != sizeof m->seed) {
		free(m);
		return NULL;
	}
	TAILQ_INIT(&m->by_use);
	m->most = most;
	m->mask = buckets - 1;
	return m;
}

static void
entry_remove(struct origin_memory *m, struct entry *e)
{
	LIST_REMOVE(e, in_bucket);
	TAILQ_REMOVE(&m->by_use, e, by_use);
	m->n--;
	profile_unref(e->profile);
	free(e);
}

void
origin_memory_free(struct origin_memory *m)
{
	struct entry *e;

	if (!m)
		return;
	while ((e = TAILQ_FIRST(&m->by_use)))
		entry_remove(m, e);
	free(m);
}

static uint32_t
hash_of(const struct origin_memory *m, struct span host, uint16_t port, uint64_t ground)
{
	uint64_t h = m->seed ^ ground * UINT64_C(0x9e3779b97f4a7c15) ^ port;

	for (size_t i = 0; i < host.n; i++) {
		h = (h ^ (unsigned char)host.p[i]) * UINT64_C(0xff51afd7ed558ccd);
		h ^= h >> 29;
	}
	return (uint32_t)(h ^ h >> 32);
}

static struct entry *
entry_find(struct origin_memory *m, struct span host, uint16_t port, uint64_t ground, uint32_t hash)
{
	struct entry *e;

	LIST_FOREACH (e, &m->bucket[hash & m->mask], in_bucket)
		if (e->hash == hash && e->port == port && e->ground == ground && span_eq(span_of(e->host, e->n), host))
			return e;
	return NULL;
}

struct profile *
origin_memory_find(struct origin_memory *m, struct span host, uint16_t port, uint64_t ground, uint64_t now_us)
{
	struct entry *e = entry_find(m, host, port, ground, hash_of(m, host, port, ground));

	if (!e)
		return NULL;
	if (now_us - e->profile->verified_us >= ORIGIN_MEMORY_US) {
		entry_remove(m, e);
		return NULL;
	}
	TAILQ_REMOVE(&m->by_use, e, by_use);
	TAILQ_INSERT_TAIL(&m->by_use, e, by_use);
	return profile_ref(e->profile);
}

void
origin_memory_keep(struct origin_memory *m, struct span host, uint16_t port, uint64_t ground, struct profile *p)
{
	uint32_t      hash = hash_of(m, host, port, ground);
	struct entry *e = entry_find(m, host, port, ground, hash);

	if (e)
		entry_remove(m, e);
	if (p->fault != FAULT_NONE || m->most == 0 || host.n > HOSTNAME_MAX)
		return;
	while (m->n >= m->most)
		entry_remove(m, TAILQ_FIRST(&m->by_use));
	if (!(e = malloc(sizeof *e + host.n)))
		return; /* connected first next time */
	*e = (struct entry){.profile = profile_ref(p), .ground = ground, .hash = hash, .port = port, .n = (uint16_t)host.n};
	memcpy(e->host, host.p, host.n);
	LIST_INSERT_HEAD(&m->bucket[hash & m->mask], e, in_bucket);
	TAILQ_INSERT_TAIL(&m->by_use, e, by_use);
	m->n++;
}

void
origin_memory_drop(struct origin_memory *m, struct span host, uint16_t port, uint64_t ground)
{
	struct entry *e = entry_find(m, host, port, ground, hash_of(m, host, port, ground));

	if (e)
		entry_remove(m, e);
}
