/* SPDX-License-Identifier: MIT */
/*
 * token: the credentials that clients of scenes send, as base64.
 */
#include "token.h"

#include <stdio.h>
#include <stdlib.h>

#include "auth/credential.h"
#include "play.h"

static void
put_int(struct bytes *b, uint64_t v, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		char c = i < 8 ? (char)(v >> 8 * i) : 0;
		bytes_add(b, span_of(&c, 1));
	}
}

static void
put_utf16(struct bytes *b, struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		put_int(b, (unsigned char)s.p[i], 2);
}

/* --- NTLM (MS-NLMP 2.2) --- */

#define FLAGS 0xa2088207u

static void
negotiate(struct bytes *b)
{
	bytes_add(b, SPAN("NTLMSSP\0"));
	put_int(b, 1, 4);
	put_int(b, FLAGS, 4);
	put_int(b, 0, 8);
	put_int(b, 0, 8);
	put_int(b, 0, 8); /* version */
}

static void
put_field(struct bytes *b, size_t n, size_t *at)
{
	put_int(b, n, 2);
	put_int(b, n, 2);
	put_int(b, *at, 4);
	*at += n;
}

/* `who`: DOMAIN\user. Its proof proves nothing: that is for the desk to judge. */
static void
authenticate(struct bytes *b, struct span who)
{
	const char *slash = memchr(who.p, '\\', who.n);
	struct span domain = span_of(who.p, slash ? (size_t)(slash - who.p) : 0), user = slash ? span_of(slash + 1, who.n - domain.n - 1) : who;
	size_t      at = 64, nt = 16 + 28 + 4;

	bytes_add(b, SPAN("NTLMSSP\0"));
	put_int(b, 3, 4);
	put_field(b, 24, &at);
	put_field(b, nt, &at);
	put_field(b, domain.n * 2, &at);
	put_field(b, user.n * 2, &at);
	put_field(b, 0, &at);
	put_field(b, 0, &at);
	put_int(b, FLAGS, 4);
	put_int(b, 0, 24);
	put_int(b, 0x1111111111111111u, 8);
	put_int(b, 0x1111111111111111u, 8);
	put_int(b, 0x0101, 8);
	put_int(b, 0, 8);
	put_int(b, 0x2222222222222222u, 8);
	put_int(b, 0, 4);
	put_int(b, 0, 4);
	put_utf16(b, domain);
	put_utf16(b, user);
}

/* --- SPNEGO (RFC 4178): DER, each length below 65536 --- */

static void
put_der(struct bytes *b, unsigned char tag, struct span s)
{
	put_int(b, tag, 1);
	if (s.n < 128) {
		put_int(b, s.n, 1);
	} else {
		put_int(b, 0x82, 1);
		put_int(b, s.n >> 8, 1);
		put_int(b, s.n & 255, 1);
	}
	bytes_add(b, s);
}

static void
wrap(struct bytes *b, unsigned char tag)
{
	struct bytes inner = *b;

	*b = (struct bytes){0};
	put_der(b, tag, bytes_left(&inner));
	free(inner.p);
}

#define OID_SPNEGO SPAN("\x06\x06\x2b\x06\x01\x05\x05\x02")
#define OID_NTLM   SPAN("\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a")
#define OID_KRB5   SPAN("\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02")

/* A NegTokenInit that offers NTLM, or Kerberos and then NTLM, with a token for the first (or none). */
static void
init(struct bytes *b, bool kerberos, struct span token)
{
	struct bytes mechs = {0}, mech_token = {0};

	if (kerberos)
		bytes_add(&mechs, OID_KRB5);
	bytes_add(&mechs, OID_NTLM);
	wrap(&mechs, 0x30);
	wrap(&mechs, 0xa0);
	bytes_add(b, bytes_left(&mechs));
	if (token.n) {
		put_der(&mech_token, 0x04, token);
		wrap(&mech_token, 0xa2);
		bytes_add(b, bytes_left(&mech_token));
	}
	wrap(b, 0x30);
	wrap(b, 0xa0);
	mechs.n = 0;
	bytes_add(&mechs, OID_SPNEGO);
	bytes_add(&mechs, bytes_left(b));
	b->n = 0;
	put_der(b, 0x60, bytes_left(&mechs));
	free(mechs.p);
	free(mech_token.p);
}

static void
resp(struct bytes *b, struct span token)
{
	put_der(b, 0x04, token);
	wrap(b, 0xa2);
	wrap(b, 0x30);
	wrap(b, 0xa1);
}

bool
token_make(struct span words, struct bytes *out)
{
	struct bytes b = {0}, plain = {0};
	const char  *blank = memchr(words.p, ' ', words.n);
	struct span  what = blank ? span_of(words.p, (size_t)(blank - words.p)) : words, rest = blank ? span_of(blank + 1, words.n - what.n - 1) : SPAN("");
	char        *text;
	bool         known = true;

	if (span_eq(what, SPAN("offer")) || span_eq(what, SPAN("consent")))
		return play_consent(playing, span_eq(what, SPAN("offer")), out);
	negotiate(&plain);
	if (span_eq(what, SPAN("bytes")))
		bytes_add(&b, rest);
	else if (span_eq(what, SPAN("ntlm1")))
		negotiate(&b);
	else if (span_eq(what, SPAN("ntlm3")))
		authenticate(&b, rest);
	else if (span_eq(what, SPAN("spnego1")))
		init(&b, false, bytes_left(&plain));
	else if (span_eq(what, SPAN("spnego-empty")))
		init(&b, false, SPAN(""));
	else if (span_eq(what, SPAN("spnego-ntlm1"))) {
		resp(&b, bytes_left(&plain));
	} else if (span_eq(what, SPAN("spnego3"))) {
		plain.n = 0;
		authenticate(&plain, rest);
		resp(&b, bytes_left(&plain));
	} else if (span_eq(what, SPAN("ticket")))
		init(&b, true, SPAN("\x60\x12\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x01\x00ticket"));
	else
		known = false;
	text = malloc(4 * (b.n + 2) / 3 + 4);
	bytes_add(out, span_of(text, base64_encode(bytes_left(&b), text)));
	free(text);
	free(b.p);
	free(plain.p);
	return known;
}
