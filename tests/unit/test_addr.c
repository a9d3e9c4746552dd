/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/addr.h"

static void
test_addresses_print_as_they_should_be_spelled(void **state)
{
	static const struct {
		const char *in, *out; /* out null: refused */
	} rows[] = {
		{"127.0.0.1", "127.0.0.1"}, {"255.255.255.255", "255.255.255.255"}, {"::ffff:10.0.0.1", "10.0.0.1"},
		{"2001:DB8::1", "2001:db8::1"}, {"::", "::"}, {"::1", "::1"},
		{"127.1", NULL}, {"010.0.0.1", NULL}, {"1.2.3.256", NULL}, {"1.2.3.4.5", NULL}, {"1.2.3.", NULL}, {"", NULL},
		{"1.2.3.4 ", NULL}, {"0x7f.0.0.1", NULL}, {"2001:db8::1%eth0", NULL}, {":::", NULL}, {"1.2.3.0004", NULL},
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct addr a;
		char        text[ADDR_TEXT_MAX];
		bool        ok = addr_parse(span_str(rows[i].in), &a);
		assert_int_equal(ok, rows[i].out != NULL);
		if (ok) {
			addr_print(&a, text);
			assert_string_equal(text, rows[i].out);
		}
	}
}

static void
test_wrapped_ipv4_is_found(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{"64:ff9b::a00:1", "10.0.0.1"}, {"64:ff9b:1:a00:0:100::", "10.0.0.1"}, {"64:ff9b:1::a00:1", "10.0.0.1"},
		{"2002:a00:1::1", "10.0.0.1"}, {"2001:0:1:2:3:4:f5ff:fffe", "10.0.0.1"}, {"::10.0.0.1", "10.0.0.1"},
		{"fe80::5efe:a00:1", "10.0.0.1"}, {"2001:db8::1", NULL}, {"::1", NULL},
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct addr a, v4;
		char        text[ADDR_TEXT_MAX];
		assert_true(addr_parse(span_str(rows[i].in), &a));
		assert_int_equal(addr_embedded_v4(&a, &v4), rows[i].out != NULL);
		if (rows[i].out) {
			addr_print(&v4, text);
			assert_string_equal(text, rows[i].out);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses_print_as_they_should_be_spelled),
		cmocka_unit_test(test_wrapped_ipv4_is_found),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
