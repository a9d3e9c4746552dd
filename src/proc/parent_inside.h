/* SPDX-License-Identifier: MIT */
/*
 * parent_inside: what the files of the parent share: parent (start, what children tell), reload, and hand_over (the end, upgrade, what is asked at the control socket).
 */
#ifndef POSTERN_PROC_PARENT_INSIDE_H
#define POSTERN_PROC_PARENT_INSIDE_H

#include "base/log.h"
#include "policy/snapshot.h"
#include "proc/admin.h"
#include "proc/commands.h"
#include "proc/crew.h"
#include "proc/parent.h"
#include "proc/pid_file.h"
#include "proc/ports.h"
#include "proc/upgrade.h"

#define RELOAD_WAIT_MS 10000u
#define LOOK_MS        5000u /* between two looks at files */
#define LATE_MS        2000u /* beyond drain-timeout, before children are killed */

/* LEAVING: told to stop, and says so, but takes what comes until balancers have seen it */
enum parent_state { PARENT_STARTING, PARENT_SERVING, PARENT_RELOADING, PARENT_LEAVING, PARENT_DRAINING, PARENT_FLUSHING };

struct parent {
	struct parent_options options;
	struct loop          *loop;
	struct crew           crew;
	struct admin          admin;
	struct rounds         rounds;
	struct shared        *shared; /* what is counted, and its descriptor; made before the first configuration is compiled */
	int                   shared_fd;
	enum parent_state     state;
	struct timer          deadline;
	struct timer          watchdog; /* until then the service manager hears that the loop turns */
	struct signal_watch   hup, term, interrupt, usr1, usr2, child;
	struct commands       commands;
	struct upgrade        upgrade;
	struct heir           heir; /* what an earlier parent handed over */
	struct pid_file       pid;

	struct ports *ports; /* in use */
	int           snapshot;
	uint64_t      generation;
	uint64_t      delay_ms, drain_ms, upgrade_ms;
	uint64_t      cut_at_us; /* draining: when the rest is cut off */
	bool          gentle;    /* draining after an upgrade */
	char         *user;
	uint8_t       log_key[LOG_KEY_BYTES]; /* made when the gateway starts, kept nowhere else */
	uint32_t      workers; /* as configured, `auto` resolved */
	struct parent_slots parent_slots, next_parent_slots; /* of the proxies behind us */
	char          holds[160], will_hold[160]; /* what the configurations in use and to come consist of, in words */

	uint64_t     tried; /* the last state of the files that a snapshot carries that was taken on, or could not be */
	struct timer look;  /* at them again */

	struct ports *next_ports; /* while reloading */
	int           next_snapshot;
	struct slots *next_numbers; /* owned; null: they stay */
	uint64_t      next_delay_ms, next_drain_ms, next_upgrade_ms, next_hang_ms;
	struct bureau_plan next_plan;
	char          key_at[256]; /* where the ca-key to come is named, and which: "FILE:LINE: ca-key" */
	bool          has_next_plan; /* a refresh has none: what the auth processes are stays */
	enum log_level next_level;
	bool          again; /* a SIGHUP came while reloading */
	bool          upgrade_next; /* a SIGUSR2 came when nothing could be handed over yet */
	int           code;
};

/* --- reload.c --- */
uint32_t parent_workers_of(const struct conf *c); /* `auto` resolved */
/* Open what is new, compile. False: everything wrong is in `r`; nothing changed. */
bool parent_build(struct parent *p, struct conf *c, struct report *r, struct ports **ports, int *snapshot);
/* What the configuration that was built counts under, and its plain values, are in use. A refresh of files has none: all of that stays. */
void parent_take_on(struct parent *p);
void parent_forget_numbers(struct parent *p); /* of one that is not taken on */
void parent_reload(void *parent);
/* While reloading: something has changed in the crew. Goes on, finishes, or gives it up. */
void parent_reload_step(struct parent *p);
void parent_reload_abort(struct parent *p, const char *why);
/* Of a reload under way nothing is left. */
void parent_reload_drop(struct parent *p);
/* Again and again: have the files changed that a snapshot carries? The configuration stays; only what is known of this machine's names, of roots and of what is
 * revoked is new. */
void parent_look_at_files(void *parent);
/* What came meanwhile: its turn. */
void parent_go_on(struct parent *p);
/* Every process uses the one configuration, and nothing is being handed over. */
bool parent_is_settled(const struct parent *p);

/* --- hand_over.c --- */
void parent_stop(void *parent); /* drain and end; a second time: at once */
void parent_leave(struct parent *p); /* drain-delay is over */
void parent_drain(void *parent, uint64_t within_ms);
void parent_upgrade(void *parent);
/* The program that was started in our place serves, or is gone. */
void parent_upgraded(void *parent, bool serves, const char *how);
/* We serve, and nobody was there before us, or is any more: what only one can have is ours. */
void parent_take_over(void *parent);
bool parent_hold_pid_file(struct parent *p, const struct conf *c, struct report *r);
/* Tell the service manager that the loop turns, again and again, where it wants that. */
void parent_watchdog(void *parent);
void parent_look(void *parent, struct command_view *v);

#endif
