/* SPDX-License-Identifier: MIT */
/*
 * metrics: what was found as Prometheus text (exposition format 0.0.4), for the command, the text file and the admin address alike.
 */
#ifndef POSTERN_DOCTOR_METRICS_H
#define POSTERN_DOCTOR_METRICS_H

#include <stddef.h>

#include "base/text.h"
#include "doctor/result.h"

/* Rows of targets beyond n are passed over. `when`: UNIX time of the run's end; took_ms: how long it was; 0: nothing is known, and only what
 * each line would be is written. */
void doctor_metrics(struct text *to, const struct doctor_target *target, size_t n, const struct doctor_row *row, size_t n_rows, bool by_parent, int64_t when,
    uint64_t took_ms);

#endif
