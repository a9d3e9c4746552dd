/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "ipc/shared.h"

#define MS     UINT64_C(1000000)
#define SECOND (1000 * MS)
#define BEGIN  (UINT64_C(5000) * SECOND) /* the machine has been up for a while */

static void
test_a_bucket_hands_out_what_its_rate_says(void **state)
{
	static const struct {
		uint64_t rate;
		struct {
			uint64_t after_ns, want, got;
		} step[6]; /* want 0: the last */
	} rows[] = {
		/* a fifth of a second's worth is there from the start, and no more */
		{1000, {{0, 500, 200}, {0, 1, 0}, {100 * MS, 500, 100}, {10 * SECOND, 500, 200}}},
		{1000, {{0, 150, 150}, {0, 50, 50}, {0, 1, 0}}},
		/* nothing below a fiftieth of a second's worth, unless less is wanted */
		{1000, {{0, 200, 200}, {19 * MS, 100, 0}, {1 * MS, 100, 20}, {5 * MS, 5, 5}}},
		{1024, {{0, 4096, 204}, {SECOND / 2, 4096, 204}}},
		{10485760, {{0, 65536, 65536}, {0, 65536, 65536}, {0, SIZE_MAX, 1966080}, {16 * MS, 65536, 65536}, {0, 200000, 102236}}},
		/* the fastest, and beyond it */
		{BUCKET_RATE_MOST, {{0, SIZE_MAX, BUCKET_TAKE_MOST}, {0, SIZE_MAX, BUCKET_TAKE_MOST}, {0, SIZE_MAX, BUCKET_TAKE_MOST}, {0, SIZE_MAX, 214748364}, {0, 1, 0}}},
		{UINT64_MAX, {{0, SIZE_MAX, BUCKET_TAKE_MOST}, {0, 1000, 1000}}},
		{1, {{0, 100, 0}, {SECOND, 100, 0}}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		_Atomic uint64_t paid = 0;
		uint64_t         now = BEGIN, got;
		for (unsigned k = 0; k < 6 && rows[i].step[k].want; k++) {
			now += rows[i].step[k].after_ns;
			got = bucket_take(&paid, rows[i].rate, rows[i].step[k].want, now);
			if (got != rows[i].step[k].got)
				fail_msg("row %zu, step %u: %llu, not %llu", i, k, (unsigned long long)got, (unsigned long long)rows[i].step[k].got);
		}
	}
}

/* Many takers of odd sizes, irregular times, a clock that some see a little late: in the long run it is the rate, exactly. */
static void
test_over_time_a_bucket_gives_its_rate(void **state)
{
	static const uint64_t rates[] = {1024, 54321, 1 << 20, 123456789, UINT64_C(10) << 30};

	(void)state;
	for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
		_Atomic uint64_t paid = 0;
		uint64_t         now = BEGIN, sum = 0, want;
		unsigned         seed = 7;
		while (now < BEGIN + 20 * SECOND) {
			uint64_t late = (uint64_t)(rand_r(&seed) % 3) * MS, n;
			for (int k = 0; k < 3; k++) {
				want = 1 + (uint64_t)rand_r(&seed) % (rates[i] / 50 + 70000);
				n = bucket_take(&paid, rates[i], want, now - late);
				/* some of it is not used */
				if (n && rand_r(&seed) % 2) {
					bucket_give(&paid, rates[i], n / 3);
					n -= n / 3;
				}
				sum += n;
			}
			now += (uint64_t)(1 + rand_r(&seed) % 12) * MS;
		}
		want = rates[i] * 20 + rates[i] / 5;
		if (sum < want - want / 50 || sum > want + 1000)
			fail_msg("at %llu: %llu, not %llu", (unsigned long long)rates[i], (unsigned long long)sum, (unsigned long long)want);
	}
}

static void
test_a_charge_is_paid_later_and_what_is_given_back_is_there_again(void **state)
{
	_Atomic uint64_t paid = 0;

	(void)state;
	bucket_charge(&paid, 1000, 700, BEGIN);
	assert_int_equal(bucket_level(&paid, 1000, BEGIN), 0);
	assert_int_equal(bucket_take(&paid, 1000, 100, BEGIN + SECOND / 2), 0);
	assert_int_equal(bucket_take(&paid, 1000, 100, BEGIN + 550 * MS), 50);
	bucket_give(&paid, 1000, 50);
	assert_int_equal(bucket_level(&paid, 1000, BEGIN + 550 * MS), 50);
	bucket_give(&paid, 1000, 0);
	/* another rate: what is owed is owed in time */
	assert_int_equal(bucket_level(&paid, 2000, BEGIN + 550 * MS), 100);
	/* a clock that stands before what was paid takes nothing and breaks nothing */
	assert_int_equal(bucket_take(&paid, 1000, 100, BEGIN - 3 * SECOND), 0);
	assert_int_equal(bucket_level(&paid, 1000, 0), 0);
}

struct taker {
	pthread_t         thread;
	_Atomic uint64_t *paid;
	uint64_t          got;
};

static void *
take_all(void *arg)
{
	struct taker *t = arg;

	for (int i = 0; i < 20000; i++)
		t->got += bucket_take(t->paid, 100000000, 700, BEGIN);
	return NULL;
}

static void
test_workers_that_take_at_once_get_no_more_than_there_is(void **state)
{
	_Atomic uint64_t paid = 0;
	struct taker     t[4];
	uint64_t         sum = 0;

	(void)state;
	for (int i = 0; i < 4; i++) {
		t[i] = (struct taker){.paid = &paid};
		assert_int_equal(pthread_create(&t[i].thread, NULL, take_all, &t[i]), 0);
	}
	for (int i = 0; i < 4; i++) {
		pthread_join(t[i].thread, NULL);
		sum += t[i].got;
	}
	assert_true(sum <= 20000000 && sum > 20000000 - 1400);
}

static struct addr
client(uint32_t i)
{
	struct addr a;
	char        text[64];

	snprintf(text, sizeof text, "2001:db8::%x:%x", i >> 16, i & 0xffff);
	assert_true(addr_parse(span_str(text), &a));
	return a;
}

static void
test_each_client_has_a_bucket_under_each_rule_and_who_owes_keeps_it(void **state)
{
	struct limits    *l = calloc(1, sizeof *l);
	struct addr       heavy = client(1), other;
	_Atomic uint64_t *b;
	uint32_t          number;

	(void)state;
	assert_non_null(l);
	l->key = 77;
	b = limits_client(l, 5, &heavy, BEGIN, &number);
	assert_int_equal(bucket_take(b, 1000, 1000, BEGIN), 200);
	bucket_charge(b, 1000, 60000, BEGIN);
	assert_ptr_equal(limits_client(l, 5, &heavy, BEGIN, &number), b);
	assert_ptr_not_equal(limits_client(l, 6, &heavy, BEGIN, &number), b);
	assert_ptr_not_equal(limits_client(l, RULE_SLOTS, &heavy, BEGIN, &number), b);
	/* a flood of others fills every place there is, and does not set it free */
	for (uint32_t i = 2; i < 200000; i++) {
		_Atomic uint64_t *o;
		other = client(i);
		o = limits_client(l, 5, &other, BEGIN, &number);
		if (bucket_take(o, 1000, 100, BEGIN) != 100)
			fail_msg("client %u pays for another", i);
	}
	assert_ptr_equal(limits_client(l, 5, &heavy, BEGIN + SECOND, &number), b);
	assert_int_equal(bucket_take(b, 1000, 100, BEGIN + SECOND), 0);
	free(l);
}

static void
test_places_are_counted_over_all_workers_and_a_new_worker_has_none(void **state)
{
	int            fd = shared_create(3);
	struct shared *s = fd >= 0 ? shared_open(fd) : NULL;

	(void)state;
	assert_non_null(s);
	close(fd);
	assert_true(shared_hold(s, 0, 9, 3));
	assert_true(shared_hold(s, 1, 9, 3));
	assert_true(shared_hold(s, 1, 9, 3));
	assert_false(shared_hold(s, 2, 9, 3));
	assert_true(shared_hold(s, 2, 10, 1));
	assert_false(shared_hold(s, 0, 10, 1));
	shared_release(s, 0, 9);
	assert_true(shared_hold(s, 2, 9, 3));
	assert_false(shared_hold(s, 0, 9, 3));
	shared_worker_reset(s, 1);
	assert_true(shared_hold(s, 0, 9, 3));
	assert_true(shared_hold(s, 0, 9, 3));
	assert_false(shared_hold(s, 0, 9, 3));
	shared_close(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_bucket_hands_out_what_its_rate_says),
		cmocka_unit_test(test_over_time_a_bucket_gives_its_rate),
		cmocka_unit_test(test_a_charge_is_paid_later_and_what_is_given_back_is_there_again),
		cmocka_unit_test(test_workers_that_take_at_once_get_no_more_than_there_is),
		cmocka_unit_test(test_each_client_has_a_bucket_under_each_rule_and_who_owes_keeps_it),
		cmocka_unit_test(test_places_are_counted_over_all_workers_and_a_new_worker_has_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
