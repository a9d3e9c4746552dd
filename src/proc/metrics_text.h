/* SPDX-License-Identifier: MIT */
/*
 * metrics_text: what is counted, in Prometheus' text format 0.0.4. Names postern_*, base units (seconds, bytes); counters end in _total.
 * Pure: reads shared memory and a snapshot, writes a text. The names of rules and listeners come from the snapshot only, so that labels are bounded.
 */
#ifndef POSTERN_PROC_METRICS_TEXT_H
#define POSTERN_PROC_METRICS_TEXT_H

#include "base/text.h"
#include "doctor/board.h"
#include "ipc/shared.h"
#include "policy/snapshot.h"

#define METRICS_TYPE      "text/plain; version=0.0.4; charset=utf-8"
#define METRICS_RULES     1000u /* with a label of their own; those beyond are counted together, rule="(other)" */
#define METRICS_LISTENERS 256u
#define METRICS_LISTS     256u

struct metrics_view {
	const struct shared   *shared;
	const struct snapshot *snap;     /* in use; null: none yet */
	int64_t                ca_until; /* seconds since the epoch; 0: no CA, or not known */
	int64_t                listener_until[METRICS_LISTENERS]; /* likewise, of each listener's certificate */
	bool                   orphaned; /* the parent is gone: what it wrote down of the state no longer holds */
	const struct doctor_board *board; /* what the doctor process found; null: not known */
	uint64_t               strangers; /* connections that the admin process closed unread */
};

/* What the doctor found last, to be freed; null: there is none, nothing is known, or no memory (*failed is set then). */
struct doctor_report *metrics_doctor(const struct metrics_view *v, bool *failed);
void metrics_write(struct text *out, const struct metrics_view *v);

#endif
