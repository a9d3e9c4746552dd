/* SPDX-License-Identifier: MIT */
/*
 * hits: how often each key (policy_hit_key) decided, in one worker, under one snapshot. The memory is the parent's and outlives the worker.
 * One writer, the worker, with plain stores; a hit is one look into a table of the worker's own and one line of the shared memory. No allocation, no lock, no
 * system call. Readers take what they see: a key is there before its number is.
 * Always true: rows are only added, and never more than there is room for; what finds none is counted as lost.
 */
#ifndef POSTERN_IPC_HITS_H
#define POSTERN_IPC_HITS_H

#include <stdbool.h>
#include <stdint.h>

#define HITS_ROOM_MOST (1u << 22)

struct hit_row {
	uint64_t key;
	uint64_t hits;
	uint64_t last_real_us;
};

/* The parent's: memory for `room` keys; bounded. -1 with errno. Takes memory as keys come. */
int hits_create(uint32_t room);

/* The worker's. Owns nothing of fd. NULL: out of memory, or no such table. */
struct hits;
struct hits *hits_open(int fd);
/* The snapshot is not used any more: readers may know that these are the last figures. */
void         hits_close(struct hits *h);
void         hits_count(struct hits *h, uint64_t key, uint64_t now_real_us);

/* A reader's. It believes nothing but the size of the memory. */
struct hits_view;
struct hits_view     *hits_look(int fd);
void                  hits_look_away(struct hits_view *v);
const struct hit_row *hits_rows(const struct hits_view *v, uint32_t *n);
uint64_t              hits_lost(const struct hits_view *v);
bool                  hits_are_final(const struct hits_view *v);

#endif
