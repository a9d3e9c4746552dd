/* SPDX-License-Identifier: MIT */
#include "import/squid_inside.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

/* Every prefix of an input in a block of its size; the whole must come to `rules`, and its ini holds `want`. */
static void
loads(void **state)
{
	static const struct {
		const char *in, *want;
		bool        wider, narrower;
	} rows[] = {
		{"acl a dstdomain .x.example\nhttp_access allow a\n", "hosts = @a\naction = tunnel\nauth = none\n", false, false},
		{"acl a dstdomain .x.example\nhttp_access allow \\\n  a\n", "hosts = @a\naction = tunnel\n", false, false},
		{"acl a dstdomain .x.example\nhttp_access deny a\n", "; no line holds: the opposite of the last one\n[rule allow-all-by-default]\naction = tunnel\nauth = none\n", false, false},
		{"acl a dstdomain x.example\nacl b dstdomain y.example\nhttp_access allow a b !c\n", "left out", false, true},
		{"acl a dstdomain x.example\nacl b dstdomain .example\nhttp_access allow a b\n", "hosts = @a !@not-b\n", false, false},
		{"acl a port 80 443 8000-8100\nacl b port 1-8005\nhttp_access allow a b\n", "ports = 80 443 8000-8005\n", false, false},
		{"acl a port 80\nacl b port 81\nhttp_access allow a b\nhttp_access deny all\n", "", false, false},
		{"acl a random 0.5\nhttp_access deny a\nhttp_access allow all\n", "MISSING", true, false},
		{"acl a random 0.5\nhttp_access allow a\n", "left out", false, true},
		{"acl a time MTWHF 8:00-17:00\nacl b time M 9:00-9:30\nhttp_access allow a !b\n", "times = \"Mon 08:00-09:00\" \"Mon 09:31-17:01\" \"Tue-Fri 08:00-17:01\"\n", false, false},
		{"acl a time 0:00-24:00\nhttp_access allow a\n", "action = tunnel", false, false},
		{"acl a src 10.0.0.1-10.0.0.6\nhttp_access allow a\n", "address = 10.0.0.1\n   10.0.0.2/31\n   10.0.0.4/31\n   10.0.0.6\n", false, false},
		{"acl a src 10.1.2.3/255.255.0.0\nhttp_access allow a\n", "address = 10.1.0.0/16\n", false, false},
		{"acl u proxy_auth REQUIRED\nacl a src 10.0.0.1\nhttp_access allow u a\n", "users = !*\naction = deny\n", false, false},
		{"acl u proxy_auth REQUIRED\nhttp_access deny !u\nhttp_access allow all\n", "users = !*\naction = deny\n", false, false},
		{"acl u proxy_auth computers a;b\nhttp_access allow u\n", "users = \"computers\", \"a;b\"\n", false, false},
		{"acl w url_regex -i ads\nhttp_access deny w\n", "hosts = re:(?i).*(?:ads).*\nmethods = CONNECT\n", false, false},
		{"acl w url_regex -i ads\nhttp_access deny w\n", "url = (?i)ads\naction = deny\n", false, false},
		{"acl w url_regex ^http://x/\nhttp_access deny w\nhttp_access allow all\n", "url = ^http://x/\n", false, false},
		{"acl w url_regex [0-9]$\nhttp_access deny w\nhttp_access allow all\n", "url = [0-9]$\n", true, false},
		{"acl a any-of b c\nacl b port 1\nacl c src 10.0.0.1\nhttp_access allow a\n", "left out", false, true},
		{"acl b port 1\nacl c src 10.0.0.1\nacl a any-of b c\nhttp_access allow a\n", "ports = 1\naction", false, false},
		{"acl b port 1-5\nacl c method GET\nacl a all-of b c\nhttp_access deny !a\nhttp_access allow all\n", "methods = !GET\naction = deny\n", false, false},
		{"if 1 = 2\nhttp_access allow all\nelse\nhttp_access deny CONNECT\nendif\n", "methods = CONNECT\naction = deny\n", false, false},
		/* what never matched there matches nothing here, and is no refusal that is missing */
		{"acl a dstdomain x.example. y.example\nhttp_access allow a\n", "[list a]\nhost = y.example\n", false, false},
		{"acl a dstdomain http://x.example/p .y.example\nhttp_access deny a\n", "[list a]\nhost = .y.example\n", false, false},
		{"acl a dstdomain x.example:8080 10.0.0.0/8 a*b.example 192.0.2.1\nhttp_access deny a\n", "[list a]\nhost = 192.0.2.1\n", false, false},
		{"acl a dstdom_regex X\\.example\nhttp_access allow a\n", "host = re:.*(?-i:X\\.example).*\n", false, false},
		{"acl a dstdom_regex [[:upper:]]x\nhttp_access allow a\n", "host = re:.*(?-i:[[:upper:]]x).*\n", false, false},
		{"acl a dstdom_regex -i X\\.example\nhttp_access allow a\n", "host = re:(?i).*(?:X\\.example).*\n", false, false},
		{"acl a dstdom_regex x\\W\nhttp_access allow a\n", "host = re:.*(?:x\\W).*\n", false, false},
		{"acl a src 10.1.0.0/16 10.0.0.0/8\nhttp_access allow a\n", "; differs: x:1: Squid ignores this network, since one within it (10.1.0.0/16)", false, false},
		{"acl a src 10.0.0.0/8 10.1.0.0/16\nhttp_access allow a\n", "address = 10.0.0.0/8\n   10.1.0.0/16\n", false, false},
		/* deny_info of an ACL that is negated: a portal */
		{"acl a src 10.0.0.1\ndeny_info http://p.example/ a\nhttp_access deny !a\nhttp_access allow all\n", "redirect = http://p.example/\n", false, false},
		/* ports that diagnostic data needs are for rules, which can say force */
		{"acl a port 443\nhttp_access deny !a\nhttp_access allow all\n", "http-ports = 1-65535\n", false, false},
		{"acl a port 443\nhttp_access deny !a\nhttp_access allow all\n", "ports = 1-442 444-65535\naction = deny\nforce = yes\n", false, false},
		{"acl a port 443 80\nhttp_access deny CONNECT a\nhttp_access allow all\n", "ports = 80 443\nmethods = CONNECT\naction = deny\n", false, false},
		{"request_body_max_size 10 MB\nhttp_access allow all\n", "max-request-body", true, false},
		{"http_access deny to_localhost\nhttp_access allow all\n", "egress-deny = 127.0.0.0/8\n", false, false},
		{"http_port 1.2.3.4:99 name=a;b\nhttp_access allow all\n", "[listener a_b]\naddress = 1.2.3.4:99\n", false, false},
		{"http_port 1 ssl-bump cert=/c\nssl_bump peek all\nssl_bump bump all\nhttp_access allow all\n", "action = tunnel\n", false, false},
		{"http_port 1 ssl-bump cert=/c\nssl_bump stare all\nssl_bump bump all\nhttp_access allow all\n", "action = inspect\n", false, false},
		{"http_port 1 ssl-bump cert=/c\nacl s at_step SslBump1\nssl_bump peek s\nssl_bump bump all\nhttp_access allow all\n", "action = inspect\n", false, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		for (size_t n = 0; n <= strlen(rows[i].in); n++) {
			struct squid *s = squid_new();
			char         *block = malloc(n ? n : 1), *text = NULL;
			size_t        size = 0;
			FILE         *f;
			bool          found[SQUID_NOTE_KINDS] = {false};
			assert_true(s && block);
			memcpy(block, rows[i].in, n);
			assert_true(squid_load_bytes(s, "x", span_of(block, n), 0));
			free(block);
			f = open_memstream(&text, &size);
			squid_write_ini(s, f, NULL);
			fclose(f);
			for (size_t k = 0; k < squid_notes(s); k++)
				found[squid_note_at(s, k)->kind] = true;
			if (n == strlen(rows[i].in) && (!strstr(text, rows[i].want) || found[SQUID_WIDER] != rows[i].wider || found[SQUID_NARROWER] != rows[i].narrower))
				fail_msg("row %zu:\n%s\n%s", i, rows[i].in, text);
			free(text);
			squid_free(s);
		}
}

static void
regexes(void **state)
{
	static const struct {
		const char *in, *out; /* null: cannot be said */
	} rows[] = {
		{"a.c", "a.c"}, {"\\.exe$", "\\.exe$"}, {"\\d", "d"}, {"[\\d]", "[\\\\d]"}, {"[]a]", "[\\]a]"}, {"[^]a]", "[^\\]a]"}, {"[[:digit:]x]", "[[:digit:]x]"},
		{"[[.x.]]", NULL}, {"\\<a\\>", "\\b(?=\\w)a\\b(?<=\\w)"}, {"a{2}", "a{2}"}, {"a{2,3}b", "a{2,3}b"}, {"a{x", NULL}, {"*a", NULL}, {"(*a)", NULL}, {"a|*", NULL},
		{".*?x", ".*x"}, {"a+?", "a*"}, {"a*+", NULL}, {"a++", NULL}, {"(a", NULL}, {"a)", NULL}, {"[a", NULL}, {"a\\", NULL}, {"", NULL}, {"(?:a)", NULL},
		{"a\"b", "a\\x22b"}, {"\\\"", "\\x22"}, {"[\"]", "[\\x22]"}, {"\x01", NULL}, {"\xc3\xa4", NULL}, {"\\Qa\\E", "QaE"}, {"(a)\\1", "(a)\\1"}, {"[[:foo:]]", NULL}, {"[[", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		for (size_t n = 0; n <= strlen(rows[i].in); n++) {
			char       *in = malloc(n ? n : 1), *out = malloc(4 * n + 64);
			size_t      made = 0;
			const char *why = NULL;
			bool        fine;
			assert_true(in && out);
			memcpy(in, rows[i].in, n);
			fine = squid_regex_convert(span_of(in, n), out, &made, &why);
			assert_true(fine || (why && why[0]));
			if (n == strlen(rows[i].in) && (fine != (rows[i].out != NULL) || (fine && !span_eq(span_of(out, made), span_str(rows[i].out)))))
				fail_msg("%s: %.*s (%s)", rows[i].in, (int)made, out, why);
			free(in);
			free(out);
		}
}

static void
reaches(void **state)
{
	static const struct {
		const char      *in;
		bool             any_case;
		enum squid_reach want;
	} rows[] = {
		{"ads", false, REGEX_HOST}, {"^ads", false, REGEX_HOST}, {"ads\\.", false, REGEX_HOST}, {"ads.com", false, REGEX_HOST}, {"ads.", false, REGEX_OPEN}, {"ads$", false, REGEX_OPEN},
		{"ads1", false, REGEX_OPEN}, {"^http://ads", false, REGEX_NEVER}, {"/ads/", false, REGEX_NEVER}, {"ADS", false, REGEX_NEVER}, {"ADS", true, REGEX_HOST}, {"a|b", false, REGEX_OPEN},
		{"(http://)?ads", false, REGEX_OPEN}, {"[a]", false, REGEX_OPEN}, {"^", false, REGEX_OPEN}, {"", false, REGEX_OPEN},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (squid_regex_reach(span_str(rows[i].in), rows[i].any_case) != rows[i].want)
			fail_msg("%s", rows[i].in);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(loads),
		cmocka_unit_test(regexes),
		cmocka_unit_test(reaches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
