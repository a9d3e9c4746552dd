/* SPDX-License-Identifier: MIT */
/* host_open: a host_set as a process has it open. Private to match/: host_set.c looks names up, host_read.c reads its patterns. */
#ifndef POSTERN_MATCH_HOST_OPEN_H
#define POSTERN_MATCH_HOST_OPEN_H

#include "match/addr_set.h"
#include "match/host_flat.h"
#include "match/host_set.h"
#include "match/loose.h"

struct host_set {
	struct name_index           index;
	const struct host_value    *value;
	const struct host_set_flat *flat;
	const char                 *block;
	const struct addr_set      *addrs;
	struct loose               *loose; /* owned; null: there are no globs or regexes, or nobody looks anything up */
	uint32_t                    n_loose_tags;
};

#endif
