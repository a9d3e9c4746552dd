/* SPDX-License-Identifier: MIT */
/*
 * member: one child process as its parent sees it: exec'd from the running binary, reached over a channel.
 * What it is told, and when it is started again, is its owner's business (crew, bureaus).
 */
#ifndef POSTERN_PROC_MEMBER_H
#define POSTERN_PROC_MEMBER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "base/log.h"
#include "ipc/channel.h"
#include "net/loop.h"

enum member_state { MEMBER_DOWN, MEMBER_STARTING, MEMBER_PREPARED, MEMBER_SERVING };

struct census_process;
struct crew;

struct member {
	struct crew      *crew;
	const char       *role; /* "worker", "logger", "auth", "signer", "admin" or "doctor" */
	char              name[32]; /* "worker 3", "the logger" */
	uint32_t          index;
	pid_t             pid;     /* 0: none */
	int               channel; /* -1: none */
	struct watch      watch;
	struct timer      again;   /* to be started again; while it lives: to be offered the snapshot in use again */
	uint64_t          since_us;
	unsigned          starts;
	unsigned          deaths;  /* in a row, soon after the start */
	enum member_state state;
	uint64_t          prepared, applied; /* generations */
	bool              refused;
	LIST_ENTRY(member) pulse;  /* among those that are asked whether their loop turns */
	unsigned          patience; /* rounds of the pulse that it may be silent; 0: it is not asked now */
	unsigned          silent;   /* rounds since it answered */
	bool              ended;    /* for its silence; it is not gone yet */
	struct log_limit  died_limit, again_limit; /* of one that keeps dying */
	struct log_limit  start_limit, deaf_limit, behind_limit, silent_limit; /* it cannot be started, be told, follow, or does not answer */
	struct census_process *census; /* its row; null: none */
	void            (*heard)(struct member *m, const struct message *msg);
};

/* Starts the binary `exe`; what the child says goes to m->heard. False with errno: m->pid tells whether there is a child nevertheless. */
bool member_spawn(struct member *m, struct loop *loop, int exe);
/* False: said in the operations log. */
bool member_say(struct member *m, enum message_type type, uint64_t number, const void *data, uint32_t n, const int *fd, unsigned n_fds);
/* For a child that still lives this is the order to drain and end. */
void member_close(struct member *m);
/* What is said of one that ended or is there again: each time at first, once a minute when it keeps dying. `limit` is one of its two. */
#define MEMBER_TOLD 5u
#define member_tell(m, limit, level, ...) \
	((m)->deaths <= MEMBER_TOLD ? log_write(level, __VA_ARGS__) : log_write_limited(&(m)->limit, level, __VA_ARGS__))
/* It has ended: counts deaths that come soon after the start. */
void member_died(struct member *m);
/* It uses this configuration; it does its work. */
void member_applied(struct member *m, uint64_t generation);
void member_serves(struct member *m);
/* Until the next try at it. */
uint64_t member_pause_ms(const struct member *m);
/* How it ended, for a person. */
const char *member_end_text(int status, char *buf, size_t n);

#endif
