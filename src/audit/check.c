/* SPDX-License-Identifier: MIT */
#include "audit/check.h"

#include "audit/format.h"

void
log_formats_check(const struct conf *c, struct report *r)
{
	const struct conf_log *l;

	TAILQ_FOREACH(l, &c->logs, link)
	{
		char               why[160];
		struct log_format *f = log_format_new(l->format, l->custom, l->log_query, why);
		if (!f)
			report_error(r, l->format_at, "format: %s", *why ? why : "out of memory");
		log_format_free(f);
	}
}
