/* SPDX-License-Identifier: MIT */
/*
 * crew_auth: the auth processes of one parent: those that the configuration needs, their files, and the sockets between them and the workers.
 * Always true: nobody waits for them. Start, reload and drain go on as if they were not there; one that does not follow a
 * reload, or does not say that it is alive, is ended and started again.
 */
#ifndef POSTERN_PROC_CREW_AUTH_H
#define POSTERN_PROC_CREW_AUTH_H

#include <sys/stat.h>

#include "conf/conf.h"
#include "ipc/shared.h"
#include "proc/member.h"

/* What a configuration asks for. */
struct auth_plan {
	uint32_t kinds;             /* bit 1 << enum back_kind */
	char    *file[BACK_KINDS];  /* owned; null: has none */
};
/* By the configuration and its snapshot. False: no memory. */
bool auth_plan_init(struct auth_plan *p, const struct conf *c, int snapshot);
void auth_plan_clear(struct auth_plan *p);

struct bureau {
	struct crew_auth *all;
	enum back_kind    kind;
	struct member     m;
	struct timer      follow; /* by then it uses what the others use, or has ended */
	uint64_t          asked_us; /* whether it is alive, and it has not said so yet; 0: it has */
	struct stat       seen;   /* of its file, when it was opened last */
	int               watched; /* inotify's number of the file's directory; -1: none */
	bool              unpaired[SHARED_WORKERS_MAX]; /* has no socket to that worker though both live */
};

struct crew_auth {
	struct crew     *crew;
	struct bureau    bureau[BACK_KINDS];
	struct auth_plan plan; /* in use */
	struct timer     pair_again, look, beat;
	uint64_t         beat_us; /* when they were asked last whether they are alive */
	int              inotify; /* -1: none; then the look of every five seconds has to do */
	struct watch     watch;
};

void crew_auth_init(struct crew_auth *a, struct crew *c);
void crew_auth_clear(struct crew_auth *a);
/* What crew_start or crew_go will put to use. Takes the plan's memory. */
void crew_auth_plan(struct crew_auth *a, struct auth_plan *plan);
/* The crew has a new snapshot in use: end those that nobody needs any more, start new ones, tell the rest. */
void crew_auth_go(struct crew_auth *a);
void crew_auth_worker_started(struct crew_auth *a, uint32_t worker);
void crew_auth_reap(struct crew_auth *a, pid_t pid, int status);
void crew_auth_kill(struct crew_auth *a);
/* Have their files changed? To be called now and then. */
void crew_auth_look(struct crew_auth *a);

#endif
