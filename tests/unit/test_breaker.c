/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "auth/breaker.h"
#include "block.h"

#define S 1000000u

/* One thing after the other: 'g' a good answer, 'b' a bad one, 't' trip, 'r' the probe said nothing, 'y', 'p', 'n' the answer that asking gives. */
static const struct {
	uint64_t at_us;
	char     what;
	bool     turned;
} rows[] = {
	{0, 'y', false}, {0, 'b', false}, {0, 'b', false}, {0, 'b', false}, {0, 'b', false}, {0, 'g', false}, /* a good one begins the row anew */
	{1, 'b', false}, {1, 'b', false}, {1, 'b', false}, {1, 'b', false}, {1, 'y', false}, {1, 'b', true},
	{1, 'n', false}, {1, 'b', false}, {S, 'n', false}, {S + 1, 'p', false}, {S + 1, 'n', false}, {S + 2, 'b', false}, /* one probe at a time */
	{3 * S + 1, 'n', false}, {3 * S + 2, 'p', false}, {3 * S + 2, 'r', false}, {3 * S + 3, 'p', false}, {3 * S + 3, 'b', false}, /* 2 s, then 4 */
	{7 * S + 2, 'n', false}, {7 * S + 3, 'p', false}, {7 * S + 3, 'b', false}, {15 * S + 3, 'p', false}, {15 * S + 3, 'b', false},
	{31 * S + 3, 'p', false}, {31 * S + 3, 'b', false}, {61 * S + 2, 'n', false}, {61 * S + 3, 'p', false}, {61 * S + 3, 'b', false}, /* 30 at most */
	{91 * S + 2, 'n', false}, {91 * S + 3, 'p', false}, {92 * S, 'g', true}, {92 * S, 'y', false}, {92 * S, 'g', false},
	{93 * S, 't', true}, {93 * S, 't', false}, {94 * S - 1, 'n', false}, {94 * S - 1, 'g', true}, {94 * S, 'y', false}, /* late, and welcome */
	{95 * S, 't', true}, {96 * S - 1, 'n', false}, {96 * S, 'p', false}, /* 1 s again */
};

static void
test_the_breaker_opens_probes_and_closes(void **state)
{
	struct breaker b = {0};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		uint64_t now = rows[i].at_us;
		bool     turned = false;
		print_message("row %zu: %c\n", i, rows[i].what);
		switch (rows[i].what) {
		case 'g':
		case 'b':
			turned = breaker_note(&b, rows[i].what == 'g', now);
			break;
		case 't':
			turned = breaker_trip(&b, now);
			break;
		case 'r':
			breaker_retry(&b, now);
			break;
		default:
			assert_int_equal(breaker_ask(&b, now), rows[i].what == 'y' ? BREAKER_YES : rows[i].what == 'p' ? BREAKER_PROBE : BREAKER_NO);
			break;
		}
		assert_int_equal(turned, rows[i].turned);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_breaker_opens_probes_and_closes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
