/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>

#include "auth/basic_cache.h"

static struct identity *
person(const char *name)
{
	struct answer    a = {.result = ASK_OK};
	struct identity *i;

	snprintf(a.account, sizeof a.account, "%s", name);
	i = identity_new(&a, NULL, NULL, AUTH_WAY_BASIC, 0);
	assert_non_null(i);
	return i;
}

static void
test_only_the_same_password_at_the_same_time_is_found(void **state)
{
	static const struct {
		const char *user, *password;
		uint64_t    epoch;
		uint64_t    now_us;
		bool        found;
	} rows[] = {
		{"alice", "secret", 7, 100, true}, {"alice", "secret", 7, 199, true}, {"alice", "Secret", 7, 100, false}, {"Alice", "secret", 7, 100, false},
		{"alices", "ecret", 7, 100, false}, {"alic", "esecret", 7, 100, false}, {"", "alicesecret", 7, 100, false}, {"alice", "", 7, 100, false},
		{"bob", "secret", 7, 100, false}, {"alice", "secret", 7, 200, false}, {"alice", "secret", 8, 100, false}, {"alice", "secret", 6, 100, false},
	};
	struct identity *alice = person("alice");

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct basic_cache *c = basic_cache_new();
		assert_non_null(c);
		basic_cache_add(c, SPAN("alice"), SPAN("secret"), 7, 100, 100, alice);
		struct identity *got = basic_cache_find(c, span_str(rows[i].user), span_str(rows[i].password), rows[i].epoch, rows[i].now_us);
		assert_ptr_equal(got, rows[i].found ? alice : NULL);
		basic_cache_free(c);
	}
	identity_unref(alice);
	basic_cache_free(NULL);
}

static void
test_what_is_found_outlives_nothing_it_should_not(void **state)
{
	struct basic_cache *c = basic_cache_new();
	struct identity    *one = person("one"), *two = person("two");

	(void)state;
	basic_cache_add(c, SPAN("u"), SPAN("p"), 1, 0, 10, one);
	basic_cache_add(c, SPAN("u"), SPAN("p"), 1, 5, 10, two); /* found good anew */
	assert_ptr_equal(basic_cache_find(c, SPAN("u"), SPAN("p"), 1, 12), two);
	assert_null(basic_cache_find(c, SPAN("u"), SPAN("p"), 2, 12)); /* the file changed: gone, not only passed over */
	assert_null(basic_cache_find(c, SPAN("u"), SPAN("p"), 1, 12));
	basic_cache_add(c, SPAN("u"), SPAN("p"), 1, 5, 0, two); /* success-ttl = 0 */
	assert_null(basic_cache_find(c, SPAN("u"), SPAN("p"), 1, 5));
	identity_unref(one);
	identity_unref(two);
	basic_cache_free(c);
}

static void
test_oldest_make_room(void **state)
{
	struct basic_cache *c = basic_cache_new();
	struct identity    *i = person("all");
	char                user[16];
	unsigned            found = 0;

	(void)state;
	for (unsigned n = 0; n < BASIC_CACHE_MAX + 100; n++) {
		int k = snprintf(user, sizeof user, "u%u", n);
		basic_cache_add(c, span_of(user, (size_t)k), SPAN("p"), 1, n, 1000000000, i);
	}
	for (unsigned n = 0; n < BASIC_CACHE_MAX + 100; n++) {
		int k = snprintf(user, sizeof user, "u%u", n);
		bool has = basic_cache_find(c, span_of(user, (size_t)k), SPAN("p"), 1, 1000000) != NULL;
		assert_true(has == (n >= 100));
		found += has;
	}
	assert_int_equal(found, BASIC_CACHE_MAX);
	identity_unref(i);
	basic_cache_free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_the_same_password_at_the_same_time_is_found),
		cmocka_unit_test(test_what_is_found_outlives_nothing_it_should_not),
		cmocka_unit_test(test_oldest_make_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
