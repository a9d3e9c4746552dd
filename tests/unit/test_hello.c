/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "parse/hello.h"
#include "block.h"

/* A hello in the making: bytes, big-endian lengths filled in when a vector is closed. */
struct maker {
	uint8_t b[80000];
	size_t  n;
};

static void
put(struct maker *m, const void *p, size_t n)
{
	assert_true(m->n + n <= sizeof m->b);
	memcpy(m->b + m->n, p, n);
	m->n += n;
}

static void
put_int(struct maker *m, unsigned v, unsigned bytes)
{
	while (bytes-- > 0) {
		uint8_t c = (uint8_t)(v >> 8 * bytes);
		put(m, &c, 1);
	}
}

static size_t
open_vector(struct maker *m, unsigned bytes)
{
	put_int(m, 0, bytes);
	return m->n;
}

static void
shut_vector(struct maker *m, size_t at, unsigned bytes)
{
	size_t n = m->n - at;
	for (unsigned i = 0; i < bytes; i++)
		m->b[at - 1 - i] = (uint8_t)(n >> 8 * i);
}

static void
put_extension(struct maker *m, unsigned type, struct span data)
{
	put_int(m, type, 2);
	put_int(m, (unsigned)data.n, 2);
	put(m, data.p, data.n);
}

static void
put_sni(struct maker *m, struct span name)
{
	put_int(m, 0, 2);
	put_int(m, (unsigned)name.n + 5, 2);
	put_int(m, (unsigned)name.n + 3, 2);
	put_int(m, 0, 1);
	put_int(m, (unsigned)name.n, 2);
	put(m, name.p, name.n);
}

/* The handshake message around `extensions` (null: a hello without any). */
static void
make_message(struct maker *m, const struct maker *extensions)
{
	size_t message, v;

	m->n = 0;
	put_int(m, 1, 1);
	message = open_vector(m, 3);
	put_int(m, 0x0303, 2);
	put(m, "0123456789abcdef0123456789abcdef", 32);
	v = open_vector(m, 1);
	put(m, "0123456789abcdef0123456789abcdef", 32);
	shut_vector(m, v, 1);
	v = open_vector(m, 2);
	put(m, "\x0a\x0a\x13\x01\x13\x02", 6);
	shut_vector(m, v, 2);
	put(m, "\x01\x00", 2);
	if (extensions) {
		v = open_vector(m, 2);
		put(m, extensions->b, extensions->n);
		shut_vector(m, v, 2);
	}
	shut_vector(m, message, 3);
}

/* `message` in records of at most `each` bytes. Free its p. */
static struct span
in_records(const struct maker *message, size_t each)
{
	size_t   n = message->n + 5 * ((message->n + each - 1) / each), at = 0, to = 0;
	uint8_t *p = malloc(n);

	assert_non_null(p);
	for (; at < message->n; at += each) {
		size_t part = message->n - at < each ? message->n - at : each;
		memcpy(p + to, (uint8_t[]){22, 3, 1, (uint8_t)(part >> 8), (uint8_t)part}, 5);
		memcpy(p + to + 5, message->b + at, part);
		to += 5 + part;
	}
	assert_int_equal(to, n);
	return span_of((char *)p, n);
}

struct answer {
	enum parse_result result;
	enum hello_why    why;
	struct hello      h;
};

static struct answer
parse(struct span text)
{
	struct answer a = {.why = HELLO_FINE};
	struct span   b = block_of(text.p, text.n);

	a.result = hello_parse(b, &a.h, &a.why);
	assert_int_equal(a.result == PARSE_BAD, a.why != HELLO_FINE);
	block_free(b);
	return a;
}

/* Every prefix agrees with the whole: MORE, or the same refusal. */
static struct answer
parse_every_prefix(struct span text)
{
	struct answer all = parse(text);

	for (size_t n = 0; n < text.n; n++) {
		struct answer a = parse(span_of(text.p, n));
		if (all.result == PARSE_BAD && a.result == PARSE_BAD && all.why != HELLO_SSLV2)
			assert_int_equal(a.why, all.why);
		if (a.result == PARSE_OK)
			fail_msg("complete at %zu of %zu", n, text.n);
		if (all.result != PARSE_BAD)
			assert_int_equal(a.result, PARSE_MORE);
	}
	return all;
}

/* The hello with these extensions, in records of several sizes. */
static struct answer
parse_with(const struct maker *extensions)
{
	static const size_t each[] = {16384, 1, 2, 7, 64};
	static struct maker message;
	struct answer       first = {0};

	make_message(&message, extensions);
	for (size_t i = 0; i < ROWS(each); i++) {
		struct span   text = in_records(&message, each[i]);
		struct answer a = parse_every_prefix(text);
		block_free(text);
		if (i == 0)
			first = a;
		assert_int_equal(a.result, first.result);
		assert_int_equal(a.why, first.why);
		assert_memory_equal(&a.h, &first.h, sizeof a.h);
	}
	return first;
}

static void
test_a_hello_like_a_browsers_is_read(void **state)
{
	static struct maker e;
	struct answer       a;

	(void)state;
	e.n = 0;
	put_extension(&e, 0x2a2a, SPAN("")); /* GREASE */
	put_sni(&e, SPAN("V10.Events.Data.Microsoft.com"));
	put_extension(&e, 23, SPAN(""));
	put_extension(&e, 16, (struct span)TEXT("\x00\x0f\x02\x0a\x0a\x02h2\x08http/1.1"));
	put_extension(&e, 43, (struct span)TEXT("\x06\xfa\xfa\x03\x04\x03\x03"));
	put_extension(&e, 0xfe0d, (struct span)TEXT("\0\0\1\0\1\5\0\0"));
	put_extension(&e, 0x9a9a, (struct span)TEXT("\0"));
	a = parse_with(&e);
	assert_int_equal(a.result, PARSE_OK);
	assert_int_equal(a.h.record_version, 0x0301);
	assert_int_equal(a.h.legacy_version, 0x0303);
	assert_int_equal(a.h.max_version, 0x0304);
	assert_true(a.h.has_sni && a.h.has_ech);
	assert_string_equal(a.h.sni.text, "v10.events.data.microsoft.com");
	assert_string_equal(a.h.alpn, "h2,http/1.1");
}

static void
test_a_hello_without_name_or_extensions_is_read(void **state)
{
	static struct maker e;
	struct answer       a = parse_with(NULL);

	(void)state;
	assert_int_equal(a.result, PARSE_OK);
	assert_false(a.h.has_sni || a.h.has_ech);
	assert_int_equal(a.h.max_version, 0x0303);
	assert_string_equal(a.h.alpn, "");
	e.n = 0;
	a = parse_with(&e);
	assert_int_equal(a.result, PARSE_OK);
	assert_false(a.h.has_sni);
	put_extension(&e, 43, (struct span)TEXT("\x02\x0a\x0a"));
	a = parse_with(&e);
	assert_int_equal(a.h.max_version, 0x0303);
}

static void
test_server_names_are_canonical_or_refused(void **state)
{
	static const struct {
		struct span name;
		const char *out; /* null: refused */
	} rows[] = {
		{TEXT("a.example"), "a.example"}, {TEXT("A.EXAMPLE."), "a.example"}, {TEXT("xn--bcher-kva.example"), "xn--bcher-kva.example"}, {TEXT("a_b.example"), "a_b.example"},
		{TEXT("127.0.0.1"), NULL}, {TEXT("::1"), NULL}, {TEXT("[::1]"), NULL}, {TEXT("127.1"), NULL}, {TEXT(""), NULL}, {TEXT("."), NULL}, {TEXT("a..b"), NULL},
		{TEXT("a b"), NULL}, {TEXT("a\0b"), NULL}, {TEXT("a.example\0"), NULL}, {TEXT("b\xc3\xbc" "cher.example"), NULL}, {TEXT("a.example:443"), NULL}, {TEXT("*.a"), NULL},
	};
	static struct maker e;
	char                longest[256];

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct answer a;
		e.n = 0;
		put_sni(&e, rows[i].name);
		a = parse_with(&e);
		if (a.result != (rows[i].out ? PARSE_OK : PARSE_BAD))
			print_message("row %zu\n", i);
		assert_int_equal(a.result, rows[i].out ? PARSE_OK : PARSE_BAD);
		if (rows[i].out)
			assert_string_equal(a.h.sni.text, rows[i].out);
		else
			assert_int_equal(a.why, HELLO_BAD);
	}
	memset(longest, 'a', sizeof longest);
	for (size_t i = 50; i < sizeof longest; i += 51)
		longest[i] = '.';
	longest[253] = '.';
	for (size_t n = 252; n <= 256; n++) {
		e.n = 0;
		put_sni(&e, span_of(longest, n));
		assert_int_equal(parse_with(&e).result, n <= 254 ? PARSE_OK : PARSE_BAD);
	}
}

static void
test_extensions_that_two_servers_could_read_differently_are_refused(void **state)
{
	static const struct {
		unsigned    type;
		struct span data;
	} rows[] = {
		{0, TEXT("")}, {0, TEXT("\0")}, {0, TEXT("\0\0")}, {0, TEXT("\0\1\0")}, {0, TEXT("\0\4\0\0\1a\0")}, {0, TEXT("\0\5\0\0\1a\0")}, {0, TEXT("\0\3\0\0\1a")},
		{0, TEXT("\0\4\1\0\1a")}, {0, TEXT("\0\4\0\0\2a")}, {0, TEXT("\0\10\0\0\1a\0\0\1b")}, {0, TEXT("\0\10\0\0\1a\1\0\1b")}, {0, TEXT("\0\3\0\0\0")},
		{16, TEXT("")}, {16, TEXT("\0\0")}, {16, TEXT("\0\1a")}, {16, TEXT("\0\2\0a")}, {16, TEXT("\0\2\2a")}, {16, TEXT("\0\3\1ab")}, {16, TEXT("\0\2\1a\0")},
		{43, TEXT("")}, {43, TEXT("\0")}, {43, TEXT("\1\3")}, {43, TEXT("\3\3\4\3")}, {43, TEXT("\4\3\4")}, {43, TEXT("\2\3\4\0")},
	};
	static const unsigned doubled[] = {0, 16, 43, 0xfe0d, 0x0a0a, 65535, 23};
	static struct maker   e;

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct answer a;
		e.n = 0;
		put_extension(&e, rows[i].type, rows[i].data);
		a = parse_with(&e);
		if (a.result != PARSE_BAD)
			print_message("row %zu\n", i);
		assert_int_equal(a.result, PARSE_BAD);
		assert_int_equal(a.why, HELLO_BAD);
	}
	for (size_t i = 0; i < ROWS(doubled); i++) {
		struct answer a;
		e.n = 0;
		for (int k = 0; k < 2; k++) {
			if (doubled[i] == 0)
				put_sni(&e, SPAN("a.example"));
			else
				put_extension(&e, doubled[i], doubled[i] == 16 ? (struct span)TEXT("\0\3\2h2") : doubled[i] == 43 ? (struct span)TEXT("\2\3\4") : SPAN(""));
			put_extension(&e, 100 + (unsigned)k, SPAN("")); /* others in between */
		}
		a = parse_with(&e);
		assert_int_equal(a.result, PARSE_BAD);
		assert_int_equal(a.why, HELLO_BAD);
	}
}

static void
test_alpn_is_cut_to_fit_and_kept_printable(void **state)
{
	static const struct {
		struct span data;
		const char *out;
	} rows[] = {
		{TEXT("\0\x12\2h2\1,\3a\0b\3a\x7f" "b\2\xc3\xa4\1x"), "h2,x"},
		{TEXT("\0\x2a\x29" "0123456789012345678901234567890123456789x"), "0123456789012345678901234567890123456789x"},
		{TEXT("\0\x41\x40" "0123456789012345678901234567890123456789012345678901234567890123"), "012345678901234567890123456789012345678901234567890123456789012"},
		{TEXT("\0\x44\x3c" "012345678901234567890123456789012345678901234567890123456789\2h2\3abc"), "012345678901234567890123456789012345678901234567890123456789,h2"},
		{TEXT("\0\x44\x3d" "0123456789012345678901234567890123456789012345678901234567890\2h2\2ab"), "0123456789012345678901234567890123456789012345678901234567890,h"},
	};
	static struct maker e;

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct answer a;
		e.n = 0;
		put_extension(&e, 16, rows[i].data);
		a = parse_with(&e);
		assert_int_equal(a.result, PARSE_OK);
		assert_string_equal(a.h.alpn, rows[i].out);
	}
}

static void
test_what_is_not_tls_is_told_apart_at_once(void **state)
{
	static const struct {
		struct span    text;
		size_t         at; /* the byte that settles it */
		enum hello_why why;
	} rows[] = {
		{TEXT("GET / HTTP/1.1\r\n"), 0, HELLO_NOT_TLS}, {TEXT("SSH-2.0-x"), 0, HELLO_NOT_TLS}, {TEXT("\x17\x03\x03\0\1a"), 0, HELLO_NOT_TLS},
		{TEXT("\x15\x03\x01\0\2\1\0"), 0, HELLO_NOT_TLS}, {TEXT("\x16\x02\0\0\1\1"), 1, HELLO_NOT_TLS}, {TEXT("\0"), 0, HELLO_NOT_TLS},
		{TEXT("\x80\x2e\1\3\1\0\x15\0\0\0\x10"), 0, HELLO_SSLV2}, {TEXT("\x80\x2e\1\0\2\0\x15"), 0, HELLO_SSLV2}, {TEXT("\x80\x2e\2\0\2\0\x15"), 0, HELLO_NOT_TLS},
		{TEXT("\x80\x2e\1\5\2\0\x15"), 0, HELLO_NOT_TLS}, {TEXT("\x80\x2e\1"), 0, HELLO_NOT_TLS},
		/* records */
		{TEXT("\x16\3\1\0\0"), 4, HELLO_BAD}, {TEXT("\x16\3\1\x40\1"), 4, HELLO_BAD}, {TEXT("\x16\3\1\x41\0"), 3, HELLO_BAD}, {TEXT("\x16\3\1\xff"), 3, HELLO_BAD},
		{TEXT("\x16\3\1\0\1\1\x17"), 6, HELLO_BAD}, {TEXT("\x16\3\1\0\1\1\x16\4"), 7, HELLO_BAD}, {TEXT("\x16\3\1\0\1\1\x80\x2e\1\3\1"), 6, HELLO_BAD},
		{TEXT("\x16\3\1\0\1\1\x16\3\1\0\0"), 10, HELLO_BAD},
		/* handshake */
		{TEXT("\x16\3\1\0\4\2"), 5, HELLO_BAD}, {TEXT("\x16\3\1\0\4\1\0\xff\xfd"), 8, HELLO_TOO_LARGE}, {TEXT("\x16\3\1\0\4\1\1\0\0"), 8, HELLO_TOO_LARGE},
		{TEXT("\x16\3\1\0\5\1\0\0\1\3"), 8, HELLO_BAD}, {TEXT("\x16\3\1\1\0\1\0\0\xff\2\0"), 10, HELLO_BAD},
		{TEXT("\x16\3\1\1\0\1\0\0\xff\3\3" "0123456789abcdef0123456789abcdef\x21"), 43, HELLO_BAD},
		{TEXT("\x16\3\1\1\0\1\0\0\xff\3\3" "0123456789abcdef0123456789abcdef\0\0\0"), 45, HELLO_BAD},
		{TEXT("\x16\3\1\1\0\1\0\0\xff\3\3" "0123456789abcdef0123456789abcdef\0\0\3"), 45, HELLO_BAD},
		{TEXT("\x16\3\1\1\0\1\0\0\xff\3\3" "0123456789abcdef0123456789abcdef\0\1\0"), 45, HELLO_BAD},
		{TEXT("\x16\3\1\1\0\1\0\0\xff\3\3" "0123456789abcdef0123456789abcdef\0\0\2\x13\1\0"), 48, HELLO_BAD},
	};
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct answer a = parse(rows[i].text);
		if (a.result != PARSE_BAD || a.why != rows[i].why)
			print_message("row %zu\n", i);
		assert_int_equal(a.result, PARSE_BAD);
		assert_int_equal(a.why, rows[i].why);
		for (size_t n = 0; n < rows[i].text.n; n++) {
			if (parse(span_of(rows[i].text.p, n)).result != (n <= rows[i].at ? PARSE_MORE : PARSE_BAD))
				print_message("row %zu, %zu bytes\n", i, n);
			assert_int_equal(parse(span_of(rows[i].text.p, n)).result, n <= rows[i].at ? PARSE_MORE : PARSE_BAD);
		}
	}
}

static void
test_lengths_that_disagree_are_refused(void **state)
{
	static struct maker e, m;

	(void)state;
	e.n = 0;
	put_sni(&e, SPAN("a.example"));
	for (int row = 0; row < 6; row++) {
		struct span   text;
		struct answer a;
		make_message(&m, &e);
		if (row == 0)
			m.b[3]--; /* message shorter than what is in it */
		if (row == 1)
			m.b[3]++; /* extensions end before the message does */
		if (row == 2)
			m.b[m.n - e.n - 1]--;
		if (row == 3)
			m.b[m.n - e.n - 1]++;
		if (row == 4)
			put(&m, "\1", 1); /* another message in the same record */
		if (row == 5)
			m.b[m.n - e.n + 3]++;
		text = in_records(&m, 16384);
		a = parse(text);
		block_free(text);
		assert_int_equal(a.result, PARSE_BAD);
		assert_int_equal(a.why, HELLO_BAD);
	}
}

static void
test_bytes_in_the_next_record_are_left_alone(void **state)
{
	static struct maker e, m;
	struct span         text;
	char                both[512];

	(void)state;
	e.n = 0;
	put_sni(&e, SPAN("a.example"));
	make_message(&m, &e);
	text = in_records(&m, 16384);
	memcpy(both, text.p, text.n);
	memcpy(both + text.n, "\x14\3\3\0\1\1", 6);
	assert_int_equal(parse(span_of(both, text.n + 6)).result, PARSE_OK);
	block_free(text);
}

static void
test_post_quantum_sized_hellos_pass_up_to_the_limit(void **state)
{
	static struct maker e, m;
	static char         share[65536];
	static const struct {
		size_t            share;
		enum parse_result result;
	} rows[] = {{1300, PARSE_OK}, {4000, PARSE_OK}, {40000, PARSE_OK}, {65431, PARSE_OK}, {65432, PARSE_BAD}};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		static const size_t each[] = {16384, 1400, 1};
		e.n = 0;
		put_extension(&e, 51, span_of(share, rows[i].share));
		put_sni(&e, SPAN("a.example"));
		make_message(&m, &e);
		for (size_t k = 0; k < ROWS(each); k++) {
			struct span   text = in_records(&m, each[k]);
			struct answer a = parse(text);
			assert_int_equal(a.result, rows[i].result);
			if (a.result == PARSE_OK) {
				assert_string_equal(a.h.sni.text, "a.example");
				assert_int_equal(parse(span_of(text.p, text.n - 1)).result, PARSE_MORE);
			} else {
				assert_int_equal(a.why, HELLO_TOO_LARGE);
			}
			block_free(text);
		}
	}
	assert_int_equal(m.n, HELLO_MAX + 1);
}

/* Numbers of two bytes, behind their length. */
static void
put_numbers(struct maker *m, unsigned type, const unsigned *v, size_t n)
{
	put_int(m, type, 2);
	put_int(m, (unsigned)(2 * n + 2), 2);
	put_int(m, (unsigned)(2 * n), 2);
	for (size_t i = 0; i < n; i++)
		put_int(m, v[i], 2);
}

static void
test_who_can_be_shown_an_ecdsa_certificate_is_known(void **state)
{
	static struct maker e, m;
	static const struct {
		unsigned suite, group, signature, version;
		bool     ecdsa, ecdsa_12;
	} rows[] = {
		{0xc02b, 0x0017, 0x0403, 0, true, true},
		{0xc02c, 0x0017, 0x0403, 0, true, true},
		{0xcca9, 0x0017, 0x0403, 0x0304, true, true},
		{0xc02f, 0x0017, 0x0403, 0, false, false}, /* suites of RSA only */
		{0xc02f, 0x0017, 0x0403, 0x0304, true, false},
		{0xc02b, 0x001d, 0x0403, 0, false, false}, /* another curve only */
		{0xc02b, 0x001d, 0x0403, 0x0304, true, false},
		{0xc02b, 0x0017, 0x0804, 0, false, false},
		{0xc02b, 0x0017, 0x0804, 0x0304, false, false},
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct span   text;
		struct answer a;
		e.n = 0;
		put_numbers(&e, 10, (const unsigned[]){0x2a2a, rows[i].group}, 2);
		put_numbers(&e, 13, (const unsigned[]){0x0401, rows[i].signature}, 2);
		if (rows[i].version)
			put_extension(&e, 43, span_of((const char[]){2, (char)(rows[i].version >> 8), (char)rows[i].version}, 3));
		make_message(&m, &e);
		m.b[m.n - e.n - 2 - 2 - 2] = (uint8_t)(rows[i].suite >> 8); /* the last suite */
		m.b[m.n - e.n - 2 - 2 - 1] = (uint8_t)rows[i].suite;
		text = in_records(&m, 16384);
		a = parse(text);
		block_free(text);
		assert_int_equal(a.result, PARSE_OK);
		if (a.h.ecdsa != rows[i].ecdsa || a.h.ecdsa_12 != rows[i].ecdsa_12)
			print_message("row %zu\n", i);
		assert_int_equal(a.h.ecdsa, rows[i].ecdsa);
		assert_int_equal(a.h.ecdsa_12, rows[i].ecdsa_12);
	}
}

/* The guard reads names: what is odd elsewhere is left to the server. */
static void
test_groups_and_signatures_that_are_no_vector_are_left_to_the_server(void **state)
{
	static struct maker      e, m;
	static const struct span rows[] = {{"", 0}, {"\0", 1}, {"\0\x09\0\x17", 4}, {"\0\2\0\x17\0", 5}};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++)
		for (unsigned type = 10; type <= 13; type += 3) {
			struct span text;
			e.n = 0;
			put_extension(&e, type, rows[i]);
			put_sni(&e, SPAN("a.example"));
			make_message(&m, &e);
			text = in_records(&m, 16384);
			assert_int_equal(parse(text).result, PARSE_OK);
			block_free(text);
		}
}

static void
test_protocols_are_known_also_where_the_text_is_cut(void **state)
{
	static struct maker e, m;
	static const struct {
		struct span list;
		bool        any, h2, http11;
	} rows[] = {
		{SPAN("\2h2"), true, true, false},
		{SPAN("\x08http/1.1"), true, false, true},
		{SPAN("\x02\x0a\x0a"), true, false, false},
		{SPAN("\x02H2\x03h2c\x08http/1.0"), true, false, false},
		{SPAN("\x3c" "123456789012345678901234567890123456789012345678901234567890" "\x0c" "abcdefghijkl" "\x02h2\x08http/1.1"), true, true, true},
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct span   text;
		struct answer a;
		e.n = 0;
		put_int(&e, 16, 2);
		put_int(&e, (unsigned)rows[i].list.n + 2, 2);
		put_int(&e, (unsigned)rows[i].list.n, 2);
		put(&e, rows[i].list.p, rows[i].list.n);
		make_message(&m, &e);
		text = in_records(&m, 16384);
		a = parse(text);
		block_free(text);
		assert_int_equal(a.result, PARSE_OK);
		assert_int_equal(a.h.has_alpn, rows[i].any);
		assert_int_equal(a.h.alpn_h2, rows[i].h2);
		assert_int_equal(a.h.alpn_http11, rows[i].http11);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_hello_like_a_browsers_is_read),
		cmocka_unit_test(test_a_hello_without_name_or_extensions_is_read),
		cmocka_unit_test(test_server_names_are_canonical_or_refused),
		cmocka_unit_test(test_extensions_that_two_servers_could_read_differently_are_refused),
		cmocka_unit_test(test_alpn_is_cut_to_fit_and_kept_printable),
		cmocka_unit_test(test_protocols_are_known_also_where_the_text_is_cut),
		cmocka_unit_test(test_who_can_be_shown_an_ecdsa_certificate_is_known),
		cmocka_unit_test(test_groups_and_signatures_that_are_no_vector_are_left_to_the_server),
		cmocka_unit_test(test_what_is_not_tls_is_told_apart_at_once),
		cmocka_unit_test(test_lengths_that_disagree_are_refused),
		cmocka_unit_test(test_bytes_in_the_next_record_are_left_alone),
		cmocka_unit_test(test_post_quantum_sized_hellos_pass_up_to_the_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
