/* SPDX-License-Identifier: MIT */
#include "lint/lint.h"

#include "lint/parts.h"

void
lint_no_memory(struct report *r)
{
	report_error(r, (struct where){0}, "out of memory while the configuration is looked through");
}

void
lint_check(struct conf *c, int block, struct report *r)
{
	struct snapshot *s;

	lint_files(c, r);
	lint_patterns(c, r);
	lint_lists_untested(c, r);
	if (block < 0)
		return;
	s = snapshot_open(block, true);
	if (!s) {
		lint_no_memory(r);
		return;
	}
	lint_endpoints(c, s, r);
	lint_bypass(c, s, r);
	snapshot_unref(s);
}
