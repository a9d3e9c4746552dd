/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "auth/contexts.h"

static unsigned dropped;

static void
drop(void *context)
{
	(*(int *)context)++;
	dropped++;
}

static struct addr
client(uint32_t n)
{
	return addr_from_v4(0x0a000000u + n);
}

static void
test_what_is_kept_is_found_once_by_its_client(void **state)
{
	struct contexts *c = contexts_new(drop);
	struct addr      alice = client(1), other = client(2);
	int              x = 0;
	uint64_t         handle;

	(void)state;
	assert_non_null(c);
	handle = contexts_put(c, &alice, 1, &x);
	assert_int_not_equal(handle, 0);
	assert_null(contexts_take(c, handle, &other, 2));
	assert_null(contexts_take(c, handle + 1, &alice, 2));
	assert_null(contexts_take(c, 0, &alice, 2));
	assert_ptr_equal(contexts_take(c, handle, &alice, 1 + CONTEXTS_KEEP_US), &x);
	assert_null(contexts_take(c, handle, &alice, 3));
	contexts_free(c);
	assert_int_equal(x, 0);
}

static void
test_what_is_too_old_is_given_up(void **state)
{
	struct contexts *c = contexts_new(drop);
	struct addr      alice = client(1);
	int              taken = 0, swept = 0, left = 0;
	uint64_t         handle;

	(void)state;
	assert_non_null(c);
	handle = contexts_put(c, &alice, 1, &taken);
	assert_null(contexts_take(c, handle, &alice, 2 + CONTEXTS_KEEP_US));
	assert_int_equal(taken, 1);
	contexts_put(c, &alice, 1, &swept);
	contexts_put(c, &alice, 2 + CONTEXTS_KEEP_US, &left);
	assert_int_equal(swept, 1);
	assert_int_equal(left, 0);
	contexts_free(c);
	assert_int_equal(left, 1);
}

static void
test_a_full_table_gives_up_the_oldest_and_one_client_its_own(void **state)
{
	struct contexts *c = contexts_new(drop);
	int              many[CONTEXTS_MAX + 1] = {0}, greedy[CONTEXTS_MAX] = {0};
	struct addr      glutton = client(9999);

	(void)state;
	assert_non_null(c);
	for (unsigned i = 0; i < CONTEXTS_MAX - CONTEXTS_MAX_CLIENT; i++) {
		struct addr a = client(i);
		assert_int_not_equal(contexts_put(c, &a, i, &many[i]), 0);
	}
	for (unsigned i = 0; i < CONTEXTS_MAX; i++)
		assert_int_not_equal(contexts_put(c, &glutton, 1000 + i, &greedy[i]), 0);
	for (unsigned i = 0; i < CONTEXTS_MAX; i++)
		assert_int_equal(greedy[i], i < CONTEXTS_MAX - CONTEXTS_MAX_CLIENT);
	for (unsigned i = 0; i < CONTEXTS_MAX; i++)
		assert_int_equal(many[i], 0);
	/* all places are taken: another one's oldest goes now */
	struct addr last = client(7777);
	assert_int_not_equal(contexts_put(c, &last, 5000, &many[CONTEXTS_MAX]), 0);
	assert_int_equal(many[0], 1);
	assert_int_equal(many[1], 0);
	dropped = 0;
	contexts_free(c);
	assert_int_equal(dropped, CONTEXTS_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_kept_is_found_once_by_its_client),
		cmocka_unit_test(test_what_is_too_old_is_given_up),
		cmocka_unit_test(test_a_full_table_gives_up_the_oldest_and_one_client_its_own),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
