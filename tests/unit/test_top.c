/* SPDX-License-Identifier: MIT */
/* Who comes most often: against an exact count, with more names than counters, over time, and read while it is written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "block.h"
#include "cost.h"
#include "random.h"
#include "ipc/top.h"

#define NAMES 5000u

static struct span
name_of(uint32_t i, char buf[32])
{
	return span_of(buf, (size_t)snprintf(buf, 32, "host-%u.example", i));
}

static const struct top_row *
find(const struct top_list *l, const char *name)
{
	for (uint64_t i = 0; i < l->n; i++)
		if (strcmp(l->row[i].name, name) == 0)
			return &l->row[i];
	return NULL;
}

/* Few names: all is exact, the most frequent first, and denied and bytes too. */
static void
test_few_names_are_counted_exactly(void **state)
{
	struct top     *t = top_new(1);
	struct top_list l;

	(void)state;
	assert_non_null(t);
	top_make(t, 5, &l);
	assert_int_equal(l.n, 0);
	for (unsigned i = 0; i < TOP_SHOWN + 5; i++)
		for (unsigned k = 0; k <= i; k++) {
			char buf[32];
			top_add(t, name_of(i, buf), k == 0, 10, 1000);
		}
	top_add(t, SPAN(""), true, 1, 1000); /* nobody */
	top_make(t, 2000, &l);
	assert_int_equal(l.n, TOP_SHOWN);
	assert_int_equal(l.at_us, 2000);
	assert_int_equal(l.requests, (TOP_SHOWN + 5) * (TOP_SHOWN + 6) / 2);
	for (unsigned i = 0; i < TOP_SHOWN; i++) {
		char buf[32];
		name_of(TOP_SHOWN + 4 - i, buf);
		assert_string_equal(l.row[i].name, buf);
		assert_int_equal(l.row[i].requests, TOP_SHOWN + 5 - i);
		assert_int_equal(l.row[i].denied, 1);
		assert_int_equal(l.row[i].bytes, 10 * (TOP_SHOWN + 5 - i));
	}
	top_free(t);
}

/* Ten times as many names as counters, skewed as names of hosts are: whoever has more than one in TOP_COUNTERS is there, and nobody has more than came. */
static void
test_the_frequent_are_found_among_many(void **state)
{
	static uint32_t exact[NAMES];
	struct top     *t = top_new(2);
	struct top_list l;
	const unsigned  all = 400000;
	unsigned        frequent = 0, found = 0;
	char            buf[32];

	(void)state;
	memset(exact, 0, sizeof exact);
	for (unsigned n = 0; n < all; n++) {
		uint32_t i = NAMES - 1;
		for (unsigned skew = 0; skew < 6; skew++)
			i = random_below(i + 1);
		exact[i]++;
		top_add(t, name_of(i, buf), false, 1, 1 + n);
	}
	top_make(t, all, &l);
	assert_int_equal(l.n, TOP_SHOWN);
	assert_int_equal(l.requests, all);
	for (uint32_t i = 0; i < NAMES; i++) {
		const struct top_row *row;
		name_of(i, buf);
		row = find(&l, buf);
		if (row) {
			assert_true(row->requests <= exact[i]);
			assert_true(row->requests + all / TOP_COUNTERS >= exact[i]);
			found++;
		}
		/* what is sure of it is more than what is sure of any but the first few */
		if (exact[i] > l.row[TOP_SHOWN - 1].requests + all / TOP_COUNTERS) {
			assert_non_null(row);
			frequent++;
		}
	}
	assert_int_equal(found, TOP_SHOWN);
	assert_true(frequent >= 5);
	top_free(t);
}

/* Somebody who makes a name for each request pushes out nobody who comes often, and costs no more than others. */
static void
test_a_million_made_up_names_push_nobody_out(void **state)
{
	struct top     *t = top_new(3);
	struct top_list l;
	uint64_t        began = cpu_ns();
	char            buf[32];

	(void)state;
	for (unsigned n = 0; n < 1000000; n++) {
		top_add(t, n % 50 ? name_of(n, buf) : SPAN("often.example"), false, 1, 1000);
		if (n % 20 == 7)
			top_add(t, SPAN("more.example"), false, 1, 1000);
	}
	assert_true((cpu_ns() - began) / 1050000 < 20000); /* each; a sanitizer's build included */
	top_make(t, 1000, &l);
	assert_string_equal(l.row[0].name, "more.example");
	assert_string_equal(l.row[1].name, "often.example");
	assert_true(l.row[0].requests > 45000 && l.row[0].requests <= 50000);
	for (unsigned i = 2; i < l.n; i++)
		assert_int_equal(l.row[i].requests, 1); /* all that is sure of the others */
	top_free(t);
}

static void
test_what_is_old_is_forgotten(void **state)
{
	struct top     *t = top_new(4);
	struct top_list l;
	uint64_t        now = 10 * TOP_HALF_US;

	(void)state;
	top_add(t, SPAN("a"), false, 1, now);
	top_add(t, SPAN("b"), false, 1, now + TOP_HALF_US - 1);
	top_add(t, SPAN("b"), false, 1, now + TOP_HALF_US);
	top_make(t, now + 2 * TOP_HALF_US - 1, &l);
	assert_int_equal(l.n, 2);
	assert_int_equal(l.since_us, now);
	assert_int_equal(find(&l, "b")->requests, 2);
	assert_int_equal(find(&l, "b")->bytes, 2);
	assert_int_equal(find(&l, "a")->requests, 1);
	top_make(t, now + 2 * TOP_HALF_US, &l);
	assert_int_equal(l.n, 1);
	assert_int_equal(l.since_us, now + TOP_HALF_US);
	assert_int_equal(find(&l, "b")->requests, 1);
	top_make(t, now + 9 * TOP_HALF_US, &l);
	assert_int_equal(l.n, 0);
	assert_int_equal(l.requests, 0);
	top_free(t);
}

/* Names of every length, in blocks of the exact size; what is too long is cut and still one name. */
static void
test_names_of_any_length(void **state)
{
	struct top     *t = top_new(5);
	struct top_list l;
	char            text[600];

	(void)state;
	memset(text, 'x', sizeof text);
	for (size_t n = 0; n <= sizeof text; n++) {
		struct span b = block_of(text, n);
		top_add(t, b, false, 0, 1);
		block_free(b);
	}
	top_make(t, 1, &l);
	assert_int_equal(strlen(l.row[0].name), TOP_NAME_MAX - 1);
	assert_int_equal(l.row[0].requests, sizeof text - (TOP_NAME_MAX - 1) + 1);
	top_free(t);
}

static void
test_a_reader_takes_whole_lists_only(void **state)
{
	struct shared_top s = {0};
	struct top_list   l = {.n = 1}, got;

	(void)state;
	assert_false(top_read(&s, &got));
	strcpy(l.row[0].name, "a");
	top_publish(&s, &l);
	assert_true(top_read(&s, &got));
	assert_memory_equal(&l, &got, sizeof l);
	s.number |= 1; /* a writer died */
	assert_false(top_read(&s, &got));
	top_publish(&s, &l);
	assert_true(top_read(&s, &got));
	s.number = UINT32_MAX;
	top_publish(&s, &l);
	assert_int_equal(s.number, 2);
	/* what another process has written is not trusted */
	s.list.n = UINT64_MAX;
	memset(s.list.row[3].name, 'x', TOP_NAME_MAX);
	assert_true(top_read(&s, &got));
	assert_int_equal(got.n, TOP_SHOWN);
	assert_int_equal(strlen(got.row[3].name), TOP_NAME_MAX - 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_few_names_are_counted_exactly),
		cmocka_unit_test(test_the_frequent_are_found_among_many),
		cmocka_unit_test(test_a_million_made_up_names_push_nobody_out),
		cmocka_unit_test(test_what_is_old_is_forgotten),
		cmocka_unit_test(test_names_of_any_length),
		cmocka_unit_test(test_a_reader_takes_whole_lists_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
