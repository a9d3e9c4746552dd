/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/log.h"
#include "session/unserved.h"

#define ROWS(a) (sizeof(a) / sizeof *(a))
#define SECOND  UINT64_C(1000000)

static bool
note(struct unserved *u, const char *name, enum fault fault, const char *client, uint64_t at_s)
{
	struct authority at = {.port = 443};
	struct addr      addr;

	assert_true(host_parse(span_str(name), &at.host));
	assert_true(addr_parse(span_str(client), &addr));
	return unserved_note(u, &at, fault, &addr, at_s * SECOND);
}

static void
test_each_host_and_fault_is_told_once_an_hour(void **state)
{
	static const struct {
		const char *name;
		enum fault  fault;
		uint64_t    at_s;
		bool        told;
	} rows[] = {
		{"a.example", FAULT_CLIENT_REJECTED_CERTIFICATE, 10000, true},
		{"a.example", FAULT_CLIENT_REJECTED_CERTIFICATE, 10001, false},
		{"a.example", FAULT_ORIGIN_WANTS_CERTIFICATE, 10002, true},
		{"b.example", FAULT_CLIENT_REJECTED_CERTIFICATE, 10003, true},
		{"a.example", FAULT_CLIENT_REJECTED_CERTIFICATE, 13599, false},
		{"a.example", FAULT_CLIENT_REJECTED_CERTIFICATE, 13600, true},
		{"a.example", FAULT_CLIENT_REJECTED_CERTIFICATE, 13601, false},
	};
	struct unserved *u = unserved_new();

	(void)state;
	assert_non_null(u);
	for (size_t i = 0; i < ROWS(rows); i++)
		assert_int_equal(note(u, rows[i].name, rows[i].fault, "10.0.0.1", rows[i].at_s), rows[i].told);
	unserved_free(u);
}

static void
test_many_hosts_make_few_lines_and_forget_the_oldest(void **state)
{
	struct unserved *u = unserved_new();
	char             name[32], client[32];
	unsigned         told = 0;

	(void)state;
	assert_non_null(u);
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(name, sizeof name, "h%u.example", i);
		snprintf(client, sizeof client, "10.0.%u.%u", i / 250, i % 250);
		told += note(u, name, FAULT_CLIENT_REJECTED_CERTIFICATE, client, 10000);
	}
	assert_int_equal(told, 20);
	/* the youngest are still known: what was not told then is told now, what was forgotten is new */
	assert_true(note(u, "h999.example", FAULT_CLIENT_REJECTED_CERTIFICATE, "10.0.0.1", 10060));
	assert_true(note(u, "h0.example", FAULT_CLIENT_REJECTED_CERTIFICATE, "10.0.0.1", 10060));
	assert_false(note(u, "h0.example", FAULT_CLIENT_REJECTED_CERTIFICATE, "10.0.0.1", 10061));
	unserved_free(u);
}

static void
test_any_number_of_clients_fits(void **state)
{
	struct unserved *u = unserved_new();
	char             client[64];

	(void)state;
	assert_non_null(u);
	for (unsigned i = 0; i < 100; i++) {
		snprintf(client, sizeof client, "fd00:1111:2222:3333:4444:5555:6666:%x", 0x7000 + i);
		note(u, "a.example", FAULT_CLIENT_REJECTED_CERTIFICATE, client, 10000 + i);
	}
	assert_true(note(u, "a.example", FAULT_CLIENT_REJECTED_CERTIFICATE, "10.0.0.1", 20000));
	unserved_free(u);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_host_and_fault_is_told_once_an_hour),
		cmocka_unit_test(test_many_hosts_make_few_lines_and_forget_the_oldest),
		cmocka_unit_test(test_any_number_of_clients_fits),
	};
	log_threshold(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
