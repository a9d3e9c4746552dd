/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "parse/head.h"
#include "block.h"
#include "cost.h"

typedef enum parse_result parse_fn(struct span, size_t, struct head *, size_t *, enum fault *);

struct answer {
	enum parse_result result;
	enum fault        fault;
	size_t            used;
};

static struct answer
parse_block(parse_fn *parse, struct span text, size_t seen, struct head *h)
{
	struct answer a = {.fault = FAULT_NONE};
	struct span   b = block_of(text.p, text.n);
	struct head   before;

	memset(h, 0xa5, sizeof *h);
	before = *h;
	a.result = parse(b, seen, h, &a.used, &a.fault);
	if (a.result != PARSE_OK)
		assert_memory_equal(h, &before, sizeof before);
	block_free(b);
	return a;
}

/* The answer for all of `text`, after checking that all its prefixes, whole or in pieces, agree with it. */
static struct answer
parse_every_way(parse_fn *parse, struct span text)
{
	struct head   h;
	struct answer all = parse_block(parse, text, 0, &h);
	size_t        end = all.result == PARSE_OK ? all.used : text.n;

	for (size_t n = 0; n < text.n; n++) {
		struct answer a = parse_block(parse, span_of(text.p, n), 0, &h);
		if (n >= end) {
			assert_int_equal(a.result, all.result);
		} else if (a.result == PARSE_BAD) {
			assert_int_equal(all.result, PARSE_BAD);
			assert_int_equal(a.fault, all.fault);
		} else {
			assert_int_equal(a.result, PARSE_MORE);
		}
	}
	for (size_t step = 1; step <= 7; step += 3) {
		struct answer a = {.result = PARSE_MORE};
		size_t        seen = 0, n = 0;
		while (n < end && a.result == PARSE_MORE) {
			n = n + step < end ? n + step : end;
			a = parse_block(parse, span_of(text.p, n), seen, &h);
			seen = n;
		}
		assert_int_equal(a.result, all.result);
		if (a.result == PARSE_BAD)
			assert_int_equal(a.fault, all.fault);
		if (a.result == PARSE_OK)
			assert_int_equal(a.used, all.used);
	}
	return all;
}

#define HOST "Host: a.example\r\n"

static void
test_requests_that_could_be_read_in_two_ways_are_refused(void **state)
{
	static const struct {
		struct span text;
		enum fault  fault;
	} rows[] = {
		/* request line */
		{TEXT("GET  / HTTP/1.1\r\n" HOST "\r\n"), FAULT_BAD_REQUEST_LINE},
		{TEXT("GET /  HTTP/1.1\r\n" HOST "\r\n"), FAULT_BAD_REQUEST_LINE},
		{TEXT("GET /a b HTTP/1.1\r\n" HOST "\r\n"), FAULT_BAD_REQUEST_LINE},
		{TEXT("GET\t/ HTTP/1.1\r\n" HOST "\r\n"), FAULT_BAD_REQUEST_LINE},
		{TEXT("GET /\tHTTP/1.1\r\n" HOST "\r\n"), FAULT_BAD_REQUEST_LINE},
		{TEXT(" GET / HTTP/1.1\r\n" HOST "\r\n"), FAULT_BAD_REQUEST_LINE},
		{TEXT("GET / HTTP/1.1 \r\n" HOST "\r\n"), FAULT_BAD_REQUEST_LINE},
		{TEXT("GET / HTTP/1.1\n" HOST "\r\n"), FAULT_BAD_REQUEST_LINE},
		{TEXT("GET / HTTP/1.1\rX\r\n" HOST "\r\n"), FAULT_BAD_REQUEST_LINE},
		{TEXT("GET / HTTP/1.1\r\r\n" HOST "\r\n"), FAULT_BAD_REQUEST_LINE},
		{TEXT("GET /\0 HTTP/1.1\r\n" HOST "\r\n"), FAULT_BAD_REQUEST_LINE},
		{TEXT("GET /\x7f HTTP/1.1\r\n" HOST "\r\n"), FAULT_BAD_REQUEST_LINE},
		{TEXT("GET /\xc3\xa4 HTTP/1.1\r\n" HOST "\r\n"), FAULT_BAD_TARGET},
		{TEXT("G(T / HTTP/1.1\r\n" HOST "\r\n"), FAULT_BAD_REQUEST_LINE},
		{TEXT("GET: / HTTP/1.1\r\n" HOST "\r\n"), FAULT_BAD_REQUEST_LINE},
		{TEXT("\x16\x03\x01\x02"), FAULT_BAD_REQUEST_LINE},
		{TEXT("\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n"), FAULT_BAD_REQUEST_LINE},
		{TEXT("\nGET / HTTP/1.1\r\n" HOST "\r\n"), FAULT_BAD_REQUEST_LINE},
		{TEXT("\rGET / HTTP/1.1\r\n" HOST "\r\n"), FAULT_BAD_REQUEST_LINE},
		/* version */
		{TEXT("GET /\r\n"), FAULT_BAD_REQUEST_LINE},
		{TEXT("GET / \r\n" HOST "\r\n"), FAULT_BAD_REQUEST_LINE},
		{TEXT("GET / HTTP\r\n" HOST "\r\n"), FAULT_BAD_REQUEST_LINE},
		{TEXT("GET / HTTP/1\r\n" HOST "\r\n"), FAULT_BAD_REQUEST_LINE},
		{TEXT("GET / HTTP/1.\r\n" HOST "\r\n"), FAULT_BAD_REQUEST_LINE},
		{TEXT("GET / HTTP/1.10\r\n" HOST "\r\n"), FAULT_BAD_REQUEST_LINE},
		{TEXT("GET / HTTP/11.1\r\n" HOST "\r\n"), FAULT_BAD_REQUEST_LINE},
		{TEXT("GET / HTTP/1,1\r\n" HOST "\r\n"), FAULT_BAD_REQUEST_LINE},
		{TEXT("GET / HTTP/x.1\r\n" HOST "\r\n"), FAULT_BAD_REQUEST_LINE},
		{TEXT("GET / HTTP/1.x\r\n" HOST "\r\n"), FAULT_BAD_REQUEST_LINE},
		{TEXT("GET / http/1.1\r\n" HOST "\r\n"), FAULT_BAD_REQUEST_LINE},
		{TEXT("GET / HTTP/2.0\r\n" HOST "\r\n"), FAULT_BAD_VERSION},
		{TEXT("GET / HTTP/0.9\r\n" HOST "\r\n"), FAULT_BAD_VERSION},
		{TEXT("GET / HTTP/2.00\r\n" HOST "\r\n"), FAULT_BAD_REQUEST_LINE},
		{TEXT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), FAULT_BAD_VERSION},
		/* fields */
		{TEXT("GET / HTTP/1.1\r\n Host: a.example\r\n\r\n"), FAULT_BAD_FIELD},
		{TEXT("GET / HTTP/1.1\r\n" HOST "X: a\r\n b\r\n\r\n"), FAULT_BAD_FIELD},
		{TEXT("GET / HTTP/1.1\r\n" HOST "X: a\r\n\tb\r\n\r\n"), FAULT_BAD_FIELD},
		{TEXT("GET / HTTP/1.1\r\n" HOST "X : a\r\n\r\n"), FAULT_BAD_FIELD},
		{TEXT("GET / HTTP/1.1\r\n" HOST "X\t: a\r\n\r\n"), FAULT_BAD_FIELD},
		{TEXT("GET / HTTP/1.1\r\n" HOST ": a\r\n\r\n"), FAULT_BAD_FIELD},
		{TEXT("GET / HTTP/1.1\r\n" HOST "X\r\n\r\n"), FAULT_BAD_FIELD},
		{TEXT("GET / HTTP/1.1\r\n" HOST "X(: a\r\n\r\n"), FAULT_BAD_FIELD},
		{TEXT("GET / HTTP/1.1\r\n" HOST "X\xe4: a\r\n\r\n"), FAULT_BAD_FIELD},
		{TEXT("GET / HTTP/1.1\r\n" HOST "X: a\rb\r\n\r\n"), FAULT_BAD_FIELD},
		{TEXT("GET / HTTP/1.1\r\n" HOST "X: a\nY: b\r\n\r\n"), FAULT_BAD_FIELD},
		{TEXT("GET / HTTP/1.1\r\n" HOST "X: a\r\n\n"), FAULT_BAD_FIELD},
		{TEXT("GET / HTTP/1.1\r\n" HOST "X: a\n\n"), FAULT_BAD_FIELD},
		{TEXT("GET / HTTP/1.1\r\n" HOST "\rX: a\r\n\r\n"), FAULT_BAD_FIELD},
		{TEXT("GET / HTTP/1.1\r\n" HOST "X: a\0b\r\n\r\n"), FAULT_BAD_FIELD},
		{TEXT("GET / HTTP/1.1\r\n" HOST "X\0: a\r\n\r\n"), FAULT_BAD_FIELD},
		{TEXT("GET / HTTP/1.1\r\n" HOST "X: a\x01\r\n\r\n"), FAULT_BAD_FIELD},
		{TEXT("GET / HTTP/1.1\r\n" HOST "X: a\x7f\r\n\r\n"), FAULT_BAD_FIELD},
		{TEXT("GET / HTTP/1.1\r\n" HOST "X: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\x1fzz\r\n\r\n"), FAULT_BAD_FIELD},
		{TEXT("GET / HTTP/1.1\r\n" HOST "Connection: a b\r\n\r\n"), FAULT_BAD_FIELD},
		{TEXT("GET / HTTP/1.1\r\n" HOST "Connection: \"close\"\r\n\r\n"), FAULT_BAD_FIELD},
		{TEXT("GET / HTTP/1.1\r\n" HOST "Connection: a,b,c,d,e,f,g,h,i\r\nConnection: j,k,l,m,n,o,p,q\r\n\r\n"), FAULT_BAD_FIELD},
		/* Host */
		{TEXT("GET / HTTP/1.1\r\n\r\n"), FAULT_BAD_HOST},
		{TEXT("GET / HTTP/1.1\r\nHost:\r\n\r\n"), FAULT_BAD_HOST},
		{TEXT("GET / HTTP/1.1\r\n" HOST HOST "\r\n"), FAULT_BAD_HOST},
		{TEXT("GET / HTTP/1.0\r\n" HOST HOST "\r\n"), FAULT_BAD_HOST},
		{TEXT("GET / HTTP/1.1\r\n" HOST "hOST: b.example\r\n\r\n"), FAULT_BAD_HOST},
		{TEXT("GET / HTTP/1.1\r\nHost: a.example, b.example\r\n\r\n"), FAULT_BAD_HOST},
		{TEXT("GET / HTTP/1.1\r\nHost: u@a.example\r\n\r\n"), FAULT_BAD_HOST},
		{TEXT("GET / HTTP/1.1\r\nHost: a.example:99999\r\n\r\n"), FAULT_BAD_HOST},
		{TEXT("GET / HTTP/1.1\r\nHost: http://a.example\r\n\r\n"), FAULT_BAD_HOST},
		{TEXT("GET / HTTP/1.0\r\nHost: a/b\r\n\r\n"), FAULT_BAD_HOST},
		/* body */
		{TEXT("POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"), FAULT_BAD_FRAMING},
		{TEXT("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n"), FAULT_BAD_FRAMING},
		{TEXT("POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\nContent-Length: 4\r\n\r\n"), FAULT_BAD_FRAMING},
		{TEXT("POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\ncontent-length: 3\r\n\r\n"), FAULT_BAD_FRAMING},
		{TEXT("POST / HTTP/1.1\r\n" HOST "Content-Length: 3, 3\r\n\r\n"), FAULT_BAD_FRAMING},
		{TEXT("POST / HTTP/1.1\r\n" HOST "Content-Length:\r\n\r\n"), FAULT_BAD_FRAMING},
		{TEXT("POST / HTTP/1.1\r\n" HOST "Content-Length: +3\r\n\r\n"), FAULT_BAD_FRAMING},
		{TEXT("POST / HTTP/1.1\r\n" HOST "Content-Length: -3\r\n\r\n"), FAULT_BAD_FRAMING},
		{TEXT("POST / HTTP/1.1\r\n" HOST "Content-Length: 0x3\r\n\r\n"), FAULT_BAD_FRAMING},
		{TEXT("POST / HTTP/1.1\r\n" HOST "Content-Length: 3 3\r\n\r\n"), FAULT_BAD_FRAMING},
		{TEXT("POST / HTTP/1.1\r\n" HOST "Content-Length: 9223372036854775808\r\n\r\n"), FAULT_BAD_FRAMING},
		{TEXT("POST / HTTP/1.1\r\n" HOST "Content-Length: 18446744073709551617\r\n\r\n"), FAULT_BAD_FRAMING},
		{TEXT("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n"), FAULT_NOT_IMPLEMENTED},
		{TEXT("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: a;b=\"c\", chunked\r\n\r\n"), FAULT_NOT_IMPLEMENTED},
		{TEXT("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"), FAULT_NOT_IMPLEMENTED},
		{TEXT("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip\r\n\r\n"), FAULT_BAD_FRAMING},
		{TEXT("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked, gzip\r\n\r\n"), FAULT_BAD_FRAMING},
		{TEXT("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked, chunked\r\n\r\n"), FAULT_BAD_FRAMING},
		{TEXT("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"), FAULT_BAD_FRAMING},
		{TEXT("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n"), FAULT_BAD_FRAMING},
		{TEXT("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked;a=b\r\n\r\n"), FAULT_BAD_FRAMING},
		{TEXT("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked ;a, chunked\r\n\r\n"), FAULT_BAD_FRAMING},
		{TEXT("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: ,chunked\r\n\r\n"), FAULT_BAD_FRAMING},
		{TEXT("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked,\r\n\r\n"), FAULT_BAD_FRAMING},
		{TEXT("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: \"chunked\"\r\n\r\n"), FAULT_BAD_FRAMING},
		{TEXT("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: a\"b\", chunked\r\n\r\n"), FAULT_BAD_FRAMING},
		{TEXT("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\xff\r\n\r\n"), FAULT_BAD_FRAMING},
		{TEXT("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: xchunked\r\n\r\n"), FAULT_BAD_FRAMING},
		{TEXT("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding:\r\n\r\n"), FAULT_BAD_FRAMING},
		{TEXT("POST / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"), FAULT_BAD_FRAMING},
		{TEXT("CONNECT a.example:443 HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc"), FAULT_BAD_FRAMING},
		{TEXT("CONNECT a.example:443 HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"), FAULT_BAD_FRAMING},
	};
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct answer a = parse_every_way(head_parse_request, rows[i].text);
		if (a.result != PARSE_BAD || a.fault != rows[i].fault)
			print_message("row %zu: %.*s\n", i, SPAN_ARG(rows[i].text));
		assert_int_equal(a.result, PARSE_BAD);
		assert_int_equal(a.fault, rows[i].fault);
	}
}

static void
test_good_requests_are_read_to_the_byte(void **state)
{
	static const struct {
		struct span    text; /* all of it is the head */
		const char    *method, *target;
		enum method_id method_id;
		unsigned       minor, n_fields;
		enum body_kind body;
		uint64_t       length;
		bool           keep_alive;
	} rows[] = {
		{TEXT("GET / HTTP/1.1\r\n" HOST "\r\n"), "GET", "/", METHOD_GET, 1, 1, BODY_NONE, 0, true},
		{TEXT("\r\nGET / HTTP/1.1\r\n" HOST "\r\n"), "GET", "/", METHOD_GET, 1, 1, BODY_NONE, 0, true},
		{TEXT("GET / HTTP/1.0\r\n\r\n"), "GET", "/", METHOD_GET, 0, 0, BODY_NONE, 0, false},
		{TEXT("GET / HTTP/1.9\r\n" HOST "\r\n"), "GET", "/", METHOD_GET, 1, 1, BODY_NONE, 0, true},
		{TEXT("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"), "GET", "/", METHOD_GET, 0, 1, BODY_NONE, 0, true},
		{TEXT("GET / HTTP/1.0\r\nProxy-Connection: x, Keep-Alive\r\n\r\n"), "GET", "/", METHOD_GET, 0, 1, BODY_NONE, 0, true},
		{TEXT("GET / HTTP/1.0\r\nConnection: close, keep-alive\r\n\r\n"), "GET", "/", METHOD_GET, 0, 1, BODY_NONE, 0, false},
		{TEXT("GET / HTTP/1.1\r\n" HOST "Connection: foo,, CLOSE ,\r\n\r\n"), "GET", "/", METHOD_GET, 1, 2, BODY_NONE, 0, false},
		{TEXT("GET / HTTP/1.1\r\n" HOST "Connection: a,b,c,d,e,f,g,h\r\nConnection: i,j,k,l,m,n,o,p,\r\n\r\n"), "GET", "/", METHOD_GET, 1, 3, BODY_NONE, 0, true},
		{TEXT("GET / HTTP/1.1\r\n" HOST "Proxy-Connection: close\r\n\r\n"), "GET", "/", METHOD_GET, 1, 2, BODY_NONE, 0, false},
		{TEXT("HEAD http://a.example/ HTTP/1.1\r\n" HOST "\r\n"), "HEAD", "http://a.example/", METHOD_HEAD, 1, 1, BODY_NONE, 0, true},
		{TEXT("CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\nContent-Length: 0\r\n\r\n"), "CONNECT", "a.example:443", METHOD_CONNECT, 1, 2, BODY_LENGTH, 0, true},
		{TEXT("OPTIONS * HTTP/1.1\r\n" HOST "\r\n"), "OPTIONS", "*", METHOD_OPTIONS, 1, 1, BODY_NONE, 0, true},
		{TEXT("POST / HTTP/1.1\r\n" HOST "Content-Length:\t 007 \t\r\n\r\n"), "POST", "/", METHOD_POST, 1, 2, BODY_LENGTH, 7, true},
		{TEXT("PUT / HTTP/1.1\r\n" HOST "Content-Length: 9223372036854775807\r\n\r\n"), "PUT", "/", METHOD_PUT, 1, 2, BODY_LENGTH, INT64_MAX, true},
		{TEXT("PATCH / HTTP/1.1\r\n" HOST "tRANSFER-eNCODING: Chunked\r\n\r\n"), "PATCH", "/", METHOD_PATCH, 1, 2, BODY_CHUNKED, 0, true},
		{TEXT("DELETE / HTTP/1.1\r\n" HOST "X:\r\n\r\n"), "DELETE", "/", METHOD_DELETE, 1, 2, BODY_NONE, 0, true},
		{TEXT("TRACE / HTTP/1.1\r\n" HOST "X: \t \r\nY: a\tb \xff\xfe\"\r\n\r\n"), "TRACE", "/", METHOD_TRACE, 1, 3, BODY_NONE, 0, true},
		{TEXT("get / HTTP/1.1\r\n" HOST "\r\n"), "get", "/", METHOD_OTHER, 1, 1, BODY_NONE, 0, true},
		{TEXT("M!#$%&'*+-.^_`|~1 / HTTP/1.1\r\n" HOST "\r\n"), "M!#$%&'*+-.^_`|~1", "/", METHOD_OTHER, 1, 1, BODY_NONE, 0, true},
		{TEXT("GET /\"<>\\^`{|} HTTP/1.1\r\n" HOST "\r\n"), "GET", "/\"<>\\^`{|}", METHOD_GET, 1, 1, BODY_NONE, 0, true},
	};
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct head   h;
		size_t        used;
		enum fault    fault;
		struct answer a = parse_every_way(head_parse_request, rows[i].text);

		if (a.result != PARSE_OK)
			print_message("row %zu: fault %d: %.*s\n", i, a.fault, SPAN_ARG(rows[i].text));
		assert_int_equal(a.result, PARSE_OK);
		assert_int_equal(a.used, rows[i].text.n);
		assert_int_equal(head_parse_request(rows[i].text, 0, &h, &used, &fault), PARSE_OK);
		assert_true(span_eq(h.method, span_str(rows[i].method)));
		assert_true(span_eq(h.target, span_str(rows[i].target)));
		assert_int_equal(h.method_id, rows[i].method_id);
		assert_int_equal(h.minor, rows[i].minor);
		assert_int_equal(h.n_fields, rows[i].n_fields);
		assert_int_equal(h.body, rows[i].body);
		assert_int_equal(h.length, rows[i].length);
		assert_int_equal(h.keep_alive, rows[i].keep_alive);
		assert_int_equal(h.line.p + h.line.n + 2 - h.fields.p, 0);
		assert_int_equal(h.fields.p + h.fields.n + 2 - rows[i].text.p, used);
	}
}

static void
test_bytes_behind_the_head_are_left_alone(void **state)
{
	static const struct span text = TEXT("CONNECT a.example:443 HTTP/1.1\r\n" HOST "\r\n\x16\x03\x01\n\r\n\r\n");
	struct answer            a = parse_every_way(head_parse_request, text);

	(void)state;
	assert_int_equal(a.result, PARSE_OK);
	assert_int_equal(a.used, text.n - 8);
}

static void
test_what_the_fields_say_is_noted(void **state)
{
	static const struct span text = TEXT("GET / HTTP/1.1\r\n" HOST
	                                     "User-Agent:  curl/8 \r\nUser-Agent: second\r\nContent-Type:\r\nContent-Type: a/b\r\nUpgrade: websocket\r\n"
	                                     "Connection: Upgrade, x-a\r\nMax-Forwards: 3\r\nProxy-Authorization: Basic Og==\r\n"
	                                     "Proxy-Authorization: Basic Og=\r\nTE: gzip;q=0.5, Trailers\r\nExpect: 100-Continue\r\nX-Other: y\r\n\r\n");
	struct head h;
	size_t      used;
	enum fault  fault;

	(void)state;
	assert_int_equal(head_parse_request(text, 0, &h, &used, &fault), PARSE_OK);
	assert_true(span_eq(h.host, SPAN("a.example")));
	assert_true(span_eq(h.user_agent, SPAN("curl/8")));
	assert_true(span_eq(h.content_type, SPAN("a/b")));
	assert_true(span_eq(h.upgrade_to, SPAN("websocket")));
	assert_true(span_eq(h.max_forwards, SPAN("3")));
	assert_true(span_eq(h.proxy_authorization, SPAN("Basic Og==")));
	assert_int_equal(h.n_proxy_authorization, 2);
	assert_true(h.upgrade && h.te_trailers && h.expect_continue && !h.expect_other);
	assert_int_equal(h.n_connection_tokens, 2);
	assert_true(span_eq(h.connection_token[1], SPAN("x-a")));
	assert_int_equal(h.seen, 1u << FIELD_HOST | 1u << FIELD_USER_AGENT | 1u << FIELD_CONTENT_TYPE | 1u << FIELD_UPGRADE |
	                                 1u << FIELD_CONNECTION | 1u << FIELD_MAX_FORWARDS | 1u << FIELD_PROXY_AUTHORIZATION | 1u << FIELD_TE |
	                                 1u << FIELD_EXPECT | 1u << FIELD_OTHER);
}

static void
test_upgrade_and_expect_need_http_1_1(void **state)
{
	static const struct {
		struct span text;
		bool        upgrade, expect_continue, expect_other;
	} rows[] = {
		{TEXT("GET / HTTP/1.1\r\n" HOST "Connection: upgrade\r\nUpgrade: a\r\nExpect: 100-continue\r\n\r\n"), true, true, false},
		{TEXT("GET / HTTP/1.0\r\n" HOST "Connection: upgrade\r\nUpgrade: a\r\nExpect: 100-continue\r\n\r\n"), false, false, false},
		{TEXT("GET / HTTP/1.1\r\n" HOST "Upgrade: a\r\nExpect: 100-continue, x=\"a,b\"\r\n\r\n"), false, true, true},
		{TEXT("GET / HTTP/1.1\r\n" HOST "Connection: upgrade\r\nExpect: 200-ok\r\n\r\n"), false, false, true},
	};
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct head h;
		size_t      used;
		enum fault  fault;
		assert_int_equal(head_parse_request(rows[i].text, 0, &h, &used, &fault), PARSE_OK);
		assert_int_equal(h.upgrade, rows[i].upgrade);
		assert_int_equal(h.expect_continue, rows[i].expect_continue);
		assert_int_equal(h.expect_other, rows[i].expect_other);
	}
}

static void
test_responses_that_could_be_read_in_two_ways_are_refused(void **state)
{
	static const struct span rows[] = {
		TEXT("HTTP/2.0 200 OK\r\n\r\n"), TEXT("HTTP/1,1 200 OK\r\n\r\n"), TEXT("http/1.1 200 OK\r\n\r\n"), TEXT("HTTP/1.x 200 OK\r\n\r\n"),
		TEXT("HTTP/1.1  200 OK\r\n\r\n"), TEXT("HTTP/1.1\t200 OK\r\n\r\n"), TEXT("HTTP/1.1 20\r\n\r\n"), TEXT("HTTP/1.1 2000 OK\r\n\r\n"),
		TEXT("HTTP/1.1 099 OK\r\n\r\n"), TEXT("HTTP/1.1 2x0 OK\r\n\r\n"), TEXT("HTTP/1.1 20x OK\r\n\r\n"), TEXT("HTTP/1.1 200\tOK\r\n\r\n"),
		TEXT("HTTP/1.1 200 O\0K\r\n\r\n"), TEXT("HTTP/1.1 200 OK\n\r\n"), TEXT("HTTP/1.1 200 O\rK\r\n\r\n"), TEXT("HTTP/1.1 200 \x7f\r\n\r\n"),
		TEXT("\r\nHTTP/1.1 200 OK\r\n\r\n"), TEXT("ICY 200 OK\r\n\r\n"), TEXT("HTTP/1.1\r\n\r\n"), TEXT("HTTP/1.1 \r\n"),
		TEXT("HTTP/1.1 200 OK\r\n X: a\r\n\r\n"), TEXT("HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n"), TEXT("HTTP/1.1 200 OK\r\nX : a\r\n\r\n"),
		TEXT("HTTP/1.1 200 OK\r\nX: a\nY: b\r\n\r\n"), TEXT("HTTP/1.1 200 OK\r\nX: a\r\n\n"), TEXT("HTTP/1.1 200 OK\r\n: a\r\n\r\n"),
		TEXT("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"),
		TEXT("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"),
		TEXT("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n"),
		TEXT("HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\n"), TEXT("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"),
		TEXT("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n"), TEXT("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"),
		TEXT("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
	};
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct answer a = parse_every_way(head_parse_response, rows[i]);
		if (a.result != PARSE_BAD)
			print_message("row %zu: %.*s\n", i, SPAN_ARG(rows[i]));
		assert_int_equal(a.result, PARSE_BAD);
		assert_int_equal(a.fault, FAULT_BAD_RESPONSE);
	}
}

static void
test_good_responses_are_read_and_framed_by_their_request(void **state)
{
	static const struct {
		struct span    text;
		unsigned       status;
		const char    *reason;
		bool           keep_alive;
		enum body_kind get, head, connect; /* to a request with that method */
	} rows[] = {
		{TEXT("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"), 200, "OK", true, BODY_LENGTH, BODY_NONE, BODY_NONE},
		{TEXT("HTTP/1.1 200 \r\n\r\n"), 200, "", true, BODY_TO_CLOSE, BODY_NONE, BODY_NONE},
		{TEXT("HTTP/1.1 200\r\nHost: a b\r\n\r\n"), 200, "", true, BODY_TO_CLOSE, BODY_NONE, BODY_NONE},
		{TEXT("HTTP/1.0 404 Not \xe9 found\r\n\r\n"), 404, "Not \xe9 found", false, BODY_TO_CLOSE, BODY_NONE, BODY_TO_CLOSE},
		{TEXT("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n"), 200, "OK", true, BODY_LENGTH, BODY_NONE, BODY_NONE},
		{TEXT("HTTP/1.0 200 OK\r\nProxy-Connection: keep-alive\r\n\r\n"), 200, "OK", false, BODY_TO_CLOSE, BODY_NONE, BODY_NONE},
		{TEXT("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"), 200, "OK", false, BODY_CHUNKED, BODY_NONE, BODY_NONE},
		{TEXT("HTTP/1.1 100 Continue\r\n\r\n"), 100, "Continue", true, BODY_NONE, BODY_NONE, BODY_NONE},
		{TEXT("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n"), 204, "No Content", true, BODY_NONE, BODY_NONE, BODY_NONE},
		{TEXT("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"), 304, "Not Modified", true, BODY_NONE, BODY_NONE, BODY_NONE},
		{TEXT("HTTP/1.1 407 Auth\r\nContent-Length: 5\r\n\r\n"), 407, "Auth", true, BODY_LENGTH, BODY_NONE, BODY_LENGTH},
		{TEXT("HTTP/1.1 999 Odd\r\nContent-Length: 5\r\n\r\n"), 999, "Odd", true, BODY_LENGTH, BODY_NONE, BODY_LENGTH},
	};
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct head   h;
		size_t        used;
		enum fault    fault;
		struct answer a = parse_every_way(head_parse_response, rows[i].text);

		if (a.result != PARSE_OK)
			print_message("row %zu: %.*s\n", i, SPAN_ARG(rows[i].text));
		assert_int_equal(a.result, PARSE_OK);
		assert_int_equal(a.used, rows[i].text.n);
		assert_int_equal(head_parse_response(rows[i].text, 0, &h, &used, &fault), PARSE_OK);
		assert_int_equal(h.status, rows[i].status);
		assert_true(span_eq(h.reason, span_str(rows[i].reason)));
		assert_int_equal(h.keep_alive, rows[i].keep_alive);
		assert_int_equal(head_response_body(&h, METHOD_GET), rows[i].get);
		assert_int_equal(head_response_body(&h, METHOD_HEAD), rows[i].head);
		assert_int_equal(head_response_body(&h, METHOD_CONNECT), rows[i].connect);
	}
}

static void
test_every_known_name_is_known_in_any_case(void **state)
{
	static const struct {
		const char   *name;
		enum field_id id;
	} rows[] = {
		{"Host", FIELD_HOST}, {"Content-Length", FIELD_CONTENT_LENGTH}, {"Transfer-Encoding", FIELD_TRANSFER_ENCODING},
		{"Connection", FIELD_CONNECTION}, {"Proxy-Connection", FIELD_PROXY_CONNECTION}, {"Keep-Alive", FIELD_KEEP_ALIVE}, {"TE", FIELD_TE},
		{"Trailer", FIELD_TRAILER}, {"Upgrade", FIELD_UPGRADE}, {"Expect", FIELD_EXPECT}, {"Via", FIELD_VIA}, {"Forwarded", FIELD_FORWARDED},
		{"X-Forwarded-For", FIELD_X_FORWARDED_FOR}, {"Proxy-Authorization", FIELD_PROXY_AUTHORIZATION},
		{"Proxy-Authenticate", FIELD_PROXY_AUTHENTICATE}, {"Proxy-Authentication-Info", FIELD_PROXY_AUTHENTICATION_INFO},
		{"Authorization", FIELD_AUTHORIZATION}, {"WWW-Authenticate", FIELD_WWW_AUTHENTICATE}, {"Max-Forwards", FIELD_MAX_FORWARDS},
		{"User-Agent", FIELD_USER_AGENT}, {"Content-Type", FIELD_CONTENT_TYPE}, {"Proxy-Status", FIELD_PROXY_STATUS},
		{"", FIELD_OTHER}, {"Hos", FIELD_OTHER}, {"Hosx", FIELD_OTHER}, {"Xost", FIELD_OTHER}, {"Hostt", FIELD_OTHER}, {"X", FIELD_OTHER},
		{"Content_Length", FIELD_OTHER}, {"Content-Lengtx", FIELD_OTHER},
	};
	(void)state;
	assert_int_equal(ROWS(rows), FIELD_COUNT - 1 + 8); /* none is missing here */
	for (size_t i = 0; i < ROWS(rows); i++) {
		char   lower[32], upper[32];
		size_t n = strlen(rows[i].name);
		for (size_t k = 0; k < n; k++) {
			char c = rows[i].name[k];
			lower[k] = ascii_lower(c);
			upper[k] = c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
		}
		assert_int_equal(field_id_of(span_str(rows[i].name)), rows[i].id);
		assert_int_equal(field_id_of(span_of(lower, n)), rows[i].id);
		assert_int_equal(field_id_of(span_of(upper, n)), rows[i].id);
	}
}

static void
test_fields_are_walked_in_order_and_hop_by_hop_ones_are_told(void **state)
{
	static const struct span text = TEXT("GET / HTTP/1.1\r\n" HOST
	                                     "Connection: close, X-Hop, host, content-length\r\nx-hop:1\r\nX-End: \t a b\t \r\nContent-Length: 0\r\nEmpty:\r\n"
	                                     "Proxy-Connection: a\r\nKeep-Alive: a\r\nTE: a\r\nUpgrade: a\r\nProxy-Authorization: a\r\n"
	                                     "Proxy-Authenticate: a\r\nProxy-Authentication-Info: a\r\nVia: a\r\nX-Ho: a\r\n\r\n");
	static const struct {
		const char *name, *value;
		bool        hop;
	} rows[] = {
		{"Host", "a.example", false}, {"Connection", "close, X-Hop, host, content-length", true}, {"x-hop", "1", true}, {"X-End", "a b", false},
		{"Content-Length", "0", false}, {"Empty", "", false}, {"Proxy-Connection", "a", true}, {"Keep-Alive", "a", true}, {"TE", "a", true},
		{"Upgrade", "a", true}, {"Proxy-Authorization", "a", true}, {"Proxy-Authenticate", "a", true}, {"Proxy-Authentication-Info", "a", true},
		{"Via", "a", false}, {"X-Ho", "a", false},
	};
	struct span  b = block_of(text.p, text.n);
	struct head  h;
	struct field f;
	size_t       used, at = 0, lines = 0;
	enum fault   fault;

	(void)state;
	assert_int_equal(head_parse_request(b, 0, &h, &used, &fault), PARSE_OK);
	for (size_t i = 0; i < ROWS(rows); i++) {
		assert_true(head_field_next(&h, &at, &f));
		assert_true(span_eq(f.name, span_str(rows[i].name)));
		assert_true(span_eq(f.value, span_str(rows[i].value)));
		assert_int_equal(head_field_is_hop(&h, &f), rows[i].hop);
		assert_memory_equal(f.line.p + f.line.n - 2, "\r\n", 2);
		lines += f.line.n;
	}
	assert_false(head_field_next(&h, &at, &f));
	assert_int_equal(lines, h.fields.n);
	block_free(b);
	assert_int_equal(head_parse_response(SPAN("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), 0, &h, &used, &fault), PARSE_OK);
	at = 0;
	assert_true(head_field_next(&h, &at, &f));
	assert_true(head_field_is_hop(&h, &f));
}

static void
test_lists_are_split_at_commas_outside_quotes(void **state)
{
	static const struct {
		const char *value, *joined; /* items, each with a '|' behind it */
	} rows[] = {
		{"", ""}, {" ", ""}, {",", ""}, {", ,\t,", ""}, {"a", "a|"}, {" a ,b,, c\t", "a|b|c|"}, {"a b,c", "a b|c|"},
		{"a=\"x,y\",b", "a=\"x,y\"|b|"}, {"\"a\\\",b\",c", "\"a\\\",b\"|c|"}, {"\"a,b", "\"a,b|"}, {"\"a,b\\", "\"a,b\\|"}, {"a,\"", "a|\"|"},
	};
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct span b = block_of(rows[i].value, strlen(rows[i].value)), item;
		char        joined[64] = "";
		for (size_t at = 0; field_list_next(b, &at, &item);)
			snprintf(joined + strlen(joined), sizeof joined - strlen(joined), "%.*s|", SPAN_ARG(item));
		assert_string_equal(joined, rows[i].joined);
		block_free(b);
	}
	assert_true(field_list_has(SPAN("a, Close"), SPAN("close")));
	assert_false(field_list_has(SPAN("a, closed, \"close\""), SPAN("close")));
}

/* ---- cost ---- */

/* Least CPU of several runs. */
static uint64_t
parse_cost(struct span text, enum parse_result expected)
{
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < 9; i++) {
		struct head h;
		size_t      used;
		enum fault  fault;
		uint64_t    began = cpu_ns(), took;
		assert_int_equal(head_parse_request(text, 0, &h, &used, &fault), expected);
		took = cpu_ns() - began;
		least = took < least ? took : least;
	}
	return least;
}

/* A request with `line` n times. */
static struct span
head_with(const char *line, size_t n)
{
	static const char begin[] = "GET / HTTP/1.1\r\n" HOST;
	size_t            each = strlen(line), size = sizeof begin - 1 + each * n + 2;
	char             *p = malloc(size), *to = p;

	assert_non_null(p);
	memcpy(to, begin, sizeof begin - 1);
	to += sizeof begin - 1;
	for (size_t i = 0; i < n; i++, to += each)
		memcpy(to, line, each);
	memcpy(to, "\r\n", 2);
	return span_of(p, size);
}

static void
test_cost_of_a_head_is_linear_in_its_size(void **state)
{
	static const struct {
		const char       *line;
		enum parse_result expected;
	} rows[] = {
		{"X-Some-Field: with some value 0123456789\r\n", PARSE_OK},
		{"a:\r\n", PARSE_OK},
		{"a::::::::::::::::::::::::::::::::::::::::::\r\n", PARSE_OK},
		{"Via: 1.1 a, 1.1 b, 1.1 c, , , , , , , , , ,\r\n", PARSE_OK},
		{"Expect: a,a,a,a,a,a,a,a,a,a,a,\"a,\\,a\",a,a,a\r\n", PARSE_OK},
		{"TE: a,a,a,a,a,a,a,a,a,a,a,a,a,\"a,a,a,a,a,a,a,a\r\n", PARSE_OK},
		{"Connection: ,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,\r\n", PARSE_OK},
		{"Proxy-Connection: a,a,a,a,a,a,a,a,a,a,a,a,a,a\r\n", PARSE_OK},
		{"Transfer-Encoding: a,a,a,a,a,a,a,a,a,a,a,a,a,a\r\n", PARSE_BAD},
		{"b: \t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t \r\n", PARSE_OK},
		{"proxy-authentication-infx: a\r\n", PARSE_OK},
		{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: a\r\n", PARSE_OK},
	};
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct span few = head_with(rows[i].line, 1000), many = head_with(rows[i].line, 10000);
		uint64_t    one = parse_cost(few, rows[i].expected), ten = parse_cost(many, rows[i].expected);
		/* 10 is the truth; the rest is for a busy machine */
		if (ten > 20 * one || ten / (many.n / 1024) > 10000000)
			print_message("row %zu: %llu ns, then %llu ns\n", i, (unsigned long long)one, (unsigned long long)ten);
		assert_true(ten <= 20 * one);
		assert_true(ten / (many.n / 1024) < 10000000);
		block_free(few);
		block_free(many);
	}
}

static void
test_a_head_in_single_bytes_is_not_read_again_for_each(void **state)
{
	uint64_t cost[2];

	(void)state;
	for (int big = 0; big < 2; big++) {
		struct span text = head_with("X: a\r\n", big ? 10000 : 1000);
		uint64_t    began;
		struct head h;
		size_t      used;
		enum fault  fault;

		cost[big] = UINT64_MAX;
		for (int run = 0; run < 3; run++) {
			began = cpu_ns();
			for (size_t n = 1; n <= text.n; n++)
				assert_int_equal(head_parse_request(span_of(text.p, n), n - 1, &h, &used, &fault), n < text.n ? PARSE_MORE : PARSE_OK);
			if (cpu_ns() - began < cost[big])
				cost[big] = cpu_ns() - began;
		}
		block_free(text);
	}
	/* a new scan for each byte would make it 100 times as much */
	assert_true(cost[1] < 30 * cost[0]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests_that_could_be_read_in_two_ways_are_refused),
		cmocka_unit_test(test_good_requests_are_read_to_the_byte),
		cmocka_unit_test(test_bytes_behind_the_head_are_left_alone),
		cmocka_unit_test(test_what_the_fields_say_is_noted),
		cmocka_unit_test(test_upgrade_and_expect_need_http_1_1),
		cmocka_unit_test(test_responses_that_could_be_read_in_two_ways_are_refused),
		cmocka_unit_test(test_good_responses_are_read_and_framed_by_their_request),
		cmocka_unit_test(test_every_known_name_is_known_in_any_case),
		cmocka_unit_test(test_fields_are_walked_in_order_and_hop_by_hop_ones_are_told),
		cmocka_unit_test(test_lists_are_split_at_commas_outside_quotes),
		cmocka_unit_test(test_cost_of_a_head_is_linear_in_its_size),
		cmocka_unit_test(test_a_head_in_single_bytes_is_not_read_again_for_each),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
