/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>

#include "ipc/names.h"
#include "block.h"

static void
test_names_are_unknown_until_published(void **state)
{
	struct shared_names s;
	struct ntlm_names   in = {"CORP", "PX1", "corp.example", "px1.corp.example"}, out;

	(void)state;
	memset(&s, 0, sizeof s);
	assert_false(names_read(&s, &out));
	names_publish(&s, &in);
	assert_true(names_read(&s, &out));
	assert_memory_equal(&in, &out, sizeof in);
}

static void
test_names_of_a_writer_that_died_are_unknown_until_the_next(void **state)
{
	struct shared_names s;
	struct ntlm_names   in = {"CORP", "PX1", "", ""}, out;

	(void)state;
	memset(&s, 0, sizeof s);
	atomic_store(&s.number, 7);
	assert_false(names_read(&s, &out));
	names_publish(&s, &in);
	assert_true(names_read(&s, &out));
	/* and when the number is used up */
	atomic_store(&s.number, UINT32_MAX - 1);
	names_publish(&s, &in);
	assert_int_not_equal(atomic_load(&s.number), 0);
	assert_true(names_read(&s, &out));
}

static void
test_names_that_are_not_ended_are_cut(void **state)
{
	struct shared_names s;
	struct ntlm_names   out;

	(void)state;
	memset(&s, 'x', sizeof s);
	atomic_store(&s.number, 2);
	assert_true(names_read(&s, &out));
	assert_int_equal(strlen(out.domain), NAME_NETBIOS_MAX - 1);
	assert_int_equal(strlen(out.dns_computer), NAME_DNS_MAX - 1);
}

static void *
write_many(void *arg)
{
	for (int i = 0; i < 20000; i++) {
		struct ntlm_names n;
		memset(&n, 'a' + i % 26, sizeof n);
		names_publish(arg, &n);
	}
	return NULL;
}

static void
test_names_are_never_read_half_written(void **state)
{
	static struct shared_names s;
	pthread_t                  writer;
	int                        seen = 0;

	(void)state;
	assert_int_equal(pthread_create(&writer, NULL, write_many, &s), 0);
	while (seen < 2000) {
		struct ntlm_names n;
		if (!names_read(&s, &n))
			continue;
		seen++;
		for (size_t i = 1; i < sizeof n.domain - 1; i++)
			assert_int_equal(n.domain[i], n.domain[0]);
		for (size_t i = 0; i < sizeof n.dns_computer - 1; i++)
			assert_int_equal(n.dns_computer[i], n.domain[0]);
	}
	pthread_join(writer, NULL);
}

static void
test_machine_alone_is_called_by_its_first_label(void **state)
{
	static const struct {
		const char *visible, *netbios, *dns;
	} rows[] = {
	    {"proxy.example.com", "PROXY", "proxy.example.com"},
	    {"px1", "PX1", "px1"},
	    {"a-very-long-host-name.example", "A-VERY-LONG-HOS", "a-very-long-host-name.example"},
	    {"", "PROXY", ""},
	    {".example", "PROXY", ".example"},
	    {"fourteenbytes-\xc3\xa4z", "FOURTEENBYTES-", "fourteenbytes-\xc3\xa4z"},
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct span       in = block_of(rows[i].visible, strlen(rows[i].visible));
		struct ntlm_names n;
		names_alone(in, &n);
		assert_string_equal(n.computer, rows[i].netbios);
		assert_string_equal(n.domain, rows[i].netbios);
		assert_string_equal(n.dns_computer, rows[i].dns);
		assert_string_equal(n.dns_domain, "");
		block_free(in);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_names_are_unknown_until_published),
	    cmocka_unit_test(test_names_of_a_writer_that_died_are_unknown_until_the_next),
	    cmocka_unit_test(test_names_that_are_not_ended_are_cut),
	    cmocka_unit_test(test_names_are_never_read_half_written),
	    cmocka_unit_test(test_machine_alone_is_called_by_its_first_label),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
