/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "parse/proxy_header.h"
#include "block.h"

#define SIG    "\r\n\r\n\0\r\nQUIT\n"
#define V4     "\x0a\x01\x02\x03\x0a\x00\x00\x01\x30\x39\x01\xbb" /* 10.1.2.3:12345 to 10.0.0.1:443 */
#define V6     "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x30\x39\x01\xbb"
#define BYTES8 "01234567"
#define PATH   BYTES8 BYTES8 BYTES8 BYTES8 BYTES8 BYTES8 BYTES8 BYTES8 BYTES8 BYTES8 BYTES8 BYTES8 BYTES8 "0123"
#define FFFF   "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"

struct row {
	struct span       in;
	enum parse_result want;
	size_t            used; /* OK: of it */
	const char       *from, *to; /* OK: null: nobody's */
};

#define OK_ALL(lit, from, to) {TEXT(lit), PARSE_OK, sizeof(lit) - 1, from, to}
#define BAD(lit) {TEXT(lit), PARSE_BAD, 0, NULL, NULL}
#define MORE(lit) {TEXT(lit), PARSE_MORE, 0, NULL, NULL}

static const struct row rows[] = {
	/* version 1 */
	OK_ALL("PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n", "192.168.0.1:56324", "192.168.0.11:443"),
	OK_ALL("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "255.255.255.255:65535", "255.255.255.255:65535"),
	OK_ALL("PROXY TCP4 1.2.3.4 5.6.7.8 0 0\r\n", "1.2.3.4:0", "5.6.7.8:0"),
	OK_ALL("PROXY TCP6 2001:db8::7 2001:DB8::1 12345 443\r\n", "[2001:db8::7]:12345", "[2001:db8::1]:443"),
	OK_ALL("PROXY TCP6 " FFFF " " FFFF " 65535 65535\r\n", "[" FFFF "]:65535", "[" FFFF "]:65535"),
	OK_ALL("PROXY TCP6 ::ffff:1.2.3.4 ::ffff:5.6.7.8 1 2\r\n", "1.2.3.4:1", "5.6.7.8:2"),
	OK_ALL("PROXY UNKNOWN\r\n", NULL, NULL),
	OK_ALL("PROXY UNKNOWN " FFFF " " FFFF " 65535 65535\r\n", NULL, NULL), /* 107 bytes */
	OK_ALL("PROXY UNKNOWN whatever \x01 it is\r\n", NULL, NULL),
	{TEXT("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\nGET / HTTP/1.1\r\n"), PARSE_OK, 32, "1.2.3.4:1", "5.6.7.8:2"},
	{TEXT("PROXY UNKNOWN\r\n\r\n"), PARSE_OK, 15, NULL, NULL},
	BAD("PROXY UNKNOWN 1" FFFF " " FFFF " 65535 65535\r\n"), /* 108 */
	BAD("PROXY UNKNOWN\n\r\n"),
	BAD("PROXY UNKNOWN\rX"),
	BAD("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n"),
	BAD("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\0"),
	BAD("PROXY  TCP4 1.2.3.4 5.6.7.8 1 2\r\n"),
	BAD("PROXY TCP4  1.2.3.4 5.6.7.8 1 2\r\n"),
	BAD("PROXY TCP4 1.2.3.4 5.6.7.8 1 2 \r\n"),
	BAD("PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n"),
	BAD("PROXY TCP4 1.2.3.4 5.6.7.8 1 \r\n"),
	BAD("PROXY TCP4 1.2.3.4 5.6.7.8\r\n"),
	BAD("PROXY TCP4\r\n"),
	BAD("PROXY \r\n"),
	BAD("PROXY TCP4 1.2.3.4 5.6.7.8 01 2\r\n"),
	BAD("PROXY TCP4 1.2.3.4 5.6.7.8 65536 2\r\n"),
	BAD("PROXY TCP4 1.2.3.4 5.6.7.8 +1 2\r\n"),
	BAD("PROXY TCP4 01.2.3.4 5.6.7.8 1 2\r\n"),
	BAD("PROXY TCP4 1.2.3.256 5.6.7.8 1 2\r\n"),
	BAD("PROXY TCP4 2001:db8::7 2001:db8::1 1 2\r\n"),
	BAD("PROXY TCP6 1.2.3.4 5.6.7.8 1 2\r\n"),
	BAD("PROXY TCP6 2001:db8::7 5.6.7.8 1 2\r\n"),
	BAD("PROXY TCP6 [2001:db8::7] ::1 1 2\r\n"),
	BAD("PROXY TCP5 1.2.3.4 5.6.7.8 1 2\r\n"),
	BAD("PROXY tcp4 1.2.3.4 5.6.7.8 1 2\r\n"),
	BAD("PROXY UNKNOWNS\r\n"),
	BAD("proxy TCP4 1.2.3.4 5.6.7.8 1 2\r\n"),
	BAD("PROXYTCP4"),
	BAD("GET / HTTP/1.1\r\n"),
	BAD("CONNECT a:443"),
	BAD("\x16\x03\x01"),
	/* version 2 */
	OK_ALL(SIG "\x20\x00\x00\x00", NULL, NULL),
	OK_ALL(SIG "\x20\x11\x00\x0c" V4, NULL, NULL), /* LOCAL: whatever it says */
	OK_ALL(SIG "\x20\xff\x00\x03zzz", NULL, NULL),
	OK_ALL(SIG "\x21\x00\x00\x00", NULL, NULL),
	OK_ALL(SIG "\x21\x00\x00\x05zzzzz", NULL, NULL),
	OK_ALL(SIG "\x21\x11\x00\x0c" V4, "10.1.2.3:12345", "10.0.0.1:443"),
	OK_ALL(SIG "\x21\x21\x00\x24" V6, "[2001:db8::7]:12345", "[2001:db8::1]:443"),
	OK_ALL(SIG "\x21\x12\x00\x0c" V4, NULL, NULL), /* UDP: as unspecified */
	OK_ALL(SIG "\x21\x10\x00\x0c" V4, NULL, NULL),
	OK_ALL(SIG "\x21\x31\x00\xd8" PATH PATH, NULL, NULL),
	OK_ALL(SIG "\x21\x11\x00\x13" V4 "\x04\x00\x04" "abcd", "10.1.2.3:12345", "10.0.0.1:443"),
	OK_ALL(SIG "\x21\x11\x00\x12" V4 "\x04\x00\x00\xea\x00\x00", "10.1.2.3:12345", "10.0.0.1:443"),
	OK_ALL(SIG "\x21\x11\x00\x13" V4 "\x03\x00\x04" "\x4b\xe1\xd1\x9f", "10.1.2.3:12345", "10.0.0.1:443"),
	{TEXT(SIG "\x21\x11\x00\x0c" V4 "\x16\x03\x01"), PARSE_OK, 28, "10.1.2.3:12345", "10.0.0.1:443"},
	BAD(SIG "\x21\x11\x00\x13" V4 "\x03\x00\x04" "\x4b\xe1\xd1\x9e"),
	BAD(SIG "\x21\x11\x00\x12" V4 "\x03\x00\x03" "\xce\x0b\x83"),
	BAD(SIG "\x21\x11\x00\x0b" "\x0a\x01\x02\x03\x0a\x00\x00\x01\x30\x39\x01"),
	BAD(SIG "\x21\x21\x00\x0c" V4),
	BAD(SIG "\x21\x31\x00\x0c" V4),
	BAD(SIG "\x21\x11\x00\x0e" V4 "\x04\x00"),
	BAD(SIG "\x21\x11\x00\x10" V4 "\x04\x00\x02" "a"),
	BAD(SIG "\x21\x11\x0f\xf1"), /* 4097 bytes in all */
	MORE(SIG "\x21\x11\x0f\xf0"),
	BAD(SIG "\x21\x11\xff\xff"),
	BAD(SIG "\x21\x41"),
	BAD(SIG "\x21\x13"),
	BAD(SIG "\x22"),
	BAD(SIG "\x11"),
	BAD(SIG "\x31"),
	BAD("\r\n\r\n\0\r\nQUIT\r"),
	BAD("\r\n\r\nG"),
};

static void
check(const struct row *row, size_t n)
{
	struct span         in = block_of(row->in.p, n);
	struct proxy_header h;
	size_t              used = 0;
	enum parse_result   got = proxy_header_parse(in, &h, &used);
	char                text[ENDPOINT_TEXT_MAX];

	if (row->want == PARSE_OK && n >= row->used) {
		assert_int_equal(got, PARSE_OK);
		assert_int_equal(used, row->used);
		assert_int_equal(h.has_client, row->from != NULL);
		if (row->from) {
			endpoint_print(&h.from, text);
			assert_string_equal(text, row->from);
			endpoint_print(&h.to, text);
			assert_string_equal(text, row->to);
		}
	} else if (n == row->in.n) {
		assert_int_equal(got, row->want);
	} else {
		/* a prefix of what is wrong may be found wrong already; none of what is right may be */
		assert_true(got == PARSE_MORE || (got == PARSE_BAD && row->want == PARSE_BAD));
	}
	block_free(in);
}

static void
test_every_prefix(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++)
		for (size_t n = 0; n <= rows[i].in.n; n++)
			check(&rows[i], n);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_prefix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
