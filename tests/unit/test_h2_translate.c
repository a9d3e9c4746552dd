/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "h2/flood.h"
#include "h2/translate.h"

/* Fields as "name=value|name=value". */
static void
add_all(struct h2_head *h, const char *fields)
{
	while (*fields) {
		size_t      n = strcspn(fields, "|"), eq = strcspn(fields + 1, "=") + 1;
		struct span whole = span_of(fields, n);
		char       *block = malloc(n + 1); /* of the exact size, but for one */
		memcpy(block, whole.p, n);
		h2_head_add(h, span_of(block, eq), span_of(block + eq + 1, n - eq - 1));
		free(block);
		fields += n + (fields[n] == '|');
	}
}

#define GET ":method=GET|:scheme=https|:authority=a.test|:path=/x?y"
#define POST ":method=POST|:scheme=https|:authority=a.test|:path=/"

static const struct {
	char        kind; /* q request, r response, t trailer */
	const char *fields;
	bool        ends;
	const char *text; /* null: malformed */
} heads[] = {
	{'q', GET, true, "GET /x?y HTTP/1.1\r\nhost: a.test\r\n\r\n"},
	{'q', GET, false, "GET /x?y HTTP/1.1\r\nhost: a.test\r\ntransfer-encoding: chunked\r\n\r\n"},
	{'q', GET "|host=A.test", true, "GET /x?y HTTP/1.1\r\nhost: a.test\r\n\r\n"},
	{'q', GET "|cookie=a=b|x=y|cookie=c=d|cookie=e", true, "GET /x?y HTTP/1.1\r\nhost: a.test\r\nx: y\r\ncookie: a=b; c=d; e\r\n\r\n"},
	{'q', GET "|te=trailers", true, "GET /x?y HTTP/1.1\r\nhost: a.test\r\nconnection: TE\r\nte: trailers\r\n\r\n"},
	{'q', GET "|empty=", true, "GET /x?y HTTP/1.1\r\nhost: a.test\r\nempty: \r\n\r\n"},
	{'q', POST, true, "POST / HTTP/1.1\r\nhost: a.test\r\ncontent-length: 0\r\n\r\n"},
	{'q', POST "|content-length=3", false, "POST / HTTP/1.1\r\nhost: a.test\r\ncontent-length: 3\r\n\r\n"},
	{'q', POST "|content-length=00", true, "POST / HTTP/1.1\r\nhost: a.test\r\ncontent-length: 00\r\n\r\n"},
	{'q', POST "|content-length=3", true, NULL},
	{'q', POST "|content-length=3|content-length=3", false, NULL},
	{'q', POST "|content-length=", false, NULL},
	{'q', POST "|content-length=-1", false, NULL},
	{'q', ":method=OPTIONS|:scheme=https|:authority=a|:path=*", true, "OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n"},
	{'q', ":method=GET|:scheme=https|:authority=a|:path=*", true, NULL},
	{'q', ":method=GET|:scheme=https|:authority=a|:path=x", true, NULL},
	{'q', ":method=GET|:scheme=https|:authority=a|:path=", true, NULL},
	{'q', ":method=GET|:scheme=http|:authority=a|:path=/", true, NULL},
	{'q', ":method=GET|:scheme=https|:path=/|host=a", true, NULL},
	{'q', ":method=GET|:scheme=https|:authority=|:path=/", true, NULL},
	{'q', ":method=GET|:scheme=https|:authority=a b|:path=/", true, NULL},
	{'q', ":method=CONNECT|:scheme=https|:authority=a|:path=/", true, NULL},
	{'q', ":method=G T|:scheme=https|:authority=a|:path=/", true, NULL},
	{'q', GET "|host=b.test", true, NULL},
	{'q', GET "|:path=/", true, NULL},
	{'q', GET "|x=y|:status=1", true, NULL},
	{'q', GET "|:protocol=x", true, NULL},
	{'q', GET "|X=y", true, NULL},
	{'q', GET "|x =y", true, NULL},
	{'q', GET "|x= y", true, NULL},
	{'q', GET "|x=y\r", true, NULL},
	{'q', GET "|x=y\nz: a", true, NULL},
	{'q', GET "|te=gzip", true, NULL},
	{'q', GET "|connection=x", true, NULL},
	{'q', GET "|upgrade=x", true, NULL},
	{'q', GET "|keep-alive=x", true, NULL},
	{'q', GET "|transfer-encoding=chunked", false, NULL},
	{'q', GET "|proxy-connection=x", true, NULL},
	/* to the proxy itself */
	{'p', ":method=CONNECT|:authority=a:443", false, "CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\n\r\n"},
	{'p', ":method=CONNECT|:authority=a:443|x=y", true, "CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\nx: y\r\n\r\n"},
	{'p', ":method=CONNECT|:scheme=https|:path=/|:authority=a:443", false, NULL},
	{'p', ":method=CONNECT|:authority=a:443|content-length=3", false, NULL},
	{'p', ":method=CONNECT", false, NULL},
	{'q', ":method=CONNECT|:authority=a:443", false, NULL},
	{'p', ":method=GET|:scheme=http|:authority=a|:path=/x?y", true, "GET http://a/x?y HTTP/1.1\r\nhost: a\r\n\r\n"},
	{'p', ":method=OPTIONS|:scheme=http|:authority=a|:path=*", true, "OPTIONS http://a HTTP/1.1\r\nhost: a\r\n\r\n"},
	{'p', ":method=GET|:scheme=https|:authority=a|:path=/x", true, "GET /x HTTP/1.1\r\nhost: a\r\n\r\n"},
	{'p', ":method=GET|:scheme=ftp|:authority=a|:path=/x", true, NULL},
	{'q', ":method=GET|:scheme=http|:authority=a|:path=/x", true, NULL},
	{'r', ":status=200|a=b", false, "HTTP/1.1 200 \r\na: b\r\ntransfer-encoding: chunked\r\n\r\n"},
	{'r', ":status=200|set-cookie=a|set-cookie=b", true, "HTTP/1.1 200 \r\nset-cookie: a\r\nset-cookie: b\r\ncontent-length: 0\r\n\r\n"},
	{'r', ":status=204", true, "HTTP/1.1 204 \r\n\r\n"},
	{'r', ":status=304|content-length=5", true, "HTTP/1.1 304 \r\ncontent-length: 5\r\n\r\n"},
	{'r', ":status=103|link=x", false, "HTTP/1.1 103 \r\nlink: x\r\n\r\n"},
	{'r', ":status=101", false, NULL},
	{'r', ":status=20", false, NULL},
	{'r', ":status=2000", false, NULL},
	{'r', ":status=099", false, NULL},
	{'r', ":status=2x0", false, NULL},
	{'r', ":status=200|:status=200", false, NULL},
	{'r', ":status=200|:path=/", false, NULL},
	{'r', "a=b", false, NULL},
	{'r', ":status=200|connection=close", false, NULL},
	{'t', "grpc-status=0|grpc-message=", true, "grpc-status: 0\r\ngrpc-message: \r\n\r\n"},
	{'t', "content-length=5|a=b|host=x|set-cookie=c", true, "a: b\r\n\r\n"},
	{'t', ":status=200", true, NULL},
	{'t', "connection=close", true, NULL},
	{'t', "", true, "\r\n"},
};

static void
test_heads_become_text(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
		struct h2_head h;
		struct span    t;
		h2_head_init(&h, heads[i].kind == 'r', heads[i].kind == 't', 1000);
		h.is_proxy = heads[i].kind == 'p';
		add_all(&h, heads[i].fields);
		t = h2_head_text(&h, heads[i].ends);
		if (!t.p != !heads[i].text || (t.p && !span_eq(t, span_str(heads[i].text))))
			fail_msg("%s: %.*s", heads[i].fields, SPAN_ARG(t));
		h2_head_clear(&h);
	}
}

static void
test_a_head_that_is_too_large_has_no_end(void **state)
{
	char           path[3000], big[700];
	struct h2_head h;
	struct span    t;

	(void)state;
	memset(path, 'p', sizeof path);
	memset(big, 'b', sizeof big);
	path[0] = '/';
	for (int i = 0; i < 2; i++) {
		h2_head_init(&h, false, false, 1000);
		h2_head_add(&h, SPAN(":method"), SPAN("GET"));
		h2_head_add(&h, SPAN(":scheme"), SPAN("https"));
		h2_head_add(&h, SPAN(":authority"), SPAN("a"));
		h2_head_add(&h, SPAN(":path"), i ? SPAN("/") : span_of(path, sizeof path));
		h2_head_add(&h, SPAN("a"), span_of(big, sizeof big));
		h2_head_add(&h, SPAN("b"), span_of(big, sizeof big));
		t = h2_head_text(&h, true);
		assert_non_null(t.p);
		assert_true(t.n > 1000 && t.n < 4000);
		assert_null(memmem(t.p, t.n, "\r\n\r\n", 4));
		h2_head_clear(&h);
	}
}

static bool
on_field(void *arg, struct span name, struct span value)
{
	char *text = arg;

	sprintf(text + strlen(text), "%.*s=%.*s|", SPAN_ARG(name), SPAN_ARG(value));
	return true;
}

static const struct {
	bool        response;
	const char *text, *fields;
} texts[] = {
	{false, "GET /x HTTP/1.1\r\nHost: a.test:8443\r\nVia: 1.1 p\r\nX-Y: z\r\n\r\n", ":method=GET|:scheme=https|:authority=a.test:8443|:path=/x|via=1.1 p|x-y=z|"},
	{false, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: TE, x-hop\r\nX-Hop: 1\r\nTE: trailers\r\n\r\n",
	    ":method=POST|:scheme=https|:authority=a|:path=/|te=trailers|"},
	{false, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nKeep-Alive: 1\r\nProxy-Connection: close\r\n\r\n",
	    ":method=POST|:scheme=https|:authority=a|:path=/|content-length=3|"},
	{true, "HTTP/1.1 200 OK\r\nVia: 1.1 p\r\nConnection: close\r\nKeep-Alive: timeout=5\r\nTransfer-Encoding: chunked\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\n",
	    ":status=200|via=1.1 p|set-cookie=a|set-cookie=b|"},
	{true, "HTTP/1.1 431 \r\nContent-Length: 0\r\n\r\n", ":status=431|content-length=0|"},
};

static void
test_text_becomes_fields(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		char        got[1000] = "";
		struct head h;
		size_t      used;
		enum fault  fault;
		struct span in = span_str(texts[i].text);
		assert_int_equal((texts[i].response ? head_parse_response : head_parse_request)(in, 0, &h, &used, &fault), PARSE_OK);
		assert_true(texts[i].response ? h2_response_fields(&h, false, on_field, got) : h2_request_fields(&h, SPAN("https"), on_field, got));
		assert_string_equal(got, texts[i].fields);
	}
}

static void
test_trailer_lines_become_fields(void **state)
{
	char got[100] = "";

	(void)state;
	assert_true(h2_trailer_fields(SPAN("Grpc-Status: 0\r\nA:b\r\n"), on_field, got));
	assert_string_equal(got, "grpc-status=0|a=b|");
}

static void
test_a_flood_is_what_outruns_the_leak(void **state)
{
	struct h2_flood f = {0};
	uint64_t        now = 1;

	(void)state;
	for (unsigned i = 0; i < H2_FLOOD_ROOM / 10; i++)
		assert_true(h2_flood_pour(&f, now, 10));
	assert_false(h2_flood_pour(&f, now, 10));
	/* at the speed of the leak it never comes to that, in however small steps */
	f = (struct h2_flood){.since_us = now};
	for (unsigned i = 0; i < 100000; i++)
		assert_true(h2_flood_pour(&f, now += 1000, 1));
	/* useful work makes room */
	f = (struct h2_flood){.since_us = now};
	for (unsigned i = 0; i < 100000; i++) {
		assert_true(h2_flood_pour(&f, now, H2_COST_RESET));
		h2_flood_take(&f, H2_WORTH_STREAM);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_heads_become_text),
		cmocka_unit_test(test_a_head_that_is_too_large_has_no_end),
		cmocka_unit_test(test_text_becomes_fields),
		cmocka_unit_test(test_trailer_lines_become_fields),
		cmocka_unit_test(test_a_flood_is_what_outruns_the_leak),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
