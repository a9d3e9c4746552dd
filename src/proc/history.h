/* SPDX-License-Identifier: MIT */
/*
 * history: what the workers have counted, looked at every two seconds for ten minutes, so that a page that is opened shows the past at once.
 * Kept by the admin process; what it makes of it are points: rates over the ten seconds before, times over the minute before.
 */
#ifndef POSTERN_PROC_HISTORY_H
#define POSTERN_PROC_HISTORY_H

#include "ipc/shared.h"

#define HISTORY_EVERY_MS 2000u
#define HISTORY_POINTS   300u

enum point_field {
	POINT_TUNNELS, POINT_CONNECTIONS, /* now */
	POINT_BYPASS, POINT_TUNNEL, POINT_INSPECT, POINT_DENY, /* decided, a second */
	POINT_REFUSED, POINT_LOG_ON, POINT_SERVER, POINT_CLIENT, /* ended with a fault, a second: by whose fault */
	POINT_RECEIVED, POINT_SENT, /* bytes a second, of what ended */
	POINT_CONNECT_HALF, POINT_CONNECT_MOST, POINT_REQUEST_HALF, POINT_REQUEST_MOST, /* milliseconds: half and 95 % of them took no longer */
	POINT_FIELDS
};
/* Of each field, as JSON and the page's script name it. */
extern const char *const point_word[POINT_FIELDS];
#define POINT_NONE UINT64_MAX

/* In thousandths. */
struct point {
	uint64_t v[POINT_FIELDS];
};

struct sample {
	uint64_t at_us; /* CLOCK_MONOTONIC */
	uint64_t tunnels, connections;
	uint64_t by_action[4], by_fault[FAULT_COUNT];
	uint64_t bytes_in, bytes_out;
	uint64_t connect[HISTOGRAM_BOUNDS + 1], request[HISTOGRAM_BOUNDS + 1];
};

struct history {
	unsigned      n, next; /* of v */
	struct sample v[HISTORY_POINTS];
};

void history_add(struct history *h, const struct shared *s, uint64_t now_us);
/* The oldest is 0; false: there are not so many. */
bool history_point(const struct history *h, unsigned i, struct point *out);
/* How often this fault came since the oldest point. */
uint64_t history_faults(const struct history *h, enum fault f);
/* The time that `per_thousand` of them stayed below, in microseconds, by the line between two bounds; POINT_NONE: there were none. `n`: by bucket. */
uint64_t histogram_quantile(const uint64_t n[HISTOGRAM_BOUNDS + 1], unsigned per_thousand);

#endif
