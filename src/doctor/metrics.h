/* SPDX-License-Identifier: MIT */
/*
 * metrics: what was found as Prometheus text (exposition format 0.0.4), for the command, the text file and the admin address alike.
 */
#ifndef POSTERN_DOCTOR_METRICS_H
#define POSTERN_DOCTOR_METRICS_H

#include <stddef.h>

#include "base/text.h"
#include "doctor/result.h"

/* One run; all of it is the caller's. */
struct doctor_found {
	const struct doctor_target *target;
	const struct doctor_row    *row; /* those of targets beyond n are passed over */
	size_t                      n, n_rows;
	const char                 *parent[DOCTOR_PARENTS_MAX]; /* names */
	unsigned                    n_parents;
	int64_t                     when;    /* UNIX time of its end; 0: nothing is known, and only what each line would be is written */
	uint64_t                    took_ms;
};
void doctor_metrics(struct text *to, const struct doctor_found *f);

#endif
