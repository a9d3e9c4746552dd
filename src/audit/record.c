/* SPDX-License-Identifier: MIT */
/*
 * record: to and from bytes. The struct as it stands in memory, then the texts; both ends are the same program.
 * What is read back is checked value by value, since a worker that was taken over may write anything.
 */
#include "audit/record.h"

#include <string.h>

#include "parse/authority.h"

size_t
record_size(struct record *r, const struct span text[RT_COUNT])
{
	size_t n = sizeof *r;

	for (int i = 0; i < RT_COUNT; i++) {
		r->len[i] = (uint16_t)(text[i].n < RECORD_TEXT_MAX ? text[i].n : RECORD_TEXT_MAX);
		n += r->len[i];
	}
	return n;
}

void
record_write(void *to, const struct record *r, const struct span text[RT_COUNT])
{
	char *p = to;

	memcpy(p, r, sizeof *r);
	p += sizeof *r;
	for (int i = 0; i < RT_COUNT; i++) {
		if (r->len[i])
			memcpy(p, text[i].p, r->len[i]);
		p += r->len[i];
	}
}

/* The byte of a bool must be 0 or 1 before it may be looked at as one. */
static bool
bool_is_sane(const char *record, size_t offset)
{
	return (unsigned char)record[offset] <= 1;
}

bool
record_read(const void *from, size_t n, struct record *r, struct span text[RT_COUNT])
{
	static const size_t bools[] = {offsetof(struct record, has_address), offsetof(struct record, is_connect), offsetof(struct record, is_tunnel),
	                               offsetof(struct record, has_action), offsetof(struct record, ech),
	                               offsetof(struct record, is_inner)};
	const char         *p = from;

	if (n < sizeof *r)
		return false;
	for (size_t i = 0; i < sizeof bools / sizeof *bools; i++)
		if (!bool_is_sane(p, bools[i]))
			return false;
	memcpy(r, p, sizeof *r);
	if (r->hier > HIER_ORIGINAL_DST || r->scheme > SCHEME_OTHER || r->action > ACTION_INSPECT || r->guard > GUARD_WORD_CLOSED || r->auth_way > AUTH_WAY_KERBEROS ||
	    r->fault >= FAULT_COUNT || r->status > 999)
		return false;
	p += sizeof *r;
	n -= sizeof *r;
	for (int i = 0; i < RT_COUNT; i++) {
		if (r->len[i] > RECORD_TEXT_MAX || r->len[i] > n)
			return false;
		text[i] = span_of(p, r->len[i]);
		p += r->len[i];
		n -= r->len[i];
	}
	return n == 0;
}
