/* SPDX-License-Identifier: MIT */
/*
 * queue: the wait in front of a rule's max-connections. Who comes when all places are taken waits for queue-timeout, first come first served in this worker;
 * a place that another worker gives back is found by looking every QUEUE_LOOK_MS.
 * Always true: a session holds at most one place, and gives it back in session_move, when it comes to a state that needs none; those who wait are bounded.
 */
#ifndef POSTERN_SESSION_QUEUE_H
#define POSTERN_SESSION_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "ipc/slots.h"
#include "net/loop.h"
#include "session/throttle.h"

#define QUEUE_MOST          4096u /* of one worker */
#define QUEUE_MOST_OF_RULE  1024u
#define QUEUE_LOOK_MS       50u

struct queue {
	struct wait_list waiting, due; /* due: they have a place, and are called in this turn */
	uint32_t         n;
	uint16_t         n_of[RULE_SLOTS];
	uint32_t         full_at[RULE_SLOTS]; /* the look in which there was no place */
	uint32_t         look;
	struct watch     wake; /* a place of this worker's became free */
	struct timer     timer;
};

void queue_init(struct gateway *gw);
void queue_clear(struct gateway *gw);

/* The rule of s->req's verdict is to let it through. False: it waits (reach_resume will call), or is answered. */
bool queue_pass(struct session *s);
/* The verdict became another one when the response came: too late to wait. False: answered. */
bool queue_change(struct session *s);
/* Its place becomes another's. */
void queue_release(struct session *s);
/* It waits no longer. */
void queue_quit(struct session *s);
void queue_on_timeout(struct session *s);

#endif
