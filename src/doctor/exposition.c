/* SPDX-License-Identifier: MIT */
#include "doctor/exposition.h"

#include "match/host_spec.h"

static void
family(struct text *t, const char *name, const char *help)
{
	text_printf(t, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name);
}

static void
escaped(struct text *t, const char *s)
{
	for (; *s; s++) {
		if (*s == '\\' || *s == '"')
			text_str(t, "\\");
		text_add(t, (unsigned char)*s < 0x20 || *s == 0x7f ? SPAN("?") : span_of(s, 1));
	}
}

static void
labels(struct text *t, const struct doctor_target *of, const struct doctor_row *row)
{
	text_str(t, "{host=\"");
	escaped(t, of->host);
	text_printf(t, "\",port=\"%u\",scheme=\"%s\",list=\"", of->port, of->scheme == SCHEME_HTTP ? "http" : "https");
	escaped(t, of->list);
	text_printf(t, "\",way=\"%s\"", doctor_way_word((enum doctor_way)row->way));
}

/* Was it tried, and does it say something? Where a parent carries the traffic, it says nothing that the direct way is shut. */
static bool
is_told(const struct doctor_report *r, const struct doctor_row *row)
{
	return row->fault != DOCTOR_NOT_TRIED && !r->target[row->target].no_probe && (!doctor_is_bad((enum doctor_fault)row->fault) || doctor_counts(row, r->by_parent != 0));
}

static void
ups(struct text *t, const struct doctor_report *r)
{
	family(t, "postern_doctor_endpoint_up", "1: the endpoint of a bypass rule was reached this way, untouched; 0: it was not.");
	for (uint32_t i = 0; r && i < r->n_rows; i++)
		if (is_told(r, &r->row[i])) {
			text_str(t, "postern_doctor_endpoint_up");
			labels(t, &r->target[r->row[i].target], &r->row[i]);
			text_printf(t, "} %d\n", !doctor_is_bad((enum doctor_fault)r->row[i].fault));
		}
	family(t, "postern_doctor_fault", "1; what was found, in the label; nothing where all was well.");
	for (uint32_t i = 0; r && i < r->n_rows; i++)
		if (is_told(r, &r->row[i]) && r->row[i].fault != DOCTOR_OK) {
			text_str(t, "postern_doctor_fault");
			labels(t, &r->target[r->row[i].target], &r->row[i]);
			text_printf(t, ",fault=\"%s\"} 1\n", doctor_fault_word((enum doctor_fault)r->row[i].fault));
		}
	family(t, "postern_doctor_certificate_expiry_timestamp_seconds", "When the certificate that the endpoint showed ends.");
	for (uint32_t i = 0; r && i < r->n_rows; i++)
		if (is_told(r, &r->row[i]) && r->row[i].not_after > 0) {
			text_str(t, "postern_doctor_certificate_expiry_timestamp_seconds");
			labels(t, &r->target[r->row[i].target], &r->row[i]);
			text_printf(t, "} %lld\n", (long long)r->row[i].not_after);
		}
}

void
doctor_exposition(struct text *t, const struct doctor_report *r)
{
	uint32_t tested = 0, bad = 0;

	ups(t, r);
	family(t, "postern_doctor_last_run_timestamp_seconds", "When the last run ended.");
	if (r)
		text_printf(t, "postern_doctor_last_run_timestamp_seconds %lld\n", (long long)r->ended_s);
	family(t, "postern_doctor_run_duration_seconds", "What the last run took.");
	if (r)
		text_printf(t, "postern_doctor_run_duration_seconds %llu.%03u\n", (unsigned long long)(r->took_ms / 1000), (unsigned)(r->took_ms % 1000));
	family(t, "postern_doctor_interval_seconds", "Time between runs, as configured.");
	if (r)
		text_printf(t, "postern_doctor_interval_seconds %llu\n", (unsigned long long)r->interval_s);
	family(t, "postern_doctor_run_failed", "1: the last run could not be made.");
	if (r)
		text_printf(t, "postern_doctor_run_failed %d\n", r->failed[0] != '\0');
	family(t, "postern_doctor_endpoints", "Endpoints of the last run, by state; untested: wildcards of which no host is known, and those that were too many.");
	if (r) {
		doctor_report_count(r, &tested, &bad);
		text_printf(t, "postern_doctor_endpoints{state=\"well\"} %u\npostern_doctor_endpoints{state=\"bad\"} %u\npostern_doctor_endpoints{state=\"untested\"} %u\n", tested - bad, bad,
		    r->n_targets - tested + r->more);
	}
}
