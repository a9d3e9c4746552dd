/* SPDX-License-Identifier: MIT */
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define FIRST_ROOM 4096u

void
text_clear(struct text *t)
{
	free(t->p);
	*t = (struct text){0};
}

/* Room for n more bytes; null: failed. */
static char *
more(struct text *t, size_t n)
{
	size_t room = t->room ? t->room : FIRST_ROOM;
	char  *p;

	if (t->failed || n > TEXT_MOST || t->n > TEXT_MOST - n) {
		t->failed = true;
		return NULL;
	}
	while (room - t->n < n)
		room *= 2;
	if (room > t->room) {
		p = realloc(t->p, room);
		if (!p) {
			t->failed = true;
			return NULL;
		}
		t->p = p;
		t->room = room;
	}
	return t->p + t->n;
}

void
text_add(struct text *t, struct span s)
{
	char *to = more(t, s.n);

	if (!to || !s.n)
		return;
	memcpy(to, s.p, s.n);
	t->n += s.n;
}

void
text_str(struct text *t, const char *s)
{
	text_add(t, span_str(s));
}

void
text_number(struct text *t, uint64_t v)
{
	char  digits[20];
	char *p = digits + sizeof digits;

	do
		*--p = (char)('0' + v % 10);
	while (v /= 10);
	text_add(t, span_of(p, (size_t)(digits + sizeof digits - p)));
}

void
text_printf(struct text *t, const char *fmt, ...)
{
	char    buf[1024];
	va_list ap;
	int     n;

	va_start(ap, fmt);
	n = vsnprintf(buf, sizeof buf, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof buf)
		t->failed = true;
	else
		text_add(t, span_of(buf, (size_t)n));
}
