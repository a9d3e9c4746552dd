/* SPDX-License-Identifier: MIT */
/*
 * commands: what the words at the control socket mean: reload, drain, upgrade, rotate and kill (proc/ends), whose askers hear how it went, and the questions status, rules,
 * lists and sessions (proc/answers, proc/answer_rules, proc/sightings).
 * Does nothing itself: the parent does, and tells here what became of it. Keeps the outline of the configuration in use, so that a reload can say what it changed.
 */
#ifndef POSTERN_PROC_COMMANDS_H
#define POSTERN_PROC_COMMANDS_H

#include <stdio.h>

#include "conf/outline.h"
#include "ipc/shared.h"
#include "proc/control.h"
#include "proc/crew.h"
#include "proc/ends.h"
#include "proc/sightings.h"

/* What a client waits for. */
enum command_wait { WAIT_NOTHING, WAIT_RELOAD_TO_COME, WAIT_RELOAD, WAIT_DRAIN, WAIT_UPGRADE, WAIT_ROTATE, WAIT_SESSIONS_TO_COME, WAIT_SESSIONS, WAIT_KILL };

/* How the gateway is, as its parent knows. */
struct command_view {
	const char *state; /* "serving" ... */
	uint64_t    generation;
	const char *holds; /* what the configuration consists of, in words */
	uint64_t    left_ms; /* draining: until the rest is cut off */
};

/* What the parent does when told. */
struct command_doings {
	void (*reload)(void *parent);
	void (*drain)(void *parent, uint64_t within_ms); /* UINT64_MAX: as configured */
	void (*upgrade)(void *parent);
	bool (*rotate)(void *parent); /* false: there is no logger now, so nothing to wait for */
	void (*look)(void *parent, struct command_view *v);
};

/* Counts at one moment, for rates. */
struct command_sample {
	uint64_t at_us, requests, by_action[4], bytes_in, bytes_out;
};

struct commands {
	struct crew          *crew;
	struct control       *control;
	struct control_place *place, *next_place; /* owned; null: none. next: of the configuration to come, when it is another one */
	struct outline       *outline, *next_outline; /* owned */
	char                 *file, *next_file; /* owned: where the configuration was read from; null: not known */
	bool                  has_next;
	struct sightings      sightings;
	struct ends           ends;
	const struct shared  *shared; /* borrowed; null: not known yet */
	char                 *problems; /* owned: what was wrong with the configuration of the reload under way */
	const struct command_doings *doings;
	void                 *parent;
	uint64_t              started_us;
	struct command_sample sample[2]; /* the older first */
	struct timer          rotated;   /* by then the logger has answered */
	struct timer          tick;      /* samples; while draining: progress */
	bool                  draining;
	bool                  borrowed; /* the socket's file is not ours (yet) */
};

/* `borrowed`: the socket may be an earlier parent's, until commands_start. */
void commands_init(struct commands *m, struct crew *crew, const struct command_doings *doings, void *parent, bool borrowed);
/* Begin to answer. */
void commands_start(struct commands *m, const struct shared *shared);
/* An upgrade has taken over. */
void commands_give_away(struct commands *m, const char *how);
void commands_clear(struct commands *m);

/* Make ready what `c` wants of it: the socket and the outline. False: reported. `adopted` (or -1): the socket's descriptor, from an earlier parent. */
bool commands_prepare(struct commands *m, const struct conf *c, struct report *r, int adopted);
void commands_forget(struct commands *m);
/* What was prepared is in use. */
void commands_use(struct commands *m);

/* The life of a reload, which the parent tells. */
void commands_reload_begins(struct commands *m); /* whoever asked until now waits for this one */
void commands_problems(struct commands *m, const struct report *r, const struct conf *c); /* printed on standard error, and told to those */
void commands_reloaded(struct commands *m, const char *summary);
void commands_not_reloaded(struct commands *m, const char *why);
/* The logger has opened its files anew, all but `failed`. */
void commands_rotated(struct commands *m, uint64_t failed, struct span first);
void commands_upgraded(struct commands *m, bool well, const char *how);
void commands_draining(struct commands *m);
/* The last thing: all is over. */
void commands_drained(struct commands *m);

/* --- answer_rules.c --- */
void answer_rules(struct commands *m, struct control_client *c);

/* --- answers.c --- */
extern const char *const action_words[4]; /* by enum action */
void answer_status(struct commands *m, struct control_client *c);
/* `fill` writes a text; all of it is the answer. */
void answer_with(struct commands *m, struct control_client *c, void (*fill)(const struct commands *m, const void *what, FILE *f), const void *what);
void answer_sample(struct commands *m, struct command_sample *out);
/* "3d 4h", "12.3s"; "1.2M". They return buf. */
const char *age_print(uint64_t ms, char *buf, size_t n);
const char *size_print(uint64_t bytes, char *buf, size_t n);

/* --- answer_lists.c --- */
void answer_lists(struct commands *m, struct control_client *c);

/* --- answer_evidence.c --- */
/* The table of evidence as it is (ipc/evidence.h), a JSON object on each line; what to do about it is not the gateway's to say. */
void answer_suggest(struct commands *m, struct control_client *c);

#endif
