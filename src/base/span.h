/* SPDX-License-Identifier: MIT */
/*
 * span: a pointer and a length; text that somebody else owns.
 * Never NUL-terminated by promise; an empty span may have a null pointer.
 */
#ifndef POSTERN_BASE_SPAN_H
#define POSTERN_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct span {
	const char *p;
	size_t      n;
};

#define SPAN(lit) ((struct span){(lit), sizeof(lit) - 1})
/* for printf: "%.*s", SPAN_ARG(s) */
#define SPAN_ARG(s) (int)(s).n, (s).p

static inline struct span
span_of(const char *p, size_t n)
{
	return (struct span){p, n};
}

/* What stands behind the byte order mark of UTF-8 (RFC 3629 6) with which some editors, and PowerShell, begin a file. */
static inline struct span
span_unmarked(struct span s)
{
	return s.n >= 3 && memcmp(s.p, "\xef\xbb\xbf", 3) == 0 ? span_of(s.p + 3, s.n - 3) : s;
}

static inline struct span
span_str(const char *s)
{
	return (struct span){s, s ? strlen(s) : 0};
}

static inline bool
span_eq(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* Below 0, 0, above 0: by bytes; what begins another comes before it. */
static inline int
span_order(struct span a, struct span b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int    d = n ? memcmp(a.p, b.p, n) : 0;

	return d ? d : (a.n > b.n) - (a.n < b.n);
}

/* ASCII only; what HTTP field names and schemes need. */
static inline char
ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static inline bool
span_eq_nocase(struct span a, struct span b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (ascii_lower(a.p[i]) != ascii_lower(b.p[i]))
			return false;
	return true;
}

#endif
