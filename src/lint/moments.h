/* SPDX-License-Identifier: MIT */
/*
 * moments: clients, listeners and times for which rules may differ: each side of each boundary that a rule or listener names. Together they stand for all.
 * Always true: each client is one that its listener lets in; the first moments are one for each listener.
 */
#ifndef POSTERN_LINT_MOMENTS_H
#define POSTERN_LINT_MOMENTS_H

#include "conf/conf.h"
#include "policy/snapshot.h"

#define MOMENTS_MAX 10000u /* more are not looked at: rules of that many networks differ, if they do, at one of those already */

struct moment {
	struct addr client;
	uint16_t    listener;
	uint16_t    week_minute;
};

struct moments {
	struct moment *v; /* owned */
	size_t         n, room;
};

/* False: no memory. */
bool moments_init(struct moments *m, const struct conf *c, const struct snapshot *s);
void moments_clear(struct moments *m);
/* " (client 10.0.0.1, listener edge, mon 08:00)", cut to n. Returns buf. */
const char *moment_tell(const struct moment *m, const struct conf *c, char *buf, size_t n);

#endif
