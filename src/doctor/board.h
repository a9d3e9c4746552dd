/* SPDX-License-Identifier: MIT */
/*
 * board: what the last run of the doctor process found, in memory that it shares with those who show it.
 * One process writes, others read, without a lock; nothing here waits. Whoever reads trusts nothing: numbers are bounded and texts have their NUL afterwards.
 */
#ifndef POSTERN_DOCTOR_BOARD_H
#define POSTERN_DOCTOR_BOARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "doctor/result.h"

#define DOCTOR_ROWS_MAX (DOCTOR_TARGETS_MAX * DOCTOR_LANES_MAX)

/* One run, whole. */
struct doctor_report {
	uint64_t number;           /* of the run since the process began; 0: none yet */
	int64_t  began_s, ended_s; /* UNIX time */
	uint64_t took_ms;
	uint64_t interval_s;       /* as it was then */
	uint32_t n_parents;        /* that rules may send something through */
	uint32_t more;             /* targets that did not fit */
	uint32_t n_targets, n_rows;
	char     failed[200];      /* it could not run: why; "": it has run */
	char     parent[DOCTOR_PARENTS_MAX][DOCTOR_PARENT_NAME]; /* their names */
	_Alignas(8) struct doctor_target target[DOCTOR_TARGETS_MAX];
	_Alignas(8) int64_t bad_since_s[DOCTOR_TARGETS_MAX]; /* when it was first found bad without having been well since; 0: it is well */
	_Alignas(8) struct doctor_row row[DOCTOR_ROWS_MAX];  /* in any order */
};

/* In shared memory. */
struct doctor_board {
	_Atomic uint32_t     seq;       /* 0: nothing was written; odd: being written */
	_Atomic uint32_t     running;   /* rows of the run under way that are there, and one; 0: none is under way */
	_Atomic uint32_t     running_of;
	_Atomic int64_t      next_s;    /* UNIX time when the next run begins; 0: not known */
	struct doctor_report report;
};

/* A sealed memfd of the right size; -1 with errno. */
int                  doctor_board_create(void);
/* NULL with errno. `writes`: by the one process that does; the others map it so that they cannot. */
struct doctor_board *doctor_board_open(int fd, bool writes);
void                 doctor_board_close(struct doctor_board *b);
void                 doctor_board_write(struct doctor_board *b, const struct doctor_report *r);
/* Nobody writes now: nothing is known any more. */
void                 doctor_board_forget(struct doctor_board *b);
/* False: nothing is known (yet). A writer that died in the middle counts as nothing. */
bool                 doctor_board_read(const struct doctor_board *b, struct doctor_report *out);

/* The worst row of a target that speaks against it (doctor_counts); null: it is well. */
const struct doctor_row *doctor_report_worst(const struct doctor_report *r, uint32_t target);
/* "direct", "gateway", "parent NAME" */
const char *doctor_report_way(const struct doctor_report *r, const struct doctor_row *row, char buf[DOCTOR_PARENT_NAME + 8]);
/* Targets that can be tested, and those of them that are bad. */
void doctor_report_count(const struct doctor_report *r, uint32_t *tested, uint32_t *bad);

#endif
