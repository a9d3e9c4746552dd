/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "parse/body.h"
#include "block.h"
#include "cost.h"

struct answer {
	enum parse_result result;
	size_t            used; /* in all */
	char              data[512];
	size_t            n;
};

/* Read `text` in pieces of `step` bytes, each in a block of its own. */
static struct answer
read_in_pieces(struct span text, size_t step, enum body_kind kind, uint64_t length)
{
	struct answer a = {.result = PARSE_MORE};
	struct body   b;

	body_init(&b, kind, length);
	for (size_t at = 0; at < text.n && a.result == PARSE_MORE; at += step) {
		struct span piece = block_of(text.p + at, text.n - at < step ? text.n - at : step), left = piece;
		while (left.n > 0 && a.result == PARSE_MORE) {
			struct span data;
			size_t      used;
			a.result = body_take(&b, left, &used, &data);
			assert_true(used <= left.n);
			if (a.result == PARSE_MORE)
				assert_true(used > 0);
			assert_true(data.n <= used);
			if (data.n > 0)
				assert_true(data.p >= left.p && data.p + data.n <= left.p + used);
			assert_true(a.n + data.n <= sizeof a.data);
			memcpy(a.data + a.n, data.p, data.n);
			a.n += data.n;
			a.used += used;
			left = span_of(left.p + used, left.n - used);
		}
		block_free(piece);
	}
	assert_int_equal(b.total, a.n);
	return a;
}

static struct answer
read_every_way(struct span text)
{
	struct answer all = read_in_pieces(text, text.n, BODY_CHUNKED, 0);

	for (size_t step = 1; step < text.n; step++) {
		struct answer a = read_in_pieces(text, step, BODY_CHUNKED, 0);
		assert_int_equal(a.result, all.result);
		assert_int_equal(a.used, all.used);
		assert_int_equal(a.n, all.n);
		assert_memory_equal(a.data, all.data, a.n);
	}
	for (size_t n = 1; n < text.n; n++) {
		struct answer a = read_in_pieces(span_of(text.p, n), n, BODY_CHUNKED, 0);
		if (all.result == PARSE_OK && n < all.used)
			assert_int_equal(a.result, PARSE_MORE);
		if (a.result != PARSE_MORE)
			assert_int_equal(a.result, all.result);
	}
	return all;
}

static void
test_chunks_are_joined_to_their_data(void **state)
{
	static const struct {
		struct span text;
		const char *data;
	} rows[] = {
		{TEXT("0\r\n\r\n"), ""}, {TEXT("3\r\nabc\r\n0\r\n\r\n"), "abc"}, {TEXT("1\r\na\r\n1\r\nb\r\n00\r\n\r\n"), "ab"},
		{TEXT("0000000000000003\r\nabc\r\n0000000000000000\r\n\r\n"), "abc"}, {TEXT("a\r\n0123456789\r\n0\r\n\r\n"), "0123456789"},
		{TEXT("A\r\n\r\n0\r\n\r\nxyz\r\n0\r\n\r\n"), "\r\n0\r\n\r\nxyz"},
		{TEXT("3;a\r\nabc\r\n0;b\r\n\r\n"), "abc"},
		{TEXT("3;a=b;c=\"d;\\\" \xe9\"\r\nabc\r\n0\r\n\r\n"), "abc"}, {TEXT("3 ; a = b ;\tc = \"\" ; d\r\nabc\r\n0\r\n\r\n"), "abc"},
		{TEXT("3;a=b ;c;d;e=\"\";f\r\nabc\r\n0\r\n\r\n"), "abc"},
		{TEXT("0\r\nX: a\r\n\r\n"), ""}, {TEXT("0\r\nX:\r\nGrpc-Status: 0\r\nETag: \"\xe9\t\"\r\n\r\n"), ""}, {TEXT("0\r\nServer-Timing: a\r\nx!#$%&'*+-.^_`|~1:b\r\n\r\n"), ""},
		/* near the barred ones */
		{TEXT("0\r\nT: a\r\nTEE: a\r\nHosts: a\r\nHos: a\r\nIf: a\r\nProxy: a\r\nTrailers: a\r\nContent-: a\r\nContent-MD5: a\r\nConten-Length: a\r\nContent-Length2: a\r\n"
		      "X-Forwarded: a\r\nCookie3: a\r\nCookie22: a\r\nAgf: a\r\nAgd: a\r\nZ: a\r\nA: a\r\n-: a\r\n~: a\r\n\r\n"),
		 ""},
	};
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct answer a = read_every_way(rows[i].text);

		if (a.result != PARSE_OK)
			print_message("row %zu: stopped at %zu: %.*s\n", i, a.used, SPAN_ARG(rows[i].text));
		assert_int_equal(a.result, PARSE_OK);
		assert_int_equal(a.used, rows[i].text.n);
		assert_int_equal(a.n, strlen(rows[i].data));
		assert_memory_equal(a.data, rows[i].data, a.n);
	}
}

static void
test_bytes_behind_the_last_chunk_are_left_alone(void **state)
{
	static const struct span text = TEXT("1\r\na\r\n0\r\n\r\nGET / HTTP/1.1\r\n");
	struct answer            a = read_every_way(text);

	(void)state;
	assert_int_equal(a.result, PARSE_OK);
	assert_int_equal(a.used, text.n - 16);
}

static void
test_framing_that_could_be_read_in_two_ways_is_refused(void **state)
{
	static const struct {
		struct span text;
		size_t      at; /* of the byte that is wrong */
	} rows[] = {
		/* sizes */
		{TEXT("\r\n"), 0}, {TEXT("g\r\n"), 0}, {TEXT("-1\r\n"), 0}, {TEXT("+1\r\n"), 0}, {TEXT("0x1\r\n"), 1}, {TEXT(" 1\r\n"), 0}, {TEXT(";a\r\n"), 0},
		{TEXT("1 \r\na\r\n"), 2}, {TEXT("1\t\r\na\r\n"), 2}, {TEXT("1 2\r\n"), 2}, {TEXT("1\n"), 1}, {TEXT("1\ra"), 2}, {TEXT("1\r\r\n"), 2}, {TEXT("1\0\r\n"), 1},
		{TEXT("00000000000000001\r\n"), 16}, {TEXT("8000000000000000\r\n"), 15}, {TEXT("ffffffffffffffff\r\n"), 15}, {TEXT("10000000000000000\r\n"), 16}, {TEXT("1,\r\n"), 1},
		/* extensions */
		{TEXT("1;\r\n"), 2}, {TEXT("1;=\r\n"), 2}, {TEXT("1;a=\r\n"), 4}, {TEXT("1;a;\r\n"), 4}, {TEXT("1;a \r\n"), 4}, {TEXT("1;a b\r\n"), 4}, {TEXT("1;a=b c\r\n"), 6},
		{TEXT("1;a=b \r\n"), 6}, {TEXT("1;a=\"b\" \r\n"), 8}, {TEXT("1;a==b\r\n"), 4}, {TEXT("1;a=b=c\r\n"), 5}, {TEXT("1;a\n"), 3}, {TEXT("1;a=b\n"), 5}, {TEXT("1;a=\"b\n"), 6},
		{TEXT("1;a=\"b\"\n"), 7}, {TEXT("1;a=\"\r\n\""), 5}, {TEXT("1;a=\"\0\""), 5}, {TEXT("1;a=\"\x7f\""), 5}, {TEXT("1;a=\"\\\r\n\""), 6}, {TEXT("1;a=\"b\"c\r\n"), 7},
		{TEXT("1;a\x01\r\n"), 3}, {TEXT("1;\x80\r\n"), 2}, {TEXT("1 a\r\n"), 2}, {TEXT("1;a , b\r\n"), 4}, {TEXT("1;a\0\r\n"), 3},
		/* data */
		{TEXT("1\r\nab\r\n"), 4}, {TEXT("1\r\na\n0\r\n\r\n"), 4}, {TEXT("1\r\na\r0\r\n\r\n"), 5}, {TEXT("1\r\na0\r\n\r\n"), 4}, {TEXT("1\r\na\r\n\r\n"), 6},
		/* trailers */
		{TEXT("0\r\n\n"), 3}, {TEXT("0\r\n\rx"), 4}, {TEXT("0\r\n a: b\r\n\r\n"), 3}, {TEXT("0\r\na: b\r\n c\r\n\r\n"), 9}, {TEXT("0\r\na : b\r\n\r\n"), 4}, {TEXT("0\r\n: b\r\n\r\n"), 3},
		{TEXT("0\r\na\r\n\r\n"), 4}, {TEXT("0\r\na: b\n\r\n"), 7}, {TEXT("0\r\na: b\rc\r\n\r\n"), 8}, {TEXT("0\r\na: \0\r\n\r\n"), 6}, {TEXT("0\r\na: \x7f\r\n\r\n"), 6},
		{TEXT("0\r\n\xe4: b\r\n\r\n"), 3}, {TEXT("0\r\na(: b\r\n\r\n"), 4}, {TEXT("0\r\nGET / HTTP/1.1\r\n\r\n"), 6},
	};
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct answer a = read_every_way(rows[i].text);

		if (a.result != PARSE_BAD || a.used != rows[i].at)
			print_message("row %zu: stopped at %zu: %.*s\n", i, a.used, SPAN_ARG(rows[i].text));
		assert_int_equal(a.result, PARSE_BAD);
		assert_int_equal(a.used, rows[i].at);
	}
}

static void
test_fields_that_must_come_first_are_refused_as_trailers(void **state)
{
	static const char *const names[] = {
		"Transfer-Encoding", "Content-Length", "Host", "Connection", "Trailer", "TE", "Content-Encoding", "Content-Type", "Content-Range", "Authorization",
		"Proxy-Authorization", "Proxy-Authenticate", "Proxy-Connection", "Proxy-Anything", "Set-Cookie", "Set-Cookie2", "Cookie", "Cookie2", "Cache-Control",
		"Max-Forwards", "Expect", "Via", "Upgrade", "Keep-Alive", "Forwarded", "X-Forwarded-For", "X-Forwarded-Proto", "If-Match", "If-Range", "Range", "Pragma", "Age",
		"Expires", "Location", "Retry-After", "Vary", "Warning", "WWW-Authenticate",
	};
	(void)state;
	for (size_t i = 0; i < ROWS(names); i++)
		for (int upper = 0; upper < 3; upper++) {
			char text[64];
			int  n = snprintf(text, sizeof text, "0\r\nA: b\r\n%s: c\r\n\r\n", names[i]);
			for (int k = 9; k < n; k++)
				if (upper == 1 && text[k] >= 'a' && text[k] <= 'z')
					text[k] = (char)(text[k] - 32);
				else if (upper == 2)
					text[k] = ascii_lower(text[k]);
			assert_int_equal(read_every_way(span_of(text, (size_t)n)).result, PARSE_BAD);
		}
}

static void
test_bodies_by_length_end_to_the_byte(void **state)
{
	static const struct span text = TEXT("0123456789");
	struct span              data;
	size_t                   used;
	struct body              b;

	(void)state;
	for (size_t length = 1; length <= 12; length++)
		for (size_t step = 1; step <= 10; step++) {
			struct answer a = read_in_pieces(text, step, BODY_LENGTH, length);
			assert_int_equal(a.result, length <= 10 ? PARSE_OK : PARSE_MORE);
			assert_int_equal(a.used, length < 10 ? length : 10);
			assert_memory_equal(a.data, text.p, a.n);
		}
	body_init(&b, BODY_LENGTH, 0);
	assert_int_equal(body_take(&b, text, &used, &data), PARSE_OK);
	assert_int_equal(used + data.n, 0);
	assert_int_equal(body_take(&b, span_of(NULL, 0), &used, &data), PARSE_OK);
	body_init(&b, BODY_NONE, 7);
	assert_int_equal(body_take(&b, text, &used, &data), PARSE_OK);
	assert_int_equal(used + data.n, 0);
	assert_int_equal(read_in_pieces(text, 3, BODY_TO_CLOSE, 0).result, PARSE_MORE);
	assert_int_equal(read_in_pieces(text, 3, BODY_TO_CLOSE, 0).n, 10);
}

static void
test_an_answer_stays_what_it_was(void **state)
{
	struct body b;
	struct span data;
	size_t      used;

	(void)state;
	body_init(&b, BODY_CHUNKED, 0);
	assert_int_equal(body_take(&b, span_of(NULL, 0), &used, &data), PARSE_MORE);
	assert_int_equal(body_take(&b, SPAN("0\r\n\r\n"), &used, &data), PARSE_OK);
	assert_int_equal(body_take(&b, SPAN("0\r\n\r\n"), &used, &data), PARSE_OK);
	assert_int_equal(used, 0);
	body_init(&b, BODY_CHUNKED, 0);
	assert_int_equal(body_take(&b, SPAN("x"), &used, &data), PARSE_BAD);
	assert_int_equal(body_take(&b, SPAN("0\r\n\r\n"), &used, &data), PARSE_BAD);
	assert_int_equal(used, 0);
}

/* `begin`, then `fill` up to n bytes in all, then `end`. */
static struct span
filled(const char *begin, char fill, size_t n, const char *end)
{
	size_t first = strlen(begin), last = strlen(end);
	char  *p = malloc(first + n + last);

	assert_non_null(p);
	memcpy(p, begin, first);
	memset(p + first, fill, n - first);
	memcpy(p + n, end, last);
	return span_of(p, n + last);
}

static void
test_size_lines_and_trailers_are_bounded(void **state)
{
	static const struct {
		const char *begin, *end;
		size_t      n;
		bool        fine;
	} rows[] = {
		{"0;", "\r\n\r\n", BODY_CHUNK_LINE_MAX - 2, true},
		{"0;", "\r\n\r\n", BODY_CHUNK_LINE_MAX - 1, false},
		{"0;a=\"", "\"\r\n\r\n", 4 * BODY_CHUNK_LINE_MAX, false},
		{"0\r\na:", "\r\n\r\n", 3 + BODY_TRAILER_MAX - 4, true},
		{"0\r\na:", "\r\n\r\n", 3 + BODY_TRAILER_MAX - 3, false},
		{"0\r\n", ": \r\n\r\n", 3 + BODY_TRAILER_MAX - 6, true},
		{"0\r\n", ": \r\n\r\n", 3 + BODY_TRAILER_MAX, false},
	};
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct span text = filled(rows[i].begin, 'x', rows[i].n, rows[i].end);
		assert_int_equal(read_in_pieces(text, text.n, BODY_CHUNKED, 0).result, rows[i].fine ? PARSE_OK : PARSE_BAD);
		assert_int_equal(read_in_pieces(text, 7, BODY_CHUNKED, 0).result, rows[i].fine ? PARSE_OK : PARSE_BAD);
		block_free(text);
	}
}

static void
test_largest_chunk_is_counted_without_overflow(void **state)
{
	static const struct span size = TEXT("7fffffffffffffff\r\n");
	char                     data[4096] = {0};
	struct body              b;
	struct span              run;
	size_t                   used;

	(void)state;
	body_init(&b, BODY_CHUNKED, 0);
	assert_int_equal(body_take(&b, size, &used, &run), PARSE_MORE);
	assert_int_equal(b.left, INT64_MAX);
	assert_int_equal(body_take(&b, span_of(data, sizeof data), &used, &run), PARSE_MORE);
	assert_int_equal(run.n, sizeof data);
	assert_int_equal(b.left, INT64_MAX - sizeof data);
}

static void
test_no_shape_of_chunks_costs_much(void **state)
{
	static const char *const rows[] = {"1\r\na\r\n", "1;a;b;c;d;e;f;g=\"\\\"\\\"\\\"\\\"\"\r\na\r\n", "1 \t;\t \t \t \t \t \t \t a\t \t \t \t \t \t \t =\t\t\t\t\tb\r\na\r\n"};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		size_t      each = strlen(rows[i]), n = 65536 / each * each;
		char       *p = malloc(n);
		struct body b;
		uint64_t    began = cpu_ns();

		assert_non_null(p);
		for (size_t at = 0; at < n; at += each)
			memcpy(p + at, rows[i], each);
		body_init(&b, BODY_CHUNKED, 0);
		for (size_t at = 0, used; at < n; at += used) {
			struct span data;
			assert_int_equal(body_take(&b, span_of(p + at, n - at), &used, &data), PARSE_MORE);
		}
		assert_int_equal(b.total, n / each);
		assert_true((cpu_ns() - began) / 64 < 10000000);
		free(p);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chunks_are_joined_to_their_data),
		cmocka_unit_test(test_bytes_behind_the_last_chunk_are_left_alone),
		cmocka_unit_test(test_framing_that_could_be_read_in_two_ways_is_refused),
		cmocka_unit_test(test_fields_that_must_come_first_are_refused_as_trailers),
		cmocka_unit_test(test_bodies_by_length_end_to_the_byte),
		cmocka_unit_test(test_an_answer_stays_what_it_was),
		cmocka_unit_test(test_size_lines_and_trailers_are_bounded),
		cmocka_unit_test(test_largest_chunk_is_counted_without_overflow),
		cmocka_unit_test(test_no_shape_of_chunks_costs_much),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
