/* SPDX-License-Identifier: MIT */
/*
 * failures: how often a log-on failed lately, in shared memory that all auth processes see and that outlives them. No lock: each slot is one word.
 * Bounded: when a set of slots is full the one that expires first is given up.
 */
#ifndef POSTERN_IPC_FAILURES_H
#define POSTERN_IPC_FAILURES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

#define FAILURES_SETS 4096u /* a power of two */
#define FAILURES_WAYS 8u

/* tag (24 bits of the key) | count (8 bits) | second it expires (32 bits); 0: free */
struct failures {
	uint8_t          key[32]; /* random, by the parent */
	_Atomic uint64_t slot[FAILURES_SETS][FAILURES_WAYS];
};

/* A key for what is counted: HMAC-SHA256, cut. */
uint64_t failures_key(const struct failures *f, struct span what);
/* Count one more, within a window of window_s from the first; returns the count. now_s: any clock that all processes share (CLOCK_BOOTTIME). */
unsigned failures_add(struct failures *f, uint64_t key, uint32_t now_s, uint32_t window_s);
/* How many are counted; *expires_s: when the window ends. */
unsigned failures_count(const struct failures *f, uint64_t key, uint32_t now_s, uint32_t *expires_s);
void     failures_forget(struct failures *f, uint64_t key);

#endif
