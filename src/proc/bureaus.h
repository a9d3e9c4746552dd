/* SPDX-License-Identifier: MIT */
/*
 * bureaus: the processes beside the workers that these ask over sockets of their own: the auth processes and the signer. Those that the configuration
 * needs, their files, and the sockets between them and the workers.
 * Always true: nobody waits for them but a reload for the signer's word, which a signer that is dead or silent does not hold up. Start, reload and drain go
 * on as if they were not there; one that does not follow a reload, or does not say that it is alive, is ended and started again.
 */
#ifndef POSTERN_PROC_BUREAUS_H
#define POSTERN_PROC_BUREAUS_H

#include <sys/stat.h>

#include "conf/conf.h"
#include "ipc/shared.h"
#include "proc/keytabs.h"
#include "proc/member.h"

/* By their number, which is what a worker knows them by (MSG_PEER): enum back_kind, then PEER_SIGNER. */
#define BUREAUS (PEER_SIGNER + 1)

/* What a configuration asks for. */
struct bureau_plan {
	uint32_t wanted;        /* bit 1 << number */
	char    *file[BUREAUS]; /* owned; null: has none */
	struct keytabs keytabs; /* of parents that want Negotiate: the file of BACK_INITIATOR is their bundle */
	char    *module;        /* owned; of the signer's token, "": the usual one; null: its key is a file */
};
/* By the configuration and its snapshot. False: no memory. */
bool bureau_plan_init(struct bureau_plan *p, const struct conf *c, int snapshot);
void bureau_plan_clear(struct bureau_plan *p);

struct bureau {
	struct bureaus   *all;
	unsigned          number;
	struct member     m;
	struct timer      follow; /* by then it uses what the others use, or has ended */
	uint64_t          offered;  /* the generation that it was told of last */
	struct stat       seen;   /* of its file, when it was opened last */
	struct stat       kept;   /* the same of the file in use, while another one is offered */
	int               watched; /* inotify's number of the file's directory; -1: none */
	bool              unpaired[SHARED_WORKERS_MAX]; /* has no socket to that worker though both live */
};

struct bureaus {
	struct crew       *crew;
	struct bureau      bureau[BUREAUS];
	struct bureau_plan plan; /* in use */
	struct timer       pair_again, look;
	struct timer       patience; /* with a signer that is to say whether it can use what comes */
	int                inotify; /* -1: none; then the look of every five seconds has to do */
	struct watch       watch;
	bool               signer_differs; /* what is about to be used needs a signer that begins otherwise */
	char               refusal[CHANNEL_DATA_MAX]; /* why the signer cannot use what comes; "": it has not said that */
};

void bureaus_init(struct bureaus *a, struct crew *c);
void bureaus_clear(struct bureaus *a);
/* What crew_start or crew_go will put to use. Takes the plan's memory. */
void bureaus_plan(struct bureaus *a, struct bureau_plan *plan);
/* A reload: have the signer look at what comes, when both configurations need it. */
void bureaus_prepare(struct bureaus *a, const struct bureau_plan *next, int snapshot, uint64_t generation);
/* Nobody need be waited for: it can use this, or does not say. */
bool bureaus_is_prepared(const struct bureaus *a, uint64_t generation);
void bureaus_forget(struct bureaus *a);
/* The crew has a new snapshot in use: end those that nobody needs any more, start new ones, tell the rest. */
void bureaus_go(struct bureaus *a);
void bureaus_worker_started(struct bureaus *a, uint32_t worker);
void bureaus_reap(struct bureaus *a, pid_t pid, int status);
void bureaus_kill(struct bureaus *a);
/* Have their files changed? To be called now and then. */
void bureaus_look(struct bureaus *a);

#endif
