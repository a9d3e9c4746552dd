/* SPDX-License-Identifier: MIT */
#include "parse/authority.h"

#include "parse/octet.h"

#define PORT_DIGITS_MAX 5

static bool
port_read(struct span s, uint16_t *out)
{
	unsigned n = 0;

	if (s.n > PORT_DIGITS_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (!octet_is(s.p[i], OCTET_DIGIT))
			return false;
		n = n * 10 + (unsigned)(s.p[i] - '0');
	}
	if (s.n > 0 && (n == 0 || n > UINT16_MAX))
		return false;
	*out = (uint16_t)n;
	return true;
}

bool
authority_parse(struct span in, struct authority *out)
{
	struct span host = in, port = {NULL, 0};
	const char *colon;

	if (in.n == 0)
		return false;
	if (in.p[0] == '[') {
		const char *shut = memchr(in.p, ']', in.n);
		if (!shut)
			return false;
		host.n = (size_t)(shut + 1 - in.p);
		colon = host.n < in.n ? shut + 1 : NULL;
		if (colon && *colon != ':')
			return false;
	} else {
		colon = memchr(in.p, ':', in.n);
		if (colon)
			host.n = (size_t)(colon - in.p);
	}
	if (colon)
		port = span_of(colon + 1, in.n - host.n - 1);
	return port_read(port, &out->port) && host_parse(host, &out->host);
}

bool
authority_parse_connect(struct span in, struct authority *out)
{
	return authority_parse(in, out) && out->port != 0;
}

static enum url_scheme
scheme_of(struct span s)
{
	if (span_eq_nocase(s, SPAN("http")))
		return SCHEME_HTTP;
	return span_eq_nocase(s, SPAN("https")) ? SCHEME_HTTPS : SCHEME_OTHER;
}

/* Bytes of a path or query from `p` to the end or, when `stop` is not 0, to the first `stop`. Null when one may not stand there. */
static const char *
url_bytes(const char *p, const char *end, char stop)
{
	for (; p < end && *p != stop; p++) {
		if (octet_is(*p, OCTET_URL))
			continue;
		if (*p != '%' || end - p < 3 || !octet_is(p[1], OCTET_HEX) || !octet_is(p[2], OCTET_HEX))
			return NULL;
		p += 2;
	}
	return p;
}

/* From the path to the end. */
static bool
read_path(const char *at, const char *end, struct url *out)
{
	const char *p = url_bytes(at, end, '?');

	if (!p)
		return false;
	out->path = span_of(at, (size_t)(p - at));
	out->query = (struct span){NULL, 0};
	out->has_query = p < end;
	if (p == end)
		return true;
	at = p + 1;
	out->query = span_of(at, (size_t)(end - at));
	return url_bytes(at, end, '\0') == end; /* a NUL stops it early */
}

bool
url_parse(struct span in, struct url *out)
{
	const char *p = in.p, *end = p + in.n, *at;

	*out = (struct url){.scheme = SCHEME_NONE};
	if (in.n == 0 || !octet_is(*p, OCTET_ALPHA))
		return false;
	while (p < end && (octet_is(*p, OCTET_ALPHA | OCTET_DIGIT) || *p == '+' || *p == '-' || *p == '.'))
		p++;
	if (end - p < 3 || memcmp(p, "://", 3) != 0)
		return false;
	out->scheme = scheme_of(span_of(in.p, (size_t)(p - in.p)));

	at = p += 3;
	while (p < end && *p != '/' && *p != '?')
		p++;
	if (!authority_parse(span_of(at, (size_t)(p - at)), &out->at))
		return false;
	if (out->at.port == 0 && out->scheme != SCHEME_OTHER)
		out->at.port = out->scheme == SCHEME_HTTP ? 80 : 443;

	return read_path(p, end, out);
}

bool
url_parse_origin(struct span in, struct url *out)
{
	return in.n > 0 && in.p[0] == '/' && read_path(in.p, in.p + in.n, out);
}
