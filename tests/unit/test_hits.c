/* SPDX-License-Identifier: MIT */
/* What workers count by entry: the table against an exact count, full, damaged, and read while it is written; the sums of the ledger. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "random.h"
#include "ipc/hits.h"
#include "proc/ledger.h"

#define KEYS 3000u

/* Keys as they come: a place in the upper half, a rule and some bits in the lower one. */
static uint64_t
key_of(uint32_t i)
{
	return (uint64_t)(i / 3) << 32 | (i % 3) << 2;
}

static void
test_each_key_is_counted_exactly(void **state)
{
	static uint64_t   want[KEYS];
	int               fd = hits_create(KEYS);
	struct hits      *h = hits_open(fd);
	struct hits_view *v = hits_look(fd);
	uint32_t          n, seen = 0;

	(void)state;
	assert_non_null(h);
	assert_non_null(v);
	hits_rows(v, &n);
	assert_int_equal(n, 0);
	for (unsigned i = 0; i < 100000; i++) {
		uint32_t k = random_below(KEYS);
		want[k]++;
		hits_count(h, key_of(k), i + 1);
	}
	const struct hit_row *row = hits_rows(v, &n);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t k = (uint32_t)(row[i].key >> 32) * 3 + ((uint32_t)row[i].key >> 2);
		assert_in_range(k, 0, KEYS - 1);
		assert_int_equal(row[i].hits, want[k]);
		assert_in_range(row[i].last_real_us, 1, 100000);
		want[k] = 0;
		seen++;
	}
	assert_int_equal(seen, n);
	for (uint32_t k = 0; k < KEYS; k++)
		assert_int_equal(want[k], 0);
	assert_false(hits_are_final(v));
	hits_close(h);
	assert_true(hits_are_final(v));
	hits_look_away(v);
	close(fd);
}

static void
test_what_has_no_room_is_lost_and_counted(void **state)
{
	int               fd = hits_create(16);
	struct hits      *h = hits_open(fd);
	struct hits_view *v = hits_look(fd);
	uint32_t          n;

	(void)state;
	for (uint32_t i = 0; i < 100; i++)
		hits_count(h, key_of(i), 1);
	hits_count(h, key_of(3), 2);
	assert_int_equal(hits_rows(v, &n)[3].hits, 2);
	assert_int_equal(n, 16);
	assert_int_equal(hits_lost(v), 84);
	hits_close(h);
	hits_look_away(v);
	close(fd);
}

/* A worker that was taken over writes what it likes into the memory that it has. */
static void
test_a_reader_believes_no_number(void **state)
{
	uint32_t          odd[] = {0x31746968u, 5, UINT32_MAX, 0}, n;
	int               fd = hits_create(5), null = hits_create(0);
	struct hits_view *v;

	(void)state;
	assert_int_equal(pwrite(fd, odd, sizeof odd, 0), sizeof odd);
	v = hits_look(fd);
	hits_rows(v, &n);
	assert_int_equal(n, 5);
	assert_null(hits_open(fd)); /* and no worker goes on with it */
	hits_look_away(v);
	odd[1] = UINT32_MAX;
	odd[2] = 0;
	assert_int_equal(pwrite(fd, odd, sizeof odd, 0), sizeof odd);
	assert_null(hits_open(fd));
	close(fd);
	fd = null;
	assert_int_not_equal(ftruncate(fd, 1), 0);
	assert_int_not_equal(ftruncate(fd, 1 << 20), 0);
	close(fd);
	assert_null(hits_open(-1));
	assert_null(hits_look(-1));
}

static void *
write_on(void *arg)
{
	for (uint32_t i = 0; i < KEYS; i++)
		hits_count(arg, key_of(i), i + 1);
	return NULL;
}

static void
test_rows_are_whole_when_their_number_is_there(void **state)
{
	int               fd = hits_create(KEYS);
	struct hits      *h = hits_open(fd);
	struct hits_view *v = hits_look(fd);
	pthread_t         writer;
	uint32_t          n = 0;

	(void)state;
	assert_int_equal(pthread_create(&writer, NULL, write_on, h), 0);
	while (n < KEYS) {
		const struct hit_row *row = hits_rows(v, &n);
		for (uint32_t i = 0; i < n; i++) {
			assert_int_equal(row[i].key, key_of(i));
			assert_int_equal(row[i].hits, 1);
		}
	}
	pthread_join(writer, NULL);
	hits_close(h);
	hits_look_away(v);
	close(fd);
}

static void
test_sums_keep_what_is_added_and_start_anew_with_a_reload(void **state)
{
	struct sums s = {0};

	(void)state;
	assert_null(sums_find(&s, 7));
	for (uint64_t i = 0; i < 10000; i++)
		sums_add(&s, &(struct sum){.id = i * 0x100000001u, .hits = i % 5, .recent = i % 5, .mark = 1, .last_s = (uint32_t)i});
	for (uint64_t i = 0; i < 10000; i++) {
		const struct sum *one = sums_find(&s, i * 0x100000001u);
		if (i % 5 == 0)
			assert_null(one);
		else
			assert_int_equal(one->hits, i % 5);
	}
	sums_add(&s, &(struct sum){.id = 0x100000001u, .hits = 2, .recent = 2, .mark = 2, .last_s = 3});
	sums_add(&s, &(struct sum){.id = 0x100000001u, .hits = 4, .recent = 4, .mark = 1, .last_s = 2}); /* late, of before */
	assert_int_equal(sums_find(&s, 0x100000001u)->hits, 7);
	assert_int_equal(sums_find(&s, 0x100000001u)->recent, 2);
	assert_int_equal(sums_find(&s, 0x100000001u)->last_s, 3);
	sums_clear(&s);
}

static void
test_sums_are_bounded_and_forget_the_oldest(void **state)
{
	struct sums s = {0};
	uint64_t    n = SUMS_MOST + 1000, hits = 0;

	(void)state;
	for (uint64_t i = 1; i <= n; i++)
		sums_add(&s, &(struct sum){.id = i, .hits = 1, .last_s = (uint32_t)i});
	assert_in_range(s.n, SUMS_MOST / 2, SUMS_MOST);
	assert_in_range(s.room, SUMS_MOST, 2 * SUMS_MOST);
	assert_null(sums_find(&s, 1));
	assert_non_null(sums_find(&s, n));
	for (uint32_t i = 0; i < s.room; i++)
		hits += s.v[i].hits;
	assert_int_equal(hits + s.forgotten, n);
	sums_clear(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_key_is_counted_exactly),
		cmocka_unit_test(test_what_has_no_room_is_lost_and_counted),
		cmocka_unit_test(test_a_reader_believes_no_number),
		cmocka_unit_test(test_rows_are_whole_when_their_number_is_there),
		cmocka_unit_test(test_sums_keep_what_is_added_and_start_anew_with_a_reload),
		cmocka_unit_test(test_sums_are_bounded_and_forget_the_oldest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
