/* SPDX-License-Identifier: MIT */
/*
 * crew: the child processes of one parent: starts them from the running binary, sends them what they need, starts them again when they die, with a
 * growing pause when they keep dying. Knows nothing of configurations but the descriptor of a snapshot.
 */
#ifndef POSTERN_PROC_CREW_H
#define POSTERN_PROC_CREW_H

#include <stdbool.h>
#include <stdint.h>

#include "ipc/channel.h"
#include "net/loop.h"
#include "proc/admin.h"
#include "proc/bureaus.h"
#include "proc/child.h"
#include "proc/ledger.h"
#include "proc/member.h"
#include "proc/ports.h"
#include "proc/pulse.h"
#include "proc/rounds.h"

#define LET_GO_MAX 64u

struct crew {
	struct loop  *loop;
	int           exe;      /* this binary */
	int           shared_fd, wake_fd;
	struct shared *shared; /* the same, mapped; both are the parent's */
	int           ring_fd[SHARED_WORKERS_MAX];
	uint32_t      n_workers;
	struct member worker[SHARED_WORKERS_MAX], logger;
	struct admin *admin; /* likewise; the parent's. Null until admin_init */
	struct rounds *rounds; /* likewise: the doctor */
	struct bureaus bureaus; /* never among those that crew_is_prepared and crew_has_applied look at */
	struct pulse  pulse; /* whether they turn, those of bureaus, admin and rounds among them */
	struct ledger ledger; /* what workers count by entry */
	struct start  start; /* user and limits; index is filled in for each */
	int           snapshot; /* the one in use; -1: none yet */
	uint64_t      generation;
	const struct ports *ports;
	char          refusal[CHANNEL_DATA_MAX]; /* why a worker could not use a snapshot, and which listener of it; "": nobody has said */
	uint16_t      refused_listener;
	int           let_go[LET_GO_MAX]; /* blocks that workers have unmapped; owned until let_go_timer */
	unsigned      n_let_go;
	struct timer  let_go_timer;
	bool          leaving; /* nobody is started any more */
	bool          changing; /* between prepare and go or forget: nobody is started until it is clear with what */
	/* something changed: a child prepared, refused, applied, died */
	void        (*on_change)(void *arg);
	void        (*on_reopened)(void *arg, uint64_t failed, struct span first); /* the logger has opened its files anew, all but so many; null: nobody asks */
	void        (*on_listed)(void *arg, uint32_t worker, uint64_t number); /* a worker has listed its sessions; null: nobody asks */
	void        (*on_killed)(void *arg, uint32_t worker, struct span data); /* a worker's answer to MSG_END; null: nobody asks */
	void        (*on_ended)(void *arg, pid_t pid, int status); /* any child of this process, also one that the crew did not start; null: nobody wants to know */
	void         *arg;
};

/* `shared`, and its descriptor, stay the caller's, and outlive the crew. */
bool crew_init(struct crew *c, struct loop *loop, uint32_t n_workers, const struct start *start, struct shared *shared, int shared_fd);
void crew_clear(struct crew *c);
/* How long a worker or the logger may be silent before it is ended; 0: for ever. */
void crew_be_patient(struct crew *c, uint64_t ms);
/* Start all, with snapshot `fd` (stays the caller's, open until replaced). */
void crew_start(struct crew *c, int snapshot, uint64_t generation, const struct ports *ports);
/* Reload: have everyone prepare; then (all prepared) use, or forget. */
void crew_prepare(struct crew *c, int snapshot, uint64_t generation, const struct ports *ports);
/* One of those that are not; null: all are. */
const struct member *crew_unprepared(const struct crew *c, uint64_t generation);
bool crew_is_prepared(const struct crew *c, uint64_t generation);
bool crew_has_refused(const struct crew *c);
void crew_go(struct crew *c, int snapshot, uint64_t generation, const struct ports *ports);
void crew_forget(struct crew *c);
/* Every child that lives uses this generation. */
bool crew_has_applied(const struct crew *c, uint64_t generation);
/* End those that live and do not; they are started again. */
void crew_kill_late(struct crew *c);
/* False: there is no logger now; the next one opens them. */
bool crew_reopen(struct crew *c);
/* `gentle`: idle connections are not closed, but have the keepalive-timeout to ask once more. */
void crew_drain_workers(struct crew *c, uint64_t within_ms, bool gentle);
/* What workers that ended, and those that have let go of a snapshot, have counted by entry. */
void crew_add_up(struct crew *c);
void crew_end_logger(struct crew *c);
void crew_kill(struct crew *c);
uint32_t crew_workers_alive(const struct crew *c);
/* Reap what ended; to be called at SIGCHLD. */
void crew_reap(struct crew *c);

#endif
