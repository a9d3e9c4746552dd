/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "block.h"
#include "tls/leaf.h"
#include "tls/mint.h"
#include "tls/profile.h"

#define NOW  1800000000
#define HOUR 3600
#define DAY  86400

struct authority {
	X509        *cert;
	EVP_PKEY    *key;
	struct mint *mint;
};

static EVP_PKEY *leaf_key;

static struct authority
authority(const struct mint_ca_want *want)
{
	struct authority a;
	const char      *why = NULL;

	assert_true(mint_ca_make(want, NOW - 30 * DAY, &a.cert, &a.key, &why));
	a.mint = mint_new(a.cert, a.key);
	assert_non_null(a.mint);
	return a;
}

static void
authority_clear(struct authority *a)
{
	mint_free(a->mint);
	X509_free(a->cert);
	EVP_PKEY_free(a->key);
}

static const struct mint_ca_want plain = {.name = "Test CA", .organisation = "Test", .days = 365};

static X509 *
mint(struct authority *a, const struct leaf_ask *ask, const char **why)
{
	uint8_t              der[8192];
	const unsigned char *p = der;
	size_t               n = mint_leaf(a->mint, ask, leaf_key, NOW, der, sizeof der, why);

	return n ? d2i_X509(NULL, &p, (long)n) : NULL;
}

static void
check_time(const ASN1_TIME *t, int64_t at)
{
	struct tm tm;

	assert_true(ASN1_TIME_to_tm(t, &tm));
	assert_int_equal(timegm(&tm), at);
}

static void
subject_of(X509 *x, char *out, int n)
{
	if (X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, out, n) < 0)
		*out = '\0';
}

static void
test_a_leaf_has_what_browsers_look_for(void **state)
{
	static const char  names[] = "dwww.example.com\0d*.example.com\0a\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0\1a\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1";
	struct leaf_ask    ask = {.common_name = SPAN("*.example.com"), .names = {names, sizeof names - 1}, .not_before = NOW - 10 * DAY, .not_after = NOW + 900 * DAY};
	struct authority   a = authority(&plain);
	const char        *why;
	X509              *x = mint(&a, &ask, &why), *y = mint(&a, &ask, &why);
	X509_STORE        *store = X509_STORE_new();
	X509_STORE_CTX    *ctx = X509_STORE_CTX_new();
	X509_VERIFY_PARAM *param;
	char               subject[80];
	int                critical = -1;
	GENERAL_NAMES     *san;

	(void)state;
	assert_non_null(x);
	assert_int_equal(X509_get_version(x), X509_VERSION_3);
	assert_int_equal(X509_get0_serialNumber(x)->length, 16);
	assert_int_not_equal(ASN1_INTEGER_cmp(X509_get0_serialNumber(x), X509_get0_serialNumber(y)), 0);
	assert_int_equal(X509_NAME_cmp(X509_get_issuer_name(x), X509_get_subject_name(a.cert)), 0);
	subject_of(x, subject, sizeof subject);
	assert_string_equal(subject, "*.example.com");
	check_time(X509_get0_notBefore(x), NOW - HOUR);
	check_time(X509_get0_notAfter(x), NOW + MINT_LEAF_S);
	assert_int_equal(X509_get_signature_nid(x), NID_ecdsa_with_SHA256);
	assert_int_equal(X509_check_ca(x), 0);
	assert_int_equal(X509_get_key_usage(x), KU_DIGITAL_SIGNATURE);
	assert_int_equal(X509_get_extended_key_usage(x), XKU_SSL_SERVER);
	assert_int_equal(ASN1_OCTET_STRING_cmp(X509_get0_authority_key_id(x), X509_get0_subject_key_id(a.cert)), 0);
	assert_int_equal(X509_get0_subject_key_id(x)->length, 20);
	assert_int_equal(X509_get_ext_count(x), 6);
	assert_true(X509_EXTENSION_get_critical(X509_get_ext(x, X509_get_ext_by_NID(x, NID_basic_constraints, -1))));
	assert_true(X509_EXTENSION_get_critical(X509_get_ext(x, X509_get_ext_by_NID(x, NID_key_usage, -1))));
	san = X509_get_ext_d2i(x, NID_subject_alt_name, &critical, NULL);
	assert_int_equal(critical, 0);
	assert_int_equal(sk_GENERAL_NAME_num(san), 4);
	GENERAL_NAMES_free(san);
	assert_int_equal(X509_check_host(x, "www.example.com", 0, 0, NULL), 1);
	assert_int_equal(X509_check_host(x, "other.example.com", 0, 0, NULL), 1);
	assert_int_equal(X509_check_host(x, "example.com", 0, 0, NULL), 0);
	assert_int_equal(X509_check_ip_asc(x, "10.0.0.1", 0), 1);
	assert_int_equal(X509_check_ip_asc(x, "2001:db8::1", 0), 1);
	assert_int_equal(X509_check_ip_asc(x, "10.0.0.2", 0), 0);

	assert_int_equal(X509_STORE_add_cert(store, a.cert), 1);
	assert_int_equal(X509_STORE_CTX_init(ctx, store, x, NULL), 1);
	param = X509_STORE_CTX_get0_param(ctx);
	X509_VERIFY_PARAM_set_time(param, NOW);
	X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_X509_STRICT | X509_V_FLAG_CHECK_SS_SIGNATURE);
	X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_SSL_SERVER);
	X509_VERIFY_PARAM_set_auth_level(param, 2);
	assert_int_equal(X509_verify_cert(ctx), 1);
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	X509_free(x);
	X509_free(y);
	authority_clear(&a);
}

static void
test_dates_are_within_all_limits(void **state)
{
	static const struct {
		int64_t from, until;
		bool    page;
		uint8_t ca;
		int64_t leaf_s, is_from, is_until; /* is_until 0: refused */
	} rows[] = {
		{0, 0, false, LEAF_TRUSTED, 7 * DAY, NOW - HOUR, NOW + 7 * DAY},
		{NOW - 60, NOW + 60, false, LEAF_TRUSTED, 7 * DAY, NOW - 60, NOW + 60},
		{0, 0, true, LEAF_TRUSTED, 7 * DAY, NOW - HOUR, NOW + DAY},
		{0, 0, true, LEAF_TRUSTED, HOUR, NOW - HOUR, NOW + HOUR},
		{0, 0, false, LEAF_TRUSTED, 1000 * DAY, NOW - HOUR, NOW + 335 * DAY}, /* the CA's end */
		{NOW - 60, NOW, false, LEAF_TRUSTED, 7 * DAY, 0, 0},
		{NOW + 1, NOW + DAY, false, LEAF_TRUSTED, 7 * DAY, 0, 0},
		{NOW - 90 * DAY, NOW - DAY, false, LEAF_UNTRUSTED, 7 * DAY, NOW - 90 * DAY, NOW - DAY},
		{NOW + DAY, NOW + 2 * DAY, false, LEAF_UNTRUSTED, 7 * DAY, NOW + DAY, NOW + 2 * DAY},
		{NOW + 2 * DAY, NOW + DAY, false, LEAF_UNTRUSTED, 7 * DAY, 0, 0},
	};
	struct authority a = authority(&plain);

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct leaf_ask ask = {.ca = rows[i].ca, .page = rows[i].page, .not_before = rows[i].from, .not_after = rows[i].until, .names = {"dexample.com", 13}};
		const char     *why;
		X509           *x;
		mint_fit(a.mint, rows[i].leaf_s);
		x = mint(&a, &ask, &why);
		assert_true((x != NULL) == (rows[i].is_until != 0) && (why == NULL) == (x != NULL));
		if (x) {
			check_time(X509_get0_notBefore(x), rows[i].is_from);
			check_time(X509_get0_notAfter(x), rows[i].is_until);
		}
		X509_free(x);
	}
	authority_clear(&a);
}

#define LABEL63 "abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghij123"
#define LABELS14 "a.a.a.a.a.a.a.a.a.a.a.a.a.a."
#define LABELS56 LABELS14 LABELS14 LABELS14 LABELS14

static void
test_names_that_no_certificate_may_hold_are_refused(void **state)
{
	static const struct {
		const char *name;
		bool        good;
	} rows[] = {
		{"example.com", true}, {"localhost", true}, {"*.example.com", true}, {"xn--bcher-kva.example", true}, {"a_b.example.com", true}, {"1.example.com", true},
		{LABEL63 ".com", true}, {"0x.example", true}, {LABELS56 "a.a.a.a.a.a.a.a", true}, {LABELS56 LABELS56 "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a", false},
		{"", false}, {".", false}, {"a..b", false}, {".a.b", false}, {"a.b.", false}, {"*", false}, {"*.", false}, {"*.com", false}, {"*.*.example.com", false},
		{"a.*.example.com", false}, {"f*.example.com", false}, {"*f.example.com", false}, {"www.example.com*", false}, {"-a.example.com", false},
		{"a-.example.com", false}, {LABEL63 "4.com", false}, {LABEL63 "." LABEL63 "." LABEL63 "." LABEL63, false}, {"10.0.0.1", false}, {"*.0.0.1", false},
		{"a.b.1", false}, {"a.0x1f", false}, {"a.0x", false}, {"0x7f000001", false}, {"::1", false}, {"[::1]", false}, {"EXAMPLE.com", false},
		{"ex ample.com", false}, {"example.com\n", false}, {"b\xc3\xbc" "cher.example", false}, {"a/b.com", false}, {"a,DNS:b.com", false}, {"a.com:443", false},
	};
	struct authority a = authority(&plain);

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		char            names[300];
		struct leaf_ask ask = {.names = {names, strlen(rows[i].name) + 2}};
		const char     *why;
		X509           *x;
		names[0] = 'd';
		strcpy(names + 1, rows[i].name);
		x = mint(&a, &ask, &why);
		if ((x != NULL) != rows[i].good)
			fail_msg("%s: %s", rows[i].name, why ? why : "made");
		X509_free(x);
	}
	/* NUL inside: two names, or a damaged one; never a shorter one */
	struct leaf_ask ask = {.names = {"dgood.com\0.evil.com", 20}};
	const char     *why;
	assert_null(mint(&a, &ask, &why));
	ask.names = (struct span){NULL, 0};
	assert_null(mint(&a, &ask, &why));
	ask = (struct leaf_ask){.page = true, .names = {"da.com\0db.com", 14}};
	assert_null(mint(&a, &ask, &why));
	authority_clear(&a);
}

static void
test_too_many_names_are_refused(void **state)
{
	struct authority a = authority(&plain);
	char             names[4096];
	struct leaf_ask  ask = {.names = {names, 0}};
	const char      *why;
	X509            *x;

	(void)state;
	for (unsigned i = 0; i < PROFILE_NAMES_MAX + 1; i++)
		ask.names.n += (size_t)sprintf(names + ask.names.n, "da%03u.example.com", i) + 1;
	assert_null(mint(&a, &ask, &why));
	ask.names.n -= sizeof "da000.example.com";
	x = mint(&a, &ask, &why);
	assert_non_null(x);
	X509_free(x);
	authority_clear(&a);
}

static void
test_the_subject_is_one_of_the_names(void **state)
{
	static const char long_name[] = "d" LABEL63 ".example.com";
	static const struct {
		const char *names;
		size_t      n;
		const char *common, *subject;
	} rows[] = {
		{"da.com\0db.com", 14, "b.com", "b.com"},
		{"da.com\0db.com", 14, "foreign.com", "a.com"},
		{"da.com\0db.com", 14, "", "a.com"},
		{"a\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0\1", 17, "", "10.0.0.1"},
		{long_name, sizeof long_name, "", ""},
	};
	struct authority a = authority(&plain);

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct leaf_ask ask = {.names = {rows[i].names, rows[i].n}, .common_name = span_str(rows[i].common)};
		const char     *why;
		char            subject[80];
		X509           *x = mint(&a, &ask, &why);
		int             critical;
		assert_non_null(x);
		subject_of(x, subject, sizeof subject);
		assert_string_equal(subject, rows[i].subject);
		GENERAL_NAMES_free(X509_get_ext_d2i(x, NID_subject_alt_name, &critical, NULL));
		assert_int_equal(critical, !rows[i].subject[0]);
		X509_free(x);
	}
	authority_clear(&a);
}

static void
test_what_the_ca_may_not_sign_is_refused(void **state)
{
	static const char *const  permit[] = {"corp.example", "lab.example"};
	const struct mint_ca_want want = {.name = "Constrained", .days = 365, .permit = permit, .n_permit = 2};
	static const struct {
		const char *names;
		size_t      n;
		bool        good;
	} rows[] = {
		{"dwww.corp.example", 18, true}, {"dcorp.example", 14, true}, {"d*.lab.example", 15, true}, {"dwww.example.com", 17, false}, {"dxcorp.example", 15, false},
		{"dwww.corp.example\0dwww.example.com", 35, false}, {"a\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0\1", 17, false},
		{"a\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 17, false},
	};
	struct authority a = authority(&want);

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct leaf_ask ask = {.names = {rows[i].names, rows[i].n}};
		const char     *why;
		X509           *x = mint(&a, &ask, &why);
		if ((x != NULL) != rows[i].good)
			fail_msg("row %zu: %s", i, why ? why : "made");
		if (!x)
			assert_non_null(strstr(why, "constraints"));
		X509_free(x);
	}
	assert_true(X509_get_ext_by_NID(a.cert, NID_name_constraints, -1) >= 0);
	authority_clear(&a);
}

static void
test_a_ca_that_was_made_can_be_used(void **state)
{
	static const struct mint_ca_want wants[] = {{.name = "A", .days = 10}, {.name = "B", .organisation = "O", .days = 10, .rsa = true}};

	(void)state;
	for (size_t i = 0; i < ROWS(wants); i++) {
		struct authority a = authority(&wants[i]);
		char             buf[200];
		int64_t          end = NOW - 20 * DAY;
		assert_null(mint_ca_fault(a.cert, a.key, end - 1, buf, sizeof buf));
		assert_non_null(strstr(mint_ca_fault(a.cert, a.key, end, buf, sizeof buf), "expired"));
		assert_non_null(strstr(mint_ca_fault(a.cert, a.key, NOW - 31 * DAY, buf, sizeof buf), "not valid yet"));
		assert_non_null(strstr(mint_ca_fault(a.cert, leaf_key, end - 1, buf, sizeof buf), "fit"));
		assert_int_equal(X509_check_ca(a.cert), 1);
		assert_int_equal(X509_get_pathlen(a.cert), 0);
		assert_int_equal(X509_get_key_usage(a.cert), KU_KEY_CERT_SIGN | KU_CRL_SIGN);
		assert_int_equal(EVP_PKEY_get_bits(a.key), wants[i].rsa ? 3072 : 256);
		assert_int_equal(X509_verify(a.cert, a.key), 1);
		assert_non_null(X509_get0_subject_key_id(a.cert));
		authority_clear(&a);
	}
}

static void
test_what_is_no_ca_is_none(void **state)
{
	struct authority a = authority(&plain);
	struct leaf_ask  ask = {.names = {"dexample.com", 13}};
	const char      *why;
	char             buf[200];
	X509            *x = mint(&a, &ask, &why);

	(void)state;
	assert_non_null(strstr(mint_ca_fault(x, leaf_key, NOW, buf, sizeof buf), "not the certificate of a CA"));
	X509_free(x);
	authority_clear(&a);
}

static void
test_a_ca_is_not_made_of_nonsense(void **state)
{
	static const char *const         bad[] = {"*.example.com"}, *const empty[] = {""};
	static const struct mint_ca_want wants[] = {
		{.name = "", .days = 1},
		{.name = "bad \xff", .days = 1},
		{.name = "A name of more than sixty-four letters, which is what X.520 allows for it", .days = 1},
		{.name = "A", .days = 1, .permit = bad, .n_permit = 1},
		{.name = "A", .days = 1, .permit = empty, .n_permit = 1},
	};

	(void)state;
	for (size_t i = 0; i < ROWS(wants); i++) {
		X509       *cert;
		EVP_PKEY   *key;
		const char *why = NULL;
		assert_false(mint_ca_make(&wants[i], NOW, &cert, &key, &why));
		assert_non_null(why);
	}
}

/* By the strength of the CA's key. */
static void
test_signatures_are_as_strong_as_the_key(void **state)
{
	struct authority a = authority(&plain), b = {.key = EVP_EC_gen("P-384")};
	struct leaf_ask  ask = {.names = {"dexample.com", 13}};
	const char      *why;
	X509            *x;

	(void)state;
	b.cert = X509_dup(a.cert);
	assert_true(X509_set_pubkey(b.cert, b.key) && X509_sign(b.cert, b.key, EVP_sha384()) > 0);
	b.mint = mint_new(b.cert, b.key);
	x = mint(&b, &ask, &why);
	assert_int_equal(X509_get_signature_nid(x), NID_ecdsa_with_SHA384);
	X509_free(x);
	authority_clear(&a);
	authority_clear(&b);
}

static int
set_up(void **state)
{
	(void)state;
	leaf_key = EVP_EC_gen("P-256");
	return leaf_key ? 0 : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	EVP_PKEY_free(leaf_key);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_leaf_has_what_browsers_look_for),
		cmocka_unit_test(test_dates_are_within_all_limits),
		cmocka_unit_test(test_names_that_no_certificate_may_hold_are_refused),
		cmocka_unit_test(test_too_many_names_are_refused),
		cmocka_unit_test(test_the_subject_is_one_of_the_names),
		cmocka_unit_test(test_what_the_ca_may_not_sign_is_refused),
		cmocka_unit_test(test_a_ca_that_was_made_can_be_used),
		cmocka_unit_test(test_what_is_no_ca_is_none),
		cmocka_unit_test(test_a_ca_is_not_made_of_nonsense),
		cmocka_unit_test(test_signatures_are_as_strong_as_the_key),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
