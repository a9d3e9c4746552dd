/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "match/host_spec.h"

/* Parse a copy of exact size. */
static bool
parse(const char *item, size_t n, struct host_spec *out, char why[HOST_SPEC_WHY], char **exact)
{
	*exact = malloc(n + !n);
	memcpy(*exact, item, n);
	memset(why, 'x', HOST_SPEC_WHY);
	return host_spec_parse(span_of(*exact, n), out, why);
}

static void
test_every_form_of_a_host_item_is_read(void **state)
{
	static const struct {
		const char         *item;
		enum host_spec_kind kind;
		const char         *text; /* of the name or glob, of the regex, of the CIDR */
		enum url_scheme     scheme;
		uint16_t            port;
	} rows[] = {
		{"www.example.com", SPEC_EXACT, "www.example.com", SCHEME_NONE, 0},
		{"WWW.Example.COM", SPEC_EXACT, "www.example.com", SCHEME_NONE, 0},
		{"www.example.com.", SPEC_EXACT, "www.example.com", SCHEME_NONE, 0},
		{"localhost", SPEC_EXACT, "localhost", SCHEME_NONE, 0},
		{"a_b.example.com", SPEC_EXACT, "a_b.example.com", SCHEME_NONE, 0},
		{"b\xc3\xbc" "cher.example", SPEC_EXACT, "xn--bcher-kva.example", SCHEME_NONE, 0},
		{"*.B\xc3\x9c" "CHER.example.", SPEC_BELOW, "xn--bcher-kva.example", SCHEME_NONE, 0},
		{"*.example.com", SPEC_BELOW, "example.com", SCHEME_NONE, 0},
		{"**.example.com", SPEC_BELOW, "example.com", SCHEME_NONE, 0},
		{"*.com", SPEC_BELOW, "com", SCHEME_NONE, 0},
		{".Example.com", SPEC_TREE, "example.com", SCHEME_NONE, 0},
		{".example.com.", SPEC_TREE, "example.com", SCHEME_NONE, 0},
		{"*", SPEC_ALL, "", SCHEME_NONE, 0},
		{"**", SPEC_ALL, "", SCHEME_NONE, 0},
		{"*:443", SPEC_ALL, "", SCHEME_NONE, 443},
		{"https://*/", SPEC_ALL, "", SCHEME_HTTPS, 443},
		{"*vortex*.data.microsoft.com", SPEC_GLOB, "*vortex*.data.microsoft.com", SCHEME_NONE, 0},
		{"*Vortex**.data.microsoft.com.", SPEC_GLOB, "*vortex*.data.microsoft.com", SCHEME_NONE, 0},
		{"microsoft.com*", SPEC_GLOB, "microsoft.com*", SCHEME_NONE, 0},
		{"*.*.example.com", SPEC_GLOB, "*.*.example.com", SCHEME_NONE, 0},
		{"*-win.example.com:8443", SPEC_GLOB, "*-win.example.com", SCHEME_NONE, 8443},
		{"v1*", SPEC_GLOB, "v1*", SCHEME_NONE, 0},
		{"re:v[0-9]+\\.x", SPEC_REGEX, "v[0-9]+\\.x", SCHEME_NONE, 0},
		{"re:https?://", SPEC_REGEX, "https?://", SCHEME_NONE, 0},
		{"re:443", SPEC_REGEX, "443", SCHEME_NONE, 0},
		{"https://*.manage.microsoft.com/", SPEC_BELOW, "manage.microsoft.com", SCHEME_HTTPS, 443},
		{"https://*.manage.microsoft.com", SPEC_BELOW, "manage.microsoft.com", SCHEME_HTTPS, 443},
		{"HTTPS://AKA.ms/", SPEC_EXACT, "aka.ms", SCHEME_HTTPS, 443},
		{"http://adl.windows.com", SPEC_EXACT, "adl.windows.com", SCHEME_HTTP, 80},
		{"http://adl.windows.com:8080/", SPEC_EXACT, "adl.windows.com", SCHEME_HTTP, 8080},
		{"https://.example.com:443", SPEC_TREE, "example.com", SCHEME_HTTPS, 443},
		{"host:8443", SPEC_EXACT, "host", SCHEME_NONE, 8443},
		{"host.:08443", SPEC_EXACT, "host", SCHEME_NONE, 8443},
		{"*.example.com:1", SPEC_BELOW, "example.com", SCHEME_NONE, 1},
		{"host:65535", SPEC_EXACT, "host", SCHEME_NONE, 65535},
		{"192.0.2.1", SPEC_ADDR, "192.0.2.1/128", SCHEME_NONE, 0},
		{"192.0.2.1:443", SPEC_ADDR, "192.0.2.1/128", SCHEME_NONE, 443},
		{"192.0.2.0/24", SPEC_ADDR, "192.0.2.0/120", SCHEME_NONE, 0},
		{"0.0.0.0/0", SPEC_ADDR, "0.0.0.0/96", SCHEME_NONE, 0},
		{"::/0", SPEC_ADDR, "::/0", SCHEME_NONE, 0},
		{"2001:DB8::1", SPEC_ADDR, "2001:db8::1/128", SCHEME_NONE, 0},
		{"::1", SPEC_ADDR, "::1/128", SCHEME_NONE, 0},
		{"2001:db8::/32", SPEC_ADDR, "2001:db8::/32", SCHEME_NONE, 0},
		{"[2001:db8::1]", SPEC_ADDR, "2001:db8::1/128", SCHEME_NONE, 0},
		{"[2001:db8::1]:8443", SPEC_ADDR, "2001:db8::1/128", SCHEME_NONE, 8443},
		{"https://[2001:db8::1]/", SPEC_ADDR, "2001:db8::1/128", SCHEME_HTTPS, 443},
		{"https://192.0.2.1", SPEC_ADDR, "192.0.2.1/128", SCHEME_HTTPS, 443},
		{"::ffff:192.0.2.1", SPEC_ADDR, "192.0.2.1/128", SCHEME_NONE, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct host_spec s;
		char             why[HOST_SPEC_WHY], *exact, text[ADDR_TEXT_MAX + 8];
		memset(&s, 0xee, sizeof s);
		if (!parse(rows[i].item, strlen(rows[i].item), &s, why, &exact))
			fail_msg("%s: %s", rows[i].item, why);
		if (s.kind != rows[i].kind || s.scheme != rows[i].scheme || s.port != rows[i].port)
			fail_msg("%s: kind %d scheme %d port %u", rows[i].item, s.kind, s.scheme, s.port);
		if (s.kind == SPEC_REGEX) {
			assert_true(span_eq(s.regex, span_str(rows[i].text)));
		} else if (s.kind == SPEC_ADDR) {
			size_t n = addr_print(&s.cidr.addr, text);
			snprintf(text + n, sizeof text - n, "/%u", s.cidr.bits);
			assert_string_equal(text, rows[i].text);
		} else {
			assert_string_equal(s.text, rows[i].text);
			assert_int_equal(s.n, strlen(rows[i].text));
		}
		free(exact);
	}
}

static void
test_a_wrong_item_is_refused_with_a_remedy(void **state)
{
	static const struct {
		const char *item, *says; /* part of the sentence */
	} rows[] = {
		{"", "empty"}, {"re:", "write one"}, {"RE:v[0-9]+", "lower case"}, {"#", "begins with ;"}, {"https://x.com/path", "leave '/path' out"}, {"https://x.com/?q", "leave '/?q' out"},
		{"https://x.com?q", "leave '?q' out"}, {"https://x.com#f", "leave '#f' out"}, {"https://u@x.com/", "leave 'u@' out"},
		{"ftp://x.com/", "http://, https://"}, {"://x.com", "http://, https://"}, {"https://", "write one after"}, {"https:///x", "write one after"},
		{"x.com/", "leave '/' out"}, {"x.com/a", "leave '/a' out"}, {"x.com:", "from 1 to 65535"}, {"x.com:0", "from 1 to 65535"},
		{"x.com:65536", "from 1 to 65535"}, {"x.com:443x", "from 1 to 65535"}, {"x.com:+43", "from 1 to 65535"}, {"x.com:*", "from 1 to 65535"},
		{"x.com:000443", "from 1 to 65535"}, {"https://x.com:/", "from 1 to 65535"},
		{"x..com", "empty label"}, {"..x.com", "empty label"}, {"*..x.com", "empty label"}, {"a*..com", "empty label"}, {".", "write a name"},
		{"*.", "leave the dot out"}, {".*.x.com", "begins with a dot"}, {".x*", "begins with a dot"}, {"-x.com", "'-'"}, {"x-.com", "'-'"},
		{"x y.com", "no host name has"}, {"x%41.com", "no host name has"}, {"a*b c", "no host name has"}, {"x\tcom", "no host name has"},
		{"x.com,y.com", "no host name has"}, {"*.b\xc3\xbc*.de", "xn--"}, {"b\xff.de", "xn--"},
		{"127.1", "192.0.2.1"}, {"0x7f.1", "192.0.2.1"}, {"2130706433", "192.0.2.1"}, {"010.0.0.1", "192.0.2.1"}, {"1.2.3.4.5", "192.0.2.1"},
		{"*.192.0.2.1", "below the address"}, {".192.0.2.1", "below the address"}, {"10.0.*", "10.0.0.0/8"}, {"*.10.*", "10.0.0.0/8"},
		{"10.0.0.1/8", "10.0.0.0/8"}, {"2001:db8::1/32", "2001:db8::/32"}, {"10.0.0.0/33", "/0 to /32"}, {"::/129", "/0 to /128"}, {"10.0.0.0/", "/0 to /32"},
		{"10.0.0.0/x", "/0 to /32"}, {"[2001:db8::]/32", "without them"}, {"[2001:db8::1", "lacks the ']'"}, {"[192.0.2.1]", "without brackets"},
		{"[x.com]", "without brackets"}, {"[2001:db8::1]x", "only ':' and a port"}, {"[2001:db8::1]:", "from 1 to 65535"},
		{"2001:db8::1::", "[2001:db8::1]:443"}, {"a:b:c", "[2001:db8::1]:443"}, {"https://2001:db8::1/", "stands in brackets"},
		{"[fe80::1%eth0]", "without brackets"}, {"fe80::1%eth0", "2001:db8::1"},
		{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.com", "63 is the most"},
		{"*.x*aaaaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb.com", "63 is the most"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct host_spec s;
		char             why[HOST_SPEC_WHY], *exact;
		if (parse(rows[i].item, strlen(rows[i].item), &s, why, &exact))
			fail_msg("%s is taken", rows[i].item);
		assert_non_null(memchr(why, '\0', sizeof why));
		if (!strstr(why, rows[i].says))
			fail_msg("%s: %s", rows[i].item, why);
		free(exact);
	}
}

static void
test_too_long_a_name_is_refused_in_every_form(void **state)
{
	char name[300];

	(void)state;
	for (size_t i = 0; i < sizeof name; i++)
		name[i] = i % 50 == 49 ? '.' : 'a';
	for (size_t n = 200; n < sizeof name - 3; n++) {
		struct host_spec s;
		char             why[HOST_SPEC_WHY], *exact, item[310];
		bool             fits = n <= HOSTNAME_MAX || (n == HOSTNAME_MAX + 1 && name[n - 1] == '.');
		assert_int_equal(parse(name, n, &s, why, &exact), fits);
		free(exact);
		snprintf(item, sizeof item, "*.%.*s", (int)n, name);
		assert_int_equal(parse(item, n + 2, &s, why, &exact), fits);
		free(exact);
		snprintf(item, sizeof item, "%.*s*", (int)n, name);
		assert_int_equal(parse(item, n + 1, &s, why, &exact), n <= HOSTNAME_MAX);
		free(exact);
	}
}

/* No beginning of an item makes the parser read beyond it, and a refusal always says why in print. */
static void
test_every_prefix_of_an_item_is_answered(void **state)
{
	static const char *const items[] = {"https://*.manage.microsoft.com:8443/path?q#f", "http://user@[2001:db8::1]:80/", "*vortex*.data.microsoft.com:1234",
		"[2001:db8:1:2:3:4:5:6]:65535", "2001:db8::/32", "192.168.100.200/24", "re:(a|b)+\\.x", "**..*.\xc3\xbc.example.:99999", "a\x01\x7f\xff.com"};

	(void)state;
	for (size_t i = 0; i < sizeof items / sizeof *items; i++)
		for (size_t n = 0; n <= strlen(items[i]); n++) {
			struct host_spec s;
			char             why[HOST_SPEC_WHY], *exact;
			if (!parse(items[i], n, &s, why, &exact)) {
				assert_in_range(strlen(why), 10, HOST_SPEC_WHY - 1);
				for (char *p = why; *p; p++)
					assert_in_range(*p, 0x20, 0x7e);
			}
			free(exact);
		}
}

static void
test_public_suffixes_and_loose_beginnings_are_told(void **state)
{
	static const struct {
		const char *item;
		bool        suffix, anchored;
	} rows[] = {
		{"*.com", true, true}, {".co.uk", true, true}, {"com", true, true}, {"*.blob.core.windows.net", true, true}, {"blob.core.windows.net", true, true},
		{"*.x.blob.core.windows.net", false, true}, {"*.example.com", false, true}, {"example.co.uk", false, true}, {"*.corp", false, true}, {"*.core.windows.net", true, true},
		{"*.windows.net", true, true}, {"windows.net", false, true}, {"graph.windows.net", false, true}, {"*x.blob.core.windows.net", true, false},
		{"intranet", false, true}, {"*", true, true}, {"192.0.2.1", false, true}, {"re:.*", false, true},
		{"*vortex*.data.microsoft.com", false, true}, {"*microsoft.com", true, false}, {"*x.microsoft.com", false, true}, {"*x.co.uk", true, false},
		{"*a*.com", true, false}, {"microsoft.com*", true, true}, {"*microsoft.com*", true, false}, {"v*.com", true, true}, {"v*.example.com", false, true},
		{"*.v*x.com", true, true}, {"*.v*.blob.core.windows.net", true, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct host_spec s;
		char             why[HOST_SPEC_WHY];
		assert_true(host_spec_parse(span_str(rows[i].item), &s, why));
		if (host_spec_is_public_suffix(&s) != rows[i].suffix || host_spec_is_anchored(&s) != rows[i].anchored)
			fail_msg("%s: suffix %d, anchored %d", rows[i].item, host_spec_is_public_suffix(&s), host_spec_is_anchored(&s));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_form_of_a_host_item_is_read),
		cmocka_unit_test(test_a_wrong_item_is_refused_with_a_remedy),
		cmocka_unit_test(test_too_long_a_name_is_refused_in_every_form),
		cmocka_unit_test(test_every_prefix_of_an_item_is_answered),
		cmocka_unit_test(test_public_suffixes_and_loose_beginnings_are_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
