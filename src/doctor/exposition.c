/* SPDX-License-Identifier: MIT */
#include "doctor/exposition.h"

#include "doctor/metrics.h"

static void
one(struct text *t, const char *name, const char *help, const struct doctor_report *r, uint64_t v)
{
	text_printf(t, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name);
	if (r)
		text_printf(t, "%s %llu\n", name, (unsigned long long)v);
}

void
doctor_exposition(struct text *t, const struct doctor_report *r)
{
	uint32_t tested = 0, bad = 0;

	if (r)
		doctor_metrics(t, r->target, r->n_targets, r->row, r->n_rows, r->by_parent != 0, r->ended_s, r->took_ms);
	else
		doctor_metrics(t, NULL, 0, NULL, 0, false, 0, 0);
	one(t, "postern_doctor_interval_seconds", "Time between runs, as configured.", r, r ? r->interval_s : 0);
	one(t, "postern_doctor_run_failed", "1: the last run could not be made.", r, r ? r->failed[0] != '\0' : 0);
	text_str(t, "# HELP postern_doctor_endpoints Endpoints of the last run, by state; untested: wildcards of which no host is known, and those that were too many.\n"
	            "# TYPE postern_doctor_endpoints gauge\n");
	if (!r)
		return;
	doctor_report_count(r, &tested, &bad);
	text_printf(t, "postern_doctor_endpoints{state=\"well\"} %u\npostern_doctor_endpoints{state=\"bad\"} %u\npostern_doctor_endpoints{state=\"untested\"} %u\n", tested - bad, bad,
	    r->n_targets - tested + r->more);
}
