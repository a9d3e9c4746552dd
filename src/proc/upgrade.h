/* SPDX-License-Identifier: MIT */
/*
 * upgrade: the program at our own path takes over, with what is open: as our child, which is given the listening sockets, and tells over a channel that it
 * serves. Both sides are here: the one that goes (upgrade) and the one that comes (heir).
 * Always true: until the new one has said that it serves, nothing of the old one has changed; one that does not say so is killed.
 *
 * The new one finds in its environment POSTERN_UPGRADE=CHANNEL,TABLE: two descriptors. The table's lines are "KEY\tINDEX\tDESCRIPTOR"; they are text, since the
 * new one may be another version.
 */
#ifndef POSTERN_PROC_UPGRADE_H
#define POSTERN_PROC_UPGRADE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "net/loop.h"
#include "proc/admin.h"
#include "proc/ports.h"

/* --- what is handed over --- */

struct estate_item {
	char    *key;   /* owned: "port ...", "control PATH", "pid PATH" */
	unsigned index; /* of a port: which worker's */
	int      fd;
};
struct estate {
	struct estate_item *v;
	size_t              n;
};
/* False: no memory; then nothing is to be handed over. */
bool estate_add(struct estate *e, unsigned index, int fd, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void estate_clear(struct estate *e);
/* Takes the descriptor out; -1: there is none. */
int estate_take(struct estate *e, unsigned index, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Listening sockets into an estate, and out of it again: as ports that ports_open finds what it wants in. NULL: none, or no memory. */
bool ports_bequeath(const struct ports *p, struct estate *e);
struct ports *ports_adopt(struct estate *e, uint32_t n_workers);
/* The files of UNIX sockets are another process's from now on; or ours. */
void ports_leave_files(struct ports *p);
void ports_own_files(struct ports *p);
/* The same of the admin process's sockets; given away, it ends, since it would answer for a gateway that is no more. */
bool admin_bequeath(const struct admin *a, struct estate *e);
void admin_adopt(struct admin *a, struct estate *e);
void admin_give_away(struct admin *a);

/* --- the one that goes --- */

struct upgrade {
	struct loop *loop;
	char        *program; /* owned: the path that we were started by */
	pid_t        pid;     /* of the one that comes; 0: none */
	int          channel;
	struct watch watch;
	struct timer deadline;
	bool         told;    /* that it may take over, which takes it a moment */
	char         why[1100];
	/* It serves (pid tells), or it does not and is gone: `how` says so for a person. Called once. */
	void       (*on_end)(void *arg, bool serves, const char *how);
	void        *arg;
};
void upgrade_init(struct upgrade *u, struct loop *loop, void (*on_end)(void *arg, bool serves, const char *how), void *arg);
/* Start the program with these words (argv, its name first). False: `u->why` says what went wrong, and on_end is not called. */
bool upgrade_begin(struct upgrade *u, const struct estate *e, char *const argv[], uint64_t within_ms);
static inline bool
upgrade_is_under_way(const struct upgrade *u)
{
	return u->pid != 0;
}
/* A child of this process ended. */
void upgrade_reaped(struct upgrade *u, pid_t pid, int status);
/* One that is taking over this very moment has done so; on_end is called. */
void upgrade_settle(struct upgrade *u);
/* Give it up, if it is under way, without a word. */
void upgrade_abandon(struct upgrade *u);
void upgrade_clear(struct upgrade *u);

/* --- the one that comes --- */

struct heir {
	int           channel; /* -1: started by nobody of ours */
	uint32_t      workers; /* how many the other one has: each address has so many sockets */
	struct estate estate;
	bool          taken;   /* the other one is out of it */
	struct watch  watch;
	void        (*on_taken)(void *arg);
	void         *arg;
};
/* Is this an upgrade? Then all that was handed over is in h->estate. */
bool heir_init(struct heir *h);
/* We serve; `on_taken` is called when the other one has heard it, or is gone. */
void heir_serves(struct heir *h, struct loop *loop, void (*on_taken)(void *arg), void *arg);
/* We cannot, and why. */
void heir_refuses(struct heir *h, const char *why);
void heir_clear(struct heir *h);

#endif
