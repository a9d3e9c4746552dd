/* SPDX-License-Identifier: MIT */
#include "ipc/failures.h"

#include <nettle/hmac.h>

#define COUNT_MOST 255u

static uint64_t
slot_word(uint64_t tag, unsigned count, uint32_t expires_s)
{
	return tag << 40 | (uint64_t)count << 32 | expires_s;
}

static unsigned
slot_count(uint64_t word)
{
	return (unsigned)(word >> 32) & COUNT_MOST;
}

static uint32_t
slot_expires(uint64_t word)
{
	return (uint32_t)word;
}

static bool
slot_is(uint64_t word, uint64_t key, uint32_t now_s)
{
	return word >> 40 == key >> 40 && slot_count(word) && slot_expires(word) > now_s;
}

static bool
slot_is_free(uint64_t word, uint32_t now_s)
{
	return !slot_count(word) || slot_expires(word) <= now_s;
}

uint64_t
failures_key(const struct failures *f, struct span what)
{
	struct hmac_sha256_ctx ctx;
	uint8_t                digest[8];
	uint64_t               key = 0;

	hmac_sha256_set_key(&ctx, sizeof f->key, f->key);
	hmac_sha256_update(&ctx, what.n, (const uint8_t *)what.p);
	hmac_sha256_digest(&ctx, sizeof digest, digest);
	explicit_bzero(&ctx, sizeof ctx);
	for (size_t i = 0; i < sizeof digest; i++)
		key = key << 8 | digest[i];
	return key;
}

unsigned
failures_add(struct failures *f, uint64_t key, uint32_t now_s, uint32_t window_s)
{
	_Atomic uint64_t *set = f->slot[key % FAILURES_SETS];

	for (;;) {
		_Atomic uint64_t *mine = NULL, *room = NULL;
		uint64_t          mine_was = 0, room_was = 0;
		unsigned          count = 0; /* a race can leave two slots of one key: together they are right */
		for (unsigned i = 0; i < FAILURES_WAYS; i++) {
			uint64_t word = atomic_load(&set[i]);
			if (slot_is(word, key, now_s)) {
				mine = &set[i];
				mine_was = word;
				count += slot_count(word);
			} else if (!room || (!slot_is_free(room_was, now_s) && (slot_is_free(word, now_s) || slot_expires(word) < slot_expires(room_was)))) {
				room = &set[i];
				room_was = word;
			}
		}
		if (mine) {
			if (slot_count(mine_was) == COUNT_MOST)
				return count;
			if (atomic_compare_exchange_strong(mine, &mine_was, mine_was + (1ull << 32)))
				return count + 1;
		} else if (atomic_compare_exchange_strong(room, &room_was, slot_word(key >> 40, 1, now_s + window_s))) {
			return 1;
		}
	}
}

unsigned
failures_count(const struct failures *f, uint64_t key, uint32_t now_s, uint32_t *expires_s)
{
	const _Atomic uint64_t *set = f->slot[key % FAILURES_SETS];
	unsigned                count = 0;

	*expires_s = 0;
	for (unsigned i = 0; i < FAILURES_WAYS; i++) {
		uint64_t word = atomic_load(&set[i]);
		if (!slot_is(word, key, now_s))
			continue;
		count += slot_count(word);
		if (slot_expires(word) > *expires_s)
			*expires_s = slot_expires(word);
	}
	return count;
}

void
failures_forget(struct failures *f, uint64_t key)
{
	_Atomic uint64_t *set = f->slot[key % FAILURES_SETS];

	for (unsigned i = 0; i < FAILURES_WAYS; i++) {
		uint64_t word = atomic_load(&set[i]);
		while (slot_count(word) && word >> 40 == key >> 40)
			if (atomic_compare_exchange_weak(&set[i], &word, 0))
				break;
	}
}
