/* SPDX-License-Identifier: MIT */
#include "auth/ap_req.h"

/* One element of DER: *tag and its content; *in goes past it. Lengths of at most four bytes, definite. */
static bool
der_next(struct span *in, uint8_t *tag, struct span *body)
{
	const uint8_t *p = (const uint8_t *)in->p;
	size_t         n, at = 2;

	if (in->n < 2)
		return false;
	*tag = p[0];
	n = p[1];
	if (n >= 0x80) {
		size_t bytes = n & 0x7f;

		if (bytes == 0 || bytes > 4 || in->n < 2 + bytes)
			return false;
		n = 0;
		for (size_t i = 0; i < bytes; i++)
			n = n << 8 | p[at++];
	}
	if (n > in->n - at)
		return false;
	*body = span_of(in->p + at, n);
	*in = span_of(in->p + at + n, in->n - at - n);
	return true;
}

/* The next element, which must have this tag. */
static bool
der_enter(struct span *in, uint8_t tag, struct span *body)
{
	uint8_t found;

	return der_next(in, &found, body) && found == tag;
}

/* INTEGER of at most 32 bits, inside the context tag. */
static bool
der_number(struct span *in, uint8_t tag, int64_t *out)
{
	struct span outer, inner;

	if (!der_enter(in, tag, &outer) || !der_enter(&outer, 0x02, &inner) || inner.n == 0 || inner.n > 5)
		return false;
	*out = (int8_t)inner.p[0];
	for (size_t i = 1; i < inner.n; i++)
		*out = *out * 256 + (uint8_t)inner.p[i];
	return *out >= INT32_MIN && *out <= UINT32_MAX;
}

static void
name_add(struct ap_req *r, size_t *at, struct span text)
{
	for (size_t i = 0; i < text.n && *at + 1 < sizeof r->server; i++)
		r->server[(*at)++] = text.p[i] >= 0x20 && text.p[i] < 0x7f ? text.p[i] : '?';
	r->server[*at] = '\0';
}

/* PrincipalName and Realm, as people write them. */
static bool
read_server(struct span sname, struct span realm, struct ap_req *r)
{
	struct span names, seq, part;
	int64_t     type;
	size_t      at = 0;

	r->server[0] = '\0';
	if (!der_enter(&sname, 0x30, &seq) || !der_number(&seq, 0xa0, &type) || !der_enter(&seq, 0xa1, &names) || !der_enter(&names, 0x30, &seq))
		return false;
	while (seq.n > 0) {
		if (!der_enter(&seq, 0x1b, &part))
			return false;
		if (at > 0)
			name_add(r, &at, SPAN("/"));
		name_add(r, &at, part);
	}
	if (!der_enter(&realm, 0x1b, &part))
		return false;
	name_add(r, &at, SPAN("@"));
	name_add(r, &at, part);
	return true;
}

static bool
read_ticket(struct span ticket, struct ap_req *r)
{
	struct span seq, realm, sname, sealed, next;
	int64_t     version, number;

	if (!der_enter(&ticket, 0x61, &seq) || !der_enter(&seq, 0x30, &ticket))
		return false;
	if (!der_number(&ticket, 0xa0, &version) || !der_enter(&ticket, 0xa1, &realm) || !der_enter(&ticket, 0xa2, &sname) ||
	    !der_enter(&ticket, 0xa3, &sealed) || !der_enter(&sealed, 0x30, &seq))
		return false;
	if (!der_number(&seq, 0xa0, &number) || number > INT32_MAX)
		return false;
	r->etype = (int32_t)number;
	r->kvno = 0;
	next = seq;
	if (der_number(&next, 0xa1, &number))
		r->kvno = (uint32_t)number; /* some count it as signed */
	return read_server(sname, realm, r);
}

bool
ap_req_read(struct span token, struct ap_req *out)
{
	/* the mechanism, then the token's kind: what follows is an AP-REQ, however deep in SPNEGO */
	static const char  mark[] = "\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x01\x00";
	static const size_t n_mark = sizeof mark - 1;
	const char         *at = token.n ? memmem(token.p, token.n, mark, n_mark) : NULL;
	struct span         rest, outer, seq, body;
	uint8_t             tag;

	if (!at)
		return false;
	rest = span_of(at + n_mark, token.n - (size_t)(at - token.p) - n_mark);
	out->message = rest;
	if (!der_enter(&rest, 0x6e, &outer) || !der_enter(&outer, 0x30, &seq))
		return false;
	out->message.n -= rest.n;
	while (der_next(&seq, &tag, &body))
		if (tag == 0xa3)
			return read_ticket(body, out);
	return false;
}
