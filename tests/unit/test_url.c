/* SPDX-License-Identifier: MIT */
/* The one spelling of a URL that rules see. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <ctype.h>
#include <stdio.h>

#include "parse/url.h"
#include "block.h"

/* Into a block of exactly `room` bytes. */
static bool
normal_in(const struct url *u, size_t room, char *text)
{
	char       *buf = malloc(room ? room : 1);
	struct span out;
	bool        ok;

	assert_non_null(buf);
	ok = url_normalise(u, buf, room, &out);
	if (ok) {
		assert_true(out.p == buf && out.n <= room);
		memcpy(text, out.p, out.n);
		text[out.n] = '\0';
	}
	free(buf);
	return ok;
}

static void
test_urls_have_one_spelling(void **state)
{
	static const struct {
		const char *text, *normal;
	} rows[] = {
		{"http://a.example", "http://a.example/"}, {"HTTP://A.Example:80/", "http://a.example/"}, {"https://a.example:443", "https://a.example/"},
		{"https://a.example:80/", "https://a.example:80/"}, {"http://a.example:443/", "http://a.example:443/"},
		{"http://a.example:65535?", "http://a.example:65535/?"}, {"http://a.example?x=/../y", "http://a.example/?x=/../y"},
		{"http://[2001:DB8:0::1]:8080/a", "http://[2001:db8::1]:8080/a"}, {"http://127.0.0.1/", "http://127.0.0.1/"},
		{"http://b\xc3\xbc" "cher.example/", "http://xn--bcher-kva.example/"},
		{"http://a/%61dmin", "http://a/admin"}, {"http://a/x/../admin", "http://a/admin"}, {"http://a/x/%2e%2E/%61dmin", "http://a/admin"},
		{"http://a/./admin/.", "http://a/admin/"}, {"http://a/admin/..", "http://a/"}, {"http://a/../../admin", "http://a/admin"},
		{"http://a/..", "http://a/"}, {"http://a/.", "http://a/"}, {"http://a//x//..//", "http://a//x//"}, {"http://a/a//..", "http://a/a/"},
		{"http://a/...", "http://a/..."}, {"http://a/.a/..a/a..", "http://a/.a/..a/a.."},
		{"http://a/%2fadmin", "http://a/%2Fadmin"}, {"http://a/x%2f..%2fadmin", "http://a/x%2F..%2Fadmin"}, {"http://a/%2561dmin", "http://a/%2561dmin"},
		{"http://a/%c3%bC%00%7F%20", "http://a/%C3%BC%00%7F%20"}, {"http://a/%7e%5f%2D%2e%30%39%41%5A%7a", "http://a/~_-.09AZz"},
		{"http://a/A?%41=%26&%3d%2b+", "http://a/A?A=%26&%3D%2B+"}, {"http://a/?a?b", "http://a/?a?b"}, {"http://a/;x=1/../b", "http://a/b"},
	};
	char text[300];

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct span b = block_of(rows[i].text, strlen(rows[i].text));
		struct url  u;
		assert_true(url_parse(b, &u));
		assert_true(url_normal_room(&u) >= strlen(rows[i].normal));
		assert_true(normal_in(&u, url_normal_room(&u), text));
		assert_string_equal(text, rows[i].normal);
		block_free(b);
	}
}

/* A room that is too small is never written beyond, and every prefix that is a URL has a normal form that is its own. */
static void
test_every_prefix_and_every_room(void **state)
{
	static const char whole[] = "https://a.example:8443/%61/../b/./%2e%2E/c%2f%zz?%7E%2";
	char              text[300], again[300];

	(void)state;
	for (size_t n = 0; n < sizeof whole; n++) {
		struct span b = block_of(whole, n);
		struct url  u;
		if (url_parse(b, &u)) {
			assert_true(normal_in(&u, url_normal_room(&u), text));
			for (size_t room = 0; room < strlen(text); room++)
				assert_false(normal_in(&u, room, again));
			assert_true(url_parse(span_str(text), &u));
			assert_true(normal_in(&u, url_normal_room(&u), again));
			assert_string_equal(text, again);
		}
		block_free(b);
	}
}

static void
test_what_is_no_url_has_no_normal_form(void **state)
{
	static const char *const bad[] = {"/%", "/%4", "/%4g", "/%g4", "/a/%"};
	struct url               u = {.scheme = SCHEME_HTTP};
	char                     text[400];

	(void)state;
	assert_true(host_parse(SPAN("a"), &u.at.host));
	for (size_t i = 0; i < ROWS(bad); i++) {
		u.path = block_of(bad[i], strlen(bad[i]));
		assert_false(normal_in(&u, sizeof text - 1, text));
		u.query = u.path;
		u.has_query = true;
		u.path = SPAN("/");
		assert_false(normal_in(&u, sizeof text - 1, text));
		block_free(u.query);
		u.has_query = false;
		u.query = SPAN("");
	}
	u.path = SPAN("/");
	u.scheme = SCHEME_OTHER;
	assert_false(normal_in(&u, sizeof text - 1, text));
}

/* Slow and obvious: first all escapes, then the segments on a stack. False: a bad escape. */
static bool
slow_path(const char *path, char *out)
{
	char     plain[64], segment[16][64];
	unsigned n = 0, depth = 0;
	bool     slash = true;

	for (const char *p = path; *p; p++) {
		char c = *p, hex[3] = "";
		if (c == '%') {
			if (!isxdigit((unsigned char)p[1]) || !isxdigit((unsigned char)p[2]))
				return false;
			memcpy(hex, p + 1, 2);
			c = (char)strtol(hex, NULL, 16);
			p += 2;
			if (!isalnum((unsigned char)c) && !strchr("-._~", c)) {
				n += (unsigned)snprintf(plain + n, 4, "%%%c%c", toupper((unsigned char)hex[0]), toupper((unsigned char)hex[1]));
				continue;
			}
		}
		plain[n++] = c;
	}
	plain[n] = '\0';
	for (char *p = plain; *p;) {
		size_t len = strcspn(p + 1, "/");
		memcpy(segment[depth], p + 1, len);
		segment[depth][len] = '\0';
		p += 1 + len;
		slash = strcmp(segment[depth], ".") == 0 || strcmp(segment[depth], "..") == 0;
		if (!slash)
			depth++;
		else if (strcmp(segment[depth], "..") == 0 && depth > 0)
			depth--;
	}
	out += sprintf(out, "http://a");
	for (unsigned i = 0; i < depth; i++)
		out += sprintf(out, "/%s", segment[i]);
	if (slash)
		sprintf(out, "/");
	return true;
}

static void
test_paths_are_as_the_obvious_version_has_them(void **state)
{
	static const char *const piece[] = {"/", ".", "..", "a", "%2e", "%2F", "%41", "%3f", "%4"};
	struct url               u = {.scheme = SCHEME_HTTP};
	char                     path[64], want[128], text[400];

	(void)state;
	assert_true(host_parse(SPAN("a"), &u.at.host));
	for (unsigned code = 0; code < 9 * 9 * 9 * 9 * 9 * 9; code++) {
		bool ok;
		strcpy(path, "/");
		for (unsigned i = 0, c = code; i < 6; i++, c /= 9)
			strcat(path, piece[c % 9]);
		u.path = span_str(path);
		ok = slow_path(path, want);
		assert_int_equal(normal_in(&u, url_normal_room(&u), text), ok);
		if (ok && strcmp(text, want) != 0)
			fail_msg("%s: %s, not %s", path, text, want);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_urls_have_one_spelling),
		cmocka_unit_test(test_every_prefix_and_every_room),
		cmocka_unit_test(test_what_is_no_url_has_no_normal_form),
		cmocka_unit_test(test_paths_are_as_the_obvious_version_has_them),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
