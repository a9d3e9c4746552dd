/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "auth/principal.h"
#include "block.h"

static void
test_a_principal_is_account_and_realm_or_nothing(void **state)
{
	static const struct {
		struct span text;
		const char *account, *realm; /* null: refused */
	} rows[] = {
		{SPAN("alice@CORP.EXAMPLE"), "alice", "CORP.EXAMPLE"},
		{SPAN("WS01$@CORP.EXAMPLE"), "WS01$", "CORP.EXAMPLE"},
		{SPAN("host/px1.corp.example@CORP.EXAMPLE"), "host/px1.corp.example", "CORP.EXAMPLE"},
		{SPAN("alice\\@corp.example@CORP.EXAMPLE"), "alice@corp.example", "CORP.EXAMPLE"},
		{SPAN("J\xc3\xbcrgen@R"), "J\xc3\xbcrgen", "R"},
		{SPAN("a@b\\@c"), "a", "b@c"},
		/* no realm, no account */
		{SPAN(""), NULL, NULL}, {SPAN("alice"), NULL, NULL}, {SPAN("alice@"), NULL, NULL}, {SPAN("@R"), NULL, NULL}, {SPAN("@"), NULL, NULL},
		{SPAN("a@b@c"), NULL, NULL},
		/* could be taken for another: two parts or one, a domain's user, a line of a log */
		{SPAN("host\\/px1@R"), NULL, NULL}, {SPAN("CORP\\\\bob@R"), NULL, NULL}, {SPAN("a\\nb@R"), NULL, NULL}, {SPAN("a\\0b@R"), NULL, NULL},
		{SPAN("a\nb@R"), NULL, NULL}, {SPAN("a\0b@R"), NULL, NULL}, {SPAN("a\x7f@R"), NULL, NULL}, {SPAN("a@R\\"), NULL, NULL},
	};
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct span b = block_of(rows[i].text.p, rows[i].text.n);
		char        account[ASK_NAME_MAX], realm[ASK_NAME_MAX];
		bool        ok = principal_split(b, account, realm);

		block_free(b);
		if (ok != (rows[i].account != NULL))
			print_message("%s\n", rows[i].text.p);
		assert_int_equal(ok, rows[i].account != NULL);
		if (!ok)
			continue;
		assert_string_equal(account, rows[i].account);
		assert_string_equal(realm, rows[i].realm);
	}
}

static void
test_a_name_that_does_not_fit_is_refused_not_cut(void **state)
{
	char text[2 * ASK_NAME_MAX + 8], account[ASK_NAME_MAX], realm[ASK_NAME_MAX];

	(void)state;
	memset(text, 'a', sizeof text);
	text[ASK_NAME_MAX - 1] = '@';
	assert_true(principal_split(span_of(text, ASK_NAME_MAX + ASK_NAME_MAX - 1), account, realm));
	assert_int_equal(strlen(account), ASK_NAME_MAX - 1);
	assert_int_equal(strlen(realm), ASK_NAME_MAX - 1);
	assert_false(principal_split(span_of(text, ASK_NAME_MAX + ASK_NAME_MAX), account, realm));
	text[ASK_NAME_MAX - 1] = 'a';
	text[ASK_NAME_MAX] = '@';
	assert_false(principal_split(span_of(text, ASK_NAME_MAX + 8), account, realm));
}

static void
test_nobody_is_known_by_name(void **state)
{
	(void)state;
	assert_true(principal_is_anonymous("WELLKNOWN/ANONYMOUS", "WELLKNOWN:ANONYMOUS"));
	assert_true(principal_is_anonymous("WELLKNOWN/ANONYMOUS", "CORP.EXAMPLE"));
	assert_true(principal_is_anonymous("x", "WELLKNOWN:ANONYMOUS"));
	assert_false(principal_is_anonymous("anonymous", "CORP.EXAMPLE"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_principal_is_account_and_realm_or_nothing),
		cmocka_unit_test(test_a_name_that_does_not_fit_is_refused_not_cut),
		cmocka_unit_test(test_nobody_is_known_by_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
