/* SPDX-License-Identifier: MIT */
/*
 * record: to and from bytes. The struct as it stands in memory, then the texts; both ends are the same program.
 * What is read back is checked value by value, since a worker that was taken over may write anything.
 */
#include "audit/record.h"

#include <stdio.h>
#include <string.h>

#define PART_MAX 8000 /* of a path, of a query */

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

size_t
record_url(const struct url *url, bool is_connect, char buf[RECORD_URL_MAX])
{
	const struct host *h = &url->at.host;
	bool               bracket = h->kind == HOST_ADDR && !addr_is_v4(&h->addr);
	char               port[8] = "";
	struct span        path = url->path.n ? url->path : SPAN("/");
	const char        *scheme = url->scheme == SCHEME_HTTP ? "http" : url->scheme == SCHEME_HTTPS ? "https" : "other";
	int                n;

	if (url->at.port && url->at.port != (url->scheme == SCHEME_HTTPS ? 443 : 80))
		snprintf(port, sizeof port, ":%u", url->at.port);
	if (is_connect)
		n = snprintf(buf, RECORD_URL_MAX, bracket ? "[%s]:%u" : "%s:%u", h->text, url->at.port);
	else
		n = snprintf(buf, RECORD_URL_MAX, bracket ? "%s://[%s]%s%.*s%s%.*s" : "%s://%s%s%.*s%s%.*s", scheme, h->text, port,
		    (int)(path.n > PART_MAX ? PART_MAX : path.n), path.p, url->has_query ? "?" : "",
		    (int)(url->query.n > PART_MAX ? PART_MAX : url->query.n), url->query.n ? url->query.p : "");
	return n < 0 ? 0 : (size_t)n < RECORD_URL_MAX ? (size_t)n : RECORD_URL_MAX - 1;
}
