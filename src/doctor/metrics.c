/* SPDX-License-Identifier: MIT */
#include "doctor/metrics.h"

#include "parse/authority.h"

/* A label's value: backslash, quote and line feed escaped; hosts and list names hold nothing else that matters, but a list entry may. */
static void
label(struct text *to, const char *name, const char *value)
{
	text_printf(to, "%s=\"", name);
	for (const char *c = value; *c; c++) {
		if (*c == '\\' || *c == '"')
			text_printf(to, "\\%c", *c);
		else if ((unsigned char)*c < 0x20 || *c == 0x7f)
			text_str(to, "?");
		else
			text_add(to, span_of(c, 1));
	}
	text_str(to, "\"");
}

static void
labels(struct text *to, const struct doctor_found *f, const struct doctor_row *r)
{
	const struct doctor_target *t = &f->target[r->target];


	text_str(to, "{");
	label(to, "host", t->host);
	text_printf(to, ",port=\"%u\",scheme=\"%s\",", t->port, t->scheme == SCHEME_HTTP ? "http" : "https");
	label(to, "list", t->list);
	text_str(to, ",");
	label(to, "way", doctor_way_word(r->way));
	if (r->way == DOCTOR_PARENT) {
		text_str(to, ",");
		label(to, "parent", r->parent < f->n_parents ? f->parent[r->parent] : "");
	}
}

static void
head(struct text *to, const char *name, const char *help)
{
	text_printf(to, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name);
}

/* Where a parent carries the traffic, it says nothing that the direct way is shut. */
static bool
was_tried(const struct doctor_found *f, const struct doctor_row *r)
{
	return r->target < f->n && r->fault != DOCTOR_NOT_TRIED && (!doctor_is_bad(r->fault) || doctor_counts(r, &f->target[r->target]));
}

void
doctor_metrics(struct text *to, const struct doctor_found *f)
{
	static const char *const steps[] = {"dns", "tcp", "proxy", "tls", "http"};
	const struct doctor_row *row = f->row;
	size_t                   failing = 0;

	head(to, "postern_doctor_endpoint_up", "1: the endpoint answered as it should by this way; 0: it did not.");
	for (size_t i = 0; i < f->n_rows; i++) {
		if (!was_tried(f, &row[i]))
			continue;
		failing += doctor_counts(&row[i], &f->target[row[i].target]);
		text_str(to, "postern_doctor_endpoint_up");
		labels(to, f, &row[i]);
		text_printf(to, "} %d\n", !doctor_is_bad(row[i].fault));
	}
	head(to, "postern_doctor_fault", "What was found by this way, by the label fault; ok is one.");
	for (size_t i = 0; i < f->n_rows; i++) {
		if (!was_tried(f, &row[i]))
			continue;
		text_str(to, "postern_doctor_fault");
		labels(to, f, &row[i]);
		text_printf(to, ",fault=\"%s\"} 1\n", doctor_fault_word(row[i].fault));
	}
	head(to, "postern_doctor_step_seconds", "How long each step took.");
	for (size_t i = 0; i < f->n_rows; i++) {
		const uint32_t ms[] = {row[i].dns_ms, row[i].tcp_ms, row[i].proxy_ms, row[i].tls_ms, row[i].http_ms};
		for (size_t k = 0; was_tried(f, &row[i]) && k < sizeof ms / sizeof *ms; k++) {
			if (ms[k] == UINT32_MAX)
				continue;
			text_str(to, "postern_doctor_step_seconds");
			labels(to, f, &row[i]);
			text_printf(to, ",step=\"%s\"} %.3f\n", steps[k], ms[k] / 1000.0);
		}
	}
	head(to, "postern_doctor_certificate_expiry_timestamp_seconds", "When the certificate that was seen expires, UNIX time.");
	for (size_t i = 0; i < f->n_rows; i++) {
		if (!was_tried(f, &row[i]) || !row[i].not_after)
			continue;
		text_str(to, "postern_doctor_certificate_expiry_timestamp_seconds");
		labels(to, f, &row[i]);
		text_printf(to, "} %lld\n", (long long)row[i].not_after);
	}
	head(to, "postern_doctor_failing", "Ways of endpoints that fail and should not.");
	if (f->when)
		text_printf(to, "postern_doctor_failing %zu\n", failing);
	head(to, "postern_doctor_last_run_timestamp_seconds", "When the last test ended, UNIX time.");
	if (f->when)
		text_printf(to, "postern_doctor_last_run_timestamp_seconds %lld\n", (long long)f->when);
	head(to, "postern_doctor_run_duration_seconds", "How long the last test took.");
	if (f->when)
		text_printf(to, "postern_doctor_run_duration_seconds %.3f\n", (double)f->took_ms / 1000);
}
