/* SPDX-License-Identifier: MIT */
/* Lines of access logs, read back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>

#include "logread/reader.h"
#include "block.h"

/* As rows say it: what is "" or 0 is not there. */
struct row {
	const char *line;
	uint64_t    end_ms, elapsed_ms;
	const char *client, *method, *url, *user, *result, *hierarchy, *peer, *type;
	unsigned    status;
	bool        cut, inner;
};

static const struct row squid_rows[] = {
	{"1700000000.123   4567 10.1.2.3 TCP_TUNNEL/200 8901 CONNECT v10.events.data.microsoft.com:443 - HIER_DIRECT/20.42.73.27 -", 1700000000123, 4567, "10.1.2.3",
	    "CONNECT", "v10.events.data.microsoft.com:443", "", "TCP_TUNNEL", "HIER_DIRECT", "20.42.73.27", "", 200, false, false},
	{"1700000000.000      0 2001:db8::1 TCP_DENIED/407 3906 CONNECT a.example:443 - HIER_NONE/- text/html", 1700000000000, 0, "2001:db8::1", "CONNECT", "a.example:443",
	    "", "TCP_DENIED", "HIER_NONE", "", "text/html", 407, false, false},
	{"1700000000.000      1 ::ffff:10.0.0.1 TCP_MISS/200 10 GET http://a.example/x? CORP%5calice HIER_DIRECT/2001:db8::2 text/html", 1700000000000, 1, "10.0.0.1", "GET",
	    "http://a.example/x?", "CORP\\alice", "TCP_MISS", "HIER_DIRECT", "2001:db8::2", "text/html", 200, true, false},
	{"1700000000.001      1 10.0.0.1 TCP_REFRESH_UNMODIFIED_ABORTED/304 10 GET http://a.example/x?a=b alice@CORP.EXAMPLE FIRSTUP_PARENT/proxy.example -", 1700000000001, 1,
	    "10.0.0.1", "GET", "http://a.example/x?a=b", "alice@CORP.EXAMPLE", "TCP_REFRESH_UNMODIFIED_ABORTED", "FIRSTUP_PARENT", "proxy.example", "", 304, false, false},
	/* what Squid says of a connection that came to nothing, and of a request that was none */
	{"1700000000.001      1 10.0.0.1 NONE_NONE/000 0 - error:transaction-end-before-headers - HIER_NONE/- -", 1700000000001, 1, "10.0.0.1", "-",
	    "error:transaction-end-before-headers", "", "NONE_NONE", "HIER_NONE", "", "", 0, false, false},
	{"1700000000.001      0 10.0.0.1 NONE_NONE/400 4000 NONE error:invalid-request - HIER_NONE/- text/html", 1700000000001, 0, "10.0.0.1", "NONE",
	    "error:invalid-request", "", "NONE_NONE", "HIER_NONE", "", "text/html", 400, false, false},
	{"1700000000.001      0 10.0.0.1 NONE/- 0 - error:accept-client-connection - HIER_NONE/- -", 1700000000001, 0, "10.0.0.1", "-", "error:accept-client-connection", "",
	    "NONE", "HIER_NONE", "", "", 0, false, false},
	/* inspected: the CONNECT, and a request inside */
	{"1700000000.001     40 10.0.0.1 NONE_NONE/200 0 CONNECT a.example:443 - HIER_NONE/- -", 1700000000001, 40, "10.0.0.1", "CONNECT", "a.example:443", "", "NONE_NONE",
	    "HIER_NONE", "", "", 200, false, false},
	{"1700000000.001     40 10.0.0.1 TCP_MISS/200 1234 GET https://a.example/ bob%20b HIER_DIRECT/192.0.2.1 text/html", 1700000000001, 40, "10.0.0.1", "GET",
	    "https://a.example/", "bob b", "TCP_MISS", "HIER_DIRECT", "192.0.2.1", "text/html", 200, false, true},
	/* more columns, a clock that was set back, a client whose name was looked up, a time without its fraction, a % that begins nothing */
	{"1700000000.001     -5 pc1.example TCP_HIT/200 1234 GET http://a.example/ 5%25%zz% HIER_NONE/- text/html [User-Agent: x\\r\\n] [Host: y]", 1700000000001, 0, "", "GET",
	    "http://a.example/", "5%%zz%", "TCP_HIT", "HIER_NONE", "", "text/html", 200, false, false},
	/* as Squid 5 writes names with a backslash, and with blanks */
	{"1700000000.123      1 10.0.0.1 TCP_MISS/502 3411 GET http://a.example/ corp\\\\alice HIER_NONE/- text/html", 1700000000123, 1, "10.0.0.1", "GET", "http://a.example/",
	    "corp\\alice", "TCP_MISS", "HIER_NONE", "", "text/html", 502, false, false},
	{"1700000000.123      1 10.0.0.1 NONE_NONE/500 0 CONNECT a.example:443 CORP\\\\Jane Q. Public HIER_NONE/- -", 1700000000123, 1, "10.0.0.1", "CONNECT", "a.example:443",
	    "CORP\\Jane Q. Public", "NONE_NONE", "HIER_NONE", "", "", 500, false, false},
	{"1700000000.123      1 10.0.0.1 TCP_MISS/200 1 GET http://a.example/ a\\b\\ TIMEOUT_CARP/p - [x: HIER_NONE/-]", 1700000000123, 1, "10.0.0.1", "GET", "http://a.example/",
	    "a\\b\\", "TCP_MISS", "TIMEOUT_CARP", "p", "", 200, false, false},
	{"1700000000 1 10.0.0.1 TCP_MISS/200 - GET http://[2001:db8::1]:8080/ - HIER_DIRECT/2001:db8::1 -", 1700000000000, 1, "10.0.0.1", "GET", "http://[2001:db8::1]:8080/", "",
	    "TCP_MISS", "HIER_DIRECT", "2001:db8::1", "", 200, false, false},
};

static const char *const not_rows[] = {
	"", " ", "-", "hello", "1700000000.123", "1700000000.123 1 10.0.0.1 TCP_MISS/200 1 GET http://a/ - HIER_DIRECT/1", "1700000000,123 1 10.0.0.1 TCP_MISS/200 1 GET http://a/ - HIER_NONE/- -",
	"1700000000.12 1 10.0.0.1 TCP_MISS/200 1 GET http://a/ - HIER_NONE/- -", "x 1 10.0.0.1 TCP_MISS/200 1 GET http://a/ - HIER_NONE/- -",
	"999999999999.123 1 10.0.0.1 TCP_MISS/200 1 GET http://a/ - HIER_NONE/- -", "1700000000.123 x 10.0.0.1 TCP_MISS/200 1 GET http://a/ - HIER_NONE/- -",
	"1700000000.123 1 10.0.0.1 TCP_MISS 1 GET http://a/ - HIER_NONE/- -", "1700000000.123 1 10.0.0.1 TCP_MISS/2000 1 GET http://a/ - HIER_NONE/- -",
	"1700000000.123 1 10.0.0.1 /200 1 GET http://a/ - HIER_NONE/- -", "1700000000.123 1 10.0.0.1 TCP_MISS/200 1 GET http://a/ - HIER_NONE -",
	"1700000000.123 1 10.0.0.1 TCP_MISS/200 1 GET http://a/ a b", "1700000000.123 1 10.0.0.1 TCP_MISS/200 1 GET http://a/ a b HIER_NONE/-",
	"1700000000.123 1 10.0.0.1 TCP_MISS/200 1 GET http://a/ 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 HIER_NONE/- -",
	"10.0.0.1 - - [10/Oct/2026:13:55:36 +0000] \"GET http://a/ HTTP/1.1\" 200 2326 \"-\" \"curl\" TCP_MISS:HIER_DIRECT", "#Version: 1.0",
	"{", "{}", "{\"ts\":1}", "[]", "{\"ts\":\"2026-01-31T23:59:59.999Z\"}", "{\"ts\":\"2026-01-31T23:59:59.999Z\",\"duration_ms\":1}",
	"{\"ts\":\"2026-01-31T23:59:59.999Z\",\"duration_ms\":1,\"result\":\"TCP_MISS\"", "{\"ts\":\"2026-01-31T23:59:59.999Z\",\"duration_ms\":1,\"result\":\"TCP_MISS\"}x",
	"{\"ts\":\"2026-01-31T23:59:59.999Z\",\"duration_ms\":-1,\"result\":\"TCP_MISS\"}", "{\"ts\":\"2026-01-31T23:59:59.999Z\",\"duration_ms\":1.5,\"result\":\"TCP_MISS\"}",
	"{\"ts\":\"2026-13-31T23:59:59.999Z\",\"duration_ms\":1,\"result\":\"TCP_MISS\"}", "{\"ts\":\"2026-01-31 23:59:59.999Z\",\"duration_ms\":1,\"result\":\"TCP_MISS\"}",
	"{\"ts\":\"2026-01-31T23:59:59.999Z\",\"duration_ms\":1,\"result\":\"TCP_MISS\",\"user\":5}", "{\"ts\":\"2026-01-31T23:59:59.999Z\",\"duration_ms\":1,\"result\":\"TCP_MISS\",}",
	"{\"ts\":\"2026-01-31T23:59:59.999Z\",\"duration_ms\":1,\"result\":\"TCP_MISS\",\"user\":\"a\\x\"}", "{\"ts\":\"2026-01-31T23:59:59.999Z\",\"duration_ms\":1,\"result\":\"TCP_MISS\",\"user\":\"\\u12\"}",
	"{\"ts\":\"2026-01-31T23:59:59.999Z\",\"duration_ms\":1,\"result\":\"TCP_MISS\",\"user\":\"a\tb\"}", "{\"ts\":\"2026-01-31T23:59:59.999Z\",\"duration_ms\":1,\"result\":\"TCP_MISS\",\"groups\":[1]}",
	"{\"ts\":\"2026-01-31T23:59:59.999Z\",\"duration_ms\":1,\"result\":\"TCP_MISS\",\"x\":[1,]}", "{\"ts\":\"2026-01-31T23:59:59.999Z\",\"duration_ms\":1,\"result\":\"TCP_MISS\",\"x\":{\"a\"}}",
	"{\"ts\":\"2026-01-31T23:59:59.999Z\",\"duration_ms\":1,\"result\":\"TCP_MISS\",\"x\":{\"a\":1]}", "{\"ts\":\"2026-01-31T23:59:59.999Z\",\"duration_ms\":1,\"result\":\"TCP_MISS\",\"status\":1000}",
	"{\"ts\":\"2026-01-31T23:59:59.999Z\",\"event\":\"dropped\",\"lines\":17}",
};

static bool
parse(struct span line, struct log_entry *e, const char **why)
{
	static char scratch[LOG_LINE_MAX];

	return log_entry_parse(line, e, scratch, why);
}

static void
span_is(struct span s, const char *text)
{
	assert_true(span_eq(s, span_str(text)));
}

static void
row_check(const struct row *row, const struct log_entry *e)
{
	char text[ADDR_TEXT_MAX] = "";

	assert_int_equal(e->end_us, row->end_ms * 1000);
	assert_int_equal(e->elapsed_us, row->elapsed_ms * 1000);
	if (e->has_client)
		addr_print(&e->client, text);
	assert_string_equal(text, row->client);
	span_is(e->method, row->method);
	span_is(e->url, row->url);
	span_is(e->user, row->user);
	span_is(e->result, row->result);
	span_is(e->hierarchy, row->hierarchy);
	span_is(e->peer, row->peer);
	span_is(e->content_type, row->type);
	assert_int_equal(e->status, row->status);
	assert_int_equal(e->query_is_cut, row->cut);
	assert_int_equal(e->is_inner, row->inner);
	assert_int_equal(e->is_first_leg, row->status == 407);
	assert_int_equal(e->n_groups, 0);
}

static void
test_squid_lines(void **state)
{
	struct log_entry e;
	const char      *why;

	(void)state;
	for (size_t i = 0; i < ROWS(squid_rows); i++) {
		struct span b = block_of(squid_rows[i].line, strlen(squid_rows[i].line));
		assert_true(parse(b, &e, &why));
		assert_int_equal(e.kind, LOG_KIND_SQUID);
		row_check(&squid_rows[i], &e);
		block_free(b);
	}
}

static void
test_what_is_no_line_is_said_to_be_none(void **state)
{
	struct log_entry e;
	const char      *why;

	(void)state;
	for (size_t i = 0; i < ROWS(not_rows); i++) {
		struct span b = block_of(not_rows[i], strlen(not_rows[i]));
		why = NULL;
		if (parse(b, &e, &why))
			print_error("%s\n", not_rows[i]);
		assert_false(parse(b, &e, &why));
		assert_non_null(why);
		block_free(b);
	}
}

static const char json[] =
    "{\"ts\":\"2024-02-29T23:59:59.999Z\",\"duration_ms\":1234,\"id\":\"0123456789abcdef\",\"client\":\"10.1.2.3\",\"client_port\":51234,\"listener\":\"main\",\"worker\":1,"
    "\"session\":\"00000000000000aa\",\"method\":\"CONNECT\",\"scheme\":\"https\",\"host\":\"a.example\",\"port\":443,\"url\":\"a.example:443\",\"action\":\"tunnel\","
    "\"rule\":\"r\\u00fcle \\ud83d\\ude00\\ud83d\",\"list_entry\":\"a \\\"b\\\\.list:12\",\"reported\":null,\"guard\":\"passed\",\"sni\":\"sni.example\",\"ech\":false,\"alpn\":\"h2\",\"tls_client\":null,"
    "\"user\":\"CORP\\\\alice\",\"groups\":[\"CORP\\\\Domain Users\" , \"S-1-5-21\"],\"auth_scheme\":\"Basic\",\"status\":200,\"result\":\"TCP_TUNNEL_ABORTED\","
    "\"fault\":\"client-reset\",\"address\":\"192.0.2.1\",\"parent\":\"up\",\"bytes_in\":1,\"user_agent\":\"curl/8\",\"content_type\":null,"
    "\"later\":{\"a\":[1,{\"b\":[]},-1.5e3,\"\\n\"],\"c\":{},\"d\":true}}";

static void
test_json_line(void **state)
{
	struct log_entry e;
	const char      *why;
	struct span      b = block_of(json, sizeof json - 1);

	(void)state;
	assert_true(parse(b, &e, &why));
	assert_int_equal(e.kind, LOG_KIND_JSON);
	assert_int_equal(e.end_us, 1709251199999000);
	assert_int_equal(e.elapsed_us, 1234000);
	assert_true(e.has_client);
	span_is(e.method, "CONNECT");
	span_is(e.url, "a.example:443");
	span_is(e.action, "tunnel");
	span_is(e.rule, "r\xc3\xbcle \xf0\x9f\x98\x80\xef\xbf\xbd");
	span_is(e.list_entry, "a \"b\\.list:12");
	span_is(e.user, "CORP\\alice");
	assert_int_equal(e.n_groups, 2);
	span_is(e.group[0], "CORP\\Domain Users");
	span_is(e.group[1], "S-1-5-21");
	assert_int_equal(e.status, 200);
	span_is(e.result, "TCP_TUNNEL_ABORTED");
	span_is(e.fault, "client-reset");
	span_is(e.address, "192.0.2.1");
	span_is(e.parent, "up");
	span_is(e.sni, "sni.example");
	span_is(e.id, "0123456789abcdef");
	span_is(e.session, "00000000000000aa");
	span_is(e.listener, "main");
	span_is(e.alpn, "h2");
	span_is(e.user_agent, "curl/8");
	span_is(e.content_type, "");
	block_free(b);
}

static void
test_every_prefix(void **state)
{
	struct log_entry e;
	const char      *why;

	(void)state;
	for (size_t n = 0; n < sizeof json - 1; n++) {
		struct span b = block_of(json, n);
		assert_false(parse(b, &e, &why));
		block_free(b);
	}
	for (size_t i = 0; i < ROWS(squid_rows); i++)
		for (size_t n = 0; n < strlen(squid_rows[i].line); n++) {
			struct span b = block_of(squid_rows[i].line, n);
			parse(b, &e, &why);
			block_free(b);
		}
}

/* Nested values are skipped up to a depth, and never by the stack; groups beyond the most are not kept. */
static void
test_bounds(void **state)
{
	static char      line[LOG_LINE_MAX + 2];
	struct log_entry e;
	const char      *why;
	int              n;

	(void)state;
	for (int deep = 30; deep <= 100000; deep = deep < 34 ? deep + 1 : deep * 3) {
		n = snprintf(line, sizeof line, "{\"ts\":\"2026-01-31T23:59:59.999Z\",\"duration_ms\":1,\"result\":\"TCP_MISS\",\"x\":");
		memset(line + n, '[', (size_t)deep);
		memset(line + n + deep, ']', (size_t)deep);
		line[n + 2 * deep] = '}';
		if (n + 2 * deep + 1 < LOG_LINE_MAX)
			assert_int_equal(parse(span_of(line, (size_t)(n + 2 * deep) + 1), &e, &why), deep <= 32);
	}
	n = snprintf(line, sizeof line, "{\"ts\":\"2026-01-31T23:59:59.999Z\",\"duration_ms\":1,\"result\":\"TCP_MISS\",\"groups\":[\"a\"");
	for (int i = 0; i < 1000; i++)
		n += snprintf(line + n, sizeof line - (size_t)n, ",\"b\"");
	n += snprintf(line + n, sizeof line - (size_t)n, "]}");
	assert_true(parse(span_of(line, (size_t)n), &e, &why));
	assert_int_equal(e.n_groups, LOG_GROUPS_MAX);
	memset(line, ' ', sizeof line);
	assert_false(parse(span_of(line, sizeof line), &e, &why));
	assert_string_equal(why, "the line is too long");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_squid_lines), cmocka_unit_test(test_what_is_no_line_is_said_to_be_none), cmocka_unit_test(test_json_line),
		cmocka_unit_test(test_every_prefix), cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
