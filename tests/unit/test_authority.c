/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "parse/authority.h"
#include "block.h"

static void
test_host_and_port_are_read(void **state)
{
	static const struct {
		struct span text;
		const char *host; /* null: refused */
		unsigned    port;
	} rows[] = {
		{TEXT("a.example"), "a.example", 0}, {TEXT("A.example.:443"), "a.example", 443}, {TEXT("a.example:"), "a.example", 0},
		{TEXT("a.example:1"), "a.example", 1}, {TEXT("a.example:65535"), "a.example", 65535}, {TEXT("a.example:00080"), "a.example", 80},
		{TEXT("127.0.0.1:80"), "127.0.0.1", 80}, {TEXT("[::1]"), "::1", 0}, {TEXT("[::1]:"), "::1", 0}, {TEXT("[::1]:8080"), "::1", 8080},
		{TEXT("b\xc3\xbc" "cher.example:80"), "xn--bcher-kva.example", 80},
		{TEXT(""), NULL, 0}, {TEXT(":"), NULL, 0}, {TEXT(":80"), NULL, 0}, {TEXT("a.example:0"), NULL, 0}, {TEXT("a.example:00000"), NULL, 0},
		{TEXT("a.example:65536"), NULL, 0}, {TEXT("a.example:000080"), NULL, 0}, {TEXT("a.example:+80"), NULL, 0}, {TEXT("a.example:-1"), NULL, 0},
		{TEXT("a.example: 80"), NULL, 0}, {TEXT("a.example:80 "), NULL, 0}, {TEXT("a.example:8\0"), NULL, 0}, {TEXT("a.example:80:80"), NULL, 0},
		{TEXT("a.example::80"), NULL, 0}, {TEXT("a.example:http"), NULL, 0}, {TEXT("u@a.example"), NULL, 0}, {TEXT("u:p@a.example:80"), NULL, 0},
		{TEXT("@a.example"), NULL, 0}, {TEXT("a.example/"), NULL, 0}, {TEXT("::1"), NULL, 0}, {TEXT("[::1"), NULL, 0}, {TEXT("[::1]80"), NULL, 0},
		{TEXT("[::1]a:80"), NULL, 0}, {TEXT("["), NULL, 0}, {TEXT("[]:80"), NULL, 0}, {TEXT("a,b:80"), NULL, 0}, {TEXT("127.1:80"), NULL, 0},
	};
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct span      b = block_of(rows[i].text.p, rows[i].text.n);
		struct authority a;

		if (authority_parse(b, &a) != (rows[i].host != NULL))
			print_message("%.*s\n", SPAN_ARG(rows[i].text));
		assert_int_equal(authority_parse(b, &a), rows[i].host != NULL);
		if (rows[i].host) {
			assert_string_equal(a.host.text, rows[i].host);
			assert_int_equal(a.port, rows[i].port);
		}
		assert_int_equal(authority_parse_connect(b, &a), rows[i].host && rows[i].port);
		block_free(b);
	}
}

static void
test_absolute_urls_are_taken_apart(void **state)
{
	static const struct {
		const char     *text;
		enum url_scheme scheme;
		const char     *host;
		unsigned        port;
		const char     *path, *query; /* query null: none */
	} rows[] = {
		{"http://a.example/", SCHEME_HTTP, "a.example", 80, "/", NULL},
		{"HTTP://A.Example:8080/B?C", SCHEME_HTTP, "a.example", 8080, "/B", "C"},
		{"http://a.example", SCHEME_HTTP, "a.example", 80, "", NULL},
		{"http://a.example?", SCHEME_HTTP, "a.example", 80, "", ""},
		{"http://a.example?x", SCHEME_HTTP, "a.example", 80, "", "x"},
		{"http://a.example:?x/y", SCHEME_HTTP, "a.example", 80, "", "x/y"},
		{"http://a.example//b//?a?b", SCHEME_HTTP, "a.example", 80, "//b//", "a?b"},
		{"http://[2001:db8::1]:81/x", SCHEME_HTTP, "2001:db8::1", 81, "/x", NULL},
		{"http://a.example/%41%2f%00;a=b,c!$&'()*+-._~:@", SCHEME_HTTP, "a.example", 80, "/%41%2f%00;a=b,c!$&'()*+-._~:@", NULL},
		{"http://a.example/|^`{}?a[]=|^`{}", SCHEME_HTTP, "a.example", 80, "/|^`{}", "a[]=|^`{}"},
		{"https://a.example/", SCHEME_HTTPS, "a.example", 443, "/", NULL},
		{"https://a.example:8443", SCHEME_HTTPS, "a.example", 8443, "", NULL},
		{"ftp://a.example/x", SCHEME_OTHER, "a.example", 0, "/x", NULL},
		{"a+b-c.1://a.example", SCHEME_OTHER, "a.example", 0, "", NULL},
	};
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		size_t      n = strlen(rows[i].text);
		struct span b = block_of(rows[i].text, n);
		struct url  u;

		if (!url_parse(b, &u))
			print_message("%s\n", rows[i].text);
		assert_true(url_parse(b, &u));
		assert_int_equal(u.scheme, rows[i].scheme);
		assert_string_equal(u.at.host.text, rows[i].host);
		assert_int_equal(u.at.port, rows[i].port);
		assert_true(span_eq(u.path, span_str(rows[i].path)));
		assert_int_equal(u.has_query, rows[i].query != NULL);
		assert_true(span_eq(u.query, span_str(rows[i].query)));
		/* path and query are the very end of the text */
		assert_ptr_equal(u.path.p + u.path.n + (u.has_query ? 1 + u.query.n : 0), b.p + n);
		block_free(b);
	}
}

static void
test_urls_that_are_not_plain_are_refused(void **state)
{
	static const struct span rows[] = {
		TEXT(""), TEXT("/"), TEXT("*"), TEXT("a.example"), TEXT("a.example:443"), TEXT("http"), TEXT("http:"), TEXT("http:/"), TEXT("http:/a.example/"), TEXT("http://"),
		TEXT("http:///"), TEXT("http://?"), TEXT("://a.example/"), TEXT("1http://a.example/"), TEXT("h_p://a.example/"), TEXT("mailto:a@b"),
		TEXT("http://u@a.example/"), TEXT("http://u:p@a.example/"), TEXT("http://a.example@b.example/"), TEXT("http://a.example#"), TEXT("http://a.example/#x"),
		TEXT("http://a.example/?#x"), TEXT("http://a.example\\b/"), TEXT("http://a.example/\\b"), TEXT("http://a.example/\""), TEXT("http://a.example/<"),
		TEXT("http://a.example/>"), TEXT("http://a.example/?\""), TEXT("http://a.example/?\\"), TEXT("http://a.example/ "), TEXT("http://a.example/\xc3\xa4"),
		TEXT("http://a.example/?\x80"), TEXT("http://a.example/\0"), TEXT("http://a.example/?a\0b"), TEXT("http://a.example/?\x7f"), TEXT("http://a.example/\t"),
		TEXT("http://a.example/%"), TEXT("http://a.example/%4"), TEXT("http://a.example/%4g"), TEXT("http://a.example/%g4"), TEXT("http://a.example/?%"),
		TEXT("http://a.example/%4?1"), TEXT("http://a.example:0/"), TEXT("http://a.example:70000/"), TEXT("http://a.example:8a/"), TEXT("http://a%2eexample/"),
		TEXT("http://127.1/"), TEXT("http://0x7f000001/"), TEXT("http://[::1/"), TEXT("http://::1/"), TEXT("http://[::1%25eth0]/"), TEXT("ftp://u@a.example/"),
		TEXT("https:///x"), TEXT("https://a b/"), TEXT(" http://a.example/"),
	};
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct span b = block_of(rows[i].p, rows[i].n);
		struct url  u;

		if (url_parse(b, &u))
			print_message("%.*s\n", SPAN_ARG(rows[i]));
		assert_false(url_parse(b, &u));
		block_free(b);
	}
}

static void
test_a_target_inside_a_tunnel_is_path_and_query(void **state)
{
	static const struct {
		const char *text, *path, *query; /* path null: refused; query null: none */
	} rows[] = {
		{"/", "/", NULL}, {"/a/b?c=%20d", "/a/b", "c=%20d"}, {"/?", "/", ""}, {"//b.example/x", "//b.example/x", NULL}, {"/a?b?c", "/a", "b?c"},
		{"", NULL, NULL}, {"*", NULL, NULL}, {"?a", NULL, NULL}, {"a", NULL, NULL}, {"/a b", NULL, NULL}, {"/a#b", NULL, NULL}, {"/%4", NULL, NULL},
		{"/\xc3\xa4", NULL, NULL}, {"/?a#b", NULL, NULL}, {"/\\", NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		size_t whole = strlen(rows[i].text);
		for (size_t n = 0; n <= whole; n++) {
			struct span b = block_of(rows[i].text, n);
			struct url  u = {.scheme = SCHEME_HTTPS};
			bool        good = url_parse_origin(b, &u);
			if (n == whole) {
				assert_int_equal(good, rows[i].path != NULL);
				assert_true(!good || (span_eq(u.path, span_str(rows[i].path)) && span_eq(u.query, span_str(rows[i].query)) && u.has_query == (rows[i].query != NULL)));
			}
			assert_true(!good || (u.path.p == b.p && u.path.p + u.path.n + (u.has_query ? 1 + u.query.n : 0) == b.p + n));
			assert_int_equal(u.scheme, SCHEME_HTTPS);
			block_free(b);
		}
	}
}

static void
test_every_start_of_a_url_is_safe_to_read(void **state)
{
	static const char text[] = "http://[::ffff:1.2.3.4]:80/%41/b?c=%20d";

	(void)state;
	for (size_t n = 0; n < sizeof text; n++) {
		struct span b = block_of(text, n);
		struct url  u;
		if (url_parse(b, &u))
			assert_true(u.path.p >= b.p && u.path.p + u.path.n <= b.p + n);
		block_free(b);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_host_and_port_are_read),
		cmocka_unit_test(test_absolute_urls_are_taken_apart),
		cmocka_unit_test(test_urls_that_are_not_plain_are_refused),
		cmocka_unit_test(test_a_target_inside_a_tunnel_is_path_and_query),
		cmocka_unit_test(test_every_start_of_a_url_is_safe_to_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
