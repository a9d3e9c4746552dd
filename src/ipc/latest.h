/* SPDX-License-Identifier: MIT */
/*
 * latest: the latest value that one process tells, in shared memory, for any number of readers; nobody waits for a lock.
 * Beside the value stands a number: 0: never told; odd: being told. A reader whose copy was disturbed copies again.
 * Always true: a value is read whole or not at all; a writer that died in the middle counts as never, until the next one tells anew. What it says is not
 * trusted: bounds and ends of texts are the reader's to look at.
 */
#ifndef POSTERN_IPC_LATEST_H
#define POSTERN_IPC_LATEST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define LATEST_TRIES 1000 /* far more than a living writer can spoil */

/* The value in shared memory lies at a multiple of 8 and takes n bytes, a multiple of 8 as well: it is copied word by word, atomically, since the other side
 * may be at work on the same words. */
static inline void
latest_put(_Atomic uint32_t *number, void *shared, const void *value, size_t n)
{
	/* an odd number is left by a writer that died: writing goes on from there */
	uint32_t       at = atomic_load_explicit(number, memory_order_relaxed) | 1;
	const uint8_t *from = value;
	uint64_t      *to = shared, word;

	atomic_store_explicit(number, at, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	for (size_t i = 0; i < n / sizeof word; i++) {
		memcpy(&word, from + i * sizeof word, sizeof word);
		__atomic_store_n(to + i, word, __ATOMIC_RELAXED);
	}
	/* after the last number comes 2: 0 says that nothing was ever told */
	atomic_store_explicit(number, at + 1 ? at + 1 : 2, memory_order_release);
}

/* False: nothing was told, or nothing whole. */
static inline bool
latest_get(const _Atomic uint32_t *number, const void *shared, void *value, size_t n)
{
	const uint64_t *from = shared;
	uint8_t        *to = value;

	for (int i = 0; i < LATEST_TRIES; i++) {
		uint32_t at = atomic_load_explicit(number, memory_order_acquire);
		if (at == 0)
			return false;
		if (at & 1)
			continue;
		for (size_t k = 0; k < n / sizeof *from; k++) {
			uint64_t word = __atomic_load_n(from + k, __ATOMIC_RELAXED);
			memcpy(to + k * sizeof word, &word, sizeof word);
		}
		atomic_thread_fence(memory_order_acquire);
		if (atomic_load_explicit(number, memory_order_relaxed) == at)
			return true;
	}
	return false;
}

#endif
