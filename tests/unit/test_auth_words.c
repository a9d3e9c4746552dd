/* SPDX-License-Identifier: MIT */
/* Answers, what errors of the domain mean, names for a directory, names of groups. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "auth/ad_words.h"
#include "auth/ldap_name.h"
#include "auth/sid_names.h"
#include "block.h"

static void
test_names_are_cut_at_a_character_and_cleaned(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {{"alice", "alice"}, {"a\nb\x7f", "a?b?"}, {"", ""}, {"j\xc3\xbcrgen", "j\xc3\xbcrgen"}};
	char out[ASK_NAME_MAX], in[ASK_NAME_MAX + 2];

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		answer_name(out, span_str(rows[i].in));
		assert_string_equal(out, rows[i].out);
	}
	/* 254 bytes, then a character of two */
	memset(in, 'x', sizeof in);
	memcpy(in + 254, "\xc3\xbc", 2);
	answer_name(out, span_of(in, 256));
	assert_int_equal(strlen(out), 254);
	memcpy(in + 253, "\xc3\xbc", 2);
	answer_name(out, span_of(in, 255));
	assert_int_equal(strlen(out), 255);
}

static void
test_groups_end_where_their_bytes_do(void **state)
{
	struct answer a = {0};
	char          group[1000];
	size_t        n = 0;

	(void)state;
	memset(group, 'g', sizeof group);
	while (answer_group(&a, span_of(group, sizeof group)))
		n++;
	assert_int_equal(n, GROUPS_BYTES_MAX / 1001);
	assert_int_equal(a.groups_bytes, n * 1001);
	assert_int_equal(a.groups[1000], 0);
	answer_clear(&a);
	assert_null(a.groups);
}

static void
test_an_error_is_the_users_or_the_domains(void **state)
{
	static const struct {
		uint32_t        status;
		enum ask_result result;
		const char     *detail;
	} rows[] = {
		{0xc000006a, ASK_REFUSED, "NT_STATUS_WRONG_PASSWORD: wrong password"},
		{0xc0000234, ASK_REFUSED, "NT_STATUS_ACCOUNT_LOCKED_OUT: "},
		{0xc0000224, ASK_REFUSED, "NT_STATUS_PASSWORD_MUST_CHANGE: "},
		{0xc000006f, ASK_REFUSED, "NT_STATUS_INVALID_LOGON_HOURS: "},
		{0xc000005e, ASK_UNAVAILABLE, "NT_STATUS_NO_LOGON_SERVERS: "},
		{0xc0000022, ASK_UNAVAILABLE, "winbindd_priv"},
		{0xc0ffee00, ASK_UNAVAILABLE, "NT_STATUS_FROM_WINBINDD"},
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct answer a = {0};
		nt_status_explain(rows[i].status, "NT_STATUS_FROM_WINBINDD", &a);
		assert_int_equal(a.result, rows[i].result);
		if (!strstr(a.detail, rows[i].detail))
			fail_msg("%s", a.detail);
	}
	assert_string_equal(ad_bind_words("80090308: LdapErr: DSID-0C090447, comment: AcceptSecurityContext error, data 52e, v3839"), "wrong password");
	assert_non_null(strstr(ad_bind_words("..., data 775, v1db1"), "locked out"));
	assert_null(ad_bind_words("data 1, v1"));
	assert_null(ad_bind_words("nothing"));
	assert_null(ad_bind_words(NULL));
}

static void
test_a_name_in_a_dn_stays_one_value(void **state)
{
	static const struct {
		const char *template, *user, *out; /* null: refused */
	} rows[] = {
		{"%u", "alice@corp.example", "alice@corp.example"},
		{"%u", "CORP\\alice", "CORP\\alice"},
		{"%u@corp.example", "alice", "alice@corp.example"},
		{"uid=%u,ou=people,dc=x", "alice", "uid=alice,ou=people,dc=x"},
		{"uid=%u,dc=x", "a,ou=admins", "uid=a\\,ou\\=admins,dc=x"},
		{"uid=%u,dc=x", "#1+2<3>4;\"\\", "uid=\\#1\\+2\\<3\\>4\\;\\\"\\\\,dc=x"},
		{"uid=%u,dc=x", "j\xc3\xbcrgen", "uid=j\xc3\xbcrgen,dc=x"},
		{"uid=%u+cn=%u,dc=x", "a", "uid=a+cn=a,dc=x"},
		{"uid=%u,dc=x", "two words", "uid=two words,dc=x"},
		{"uid=%u,dc=x", " alice", NULL},
		{"uid=%u,dc=x", "alice ", NULL},
		{"uid=%u,dc=x", "two  words", NULL},
		{"uid=%u,dc=x", "", NULL},
		{"uid=%u,dc=x", "a\x01", NULL},
		{"uid=%u,dc=x", "0123456789012345678901234567890123456789012345678901234567890", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		const char *why = NULL;
		char        out[64];
		struct span user = block_of(rows[i].user, strlen(rows[i].user));
		bool        ok = ldap_name_make(span_str(rows[i].template), user, out, sizeof out, &why);

		block_free(user);
		assert_int_equal(ok, rows[i].out != NULL);
		if (ok)
			assert_string_equal(out, rows[i].out);
		else
			assert_non_null(why);
	}
}

static void
test_group_names_are_known_for_a_while_and_bounded(void **state)
{
	struct sid_names *s = sid_names_new();
	char              name[ASK_NAME_MAX], sid[64];
	size_t            known = 0;

	(void)state;
	assert_non_null(s);
	assert_false(sid_names_find(s, "S-1-5-21-1", 1, name));
	sid_names_add(s, "S-1-5-21-1", "CORP\\A", 1);
	assert_true(sid_names_find(s, "S-1-5-21-1", SID_NAMES_TTL_US, name));
	assert_string_equal(name, "CORP\\A");
	assert_false(sid_names_find(s, "S-1-5-21-1", SID_NAMES_TTL_US + 1, name));
	sid_names_add(s, "S-1-5-21-1", "CORP\\B", 2);
	assert_true(sid_names_find(s, "S-1-5-21-1", 3, name));
	assert_string_equal(name, "CORP\\B");
	sid_names_add(s, "S-1-5-21-2", "", 1);
	assert_true(sid_names_find(s, "S-1-5-21-2", 2, name));
	assert_string_equal(name, "");
	assert_false(sid_names_find(s, "S-1-5-21-2", SID_NAMES_NONE_US + 1, name));
	for (unsigned i = 0; i < 20000; i++) {
		snprintf(sid, sizeof sid, "S-1-5-21-9-%u", i);
		sid_names_add(s, sid, "CORP\\X", 10 + i);
		assert_true(sid_names_find(s, sid, 10 + i, name));
	}
	for (unsigned i = 0; i < 20000; i++) {
		snprintf(sid, sizeof sid, "S-1-5-21-9-%u", i);
		known += sid_names_find(s, sid, 30000, name);
	}
	assert_true(known <= SID_NAMES_MAX);
	sid_names_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_are_cut_at_a_character_and_cleaned),
		cmocka_unit_test(test_groups_end_where_their_bytes_do),
		cmocka_unit_test(test_an_error_is_the_users_or_the_domains),
		cmocka_unit_test(test_a_name_in_a_dn_stays_one_value),
		cmocka_unit_test(test_group_names_are_known_for_a_while_and_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
