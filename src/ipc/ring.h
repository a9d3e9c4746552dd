/* SPDX-License-Identifier: MIT */
/*
 * ring: a queue of byte records in shared memory, one writer process, one reader process; outlives both.
 * The writer never waits: a full ring counts a drop and goes on. A writer killed in the middle of a record leaves the ring as it was before.
 * No system call on the writing side but one eventfd write when the reader sleeps.
 */
#ifndef POSTERN_IPC_RING_H
#define POSTERN_IPC_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ring; /* a mapping */

/* Make the memfd of a ring with room for `bytes` (rounded up to a power of two); -1 with errno. Called by the parent. */
int ring_create(size_t bytes, const char *name);
struct ring *ring_open(int fd);
void ring_close(struct ring *r);

/* Room for one record of n bytes, or NULL: full (counted). ring_commit publishes it. n <= ring size / 4. */
void *ring_reserve(struct ring *r, size_t n);
void ring_commit(struct ring *r, size_t n); /* n: what was really used, at most what was reserved */
/* The oldest record, or NULL. It stays in place until ring_release. A damaged ring (the other side is not trusted) is emptied and counted as drops. */
const void *ring_peek(struct ring *r, size_t *n);
void ring_release(struct ring *r);
uint64_t ring_drops(const struct ring *r);
size_t   ring_fill(const struct ring *r); /* bytes queued */

/* The reader says that it is about to sleep and wants a wake-up; true when records came in meanwhile (do not sleep). */
bool ring_sleep(struct ring *r);
/* The writer, once each loop turn: does the reader want a wake-up? Answers true once. */
bool ring_wants_wake(struct ring *r);

#endif
