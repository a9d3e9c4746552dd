/* SPDX-License-Identifier: MIT */
/*
 * octet: which bytes may stand where, and fast ways to find the first one that may not.
 */
#ifndef POSTERN_PARSE_OCTET_H
#define POSTERN_PARSE_OCTET_H

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/span.h"

enum octet_class {
	OCTET_TOKEN = 1,  /* tchar (RFC 9110 5.6.2) */
	OCTET_TEXT = 2,   /* HTAB, SP, VCHAR, obs-text: field values (RFC 9110 5.5), what a backslash may quote */
	OCTET_QUOTED = 4, /* qdtext (RFC 9110 5.6.4) */
	OCTET_URL = 8,    /* stands for itself in a path or query (RFC 3986 3.3, 3.4; see url_parse) */
	OCTET_DIGIT = 16,
	OCTET_ALPHA = 32,
	OCTET_HEX = 64,
	OCTET_NAME = 128 /* letters, digits, hyphen, underscore, dot: host names */
};

extern const uint8_t octet_class[256];

static inline bool
octet_is(char c, unsigned classes)
{
	return (octet_class[(unsigned char)c] & classes) != 0;
}

/* A token (RFC 9110 5.6.2). */
static inline bool
octet_is_token(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!octet_is(s.p[i], OCTET_TOKEN))
			return false;
	return s.n > 0;
}

/* Value of a byte that is OCTET_HEX. */
static inline unsigned
octet_hex(char c)
{
	return octet_is(c, OCTET_DIGIT) ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a' + 10);
}

/* SP or HTAB: what OWS and BWS are made of (RFC 9110 5.6.3). */
static inline bool
octet_is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The bytes from `p` to `end` without blanks at either side. */
static inline struct span
octet_trim(const char *p, const char *end)
{
	while (p < end && octet_is_blank(*p))
		p++;
	while (p < end && octet_is_blank(end[-1]))
		end--;
	return span_of(p, (size_t)(end - p));
}

#define OCTET_EIGHT(b) (UINT64_C(0x0101010101010101) * (b))

/* The masks below have the top bit set of the first (lowest) byte that qualifies, and of no byte before it; a borrow may set more
 * above it. */
static inline uint64_t
octet_mask_below(uint64_t x, unsigned limit)
{
	return (x - OCTET_EIGHT(limit)) & ~x;
}

static inline uint64_t
octet_mask_del(uint64_t x)
{
	return octet_mask_below(x ^ OCTET_EIGHT(0x7f), 1);
}

/* First byte below 0x20 or 0x7f, or `end`. HTAB is found too: callers step over it. */
static inline const char *
octet_find_control(const char *p, const char *end)
{
	for (; end - p >= 8; p += 8) {
		uint64_t x, hit;
		memcpy(&x, p, 8);
		x = le64toh(x);
		hit = (octet_mask_below(x, 0x20) | octet_mask_del(x)) & OCTET_EIGHT(0x80);
		if (hit)
			return p + __builtin_ctzll(hit) / 8;
	}
	while (p < end && (unsigned char)*p >= 0x20 && *p != 0x7f)
		p++;
	return p;
}

/* First byte that is not visible ASCII (0x21-0x7e), or `end`. */
static inline const char *
octet_find_invisible(const char *p, const char *end)
{
	for (; end - p >= 8; p += 8) {
		uint64_t x, hit;
		memcpy(&x, p, 8);
		x = le64toh(x);
		hit = (octet_mask_below(x, 0x21) | octet_mask_del(x) | x) & OCTET_EIGHT(0x80);
		if (hit)
			return p + __builtin_ctzll(hit) / 8;
	}
	while (p < end && *p > 0x20 && *p != 0x7f)
		p++;
	return p;
}

#endif
