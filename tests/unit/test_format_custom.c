/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "audit/format.h"
#include "parse/authority.h"

static void
test_codes_say_what_squids_say(void **state)
{
	static const struct {
		const char *format, *line;
	} rows[] = {
		{"%ts.%03tu", "1700000000.007"}, {"%tu", "7"}, {"%tS", "1699999999.962"}, {"%tr", "45"}, {"%6tr|%-6tr|%06tr", "    45|45    |000045"},
		{"%dt", "12"}, {"%>a:%>p", "192.0.2.1:40000"}, {"%<a:%<p", "2001:db8::1:80"}, {"%<A", "example.com"}, {"%>Hs %Hs %http::>Hs", "404 404 404"},
		{"%Ss:%Sh", "TCP_MISS:HIER_DIRECT"}, {"%rm %http::rm %>rm", "GET GET GET"}, {"%ru", "http://example.com/p/q?"}, {"%rp", "/p/q?"},
		{"%>rs://%>rd:%>rP", "http://example.com:80"}, {"HTTP/%rv", "HTTP/1.0"}, {"%un %ul", "j%20d j%20d"}, {"%[un", "j%20d"}, {"%\"un", "j d"},
		{"%ui", "-"}, {"%mt", "text/html"}, {"%{Content-Type}<h", "text/html;%20x"}, {"%st=%>st+%<st", "4420=99+4321"},
		{"%{User-Agent}>h %{user-agent}>h %>h{User-Agent}", "curl/8 curl/8 curl/8"}, {"%{Referer}>h", "http://r/"}, {"%ssl::>sni", "sni.example"},
		{"%ssl::bump_mode %ssl::>negotiated_version %ssl::>negotiated_cipher %ssl::<negotiated_version|%ssl::<negotiated_cipher|%ssl::<cert_issuer", "- TLSv1.3 A_B TLSv1.2|-|Some%20CA"},
		{"%{tls_client}note %{tls_origin}note %{origin_issuer}note %{tls_detail}note", "TLSv1.3/A_B TLSv1.2 Some%20CA -"},
		{"%{id}note %{session}note", "0000000000000abc 0000000000000def"}, {"%{rule}note|%{action}note|%{fault}note|%{guard}note", "r%201|bypass|-|passed"},
		{"%{listener}note %{worker}note %{list_entry}note %note{reported} %{alpn}note %{sni}note", "edge 3 f:1 - h2 sni.example"},
		{"100%%", "100%"}, {"%%%rm%%", "%GET%"}, {"plain", "plain"}, {"\t%rm\t", "\tGET\t"}, {"%rmx", "GETx"}, {"%tsts", "1700000000ts"},
		{"%.4ru|%8.4ru|%-8.4ru|%.3tr", "http|    http|http    |45"}, {"%05rm", "  GET"}, {"%3dt%3ui|", " 12  -|"},
		{"%.3ts", "170"}, {"%{user}note %{groups}note %{auth_scheme}note %{auth_ms}note|%{auth_detail}note %{queue_ms}note", "j%20d CORP%5CUsers,CORP%5CAdmins NTLM 9|why 41"},
	};
	struct record r = {
		.id = 0xabc, .session = 0xdef, .end_real_us = 1700000000007890u, .duration_us = 45678, .bytes_in = 99, .bytes_out = 4321, .scheme = SCHEME_HTTP,
		.status = 404, .port = 80, .worker = 3, .hier = HIER_DIRECT, .has_address = true, .has_action = true, .action = ACTION_BYPASS,
		.guard = GUARD_WORD_PASSED, .resolve_ms = 12, .auth_way = AUTH_WAY_NTLM, .auth_ms = 9, .queue_ms = 41,
	};
	const struct span text[RT_COUNT] = {
		[RT_METHOD] = SPAN("GET"), [RT_HOST] = SPAN("example.com"), [RT_URL] = SPAN("http://example.com/p/q?secret"), [RT_LISTENER] = SPAN("edge"),
		[RT_RULE] = SPAN("r 1"), [RT_LIST_ENTRY] = SPAN("f:1"), [RT_USER] = SPAN("j d"), [RT_USER_AGENT] = SPAN("curl/8"),
		[RT_CONTENT_TYPE] = SPAN("text/html; x"), [RT_SNI] = SPAN("sni.example"), [RT_ALPN] = SPAN("h2"), [RT_REFERER] = SPAN("http://u@r/"),
		[RT_GROUPS] = SPAN("CORP\\Users,CORP\\Admins"), [RT_AUTH_DETAIL] = SPAN("why"), [RT_TLS_CLIENT] = SPAN("TLSv1.3/A_B"),
		[RT_TLS_ORIGIN] = SPAN("TLSv1.2"), [RT_ORIGIN_ISSUER] = SPAN("Some CA"),
	};
	char *buf = malloc(LOG_LINE_MAX);

	(void)state;
	r.client.addr = addr_from_v4(0xc0000201);
	r.client.port = 40000;
	assert_true(addr_parse(SPAN("2001:db8::1"), &r.address));
	record_size(&r, text);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char               why[160];
		struct log_format *f = log_format_new(LOG_CUSTOM, span_str(rows[i].format), false, why);
		size_t             n;
		if (!f)
			fail_msg("%s: %s", rows[i].format, why);
		n = log_format_line(f, &r, text, buf);
		buf[n - 1] = '\0';
		assert_string_equal(buf, rows[i].line);
		log_format_free(f);
	}
	free(buf);
}

static void
test_bump_modes_and_versions_have_squids_words(void **state)
{
	static const struct {
		struct record r;
		const char   *line;
	} rows[] = {
		{{.is_connect = true, .has_action = true, .action = ACTION_INSPECT}, "bump 1.0"}, {{.is_inner = true, .has_action = true, .minor = 1}, "bump 1.1"},
		{{.is_inner = true, .has_action = true, .action = ACTION_TUNNEL, .minor = RECORD_HTTP2}, "bump 2.0"},
		{{.is_connect = true, .has_action = true, .action = ACTION_TUNNEL}, "splice 1.0"},
		{{.is_connect = true, .has_action = true, .action = ACTION_BYPASS}, "splice 1.0"},
		{{.is_connect = true, .has_action = true, .action = ACTION_DENY}, "terminate 1.0"}, {{.has_action = true, .action = ACTION_TUNNEL}, "- 1.0"},
		{{.is_connect = true, .minor = 255}, "- -"},
	};
	const struct span  text[RT_COUNT] = {0};
	char               why[160], *buf = malloc(LOG_LINE_MAX);
	struct log_format *f = log_format_new(LOG_CUSTOM, SPAN("%ssl::bump_mode %rv"), false, why);

	(void)state;
	assert_non_null(f);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		buf[log_format_line(f, &rows[i].r, text, buf) - 1] = '\0';
		assert_string_equal(buf, rows[i].line);
	}
	log_format_free(f);
	free(buf);
}

static void
test_bad_formats_are_refused_with_their_place(void **state)
{
	static const struct {
		const char *format, *says;
	} rows[] = {
		{"", "empty"}, {"%", "unknown code \"%\" at column 1; known: % ts"}, {"%rm %zz", "unknown code \"%zz\" at column 5"},
		{"%rm %zz more", "\"%zz\" at column 5"}, {"%>A", "unknown code"}, {"%<Hs", "unknown code"}, {"%la", "unknown code"}, {"%http::zz", "unknown code"},
		{"%\"", "unknown code"}, {"%-03", "unknown code"}, {"%.", "unknown code"}, {"a %{User-Agent", "{ at column 4 is not closed"},
		{"%>h{Referer", "{ at column 4 is not closed"}, {"%>h", "%>h at column 1 knows only {User-Agent} and {Referer}"},
		{"%{Cookie}>h", "knows only"}, {"%{Authorization}>h", "knows only"}, {"%{Server}<h", "knows only {Content-Type}"},
		{"x%note", "no such note at column 2; known: id session"}, {"%{nothing}note", "no such note"}, {"%{x}rm", "%rm at column 1 takes no {argument}"},
		{"ab\ncd", "control byte at column 3"}, {"\x7f", "control byte at column 1"},
		{"%{0123456789012345678901234567890123456789012345678901234567890123}tl", "column 1 is longer than 63 bytes"},
	};
	char *big = malloc(5000), why[160];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		/* exact size, so that a reader that goes too far is seen */
		size_t n = strlen(rows[i].format);
		char  *exact = malloc(n ? n : 1);
		memcpy(exact, rows[i].format, n);
		assert_null(log_format_new(LOG_CUSTOM, span_of(exact, n), false, why));
		if (!strstr(why, rows[i].says))
			fail_msg("%s: %s", rows[i].format, why);
		assert_true(strlen(why) < sizeof why - 1);
		free(exact);
	}
	memset(big, 'x', 5000);
	assert_null(log_format_new(LOG_CUSTOM, span_of(big, 5000), false, why));
	assert_non_null(strstr(why, "longer than 4096"));
	free(big);
}

static void
test_every_prefix_of_a_format_is_read_or_refused(void **state)
{
	static const char format[] = "%>a %[ui %[un [%tl] \"%rm %ru HTTP/%rv\" %>Hs %<st \"%{Referer}>h\" \"%\"{User-Agent}>h\" %Ss:%Sh %#-010.20http::ru%% %{id}note %note{rule}";

	(void)state;
	for (size_t n = 1; n < sizeof format; n++) {
		char               why[160], *exact = malloc(n);
		struct log_format *f;
		memcpy(exact, format, n);
		f = log_format_new(LOG_CUSTOM, span_of(exact, n), false, why);
		assert_int_equal(f == NULL, *why != '\0');
		if (n == sizeof format - 1)
			assert_non_null(f);
		log_format_free(f);
		free(exact);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_codes_say_what_squids_say),
		cmocka_unit_test(test_bump_modes_and_versions_have_squids_words),
		cmocka_unit_test(test_bad_formats_are_refused_with_their_place),
		cmocka_unit_test(test_every_prefix_of_a_format_is_read_or_refused),
	};

	setenv("TZ", "UTC", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
