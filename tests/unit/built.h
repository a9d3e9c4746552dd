/* SPDX-License-Identifier: MIT */
/* built: the block of a configuration, for tests of what reads one. */
#ifndef POSTERN_UNIT_BUILT_H
#define POSTERN_UNIT_BUILT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>

#include "policy/snapshot.h"

/* Its descriptor. Frees `c` and clears `r`; whatever is wrong ends the test. */
static inline int
block_built(struct conf *c, struct report *r, const struct snapshot_inputs *in)
{
	int fd;

	assert_non_null(c);
	fd = snapshot_build(c, in, r);
	if (fd < 0)
		report_print(r, c, stderr);
	assert_true(fd >= 0);
	conf_free(c);
	report_clear(r);
	return fd;
}

#endif
