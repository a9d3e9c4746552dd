/* SPDX-License-Identifier: MIT */
/* random: the same numbers in each run (xorshift64). Included by one test program each. */
#ifndef POSTERN_UNIT_RANDOM_H
#define POSTERN_UNIT_RANDOM_H

#include <stdint.h>

static uint64_t random_seed = 0x9e3779b97f4a7c15u;

static inline uint64_t
random_next(void)
{
	random_seed ^= random_seed << 13;
	random_seed ^= random_seed >> 7;
	random_seed ^= random_seed << 17;
	return random_seed;
}

static inline uint32_t
random_below(uint32_t n)
{
	return (uint32_t)((random_next() >> 16) % n);
}

#endif
