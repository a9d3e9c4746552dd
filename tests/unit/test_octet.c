/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "parse/octet.h"
#include "block.h"

static bool
one_of(const char *set, unsigned c)
{
	return c != 0 && strchr(set, (int)c) != NULL;
}

#define ALPHAS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

static void
test_classes_are_those_of_the_rfcs(void **state)
{
	(void)state;
	for (unsigned c = 0; c < 256; c++) {
		bool text = c == '\t' || c == ' ' || (c > 0x20 && c < 0x7f) || c >= 0x80;
		assert_int_equal(octet_is((char)c, OCTET_TOKEN), one_of(ALPHAS DIGITS "!#$%&'*+-.^_`|~", c));
		assert_int_equal(octet_is((char)c, OCTET_TEXT), text);
		assert_int_equal(octet_is((char)c, OCTET_QUOTED), text && c != '"' && c != '\\');
		assert_int_equal(octet_is((char)c, OCTET_DIGIT), one_of(DIGITS, c));
		assert_int_equal(octet_is((char)c, OCTET_ALPHA), one_of(ALPHAS, c));
		assert_int_equal(octet_is((char)c, OCTET_HEX), one_of(DIGITS "abcdefABCDEF", c));
		assert_int_equal(octet_is((char)c, OCTET_NAME), one_of(ALPHAS DIGITS "-_.", c));
		assert_int_equal(octet_is((char)c, OCTET_URL), one_of(ALPHAS DIGITS "-._~!$&'()*+,;=:@/?[]|^`{}", c));
		if (octet_is((char)c, OCTET_HEX)) {
			char digit[] = {(char)c, '\0'};
			assert_int_equal(octet_hex((char)c), strtoul(digit, NULL, 16));
		}
	}
}

static bool
is_control(unsigned c)
{
	return c < 0x20 || c == 0x7f;
}

static bool
is_invisible(unsigned c)
{
	return c < 0x21 || c > 0x7e;
}

/* The first byte for which `is` holds, found the slow way. */
static size_t
first(struct span s, bool (*is)(unsigned))
{
	size_t i = 0;

	while (i < s.n && !is((unsigned char)s.p[i]))
		i++;
	return i;
}

static void
test_searches_stop_where_a_slow_one_does(void **state)
{
	static const unsigned char others[] = {'a', 0x00, 0x20, 0x21, 0x7e, 0x7f, 0x80, 0xff};

	(void)state;
	/* each byte at each place of a block, with each of a few behind it, which a borrow could touch */
	for (size_t n = 0; n <= 18; n++)
		for (size_t at = 0; at < n; at++)
			for (unsigned c = 0; c < 256; c++)
				for (size_t k = 0; k < ROWS(others); k++) {
					char        text[18];
					struct span s;
					memset(text, 'x', n);
					text[at] = (char)c;
					if (at + 1 < n)
						text[at + 1] = (char)others[k];
					s = block_of(text, n);
					assert_int_equal(octet_find_control(s.p, s.p + n) - s.p, first(s, is_control));
					assert_int_equal(octet_find_invisible(s.p, s.p + n) - s.p, first(s, is_invisible));
					block_free(s);
				}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_classes_are_those_of_the_rfcs),
		cmocka_unit_test(test_searches_stop_where_a_slow_one_does),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
