/* SPDX-License-Identifier: MIT */
/*
 * top: the names that came most often of late, found in bounded memory: Space-Saving (Metwally, Agrawal, El Abbadi 2005) over two halves of a window, of
 * which the older one is dropped when the newer one is full. Whatever comes more often than one in TOP_COUNTERS is among them, however many names there are.
 * One process counts and publishes, others read, without a lock. Nothing here waits.
 */
#ifndef POSTERN_IPC_TOP_H
#define POSTERN_IPC_TOP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

#define TOP_COUNTERS 512u /* of each half */
#define TOP_HALF_US  UINT64_C(300000000)
#define TOP_SHOWN    20u
#define TOP_NAME_MAX 256u /* with the NUL; what is longer is cut */

struct top_row {
	char     name[TOP_NAME_MAX];
	uint64_t requests; /* at least so many: never more than came */
	uint64_t denied;   /* of these, since the name is counted */
	uint64_t bytes;    /* likewise */
};

/* The most frequent first. */
struct top_list {
	uint64_t       since_us; /* CLOCK_MONOTONIC: what came before does not count */
	uint64_t       at_us;    /* when it was made */
	uint64_t       requests; /* all names together */
	uint64_t       n;
	struct top_row row[TOP_SHOWN];
};

/* In shared memory. */
struct shared_top {
	_Atomic uint32_t number; /* latest.h */
	struct top_list  list;
};

struct top;

/* `key`: secret, so that nobody can choose names that are slow to find. NULL: no memory. */
struct top *top_new(uint64_t key);
void        top_free(struct top *t);
void        top_add(struct top *t, struct span name, bool denied, uint64_t bytes, uint64_t now_us);
void        top_make(struct top *t, uint64_t now_us, struct top_list *out);

void top_publish(struct shared_top *s, const struct top_list *list);
/* False: not known (yet). What is read is bounded and its names have their NUL. */
bool top_read(const struct shared_top *s, struct top_list *out);

#endif
