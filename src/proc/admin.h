/* SPDX-License-Identifier: MIT */
/*
 * admin: the admin process as the parent sees it, and its listening sockets, which the parent makes and keeps.
 * Always true: nobody waits for it. Start, reload and drain go on as if it were not there; one that does not follow a reload, or does not say that it is
 * alive, is ended and started again. It stays while the workers drain, and goes with the logger.
 */
#ifndef POSTERN_PROC_ADMIN_H
#define POSTERN_PROC_ADMIN_H

#include "conf/conf.h"
#include "proc/member.h"

#define ADMIN_PORTS 8u

struct admin_ports {
	uint32_t n;
	struct {
		struct endpoint asked; /* as configured */
		struct endpoint bound; /* with the port that the kernel chose */
		int             fd;
	} v[ADMIN_PORTS];
};

struct admin {
	struct crew       *crew; /* null: not there yet */
	struct member      m;
	struct admin_ports now, next;
	bool               has_next;
	struct timer       follow; /* by then it uses what the others use, or has ended */
};

/* Open the sockets that `c` wants; those that stay are shared. False: every address that cannot be opened is in `r`. */
bool admin_prepare(struct admin *a, const struct conf *c, struct report *r);
/* The addresses to come, into `out` (room for ADMIN_PORTS); returns how many. */
size_t admin_own(const struct admin *a, struct endpoint *out);
/* What was prepared is in use from now on, which admin_go tells the process; or is dropped. */
void admin_take(struct admin *a);
void admin_forget(struct admin *a);

void admin_init(struct admin *a, struct crew *c);
void admin_clear(struct admin *a);
/* The crew has a new snapshot in use: tell the process, start it, or end it, as the configuration wants. */
void admin_go(struct admin *a);
void admin_reap(struct admin *a, pid_t pid, int status);
void admin_kill(struct admin *a);

#endif
