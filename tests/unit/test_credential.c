/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "auth/ask.h"
#include "auth/credential.h"
#include "auth/ntlm.h"
#include "block.h"
#include "ntlm_messages.h"

static void
test_base64_has_one_spelling(void **state)
{
	static const struct {
		struct span text, bytes; /* bytes.p null: refused */
	} rows[] = {
	    {TEXT(""), TEXT("")},
	    {TEXT("YQ=="), TEXT("a")},
	    {TEXT("YWI="), TEXT("ab")},
	    {TEXT("YWJj"), TEXT("abc")},
	    {TEXT("+/+/"), TEXT("\xfb\xff\xbf")},
	    {TEXT("AAAA"), TEXT("\0\0\0")},
	    {TEXT("YQ"), {NULL, 0}},
	    {TEXT("YQ="), {NULL, 0}},
	    {TEXT("YQ=a"), {NULL, 0}},
	    {TEXT("Y==="), {NULL, 0}},
	    {TEXT("===="), {NULL, 0}},
	    {TEXT("=="), {NULL, 0}},
	    {TEXT("YR=="), {NULL, 0}},
	    {TEXT("YWJ="), {NULL, 0}},
	    {TEXT("YQ==YQ=="), {NULL, 0}},
	    {TEXT("YW-_"), {NULL, 0}},
	    {TEXT("YW j"), {NULL, 0}},
	    {TEXT("YWJj\n"), {NULL, 0}},
	    {TEXT("YWJ\0"), {NULL, 0}},
	    {TEXT("\xc3\xa4YW"), {NULL, 0}},
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct span in = block_of(rows[i].text.p, rows[i].text.n);
		char        out[16], back[16];
		size_t      n = base64_decode(in, out, sizeof out);
		block_free(in);
		if (!rows[i].bytes.p) {
			assert_true(n == SIZE_MAX);
			continue;
		}
		assert_true(span_eq(span_of(out, n), rows[i].bytes));
		assert_true(span_eq(span_of(back, base64_encode(rows[i].bytes, back)), rows[i].text));
		/* never beyond its room */
		if (n > 0)
			assert_true(base64_decode(rows[i].text, out, n - 1) == SIZE_MAX);
	}
}

/* Reads `value` from and into blocks of exactly its size. Free *scratch. */
static struct credential
read_value(struct span value, char **scratch)
{
	struct span       in = block_of(value.p, value.n);
	struct credential c;

	*scratch = malloc(value.n ? value.n : 1);
	assert_non_null(*scratch);
	credential_read(in, *scratch, value.n, &c);
	block_free(in);
	return c;
}

/* `scheme` and base64 of `token`. Free its p. */
static struct span
make_value(const char *scheme, struct span token)
{
	size_t n = strlen(scheme);
	char  *p = malloc(n + 4 + token.n / 3 * 4 + 4);

	assert_non_null(p);
	memcpy(p, scheme, n);
	return span_of(p, n + base64_encode(token, p + n));
}

#define NTLM_1 "NTLMSSP\0\1\0\0\0\7\x82\x08\0"
#define NTLM_2 "NTLMSSP\0\2\0\0\0\7\x82\x08\0"
#define OID_SPNEGO "\x06\x06\x2b\x06\x01\x05\x05\x02"
#define OID_NTLM   "\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a"
#define OID_NEGOEX "\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x1e"
#define OID_KRB5   "\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02"
#define OID_MSKRB5 "\x06\x09\x2a\x86\x48\x82\xf7\x12\x01\x02\x02"

static void
test_token_goes_where_it_belongs(void **state)
{
	static const struct {
		const char          *scheme;
		struct span          token;
		enum credential_kind kind;
		bool                 wrapped;
	} rows[] = {
	    {"NTLM ", TEXT(NTLM_1), CREDENTIAL_NTLM, false},
	    {"ntlm   ", TEXT(NTLM_1), CREDENTIAL_NTLM, false},
	    {"NTLM ", TEXT(NTLM_2), CREDENTIAL_BAD, false},
	    {"NTLM ", TEXT("NTLMSSP\0\3\0\0\0"), CREDENTIAL_NTLM, false},
	    {"NTLM ", TEXT("NTLMSSP\0\4\0\0\0"), CREDENTIAL_BAD, false},
	    {"NTLM ", TEXT("NTLMSSP\0\1\0\0"), CREDENTIAL_BAD, false},
	    {"NTLM ", TEXT("\x60\x0f" OID_KRB5 "\1\0\0\0"), CREDENTIAL_BAD, false},
	    {"Negotiate ", TEXT(NTLM_1), CREDENTIAL_NTLM, false},
	    {"Negotiate ", TEXT(NTLM_2), CREDENTIAL_BAD, false},
	    {"Negotiate ", TEXT("\x60\x0f" OID_KRB5 "\1\0\0\0"), CREDENTIAL_KERBEROS, false},
	    {"Negotiate ", TEXT("\x60\x0f" OID_MSKRB5 "\1\0\0\0"), CREDENTIAL_KERBEROS, false},
	    {"Negotiate ", TEXT("hello"), CREDENTIAL_BAD, false},
	    /* NTLM alone, with its message, without, with another */
	    {"Negotiate ", TEXT("\x60\x30" OID_SPNEGO "\xa0\x26\x30\x24\xa0\x0e\x30\x0c" OID_NTLM "\xa2\x12\x04\x10" NTLM_1), CREDENTIAL_NTLM, true},
	    {"Negotiate ", TEXT("\x60\x1c" OID_SPNEGO "\xa0\x12\x30\x10\xa0\x0e\x30\x0c" OID_NTLM), CREDENTIAL_NEGOTIATE, false},
	    {"Negotiate ", TEXT("\x60\x30" OID_SPNEGO "\xa0\x26\x30\x24\xa0\x0e\x30\x0c" OID_NTLM "\xa2\x12\x04\x10" NTLM_2), CREDENTIAL_BAD, false},
	    /* NEGOEX first, with a token of its own */
	    {"Negotiate ", TEXT("\x60\x30" OID_SPNEGO "\xa0\x26\x30\x24\xa0\x1a\x30\x18" OID_NEGOEX OID_NTLM "\xa2\x06\x04\x04NEGO"), CREDENTIAL_NEGOTIATE, false},
	    {"Negotiate ", TEXT("\x60\x1c" OID_SPNEGO "\xa0\x12\x30\x10\xa0\x0e\x30\x0c" OID_NEGOEX), CREDENTIAL_BAD, false},
	    /* Kerberos first, in either spelling */
	    {"Negotiate ", TEXT("\x60\x2f" OID_SPNEGO "\xa0\x25\x30\x23\xa0\x19\x30\x17" OID_MSKRB5 OID_NTLM "\xa2\x06\x04\x04KRB5"), CREDENTIAL_KERBEROS, false},
	    {"Negotiate ", TEXT("\x60\x2f" OID_SPNEGO "\xa0\x25\x30\x23\xa0\x19\x30\x17" OID_NEGOEX OID_KRB5 "\xa2\x06\x04\x04KRB5"), CREDENTIAL_KERBEROS, false},
	    /* later tokens */
	    {"Negotiate ", TEXT("\xa1\x16\x30\x14\xa2\x12\x04\x10" NTLM_1), CREDENTIAL_NTLM, true},
	    {"Negotiate ", TEXT("\xa1\x0a\x30\x08\xa2\x06\x04\x04KRB5"), CREDENTIAL_KERBEROS, false},
	    {"Digest ", TEXT("abc"), CREDENTIAL_NONE, false},
	    {"NTLMx ", TEXT(NTLM_1), CREDENTIAL_NONE, false},
	    {"NTLM\t", TEXT(NTLM_1), CREDENTIAL_NONE, false},
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct span       value = make_value(rows[i].scheme, rows[i].token);
		char             *scratch;
		struct credential c = read_value(value, &scratch);
		if (c.kind != rows[i].kind || c.wrapped != rows[i].wrapped)
			fail_msg("row %zu: kind %d", i, (int)c.kind);
		if (c.kind == CREDENTIAL_KERBEROS)
			assert_true(span_eq(c.token, rows[i].token));
		if (c.kind == CREDENTIAL_NTLM)
			assert_int_not_equal(ntlm_message(c.token), NTLM_NO_MESSAGE);
		if (c.kind == CREDENTIAL_NEGOTIATE)
			assert_true(c.offers_ntlm && c.mech_list.n > 0);
		free(scratch);
		for (size_t n = 0; n < value.n; n++) {
			(void)read_value(span_of(value.p, n), &scratch);
			free(scratch);
		}
		free((void *)(uintptr_t)value.p);
	}
}

static void
test_name_ends_at_the_first_colon(void **state)
{
	static const struct {
		struct span pair, user, password; /* user.p null: bad */
	} rows[] = {
	    {TEXT("alice:secret"), TEXT("alice"), TEXT("secret")},
	    {TEXT("alice:a:b:"), TEXT("alice"), TEXT("a:b:")},
	    {TEXT("alice:"), TEXT("alice"), TEXT("")},
	    {TEXT("CORP\\alice:x"), TEXT("CORP\\alice"), TEXT("x")},
	    {TEXT("Zo\xc3\xab:\xc3\xa4"), TEXT("Zo\xc3\xab"), TEXT("\xc3\xa4")},
	    {TEXT("Zo\xeb:\xe4"), TEXT("Zo\xeb"), TEXT("\xe4")},
	    {TEXT("a b:c d"), TEXT("a b"), TEXT("c d")},
	    {TEXT(":x"), {NULL, 0}, {NULL, 0}},
	    {TEXT("alice"), {NULL, 0}, {NULL, 0}},
	    {TEXT("al\0ice:x"), {NULL, 0}, {NULL, 0}},
	    {TEXT("alice:x\0y"), {NULL, 0}, {NULL, 0}},
	    {TEXT("alice\n:x"), {NULL, 0}, {NULL, 0}},
	    {TEXT("alice:x\x1f"), {NULL, 0}, {NULL, 0}},
	    {TEXT("alice:x\x7f"), {NULL, 0}, {NULL, 0}},
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct span       value = make_value(i % 2 ? "BASIC  " : "Basic ", rows[i].pair);
		char             *scratch;
		struct credential c = read_value(value, &scratch);
		assert_int_equal(c.scheme, AUTH_SCHEME_BASIC);
		assert_int_equal(c.kind, rows[i].user.p ? CREDENTIAL_BASIC : CREDENTIAL_BAD);
		if (rows[i].user.p) {
			assert_true(span_eq(c.user, rows[i].user) && span_eq(c.password, rows[i].password));
		}
		free(scratch);
		free((void *)(uintptr_t)value.p);
	}
}

static void
test_values_without_a_token_are_bad(void **state)
{
	static const struct {
		const char          *value;
		enum credential_kind kind;
	} rows[] = {
	    {"", CREDENTIAL_NONE},
	    {" ", CREDENTIAL_NONE},
	    {"Basic", CREDENTIAL_BAD},
	    {"NTLM", CREDENTIAL_BAD},
	    {"NTLM ", CREDENTIAL_BAD},
	    {"Negotiate", CREDENTIAL_BAD},
	    {"Negotiate   ", CREDENTIAL_BAD},
	    {"NTLM ====", CREDENTIAL_BAD},
	    {"NTLM TlRM TVNT", CREDENTIAL_BAD},
	    {"Basic YTpi,", CREDENTIAL_BAD},
	    {" Basic YTpi ", CREDENTIAL_BASIC},
	    {"Bearer abc", CREDENTIAL_NONE},
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		char             *scratch;
		struct credential c = read_value(span_str(rows[i].value), &scratch);
		assert_int_equal(c.kind, rows[i].kind);
		free(scratch);
	}
}

static void
test_token_may_be_so_long_and_no_longer(void **state)
{
	static char token[ASK_TOKEN_MAX + 1];

	(void)state;
	memset(token, 0, sizeof token);
	memcpy(token, "NTLMSSP\0\3", 9);
	for (size_t n = ASK_TOKEN_MAX; n <= ASK_TOKEN_MAX + 1; n++) {
		struct span       value = make_value("NTLM ", span_of(token, n));
		char             *scratch;
		struct credential c = read_value(value, &scratch);
		assert_int_equal(c.kind, n <= ASK_TOKEN_MAX ? CREDENTIAL_NTLM : CREDENTIAL_BAD);
		free(scratch);
		/* a scratch that is too short is never overrun */
		scratch = malloc(1000);
		credential_read(value, scratch, 1000, &c);
		assert_int_equal(c.kind, CREDENTIAL_BAD);
		free(scratch);
		free((void *)(uintptr_t)value.p);
	}
}

static void
test_recorded_exchange_within_spnego(void **state)
{
	char              value[2000], *scratch;
	struct credential c;

	(void)state;
	snprintf(value, sizeof value, "Negotiate %s", wrapped_init);
	c = read_value(span_str(value), &scratch);
	assert_int_equal(c.kind, CREDENTIAL_NTLM);
	assert_true(c.wrapped && c.mic.n == 0 && c.offers_ntlm);
	assert_true(span_eq(c.mech_list, SPAN("\x30\x0c" OID_NTLM)));
	assert_int_equal(ntlm_message(c.token), NTLM_NEGOTIATE);
	free(scratch);
	snprintf(value, sizeof value, "Negotiate %s", wrapped_resp);
	c = read_value(span_str(value), &scratch);
	assert_int_equal(c.kind, CREDENTIAL_NTLM);
	assert_true(c.wrapped && c.mech_list.n == 0);
	assert_int_equal(c.mic.n, 16);
	assert_int_equal(ntlm_message(c.token), NTLM_AUTHENTICATE);
	free(scratch);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_base64_has_one_spelling),
	    cmocka_unit_test(test_token_goes_where_it_belongs),
	    cmocka_unit_test(test_name_ends_at_the_first_colon),
	    cmocka_unit_test(test_values_without_a_token_are_bad),
	    cmocka_unit_test(test_token_may_be_so_long_and_no_longer),
	    cmocka_unit_test(test_recorded_exchange_within_spnego),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
