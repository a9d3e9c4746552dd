/* SPDX-License-Identifier: MIT */
/*
 * pool: threads that do what may block, one job each at a time; the loop's thread gives jobs and gets them back. Knows nothing of back ends.
 * Always true: the loop's thread never waits for a thread (but in pool_free); a job is done once, and comes back once, in the loop's thread.
 */
#ifndef POSTERN_AUTH_POOL_H
#define POSTERN_AUTH_POOL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "net/loop.h"

struct pool;

#define POOL_THREADS_MAX 64u

/* Embedded by who gives it, and theirs. */
struct pool_job {
	TAILQ_ENTRY(pool_job) link;
	uint64_t began_us, ended_us;
};

struct pool_config {
	unsigned threads;
	void   (*run)(void *arg, struct pool_job *j, unsigned thread); /* in the thread, which counts from 0 */
	void   (*done)(void *arg, struct pool_job *j);                 /* in the loop: its thread is idle again */
	void   (*settled)(void *arg);                                  /* in the loop, after one or more were done */
	void    *arg;
};

/* Starts the threads; fewer than asked for when there are no more to be had. NULL: none, no memory. */
struct pool *pool_new(struct loop *loop, const struct pool_config *c);
/* Waits for the threads. `drop` gets what was given and has not come back. */
void pool_free(struct pool *p, void (*drop)(void *arg, struct pool_job *j));

unsigned         pool_threads(const struct pool *p);
struct pool_job *pool_job(const struct pool *p, unsigned thread); /* null: idle */
/* The number of an idle thread, the first one last; -1: none. */
int  pool_idle(const struct pool *p);
void pool_give(struct pool *p, unsigned thread, struct pool_job *j); /* to an idle one */

#endif
