/* SPDX-License-Identifier: MIT */
#include "parse/url.h"

#include "parse/octet.h"

/* What is written so far. */
struct url_text {
	char  *buf;
	size_t n, room;
	bool   full;
};

static void
put(struct url_text *t, char c)
{
	if (t->n < t->room)
		t->buf[t->n++] = c;
	else
		t->full = true;
}

static void
put_span(struct url_text *t, struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		put(t, s.p[i]);
}

static void
put_port(struct url_text *t, uint16_t port)
{
	char     digit[5];
	unsigned n = 0;

	put(t, ':');
	do
		digit[n++] = (char)('0' + port % 10);
	while (port /= 10);
	while (n > 0)
		put(t, digit[--n]);
}

/* RFC 3986 2.3 */
static bool
is_unreserved(char c)
{
	return octet_is(c, OCTET_ALPHA | OCTET_DIGIT) || c == '-' || c == '.' || c == '_' || c == '~';
}

/* Bytes from *p to the first `stop`, or to the end when that is 0; *p moves there. False: a '%' stands alone. */
static bool
put_decoded(struct url_text *t, const char **p, const char *end, char stop)
{
	static const char hex[] = "0123456789ABCDEF";

	for (; *p < end && (!stop || **p != stop); ++*p) {
		char c = **p;
		if (c != '%') {
			put(t, c);
			continue;
		}
		if (end - *p < 3 || !octet_is((*p)[1], OCTET_HEX) || !octet_is((*p)[2], OCTET_HEX))
			return false;
		c = (char)(octet_hex((*p)[1]) << 4 | octet_hex((*p)[2]));
		if (is_unreserved(c)) {
			put(t, c);
		} else {
			put(t, '%');
			put(t, hex[(unsigned char)c >> 4]);
			put(t, hex[(unsigned char)c & 15]);
		}
		*p += 2;
	}
	return true;
}

/* RFC 3986 5.2.4, segment by segment as they are written: what is in the buffer has no dot segments left. */
static bool
put_path(struct url_text *t, struct span path)
{
	const char *p = path.p, *end = p + path.n;
	size_t      base = t->n;

	if (path.n == 0)
		put(t, '/');
	while (p < end) {
		size_t      from = t->n;
		struct span segment;
		p += *p == '/';
		put(t, '/');
		if (!put_decoded(t, &p, end, '/') || t->full)
			return false;
		segment = span_of(t->buf + from + 1, t->n - from - 1);
		if (span_eq(segment, SPAN("."))) {
			t->n = from;
		} else if (span_eq(segment, SPAN(".."))) {
			t->n = from;
			while (t->n > base && t->buf[--t->n] != '/')
				;
		} else {
			continue;
		}
		if (p == end)
			put(t, '/');
	}
	return true;
}

bool
url_normalise(const struct url *u, char *buf, size_t room, struct span *out)
{
	struct url_text t = {buf, 0, room, false};
	const char     *query = u->query.p;
	bool            v6 = u->at.host.kind == HOST_ADDR && !addr_is_v4(&u->at.host.addr);

	if (u->scheme != SCHEME_HTTP && u->scheme != SCHEME_HTTPS)
		return false;
	put_span(&t, u->scheme == SCHEME_HTTP ? SPAN("http://") : SPAN("https://"));
	if (v6)
		put(&t, '[');
	put_span(&t, host_span(&u->at.host));
	if (v6)
		put(&t, ']');
	if (u->at.port != 0 && u->at.port != (u->scheme == SCHEME_HTTP ? 80 : 443))
		put_port(&t, u->at.port);
	if (!put_path(&t, u->path))
		return false;
	if (u->has_query) {
		put(&t, '?');
		if (u->query.n && !put_decoded(&t, &query, query + u->query.n, '\0'))
			return false;
	}
	*out = span_of(buf, t.n);
	return !t.full;
}
