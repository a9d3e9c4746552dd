/* SPDX-License-Identifier: MIT */
/*
 * exposition: a run of the doctor as Prometheus' text, for /metrics and for the file of [doctor] textfile. Bounded by DOCTOR_TARGETS_MAX.
 * Pure: reads a report, writes a text.
 */
#ifndef POSTERN_DOCTOR_EXPOSITION_H
#define POSTERN_DOCTOR_EXPOSITION_H

#include "base/text.h"
#include "doctor/board.h"

/* `r` null: nothing is known yet; then only what each line would be. */
void doctor_exposition(struct text *out, const struct doctor_report *r);

#endif
