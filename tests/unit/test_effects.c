/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "session/effects.h"

static void
test_fields_that_are_set_or_removed_go_and_no_others(void **state)
{
	static const struct {
		const char *set, *removed, *name;
		bool        drop;
	} rows[] = {
		{"", "", "x", false}, {"X-A: 1\r\n", "", "x-a", true}, {"X-A: 1\r\n", "", "X-A", true}, {"X-A: 1\r\n", "", "x", false}, {"X-A: 1\r\n", "", "x-ab", false},
		{"X-A: X-B: 2\r\n", "", "x-b", false}, {"X-A: 1\r\nX-B: 2\r\n", "", "x-b", true}, {"X-A: 1\r\nX-B: 2\r\n", "", "b", false},
		{"", "x-a,", "X-A", true}, {"", "x-a,x-b,", "x-b", true}, {"", "x-a,x-b,", "x-", false}, {"", "x-a,x-b,", "a", false}, {"", "x-a,", "x-a-b", false},
		{"X-A: 1\r\n", "x-b,", "X-B", true}, {"X-A: x-c,\r\n", "", "x-c", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (effects_drop(span_str(rows[i].set), span_str(rows[i].removed), span_str(rows[i].name)) != rows[i].drop)
			fail_msg("row %zu", i);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_fields_that_are_set_or_removed_go_and_no_others)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
