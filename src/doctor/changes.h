/* SPDX-License-Identifier: MIT */
/*
 * changes: what a run found otherwise than the one before, told in the operations log: a line for each endpoint that went bad or is well again, and a bounded
 * number of them. An endpoint that stays as it was is not told of.
 */
#ifndef POSTERN_DOCTOR_CHANGES_H
#define POSTERN_DOCTOR_CHANGES_H

#include "doctor/board.h"

#define DOCTOR_CHANGES_TOLD 20u /* of each run */

/* `before`: null or empty: nothing is known. Fills in now->bad_since_s. */
void doctor_changes(const struct doctor_report *before, struct doctor_report *now);

#endif
