/* SPDX-License-Identifier: MIT */
/*
 * format: chooses the kind and ends the line. Each kind is a file of its own: format_KIND.c.
 */
#include "audit/format.h"

#include <stdlib.h>
#include <time.h>

#include "audit/format_kinds.h"

struct log_format {
	enum log_format_kind kind;
	bool                 query;
	struct custom       *custom; /* owned; LOG_CUSTOM only */
	struct time_text    *when;   /* owned; LOG_COMBINED only */
};

struct log_format *
log_format_new(enum log_format_kind kind, struct span custom, bool log_query, char why[160])
{
	struct log_format *f = calloc(1, sizeof *f);

	why[0] = '\0';
	if (!f)
		return NULL;
	f->kind = kind;
	f->query = log_query;
	tzset(); /* before this process may no longer read the time zone's file */
	if (kind == LOG_CUSTOM && !(f->custom = custom_new(custom, why)))
		goto fail;
	if (kind == LOG_COMBINED) {
		f->when = malloc(sizeof *f->when);
		if (!f->when || !time_text_init(f->when, CLF_TIME, true))
			goto fail;
	}
	return f;
fail:
	log_format_free(f);
	return NULL;
}

void
log_format_free(struct log_format *f)
{
	if (!f)
		return;
	custom_free(f->custom);
	free(f->when);
	free(f);
}

size_t
log_format_line(const struct log_format *f, const struct record *r, const struct span text[RT_COUNT], char *buf)
{
	struct line l = {buf, buf + LOG_LINE_MAX - 1}; /* the newline always fits */

	switch (f->kind) {
	case LOG_SQUID: format_squid(&l, r, text, f->query); break;
	case LOG_JSON: format_json(&l, r, text, f->query); break;
	case LOG_COMBINED: format_combined(&l, r, text, f->query, time_text_get(f->when, r->end_real_us)); break;
	case LOG_W3C: format_w3c(&l, r, text, f->query); break;
	case LOG_CEF: format_cef(&l, r, text, f->query); break;
	case LOG_LEEF: format_leef(&l, r, text, f->query); break;
	case LOG_CUSTOM: format_custom(&l, r, text, f->query, f->custom); break;
	}
	*l.at++ = '\n';
	return (size_t)(l.at - buf);
}

size_t
log_format_head(enum log_format_kind kind, uint64_t real_us, char buf[LOG_HEAD_MAX])
{
	struct line l = {buf, buf + LOG_HEAD_MAX};

	if (kind == LOG_W3C)
		format_w3c_head(&l, real_us);
	return (size_t)(l.at - buf);
}

size_t
log_format_drops(enum log_format_kind kind, uint64_t real_us, uint64_t lines, char buf[LOG_DROPS_MAX])
{
	struct line l = {buf, buf + LOG_DROPS_MAX};

	if (kind == LOG_JSON)
		format_json_drops(&l, real_us, lines);
	else if (kind == LOG_W3C)
		format_w3c_drops(&l, lines);
	return (size_t)(l.at - buf);
}

bool
time_text_init(struct time_text *t, struct span pattern, bool is_local)
{
	if (pattern.n >= sizeof t->pattern)
		return false;
	*t = (struct time_text){.is_local = is_local};
	if (pattern.n)
		memcpy(t->pattern, pattern.p, pattern.n);
	return true;
}

struct span
time_text_get(struct time_text *t, uint64_t real_us)
{
	const uint64_t last = 253402300799u; /* 9999-12-31T23:59:59Z */
	uint64_t       second = real_us / 1000000 < last ? real_us / 1000000 : last;
	time_t         when = (time_t)second;
	struct tm      tm;

	if (t->n && t->second == second)
		return span_of(t->text, t->n);
	if (t->is_local)
		localtime_r(&when, &tm);
	else
		gmtime_r(&when, &tm);
	t->n = strftime(t->text, sizeof t->text, t->pattern, &tm);
	t->second = second;
	return span_of(t->text, t->n);
}
