/* SPDX-License-Identifier: MIT */
#include "auth/credential.h"

#include <stdint.h>

#include "auth/ask.h"
#include "auth/ntlm.h"
#include "auth/spnego.h"

#define BASE64_ROOM(n) (((n) + 2) / 3 * 4)

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* 64 and above: none of the alphabet. */
static unsigned
sextet(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (unsigned)(c - 'A');
	if (c >= 'a' && c <= 'z')
		return (unsigned)(c - 'a') + 26;
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0') + 52;
	return c == '+' ? 62 : c == '/' ? 63 : 64;
}

/* Bits that padding leaves over must be zero: each value has one spelling. */
size_t
base64_decode(struct span text, char *out, size_t room)
{
	size_t   n = text.n, pad = 0, to = 0;
	uint32_t v = 0;

	if (n % 4 != 0)
		return SIZE_MAX;
	while (pad < 2 && n > 0 && text.p[n - 1] == '=') {
		n--;
		pad++;
	}
	if (text.n / 4 * 3 - pad > room)
		return SIZE_MAX;
	for (size_t i = 0; i < n; i++) {
		unsigned six = sextet(text.p[i]);
		if (six >= 64)
			return SIZE_MAX;
		v = v << 6 | six;
		if (i % 4 == 0)
			continue;
		out[to++] = (char)(v >> (6 - i % 4 * 2));
	}
	if (pad > 0 && v & (pad == 1 ? 3u : 15u))
		return SIZE_MAX;
	return to;
}

size_t
base64_encode(struct span bytes, char *out)
{
	size_t to = 0;

	for (size_t i = 0; i < bytes.n; i += 3) {
		size_t   left = bytes.n - i;
		uint32_t v = (uint32_t)(uint8_t)bytes.p[i] << 16;
		if (left > 1)
			v |= (uint32_t)(uint8_t)bytes.p[i + 1] << 8;
		if (left > 2)
			v |= (uint8_t)bytes.p[i + 2];
		out[to++] = letters[v >> 18];
		out[to++] = letters[v >> 12 & 63];
		out[to++] = left > 1 ? letters[v >> 6 & 63] : '=';
		out[to++] = left > 2 ? letters[v & 63] : '=';
	}
	return to;
}

/* RFC 7617 2: the first colon ends the name; no control characters in either. What encoding the bytes are in only the back end knows. */
static void
read_basic(struct span bytes, struct credential *out)
{
	const char *colon = memchr(bytes.p, ':', bytes.n);

	if (!colon || colon == bytes.p)
		return;
	for (size_t i = 0; i < bytes.n; i++)
		if ((uint8_t)bytes.p[i] < 0x20 || bytes.p[i] == 0x7f)
			return;
	out->user = span_of(bytes.p, (size_t)(colon - bytes.p));
	out->password = span_of(colon + 1, bytes.n - out->user.n - 1);
	out->kind = CREDENTIAL_BASIC;
}

/* A client sends the first and the third kind of message. */
static bool
is_from_client(struct span token)
{
	enum ntlm_message m = ntlm_message(token);

	return m == NTLM_NEGOTIATE || m == NTLM_AUTHENTICATE;
}

static void
read_ntlm(struct span bytes, struct credential *out)
{
	if (!is_from_client(bytes))
		return;
	out->token = bytes;
	out->kind = CREDENTIAL_NTLM;
}

static enum credential_kind
judge_init(const struct spnego *s)
{
	if (s->first == SPNEGO_NTLM && s->token.n > 0)
		return is_from_client(s->token) ? CREDENTIAL_NTLM : CREDENTIAL_BAD;
	if (s->first == SPNEGO_KERBEROS)
		return CREDENTIAL_KERBEROS;
	/* NEGOEX goes first on Windows outside a domain: what comes with it is of no use to us, what stands behind it is */
	if (s->offers_ntlm)
		return CREDENTIAL_NEGOTIATE;
	return s->offers_kerberos ? CREDENTIAL_KERBEROS : CREDENTIAL_BAD;
}

/* RFC 4559 4: a GSSAPI token. Clients (WinINet, Wine) also send NTLM without a wrapper here. */
static void
read_negotiate(struct span bytes, struct credential *out)
{
	struct spnego s;

	out->token = bytes;
	if (ntlm_message(bytes) != NTLM_NO_MESSAGE) {
		read_ntlm(bytes, out);
		return;
	}
	if (spnego_is_kerberos(bytes)) {
		out->kind = CREDENTIAL_KERBEROS;
		return;
	}
	if (!spnego_read(bytes, &s))
		return;
	/* later tokens name no mechanism; what is no NTLM message continues Kerberos */
	if (s.is_init)
		out->kind = judge_init(&s);
	else
		out->kind = is_from_client(s.token) ? CREDENTIAL_NTLM : CREDENTIAL_KERBEROS;
	out->mech_list = s.mech_list;
	out->offers_ntlm = s.offers_ntlm;
	out->mic = s.mic;
	if (out->kind == CREDENTIAL_NTLM) {
		out->token = s.token;
		out->wrapped = true;
	}
}

static enum auth_scheme
read_scheme(struct span word)
{
	if (span_eq_nocase(word, SPAN("Basic")))
		return AUTH_SCHEME_BASIC;
	if (span_eq_nocase(word, SPAN("NTLM")))
		return AUTH_SCHEME_NTLM;
	return span_eq_nocase(word, SPAN("Negotiate")) ? AUTH_SCHEME_NEGOTIATE : AUTH_SCHEME_NONE;
}

void
credential_read(struct span value, char *scratch, size_t room, struct credential *out)
{
	const char *end, *space;
	size_t      n;

	memset(out, 0, sizeof *out);
	while (value.n > 0 && (value.p[value.n - 1] == ' ' || value.p[value.n - 1] == '\t'))
		value.n--;
	while (value.n > 0 && (*value.p == ' ' || *value.p == '\t')) {
		value.p++;
		value.n--;
	}
	space = value.n > 0 ? memchr(value.p, ' ', value.n) : NULL;
	end = value.n > 0 ? value.p + value.n : value.p;
	out->scheme = read_scheme(space ? span_of(value.p, (size_t)(space - value.p)) : value);
	if (out->scheme == AUTH_SCHEME_NONE)
		return;
	out->kind = CREDENTIAL_BAD;
	while (space && space < end && *space == ' ')
		space++;
	if (!space || (size_t)(end - space) > BASE64_ROOM(ASK_TOKEN_MAX))
		return;
	n = base64_decode(span_of(space, (size_t)(end - space)), scratch, room);
	if (n == SIZE_MAX || n == 0 || n > ASK_TOKEN_MAX)
		return;
	if (out->scheme == AUTH_SCHEME_BASIC)
		read_basic(span_of(scratch, n), out);
	else if (out->scheme == AUTH_SCHEME_NTLM)
		read_ntlm(span_of(scratch, n), out);
	else
		read_negotiate(span_of(scratch, n), out);
}
