/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "story.h"
#include "audit/format.h"
#include "audit/words.h"
#include "parse/authority.h"

#define NATIVE "%ts.%03tu %6tr %>a %Ss/%03>Hs %<st %rm %ru %[un %Sh/%<a %mt"

static struct record
reached(struct record r, uint32_t address)
{
	r.hier = HIER_DIRECT;
	r.has_address = true;
	r.address = addr_from_v4(address);
	return r;
}

static struct record
lasting(struct record r, uint64_t us)
{
	r.duration_us = us;
	return r;
}

/* Of a request inside an inspected tunnel. */
static struct record
inner(unsigned status, enum fault fault)
{
	struct record r = record_of(false, status, fault);

	r.is_inner = true;
	r.scheme = SCHEME_HTTPS;
	r.port = 443;
	return r;
}

static struct record
switched(struct record r)
{
	r.is_tunnel = true;
	return r;
}

static size_t
write_line(const struct log_format *f, struct record r, const char *const texts[RT_COUNT], char *buf)
{
	struct span text[RT_COUNT];

	for (int i = 0; i < RT_COUNT; i++)
		text[i] = span_str(texts[i]);
	record_size(&r, text);
	return log_format_line(f, &r, text, buf);
}

/* The line of one story, without its newline, NUL-terminated. */
static void
line_of(enum log_format_kind kind, const char *custom, bool query, const struct story *s, char *buf)
{
	char               why[160];
	struct log_format *f = log_format_new(kind, span_str(custom), query, why);
	size_t             n;

	if (!f)
		print_message("%s: %s\n", custom, why);
	assert_non_null(f);
	n = write_line(f, s->r, s->text, buf);
	assert_true(n > 0 && n <= LOG_LINE_MAX);
	assert_ptr_equal(memchr(buf, '\n', n), buf + n - 1);
	buf[n - 1] = '\0';
	log_format_free(f);
}

#define CONNECT(host) [RT_METHOD] = "CONNECT", [RT_HOST] = host, [RT_URL] = host ":443"
#define GET(url)      [RT_METHOD] = "GET", [RT_HOST] = "example.com", [RT_URL] = url

static void
test_squid_lines_are_native_to_the_byte(void **state)
{
	const struct {
		struct story s;
		const char  *line;
	} rows[] = {
		{{reached(record_of(true, 200, FAULT_NONE), 0x0a000001), {CONNECT("v10.events.data.microsoft.com")}},
		 "1700000000.007     45 192.0.2.1 TCP_TUNNEL/200 4321 CONNECT v10.events.data.microsoft.com:443 - HIER_DIRECT/10.0.0.1 -"},
		{{reached(inner(200, FAULT_NONE), 0x0a000001), {GET("https://example.com/a?b")}},
		 "1700000000.007     45 192.0.2.1 TCP_MISS/200 4321 GET https://example.com/a? - HIER_DIRECT/10.0.0.1 -"},
		{{reached(switched(inner(101, FAULT_NONE)), 0x0a000001), {GET("https://example.com/ws")}},
		 "1700000000.007     45 192.0.2.1 TCP_TUNNEL/101 4321 GET https://example.com/ws - HIER_DIRECT/10.0.0.1 -"},
		{{inner(421, FAULT_MISDIRECTED), {GET("https://example.com/")}},
		 "1700000000.007     45 192.0.2.1 TCP_DENIED/421 4321 GET https://example.com/ - HIER_NONE/- -"},
		{{inner(302, FAULT_REDIRECTED), {GET("https://example.com/")}},
		 "1700000000.007     45 192.0.2.1 TCP_REDIRECT/302 4321 GET https://example.com/ - HIER_NONE/- -"},
		{{record_of(true, 502, FAULT_DNS_NXDOMAIN), {CONNECT("a.example"), [RT_CONTENT_TYPE] = "text/html"}},
		 "1700000000.007     45 192.0.2.1 TCP_TUNNEL/502 4321 CONNECT a.example:443 - HIER_NONE/- text/html"},
		{{record_of(true, 503, FAULT_NO_SOCKET), {CONNECT("a.example")}},
		 "1700000000.007     45 192.0.2.1 TCP_TUNNEL/503 4321 CONNECT a.example:443 - HIER_NONE/- -"},
		{{record_of(true, 403, FAULT_NO_RULE), {CONNECT("a.example"), [RT_CONTENT_TYPE] = "text/plain; charset=utf-8"}},
		 "1700000000.007     45 192.0.2.1 TCP_DENIED/403 4321 CONNECT a.example:443 - HIER_NONE/- text/plain"},
		{{reached(record_of(true, 200, FAULT_GUARD_BAD_SNI), 0x0a000001), {CONNECT("a.example")}},
		 "1700000000.007     45 192.0.2.1 TCP_DENIED/200 4321 CONNECT a.example:443 - HIER_DIRECT/10.0.0.1 -"},
		{{reached(record_of(true, 200, FAULT_GUARD_TIMEOUT), 0x0a000001), {CONNECT("a.example")}},
		 "1700000000.007     45 192.0.2.1 TCP_TUNNEL_TIMEDOUT/200 4321 CONNECT a.example:443 - HIER_DIRECT/10.0.0.1 -"},
		{{lasting(reached(record_of(true, 200, FAULT_IDLE_TIMEOUT), 0x0a000001), 3600000000u), {CONNECT("a.example")}},
		 "1700000000.007 3600000 192.0.2.1 TCP_TUNNEL_TIMEDOUT/200 4321 CONNECT a.example:443 - HIER_DIRECT/10.0.0.1 -"},
		{{reached(record_of(false, 200, FAULT_CLIENT_ABORTED), 0x0a000001), {GET("http://example.com/"), [RT_USER] = "jane doe"}},
		 "1700000000.007     45 192.0.2.1 TCP_MISS_ABORTED/200 4321 GET http://example.com/ jane%20doe HIER_DIRECT/10.0.0.1 -"},
		{{reached(record_of(true, 200, FAULT_NONE), 0x0a000001), {CONNECT("a.example"), [RT_USER] = "CORP\\alice"}},
		 "1700000000.007     45 192.0.2.1 TCP_TUNNEL/200 4321 CONNECT a.example:443 CORP%5Calice HIER_DIRECT/10.0.0.1 -"},
		{{record_of(true, 407, FAULT_AUTH_REQUIRED), {CONNECT("a.example")}},
		 "1700000000.007     45 192.0.2.1 TCP_DENIED/407 4321 CONNECT a.example:443 - HIER_NONE/- -"},
		{{record_of(false, 503, FAULT_AUTH_UNAVAILABLE), {GET("http://example.com/")}},
		 "1700000000.007     45 192.0.2.1 TCP_DENIED/503 4321 GET http://example.com/ - HIER_NONE/- -"},
		{{record_of(true, 0, FAULT_CLIENT_ABORTED), {CONNECT("a.example")}},
		 "1700000000.007     45 192.0.2.1 TCP_TUNNEL_ABORTED/000 4321 CONNECT a.example:443 - HIER_NONE/- -"},
		{{record_of(false, 400, FAULT_BAD_FRAMING), {0}},
		 "1700000000.007     45 192.0.2.1 NONE_NONE/400 4321 - error:bad-framing - HIER_NONE/- -"},
		{{record_of(false, 408, FAULT_HEAD_TIMEOUT), {0}},
		 "1700000000.007     45 192.0.2.1 NONE_NONE_TIMEDOUT/408 4321 - error:head-timeout - HIER_NONE/- -"},
		{{record_of(false, 0, FAULT_NONE), {0}}, "1700000000.007     45 192.0.2.1 NONE_NONE/000 4321 - - - HIER_NONE/- -"},
		{{lasting(record_of(false, 200, FAULT_NONE), 999), {GET("http://example.com/a b\"\x01\xff<\\>?q"), [RT_USER] = "CORP\\j%\n"}},
		 "1700000000.007      0 192.0.2.1 TCP_MISS/200 4321 GET http://example.com/a%20b%22%01%FF%3C%5C%3E? CORP%5Cj%25%0A HIER_NONE/- -"},
	};
	char *buf = malloc(LOG_LINE_MAX);

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		line_of(LOG_SQUID, "", false, &rows[i].s, buf);
		assert_string_equal(buf, rows[i].line);
	}
	free(buf);
}

static void
test_squid_line_and_its_format_string_agree(void **state)
{
	char *a = malloc(LOG_LINE_MAX), *b = malloc(LOG_LINE_MAX);

	(void)state;
	for (unsigned f = 0; f < FAULT_COUNT; f++) {
		struct story s = {reached(record_of(f % 2, fault_row(f)->status, f), 0x0a000001 + f), {GET("http://example.com/x?y"), [RT_USER] = "joe"}};
		s.r.end_real_us += f * 1001;
		line_of(LOG_SQUID, "", false, &s, a);
		line_of(LOG_CUSTOM, NATIVE, false, &s, b);
		assert_string_equal(a, b);
	}
	free(a);
	free(b);
}

static void
test_urls_show_no_query_and_never_user_information(void **state)
{
	static const struct {
		const char *url, *without, *with;
	} rows[] = {
		{"http://h/p?a=b", "http://h/p?", "http://h/p?a=b"},
		{"http://h?a=b", "http://h?", "http://h?a=b"},
		{"http://u:p@h/p@q?a@b", "http://h/p@q?", "http://h/p@q?a@b"},
		{"http://u@v@h/", "http://h/", "http://h/"},
		{"http://u:p@h", "http://h", "http://h"},
		{"http://u:p@h?x", "http://h?", "http://h?x"},
		{"http://@h/", "http://h/", "http://h/"},
		{"http://h/p#f?g", "http://h/p", "http://h/p#f?g"},
		{"http://[::1]:80/", "http://[::1]:80/", "http://[::1]:80/"},
		{"u:p@h:443", "h:443", "h:443"},
		{"h:443", "h:443", "h:443"},
		{"/p?u://x@y", "/p?", "/p?u://x@y"},
		{"http://h/x://u@v", "http://h/x://u@v", "http://h/x://u@v"},
		{"u@", "", ""},
		{"?", "?", "?"},
		{"://", "://", "://"},
		{"", "-", "-"},
	};
	char *buf = malloc(LOG_LINE_MAX);

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct story s = {record_of(false, 200, FAULT_NONE), {[RT_METHOD] = "GET", [RT_URL] = rows[i].url, [RT_REFERER] = rows[i].url}};
		char         expected[256];
		line_of(LOG_CUSTOM, "%ru", false, &s, buf);
		assert_string_equal(buf, *rows[i].without ? rows[i].without : "-");
		line_of(LOG_CUSTOM, "%'ru", true, &s, buf);
		assert_string_equal(buf, *rows[i].with ? rows[i].with : "-");
		line_of(LOG_COMBINED, "", false, &s, buf);
		snprintf(expected, sizeof expected, "\"%s\" \"-\"", rows[i].without);
		assert_string_equal(buf + strlen(buf) - strlen(expected), expected);
	}
	free(buf);
}

static void
test_json_line_has_every_key_in_its_order(void **state)
{
	struct story full = {reached(record_of(true, 200, FAULT_GUARD_BAD_SNI), 0x0a000001),
	                     {CONNECT("a.example"), [RT_LISTENER] = "edge", [RT_RULE] = "diag", [RT_LIST_ENTRY] = "lists/x.list:3", [RT_REPORTED] = "r1 r2",
	                      [RT_USER] = "joe", [RT_USER_AGENT] = "curl/8", [RT_CONTENT_TYPE] = "text/html; a=\"b\"", [RT_SNI] = "b.example",
	                      [RT_ALPN] = "h2", [RT_PARENT] = "up", [RT_REFERER] = "never", [RT_GROUPS] = "CORP\\Proxy Users,S-1-5-21-1-2-3-513",
	                      [RT_AUTH_DETAIL] = "joe: no \"such\" user", [RT_TLS_CLIENT] = "TLSv1.3/A", [RT_TLS_ORIGIN] = "TLSv1.2/B",
	                      [RT_ORIGIN_ISSUER] = "Some \"CA\"", [RT_TLS_DETAIL] = "expired"}};
	struct story empty = {record_of(false, 0, FAULT_NONE), {0}};
	char        *buf = malloc(LOG_LINE_MAX);

	(void)state;
	full.r.has_action = full.r.ech = true;
	full.r.action = ACTION_BYPASS;
	full.r.guard = GUARD_WORD_CLOSED;
	full.r.resolve_ms = 1;
	full.r.connect_ms = 2;
	full.r.tls_ms = 3;
	full.r.first_byte_ms = 0;
	full.r.auth_ms = 17;
	full.r.queue_ms = 18;
	full.r.auth_way = AUTH_WAY_KERBEROS;
	line_of(LOG_JSON, "", false, &full, buf);
	assert_string_equal(buf,
	                    "{\"ts\":\"2023-11-14T22:13:20.007Z\",\"duration_ms\":45,\"id\":\"0000000000000abc\",\"client\":\"192.0.2.1\","
	                    "\"client_port\":40000,\"listener\":\"edge\",\"worker\":3,\"session\":\"0000000000000def\",\"method\":\"CONNECT\","
	                    "\"scheme\":\"https\",\"host\":\"a.example\",\"port\":443,\"url\":\"a.example:443\",\"action\":\"bypass\",\"rule\":\"diag\","
	                    "\"list_entry\":\"lists/x.list:3\",\"reported\":\"r1 r2\",\"guard\":\"closed\",\"sni\":\"b.example\",\"ech\":true,"
	                    "\"alpn\":\"h2\",\"tls_client\":\"TLSv1.3/A\",\"tls_origin\":\"TLSv1.2/B\",\"origin_issuer\":\"Some \\\"CA\\\"\",\"tls_detail\":\"expired\","
	                    "\"user\":\"joe\",\"groups\":[\"CORP\\\\Proxy Users\",\"S-1-5-21-1-2-3-513\"],\"auth_scheme\":\"Negotiate/Kerberos\","
	                    "\"auth_detail\":\"joe: no \\\"such\\\" user\",\"status\":200,\"result\":\"TCP_DENIED\",\"fault\":\"guard-bad-sni\","
	                    "\"address\":\"10.0.0.1\",\"parent\":\"up\",\"bytes_in\":99,\"bytes_out\":4321,\"resolve_ms\":1,\"connect_ms\":2,"
	                    "\"tls_ms\":3,\"first_byte_ms\":0,\"auth_ms\":17,\"queue_ms\":18,\"user_agent\":\"curl/8\",\"content_type\":\"text/html; a=\\\"b\\\"\"}");
	empty.r.port = 0;
	empty.r.scheme = SCHEME_NONE;
	line_of(LOG_JSON, "", false, &empty, buf);
	assert_string_equal(buf,
	                    "{\"ts\":\"2023-11-14T22:13:20.007Z\",\"duration_ms\":45,\"id\":\"0000000000000abc\",\"client\":\"192.0.2.1\","
	                    "\"client_port\":40000,\"listener\":null,\"worker\":3,\"session\":\"0000000000000def\",\"method\":null,"
	                    "\"scheme\":null,\"host\":null,\"port\":null,\"url\":null,\"action\":null,\"rule\":null,"
	                    "\"list_entry\":null,\"reported\":null,\"guard\":null,\"sni\":null,\"ech\":false,"
	                    "\"alpn\":null,\"tls_client\":null,\"tls_origin\":null,\"origin_issuer\":null,\"tls_detail\":null,"
	                    "\"user\":null,\"groups\":null,\"auth_scheme\":null,\"auth_detail\":null,\"status\":null,\"result\":\"NONE_NONE\",\"fault\":null,"
	                    "\"address\":null,\"parent\":null,\"bytes_in\":99,\"bytes_out\":4321,\"resolve_ms\":null,\"connect_ms\":null,"
	                    "\"tls_ms\":null,\"first_byte_ms\":null,\"auth_ms\":null,\"queue_ms\":null,\"user_agent\":null,\"content_type\":null}");
	free(buf);
}

static void
test_each_style_escapes_what_it_must(void **state)
{
	static const struct {
		const char *in, *mark, *out; /* mark: the quote character of the format */
	} rows[] = {
		{"a b", "", "a%20b"}, {"a b", "\"", "a b"}, {"a b", "[", "a b"}, {"a b", "#", "a%20b"}, {"a b", "'", "a b"},
		{"100%", "", "100%"}, {"100%", "#", "100%25"}, {"100%", "[", "100%25"}, {"100%", "\"", "100%"}, {"100%", "'", "100%"},
		{"\"\\\t\r\n", "\"", "\\\"\\\\\\t\\r\\n"}, {"\"\\\t\r\n", "[", "\"\\\\%09\\r\\n"}, {"\"\\\t\r\n", "'", "\"\\%09%0D%0A"},
		{"\"\\\t\r\n", "", "%22%5C%09%0D%0A"}, {"\x1b[31m\x7f", "\"", "\\x1b[31m\\x7f"}, {"\x1b[31m\x7f", "'", "%1B[31m%7F"},
		{"\x1b[31m\x7f", "[", "%1b%5b31m%7f"}, {"~[x]{y}", "", "%7E%5Bx%5D%7By%7D"},
		/* UTF-8: whole, cut off, too long, a surrogate, beyond the last, C1 */
		{"\xc3\xa9", "'", "\xc3\xa9"}, {"\xc3", "'", "%C3"}, {"\xc0\xaf", "'", "%C0%AF"}, {"\xed\xa0\x80", "'", "%ED%A0%80"},
		{"\xf4\x90\x80\x80", "'", "%F4%90%80%80"}, {"\xf0\x9f\x98\x80", "'", "\xf0\x9f\x98\x80"}, {"\xc2\x9b", "'", "%C2%9B"},
		{"\xe0\x80\x80", "'", "%E0%80%80"}, {"\xf0\x80\x80\x80", "'", "%F0%80%80%80"}, {"\xe2\x82", "'", "%E2%82"},
		{"\xc3\xa9", "\"", "\\xc3\\xa9"}, {"\xc3\xa9", "", "%C3%A9"}, {"\xc3\xa9", "[", "%c3%a9"},
	};
	char *buf = malloc(LOG_LINE_MAX);

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct story s = {record_of(false, 200, FAULT_NONE), {[RT_USER_AGENT] = rows[i].in}};
		char         format[64];
		snprintf(format, sizeof format, "%%%s{User-Agent}>h", rows[i].mark);
		line_of(LOG_CUSTOM, format, false, &s, buf);
		assert_string_equal(buf, rows[i].out);
	}
	free(buf);
}

static void
test_combined_line_is_apaches(void **state)
{
	const struct {
		struct story s;
		const char  *line;
	} rows[] = {
		{{record_of(false, 200, FAULT_NONE), {GET("http://example.com/p?q"), [RT_USER] = "jane d", [RT_USER_AGENT] = "M \"x\" \\ \xc3", [RT_REFERER] = "http://u:p@r/?s"}},
		 "192.0.2.1 - jane\\x20d [14/Nov/2023:22:13:20 +0000] \"GET http://example.com/p? HTTP/1.1\" 200 4321 \"http://r/?\" \"M \\\"x\\\" \\\\ \\xc3\""},
		{{record_of(false, 0, FAULT_CLIENT_ABORTED), {0}}, "192.0.2.1 - - [14/Nov/2023:22:13:20 +0000] \"-\" 000 4321 \"-\" \"-\""},
	};
	char *buf = malloc(LOG_LINE_MAX);

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		line_of(LOG_COMBINED, "", false, &rows[i].s, buf);
		assert_string_equal(buf, rows[i].line);
	}
	free(buf);
}

static void
test_local_times_follow_the_zone(void **state)
{
	struct story s = {record_of(false, 200, FAULT_NONE), {0}};
	char        *buf = malloc(LOG_LINE_MAX);

	(void)state;
	setenv("TZ", "Asia/Kolkata", 1);
	line_of(LOG_CUSTOM, "%tl|%tg|%{%Y}tl|%tg{%H:%M}", false, &s, buf);
	setenv("TZ", "UTC", 1);
	tzset();
	assert_string_equal(buf, "15/Nov/2023:03:43:20 +0530|14/Nov/2023:22:13:20 +0000|2023|22:13");
	free(buf);
}

static void
test_calendar_agrees_with_the_c_library(void **state)
{
	uint64_t seed = 1;

	(void)state;
	for (int i = 0; i < 300000; i++) {
		/* each day of four centuries around now, then random seconds up to year 9999 */
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		uint64_t      t = i < 146097 ? (uint64_t)i * 86400 + seed % 86400 : (seed >> 11) % 253402300800u;
		struct moment m = moment_utc(t * 1000000 + 999999);
		time_t        when = (time_t)t;
		struct tm     tm;
		gmtime_r(&when, &tm);
		assert_true((int)m.year == tm.tm_year + 1900 && (int)m.month == tm.tm_mon + 1 && (int)m.day == tm.tm_mday);
		assert_true((int)m.hour == tm.tm_hour && (int)m.minute == tm.tm_min && (int)m.second == tm.tm_sec && m.ms == 999);
	}
	assert_int_equal(moment_utc(UINT64_MAX).year, 9999);
}

/* RFC 8259, as far as our lines go: one flat object of strings, numbers and words, all of it UTF-8 and without control bytes. */
static bool
json_is_valid(const char *p)
{
	bool first = true;

	if (*p++ != '{')
		return false;
	for (; first || *p == ','; first = false) {
		p += !first;
		for (int part = 0; part < 2; part++) {
			if (*p == '"') {
				for (p++; *p != '"'; p++) {
					if ((unsigned char)*p < 0x20)
						return false;
					if (*p == '\\' && !strchr("\"\\u", *++p))
						return false;
					if (*p == 'u' && p[-1] == '\\' && strspn(p + 1, "0123456789abcdef") < 4)
						return false;
				}
				p++;
			} else if (part == 1 && *p == '[') {
				do {
					p += strcspn(p, "\"") + 1;
					while (*p && *p != '"')
						p += *p == '\\' ? 2 : 1;
					p++;
				} while (*p == ',');
				if (*p++ != ']')
					return false;
			} else if (part == 1) {
				size_t n = strspn(p, "0123456789");
				if (!n && (strncmp(p, "null", 4) == 0 || strncmp(p, "true", 4) == 0))
					n = 4;
				if (!n && strncmp(p, "false", 5) == 0)
					n = 5;
				if (!n)
					return false;
				p += n;
			} else
				return false;
			if (part == 0 && *p++ != ':')
				return false;
		}
	}
	return p[0] == '}' && p[1] == '\0';
}

static bool
utf8_is_valid(const char *s)
{
	char *fresh = malloc(strlen(s) + 1);
	bool  ok;

	/* a second opinion from a slow decoder: every code point is encoded anew and must give the same bytes */
	char *to = fresh;
	for (const unsigned char *p = (const unsigned char *)s; *p;) {
		unsigned extra = *p < 0x80 ? 0 : *p < 0xe0 ? 1 : *p < 0xf0 ? 2 : 3, cp = extra == 0 ? *p : *p & (0x3f >> extra);
		for (unsigned i = 1; i <= extra && p[i]; i++)
			cp = cp << 6 | (p[i] & 0x3f);
		p += 1 + (strnlen((const char *)p, extra + 1) > extra ? extra : 0);
		if (cp < 0x80)
			*to++ = (char)cp;
		else if (cp < 0x800)
			*to++ = (char)(0xc0 | cp >> 6), *to++ = (char)(0x80 | (cp & 0x3f));
		else if (cp < 0x10000)
			*to++ = (char)(0xe0 | cp >> 12), *to++ = (char)(0x80 | (cp >> 6 & 0x3f)), *to++ = (char)(0x80 | (cp & 0x3f));
		else
			*to++ = (char)(0xf0 | cp >> 18), *to++ = (char)(0x80 | (cp >> 12 & 0x3f)), *to++ = (char)(0x80 | (cp >> 6 & 0x3f)), *to++ = (char)(0x80 | (cp & 0x3f));
		if (cp >= 0xd800 && cp < 0xe000)
			cp = 0x110000;
		if (cp > 0x10ffff) {
			free(fresh);
			return false;
		}
	}
	*to = '\0';
	ok = strcmp(fresh, s) == 0;
	free(fresh);
	return ok;
}

/* Any bytes, at any length, in any text: one line, printable, as long as promised, ten tokens in squid, valid JSON in json. */
static void
test_hostile_texts_never_break_a_line(void **state)
{
	static const struct {
		enum log_format_kind kind;
		const char          *custom;
	} formats[] = {
		{LOG_SQUID, ""}, {LOG_JSON, ""}, {LOG_COMBINED, ""}, {LOG_CUSTOM, NATIVE},
		{LOG_CUSTOM, "%ru %ru %ru %ru %ru %ru %ru %ru %ru %ru %ru %ru %ru %ru %ru %ru %\"ru %'ru %#ru %[ru %'.3{User-Agent}>h %999un %-999{Referer}>h"},
	};
	static const char pieces[][5] = {"\"", "\\", "\n", "\r", "\x7f", "\xc3", "\xc3\xa9", "\xed\xa0\x80", " ", "%", "?", "@", "/", "\x01", "\xff", "a", "\xc2\x85"};
	char    *buf = malloc(LOG_LINE_MAX), *bytes = malloc(RT_COUNT * RECORD_TEXT_MAX);
	uint64_t seed = 88172645463325252u;

	(void)state;
	for (int round = 0; round < 400; round++)
		for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
			char               why[160];
			struct log_format *f = log_format_new(formats[i].kind, span_str(formats[i].custom), round % 2, why);
			struct record      r = record_of(round & 4, 200, (enum fault)(round % FAULT_COUNT));
			struct span        text[RT_COUNT];
			size_t             n, blanks = 0;

			assert_non_null(f);
			for (int t = 0; t < RT_COUNT; t++) {
				size_t most = round % 10 == 0 ? RECORD_TEXT_MAX : (seed >> 40) % 40;
				char  *p = bytes + t * RECORD_TEXT_MAX;
				size_t len = 0;
				for (;;) {
					seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
					const char *piece = pieces[round % 20 == 0 ? 3 : seed % (sizeof pieces / sizeof *pieces)];
					if (len + strlen(piece) > most)
						break;
					memcpy(p + len, piece, strlen(piece));
					len += strlen(piece);
				}
				text[t] = span_of(p, len);
			}
			record_size(&r, text);
			n = log_format_line(f, &r, text, buf);
			char *end = memchr(buf, '\n', n);
			assert_true(n <= LOG_LINE_MAX && end == buf + n - 1);
			*end = '\0';
			assert_int_equal(strlen(buf), n - 1);
			for (size_t k = 0; k < n - 1; k++) {
				assert_true((unsigned char)buf[k] >= 0x20 && buf[k] != 0x7f);
				blanks += buf[k] == ' ' && k > 21;
			}
			assert_true(utf8_is_valid(buf));
			if (formats[i].kind == LOG_SQUID || i == 3)
				assert_int_equal(blanks, 7);
			if (formats[i].kind == LOG_JSON)
				assert_true(json_is_valid(buf) && buf[n - 2] == '}');
			log_format_free(f);
		}
	free(buf);
	free(bytes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_squid_lines_are_native_to_the_byte),
		cmocka_unit_test(test_squid_line_and_its_format_string_agree),
		cmocka_unit_test(test_urls_show_no_query_and_never_user_information),
		cmocka_unit_test(test_json_line_has_every_key_in_its_order),
		cmocka_unit_test(test_each_style_escapes_what_it_must),
		cmocka_unit_test(test_combined_line_is_apaches),
		cmocka_unit_test(test_local_times_follow_the_zone),
		cmocka_unit_test(test_calendar_agrees_with_the_c_library),
		cmocka_unit_test(test_hostile_texts_never_break_a_line),
	};

	setenv("TZ", "UTC", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
