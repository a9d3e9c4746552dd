/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "tls/origin_memory.h"

static struct profile *
profile_at(uint64_t us, enum fault fault)
{
	struct profile *p = calloc(1, sizeof *p);

	assert_non_null(p);
	p->refs = 1;
	p->verified_us = us;
	p->fault = fault;
	return p;
}

static bool
has(struct origin_memory *m, const char *host, uint16_t port, uint64_t ground, uint64_t now_us)
{
	struct profile *p = origin_memory_find(m, span_str(host), port, ground, now_us);

	profile_unref(p);
	return p != NULL;
}

static void
test_found_by_name_port_and_ground_alone(void **state)
{
	struct origin_memory *m = origin_memory_new(10);
	struct profile       *p = profile_at(1000, FAULT_NONE);

	(void)state;
	origin_memory_keep(m, SPAN("a.test"), 443, 7, p);
	assert_int_equal(p->refs, 2);
	assert_true(has(m, "a.test", 443, 7, 1000));
	assert_false(has(m, "a.test", 444, 7, 1000));
	assert_false(has(m, "a.test", 443, 8, 1000));
	assert_false(has(m, "b.test", 443, 7, 1000));
	assert_false(has(m, "", 443, 7, 1000));
	origin_memory_drop(m, SPAN("a.test"), 443, 8);
	assert_true(has(m, "a.test", 443, 7, 1000));
	origin_memory_drop(m, SPAN("a.test"), 443, 7);
	assert_false(has(m, "a.test", 443, 7, 1000));
	assert_int_equal(p->refs, 1);
	origin_memory_keep(m, SPAN("a.test"), 443, 7, p);
	origin_memory_free(m);
	assert_int_equal(p->refs, 1);
	profile_unref(p);
	origin_memory_free(NULL);
}

static void
test_forgotten_after_ten_minutes_however_often_it_is_used(void **state)
{
	struct origin_memory *m = origin_memory_new(10);
	struct profile       *p = profile_at(1000, FAULT_NONE);

	(void)state;
	origin_memory_keep(m, SPAN("a.test"), 443, 7, p);
	for (uint64_t us = 1000; us < 1000 + ORIGIN_MEMORY_US; us += ORIGIN_MEMORY_US / 10)
		assert_true(has(m, "a.test", 443, 7, us));
	assert_true(has(m, "a.test", 443, 7, 999 + ORIGIN_MEMORY_US));
	assert_false(has(m, "a.test", 443, 7, 1000 + ORIGIN_MEMORY_US));
	assert_int_equal(p->refs, 1);
	profile_unref(p);
	origin_memory_free(m);
}

static void
test_a_bad_one_is_not_kept_and_ends_what_was_known(void **state)
{
	struct origin_memory *m = origin_memory_new(10);
	struct profile       *good = profile_at(1, FAULT_NONE), *bad = profile_at(1, FAULT_CERT_EXPIRED);

	(void)state;
	origin_memory_keep(m, SPAN("a.test"), 443, 7, good);
	origin_memory_keep(m, SPAN("a.test"), 443, 7, bad);
	assert_false(has(m, "a.test", 443, 7, 1));
	assert_int_equal(good->refs, 1);
	assert_int_equal(bad->refs, 1);
	profile_unref(good);
	profile_unref(bad);
	origin_memory_free(m);
}

static void
test_the_one_used_longest_ago_goes_first(void **state)
{
	struct origin_memory *m = origin_memory_new(100), *none = origin_memory_new(0);
	struct profile       *p = profile_at(1, FAULT_NONE);
	char                  host[32];
	unsigned              have = 0;

	(void)state;
	for (unsigned i = 0; i < 5000; i++) {
		snprintf(host, sizeof host, "h%u.test", i);
		origin_memory_keep(m, span_str(host), 443, i % 3, p);
		assert_true(has(m, "h0.test", 443, 0, 1));
	}
	assert_int_equal(p->refs, 101);
	for (unsigned i = 0; i < 5000; i++) {
		snprintf(host, sizeof host, "h%u.test", i);
		have += has(m, host, 443, i % 3, 1);
	}
	assert_int_equal(have, 100);
	assert_true(has(m, "h4999.test", 443, 4999 % 3, 1));
	origin_memory_keep(none, SPAN("a"), 443, 0, p);
	assert_false(has(none, "a", 443, 0, 1));
	origin_memory_free(m);
	origin_memory_free(none);
	assert_int_equal(p->refs, 1);
	profile_unref(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_found_by_name_port_and_ground_alone),
		cmocka_unit_test(test_forgotten_after_ten_minutes_however_often_it_is_used),
		cmocka_unit_test(test_a_bad_one_is_not_kept_and_ends_what_was_known),
		cmocka_unit_test(test_the_one_used_longest_ago_goes_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
