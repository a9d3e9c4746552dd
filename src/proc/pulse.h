/* SPDX-License-Identifier: MIT */
/*
 * pulse: asks each child once a second whether its loop still turns (MSG_ALIVE), and ends one that does not answer; its owner reaps it and starts another.
 * Silence is counted in rounds that the parent itself kept, never by the clock: who did not run meanwhile (all of us were stopped, the machine slept or had no
 * time for anybody) cannot say that others were silent. A child in a debugger's hands is left alone.
 * Ends by SIGKILL: cores are forbidden, since they would hold keys and passwords, so that SIGABRT would leave nothing that SIGKILL does not.
 * Always true: a child that has not read one question gets few more, so that its channel has room for what it is to be told.
 */
#ifndef POSTERN_PROC_PULSE_H
#define POSTERN_PROC_PULSE_H

#include <stdint.h>
#include <sys/queue.h>

#include "net/loop.h"

struct member;
struct shared;

#define PULSE_MS     1000u
#define PULSE_ROUNDS 5u /* of those that others ask: nothing in them may take that long */

struct pulse {
	struct loop   *loop;
	struct shared *shared; /* where it is written down that the parent's own loop turns */
	struct timer   timer;
	uint64_t       last_us; /* the last round */
	LIST_HEAD(, member) members;
};

void pulse_init(struct pulse *p, struct loop *loop, struct shared *shared);
void pulse_clear(struct pulse *p);
/* From now on whenever it lives; m->patience says how long it may be silent. */
void pulse_join(struct pulse *p, struct member *m);
/* One round, at that time; comes by itself. */
void pulse_round(struct pulse *p, uint64_t now_us);
/* It has answered. */
void pulse_heard(struct member *m);
/* Rounds that are at least this long. */
unsigned pulse_rounds(uint64_t ms);

#endif
