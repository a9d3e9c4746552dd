/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>

#include "auth/lockout.h"
#include "auth/ntlm.h"
#include "auth/ntlm_client.h"
#include "block.h"

static struct shared_auth        *shared;
static const struct auth_settings set = {.max_failures = {4, 1800000}, .max_failures_user = {8, 1800000}};

static int
set_up(void **state)
{
	(void)state;
	shared = calloc(1, sizeof *shared);
	assert_non_null(shared);
	shared->failed.key[0] = 1;
	shared->refused.key[0] = 2;
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	free(shared);
	return 0;
}

static const struct {
	const char *a, *b;
	bool        same;
} names[] = {
	{"alice", "CORP\\alice", true},
	{"alice", "alice@corp.example", true},
	{"alice", "ALICE", true},
	{"OTHER\\Alice", "X.Y\\aLICE ", true},
	{"m\xc3\xbcller", "M\xc3\x9cLLER", true},
	{"\xd0\xb8\xd0\xb2\xd0\xb0\xd0\xbd", "\xd0\x98\xd0\x92\xd0\x90\xd0\x9d", true},
	{"\xd1\x91", "\xd0\x81", true},
	{"\xce\xb1", "\xce\x91", true},
	{"\xc5\xbe\xc5\x82", "\xc5\xbd\xc5\x81", true},
	{"WS01$", "CORP\\ws01$", true},
	/* Samba's ldb leaves blanks at the ends out */
	{"alice", " alice", true},
	{"alice", "CORP\\   alice  ", true},
	{"al ice", "al  ice", true},
	{"alice", " ", false},
	/* Active Directory compares without accents, width and what has no weight */
	{"alice", "\xc3\xa1lice", true},
	{"alice", "AL\xc3\x8d" "CE", true},
	{"alice", "ali\xc4\x8d\xc4\x93", true},
	{"alice", "a\xcc\x81lice", true},
	{"alice", "\xe1\xba\xa1lice", true},
	{"alice", "\xef\xbd\x81\xef\xbd\x8c\xef\xbd\x89\xef\xbd\x83\xef\xbd\x85", true},
	{"alice", "\xef\xbc\xa1LICE", true},
	{"alice", "al\xe2\x80\x8bice", true},
	{"alice", "al\xc2\xadice", true},
	{"alice", "alice\xc2\xa0", true},
	{"alice", "\xf0\x9f\x98\x80" "alice", true},
	{"alice", "\xe2\x93\x90lice", true},
	{"strasse", "stra\xc3\x9f" "e", true},
	{"\xce\xb1", "\xce\x86", true},
	{"\xce\xb1", "\xe1\xbc\x80", true},
	{"\xe3\x81\x82", "\xe3\x82\xa2", true},
	{"\xd0\xb8", "\xd0\x99", true},
	{"\xe5\xbc\xa0", "\xe6\x9d\x8e", false},
	{"a.b", "ab", false},
	{"alice", "al-ice", false},
	{"alice", "alicf", false},
	{"alice", "alice2", false},
	{"m\xc3\xbcller", "m\xc3\xb6ller", false},
	{"\xc3", "\xc3\xa4", false},
	{"@corp", "@other", false},
	{"ws01", "ws01$", false},
};

static void
test_spellings_of_one_user_are_one(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(names); i++) {
		char        a[64], b[64];
		struct span in_a = block_of(names[i].a, strlen(names[i].a)), in_b = block_of(names[i].b, strlen(names[i].b));
		size_t      n = lockout_fold(in_a, a, sizeof a), m = lockout_fold(in_b, b, sizeof b);
		print_message("%s, %s\n", names[i].a, names[i].b);
		assert_int_equal(span_eq(span_of(a, n), span_of(b, m)), names[i].same);
		block_free(in_a);
		block_free(in_b);
	}
}

static struct lockout
basic(const char *user, const char *password, uint32_t client)
{
	struct ask     a = {.op = ASK_BASIC, .client = addr_from_v4(client), .part = {span_str(user), span_str(password)}};
	struct lockout l;

	lockout_keys(shared, BACK_LDAP, &a, &l);
	assert_true(l.counted && l.password);
	return l;
}

static void
answered(const struct lockout *l, uint32_t client, enum ask_result result, const char *detail, uint32_t now_s)
{
	struct answer a = {.result = result};
	struct addr   from = addr_from_v4(client);

	answer_detail(&a, "%s", detail);
	lockout_note(shared, &set, l, &from, &a, now_s);
}

static enum lockout_verdict
judged(const struct lockout *l, unsigned under_way, uint32_t now_s)
{
	uint32_t retry_after_s;

	return lockout_judge(shared, &set, l, under_way, under_way, now_s, &retry_after_s);
}

static void
test_a_password_just_refused_is_not_asked_for_a_quarter_of_an_hour(void **state)
{
	struct lockout old = basic("alice", "old", 1), other = basic("alice", "new", 1), afar = basic("alice", "old", 2), bob = basic("bob", "old", 1);

	(void)state;
	answered(&old, 1, ASK_REFUSED, "wrong password", 100);
	assert_int_equal(judged(&old, 0, 101), LOCKOUT_REFUSED);
	assert_int_equal(judged(&afar, 0, 101), LOCKOUT_REFUSED); /* the password is wrong from anywhere */
	assert_int_equal(judged(&other, 0, 101), LOCKOUT_ASK);
	assert_int_equal(judged(&bob, 0, 101), LOCKOUT_ASK);
	assert_int_equal(judged(&old, 0, 100 + 899), LOCKOUT_REFUSED);
	assert_int_equal(judged(&old, 0, 100 + 900), LOCKOUT_ASK);
	answered(&bob, 1, ASK_REFUSED, "wrong password", 2000);
	shared->epoch[BACK_LDAP]++;
	bob = basic("bob", "old", 1);
	assert_int_equal(judged(&bob, 0, 2001), LOCKOUT_ASK); /* the file is another one */
}

static void
test_user_and_client_are_limited_and_nobody_else(void **state)
{
	uint32_t       retry_after_s;
	struct lockout here = {0}, there = basic("alice", "right", 2), bob = basic("bob", "right", 1);

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		char password[8];
		snprintf(password, sizeof password, "p%u", i);
		here = basic(i % 2 ? "alice" : "CORP\\ALICE", password, 1);
		assert_int_equal(judged(&here, 0, 100), LOCKOUT_ASK);
		assert_int_equal(lockout_delay_ms(shared, &here, 100), i ? 250u << (i - 1) : 0);
		answered(&here, 1, ASK_REFUSED, "wrong password", 100);
	}
	here = basic("alice", "right", 1);
	assert_int_equal(lockout_judge(shared, &set, &here, 0, 0, 400, &retry_after_s), LOCKOUT_LIMITED);
	assert_int_equal(retry_after_s, 1500);
	assert_int_equal(judged(&there, 0, 400), LOCKOUT_ASK); /* the same user from elsewhere */
	assert_int_equal(judged(&bob, 0, 400), LOCKOUT_ASK);   /* another one from the same terminal server */
	assert_int_equal(lockout_delay_ms(shared, &bob, 400), 0);
	assert_int_equal(judged(&here, 0, 1900), LOCKOUT_ASK);
}

static void
test_a_changed_file_forgives_and_a_directory_does_not(void **state)
{
	static const struct {
		enum back_kind kind;
		bool           forgives;
	} rows[] = {{BACK_BASIC_FILE, true}, {BACK_NTLM_FILE, true}, {BACK_LDAP, false}, {BACK_WINBIND, false}, {BACK_PAM, false}};

	(void)state;
	for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
		char           user[16];
		struct ask     a = {.op = ASK_BASIC, .client = addr_from_v4(1)};
		struct lockout l;
		snprintf(user, sizeof user, "user%zu", r);
		a.part[0] = span_str(user);
		a.part[1] = span_str("wrong");
		lockout_keys(shared, rows[r].kind, &a, &l);
		for (unsigned i = 0; i < 4; i++)
			answered(&l, 1, ASK_REFUSED, "wrong password", 100);
		a.part[1] = span_str("right");
		lockout_keys(shared, rows[r].kind, &a, &l);
		assert_int_equal(judged(&l, 0, 101), LOCKOUT_LIMITED);
		shared->epoch[rows[r].kind]++;
		lockout_keys(shared, rows[r].kind, &a, &l);
		assert_int_equal(judged(&l, 0, 101), rows[r].forgives ? LOCKOUT_ASK : LOCKOUT_LIMITED);
	}
}

static void
test_the_user_alone_is_limited_below_the_directory(void **state)
{
	struct lockout l = {0};

	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		char password[8];
		snprintf(password, sizeof password, "p%u", i);
		l = basic("alice", password, i);
		assert_int_equal(judged(&l, 0, 100), LOCKOUT_ASK);
		answered(&l, i, ASK_REFUSED, "wrong password", 100);
	}
	l = basic("alice", "right", 99);
	assert_int_equal(judged(&l, 0, 101), LOCKOUT_LIMITED);
}

static void
test_a_good_log_on_forgets_the_pair_and_keeps_the_user(void **state)
{
	struct lockout l = {0};

	(void)state;
	for (unsigned i = 0; i < 7; i++) {
		char password[8];
		snprintf(password, sizeof password, "p%u", i);
		l = basic("alice", password, 1);
		answered(&l, 1, ASK_REFUSED, "wrong password", 100);
		l = basic("alice", "right", 1);
		answered(&l, 1, ASK_OK, "", 100);
		assert_int_equal(judged(&l, 0, 100), LOCKOUT_ASK);
		assert_int_equal(lockout_delay_ms(shared, &l, 100), 0);
	}
	l = basic("alice", "wrong again", 1);
	answered(&l, 1, ASK_REFUSED, "wrong password", 100);
	l = basic("alice", "right", 1);
	assert_int_equal(judged(&l, 0, 100), LOCKOUT_LIMITED);
}

/* Ten connections of one browser with one stale password must not cost ten tries. */
static void
test_no_more_are_under_way_than_may_fail(void **state)
{
	struct lockout l = basic("alice", "p", 1), next = basic("alice", "q", 1);

	(void)state;
	assert_int_equal(judged(&l, 3, 100), LOCKOUT_ASK);
	assert_int_equal(judged(&l, 4, 100), LOCKOUT_WAIT);
	answered(&l, 1, ASK_REFUSED, "wrong password", 100);
	assert_int_equal(judged(&next, 2, 100), LOCKOUT_ASK);
	assert_int_equal(judged(&next, 3, 100), LOCKOUT_WAIT);
}

static void
test_only_wrong_passwords_count(void **state)
{
	static const struct {
		enum ask_result result;
		const char     *detail;
		bool            counts;
	} rows[] = {
		{ASK_REFUSED, "NT_STATUS_WRONG_PASSWORD", true},
		{ASK_REFUSED, "NT_STATUS_NO_SUCH_USER", true},
		{ASK_REFUSED, "unknown user", true},
		{ASK_REFUSED, "NT_STATUS_ACCOUNT_LOCKED_OUT", false},
		{ASK_REFUSED, "NT_STATUS_ACCOUNT_DISABLED", false},
		{ASK_REFUSED, "NT_STATUS_PASSWORD_EXPIRED", false},
		{ASK_REFUSED, "NT_STATUS_PASSWORD_MUST_CHANGE", false},
		{ASK_REFUSED, "NT_STATUS_INVALID_LOGON_HOURS", false},
		{ASK_REFUSED, "LDAP: the account may not log on from this workstation", false},
		{ASK_REFUSED, "LDAP: wrong password", true},
		{ASK_UNAVAILABLE, "no answer", false},
		{ASK_BAD_TOKEN, "no MIC", false},
		{ASK_LIMITED, "", false},
		{ASK_CONTINUE, "", false},
		{ASK_OK, "", false},
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		char           user[16];
		uint32_t       expires_s;
		struct lockout l;
		snprintf(user, sizeof user, "user%zu", i);
		l = basic(user, "p", 1);
		print_message("%s\n", rows[i].detail);
		answered(&l, 1, rows[i].result, rows[i].detail, 100);
		assert_int_equal(failures_count(&shared->failed, l.pair, 100, &expires_s), rows[i].counts);
		assert_int_equal(failures_count(&shared->failed, l.user, 100, &expires_s), rows[i].counts);
		assert_int_equal(judged(&l, 0, 100) == LOCKOUT_REFUSED, rows[i].counts);
	}
}

static void
test_ntlm_and_basic_count_for_the_same_user(void **state)
{
	const struct ntlm_names     n = {.domain = "CORP", .computer = "GW"};
	const struct ntlm_negotiate said = {.flags = 0xe2088297};
	const uint8_t               challenge[8] = {1, 2, 3, 4, 5, 6, 7, 8};
	char                        negotiate[NTLM_CLIENT_NEGOTIATE], ours[NTLM_CHALLENGE_MAX], last[NTLM_CLIENT_MAX];
	uint8_t                     key[16];
	size_t                      n_ours = ntlm_challenge_write(&said, &n, true, challenge, 133000000000000000u, ours), n_last;
	struct lockout              l, with_basic = basic("alice", "p", 1);
	struct ask                  a = {.op = ASK_NTLM, .client = addr_from_v4(1)};

	(void)state;
	ntlm_client_negotiate(negotiate);
	a.part[0] = span_of(negotiate, sizeof negotiate);
	a.part[1] = span_of(ours, n_ours);
	n_last = ntlm_client_authenticate(a.part[0], a.part[1], SPAN("CORP"), SPAN("Alice"), SPAN("secret"), challenge, last, key);
	assert_true(n_last > 0);
	a.part[2] = block_of(last, n_last);
	lockout_keys(shared, BACK_WINBIND, &a, &l);
	assert_true(l.counted && !l.password);
	assert_string_equal(l.name, "CORP\\Alice");
	assert_true(l.user == with_basic.user && l.pair == with_basic.pair && l.user != l.pair);
	block_free(a.part[2]);
}

static void
test_without_limits_nothing_is_limited(void **state)
{
	const struct auth_settings none = {0};
	struct lockout             l = basic("alice", "p", 1);
	struct answer              a = {.result = ASK_REFUSED};
	struct addr                from = addr_from_v4(1);
	uint32_t                   retry_after_s;

	(void)state;
	for (unsigned i = 0; i < 20; i++)
		lockout_note(shared, &none, &l, &from, &a, 100);
	l = basic("alice", "right", 1);
	assert_int_equal(lockout_judge(shared, &none, &l, 50, 50, 100, &retry_after_s), LOCKOUT_ASK);
}

static void
test_what_names_nobody_is_not_counted(void **state)
{
	struct ask     asks[] = {{.op = ASK_BASIC, .part = {SPAN(""), SPAN("p")}}, {.op = ASK_KERBEROS, .part = {SPAN("token")}},
		    {.op = ASK_NTLM, .part = {SPAN("x"), SPAN("y"), SPAN("NTLMSSP\0rubbish")}}, {.op = ASK_PAC, .part = {SPAN("pac")}}};
	struct lockout l;

	(void)state;
	for (size_t i = 0; i < ROWS(asks); i++) {
		lockout_keys(shared, BACK_WINBIND, &asks[i], &l);
		assert_false(l.counted || l.password);
		assert_int_equal(judged(&l, 50, 100), LOCKOUT_ASK);
		answered(&l, 1, ASK_REFUSED, "no", 100);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spellings_of_one_user_are_one),
		cmocka_unit_test_setup_teardown(test_a_password_just_refused_is_not_asked_for_a_quarter_of_an_hour, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_user_and_client_are_limited_and_nobody_else, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_changed_file_forgives_and_a_directory_does_not, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_the_user_alone_is_limited_below_the_directory, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_good_log_on_forgets_the_pair_and_keeps_the_user, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_more_are_under_way_than_may_fail, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_only_wrong_passwords_count, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_ntlm_and_basic_count_for_the_same_user, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_without_limits_nothing_is_limited, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_names_nobody_is_not_counted, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
