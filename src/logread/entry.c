/* SPDX-License-Identifier: MIT */
/*
 * entry: tells the formats apart, and what follows from a line whichever it is in.
 */
#include <stddef.h>

#include "logread/line.h"
#include "logread/reader.h"

bool
line_number_read(struct span s, uint64_t *out)
{
	uint64_t v = 0;

	if (s.n == 0 || s.n > 18)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(s.p[i] - '0');
	}
	*out = v;
	return true;
}

/* All but the array of groups, which is most of it. */
static void
entry_reset(struct log_entry *e)
{
	const size_t after = offsetof(struct log_entry, n_groups);

	memset(e, 0, offsetof(struct log_entry, group));
	memset((char *)e + after, 0, sizeof *e - after);
}

enum line_read
line_any(struct span line, struct log_entry *out, char *scratch, uint64_t *lost, const char **why)
{
	enum line_read read;

	entry_reset(out);
	if (line.n > LOG_LINE_MAX) {
		*why = "the line is too long";
		return LINE_BAD;
	}
	while (line.n && (line.p[0] == ' ' || line.p[0] == '\t'))
		line = span_of(line.p + 1, line.n - 1);
	out->kind = line.n && line.p[0] == '{' ? LOG_KIND_JSON : LOG_KIND_SQUID;
	read = out->kind == LOG_KIND_JSON ? line_json(line, out, scratch, lost, why) : line_squid(line, out, scratch, why);
	if (read != LINE_ENTRY)
		return read;
	*why = NULL;
	if (out->elapsed_us > out->end_us)
		out->elapsed_us = out->end_us;
	out->is_inner = out->url.n >= 8 && span_eq_nocase(span_of(out->url.p, 8), SPAN("https://"));
	out->is_first_leg = out->status == 407;
	/* both Squid and we leave the '?' of a query that is cut */
	out->query_is_cut = out->url.n && out->url.p[out->url.n - 1] == '?';
	return LINE_ENTRY;
}

bool
log_entry_parse(struct span line, struct log_entry *out, char *scratch, const char **why)
{
	uint64_t lost;

	switch (line_any(line, out, scratch, &lost, why)) {
	case LINE_ENTRY:
		return true;
	case LINE_NOTE:
		*why = "the line tells of requests that were lost, not of one";
		return false;
	case LINE_BAD:
		break;
	}
	return false;
}
