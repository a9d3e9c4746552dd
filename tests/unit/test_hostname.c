/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "parse/hostname.h"
#include "block.h"

/* how many code points the exhaustive test goes through: the basic plane and one with emoji, mathematical letters and digits */
#define CHARACTERS 0x20000

#define L63 "abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0"
#define N253 L63 "." L63 "." L63 "." "abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxy"

static void
check(struct span text, bool good, enum host_kind kind, const char *out)
{
	struct span b = block_of(text.p, text.n);
	struct host h, again;
	bool        ok = host_parse(b, &h), canonical = hostname_is_canonical(b);

	if (ok != good)
		print_message("%.*s\n", SPAN_ARG(text));
	assert_int_equal(ok, good);
	if (ok) {
		assert_string_equal(h.text, out);
		assert_int_equal(h.n, strlen(out));
		assert_int_equal(h.kind, kind);
		/* canonical of canonical is itself */
		if (kind == HOST_NAME) {
			assert_true(host_parse(host_span(&h), &again));
			assert_int_equal(again.kind, kind);
			assert_string_equal(again.text, h.text);
		}
	}
	/* never a yes for what would change or be refused */
	if (canonical)
		assert_true(ok && kind == HOST_NAME && span_eq(text, host_span(&h)));
	if (ok && kind == HOST_NAME && span_eq(text, host_span(&h)) && !strstr(out, "xn--"))
		assert_true(canonical);
	block_free(b);
}

static void
test_names_have_one_spelling(void **state)
{
	static const struct {
		struct span text;
		const char *out;
	} rows[] = {
		{TEXT("a.example"), "a.example"}, {TEXT("V10.Events.DATA.microsoft.com"), "v10.events.data.microsoft.com"},
		{TEXT("a.example."), "a.example"}, {TEXT("localhost"), "localhost"}, {TEXT("_dmarc.a_b.example"), "_dmarc.a_b.example"},
		{TEXT("r3---sn-x.example"), "r3---sn-x.example"}, {TEXT("1.example"), "1.example"}, {TEXT("0x7f.example"), "0x7f.example"},
		{TEXT("1.2.3.4.example"), "1.2.3.4.example"}, {TEXT("0xg"), "0xg"}, {TEXT("1a"), "1a"}, {TEXT("a.1a"), "a.1a"}, {TEXT("x0"), "x0"},
		{TEXT("0y1"), "0y1"}, {TEXT("a.0z"), "a.0z"}, {TEXT(L63 ".example"), L63 ".example"}, {TEXT(N253), N253}, {TEXT(N253 "."), N253},
		/* IDNA2008 by UTS 46, non-transitional */
		{TEXT("b\xc3\xbc" "cher.example"), "xn--bcher-kva.example"}, {TEXT("B\xc3\x9c" "CHER.Example."), "xn--bcher-kva.example"},
		{TEXT("xn--bcher-kva.example"), "xn--bcher-kva.example"}, {TEXT("XN--BCHER-KVA.example"), "xn--bcher-kva.example"},
		{TEXT("fa\xc3\x9f.example"), "xn--fa-hia.example"}, {TEXT("stra\xc3\x9f" "e"), "xn--strae-oqa"},
		{TEXT("bu\xcc\x88" "cher.example"), "xn--bcher-kva.example"},
		{TEXT("a\xe3\x80\x82" "example"), "a.example"}, {TEXT("a\xef\xbc\x8e" "example\xef\xbd\xa1"), "a.example"},
		{TEXT("\xef\xbd\x81\xef\xbc\xa2.example"), "ab.example"}, {TEXT("a\xc2\xad" "b.example"), "ab.example"},
		{TEXT("\xe4\xbe\x8b\xe3\x81\x88.\xe3\x83\x86\xe3\x82\xb9\xe3\x83\x88"), "xn--r8jz45g.xn--zckzah"},
		{TEXT("\xe2\x92\xb6.example"), "a.example"},
	};
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++)
		check(rows[i].text, true, HOST_NAME, rows[i].out);
}

static void
test_addresses_are_told_from_names(void **state)
{
	static const struct {
		struct span text;
		const char *out;
	} rows[] = {
		{TEXT("127.0.0.1"), "127.0.0.1"}, {TEXT("127.0.0.1."), "127.0.0.1"}, {TEXT("255.255.255.255"), "255.255.255.255"},
		{TEXT("[::1]"), "::1"}, {TEXT("[2001:DB8:0:0::1]"), "2001:db8::1"}, {TEXT("[::ffff:10.0.0.1]"), "10.0.0.1"}, {TEXT("[::ffff:a00:1]"), "10.0.0.1"},
		{TEXT("[::]"), "::"}, {TEXT("\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1"), "127.0.0.1"}, {TEXT("127\xe3\x80\x82" "0.0.1"), "127.0.0.1"},
		{TEXT("\xe2\x91\xa0.2.3.4"), "1.2.3.4"},
	};
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++)
		check(rows[i].text, true, HOST_ADDR, rows[i].out);
}

static void
test_what_is_no_host_is_refused(void **state)
{
	static const struct span rows[] = {
		TEXT(""), TEXT("."), TEXT(".."), TEXT(".a"), TEXT("a..b"), TEXT("a.."), TEXT("-a"), TEXT("a-"), TEXT("a.-b.c"), TEXT("a.b-.c"), TEXT("-"),
		TEXT(L63 "x"), TEXT(L63 "x.example"), TEXT("x" N253), TEXT(N253 ".."), TEXT(N253 "." L63),
		TEXT("a b"), TEXT("a\tb"), TEXT("a\0b"), TEXT("a.example\0"), TEXT("a/b"), TEXT("a:1"), TEXT("a@b"), TEXT("a%62"), TEXT("%61"), TEXT("a*"), TEXT("*.a"),
		TEXT("a,b"), TEXT("a\\b"), TEXT("a[b"), TEXT("a\x7f"), TEXT("\r\n"),
		/* traps: what inet_aton or a URL library reads as an address */
		TEXT("127.1"), TEXT("127.0.1"), TEXT("0x7f.1"), TEXT("0x7f000001"), TEXT("0X7F.0.0.1"), TEXT("2130706433"), TEXT("017700000001"), TEXT("010.0.0.1"),
		TEXT("0"), TEXT("1.2.3"), TEXT("1.2.3.4.5"), TEXT("256.0.0.1"), TEXT("1.2.3.0x4"), TEXT("a.0x"), TEXT("a.1"), TEXT("a.example.123"), TEXT("127.0.0.01"),
		TEXT("0x"), TEXT("1.2.3.0xFf"), TEXT("127.1."), TEXT("\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.1"), TEXT("0\xef\xbd\x98" "7f.1"),
		/* literals */
		TEXT("::1"), TEXT("[::1"), TEXT("::1]"), TEXT("[]"), TEXT("["), TEXT("[:]"), TEXT("[127.0.0.1]"), TEXT("[a]"), TEXT("[::1%eth0]"), TEXT("[fe80::1%251]"),
		TEXT("[v1.a:b]"), TEXT("[::1]x"), TEXT("[::1]."), TEXT("[[::1]]"), TEXT("[ ::1]"), TEXT("[::1\0]"),
		/* IDNA */
		TEXT("xn--"), TEXT("xn--a"), TEXT("xn--a-.example"), TEXT("xn--\xc3\xbc"), TEXT("\xff.example"), TEXT("\xc3"), TEXT("b\xc3\xbc\0"), TEXT("a\xef\xbc\x8f" "b"),
		TEXT("a\xef\xbc\xa0" "b.example"), TEXT("\xcc\x88" "a.example"), TEXT("\xed\xa0\x80.example"), TEXT("xn--abc-.example"),
		TEXT("a\xe3\x80\x82\xe3\x80\x82" "b"), TEXT("\xc3\xbc..example"), TEXT("\xc3\xbc-.example"), TEXT("-\xc3\xbc.example"), TEXT("xn--fa-hia\xc3\xbc"),
		TEXT("\xc3\xbc.\xe3\x80\x82"), TEXT("\xc2\xad"), TEXT("xn--example-.com"), TEXT("xn--zz9999.example"),
	};
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++)
		check(rows[i], false, HOST_NAME, NULL);
}

static void
test_long_input_is_refused_early_or_mapped(void **state)
{
	char        big[3000];
	struct host h;

	(void)state;
	memset(big, 'a', sizeof big);
	assert_false(host_parse(span_of(big, sizeof big), &h));
	for (size_t i = 0; i < sizeof big; i += 2)
		memcpy(big + i, "\xc3\xbc", 2);
	assert_false(host_parse(span_of(big, sizeof big), &h));
	assert_false(host_parse(span_of(big, 1024), &h));
	/* soft hyphens vanish: 300 bytes shrink to a short name */
	for (size_t i = 0; i < 300; i += 3)
		memcpy(big + i, i < 150 ? "\xc2\xad" "a" : "\xc2\xad.", 3);
	memcpy(big + 150, "\xc2\xad.\xc2\xad" "b", 6);
	assert_true(host_parse(span_of(big, 156), &h));
	memset(big, 'a', 260);
	memcpy(big + 258, "\xc2\xad", 2);
	assert_false(host_parse(span_of(big, 260), &h));
}

static size_t
utf8_put(char *p, unsigned c)
{
	if (c < 0x800) {
		p[0] = (char)(0xc0 | c >> 6);
		p[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		p[0] = (char)(0xe0 | c >> 12);
		p[1] = (char)(0x80 | (c >> 6 & 0x3f));
		p[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	p[0] = (char)(0xf0 | c >> 18);
	p[1] = (char)(0x80 | (c >> 12 & 0x3f));
	p[2] = (char)(0x80 | (c >> 6 & 0x3f));
	p[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

static void
test_no_character_leads_to_a_spelling_that_changes_again(void **state)
{
	static const char *const around[][2] = {{"", ""}, {"a", "1.x"}, {"1.2.3.", ""}};

	(void)state;
	for (unsigned c = 0x80; c < CHARACTERS; c++) {
		struct host h, again;
		char        text[16];
		size_t      n;

		strcpy(text, around[c % 3][0]);
		n = strlen(text);
		n += utf8_put(text + n, c);
		strcpy(text + n, around[c % 3][1]);
		n += strlen(around[c % 3][1]);
		if (!host_parse(span_of(text, n), &h))
			continue;
		if (h.kind == HOST_ADDR) {
			assert_true(memcmp(h.text, "1.2.3.", 6) == 0);
			continue;
		}
		for (size_t i = 0; i < h.n; i++)
			assert_non_null(strchr("abcdefghijklmnopqrstuvwxyz0123456789-_.", h.text[i]));
		assert_true(host_parse(host_span(&h), &again));
		assert_int_equal(again.kind, HOST_NAME);
		assert_string_equal(again.text, h.text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_have_one_spelling),
		cmocka_unit_test(test_addresses_are_told_from_names),
		cmocka_unit_test(test_what_is_no_host_is_refused),
		cmocka_unit_test(test_no_character_leads_to_a_spelling_that_changes_again),
		cmocka_unit_test(test_long_input_is_refused_early_or_mapped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
