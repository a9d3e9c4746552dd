/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "audit/record.h"

static struct record
sample(struct span text[RT_COUNT])
{
	struct record r;

	memset(&r, 0, sizeof r); /* padding too, so that whole structs can be compared */
	r.id = 0x1122334455667788u;
	r.session = 7;
	r.end_real_us = 1700000000123456u;
	r.duration_us = 1;
	r.bytes_in = UINT64_MAX;
	r.client.addr = addr_from_v4(0x7f000001);
	r.client.port = 40000;
	r.has_address = r.is_connect = r.is_tunnel = r.has_action = r.ech = r.is_inner = true;
	r.hier = HIER_ORIGINAL_DST;
	r.action = ACTION_INSPECT;
	r.guard = GUARD_WORD_CLOSED;
	r.fault = FAULT_COUNT - 1;
	r.status = 999;
	for (int i = 0; i < RT_COUNT; i++)
		text[i] = span_of("abcdefghijklmnopqrstuvwxyz", (size_t)i);
	return r;
}

static void
test_record_survives_the_way_through_bytes(void **state)
{
	struct span   text[RT_COUNT], back[RT_COUNT];
	struct record r = sample(text), got;
	size_t        n = record_size(&r, text);
	char         *bytes = malloc(n);

	(void)state;
	record_write(bytes, &r, text);
	assert_true(record_read(bytes, n, &got, back));
	assert_memory_equal(&got, &r, sizeof r);
	for (int i = 0; i < RT_COUNT; i++) {
		assert_true(span_eq(text[i], back[i]));
		assert_true(back[i].p >= bytes && back[i].p + back[i].n <= bytes + n);
	}
	free(bytes);
}

static void
test_long_texts_are_cut(void **state)
{
	struct span   text[RT_COUNT], back[RT_COUNT];
	struct record r = sample(text), got;
	char         *big = malloc(100000), *bytes;
	size_t        n;

	(void)state;
	memset(big, 'x', 100000);
	for (int i = 0; i < RT_COUNT; i++)
		text[i] = span_of(big, 65536 + (size_t)i); /* more than 16 bits hold */
	n = record_size(&r, text);
	assert_int_equal(n, RECORD_MAX);
	bytes = malloc(n);
	record_write(bytes, &r, text);
	assert_true(record_read(bytes, n, &got, back));
	for (int i = 0; i < RT_COUNT; i++)
		assert_int_equal(back[i].n, RECORD_TEXT_MAX);
	free(bytes);
	free(big);
}

static void
test_every_truncation_and_every_excess_is_refused(void **state)
{
	struct span   text[RT_COUNT], back[RT_COUNT];
	struct record r = sample(text), got;
	size_t        n = record_size(&r, text);
	char         *whole = malloc(n);

	(void)state;
	record_write(whole, &r, text);
	for (size_t cut = 0; cut <= n + 1; cut++) {
		char *bytes = malloc(cut ? cut : 1);
		memcpy(bytes, whole, cut < n ? cut : n);
		if (cut > n)
			bytes[n] = 'x';
		assert_int_equal(record_read(bytes, cut, &got, back), cut == n);
		free(bytes);
	}
	free(whole);
}

static void
test_values_that_no_writer_writes_are_refused(void **state)
{
	static const struct {
		size_t  offset;
		uint8_t bad;
	} rows[] = {
		{offsetof(struct record, has_address), 2}, {offsetof(struct record, is_connect), 255}, {offsetof(struct record, is_tunnel), 2},
		{offsetof(struct record, has_action), 128}, {offsetof(struct record, ech), 3}, {offsetof(struct record, is_inner), 2}, {offsetof(struct record, hier), HIER_ORIGINAL_DST + 1},
		{offsetof(struct record, scheme), 4}, {offsetof(struct record, action), ACTION_INSPECT + 1},
		{offsetof(struct record, guard), GUARD_WORD_CLOSED + 1}, {offsetof(struct record, fault), FAULT_COUNT},
		{offsetof(struct record, status) + 1, 4}, {offsetof(struct record, len) + 1, 200},
	};
	struct span   text[RT_COUNT], back[RT_COUNT];
	struct record r = sample(text), got;
	size_t        n = record_size(&r, text);
	char         *bytes = malloc(n);

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		record_write(bytes, &r, text);
		assert_true(record_read(bytes, n, &got, back));
		bytes[rows[i].offset] = (char)rows[i].bad;
		assert_false(record_read(bytes, n, &got, back));
	}
	free(bytes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_record_survives_the_way_through_bytes),
		cmocka_unit_test(test_long_texts_are_cut),
		cmocka_unit_test(test_every_truncation_and_every_excess_is_refused),
		cmocka_unit_test(test_values_that_no_writer_writes_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
