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
	struct doctor_found f = {0};
	uint32_t            tested = 0, bad = 0;

	if (r) {
		f = (struct doctor_found){.target = r->target, .n = r->n_targets, .row = r->row, .n_rows = r->n_rows, .n_parents = r->n_parents, .when = r->ended_s, .took_ms = r->took_ms};
		for (uint32_t i = 0; i < r->n_parents; i++)
			f.parent[i] = r->parent[i];
	}
	doctor_metrics(t, &f);
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
