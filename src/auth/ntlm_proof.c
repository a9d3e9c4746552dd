/* SPDX-License-Identifier: MIT */
#include "auth/ntlm_proof.h"

#include <nettle/arcfour.h>
#include <nettle/hmac.h>
#include <nettle/md4.h>
#include <nettle/md5.h>
#include <nettle/memops.h>

#include "auth/ntlm_text.h"

#define KEY 16

static const uint8_t *
bytes(struct span s)
{
	return (const uint8_t *)s.p;
}

/* HMAC-MD5 over up to four parts. */
static void
hmac(const uint8_t key[KEY], const struct span *part, size_t n, uint8_t out[KEY])
{
	struct hmac_md5_ctx c;

	hmac_md5_set_key(&c, KEY, key);
	for (size_t i = 0; i < n; i++)
		hmac_md5_update(&c, part[i].n, bytes(part[i]));
	hmac_md5_digest(&c, KEY, out);
	explicit_bzero(&c, sizeof c);
}

static struct span
key_span(const uint8_t *key, size_t n)
{
	return span_of((const char *)key, n);
}

bool
ntlm_hash(struct span password, uint8_t hash[16])
{
	struct md4_ctx c;
	uint32_t       ch = 0;
	bool           good = true;

	md4_init(&c);
	while (password.n > 0 && (good = ntlm_text_take(&password, &ch))) {
		uint32_t v = ch - 0x10000, high = 0xd800 + (v >> 10), low = 0xdc00 + (v & 0x3ff);
		uint8_t  one[2] = {(uint8_t)ch, (uint8_t)(ch >> 8)}, two[4] = {(uint8_t)high, (uint8_t)(high >> 8), (uint8_t)low, (uint8_t)(low >> 8)};
		if (ch < 0x10000)
			md4_update(&c, sizeof one, one);
		else
			md4_update(&c, sizeof two, two);
		explicit_bzero(one, sizeof one);
		explicit_bzero(two, sizeof two);
	}
	md4_digest(&c, MD4_DIGEST_SIZE, hash);
	explicit_bzero(&c, sizeof c);
	explicit_bzero(&ch, sizeof ch);
	return good;
}

/* --- the response --- */

#define NAME_BYTES (2u * sizeof((struct ntlm_authenticate *)0)->user_utf8)

/* A name in UTF-16LE, as some client may have hashed it. */
struct name {
	char   text[NAME_BYTES];
	size_t n;
};

/* As sent; OEM bytes just widened: so do curl and its kin. */
static void
name_as_sent(struct name *n, struct span sent, bool unicode)
{
	if (unicode) {
		n->n = sent.n <= sizeof n->text ? sent.n : 0;
		if (n->n > 0)
			memcpy(n->text, sent.p, n->n);
		return;
	}
	n->n = 2 * sent.n <= sizeof n->text ? 2 * sent.n : 0;
	for (size_t i = 0; i < n->n; i++)
		n->text[i] = i % 2 == 0 ? sent.p[i / 2] : 0;
}

/* What the bytes mean. Equal to what was sent, for Unicode. */
static void
name_as_meant(struct name *n, const char *utf8)
{
	n->n = ntlm_text_utf16(span_str(utf8), n->text, sizeof n->text);
	if (n->n == SIZE_MAX)
		n->n = 0;
}

static bool
is_ascii(const char *s)
{
	while (*s && (uint8_t)*s < 0x80)
		s++;
	return !*s;
}

static void
name_upper(struct name *n, bool ascii_only)
{
	for (size_t i = 0; i + 1 < n->n; i += 2) {
		uint16_t unit = (uint16_t)((uint8_t)n->text[i] | (uint8_t)n->text[i + 1] << 8);
		if (ascii_only && unit >= 0x80)
			continue;
		unit = ntlm_text_upper(unit);
		n->text[i] = (char)unit;
		n->text[i + 1] = (char)(unit >> 8);
	}
}

static bool
proof_holds(const struct ntlm_authenticate *a, const uint8_t challenge[8], const uint8_t hash[16], const struct name *user, const struct name *domain,
    uint8_t base_key[16])
{
	struct span names[2] = {{user->text, user->n}, {domain ? domain->text : NULL, domain ? domain->n : 0}};
	struct span said[2] = {key_span(challenge, 8), span_of(a->nt.p + KEY, a->nt.n - KEY)};
	struct span proof_part;
	uint8_t     key[KEY], proof[KEY];
	bool        holds;

	hmac(hash, names, 2, key);
	hmac(key, said, 2, proof);
	holds = memeql_sec(proof, a->nt.p, KEY);
	proof_part = key_span(proof, KEY);
	if (holds)
		hmac(key, &proof_part, 1, base_key);
	explicit_bzero(key, sizeof key);
	explicit_bzero(proof, sizeof proof);
	return holds;
}

/* With the domain as sent, in upper case, and without. */
static bool
user_holds(const struct ntlm_authenticate *a, const uint8_t challenge[8], const uint8_t hash[16], const struct name *user, struct name *domain,
    bool ascii_only, uint8_t base_key[16])
{
	struct name before = *domain;

	if (proof_holds(a, challenge, hash, user, domain, base_key))
		return true;
	if (domain->n == 0)
		return false;
	name_upper(domain, ascii_only);
	return (memcmp(before.text, domain->text, domain->n) != 0 && proof_holds(a, challenge, hash, user, domain, base_key))
	    || proof_holds(a, challenge, hash, user, NULL, base_key);
}

/* First as most do it, then as those do that know no upper case beyond ASCII. */
bool
ntlm_response_holds(const struct ntlm_authenticate *a, const uint8_t challenge[8], const uint8_t hash[16], uint8_t base_key[16])
{
	struct name user, domain;

	if (a->nt.n < KEY)
		return false;
	name_as_meant(&user, a->user_utf8);
	name_as_meant(&domain, a->domain_utf8);
	name_upper(&user, false);
	if (user_holds(a, challenge, hash, &user, &domain, false, base_key))
		return true;
	if (is_ascii(a->user_utf8) && is_ascii(a->domain_utf8))
		return false;
	name_as_sent(&user, a->user, a->unicode);
	name_as_sent(&domain, a->domain, a->unicode);
	name_upper(&user, true);
	return user_holds(a, challenge, hash, &user, &domain, true, base_key);
}

/* --- after it --- */

/* MS-NLMP 3.2.5.1.2: the key that the client made up comes encrypted; without it the base key itself is used. */
static const char *
exchange_key(const struct ntlm_authenticate *a, const uint8_t base_key[16], uint8_t exported_key[16])
{
	struct arcfour_ctx rc4;
	bool               may = (a->flags & NTLM_FLAG_KEY_EXCH) != 0, must = may && (a->flags & (NTLM_FLAG_SIGN | NTLM_FLAG_SEAL)) != 0;

	if (must && a->session_key.n != KEY)
		return "session key missing";
	if (!may || a->session_key.n != KEY) {
		memcpy(exported_key, base_key, KEY);
		return NULL;
	}
	arcfour_set_key(&rc4, KEY, base_key);
	arcfour_crypt(&rc4, KEY, exported_key, bytes(a->session_key));
	explicit_bzero(&rc4, sizeof rc4);
	return NULL;
}

static bool
mic_holds(const struct ntlm_authenticate *a, struct span negotiate, struct span challenge, struct span m, const uint8_t key[16])
{
	static const char zeros[KEY];
	struct span       part[5] = {negotiate, challenge, {m.p, a->mic_at}, {zeros, KEY}, {NULL, 0}};
	uint8_t           mic[KEY];

	if (m.n < KEY || a->mic_at > m.n - KEY)
		return false;
	part[4] = span_of(m.p + a->mic_at + KEY, m.n - a->mic_at - KEY);
	hmac(key, part, 5, mic);
	return memeql_sec(mic, m.p + a->mic_at, KEY);
}

/* Clients that know of no bindings send none, or zeros. */
static bool
is_bound(const struct ntlm_authenticate *a)
{
	static const uint8_t zeros[KEY];

	return a->binding.n == KEY && memcmp(a->binding.p, zeros, KEY) != 0;
}

bool
ntlm_exchange_holds(const struct ntlm_authenticate *a, struct span negotiate, struct span challenge, struct span authenticate, const uint8_t base_key[16],
    const uint8_t *binding, uint8_t exported_key[16], const char **why)
{
	*why = NULL;
	if (binding && is_bound(a) && !memeql_sec(binding, a->binding.p, KEY))
		*why = "wrong channel binding: the client's TLS does not end here";
	if (!*why)
		*why = exchange_key(a, base_key, exported_key);
	if (!*why && a->has_mic && !mic_holds(a, negotiate, challenge, authenticate, exported_key))
		*why = "wrong MIC";
	if (*why)
		explicit_bzero(exported_key, KEY);
	return *why == NULL;
}

/* MS-NLMP 3.4.5.2 and 3.4.5.3: MD5 of the key and a text, its NUL included. */
static void
derive(const uint8_t *key, size_t n, struct span text, uint8_t out[16])
{
	struct md5_ctx c;

	md5_init(&c);
	md5_update(&c, n, key);
	md5_update(&c, text.n, bytes(text));
	md5_digest(&c, MD5_DIGEST_SIZE, out);
	explicit_bzero(&c, sizeof c);
}

void
ntlm_sign(const uint8_t exported_key[16], uint32_t flags, bool by_client, struct span mech_list, uint8_t mic[16])
{
	static const char  number[4];
	struct span        sign_text = by_client ? SPAN("session key to client-to-server signing key magic constant\0")
	                                         : SPAN("session key to server-to-client signing key magic constant\0");
	struct span        seal_text = by_client ? SPAN("session key to client-to-server sealing key magic constant\0")
	                                         : SPAN("session key to server-to-client sealing key magic constant\0");
	struct span        part[2] = {{number, sizeof number}, mech_list};
	uint8_t            sign_key[KEY], seal_key[KEY], sum[KEY];
	struct arcfour_ctx rc4;

	derive(exported_key, KEY, sign_text, sign_key);
	hmac(sign_key, part, 2, sum);
	if (flags & NTLM_FLAG_KEY_EXCH) {
		derive(exported_key, flags & NTLM_FLAG_128 ? 16 : flags & NTLM_FLAG_56 ? 7 : 5, seal_text, seal_key);
		/* RC4 begins anew for each side's MIC (MS-SPNG 3.2.5.1) */
		arcfour_set_key(&rc4, KEY, seal_key);
		arcfour_crypt(&rc4, 8, sum, sum);
		explicit_bzero(&rc4, sizeof rc4);
	}
	memset(mic, 0, 16);
	mic[0] = 1;
	memcpy(mic + 4, sum, 8);
	explicit_bzero(sign_key, sizeof sign_key);
	explicit_bzero(seal_key, sizeof seal_key);
	explicit_bzero(sum, sizeof sum);
}
