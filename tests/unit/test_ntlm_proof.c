/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "auth/credential.h"
#include "auth/ntlm_proof.h"
#include "auth/spnego.h"
#include "block.h"
#include "ntlm_messages.h"

/* MS-NLMP 4.2.4 */
static const char sample_challenge[] = "NTLMSSP\0\2\0\0\0\x0c\0\x0c\0\x38\0\0\0\x33\x82\x8a\xe2\x01\x23\x45\x67\x89\xab\xcd\xef\0\0\0\0\0\0\0\0\x24\0\x24\0\x44\0\0\0\6\0\x70\x17\0\0\0\x0f"
                                       "S\0e\0r\0v\0e\0r\0\2\0\x0c\0D\0o\0m\0a\0i\0n\0\1\0\x0c\0S\0e\0r\0v\0e\0r\0\0\0\0\0";
static const char sample_authenticate[] =
    "NTLMSSP\0\3\0\0\0\x18\0\x18\0\x6c\0\0\0\x54\0\x54\0\x84\0\0\0\x0c\0\x0c\0\x48\0\0\0\x08\0\x08\0\x54\0\0\0\x10\0\x10\0\x5c\0\0\0\x10\0\x10\0\xd8\0\0\0"
    "\x35\x82\x88\xe2\5\1\x28\x0a\0\0\0\x0f"
    "D\0o\0m\0a\0i\0n\0U\0s\0e\0r\0C\0O\0M\0P\0U\0T\0E\0R\0"
    "\x86\xc3\x50\x97\xac\x9c\xec\x10\x25\x54\x76\x4a\x57\xcc\xcc\x19\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa"
    "\x68\xcd\x0a\xb8\x51\xe5\x1c\x96\xaa\xbc\x92\x7b\xeb\xef\x6a\x1c\1\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\0\0\0\0"
    "\2\0\x0c\0D\0o\0m\0a\0i\0n\0\1\0\x0c\0S\0e\0r\0v\0e\0r\0\0\0\0\0\0\0\0\0"
    "\xc5\xda\xd2\x54\x4f\xc9\x79\x90\x94\xce\x1c\xe9\x0b\xc9\xd0\x3e";
static const uint8_t sample_base_key[16] = "\x8d\xe4\x0c\xca\xdb\xc1\x4a\x82\xf1\x5c\xb0\xad\x0d\xe9\x5c\xa3";
static const uint8_t sample_exported_key[16] = "UUUUUUUUUUUUUUUU";

static void
test_sample_of_the_standard_holds(void **state)
{
	struct ntlm_authenticate a;
	const char              *why;
	struct span              m = block_of(sample_authenticate, sizeof sample_authenticate - 1), c = SPAN(sample_challenge);
	uint8_t                  hash[16], base[16], exported[16], mic[16];

	(void)state;
	assert_true(ntlm_hash(SPAN("Password"), hash));
	assert_memory_equal(hash, "\xa4\xf4\x9c\x40\x65\x10\xbd\xca\xb6\x82\x4e\xe7\xc3\x0f\xd8\x52", 16);
	assert_true(ntlm_authenticate_read(m, c, &a, &why));
	assert_true(ntlm_response_holds(&a, (const uint8_t *)c.p + 24, hash, base));
	assert_memory_equal(base, sample_base_key, 16);
	assert_true(ntlm_exchange_holds(&a, SPAN(""), c, m, base, NULL, exported, &why));
	assert_memory_equal(exported, sample_exported_key, 16);
	/* 4.2.4.4 gives the sum before RC4 */
	ntlm_sign(exported, 0, true, SPAN("P\0l\0a\0i\0n\0t\0e\0x\0t\0"), mic);
	assert_memory_equal(mic, "\1\0\0\0\x70\x35\x28\x51\xf2\x56\x43\x09\0\0\0\0", 16);
	block_free(m);
}

static void
test_hash_is_of_utf16(void **state)
{
	static const struct {
		struct span password;
		const char *hash; /* null: no UTF-8 */
	} rows[] = {
	    {TEXT(""), "31d6cfe0d16ae931b73c59d7e0c089c0"},
	    {TEXT("Passw0rd-alice"), "68ee372d76fcef069af4bfffda823e48"},
	    {TEXT("\xc3\x28"), NULL},
	    {TEXT("\xed\xa0\x80"), NULL},
	    {TEXT("\xc0\x80"), NULL},
	    {TEXT("\xf4\x90\x80\x80"), NULL},
	    {TEXT("a\xe2\x82"), NULL},
	    {TEXT("\xf0\x9f\x98\x80\xc3\xa4"), "8d9a692abfc84d6335a4cfe1dc65114c"},
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct span in = block_of(rows[i].password.p, rows[i].password.n);
		uint8_t     hash[16];
		char        hex[33];
		assert_int_equal(ntlm_hash(in, hash), rows[i].hash != NULL);
		for (int k = 0; k < 16; k++)
			snprintf(hex + 2 * k, 3, "%02x", hash[k]);
		if (rows[i].hash)
			assert_string_equal(hex, rows[i].hash);
		block_free(in);
	}
}

/* Free its p. */
static struct span
decode(const char *text)
{
	size_t n = strlen(text) / 4 * 3;
	char  *p = malloc(n);

	assert_non_null(p);
	n = base64_decode(span_str(text), p, n);
	assert_true(n != SIZE_MAX);
	return span_of(p, n);
}

struct exchange {
	struct span              negotiate, challenge, authenticate;
	struct ntlm_authenticate a;
};

static void
exchange_init(struct exchange *e, const struct recorded *r)
{
	const char *why;

	e->negotiate = decode(r->negotiate);
	e->challenge = decode(r->challenge);
	e->authenticate = decode(r->authenticate);
	assert_true(ntlm_authenticate_read(e->authenticate, e->challenge, &e->a, &why));
}

static void
exchange_clear(struct exchange *e)
{
	block_free(e->negotiate);
	block_free(e->challenge);
	block_free(e->authenticate);
}

static bool
exchange_holds(struct exchange *e, const char *password, const uint8_t *binding, const char **why)
{
	uint8_t hash[16], base[16], exported[16];

	*why = "response";
	assert_true(ntlm_hash(span_str(password), hash));
	return ntlm_response_holds(&e->a, (const uint8_t *)e->challenge.p + 24, hash, base)
	    && ntlm_exchange_holds(&e->a, e->negotiate, e->challenge, e->authenticate, base, binding, exported, why);
}

static void
test_recorded_exchanges_hold(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(recorded); i++) {
		struct exchange e;
		const char     *why;
		exchange_init(&e, &recorded[i]);
		if (!exchange_holds(&e, RECORDED_PASSWORD, NULL, &why))
			fail_msg("%s: %s", recorded[i].client, why);
		assert_false(exchange_holds(&e, "Passw0rd-alicf", NULL, &why));
		exchange_clear(&e);
	}
}

/* Whoever changes a bit of any of the three messages is found out, when there is a MIC; without one, who changes the response or the challenge. */
static void
test_one_changed_bit_is_found_out(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(recorded); i++) {
		struct exchange e;
		const char     *why;
		if (!recorded[i].has_mic)
			continue;
		exchange_init(&e, &recorded[i]);
		for (int which = 0; which < 3; which++) {
			struct span m = which == 0 ? e.negotiate : which == 1 ? e.challenge : e.authenticate;
			char       *p = (char *)(uintptr_t)m.p;
			for (size_t at = 0; at < m.n; at++) {
				p[at] ^= 0x10;
				assert_false(ntlm_authenticate_read(e.authenticate, e.challenge, &e.a, &why) && exchange_holds(&e, RECORDED_PASSWORD, NULL, &why));
				p[at] ^= 0x10;
			}
		}
		exchange_clear(&e);
	}
}

static void
test_challenge_of_another_exchange_does_not_hold(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(recorded); i++) {
		struct exchange e;
		struct span     other = decode(recorded[(i + 1) % ROWS(recorded)].challenge);
		const char     *why;
		exchange_init(&e, &recorded[i]);
		memcpy((char *)(uintptr_t)e.challenge.p + 24, other.p + 24, 8);
		assert_false(exchange_holds(&e, RECORDED_PASSWORD, NULL, &why));
		block_free(other);
		exchange_clear(&e);
	}
}

static void
test_channel_binding_is_checked_when_asked_for(void **state)
{
	static const uint8_t right[16] = RECORDED_BINDING, zeros[16];
	struct exchange      e;
	const char          *why;

	(void)state;
	exchange_init(&e, &recorded[ROWS(recorded) - 1]);
	assert_true(exchange_holds(&e, RECORDED_PASSWORD, right, &why));
	assert_false(exchange_holds(&e, RECORDED_PASSWORD, zeros, &why));
	assert_non_null(strstr(why, "wrong channel binding"));
	exchange_clear(&e);
	/* curl sends none, Chromium one of zeros: these know of no bindings */
	exchange_init(&e, &recorded[0]);
	assert_true(exchange_holds(&e, RECORDED_PASSWORD, right, &why));
	exchange_clear(&e);
	exchange_init(&e, &recorded[3]);
	assert_true(exchange_holds(&e, RECORDED_PASSWORD, right, &why));
	exchange_clear(&e);
}

#define KEY_EXCH 0x40000000u
#define SIGN     0x10u

static void
test_key_is_exchanged_as_agreed(void **state)
{
	static const struct {
		uint32_t    flags;
		bool        has_key;
		const char *why;
		bool        takes_base;
	} rows[] = {
	    {KEY_EXCH | SIGN, true, NULL, false},
	    {KEY_EXCH | SIGN, false, "session key missing", false},
	    {KEY_EXCH | 0x20, false, "session key missing", false},
	    {KEY_EXCH, true, NULL, false},
	    {KEY_EXCH, false, NULL, true},
	    {SIGN, true, NULL, true},
	    {0, false, NULL, true},
	};
	struct ntlm_authenticate a;
	const char              *why;
	struct span              m = SPAN(sample_authenticate), c = SPAN(sample_challenge);

	(void)state;
	assert_true(ntlm_authenticate_read(m, c, &a, &why));
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct ntlm_authenticate b = a;
		uint8_t                  exported[16];
		b.flags = rows[i].flags;
		b.session_key.n = rows[i].has_key ? 16 : 0;
		assert_int_equal(ntlm_exchange_holds(&b, SPAN(""), c, m, sample_base_key, NULL, exported, &why), !rows[i].why);
		if (rows[i].why)
			assert_string_equal(why, rows[i].why);
		else
			assert_memory_equal(exported, rows[i].takes_base ? sample_base_key : sample_exported_key, 16);
	}
}

static void
test_recorded_mech_list_mic_holds_both_ways(void **state)
{
	struct span              first = decode(wrapped_init), second = decode(wrapped_challenge), third = decode(wrapped_resp), last = decode(wrapped_last);
	struct spnego            init, challenge, resp, end;
	struct ntlm_authenticate a;
	uint8_t                  hash[16], base[16], key[16], mic[16];
	char                     out[64];
	const char              *why;

	(void)state;
	assert_true(spnego_read(first, &init) && spnego_read(second, &challenge) && spnego_read(third, &resp) && spnego_read(last, &end));
	assert_true(ntlm_hash(SPAN(RECORDED_PASSWORD), hash));
	assert_true(ntlm_authenticate_read(resp.token, challenge.token, &a, &why));
	assert_true(a.has_mic);
	assert_true(ntlm_response_holds(&a, (const uint8_t *)challenge.token.p + 24, hash, base));
	assert_true(ntlm_exchange_holds(&a, init.token, challenge.token, resp.token, base, NULL, key, &why));
	ntlm_sign(key, a.flags, true, init.mech_list, mic);
	assert_int_equal(resp.mic.n, 16);
	assert_memory_equal(mic, resp.mic.p, 16);
	ntlm_sign(key, a.flags, false, init.mech_list, mic);
	assert_true(span_eq(span_of(out, spnego_write(SPNEGO_COMPLETED, false, SPAN(""), span_of((char *)mic, 16), out, sizeof out)), last));
	block_free(first);
	block_free(second);
	block_free(third);
	block_free(last);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_sample_of_the_standard_holds),
	    cmocka_unit_test(test_hash_is_of_utf16),
	    cmocka_unit_test(test_recorded_exchanges_hold),
	    cmocka_unit_test(test_one_changed_bit_is_found_out),
	    cmocka_unit_test(test_challenge_of_another_exchange_does_not_hold),
	    cmocka_unit_test(test_channel_binding_is_checked_when_asked_for),
	    cmocka_unit_test(test_key_is_exchanged_as_agreed),
	    cmocka_unit_test(test_recorded_mech_list_mic_holds_both_ways),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
