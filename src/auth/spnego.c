/* SPDX-License-Identifier: MIT */
#include "auth/spnego.h"

#include <stdint.h>

enum der {
	DER_OCTET_STRING = 0x04,
	DER_OID = 0x06,
	DER_ENUMERATED = 0x0a,
	DER_SEQUENCE = 0x30,
	DER_APPLICATION_0 = 0x60, /* RFC 2743 3.1 */
	DER_CONTEXT_0 = 0xa0,
	DER_CONTEXT_1,
	DER_CONTEXT_2,
	DER_CONTEXT_3,
	DER_CONTEXT_4
};

static const char oid_spnego[] = "\x2b\x06\x01\x05\x05\x02";                             /* 1.3.6.1.5.5.2 */
static const char oid_kerberos[] = "\x2a\x86\x48\x86\xf7\x12\x01\x02\x02";               /* 1.2.840.113554.1.2.2 */
static const char oid_ms_kerberos[] = "\x2a\x86\x48\x82\xf7\x12\x01\x02\x02";            /* 1.2.840.48018.1.2.2: a bit lost in Windows 2000, and kept */
static const char oid_ntlm[] = "\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a";               /* 1.3.6.1.4.1.311.2.2.10 */

#define IS(s, oid) span_eq((s), SPAN(oid))

/* Takes one element off the front of *in. Lengths are definite; longer forms than needed are let through. `whole` (may be null): with its head. */
static bool
take(struct span *in, uint8_t *tag, struct span *inside, struct span *whole)
{
	size_t n, at = 2;

	if (in->n < 2)
		return false;
	n = (uint8_t)in->p[1];
	if (n & 0x80) {
		size_t bytes = n & 0x7f;
		if (bytes == 0 || bytes > 4 || bytes > in->n - at)
			return false;
		for (n = 0; bytes > 0; bytes--)
			n = n << 8 | (uint8_t)in->p[at++];
	}
	if (n > in->n - at)
		return false;
	*tag = (uint8_t)in->p[0];
	*inside = span_of(in->p + at, n);
	if (whole)
		*whole = span_of(in->p, at + n);
	in->p += at + n;
	in->n -= at + n;
	return true;
}

/* The same, of this tag. */
static bool
take_tagged(struct span *in, uint8_t tag, struct span *inside)
{
	uint8_t got;

	return take(in, &got, inside, NULL) && got == tag;
}

/* All of `in` is one element of this tag. */
static bool
open_only(struct span in, uint8_t tag, struct span *inside)
{
	return take_tagged(&in, tag, inside) && in.n == 0;
}

static enum spnego_mech
read_mech(struct span oid)
{
	if (IS(oid, oid_ntlm))
		return SPNEGO_NTLM;
	return IS(oid, oid_kerberos) || IS(oid, oid_ms_kerberos) ? SPNEGO_KERBEROS : SPNEGO_NO_MECH;
}

static bool
read_mech_list(struct span field, struct spnego *out)
{
	struct span list, oid;
	uint8_t     tag;
	bool        is_first = true;

	if (!take(&field, &tag, &list, &out->mech_list) || tag != DER_SEQUENCE || field.n > 0 || list.n == 0)
		return false;
	for (; list.n > 0; is_first = false) {
		enum spnego_mech mech;
		if (!take_tagged(&list, DER_OID, &oid))
			return false;
		mech = read_mech(oid);
		out->offers_ntlm |= mech == SPNEGO_NTLM;
		out->offers_kerberos |= mech == SPNEGO_KERBEROS;
		if (is_first)
			out->first = mech;
	}
	return true;
}

/* NegTokenInit (RFC 4178 4.2.1). [3] is mechListMIC there and negHints, a sequence, in NegTokenInit2 (MS-SPNG 2.2.1), whose mechListMIC is [4]. */
static bool
read_init(struct span fields, struct spnego *out)
{
	struct span inside, ignored;
	uint8_t     tag, last = 0;

	out->is_init = true;
	while (fields.n > 0) {
		if (!take(&fields, &tag, &inside, NULL) || tag <= last)
			return false;
		last = tag;
		switch (tag) {
		case DER_CONTEXT_0:
			if (!read_mech_list(inside, out))
				return false;
			break;
		case DER_CONTEXT_1: /* reqFlags: a BIT STRING that nobody minds */
			break;
		case DER_CONTEXT_2:
			if (!open_only(inside, DER_OCTET_STRING, &out->token))
				return false;
			break;
		case DER_CONTEXT_3:
			if (!open_only(inside, DER_OCTET_STRING, &out->mic) && !open_only(inside, DER_SEQUENCE, &ignored))
				return false;
			break;
		case DER_CONTEXT_4:
			if (!open_only(inside, DER_OCTET_STRING, &out->mic))
				return false;
			break;
		default:
			return false;
		}
	}
	return out->mech_list.n > 0;
}

/* NegTokenResp (RFC 4178 4.2.2). What it says of state and mechanism is the acceptor's business, and that is us. */
static bool
read_resp(struct span fields, struct spnego *out)
{
	struct span inside, ignored;
	uint8_t     tag, last = 0;

	while (fields.n > 0) {
		bool good;
		if (!take(&fields, &tag, &inside, NULL) || tag <= last)
			return false;
		last = tag;
		switch (tag) {
		case DER_CONTEXT_0:
			good = open_only(inside, DER_ENUMERATED, &ignored);
			break;
		case DER_CONTEXT_1:
			good = open_only(inside, DER_OID, &ignored);
			break;
		case DER_CONTEXT_2:
			good = open_only(inside, DER_OCTET_STRING, &out->token);
			break;
		case DER_CONTEXT_3:
			good = open_only(inside, DER_OCTET_STRING, &out->mic);
			break;
		default:
			good = false;
		}
		if (!good)
			return false;
	}
	return true;
}

bool
spnego_read(struct span bytes, struct spnego *out)
{
	struct span inside, oid, fields;

	memset(out, 0, sizeof *out);
	if (open_only(bytes, DER_CONTEXT_1, &inside))
		return open_only(inside, DER_SEQUENCE, &fields) && read_resp(fields, out);
	/* some clients leave the framing of RFC 2743 3.1 out */
	if (open_only(bytes, DER_CONTEXT_0, &inside))
		return open_only(inside, DER_SEQUENCE, &fields) && read_init(fields, out);
	return open_only(bytes, DER_APPLICATION_0, &inside) && take_tagged(&inside, DER_OID, &oid) && IS(oid, oid_spnego)
	    && open_only(inside, DER_CONTEXT_0, &inside) && open_only(inside, DER_SEQUENCE, &fields) && read_init(fields, out);
}

bool
spnego_is_kerberos(struct span bytes)
{
	struct span inside, oid;

	return open_only(bytes, DER_APPLICATION_0, &inside) && take_tagged(&inside, DER_OID, &oid) && read_mech(oid) == SPNEGO_KERBEROS;
}

/* --- writing: from the back, so that lengths are known --- */

struct pen {
	char  *out;
	size_t at; /* what is written begins here */
	bool   is_full;
};

static void
put(struct pen *p, const void *bytes, size_t n)
{
	if (p->is_full || n > p->at) {
		p->is_full = true;
		return;
	}
	p->at -= n;
	if (n > 0)
		memcpy(p->out + p->at, bytes, n);
}

static void
put_byte(struct pen *p, unsigned b)
{
	uint8_t byte = (uint8_t)b;

	put(p, &byte, 1);
}

/* The head of an element that ends at `end` and whose inside is written. */
static void
put_head(struct pen *p, uint8_t tag, size_t end)
{
	size_t   n = end - p->at;
	unsigned bytes = 0;

	if (n < 0x80) {
		put_byte(p, (unsigned)n);
	} else {
		for (; n > 0; n >>= 8, bytes++)
			put_byte(p, (unsigned)n & 0xff);
		put_byte(p, 0x80 | bytes);
	}
	put_byte(p, tag);
}

/* [tag] type content */
static void
put_field(struct pen *p, uint8_t tag, uint8_t type, struct span content)
{
	size_t end = p->at;

	put(p, content.p, content.n);
	put_head(p, type, end);
	put_head(p, tag, end);
}

size_t
spnego_write(enum spnego_state state, bool names_mech, struct span token, struct span mic, char *out, size_t room)
{
	struct pen p = {out, room, false};
	char       state_byte = (char)state;
	size_t     n;

	if (mic.n > 0)
		put_field(&p, DER_CONTEXT_3, DER_OCTET_STRING, mic);
	if (token.n > 0)
		put_field(&p, DER_CONTEXT_2, DER_OCTET_STRING, token);
	if (names_mech)
		put_field(&p, DER_CONTEXT_1, DER_OID, SPAN(oid_ntlm));
	put_field(&p, DER_CONTEXT_0, DER_ENUMERATED, span_of(&state_byte, 1));
	put_head(&p, DER_SEQUENCE, room);
	put_head(&p, DER_CONTEXT_1, room);
	if (p.is_full)
		return 0;
	n = room - p.at;
	memmove(out, out + p.at, n);
	return n;
}
