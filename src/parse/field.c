/* SPDX-License-Identifier: MIT */
/*
 * field: names, lists and the walk over the fields of a head that head.c has accepted.
 */
#include "parse/head.h"
#include "parse/octet.h"

/* Length and first letter tell the known names apart; two in one slot would not compile (-Woverride-init). */
#define SLOTS              64
#define SLOT(n, c)         (((n) + (c) * 5) % SLOTS)
#define KNOWN(c, text, id) [SLOT(sizeof(text) - 1, c)] = {text, sizeof(text) - 1, id}

static const struct {
	const char *text; /* lower case, letters and hyphens only */
	uint8_t     n;
	uint8_t     id;
} known[SLOTS] = {
	KNOWN('h', "host", FIELD_HOST),
	KNOWN('c', "content-length", FIELD_CONTENT_LENGTH),
	KNOWN('t', "transfer-encoding", FIELD_TRANSFER_ENCODING),
	KNOWN('c', "connection", FIELD_CONNECTION),
	KNOWN('p', "proxy-connection", FIELD_PROXY_CONNECTION),
	KNOWN('k', "keep-alive", FIELD_KEEP_ALIVE),
	KNOWN('t', "te", FIELD_TE),
	KNOWN('t', "trailer", FIELD_TRAILER),
	KNOWN('u', "upgrade", FIELD_UPGRADE),
	KNOWN('e', "expect", FIELD_EXPECT),
	KNOWN('v', "via", FIELD_VIA),
	KNOWN('f', "forwarded", FIELD_FORWARDED),
	KNOWN('x', "x-forwarded-for", FIELD_X_FORWARDED_FOR),
	KNOWN('p', "proxy-authorization", FIELD_PROXY_AUTHORIZATION),
	KNOWN('p', "proxy-authenticate", FIELD_PROXY_AUTHENTICATE),
	KNOWN('p', "proxy-authentication-info", FIELD_PROXY_AUTHENTICATION_INFO),
	KNOWN('a', "authorization", FIELD_AUTHORIZATION),
	KNOWN('w', "www-authenticate", FIELD_WWW_AUTHENTICATE),
	KNOWN('m', "max-forwards", FIELD_MAX_FORWARDS),
	KNOWN('u', "user-agent", FIELD_USER_AGENT),
	KNOWN('c', "content-type", FIELD_CONTENT_TYPE),
	KNOWN('p', "proxy-status", FIELD_PROXY_STATUS),
};

enum field_id
field_id_of(struct span name)
{
	size_t slot;

	if (name.n == 0)
		return FIELD_OTHER;
	slot = SLOT(name.n, (unsigned)(unsigned char)name.p[0] | 0x20) % SLOTS;
	if (known[slot].n != name.n)
		return FIELD_OTHER;
	/* of the bytes of a token only letters fold onto letters, and only the hyphen onto the hyphen */
	for (size_t i = 0; i < name.n; i++)
		if ((name.p[i] | 0x20) != known[slot].text[i])
			return FIELD_OTHER;
	return known[slot].id;
}

bool
head_field_next(const struct head *h, size_t *at, struct field *out)
{
	const char *line, *colon, *lf;

	if (*at >= h->fields.n)
		return false;
	line = h->fields.p + *at;
	lf = memchr(line, '\n', h->fields.n - *at);
	colon = memchr(line, ':', (size_t)(lf - line));
	out->name = span_of(line, (size_t)(colon - line));
	out->id = field_id_of(out->name);
	out->value = octet_trim(colon + 1, lf - 1);
	out->line = span_of(line, (size_t)(lf + 1 - line));
	*at += out->line.n;
	return true;
}

bool
head_field_is_hop(const struct head *h, const struct field *f)
{
	switch (f->id) {
	case FIELD_CONNECTION:
	case FIELD_PROXY_CONNECTION:
	case FIELD_KEEP_ALIVE:
	case FIELD_TE:
	case FIELD_TRANSFER_ENCODING:
	case FIELD_UPGRADE:
	case FIELD_PROXY_AUTHORIZATION:
	case FIELD_PROXY_AUTHENTICATE:
	case FIELD_PROXY_AUTHENTICATION_INFO:
		return true;
	case FIELD_CONTENT_LENGTH:
	case FIELD_HOST:
		return false;
	default:
		for (unsigned i = 0; i < h->n_connection_tokens; i++)
			if (span_eq_nocase(h->connection_token[i], f->name))
				return true;
		return false;
	}
}

/* Past the quoted-string that begins at `p`; the end when it is never closed. */
static const char *
skip_quoted(const char *p, const char *end)
{
	for (p++; p < end && *p != '"'; p++)
		if (*p == '\\' && end - p > 1)
			p++;
	return p < end ? p + 1 : end;
}

bool
field_list_next(struct span value, size_t *at, struct span *item)
{
	while (*at < value.n) { /* an empty value may have no place at all */
		const char *p = value.p + *at, *end = value.p + value.n, *first = p;
		while (p < end && *p != ',')
			p = *p == '"' ? skip_quoted(p, end) : p + 1;
		*item = octet_trim(first, p);
		p += p < end;
		*at = (size_t)(p - value.p);
		if (item->n > 0)
			return true;
	}
	return false;
}

bool
field_list_has(struct span value, struct span token)
{
	struct span item;

	for (size_t at = 0; field_list_next(value, &at, &item);)
		if (span_eq_nocase(item, token))
			return true;
	return false;
}
