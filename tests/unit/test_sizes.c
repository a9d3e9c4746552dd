/* SPDX-License-Identifier: MIT */
/* What an idle tunnel keeps, for there are thousands of them: whoever adds a field sees it here, and may find that a pointer, or a hole, does as well. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "session/origin.h"
#include "session/session.h"

static void
test_an_idle_tunnel_stays_small(void **state)
{
	(void)state;
	if (sizeof(void *) != 8)
		skip();
	assert_in_range(sizeof(struct watch), 1, 48);
	assert_in_range(sizeof(struct side), 1, 64);
	assert_in_range(sizeof(struct lane), 1, 32);
	assert_in_range(sizeof(struct origin), 1, 216);
	assert_in_range(sizeof(struct session), 1, 440);
	assert_in_range(sizeof(struct record), 1, 176);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_idle_tunnel_stays_small),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
