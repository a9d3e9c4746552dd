/* SPDX-License-Identifier: MIT */
/*
 * rounds: the doctor process as the parent sees it, its plan and the board that it writes on; and the file of [doctor] textfile, which the parent writes.
 * Always true: nobody waits for it. Start, reload and drain go on as if it were not there; one that does not follow a reload, or does not say that it is
 * alive, is ended and started again. It ends when a drain begins.
 */
#ifndef POSTERN_PROC_ROUNDS_H
#define POSTERN_PROC_ROUNDS_H

#include "conf/conf.h"
#include "doctor/board.h"
#include "proc/member.h"

struct text;

/* What a configuration asks for. */
struct rounds_plan {
	int      fd;       /* owned; -1: no doctor */
	uint32_t n_parents, parent[DOCTOR_PARENTS_MAX]; /* whose credentials go with it: the numbers of the [parent]s */
	char    *textfile; /* owned; null: none */
};

struct rounds {
	struct crew         *crew; /* null: not there yet */
	struct member        m;
	int                  board_fd, board_read_fd; /* -1: none; the second cannot write */
	struct doctor_board *board;
	struct rounds_plan   now, next;
	bool                 has_next;
	struct timer         follow; /* by then it uses what the others use, or has ended */
	struct log_limit     file_limit;
};

void rounds_begin(struct rounds *r); /* empty, before anything else */
/* Make the plan of `c`. False: reported. */
bool rounds_prepare(struct rounds *r, const struct conf *c, struct report *report);
/* What was prepared is in use from now on, which rounds_go tells the process; or is dropped. */
void rounds_take(struct rounds *r);
void rounds_forget(struct rounds *r);

/* False: no memory for the board. */
bool rounds_init(struct rounds *r, struct crew *c);
void rounds_clear(struct rounds *r);
/* The crew has a new snapshot in use: tell the process, start it, or end it, as the configuration wants. */
void rounds_go(struct rounds *r);
void rounds_reap(struct rounds *r, pid_t pid, int status);
void rounds_kill(struct rounds *r);

/* --- answer_doctor.c --- */
/* What is known, for the control socket: one that may be long. */
struct commands;
struct control_client;
void answer_doctor(struct commands *m, struct control_client *c);

#endif
