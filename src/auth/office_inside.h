/* SPDX-License-Identifier: MIT */
/*
 * office_inside: what the files of the office share, and nobody else includes: office.c (asks come in, the back end is opened), office_turn.c (who is
 * asked next, and when the back end is looked at), office_work.c (the life of one ask).
 */
#ifndef POSTERN_AUTH_OFFICE_INSIDE_H
#define POSTERN_AUTH_OFFICE_INSIDE_H

#include <sys/queue.h>

#include "auth/breaker.h"
#include "auth/lockout.h"
#include "auth/office.h"
#include "auth/pool.h"
#include "base/log.h"

#define PING_AGAIN_MS 1000u
#define TIMEOUT_MS    5000u /* before there is a snapshot */
#define QUEUE         100u  /* likewise */
#define SEATS         256u  /* by which clients are told apart: those that have the same one share their turns */

/* A back end, for as long as somebody checks with it. Counted by the loop's thread alone. */
struct opened {
	const struct back_ops *ops;
	struct back           *back;
	unsigned               refs;
};

enum work_state { WORK_HELD, WORK_QUEUED, WORK_RUNNING };

struct work {
	struct pool_job job; /* first: the pool knows it as this */
	TAILQ_ENTRY(work) link; /* queue, or held */
	struct office  *office;
	uint32_t        from;
	uint64_t        id;
	char           *packet; /* owned; the ask's parts point into it; null: a ping, or names */
	struct ntlm_names *names; /* owned; to be found out; null: an ask, or a ping */
	size_t          n;
	struct ask      ask;
	struct lockout  lockout;
	enum work_state state;
	uint8_t         seat; /* its client's */
	bool            answered; /* at its deadline; what the thread brings later only teaches us something */
	bool            probe;    /* the breaker waits for it */
	struct timer    deadline, hold;
	uint64_t        until_us;
	struct opened  *with;
	/* by the thread */
	bool            found; /* the ping went well, the names are known */
	struct answer   answer;
};
TAILQ_HEAD(work_list, work);

struct office {
	struct loop         *loop;
	struct office_config c;
	struct opened       *opened; /* null: none */
	char                 why[BACK_WHY_MAX]; /* none, or down: why */
	struct auth_settings set;
	struct breaker       breaker;
	struct timer         probe;
	struct work_list     queue, held;
	unsigned             n_queue, n_held;
	unsigned             waiting[SEATS]; /* in the queue */
	uint64_t             turn_of[SEATS], turns; /* when each had its last turn */
	size_t               bytes;
	struct log_limit     trouble, full, down, back;
	struct pool         *pool;
	bool                 counts; /* failed log-ons are counted: of directories, which lock accounts, and of files, at which one could guess for ever */
};

/* --- office.c --- */

void opened_unref(struct opened *b);

/* --- office_turn.c --- */

/* Gives what waits to whoever is idle: clients in turns, so that one who asks much keeps nobody else waiting; those of one client as they came. */
void office_dispatch(struct office *o);
/* By which its turns are counted. */
uint8_t office_seat(const struct office *o, const struct addr *client);
/* The queue is full. Whoever has most in it gives up its last place, unless `w` comes from there too. False: nobody. */
bool office_make_place(struct office *o, const struct work *w);
void office_refuse_queue(struct office *o);
/* Settles what need not be asked; else says whether it may be asked now (LOCKOUT_ASK) or has to wait. The work is gone when it is neither. */
enum lockout_verdict office_judge(struct office *o, struct work *w);
/* Why it cannot be taken now. Null: it can. */
const char *office_is_closed(struct office *o, uint64_t now_us);
void        office_on_probe(void *arg);
/* What an answer, or the lack of one, says about the back end. */
void        office_note_health(struct office *o, bool good, const char *why);
bool        office_has_stuck(const struct office *o); /* a thread is in the back end for longer than an ask may take */
uint64_t    office_timeout_ms(const struct office *o);

/* --- office_work.c --- */

void work_init(struct work *w, struct office *o); /* one that holds itself back sets its `hold` anew */
void work_free(struct work *w);
/* Out of the queue, or of the tarpit. */
void work_leave(struct work *w);
/* The only way that an answer goes out. */
void work_tell(struct work *w, const struct answer *a);
/* An answer of our own: the back end has not been asked. Ends it. */
void work_refuse(struct work *w, enum ask_result result, uint32_t retry_after_s, const char *why);
/* In the thread of this number. */
void work_do(struct work *w, unsigned thread);
/* The thread brought it back. */
void work_done(struct work *w);
/* Its time is over: it has been refused. */
bool work_is_late(struct work *w);
/* Do they try the same password of the same user? */
bool work_is_twin(const struct work *a, const struct work *b);

#endif
