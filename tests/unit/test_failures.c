/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>

#include "ipc/failures.h"

static struct failures *
table_new(void)
{
	struct failures *f = calloc(1, sizeof *f);

	assert_non_null(f);
	for (unsigned i = 0; i < sizeof f->key; i++)
		f->key[i] = (uint8_t)(i * 37 + 1);
	return f;
}

static void
test_a_key_depends_on_text_and_table_alone(void **state)
{
	struct failures *f = table_new(), *g = table_new();

	(void)state;
	assert_true(failures_key(f, SPAN("alice")) == failures_key(g, SPAN("alice")));
	assert_true(failures_key(f, SPAN("alice")) != failures_key(f, SPAN("alicf")));
	assert_true(failures_key(f, SPAN("")) != failures_key(f, SPAN("a")));
	g->key[31] ^= 1;
	assert_true(failures_key(f, SPAN("alice")) != failures_key(g, SPAN("alice")));
	free(f);
	free(g);
}

static void
test_failures_count_within_a_window_from_the_first(void **state)
{
	struct failures *f = table_new();
	uint64_t         a = failures_key(f, SPAN("alice")), b = failures_key(f, SPAN("bob"));
	uint32_t         expires;

	(void)state;
	assert_int_equal(failures_count(f, a, 100, &expires), 0);
	assert_int_equal(expires, 0);
	assert_int_equal(failures_add(f, a, 100, 30), 1);
	assert_int_equal(failures_add(f, a, 129, 30), 2);
	assert_int_equal(failures_count(f, a, 129, &expires), 2);
	assert_int_equal(expires, 130);
	assert_int_equal(failures_count(f, b, 129, &expires), 0);
	assert_int_equal(failures_count(f, a, 130, &expires), 0);
	assert_int_equal(failures_add(f, a, 130, 30), 1);
	assert_int_equal(failures_add(f, b, 130, 30), 1);
	failures_forget(f, a);
	assert_int_equal(failures_count(f, a, 131, &expires), 0);
	assert_int_equal(failures_count(f, b, 131, &expires), 1);
	for (unsigned i = 0; i < 1000; i++)
		failures_add(f, a, 140, 30);
	assert_int_equal(failures_count(f, a, 140, &expires), 255);
	assert_int_equal(failures_add(f, a, 140, 30), 255);
	free(f);
}

/* Nine keys of one set: the one that expires first is given up, and no other. */
static void
test_a_full_set_gives_up_what_expires_first(void **state)
{
	struct failures *f = table_new();
	uint32_t         expires;

	(void)state;
	for (uint64_t i = 0; i < FAILURES_WAYS; i++)
		assert_int_equal(failures_add(f, (i + 1) << 40 | 5, 10, i == 3 ? 20 : 100), 1);
	assert_int_equal(failures_add(f, (uint64_t)99 << 40 | 5, 10, 100), 1);
	for (uint64_t i = 0; i < FAILURES_WAYS; i++)
		assert_int_equal(failures_count(f, (i + 1) << 40 | 5, 10, &expires), i != 3);
	assert_int_equal(failures_count(f, (uint64_t)99 << 40 | 5, 10, &expires), 1);
	assert_int_equal(failures_count(f, (uint64_t)99 << 40 | 6, 10, &expires), 0);
	/* what is over is taken first, wherever it lies */
	assert_int_equal(failures_add(f, (uint64_t)50 << 40 | 6, 10, 1), 1);
	assert_int_equal(failures_add(f, (uint64_t)51 << 40 | 6, 10, 100), 1);
	assert_int_equal(failures_add(f, (uint64_t)52 << 40 | 6, 12, 100), 1);
	assert_int_equal(failures_count(f, (uint64_t)51 << 40 | 6, 12, &expires), 1);
	free(f);
}

#define HAMMERS 4
#define BLOWS   20000u

struct hammer {
	pthread_t        id;
	struct failures *f;
	unsigned         number;
};

/* Keys that all threads share, few blows each so that none is full; and in the same sets one of its own that comes and goes. */
static void *
hammer_main(void *arg)
{
	struct hammer *h = arg;

	for (unsigned i = 0; i < BLOWS; i++) {
		uint64_t set = i % 1024;
		failures_add(h->f, (uint64_t)7 << 40 | set, 10, 1000);
		failures_add(h->f, (uint64_t)(100 + h->number) << 40 | set, 10, 1000);
		failures_forget(h->f, (uint64_t)(100 + h->number) << 40 | set);
	}
	return NULL;
}

static void
test_threads_that_hammer_lose_no_count(void **state)
{
	struct failures *f = table_new();
	struct hammer    h[HAMMERS];
	uint64_t         sum = 0;
	uint32_t         expires;

	(void)state;
	for (unsigned i = 0; i < HAMMERS; i++) {
		h[i] = (struct hammer){.f = f, .number = i};
		assert_int_equal(pthread_create(&h[i].id, NULL, hammer_main, &h[i]), 0);
	}
	for (unsigned i = 0; i < HAMMERS; i++)
		pthread_join(h[i].id, NULL);
	for (uint64_t set = 0; set < 1024; set++)
		sum += failures_count(f, (uint64_t)7 << 40 | set, 10, &expires);
	assert_int_equal(sum, HAMMERS * BLOWS);
	for (uint64_t set = 0; set < 1024; set++)
		for (uint64_t i = 0; i < HAMMERS; i++)
			assert_int_equal(failures_count(f, (100 + i) << 40 | set, 10, &expires), 0);
	free(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_key_depends_on_text_and_table_alone),
		cmocka_unit_test(test_failures_count_within_a_window_from_the_first),
		cmocka_unit_test(test_a_full_set_gives_up_what_expires_first),
		cmocka_unit_test(test_threads_that_hammer_lose_no_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
