/* SPDX-License-Identifier: MIT */
/*
 * ledger: what entries of lists and items of rules were hit, over workers that ended and configurations that were replaced. The parent's.
 * Makes the memory in which each worker counts under each snapshot (ipc/hits), and adds up what is final by what an entry is (policy_entry.id), so that one that
 * stays in the configuration keeps its hits. Looks nothing up before somebody asks, or a memory is final.
 * Always true: bounded, whatever was hit: SUMS_MOST entries; those hit longest ago are forgotten first, and that is counted.
 */
#ifndef POSTERN_PROC_LEDGER_H
#define POSTERN_PROC_LEDGER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "ipc/shared.h"
#include "policy/snapshot.h"

#define SUMS_MOST (1u << 20)

/* Of one entry, or of one key. */
struct sum {
	uint64_t id;
	uint64_t hits;   /* since the gateway started; 0: this place is free */
	uint64_t recent; /* of them since reload number `mark` */
	uint32_t mark;
	uint32_t last_s; /* real time of the last one */
};
/* A hash table of them. All zero: empty. */
struct sums {
	struct sum *v; /* owned */
	uint32_t    n, room;
	uint64_t    forgotten; /* hits of those that were thrown away, or had no place */
};
void              sums_clear(struct sums *s);
void              sums_add(struct sums *s, const struct sum *one);
const struct sum *sums_find(const struct sums *s, uint64_t id); /* null: never */

struct era;
struct ledger {
	TAILQ_HEAD(, era) eras; /* snapshots that some worker may still count under */
	unsigned          n_eras;
	struct sums       past; /* of what is final, by entry */
	uint64_t          generation; /* in use */
	uint32_t          mark;       /* reloads so far */
	uint64_t          started_real_us, reloaded_real_us;
	uint64_t          rule_base[RULE_SLOTS]; /* requests of each rule at the last reload, those under way among them */
};

void ledger_init(struct ledger *l);
void ledger_clear(struct ledger *l);
/* New memory for a worker's hits under this snapshot, which stays the caller's; `life` tells its lives apart. -1: it cannot be counted. */
int  ledger_page(struct ledger *l, uint32_t worker, unsigned life, uint64_t generation, int snapshot);
/* This generation is in use. `reloaded`: by a reload, not because some file was read anew. */
void ledger_use(struct ledger *l, const struct shared *shared, uint64_t generation, bool reloaded);
/* What was prepared for a later generation comes to nothing. */
void ledger_forget(struct ledger *l);
/* Add up what is final. life_of: a worker's present life; 0: it has none. */
void ledger_tidy(struct ledger *l, unsigned (*life_of)(void *arg, uint32_t worker), void *arg);

/* All there is, by entry; `out` is cleared by the caller. False: out of memory. */
bool ledger_sum(const struct ledger *l, struct sums *out);
/* The snapshot in use, open for its entries; null: it cannot be read. The ledger's. */
struct snapshot *ledger_snapshot(const struct ledger *l);
/* Hits that no entry got: their memory was full, or they were forgotten. */
uint64_t ledger_lost(const struct ledger *l);
uint64_t ledger_rule_recent(const struct ledger *l, uint32_t slot, uint64_t requests);

#endif
