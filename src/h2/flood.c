/* SPDX-License-Identifier: MIT */
#include "h2/flood.h"

bool
h2_flood_pour(struct h2_flood *f, uint64_t now_us, uint32_t cost)
{
	uint64_t out = (now_us - f->since_us) * H2_FLOOD_LEAK / 1000000;

	/* what is left of the time after whole drops stays to the next call's credit */
	if (out > 0) {
		f->since_us = out > H2_FLOOD_ROOM ? now_us : f->since_us + out * 1000000 / H2_FLOOD_LEAK;
		f->level -= out < f->level ? (uint32_t)out : f->level;
	}
	f->level += cost;
	return f->level <= H2_FLOOD_ROOM;
}

void
h2_flood_take(struct h2_flood *f, uint32_t worth)
{
	f->level -= worth < f->level ? worth : f->level;
}
