/* SPDX-License-Identifier: MIT */
/* cost: CPU of this thread, for tests of how a cost grows. */
#ifndef POSTERN_UNIT_COST_H
#define POSTERN_UNIT_COST_H

#include <stdint.h>
#include <time.h>

static inline uint64_t
cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

#endif
