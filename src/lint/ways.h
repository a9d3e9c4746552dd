/* SPDX-License-Identifier: MIT */
/*
 * ways: how a host item of a bypass rule is asked for: names that it holds for, and schemes, methods, ports and addresses at which rules may differ.
 * Always true: what is asked for is something that the item holds for, at a port that a request may go to.
 */
#ifndef POSTERN_LINT_WAYS_H
#define POSTERN_LINT_WAYS_H

#include "lint/ask.h"
#include "match/host_spec.h"

#define WAYS_MOST 32u

struct way {
	enum url_scheme scheme;
	uint16_t        port;
	struct span     method;
	struct addr     to; /* where the name leads */
	bool            has_to;
};

/* The first two are the usual ones: a CONNECT to port 443, a GET at port 80. */
struct ways {
	struct way           v[WAYS_MOST];
	size_t               n;
	const struct egress *egress;
};

void ways_init(struct ways *w, const struct conf *c, const struct snapshot *s);
/* The usual way of an item: its number. */
size_t ways_usual(const struct host_spec *spec);
/* The question about the `name`-th name (0, 1) of an item, in this way. False: there is none, or it is not to be asked so. */
bool ways_question(const struct ways *w, size_t way, const struct host_spec *spec, unsigned name, struct probe_request *q);
/* " (POST over plain HTTP)", cut to n; "" for a usual way. Returns buf. */
const char *way_tell(const struct ways *w, size_t way, char *buf, size_t n);

#endif
