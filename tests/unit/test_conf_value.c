/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>

#include "conf/value.h"

#define N(a) (sizeof(a) / sizeof *(a))

/* The same text in a heap block of exactly its size, so that a sanitizer sees what reads beyond it. */
static struct span
exact(const char *p, size_t n)
{
	char *copy = malloc(n ? n : 1);

	assert_non_null(copy);
	memcpy(copy, p, n);
	return span_of(copy, n);
}

static void
exact_free(struct span s)
{
	free((char *)(uintptr_t)s.p);
}

static void
test_rates_are_so_many_per_so_long(void **state)
{
	static const struct {
		const char *in;
		bool        ok;
		uint32_t    count;
		uint64_t    per_ms;
	} rows[] = {
		{"4 per 30m", true, 4, 1800000}, {"4  per\t30m", true, 4, 1800000}, {"1000000 per 1ms", true, 1000000, 1}, {"0", true, 0, 0}, {"none", true, 0, 0},
		{"0 per 5s", true, 0, 5000}, {"", false, 0, 0}, {"4", false, 0, 0}, {"4 per", false, 0, 0}, {"4 per 0", false, 0, 0}, {"4 per 30", false, 0, 0},
		{"4 in 30m", false, 0, 0}, {"4 per 30m x", false, 0, 0}, {"4per30m", false, 0, 0}, {"-1 per 1h", false, 0, 0}, {"1000001 per 1h", false, 0, 0},
		{"none per 1h", false, 0, 0}, {" 4 per 1h", false, 0, 0},
	};
	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		struct span      in = exact(rows[i].in, strlen(rows[i].in));
		struct conf_rate out = {0};
		assert_int_equal(value_rate(in, &out), rows[i].ok);
		assert_true(!rows[i].ok || (out.count == rows[i].count && out.per_ms == rows[i].per_ms));
		exact_free(in);
		for (size_t n = 0; n < strlen(rows[i].in); n++) {
			in = exact(rows[i].in, n);
			value_rate(in, &out);
			exact_free(in);
		}
	}
}

typedef bool (*number_reader)(struct span, uint64_t *);

static void
test_numbers_sizes_and_times_are_read_whole_or_not_at_all(void **state)
{
	static const struct {
		number_reader read;
		const char   *in;
		bool          ok;
		uint64_t      out;
	} rows[] = {
		{value_number, "0", true, 0}, {value_number, "007", true, 7}, {value_number, "18446744073709551615", true, UINT64_MAX},
		{value_number, "18446744073709551616", false, 0}, {value_number, "", false, 0}, {value_number, "-1", false, 0},
		{value_number, "+1", false, 0}, {value_number, "1 ", false, 0}, {value_number, "0x10", false, 0}, {value_number, "1e3", false, 0},
		{value_size, "4096", true, 4096}, {value_size, "64k", true, 65536}, {value_size, "1m", true, 1048576}, {value_size, "2G", true, 2147483648},
		{value_size, "64kb", false, 0}, {value_size, "k", false, 0}, {value_size, "1.5m", false, 0}, {value_size, "17179869184g", false, 0},
		{value_size, "64 k", false, 0}, {value_size, "10s", false, 0},
		{value_time, "200ms", true, 200}, {value_time, "10s", true, 10000}, {value_time, "5m", true, 300000}, {value_time, "1h", true, 3600000},
		{value_time, "0", true, 0}, {value_time, "10", false, 0}, {value_time, "1d", false, 0}, {value_time, "h", false, 0},
		{value_time, "5 s", false, 0}, {value_time, "9999999999999999999h", false, 0}, {value_time, "64k", false, 0},
	};
	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		struct span in = exact(rows[i].in, strlen(rows[i].in));
		uint64_t    out = 0;
		assert_int_equal(rows[i].read(in, &out), rows[i].ok);
		if (rows[i].ok)
			assert_true(out == rows[i].out);
		exact_free(in);
	}
}

static void
test_ports_are_one_or_a_range(void **state)
{
	static const struct {
		const char *in;
		bool        ok;
		uint16_t    first, last;
	} rows[] = {
		{"443", true, 443, 443}, {"1025-65535", true, 1025, 65535}, {"7-7", true, 7, 7}, {"1", true, 1, 1},
		{"0", false, 0, 0}, {"65536", false, 0, 0}, {"8-7", false, 0, 0}, {"-7", false, 0, 0}, {"7-", false, 0, 0}, {"0-7", false, 0, 0},
		{"", false, 0, 0}, {"http", false, 0, 0}, {"1-2-3", false, 0, 0}, {"000443", false, 0, 0}, {"443,", false, 0, 0},
	};
	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		struct span       in = exact(rows[i].in, strlen(rows[i].in));
		struct port_range r;
		assert_int_equal(value_ports(in, &r), rows[i].ok);
		if (rows[i].ok) {
			assert_int_equal(r.first, rows[i].first);
			assert_int_equal(r.last, rows[i].last);
		}
		exact_free(in);
	}
}

static void
test_endpoints_have_a_port_unless_one_is_lent(void **state)
{
	static const uint16_t dns = 53;
	static const struct {
		const char *in, *with, *without; /* as printed with port 53 lent, and with none; null: refused */
	} rows[] = {
		{"127.0.0.1:3128", "127.0.0.1:3128", "127.0.0.1:3128"}, {"[::1]:3128", "[::1]:3128", "[::1]:3128"},
		{"0.0.0.0:0", "0.0.0.0:0", "0.0.0.0:0"}, {"[fe80::1%7]:80", "[fe80::1%7]:80", "[fe80::1%7]:80"},
		{"[fe80::1%lo]:80", "[fe80::1%1]:80", "[fe80::1%1]:80"},
		{"192.0.2.53", "192.0.2.53:53", NULL}, {"2001:db8::53", "[2001:db8::53]:53", NULL}, {"[2001:db8::53]", "[2001:db8::53]:53", NULL},
		{"2001:db8::1:3128", "[2001:db8::1:3128]:53", NULL},
		{"", NULL, NULL}, {"3128", NULL, NULL}, {":3128", NULL, NULL}, {"*:3128", NULL, NULL}, {"localhost:3128", NULL, NULL},
		{"127.0.0.1:65536", NULL, NULL}, {"127.0.0.1:", NULL, NULL}, {"127.0.0.1:80x", NULL, NULL}, {"[127.0.0.1]:80", NULL, NULL},
		{"[::1", NULL, NULL}, {"[::1]80", NULL, NULL}, {"[::1]:", NULL, NULL}, {"[]:80", NULL, NULL}, {"[", NULL, NULL},
		{"[2001:db8::1%7]:80", NULL, NULL}, {"[fe80::1%]:80", NULL, NULL}, {"[fe80::1%0]:80", NULL, NULL},
		{"[fe80::1%no-such-interface-here]:80", NULL, NULL}, {"[fe80::1%nosuch0]:80", NULL, NULL},
	};
	(void)state;
	for (size_t i = 0; i < N(rows); i++)
		for (int lent = 0; lent < 2; lent++) {
			const char     *want = lent ? rows[i].with : rows[i].without;
			struct span     in = exact(rows[i].in, strlen(rows[i].in));
			struct endpoint e;
			char            text[ENDPOINT_TEXT_MAX];
			assert_int_equal(value_endpoint(in, lent ? &dns : NULL, &e), want != NULL);
			if (want) {
				endpoint_print(&e, text);
				assert_string_equal(text, want);
			}
			exact_free(in);
		}
}

/* Items as "text", "!text", "'text'" for quoted, joined by '|'; what is wrong after a '?'. */
static void
items_print(bool (*next)(struct span *, struct conf_item *, char *), struct span in, char *out, size_t room)
{
	struct conf_item item;
	char             why[ITEM_WHY];
	size_t           n = 0;

	out[0] = '\0';
	while (next(&in, &item, why)) {
		assert_true(item.text.n > 0);
		n += (size_t)snprintf(out + n, room - n, "%s%s%s%.*s%s", n ? "|" : "", item.negated ? "!" : "", item.quoted ? "'" : "", SPAN_ARG(item.text),
		    item.quoted ? "'" : "");
	}
	if (why[0])
		snprintf(out + n, room - n, "?%s", why);
}

static void
test_names_are_separated_by_commas_alone(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{"", ""}, {" , ,", ""}, {"a", "a"}, {"CORP\\a b , c", "CORP\\a b|c"}, {"a,b,,c,", "a|b|c"}, {"!a b,!c", "!a b|!c"}, {"\"a, b\" ,c", "'a, b'|c"},
		{"!\"!a\"", "!'!a'"}, {"\" a \"", "' a '"}, {"a!b", "a!b"}, {"\ta\t", "a"},
		{"\"a", "?the quote is not closed on its line"}, {"\"a\" b", "?after a closing quote comes a comma"}, {"a \"b\"", "?a quote stands inside a name; put the whole name in quotes, and a comma after it"},
		{"a,!", "a?\"!\" stands alone; the item follows it at once"}, {"!,a", "?\"!\" stands alone; the item follows it at once"},
		{"!!a", "?\"!!\" is no negation; one \"!\" negates"}, {"! a", "?after \"!\" the name follows at once"}, {"\"\"", "?an item is empty"},
	};
	char out[400];

	(void)state;
	for (size_t i = 0; i < N(rows); i++)
		for (size_t n = 0; n <= strlen(rows[i].in); n++) {
			struct span in = exact(rows[i].in, n);
			items_print(name_next, in, out, sizeof out);
			if (n == strlen(rows[i].in))
				assert_string_equal(out, rows[i].out);
			exact_free(in);
		}
}

static void
test_items_are_separated_by_blanks_and_commas_and_quoted_ones_stand_as_they_are(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{"", ""}, {" , ,\t", ""}, {"a", "a"}, {"a b", "a|b"}, {"a,b , c\td", "a|b|c|d"}, {"!a b", "!a|b"}, {"\"a b\" c", "'a b'|c"},
		{"!\"a, b\"", "!'a, b'"}, {"a\"b", "a\"b"}, {"re:^a{1}$", "re:^a{1}$"}, {"\"!a\"", "'!a'"}, {"\"!\"", "'!'"}, {"a;b", "a;b"},
		{"\"a", "?the quote is not closed on its line"}, {"a \"b c", "a?the quote is not closed on its line"},
		{"\"a\"b", "?after a closing quote comes a blank or a comma"}, {"\"\"", "?an item is empty"},
		{"!", "?\"!\" stands alone; the item follows it at once"}, {"! a", "?\"!\" stands alone; the item follows it at once"},
		{"!!a", "?\"!!\" is no negation; one \"!\" negates"},
	};
	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		char out[256];
		for (size_t n = 0; n <= strlen(rows[i].in); n++) {
			struct span in = exact(rows[i].in, n);
			items_print(item_next, in, out, sizeof out);
			exact_free(in);
		}
		assert_string_equal(out, rows[i].out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers_sizes_and_times_are_read_whole_or_not_at_all),
		cmocka_unit_test(test_ports_are_one_or_a_range),
		cmocka_unit_test(test_endpoints_have_a_port_unless_one_is_lent),
		cmocka_unit_test(test_rates_are_so_many_per_so_long),
		cmocka_unit_test(test_names_are_separated_by_commas_alone),
		cmocka_unit_test(test_items_are_separated_by_blanks_and_commas_and_quoted_ones_stand_as_they_are),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
