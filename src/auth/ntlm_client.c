/* SPDX-License-Identifier: MIT */
#include "auth/ntlm_client.h"

#include <nettle/hmac.h>

#include "auth/ntlm_proof.h"
#include "auth/ntlm_text.h"

/* MS-NLMP 2.2.2.5: Unicode, request target, sign, NTLM, always sign, extended session security, target info, version, 128, 56 */
#define FLAGS (0x1u | 0x4u | 0x10u | 0x200u | 0x8000u | 0x80000u | 0x800000u | 0x2000000u | 0x20000000u | 0x80000000u)

#define HEAD     88u /* of an AUTHENTICATE with version and MIC */
#define MIC_AT   72u
#define NAME_MOST 256u /* characters */
#define INFO_MAX 1024u

enum { AV_EOL = 0, AV_FLAGS = 6, AV_TIMESTAMP = 7 };

static void
put16(char *p, size_t v)
{
	p[0] = (char)v;
	p[1] = (char)(v >> 8);
}

static void
put32(char *p, size_t v)
{
	put16(p, v);
	put16(p + 2, v >> 16);
}

static size_t
get16(const char *p)
{
	return (size_t)(uint8_t)p[0] | (size_t)(uint8_t)p[1] << 8;
}

static size_t
get32(const char *p)
{
	return get16(p) | get16(p + 2) << 16;
}

static void
version_put(char *p)
{
	static const char version[8] = {10, 0, 0, 0, 0, 0, 0, 15};

	memcpy(p, version, sizeof version);
}

void
ntlm_client_negotiate(char out[NTLM_CLIENT_NEGOTIATE])
{
	memset(out, 0, NTLM_CLIENT_NEGOTIATE);
	memcpy(out, "NTLMSSP", 8);
	put32(out + 8, 1);
	put32(out + 12, FLAGS);
	version_put(out + 32);
}

/* To UTF-16LE; SIZE_MAX: no UTF-8, or too long. */
static size_t
wide(char *to, struct span s, bool upper)
{
	size_t n = ntlm_text_utf16(s, to, 2 * NAME_MOST);

	for (size_t i = 0; upper && n != SIZE_MAX && i < n; i += 2)
		put16(to + i, ntlm_text_upper((uint16_t)get16(to + i)));
	return n;
}

static void
hmac(const uint8_t key[16], struct span a, struct span b, struct span c, uint8_t out[16])
{
	struct hmac_md5_ctx ctx;
	const struct span   part[] = {a, b, c};

	hmac_md5_set_key(&ctx, 16, key);
	for (size_t i = 0; i < 3; i++)
		if (part[i].n > 0)
			hmac_md5_update(&ctx, part[i].n, (const uint8_t *)part[i].p);
	hmac_md5_digest(&ctx, 16, out);
	explicit_bzero(&ctx, sizeof ctx);
}

/* The target info of the challenge with the flag added that says that a MIC comes (MS-NLMP 3.1.5.1.2); its time to `time`. 0: damaged. */
static size_t
info_make(struct span challenge, char *out, char time[8])
{
	size_t n, at, used = 0;

	if (challenge.n < 48)
		return 0;
	n = get16(challenge.p + 40);
	at = get32(challenge.p + 44);
	if (n > INFO_MAX - 16 || at > challenge.n || n > challenge.n - at)
		return 0;
	while (used + 4 <= n && get16(challenge.p + at + used) != AV_EOL) {
		const char *pair = challenge.p + at + used;
		size_t      len = get16(pair + 2);
		if (len > n - used - 4)
			return 0;
		if (get16(pair) == AV_TIMESTAMP && len == 8)
			memcpy(time, pair + 4, 8);
		memcpy(out + used, pair, 4 + len);
		used += 4 + len;
	}
	put16(out + used, AV_FLAGS);
	put16(out + used + 2, 4);
	put32(out + used + 4, 2);
	put32(out + used + 8, AV_EOL);
	return used + 12;
}

/* NTProofStr and what follows it, to `out`; the session key. Returns the length. */
static size_t
response_make(struct span challenge, struct span domain, struct span user, const uint8_t hash[16], const uint8_t nonce[8], char *out, uint8_t key[16])
{
	char    names[4 * NAME_MOST];
	uint8_t ntowf[16];
	size_t  n = wide(names, user, true), info;

	n += wide(names + n, domain, false);
	hmac(hash, span_of(names, n), SPAN(""), SPAN(""), ntowf);
	memset(out, 0, 16 + 28);
	out[16] = out[17] = 1;
	memcpy(out + 32, nonce, 8);
	info = info_make(challenge, out + 44, out + 24);
	if (info == 0)
		return 0;
	n = 44 + info;
	put32(out + n, 0);
	n += 4;
	hmac(ntowf, span_of(challenge.p + 24, 8), span_of(out + 16, n - 16), SPAN(""), (uint8_t *)out);
	hmac(ntowf, span_of(out, 16), SPAN(""), SPAN(""), key);
	explicit_bzero(ntowf, sizeof ntowf);
	return n;
}

static void
field_put(char *head, size_t at, size_t n, size_t offset)
{
	put16(head + at, n);
	put16(head + at + 2, n);
	put32(head + at + 4, offset);
}

size_t
ntlm_client_authenticate(struct span negotiate, struct span challenge, struct span domain, struct span user, struct span password, const uint8_t nonce[8],
    char out[NTLM_CLIENT_MAX], uint8_t key[16])
{
	uint8_t hash[16], mic[16];
	size_t  n = HEAD, one;

	if (challenge.n < 48 || !ntlm_hash(password, hash))
		return 0;
	memset(out, 0, HEAD);
	memcpy(out, "NTLMSSP", 8);
	put32(out + 8, 3);
	put32(out + 60, FLAGS & get32(challenge.p + 20));
	version_put(out + 64);
	one = wide(out + n, domain, false);
	if (one == SIZE_MAX)
		return 0;
	field_put(out, 28, one, n);
	n += one;
	one = wide(out + n, user, false);
	if (one == SIZE_MAX)
		return 0;
	field_put(out, 36, one, n);
	n += one;
	field_put(out, 44, 0, n); /* no workstation */
	field_put(out, 12, 24, n);
	memset(out + n, 0, 24); /* no LM response: there is a timestamp */
	n += 24;
	one = response_make(challenge, domain, user, hash, nonce, out + n, key);
	explicit_bzero(hash, sizeof hash);
	if (one == 0)
		return 0;
	field_put(out, 20, one, n);
	n += one;
	field_put(out, 52, 0, n); /* no key exchange */
	hmac(key, negotiate, challenge, span_of(out, n), mic);
	memcpy(out + MIC_AT, mic, sizeof mic);
	return n;
}
