/* SPDX-License-Identifier: MIT */
#include "conf_dir.h"

#include "cert_files.h"
#include "conf/certificate.h"

#define N(a) (sizeof(a) / sizeof *(a))
#define DAY  INT64_C(86400)

struct said {
	unsigned errors, warnings;
	char     text[1000];
};

static void
on_said(void *arg, bool error, const char *text)
{
	struct said *s = arg;

	*(error ? &s->errors : &s->warnings) += 1;
	snprintf(s->text + strlen(s->text), sizeof s->text - strlen(s->text), "%s\n", text);
}

static struct said
judge(const struct cert_want *want)
{
	struct said     said = {0};
	struct der_list list = {0};
	struct span     rest, der;
	char            why[DER_WHY];

	certs_new("x.pem", NULL, *want);
	assert_true(der_list_read(&list, DER_CERTIFICATE, "x.pem", why));
	rest = span_of(list.v, list.n);
	assert_true(der_next(&rest, &der));
	certificate_ca_judge(der, (int64_t)time(NULL), on_said, &said);
	der_list_clear(&list);
	return said;
}

static void
test_what_a_ca_lacks_is_told(void **state)
{
	int64_t now = (int64_t)time(NULL);
	const struct {
		struct cert_want want;
		unsigned         errors, warnings;
		const char      *text;
	} rows[] = {
		{{0}, 0, 0, ""},
		{{.rsa = 2048}, 0, 0, ""},
		{{.usage = "keyCertSign"}, 0, 0, ""},
		{{.extended = "serverAuth"}, 0, 0, ""},
		{{.basic = ""}, 1, 0, "is not a CA's (basicConstraints)"},
		{{.basic = "CA:FALSE"}, 1, 0, "is not a CA's (basicConstraints)"},
		{{.usage = ""}, 1, 0, "keyUsage without keyCertSign"},
		{{.usage = "digitalSignature,cRLSign"}, 1, 0, "keyUsage without keyCertSign"},
		{{.extended = "clientAuth"}, 1, 0, "extendedKeyUsage without serverAuth"},
		{{.name = ""}, 1, 0, "has no subject"},
		{{.rsa = 1024}, 1, 0, "has a key of 1024 bits, which is too short; want RSA with 2048 or more"},
		{{.sha1 = true}, 1, 0, "signed with a hash that is broken"},
		{{.from = 1, .to = 1000000000}, 1, 0, "expired on 2001-09-09 01:46:40 UTC"},
		{{.from = 4102444800, .to = 4202444800}, 1, 0, "is not valid before 2100-01-01 00:00:00 UTC"},
		{{.to = now + 29 * DAY}, 0, 1, "; make a new one, and have clients trust both before then"},
		{{.to = now + 31 * DAY}, 0, 0, ""},
		{{.rsa = 1024, .sha1 = true, .basic = "", .from = 1, .to = 1000000000}, 4, 0, "expired"},
	};

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		struct said said = judge(&rows[i].want);
		if (said.errors != rows[i].errors || said.warnings != rows[i].warnings || !strstr(said.text, rows[i].text))
			fail_msg("row %zu: %u errors, %u warnings:\n%s", i, said.errors, said.warnings, said.text);
	}
}

/* The bytes of a file in a block of their own size. */
static char *
bytes_of(const char *path, size_t *n)
{
	FILE *f = fopen(path, "r");
	char  buf[20000], *p;

	assert_non_null(f);
	*n = fread(buf, 1, sizeof buf, f);
	fclose(f);
	p = malloc(*n);
	assert_non_null(p);
	memcpy(p, buf, *n);
	return p;
}

static void
test_a_key_beside_a_certificate_is_passed_over_and_told(void **state)
{
	struct der_list list = {0};
	char            why[DER_WHY];

	(void)state;
	certs_new("a.pem", "a.key", (struct cert_want){0});
	certs_crl("a.crl", "A", (int64_t)time(NULL));
	assert_int_equal(system("cat a.key a.pem a.crl a.pem > all"), 0);
	assert_true(der_list_read(&list, DER_CERTIFICATE, "a.pem", why) && !list.beside_key && list.count == 1);
	assert_true(der_list_read(&list, DER_CERTIFICATE, "all", why) && list.beside_key && list.count == 3);
	assert_true(der_list_read(&list, DER_CRL, "all", why) && list.count == 4);
	assert_false(der_list_read(&list, DER_CRL, "a.pem", why));
	assert_false(der_list_read(&list, DER_CERTIFICATE, "a.key", why));
	assert_non_null(strstr(why, "holds no certificate"));
	assert_int_equal(list.count, 4);
	der_list_clear(&list);
}

static void
test_der_is_read_like_pem(void **state)
{
	struct der_list pem = {0}, der = {0};
	char            why[DER_WHY], *p;
	struct span     rest, one;

	(void)state;
	certs_new("a.pem", NULL, (struct cert_want){0});
	assert_true(der_list_read(&pem, DER_CERTIFICATE, "a.pem", why));
	rest = span_of(pem.v, pem.n);
	assert_true(der_next(&rest, &one) && rest.n == 0 && !der_next(&rest, &one));
	/* each prefix, in a block of its own size */
	for (size_t n = 0; n <= one.n; n++) {
		p = malloc(n ? n : 1);
		assert_non_null(p);
		memcpy(p, one.p, n);
		if (der_list_add(&der, DER_CERTIFICATE, span_of(p, n), why) != (n == one.n))
			fail_msg("%zu of %zu bytes", n, one.n);
		free(p);
	}
	assert_int_equal(der.n, pem.n);
	assert_memory_equal(der.v, pem.v, pem.n);
	der_list_clear(&pem);
	der_list_clear(&der);
}

static void
test_every_prefix_of_pem_is_refused_or_whole(void **state)
{
	struct der_list list = {0};
	char            why[DER_WHY], *all, *p;
	size_t          size;

	(void)state;
	certs_new("a.pem", NULL, (struct cert_want){0});
	all = bytes_of("a.pem", &size);
	for (size_t n = 0; n <= size; n++) {
		p = malloc(n ? n : 1);
		assert_non_null(p);
		memcpy(p, all, n);
		why[0] = '\0';
		/* the last newline may be missing */
		if (der_list_add(&list, DER_CERTIFICATE, span_of(p, n), why) != (n + 1 >= size))
			fail_msg("%zu of %zu bytes: %s", n, size, why);
		assert_true((why[0] == '\0') == (n + 1 >= size));
		free(p);
	}
	free(all);
	der_list_clear(&list);
}

static void
test_lists_that_are_cut_end_where_they_are_cut(void **state)
{
	static const char bytes[] = {0, 0, 0, 2, 'a', 'b', 0, 0, 0, 0, (char)0xff, (char)0xff, (char)0xff, (char)0xff, 'c'};

	(void)state;
	for (size_t n = 0; n <= sizeof bytes; n++) {
		char       *p = malloc(n ? n : 1);
		struct span rest, der;
		unsigned    count = 0;
		assert_non_null(p);
		memcpy(p, bytes, n);
		rest = span_of(p, n);
		while (der_next(&rest, &der))
			count++;
		assert_int_equal(count, n < 6 ? 0 : n < 10 ? 1 : 2);
		free(p);
	}
}

static void
test_a_crl_that_is_overdue_is_told_with_its_issuer_and_time(void **state)
{
	struct der_list list = {0};
	struct span     rest, der;
	char            why[DER_WHY], text[300];

	(void)state;
	certs_crl("a.crl", "Some, \"CA\"", 1000000000);
	assert_true(der_list_read(&list, DER_CRL, "a.crl", why));
	rest = span_of(list.v, list.n);
	assert_true(der_next(&rest, &der));
	assert_false(crl_is_old(der, 999999999, text, sizeof text));
	assert_true(crl_is_old(der, 1000000001, text, sizeof text));
	assert_non_null(strstr(text, "CN=Some"));
	assert_non_null(strstr(text, "2001-09-09 01:46:40 UTC"));
	der_list_clear(&list);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_what_a_ca_lacks_is_told, dir_setup, dir_teardown),
		cmocka_unit_test_setup_teardown(test_a_key_beside_a_certificate_is_passed_over_and_told, dir_setup, dir_teardown),
		cmocka_unit_test_setup_teardown(test_der_is_read_like_pem, dir_setup, dir_teardown),
		cmocka_unit_test_setup_teardown(test_every_prefix_of_pem_is_refused_or_whole, dir_setup, dir_teardown),
		cmocka_unit_test(test_lists_that_are_cut_end_where_they_are_cut),
		cmocka_unit_test_setup_teardown(test_a_crl_that_is_overdue_is_told_with_its_issuer_and_time, dir_setup, dir_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
