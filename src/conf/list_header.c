/* SPDX-License-Identifier: MIT */
#include "conf/list_header.h"

#include <stdlib.h>
#include <string.h>

static struct span
trim(struct span s)
{
	while (s.n && (unsigned char)s.p[0] <= ' ') {
		s.p++;
		s.n--;
	}
	while (s.n && (unsigned char)s.p[s.n - 1] <= ' ')
		s.n--;
	return s;
}

static bool
takes(struct span line, struct span key, struct span *to)
{
	if (to->n || line.n <= key.n || line.p[key.n] != ':' || !span_eq_nocase(span_of(line.p, key.n), key))
		return false;
	*to = trim(span_of(line.p + key.n + 1, line.n - key.n - 1));
	if (to->n > LIST_HEADER_TEXT)
		to->n = LIST_HEADER_TEXT;
	return true;
}

static time_t
date_read(struct span s)
{
	char        text[24];
	struct tm   tm = {0}, same;
	time_t      at;
	const char *end;

	if (s.n != strlen("2026-01-31") && s.n != strlen("2026-01-31T12:00:00Z"))
		return 0;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	end = strptime(text, s.n == strlen("2026-01-31") ? "%Y-%m-%d" : "%Y-%m-%dT%H:%M:%SZ", &tm);
	if (!end || *end || tm.tm_year < 70)
		return 0;
	same = tm;
	at = timegm(&same);
	return same.tm_mday == tm.tm_mday ? at : 0; /* else a day that its month does not have */
}

void
list_header_read(struct span bytes, struct list_header *h)
{
	const char *p = span_unmarked(bytes).p, *end = bytes.p + bytes.n;

	*h = (struct list_header){0};
	for (unsigned i = 0; i < LIST_HEADER_LINES && p < end; i++) {
		const char *newline = memchr(p, '\n', (size_t)(end - p)), *stop = newline ? newline : end;
		struct span line = trim(span_of(p, (size_t)(stop - p)));
		p = newline ? newline + 1 : end;
		if (!line.n)
			continue;
		if (line.p[0] != '#' && line.p[0] != ';')
			break;
		line = trim(span_of(line.p + 1, line.n - 1));
		if (!takes(line, SPAN("source"), &h->source) && !takes(line, SPAN("version"), &h->version))
			takes(line, SPAN("fetched"), &h->fetched);
	}
	h->fetched_at = date_read(h->fetched);
}
