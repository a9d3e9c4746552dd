/* SPDX-License-Identifier: MIT */
/*
 * flood: what a peer may do for nothing, in a while. A bucket that leaks: frames that only make work pour in, useful work takes out.
 * Pure; the owner says what time it is.
 */
#ifndef POSTERN_H2_FLOOD_H
#define POSTERN_H2_FLOOD_H

#include <stdbool.h>
#include <stdint.h>

#define H2_FLOOD_ROOM 10000u /* what the bucket holds */
#define H2_FLOOD_LEAK 1000u  /* what runs out in a second */

/* What things cost. A whole answer takes out as much as a reset stream pours in: who takes answers may cancel as often. */
enum h2_cost {
	H2_COST_WINDOW = 1,
	H2_COST_TINY = 1,     /* DATA of a few bytes */
	H2_COST_CONTINUED = 5,
	H2_COST_PRIORITY = 5,
	H2_COST_PING = 10,
	H2_COST_INTERIM = 10, /* a head before the final one */
	H2_COST_EMPTY = 20,   /* DATA without data */
	H2_COST_RESET = 40,   /* a stream that ended early, whoever reset it */
	H2_COST_SETTINGS = 100,
	H2_WORTH_DATA = 2,
	H2_WORTH_STREAM = 40
};

struct h2_flood {
	uint64_t since_us;
	uint32_t level;
};

/* False: that is too much. */
bool h2_flood_pour(struct h2_flood *f, uint64_t now_us, uint32_t cost);
void h2_flood_take(struct h2_flood *f, uint32_t worth);

#endif
