/* SPDX-License-Identifier: MIT */
/*
 * throttle: bandwidth. Says how many bytes a session may move now; one that may not waits in a row, and is called again when its turn comes.
 * Bytes are taken before they are read, so what is not paid for stays in the sockets, and TCP slows the sender down.
 * Always true: where nothing is limited it costs one branch; a session waits once; whose turn it is goes round.
 */
#ifndef POSTERN_SESSION_THROTTLE_H
#define POSTERN_SESSION_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "ipc/limits.h"
#include "net/loop.h"

struct gateway;
struct session;
struct snapshot;

#define THROTTLE_CLIENTS 1024u /* counts of waiting sessions, by client, hashed */

/* Those of one worker that wait for one kind of thing. */
TAILQ_HEAD(wait_list, session);

/* How a session waits; embedded. */
struct wait {
	TAILQ_ENTRY(session) link;
	struct wait_list    *on; /* null: it does not */
	uint64_t             since_us;
	uint32_t             under; /* which count it is in */
};

struct throttle_rates {
	uint64_t all, client; /* bytes a second; 0: no limit */
};

struct throttle {
	bool                   on;     /* something is limited */
	uint64_t               client; /* of each client, whatever the rule; 0: no limit */
	struct throttle_rates *rule;   /* owned, by slot; null: no rule is limited */
	struct wait_list       waiting[2], again; /* the row, and those who had their turn in this round; a round empties one row into the other */
	unsigned               row;
	bool                   in_round;
	struct session        *turn; /* whose turn it is */
	uint64_t               left; /* bytes of that turn */
	struct timer           timer;
	uint64_t               round_us; /* when the last round was */
	uint16_t               clients_waiting[THROTTLE_CLIENTS];
};

void throttle_init(struct gateway *gw);
void throttle_clear(struct gateway *gw);
/* The rates of this snapshot, for whatever moves from now on. In two steps, since memory may be short. */
bool throttle_prepare(struct gateway *gw, const struct snapshot *s);
void throttle_use(struct gateway *gw, const struct snapshot *s);

/* Of `want` bytes, how many may be read now. 0: session_go_on will call. */
size_t throttle_take_some(struct session *s, size_t want);
/* What was taken and not read. */
void throttle_give_back(struct session *s, size_t n);
/* What was read before it was known under which rule. */
void throttle_charge(struct session *s, size_t n);
/* It waits no longer. */
void throttle_quit(struct session *s);

#endif
