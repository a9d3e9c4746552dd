/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include "tls/lru.h"

#define VALUES 64u

static unsigned dropped[VALUES];

static void
drop(void *value)
{
	++*(unsigned *)value;
}

static void
key_of(unsigned i, uint8_t key[LRU_KEY])
{
	memset(key, (int)i, LRU_KEY);
	key[0] = 0; /* alike where a lazy hash would look */
}

static void
put(struct lru *l, unsigned i)
{
	uint8_t key[LRU_KEY];

	key_of(i, key);
	lru_put(l, key, &dropped[i]);
}

static bool
has(struct lru *l, unsigned i)
{
	uint8_t key[LRU_KEY];

	key_of(i, key);
	return lru_find(l, key) == &dropped[i];
}

static void
test_what_was_used_longest_ago_goes_first(void **state)
{
	struct lru *l = lru_new(3, drop);

	(void)state;
	memset(dropped, 0, sizeof dropped);
	for (unsigned i = 0; i < 3; i++)
		put(l, i);
	assert_true(has(l, 0));
	put(l, 3);
	assert_true(has(l, 0) && !has(l, 1) && has(l, 2) && has(l, 3));
	assert_int_equal(lru_count(l), 3);
	assert_int_equal(dropped[1], 1);
	lru_free(l);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(dropped[i], 1);
}

static void
test_another_size_keeps_what_fits(void **state)
{
	struct lru *l = lru_new(VALUES, drop);

	(void)state;
	memset(dropped, 0, sizeof dropped);
	for (unsigned i = 0; i < VALUES; i++)
		put(l, i);
	assert_true(lru_fit(l, 5));
	for (unsigned i = 0; i < VALUES; i++)
		assert_true(has(l, i) == (i >= VALUES - 5));
	assert_true(lru_fit(l, 1000));
	for (unsigned i = 0; i < 10; i++)
		put(l, i);
	assert_int_equal(lru_count(l), 15);
	assert_true(lru_fit(l, 0));
	assert_int_equal(lru_count(l), 0);
	dropped[1] = 0;
	put(l, 1);
	assert_true(!has(l, 1));
	assert_int_equal(dropped[1], 1);
	lru_free(l);
}

static void
test_one_key_has_one_value(void **state)
{
	struct lru *l = lru_new(4, drop);
	uint8_t     key[LRU_KEY];

	(void)state;
	memset(dropped, 0, sizeof dropped);
	key_of(1, key);
	lru_put(l, key, &dropped[1]);
	lru_put(l, key, &dropped[2]);
	assert_ptr_equal(lru_find(l, key), &dropped[2]);
	assert_int_equal(lru_count(l), 1);
	assert_int_equal(dropped[1], 1);
	lru_remove(l, key);
	lru_remove(l, key);
	assert_null(lru_find(l, key));
	assert_int_equal(dropped[2], 1);
	lru_free(l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_was_used_longest_ago_goes_first),
		cmocka_unit_test(test_another_size_keeps_what_fits),
		cmocka_unit_test(test_one_key_has_one_value),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
