/* SPDX-License-Identifier: MIT */
/*
 * parents: how the proxies behind us do, in shared memory: what one worker finds out all of them know, and whoever shows figures reads.
 * Any worker writes, by atomic operations; a parent that keeps its name keeps its slot over reloads. Nothing here waits or logs.
 */
#ifndef POSTERN_IPC_PARENTS_H
#define POSTERN_IPC_PARENTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"
#include "conf/conf.h"

#define PARENT_SLOTS (2 * PARENTS_MAX) /* so that a reload that names all of them anew finds room */

struct parent_health {
	char             name[PARENT_NAME_MAX]; /* "": never used */
	_Atomic uint32_t down;       /* 1: it does not serve */
	_Atomic uint32_t failures;   /* in a row */
	_Atomic uint64_t since_us;   /* clock_real_us at which `down` last changed; 0: it never did */
	_Atomic uint64_t looked_us;  /* clock_mono_us at which somebody last began to look whether it serves */
	_Atomic uint64_t latency_us; /* of the last connection or check that worked; 0: none yet */
	_Atomic uint64_t used;       /* connections for requests that it took */
	_Atomic uint64_t failed;     /* failures, in all */
	_Atomic uint32_t fault;      /* why it last failed: enum fault */
	_Atomic uint32_t said_down;  /* what the operations log last said of it */
	_Atomic uint64_t say_us[2];  /* clock_mono_us before which it does not say again that it is up, or down */
};

struct parents {
	struct parent_health v[PARENT_SLOTS];
};

/* Which names have which slots: the parent process's own. */
struct parent_slots {
	struct {
		char     name[PARENT_NAME_MAX]; /* "": free */
		uint64_t generation;            /* the last one that named it */
	} v[PARENT_SLOTS];
};

/* Give each [parent] of `c` its slot: its own of before, else a free one, else the one that nobody has named for longest. */
void parents_assign(struct parent_slots *s, struct conf *c, uint64_t generation);
/* The slot is this one's: when it was another's, what is known of that is forgotten. */
void parents_name(struct parents *p, uint32_t slot, struct span name);
/* It served. True: it was down until now. */
bool parents_worked(struct parent_health *s, uint64_t latency_us, uint64_t real_us);
/* It did not. True: it is down from now on. */
bool parents_failed(struct parent_health *s, uint32_t fail_after, enum fault fault, uint64_t real_us);
/* Shall the caller say that it is down or up (*down)? Once a minute each, however often that changes; what it is in the end is always said. */
bool parents_claim_word(struct parent_health *s, uint64_t now_us, bool *down);
/* Is it time to look, and is it the caller who shall do it? One of all workers, once in `interval_us`. */
bool parents_claim(struct parent_health *s, uint64_t now_us, uint64_t interval_us);

#endif
