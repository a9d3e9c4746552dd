/* SPDX-License-Identifier: MIT */
/*
 * sightings: what is under way in all workers, for those who ask at the control socket. Each worker writes its sessions to a memory file (session/list); what it
 * wrote is read with distrust, and told piece by piece, as the asker reads.
 * One listing at a time: who asks meanwhile waits for the next.
 */
#ifndef POSTERN_PROC_SIGHTINGS_H
#define POSTERN_PROC_SIGHTINGS_H

#include "net/loop.h"
#include "proc/control.h"
#include "proc/crew.h"

struct listing;

struct sightings {
	struct crew    *crew;
	struct control *control;
	struct timer    deadline;
	struct listing *now; /* being written; null: none */
	uint64_t        number;
	unsigned        n_waiting;
	bool            waiting[SHARED_WORKERS_MAX];
};

void sightings_init(struct sightings *s, struct crew *crew, struct control *control);
void sightings_clear(struct sightings *s);
/* The client's words after the first are filters: client=, host=, rule=, top=N. It is answered, to the end. */
void sightings_ask(struct sightings *s, struct control_client *c);
void sightings_listed(struct sightings *s, uint32_t worker, uint64_t number);
/* The client is gone. */
void sightings_gone(struct control_client *c);

#endif
