/* SPDX-License-Identifier: MIT */
/*
 * ends: `kill ID` at the control socket: whichever worker has a session with that id ends it. All are asked; the first that had it settles the answer.
 * A worker that does not answer in two seconds is not waited for.
 */
#ifndef POSTERN_PROC_ENDS_H
#define POSTERN_PROC_ENDS_H

#include "proc/control.h"
#include "proc/crew.h"

struct ends {
	struct crew    *crew;
	struct control *control;
	struct timer    deadline;
	uint32_t        number; /* of questions */
};

void ends_init(struct ends *e, struct crew *crew, struct control *control);
void ends_clear(struct ends *e);
void ends_ask(struct ends *e, struct control_client *c);
/* What a worker says to MSG_END. */
void ends_heard(struct ends *e, uint32_t worker, struct span data);

#endif
