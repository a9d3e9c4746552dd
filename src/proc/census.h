/* SPDX-License-Identifier: MIT */
/*
 * census: keeps the census in shared memory (ipc/census.h) as things happen to the gateway and its processes. Of the parent only.
 */
#ifndef POSTERN_PROC_CENSUS_H
#define POSTERN_PROC_CENSUS_H

#include <stdint.h>

#include "conf/conf.h"
#include "ipc/shared.h"

struct member;

void census_begin(struct shared *s);
void census_state(struct shared *s, enum gateway_state state);
/* A configuration is in use: the first, or a reload's. */
void census_applied(struct shared *s, uint64_t generation);
/* A reload changed nothing: its files are wrong, or a process could not use it. */
void census_refused(struct shared *s);
/* Give the rules and listeners of `c` the numbers that they count under. The caller frees what it gets; null: out of memory. Nothing has changed until that is
 * handed to census_renumber, when `generation` comes into use; what was counted under a number that changes hands is gone then. */
struct slots *census_number(const struct shared *s, struct conf *c, uint64_t generation);
void census_renumber(struct shared *s, const struct slots *numbers);

/* What was counted in all, to the operations log. */
void census_say_totals(const struct shared *s);

/* Give this process a row of its own, under its name; without one it is not shown. */
void census_enlist(struct shared *s, struct member *m);
void census_started(struct member *m);
/* It uses this configuration. */
void census_uses(struct member *m, uint64_t generation);
void census_ended(struct member *m);
/* It has not answered for so long; 0: it has. */
void census_silent(struct member *m, uint32_t seconds);
/* It was ended for that. */
void census_hung(struct member *m);
/* The parent's own loop turns. */
void census_turns(struct shared *s, uint64_t now_us);

#endif
