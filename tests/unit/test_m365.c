/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "block.h"
#include "import/m365.h"

#define ONE(fields) "[{\"id\":7,\"serviceArea\":\"Common\",\"category\":\"Allow\",\"required\":true," fields "}]"

static void
test_what_is_no_list_of_endpoints_gives_nothing_and_says_why(void **state)
{
	static const struct {
		const char *json, *why;
	} rows[] = {
		{"", "no valid JSON"},
		{"[", "no valid JSON"},
		{"nonsense", "no valid JSON"},
		{"{}", "no list of endpoints"},
		{"[]", "no list of endpoints"},
		{"[1]", "it is not an object"},
		{"[{}]", "id is not a number"},
		{"[{\"id\":\"7\"}]", "id is not a number"},
		{"[{\"id\":7}]", "serviceArea is not a text"},
		{"[{\"id\":7,\"id\":8}]", "no valid JSON"},
		{"[{\"id\":7,\"serviceArea\":\"A\",\"category\":\"Other\",\"required\":true}]", "category is not Optimize"},
		{"[{\"id\":7,\"serviceArea\":\"A\",\"category\":3,\"required\":true}]", "category is not a text"},
		{"[{\"id\":7,\"serviceArea\":\"A\",\"category\":\"Allow\",\"required\":\"yes\"}]", "required is not true or false"},
		{ONE("\"urls\":\"a.example\""), "urls is not an array of texts"},
		{ONE("\"urls\":[1]"), "urls is not an array of texts"},
		{ONE("\"urls\":[[\"a\"]]"), "urls is not an array of texts"},
		{ONE("\"ips\":{\"a\":1}"), "ips is not an array of texts"},
		{ONE("\"tcpPorts\":443"), "tcpPorts is not a text"},
		{ONE("\"notes\":[]"), "notes is not a text"},
		{ONE("\"notes\":\"\\u0000\""), "no valid JSON"},
		{ONE("\"notes\":\"\xff\""), "no valid JSON"},
		{"\xff\xfe[", "it is UTF-16"},
		{"[[[[[[[[[[[[[[[[[[[[", "nested deeper"},
		{"{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":", "nested deeper"},
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct span in = block_of(rows[i].json, strlen(rows[i].json));
		char        why[M365_WHY] = "";
		assert_null(m365_new(in, why));
		if (!strstr(why, rows[i].why))
			fail_msg("row %zu: %s", i, why);
		block_free(in);
	}
}

static void
test_every_prefix_is_refused(void **state)
{
	static const char whole[] = ONE("\"urls\":[\"a.example\",\"*.b.example\"],\"ips\":[\"192.0.2.0/24\"],\"tcpPorts\":\"80,443\",\"expressRoute\":false,\"notes\":\"\\u00fc \\\"\"");
	char              why[M365_WHY];
	struct m365      *m;

	(void)state;
	for (size_t n = 0; n < sizeof whole - 1; n++) {
		struct span in = block_of(whole, n);
		assert_null(m365_new(in, why));
		block_free(in);
	}
	m = m365_new(SPAN(whole), why);
	assert_non_null(m);
	m365_free(m);
	m = m365_new(SPAN("\xef\xbb\xbf[" "{\"id\":7,\"serviceArea\":\"Common\",\"category\":\"Allow\",\"required\":true}]"), why);
	assert_non_null(m); /* a file that PowerShell wrote */
	m365_free(m);
}

static void
test_each_url_and_port_is_an_entry_or_is_said_not_to_be_one(void **state)
{
	static const struct {
		const char *fields;
		const char *text[3]; /* of the entries, in order */
		const char *why;     /* of the first that is none; null: there is none */
	} rows[] = {
		{"\"urls\":[\"a.example\"],\"tcpPorts\":\"443\"", {"https://a.example"}, NULL},
		{"\"urls\":[\"A.Example\"],\"tcpPorts\":\"80\"", {"http://a.example"}, NULL},
		{"\"urls\":[\"a.example\"],\"tcpPorts\":\"80,443\"", {"http://a.example", "https://a.example"}, NULL},
		{"\"urls\":[\"a.example\"],\"tcpPorts\":\" 443 , 8443 \"", {"a.example:8443", "https://a.example"}, NULL},
		{"\"urls\":[\"a.example\",\"a.example\"],\"tcpPorts\":\"443,443\"", {"https://a.example"}, NULL},
		{"\"urls\":[\"*.a.example\"],\"tcpPorts\":\"443\"", {"https://*.a.example"}, NULL},
		{"\"urls\":[\"*-admin.sharepoint.com\"],\"tcpPorts\":\"443\"", {"https://*-admin.sharepoint.com"}, NULL},
		{"\"urls\":[\"a.*.b.example\"],\"tcpPorts\":\"443\"", {"https://a.*.b.example"}, NULL},
		{"\"urls\":[\"https://a.example/\"],\"tcpPorts\":\"443\"", {"https://a.example"}, NULL},
		{"\"urls\":[\"a.example/path\"],\"tcpPorts\":\"443\"", {NULL}, "no name of a host"},
		{"\"urls\":[\"a.example\"]", {NULL}, "no port is named"},
		{"\"urls\":[\"a.example\"],\"tcpPorts\":\"\",\"udpPorts\":\"3478\"", {NULL}, "UDP only"},
		{"\"urls\":[\"a.example\"],\"tcpPorts\":\"443,1000-2000\"", {"https://a.example"}, "1000-2000"},
		{"\"urls\":[\"a.example\"],\"tcpPorts\":\"0\"", {NULL}, "TCP port 0"},
		{"\"urls\":[\"a.example\"],\"tcpPorts\":\"65536\"", {NULL}, "65536"},
		{"\"urls\":[\"a.example\"],\"tcpPorts\":\"-1\"", {NULL}, "-1"},
		{"\"urls\":[\"a.example\"],\"tcpPorts\":\"99999999999999999999999999999\"", {NULL}, "no single one"},
		{"\"urls\":[\"a\\nb.example\"],\"tcpPorts\":\"443\"", {NULL}, "no name of a host"},
		{"\"urls\":[\"\"],\"tcpPorts\":\"443\"", {NULL}, "no name of a host"},
		{"\"urls\":[\"!a.example\"],\"tcpPorts\":\"443\"", {NULL}, "no name of a host"},
		{"\"urls\":[\"@list\"],\"tcpPorts\":\"443\"", {NULL}, "no name of a host"},
		{"\"urls\":[\"re:.*\"],\"tcpPorts\":\"443\"", {NULL}, "no name of a host"},
		{"\"urls\":[\"*.azureedge.net\"],\"tcpPorts\":\"443\"", {NULL}, "public suffix"},
		{"\"urls\":[\"*\"],\"tcpPorts\":\"443\"", {NULL}, "public suffix"},
		{"\"urls\":[\"*.com\"],\"tcpPorts\":\"443\"", {NULL}, "public suffix"},
		{"\"urls\":[\"*x.com\"],\"tcpPorts\":\"443\"", {NULL}, "inside a name"},
		{"\"ips\":[\"192.0.2.0/24\",\"2001:db8::/32\"]", {"192.0.2.0/24", "2001:db8::/32"}, NULL},
		{"\"ips\":[\"192.0.2.0/240\"]", {NULL}, ""},
		{"\"ips\":[\"0.0.0.0/0\"]", {NULL}, "every address"},
		{"\"ips\":[\"::/0\"]", {NULL}, "every address"},
	};
	char json[1024], why[M365_WHY];

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		const struct m365_want want = {.addresses = true};
		struct m365_list       l;
		struct m365           *m;
		size_t                 n = 0;
		snprintf(json, sizeof json, ONE("%s"), rows[i].fields);
		m = m365_new(span_str(json), why);
		if (!m)
			fail_msg("row %zu: %s", i, why);
		assert_true(m365_select(m, &want, &l));
		while (n < 3 && rows[i].text[n])
			n++;
		if (l.n_entries != n || (l.n > n) != (rows[i].why != NULL))
			fail_msg("row %zu: %zu entries of %zu", i, l.n_entries, l.n);
		for (size_t k = 0; k < n; k++)
			assert_string_equal(l.v[k].text, rows[i].text[k]);
		if (rows[i].why && !strstr(l.v[n].why, rows[i].why))
			fail_msg("row %zu: %s", i, l.v[n].why);
		m365_list_clear(&l);
		m365_free(m);
	}
}

/* The same endpoints in another order make the same text, and no text makes a line of its own. */
static void
test_the_order_of_the_file_does_not_matter(void **state)
{
#define A "{\"id\":9,\"serviceArea\":\"B\",\"category\":\"Default\",\"required\":false,\"urls\":[\"b.example\",\"a.example\"],\"tcpPorts\":\"443\",\"notes\":\"x\\n\\u001b[31mevil.example\\u0085\\u2028y\"}"
#define B "{\"id\":3,\"serviceArea\":\"A\",\"category\":\"Optimize\",\"required\":true,\"urls\":[\"a.example\"],\"tcpPorts\":\"443\"}"
	static const char *const orders[] = {"[" A "," B "]", "[" B "," A "]"};
	const struct m365_head   head = {"here", "2026103100", "2026-11-01", "all"};
	const struct m365_want   want = {0};
	char                    *text[2] = {NULL, NULL};
	char                     why[M365_WHY], lines[400];

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct m365_list l;
		struct m365     *m = m365_new(span_str(orders[i]), why);
		size_t           n;
		FILE            *f = open_memstream(&text[i], &n);
		assert_non_null(m);
		assert_non_null(f);
		assert_true(m365_select(m, &want, &l));
		m365_write(&l, &head, f);
		fclose(f);
		m365_list_clear(&l);
		m365_free(m);
	}
	assert_string_equal(text[0], text[1]);
	snprintf(lines, sizeof lines, "\n%-55s # 3, 9: Optimize, required\n%-55s # 9: Default, optional; x  [31mevil.example     y\n", "https://a.example", "https://b.example");
	assert_non_null(strstr(text[0], lines));
	free(text[0]);
	free(text[1]);
}

static void
test_what_is_asked_for_is_what_is_selected(void **state)
{
	static const char json[] = "[{\"id\":1,\"serviceArea\":\"Exchange\",\"category\":\"Optimize\",\"required\":true,\"urls\":[\"e.example\"],\"tcpPorts\":\"443\"},"
	    "{\"id\":2,\"serviceArea\":\"Common\",\"category\":\"Allow\",\"required\":false,\"urls\":[\"c.example\"],\"tcpPorts\":\"443\"},"
	    "{\"id\":3,\"serviceArea\":\"Common\",\"category\":\"Default\",\"required\":true,\"urls\":[\"d.example\"],\"tcpPorts\":\"443\"}]";
	const struct span      common = SPAN("COMMON");
	const struct {
		struct m365_want want;
		size_t           n;
	} rows[] = {
		{{0}, 3},
		{{.categories = 1u << M365_OPTIMIZE | 1u << M365_ALLOW}, 2},
		{{.required_only = true}, 2},
		{{.area = &common, .n_areas = 1}, 2},
		{{.area = &common, .n_areas = 1, .required_only = true, .categories = 1u << M365_ALLOW}, 0},
	};
	const char  *area[M365_AREAS];
	char         why[M365_WHY];
	struct m365 *m = m365_new(SPAN(json), why);

	(void)state;
	assert_non_null(m);
	assert_int_equal(m365_areas(m, area), 2);
	assert_string_equal(area[0], "Common");
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct m365_list l;
		assert_true(m365_select(m, &rows[i].want, &l));
		assert_int_equal(l.n_entries, rows[i].n);
		m365_list_clear(&l);
	}
	m365_free(m);
}

static void
test_the_version_is_read_of_the_version_file(void **state)
{
	static const struct {
		const char *json, *version; /* null: none */
	} rows[] = {
		{"[{\"instance\":\"USGovDoD\",\"latest\":\"1\"},{\"instance\":\"Worldwide\",\"latest\":\"2026103100\"}]", "2026103100"},
		{"{\"instance\":\"Worldwide\",\"latest\":\"2026103100\",\"versions\":[\"2026103100\"]}", "2026103100"},
		{"{\"instance\":\"China\",\"latest\":\"2026103101\"}", "2026103101"},
		{"[{\"instance\":\"China\",\"latest\":\"2026103101\"}]", NULL},
		{"{\"latest\":\"x\"}", NULL},
		{"{\"latest\":2026}", NULL},
		{"{\"latest\":\"\"}", NULL},
		{"{\"latest\":\"11111111111111111111111111111111\"}", NULL},
		{"[]", NULL},
		{"1", NULL},
		{"{", NULL},
	};
	char version[32], why[M365_WHY];

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		if (m365_version(span_str(rows[i].json), SPAN(""), version, why) != (rows[i].version != NULL))
			fail_msg("row %zu", i);
		if (rows[i].version)
			assert_string_equal(version, rows[i].version);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_no_list_of_endpoints_gives_nothing_and_says_why),
		cmocka_unit_test(test_every_prefix_is_refused),
		cmocka_unit_test(test_each_url_and_port_is_an_entry_or_is_said_not_to_be_one),
		cmocka_unit_test(test_the_order_of_the_file_does_not_matter),
		cmocka_unit_test(test_what_is_asked_for_is_what_is_selected),
		cmocka_unit_test(test_the_version_is_read_of_the_version_file),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
