/* SPDX-License-Identifier: MIT */
/*
 * clock: the two clocks. Monotonic for durations and deadlines, real time for log lines.
 */
#ifndef POSTERN_BASE_CLOCK_H
#define POSTERN_BASE_CLOCK_H

#include <stdint.h>

uint64_t clock_mono_us(void);
uint64_t clock_real_us(void); /* since the epoch */

#endif
