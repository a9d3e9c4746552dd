/* SPDX-License-Identifier: MIT */
/*
 * slots: the numbers under which rules and listeners count, in shared memory. One that keeps its name keeps its number over reloads.
 * Written by the parent only; others read names of numbers that a snapshot names.
 */
#ifndef POSTERN_IPC_SLOTS_H
#define POSTERN_IPC_SLOTS_H

#include <stdint.h>

#include "conf/conf.h"

#define RULE_SLOTS       4096u /* 0: what no rule decided, and rules beyond these */
#define LISTENER_COUNTS  256u  /* 0: those beyond these */
#define SLOT_NAME_MAX    72u

struct slot_name {
	char     name[SLOT_NAME_MAX]; /* "": free, or 0 */
	uint64_t generation;          /* the last one that named it */
	uint64_t since_real_us;       /* it has had this name */
};

struct slots {
	struct slot_name rule[RULE_SLOTS];
	struct slot_name listener[LISTENER_COUNTS];
};

/* Give each rule and listener of `c` its number (conf_rule.slot, conf_listener.slot): its own of before, else one that was never used, else the one that is
 * unused for longest, which then has another name. */
void slots_assign(struct slots *s, struct conf *c, uint64_t generation);

#endif
