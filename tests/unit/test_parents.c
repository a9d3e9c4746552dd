/* SPDX-License-Identifier: MIT */
/* What workers share of the proxies behind us, who has which slot, and our secrets for them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "auth/parent_secret.h"
#include "ipc/parents.h"

#define N(a) (sizeof(a) / sizeof *(a))

/* A configuration of nothing but parents of these names, separated by blanks. */
static void
name_all(struct conf *c, struct conf_parent v[], const char *names)
{
	size_t n = 0;

	TAILQ_INIT(&c->parents);
	for (const char *p = names; *p; p += strcspn(p, " "), p += *p == ' ') {
		v[n] = (struct conf_parent){.name = span_of(p, strcspn(p, " "))};
		TAILQ_INSERT_TAIL(&c->parents, &v[n], link);
		n++;
	}
}

static void
test_a_parent_keeps_its_slot_while_others_come_and_go(void **state)
{
	static struct parent_slots slots;
	struct conf_parent         v[4], w[4];
	struct conf                c = {0};

	(void)state;
	name_all(&c, v, "a b c");
	parents_assign(&slots, &c, 1);
	assert_int_not_equal(v[0].slot, v[1].slot);
	assert_int_not_equal(v[1].slot, v[2].slot);
	name_all(&c, w, "d c a");
	parents_assign(&slots, &c, 2);
	assert_int_equal(w[2].slot, v[0].slot);
	assert_int_equal(w[1].slot, v[2].slot);
	assert_int_not_equal(w[0].slot, w[1].slot);
	assert_int_not_equal(w[0].slot, w[2].slot);
	/* none that was named a moment ago is taken, however many come */
	for (uint64_t g = 3; g < 3 + 2 * PARENT_SLOTS; g++) {
		char                name[24];
		struct conf_parent  one[2];
		snprintf(name, sizeof name, "a n%u", (unsigned)g);
		name_all(&c, one, name);
		parents_assign(&slots, &c, g);
		assert_int_equal(one[0].slot, v[0].slot);
		assert_int_not_equal(one[1].slot, v[0].slot);
	}
}

static void
test_a_parent_is_down_after_so_many_failures_in_a_row(void **state)
{
	static struct parents p;
	struct parent_health *s = &p.v[7];

	(void)state;
	parents_name(&p, 7, SPAN("up"));
	assert_false(parents_failed(s, 3, FAULT_CONNECT_REFUSED, 10));
	assert_false(parents_failed(s, 3, FAULT_CONNECT_REFUSED, 11));
	assert_false(parents_worked(s, 5, 12));
	assert_int_equal(s->latency_us, 5);
	assert_false(parents_failed(s, 3, FAULT_CONNECT_REFUSED, 13));
	assert_false(parents_failed(s, 3, FAULT_CONNECT_REFUSED, 14));
	assert_true(parents_failed(s, 3, FAULT_CONNECT_REFUSED, 15));
	assert_false(parents_failed(s, 3, FAULT_CONNECT_REFUSED, 16)); /* said once */
	assert_int_equal(s->down, 1);
	assert_int_equal(s->since_us, 15);
	assert_true(parents_worked(s, 5, 17));
	assert_int_equal(s->down, 0);
	assert_int_equal(s->since_us, 17);
	assert_int_equal(s->failed, 6);
	assert_true(parents_failed(s, 1, FAULT_CONNECT_REFUSED, 18));
	parents_name(&p, 7, SPAN("up")); /* the same: nothing is forgotten */
	assert_int_equal(s->down, 1);
	parents_name(&p, 7, SPAN("another"));
	assert_int_equal(s->down, 0);
	assert_int_equal(s->failed, 0);
	assert_string_equal(s->name, "another");
}

static void
test_each_change_is_told_once_a_minute_and_the_last_one_always(void **state)
{
	static const struct {
		uint64_t at_s;
		bool     down, told;
	} rows[] = {
		{1, false, false}, {2, true, true}, {2, true, false}, {3, false, true}, {4, true, false}, {5, false, false}, {6, true, false},
		{61, true, false}, {62, true, true}, {62, false, false}, {63, false, true}, {63, false, false}, {200, false, false}, {201, true, true},
	};
	struct parent_health s = {.name = "flaps"};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		bool down;
		atomic_store(&s.down, rows[i].down);
		assert_int_equal(parents_claim_word(&s, rows[i].at_s * 1000000, &down), rows[i].told);
		assert_int_equal(down, rows[i].down);
	}
}

static void
test_one_of_all_workers_looks_once_in_an_interval(void **state)
{
	struct parent_health s = {.name = "up"};

	(void)state;
	assert_true(parents_claim(&s, 1000, 100));
	assert_false(parents_claim(&s, 1000, 100));
	assert_false(parents_claim(&s, 1099, 100));
	assert_true(parents_claim(&s, 1100, 100));
	assert_false(parents_claim(&s, 900, 100));
}

static void
test_secrets_are_one_line_of_user_and_password(void **state)
{
	static const struct {
		const char *text, *value; /* null: refused */
		const char *why;
	} rows[] = {
		{"user:password\n", "Basic dXNlcjpwYXNzd29yZA==", NULL},
		{"user:password", "Basic dXNlcjpwYXNzd29yZA==", NULL},
		{"user:password\r\n", "Basic dXNlcjpwYXNzd29yZA==", NULL},
		{"user:\n", "Basic dXNlcjo=", NULL},
		{"user:a:b c\n", "Basic dXNlcjphOmIgYw==", NULL},
		{"", NULL, "no user and colon"},
		{"\n", NULL, "no user and colon"},
		{"user\n", NULL, "no user and colon"},
		{":password\n", NULL, "no user and colon"},
		{"a:b\nc:d\n", NULL, "more than one line"},
		{"a:b\n\n", NULL, "more than one line"},
		{"a:\tb\n", NULL, "control bytes"},
		{"a:\x7f\n", NULL, "control bytes"},
	};
	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		struct snapshot_secret out;
		const char            *why = NULL;
		int                    fd = memfd_create("credentials", MFD_CLOEXEC);
		size_t                 n = strlen(rows[i].text);
		assert_int_equal(write(fd, rows[i].text, n), n);
		/* others have read it before */
		for (int k = 0; k < 2; k++) {
			assert_int_equal(parent_secret_read(fd, &out, &why), rows[i].value != NULL);
			if (rows[i].value)
				assert_true(span_eq(span_of(out.text, out.n), span_str(rows[i].value)));
			else
				assert_non_null(strstr(why, rows[i].why));
		}
		close(fd);
	}
}

static void
test_the_longest_secret_fits_and_a_longer_one_is_refused(void **state)
{
	char text[300];

	(void)state;
	for (size_t n = 250; n < sizeof text; n++) {
		struct snapshot_secret out;
		const char            *why;
		int                    fd = memfd_create("credentials", MFD_CLOEXEC);
		memset(text, 'x', n);
		text[4] = ':';
		assert_int_equal(write(fd, text, n), n);
		assert_int_equal(parent_secret_read(fd, &out, &why), n <= 256);
		close(fd);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_parent_keeps_its_slot_while_others_come_and_go),
		cmocka_unit_test(test_a_parent_is_down_after_so_many_failures_in_a_row),
		cmocka_unit_test(test_each_change_is_told_once_a_minute_and_the_last_one_always),
		cmocka_unit_test(test_one_of_all_workers_looks_once_in_an_interval),
		cmocka_unit_test(test_secrets_are_one_line_of_user_and_password),
		cmocka_unit_test(test_the_longest_secret_fits_and_a_longer_one_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
