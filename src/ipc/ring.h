/* SPDX-License-Identifier: MIT */
/*
 * ring: a queue of byte records in shared memory, one writer process, one reader process; outlives both.
 * The writer never waits: a full ring counts a drop and goes on. A writer killed in the middle of a record leaves the ring as it was before.
 * No system call on the writing side but one eventfd write when the reader sleeps or falls behind.
 * Neither side trusts the other: what stands in shared memory is bounded before it is used, and the memfd cannot shrink under a mapping.
 */
#ifndef POSTERN_IPC_RING_H
#define POSTERN_IPC_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ring; /* a mapping; one for each process and side */

#define RING_BYTES_MIN 4096u
#define RING_BYTES_MAX ((size_t)1 << 30)
#define RING_BYTES     ((size_t)4 << 20) /* of a worker's */

/* Make the memfd of a ring with room for `bytes` (rounded up to a power of two); -1 with errno. Called by the parent. */
int ring_create(size_t bytes, const char *name);
/* Map it; NULL with errno. The descriptor stays the caller's and may be closed. A writer or reader that follows a dead one goes on where
 * that one stopped. */
struct ring *ring_open(int fd);
void ring_close(struct ring *r);

/* Room for one record of n bytes, or NULL: full (counted). ring_commit publishes it. n <= ring size / 4. The room is 8-aligned. */
void *ring_reserve(struct ring *r, size_t n);
void ring_commit(struct ring *r, size_t n); /* n: what was really used, at most what was reserved */
/* The oldest record, or NULL. It stays in place until ring_release. A damaged ring (the other side is not trusted) is emptied and counted as drops.
 * The bytes may change while they are read when the writer is hostile: copy, then check. */
const void *ring_peek(struct ring *r, size_t *n);
void ring_release(struct ring *r);
/* For batches: go on to the next record but keep the place of this one, until ring_release_passed gives back all that were passed. A reader that
 * dies in between is followed by one that gets them again. */
void ring_pass(struct ring *r);
void ring_release_passed(struct ring *r);
size_t   ring_size(const struct ring *r); /* bytes it can hold */
size_t   ring_fill(const struct ring *r); /* bytes queued */
uint64_t ring_written(const struct ring *r); /* of the writer: bytes that were ever queued; modulo 2^64 */
uint64_t ring_taken(const struct ring *r);   /* of the reader: bytes that were given back, of these */
uint64_t ring_drops(const struct ring *r);
/* Of the reader: drops since the last call, also of calls by earlier readers. */
uint64_t ring_drops_take(struct ring *r);

/* The reader says that it is about to sleep and wants a wake-up; true when records came in meanwhile (do not sleep). */
bool ring_sleep(struct ring *r);
/* The writer, once each loop turn: does the reader want a wake-up, or should it come before its time because the ring is half full?
 * Answers true once. */
bool ring_wants_wake(struct ring *r);

#endif
