/* SPDX-License-Identifier: MIT */
/*
 * legacy: what rules and entries were hit, as one parent leaves it to the next at an upgrade: a memory file of plain records.
 * Leaves counting to the workers, and adding up to the ledger. What the one that goes still ends is not among it, but for what it has under way: that counts as
 * ended.
 * Always true: whoever takes it believes nothing but its size; what does not fit is as if nothing had been left.
 */
#ifndef POSTERN_PROC_LEGACY_H
#define POSTERN_PROC_LEGACY_H

#include "proc/ledger.h"

/* Memory for the next one; the caller's. -1: there is none, and the next one begins anew. */
int  legacy_write(const struct ledger *l, const struct shared *s);
/* Before any worker counts, and after the rules have their numbers: rules of the same name, and entries that are the same, go on from there; what is counted since
 * a reload begins anew. Closes fd; -1: nothing was left. */
void legacy_take(struct ledger *l, struct shared *s, int fd);

#endif
