/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "parse/cidr.h"
#include "block.h"

static void
test_prefixes_are_read_with_their_range(void **state)
{
	static const struct {
		const char     *text;
		enum cidr_fault fault;
		const char     *first, *last;
		unsigned        bits;
	} rows[] = {
		{"10.0.0.0/8", CIDR_FINE, "10.0.0.0", "10.255.255.255", 104},
		{"0.0.0.0/0", CIDR_FINE, "0.0.0.0", "255.255.255.255", 96},
		{"192.0.2.7", CIDR_FINE, "192.0.2.7", "192.0.2.7", 128},
		{"192.0.2.7/32", CIDR_FINE, "192.0.2.7", "192.0.2.7", 128},
		{"192.0.2.6/31", CIDR_FINE, "192.0.2.6", "192.0.2.7", 127},
		{"10.0.0.1/8", CIDR_HOST_BITS, "10.0.0.0", "10.255.255.255", 104},
		{"192.0.2.7/25", CIDR_HOST_BITS, "192.0.2.0", "192.0.2.127", 121},
		{"2001:db8::/32", CIDR_FINE, "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", 32},
		{"2001:DB8::1", CIDR_FINE, "2001:db8::1", "2001:db8::1", 128},
		{"2001:db8::1/127", CIDR_HOST_BITS, "2001:db8::", "2001:db8::1", 127},
		{"fe80::/10", CIDR_FINE, "fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 10},
		{"::/0", CIDR_FINE, "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 0},
		{"::1/0", CIDR_HOST_BITS, "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 0},
		{"::ffff:10.0.0.0/104", CIDR_FINE, "10.0.0.0", "10.255.255.255", 104},
		{"::ffff:0:0/96", CIDR_FINE, "0.0.0.0", "255.255.255.255", 96},
		{"::ffff:10.0.0.0/95", CIDR_BAD, NULL, NULL, 0},
		{"::ffff:10.0.0.0/8", CIDR_BAD, NULL, NULL, 0},
		{"", CIDR_BAD, NULL, NULL, 0}, {"/", CIDR_BAD, NULL, NULL, 0}, {"/8", CIDR_BAD, NULL, NULL, 0}, {"10.0.0.0/", CIDR_BAD, NULL, NULL, 0},
		{"10.0.0.0/33", CIDR_BAD, NULL, NULL, 0}, {"10.0.0.0/08", CIDR_BAD, NULL, NULL, 0}, {"10.0.0.0/+8", CIDR_BAD, NULL, NULL, 0},
		{"10.0.0.0/8 ", CIDR_BAD, NULL, NULL, 0}, {" 10.0.0.0/8", CIDR_BAD, NULL, NULL, 0}, {"10.0.0.0/8/8", CIDR_BAD, NULL, NULL, 0},
		{"10.0.0/8", CIDR_BAD, NULL, NULL, 0}, {"10/8", CIDR_BAD, NULL, NULL, 0}, {"010.0.0.0/8", CIDR_BAD, NULL, NULL, 0},
		{"::/129", CIDR_BAD, NULL, NULL, 0}, {"::/1000", CIDR_BAD, NULL, NULL, 0}, {"::/-1", CIDR_BAD, NULL, NULL, 0}, {"[::]/0", CIDR_BAD, NULL, NULL, 0},
		{"fe80::1%eth0/64", CIDR_BAD, NULL, NULL, 0}, {"10.0.0.0/255.0.0.0", CIDR_BAD, NULL, NULL, 0}, {"example", CIDR_BAD, NULL, NULL, 0},
	};
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct span b = block_of(rows[i].text, strlen(rows[i].text));
		struct cidr c;
		struct addr first, last;
		char        text[ADDR_TEXT_MAX];

		if (cidr_parse(b, &c) != rows[i].fault)
			print_message("%s\n", rows[i].text);
		assert_int_equal(cidr_parse(b, &c), rows[i].fault);
		block_free(b);
		if (rows[i].fault == CIDR_BAD)
			continue;
		assert_int_equal(c.bits, rows[i].bits);
		cidr_range(&c, &first, &last);
		addr_print(&first, text);
		assert_string_equal(text, rows[i].first);
		assert_true(addr_eq(&first, &c.addr));
		addr_print(&last, text);
		assert_string_equal(text, rows[i].last);
	}
}

static void
test_every_start_of_a_prefix_is_safe_to_read(void **state)
{
	static const char *const rows[] = {"255.255.255.255/32", "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255/128", "::ffff:1.2.3.4/128"};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++)
		for (size_t n = 0; n <= strlen(rows[i]); n++) {
			struct span b = block_of(rows[i], n);
			struct cidr c;
			if (cidr_parse(b, &c) != CIDR_BAD)
				assert_true(c.bits <= 128);
			block_free(b);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_prefixes_are_read_with_their_range),
		cmocka_unit_test(test_every_start_of_a_prefix_is_safe_to_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
