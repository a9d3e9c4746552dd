/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <wctype.h>

#include "match/fold.h"

#define N(a) (sizeof(a) / sizeof *(a))

static void
test_names_are_compared_without_case(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{"", ""}, {"CORP\\Alice-9$", "corp\\alice-9$"}, {"STRÖM", "ström"}, {"ÀÖØÞ×÷", "àöøþ×÷"}, {"ŁÓDŹ", "łódź"}, {"ŸŽĹ", "ÿžĺ"}, {"ΑΣΩ ΆΈΌΏ", "ασω άέόώ"},
		{"ΟΔΟΣ", "οδοσ"}, {"οδος", "οδοσ"}, {"ЁЖЯҐӀӁ", "ёжяґӏӂ"}, {"ԱՖ", "աֆ"}, {"VIỆT ẠỸ", "việt ạỹ"}, {"ß", "ß"}, {"日本", "日本"}, {"😀A", "😀a"},
		/* what is no UTF-8 stays */
		{"A\xc3", "a\xc3"}, {"\xc3" "A", "\xc3" "a"}, {"\xe1\xba" "A", "\xe1\xba" "a"}, {"\xff\xfe\x80", "\xff\xfe\x80"}, {"\xc0\x80", "\xc0\x80"},
	};
	(void)state;
	for (size_t i = 0; i < N(rows); i++)
		for (size_t n = 0; n <= strlen(rows[i].in); n++) {
			char *in = malloc(n ? n : 1), *out = malloc(n ? n : 1);
			assert_true(in && out);
			memcpy(in, rows[i].in, n);
			name_fold(span_of(in, n), out);
			if (n == strlen(rows[i].in))
				assert_memory_equal(out, rows[i].out, n);
			name_fold(span_of(in, n), in);
			assert_memory_equal(in, out, n);
			name_fold(span_of(out, n), in);
			assert_memory_equal(in, out, n);
			free(in);
			free(out);
		}
}

/* Every letter that is folded at all is folded as the C library does, where that knows (a locale of UTF-8 is there). */
static void
test_letters_are_folded_as_the_c_library_does(void **state)
{
	unsigned seen = 0;

	(void)state;
	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		skip();
	for (unsigned c = 0x80; c < 0x2000; c++) {
		char     in[3], out[3];
		size_t   n = c < 0x800 ? 2 : 3;
		unsigned got;
		in[0] = (char)(n == 2 ? 0xc0 | c >> 6 : 0xe0 | c >> 12);
		in[1] = (char)(0x80 | (c >> (n == 2 ? 0 : 6) & 0x3f));
		in[2] = (char)(0x80 | (c & 0x3f));
		name_fold(span_of(in, n), out);
		got = n == 2 ? ((unsigned)out[0] & 0x1f) << 6 | ((unsigned)out[1] & 0x3f)
		             : ((unsigned)out[0] & 0xf) << 12 | ((unsigned)out[1] & 0x3f) << 6 | ((unsigned)out[2] & 0x3f);
		if (got == c || c == 0x3c2)
			continue;
		if (got != (unsigned)towlower((wint_t)c))
			fail_msg("U+%04X becomes U+%04X, not U+%04X", c, got, (unsigned)towlower((wint_t)c));
		seen++;
	}
	assert_true(seen > 450);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_are_compared_without_case),
		cmocka_unit_test(test_letters_are_folded_as_the_c_library_does),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
