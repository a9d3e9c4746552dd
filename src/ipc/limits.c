/* SPDX-License-Identifier: MIT */
#include "ipc/limits.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#define SECOND_NS UINT64_C(1000000000)

static uint64_t
bounded(uint64_t rate)
{
	return rate < BUCKET_RATE_MOST ? rate : BUCKET_RATE_MOST;
}

/* How long n bytes take; in 64 bits because n is bounded. */
static uint64_t
cost_ns(uint64_t n, uint64_t rate)
{
	n = n < BUCKET_TAKE_MOST ? n : BUCKET_TAKE_MOST;
	return (n * SECOND_NS + rate - 1) / rate;
}

/* From when on what is there counts: nothing is saved up beyond the burst. */
static uint64_t
since_ns(uint64_t paid_ns, uint64_t now_ns)
{
	uint64_t floor_ns = now_ns > BUCKET_BURST_NS ? now_ns - BUCKET_BURST_NS : 0;

	return paid_ns > floor_ns ? paid_ns : floor_ns;
}

static uint64_t
level(uint64_t since, uint64_t rate, uint64_t now_ns)
{
	return since < now_ns ? (now_ns - since) * rate / SECOND_NS : 0;
}

uint64_t
bucket_least(uint64_t rate)
{
	uint64_t least = bounded(rate) / 50;

	return least < 1 ? 1 : least < 1460 ? least : 1460;
}

uint64_t
bucket_level(const _Atomic uint64_t *paid_ns, uint64_t rate, uint64_t now_ns)
{
	return level(since_ns(atomic_load_explicit(paid_ns, memory_order_relaxed), now_ns), bounded(rate), now_ns);
}

uint64_t
bucket_take(_Atomic uint64_t *paid_ns, uint64_t rate, uint64_t want, uint64_t now_ns)
{
	uint64_t paid = atomic_load_explicit(paid_ns, memory_order_relaxed), least = bucket_least(rate), since, n;

	rate = bounded(rate);
	want = want < BUCKET_TAKE_MOST ? want : BUCKET_TAKE_MOST;
	least = least < want ? least : want;
	do {
		since = since_ns(paid, now_ns);
		n = level(since, rate, now_ns);
		if (n < least)
			return 0;
		n = n < want ? n : want;
	} while (!atomic_compare_exchange_weak_explicit(paid_ns, &paid, since + cost_ns(n, rate), memory_order_relaxed, memory_order_relaxed));
	return n;
}

void
bucket_give(_Atomic uint64_t *paid_ns, uint64_t rate, uint64_t n)
{
	if (n)
		atomic_fetch_sub_explicit(paid_ns, cost_ns(n, bounded(rate)), memory_order_relaxed);
}

void
bucket_charge(_Atomic uint64_t *paid_ns, uint64_t rate, uint64_t n, uint64_t now_ns)
{
	uint64_t paid = atomic_load_explicit(paid_ns, memory_order_relaxed);

	while (!atomic_compare_exchange_weak_explicit(paid_ns, &paid, since_ns(paid, now_ns) + cost_ns(n, bounded(rate)), memory_order_relaxed, memory_order_relaxed))
		;
}

_Atomic uint64_t *
limits_client(struct limits *l, uint32_t under, const struct addr *client, uint64_t now_ns, uint32_t *number)
{
	uint64_t              tag = XXH3_64bits_withSeed(client->b, sizeof client->b, l->key + under * UINT64_C(0x9e3779b97f4a7c15)) | 1, old;
	struct client_bucket *set = l->client[tag >> 32 & (CLIENT_SETS - 1)], *best = &set[0];
	uint64_t              best_ns = UINT64_MAX;

	*number = (uint32_t)(tag >> 1);
	for (unsigned i = 0; i < CLIENT_WAYS; i++) {
		uint64_t paid = atomic_load_explicit(&set[i].paid_ns, memory_order_relaxed);
		if (atomic_load_explicit(&set[i].tag, memory_order_relaxed) == tag)
			return &set[i].paid_ns;
		if (paid < best_ns) {
			best_ns = paid;
			best = &set[i];
		}
	}
	/* one that has paid for all is as good as none: whose it was begins anew as he would have gone on */
	old = atomic_load_explicit(&best->tag, memory_order_relaxed);
	if (atomic_compare_exchange_strong_explicit(&best->tag, &old, tag, memory_order_relaxed, memory_order_relaxed))
		atomic_store_explicit(&best->paid_ns, now_ns > BUCKET_BURST_NS ? now_ns - BUCKET_BURST_NS : 0, memory_order_relaxed);
	return &best->paid_ns;
}
