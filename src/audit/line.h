/* SPDX-License-Identifier: MIT */
/*
 * line: builds one log line in a buffer of fixed size. Numbers and escapes by hand, since this runs for every request.
 * Always true: nothing is written past `end`; what does not fit is left out, and an escape is never cut in half.
 */
#ifndef POSTERN_AUDIT_LINE_H
#define POSTERN_AUDIT_LINE_H

#include <stdint.h>
#include <string.h>

#include "base/addr.h"
#include "base/span.h"

struct line {
	char *at;
	char *end;
};

/* Most bytes that one text from outside takes in a line, escapes included: RT_COUNT of them always fit. */
#define LINE_TEXT_MAX 9000u

/* How texts from outside are escaped. None lets a control byte, DEL or a byte that is not UTF-8 through. */
enum line_style {
	STYLE_URL,      /* %XX for what no URL may hold: blanks, quotes, backslash, angle brackets, non-ASCII */
	STYLE_UNSAFE,   /* %XX for all that RFC 1738 calls unsafe, but % stays */
	STYLE_STRICT,   /* the same, and % too */
	STYLE_MIME,     /* Squid's '[': %xx for % [ ] and non-ASCII, backslashes doubled, \r, \n */
	STYLE_MIME_WORD,   /* the same, and blanks */
	STYLE_QUOTED,   /* between double quotes: \" \\ \t \r \n \xNN, non-ASCII too */
	STYLE_QUOTED_WORD, /* the same, and blanks */
	STYLE_JSON,     /* RFC 8259 7; UTF-8 stands as it is, other bytes as \u00NN (that is: read as ISO 8859-1) */
	STYLE_RAW,      /* UTF-8 as it is; the rest %XX */
	STYLE_W3C,      /* one token: + for a blank; %XX for + % " and non-ASCII */
	STYLE_CEF,      /* a value of CEF: \\ \= \r \n; UTF-8 as it is; the rest %XX */
	STYLE_CEF_HEAD, /* the same before the values, where | is escaped and = is not */
};

static inline void
line_char(struct line *l, char c)
{
	if (l->at < l->end)
		*l->at++ = c;
}

static inline void
line_bytes(struct line *l, const char *p, size_t n)
{
	size_t room = (size_t)(l->end - l->at);

	if (n > room)
		n = room;
	if (n)
		memcpy(l->at, p, n);
	l->at += n;
}

static inline void
line_span(struct line *l, struct span s)
{
	line_bytes(l, s.p, s.n);
}

static inline void
line_str(struct line *l, const char *s)
{
	line_bytes(l, s, strlen(s));
}

/* Decimal, filled up on the left to `width` (at most 20) with `fill`. */
void line_number(struct line *l, uint64_t v, unsigned width, char fill);
/* Sixteen hexadecimal digits. */
void line_id(struct line *l, uint64_t v);
/* Without port and zone. */
void line_addr(struct line *l, const struct addr *a);
void line_text(struct line *l, struct span s, enum line_style style);

#endif
