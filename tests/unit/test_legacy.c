/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "proc/legacy.h"

struct side {
	struct ledger  ledger;
	struct shared *shared;
	int            fd;
};

static void
side_init(struct side *s)
{
	*s = (struct side){.fd = shared_create(2)};
	assert_true(s->fd >= 0);
	s->shared = shared_open(s->fd);
	assert_non_null(s->shared);
	ledger_init(&s->ledger);
}

static void
side_clear(struct side *s)
{
	ledger_clear(&s->ledger);
	shared_close(s->shared);
	close(s->fd);
}

static void
rule_name(struct side *s, uint32_t slot, const char *name, uint64_t since)
{
	strcpy(s->shared->slots.rule[slot].name, name);
	s->shared->slots.rule[slot].since_real_us = since;
}

/* Two rules, of which one has a tunnel under way, and a thousand entries. */
static int
left(void)
{
	struct side s;
	int         fd;

	side_init(&s);
	s.ledger.started_real_us = 77;
	rule_name(&s, 1, "first", 100);
	rule_name(&s, 2, "gone", 100);
	s.shared->worker[0].rule[1] = (struct rule_counters){.requests = 5, .open = 1, .bytes_in = 10, .last_real_us = 200};
	s.shared->worker[1].rule[1] = (struct rule_counters){.requests = 7, .bytes_out = 20, .last_real_us = 300};
	for (uint64_t i = 1; i <= 1000; i++)
		sums_add(&s.ledger.past, &(struct sum){.id = i, .hits = i, .recent = i, .last_s = 9});
	fd = legacy_write(&s.ledger, s.shared);
	assert_true(fd >= 0);
	side_clear(&s);
	return fd;
}

static void
test_what_was_left_is_gone_on_from(void **state)
{
	struct side                 s;
	const struct rule_counters *r;

	(void)state;
	side_init(&s);
	rule_name(&s, 3, "new", 500);
	rule_name(&s, 9, "first", 500);
	legacy_take(&s.ledger, s.shared, left());
	r = &s.shared->worker[0].rule[9];
	assert_true(r->requests == 13 && r->open == 0 && r->bytes_in == 10 && r->bytes_out == 20 && r->last_real_us == 300);
	assert_true(s.shared->slots.rule[9].since_real_us == 100 && s.shared->slots.rule[3].since_real_us == 500);
	assert_true(s.shared->worker[0].rule[3].requests == 0);
	assert_true(ledger_rule_recent(&s.ledger, 9, r->requests) == 0 && ledger_rule_recent(&s.ledger, 9, r->requests + 2) == 2);
	assert_true(s.ledger.started_real_us == 77 && s.ledger.past.n == 1000);
	for (uint64_t i = 1; i <= 1000; i++) {
		const struct sum *one = sums_find(&s.ledger.past, i);
		assert_true(one && one->hits == i && one->recent == 0 && one->last_s == 9);
	}
	side_clear(&s);
}

static void
test_what_is_not_whole_is_as_if_nothing_was_left(void **state)
{
	int         whole = left();
	struct stat st;
	char       *bytes;

	(void)state;
	assert_int_equal(fstat(whole, &st), 0);
	bytes = malloc((size_t)st.st_size + 8);
	assert_non_null(bytes);
	memset(bytes, 0, (size_t)st.st_size + 8);
	assert_true(pread(whole, bytes, (size_t)st.st_size, 0) == st.st_size);
	for (size_t n = 0; n <= (size_t)st.st_size + 8; n = n < 300 || n + 300 > (size_t)st.st_size ? n + 1 : (size_t)st.st_size - 299) {
		struct side s;
		int         fd;
		if (n == (size_t)st.st_size)
			continue;
		fd = memfd_create("part", MFD_CLOEXEC);
		assert_true(fd >= 0 && write(fd, bytes, n) == (ssize_t)n);
		side_init(&s);
		rule_name(&s, 1, "first", 500);
		legacy_take(&s.ledger, s.shared, fd);
		assert_true(s.ledger.past.n == 0 && s.shared->worker[0].rule[1].requests == 0 && s.shared->slots.rule[1].since_real_us == 500);
		side_clear(&s);
	}
	free(bytes);
	close(whole);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_was_left_is_gone_on_from),
		cmocka_unit_test(test_what_is_not_whole_is_as_if_nothing_was_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
