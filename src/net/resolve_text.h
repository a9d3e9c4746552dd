/* SPDX-License-Identifier: MIT */
/*
 * resolve_text: lines and words of resolv.conf(5) and hosts(5).
 */
#ifndef POSTERN_NET_RESOLVE_TEXT_H
#define POSTERN_NET_RESOLVE_TEXT_H

#include "base/span.h"

static inline bool
text_is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

/* Take the next line off *bytes, without its end. */
static inline struct span
text_line(struct span *bytes)
{
	const char *nl = memchr(bytes->p, '\n', bytes->n);
	size_t      n = nl ? (size_t)(nl - bytes->p) : bytes->n, used = n + (nl != NULL);
	struct span line = span_of(bytes->p, n);

	*bytes = span_of(bytes->p + used, bytes->n - used);
	return line;
}

/* Take the next word off *line; empty at the end. */
static inline struct span
text_word(struct span *line)
{
	size_t from = 0, to;

	while (from < line->n && text_is_blank(line->p[from]))
		from++;
	for (to = from; to < line->n && !text_is_blank(line->p[to]);)
		to++;
	struct span word = span_of(line->p + from, to - from);
	*line = span_of(line->p + to, line->n - to);
	return word;
}

#endif
