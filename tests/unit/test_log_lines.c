/* SPDX-License-Identifier: MIT */
/* Which lines a log takes, and who is no longer in them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/anonymise.h"
#include "audit/filter.h"
#include "audit/format.h"

static struct record
decided(enum action action)
{
	return (struct record){.has_action = true, .action = (uint8_t)action};
}

static void
test_a_log_takes_what_its_rules_and_actions_name(void **state)
{
	static const struct span names[] = {{"web", 3}, {"diag", 4}, {"web two", 7}};
	static const struct {
		const char *rule, *reported;
		int         action; /* -1: none */
		uint32_t    lets;
		bool        by_rule, takes;
	} rows[] = {
		{"web", "", ACTION_INSPECT, 0, false, true},
		{"", "", -1, 0, false, true},
		{"web", "", ACTION_INSPECT, 0, true, true},
		{"web two", "", ACTION_DENY, 0, true, true},
		{"we", "", ACTION_DENY, 0, true, false},
		{"webs", "", ACTION_DENY, 0, true, false},
		{"", "", ACTION_DENY, 0, true, false},
		{"", "", -1, 0, true, false},
		{"other", "x,diag", ACTION_DENY, 0, true, true},
		{"other", "diag,x", ACTION_DENY, 0, true, true},
		{"other", "x,dia", ACTION_DENY, 0, true, false},
		{"web", "", ACTION_DENY, 1u << ACTION_DENY, false, true},
		{"web", "", ACTION_BYPASS, 1u << ACTION_DENY | 1u << ACTION_TUNNEL, false, false},
		{"web", "", ACTION_BYPASS, 1u << ACTION_DENY | 1u << ACTION_BYPASS, true, true},
		{"web", "", ACTION_BYPASS, 1u << ACTION_DENY, true, false},
		{"", "", -1, LOG_LETS_NONE, false, true},
		{"", "", -1, LOG_LETS_ALL & ~LOG_LETS_NONE, false, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct log_filter *f = log_filter_new(names, rows[i].by_rule ? 3 : 0, rows[i].lets, 1);
		struct record      r = rows[i].action < 0 ? (struct record){0} : decided((enum action)rows[i].action);
		struct span        text[RT_COUNT] = {0};
		assert_non_null(f);
		text[RT_RULE] = span_str(rows[i].rule);
		text[RT_REPORTED] = span_str(rows[i].reported);
		if (log_filter_takes(f, &r, text) != rows[i].takes)
			fail_msg("row %zu", i);
		log_filter_free(f);
	}
}

static void
test_a_sample_keeps_sessions_whole(void **state)
{
	struct log_filter *f = log_filter_new(NULL, 0, 0, 10);
	struct span        text[RT_COUNT] = {0};
	unsigned           taken = 0, together = 0;

	(void)state;
	for (uint64_t id = 1; id <= 100000; id++) {
		struct record connect = {.id = id << 20, .session = 7, .is_connect = true}, inner = {.id = id << 20 | 9, .session = id << 20, .is_inner = true};
		bool          takes = log_filter_takes(f, &connect, text);
		taken += takes;
		together += log_filter_takes(f, &inner, text) == takes;
		assert_int_equal(log_filter_takes(f, &connect, text), takes);
	}
	assert_int_equal(together, 100000);
	assert_in_range(taken, 9500, 10500);
	log_filter_free(f);
}

static const uint8_t key[LOG_KEY_BYTES] = {1, 2, 3};

static struct addr
addr_of(const char *s)
{
	struct addr a;

	assert_true(addr_parse(span_str(s), &a));
	return a;
}

static void
test_addresses_lose_their_last_part(void **state)
{
	static const char *const rows[][2] = {
		{"192.0.2.77", "192.0.2.0"}, {"10.255.255.255", "10.255.255.0"}, {"2001:db8:1:2:3:4:5:6", "2001:db8:1::"}, {"fe80::1", "fe80::"}, {"::1", "::"},
		{"2002:c000:24d:1::1", "2002:c000:200::"}, /* 6to4 of 192.0.2.77 */
	};
	struct anonymiser *a = anonymiser_new(LOG_ANONYMISE_CLIENTS, key);

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct record r = {0};
		struct span   text[RT_COUNT] = {0};
		char          out[ADDR_TEXT_MAX];
		r.client.addr = addr_of(rows[i][0]);
		r.client.port = 4711;
		r.client.scope = 3;
		text[RT_USER] = SPAN("joe");
		text[RT_AUTH_DETAIL] = SPAN("joe from 192.0.2.77");
		anonymise(a, &r, text);
		addr_print(&r.client.addr, out);
		assert_string_equal(out, rows[i][1]);
		assert_true(r.client.port == 0 && r.client.scope == 0 && text[RT_AUTH_DETAIL].n == 0);
		assert_true(span_eq(text[RT_USER], SPAN("joe")));
	}
	anonymiser_free(a);
}

static void
test_a_user_is_the_same_token_under_one_key_only(void **state)
{
	struct anonymiser *a = anonymiser_new(LOG_ANONYMISE_USERS, key), *b = anonymiser_new(LOG_ANONYMISE_USERS, (const uint8_t[LOG_KEY_BYTES]){9});
	char               first[16], groups[64];
	struct record      r = {0};

	(void)state;
	r.client.addr = addr_of("192.0.2.77");
	for (int round = 0; round < 3; round++) {
		struct span text[RT_COUNT] = {0};
		text[RT_USER] = SPAN("CORP\\joe");
		text[RT_GROUPS] = SPAN("a,b,a");
		anonymise(round < 2 ? a : b, &r, text);
		assert_int_equal(text[RT_USER].n, 16);
		assert_int_equal(strspn(text[RT_USER].p, "0123456789abcdef") >= 16, 1);
		assert_int_equal(text[RT_GROUPS].n, 50);
		memcpy(groups, text[RT_GROUPS].p, 50);
		assert_memory_equal(groups, groups + 34, 16);
		assert_true(groups[16] == ',' && groups[33] == ',' && memcmp(groups, groups + 17, 16) != 0);
		if (round == 0)
			memcpy(first, text[RT_USER].p, 16);
		else
			assert_int_equal(memcmp(first, text[RT_USER].p, 16) == 0, round == 1);
		text[RT_USER] = text[RT_GROUPS] = SPAN("");
		anonymise(a, &r, text);
		assert_true(text[RT_USER].n == 0 && text[RT_GROUPS].n == 0);
	}
	anonymiser_free(a);
	anonymiser_free(b);
}

/* More groups than there is room for: no token is cut, nothing is written past the end. */
static void
test_very_many_groups_end_with_a_whole_token(void **state)
{
	struct anonymiser *a = anonymiser_new(LOG_ANONYMISE_USERS, key);
	char              *list = malloc(RECORD_TEXT_MAX);
	struct span        text[RT_COUNT] = {0};
	struct record      r = {0};

	(void)state;
	for (size_t i = 0; i < RECORD_TEXT_MAX; i++)
		list[i] = i % 2 ? ',' : 'g';
	text[RT_GROUPS] = span_of(list, RECORD_TEXT_MAX);
	anonymise(a, &r, text);
	assert_true(text[RT_GROUPS].n <= RECORD_TEXT_MAX && text[RT_GROUPS].n % 17 == 16 && text[RT_GROUPS].n > RECORD_TEXT_MAX - 34);
	free(list);
	anonymiser_free(a);
}

/* In no field of no format is a name, an address or a port left. */
static void
test_no_format_tells_what_is_hidden(void **state)
{
	static const struct {
		enum log_format_kind kind;
		const char          *custom;
	} formats[] = {
		{LOG_SQUID, ""}, {LOG_JSON, ""}, {LOG_COMBINED, ""}, {LOG_W3C, ""}, {LOG_CEF, ""}, {LOG_LEEF, ""},
		{LOG_CUSTOM, "%>a %>p %un %ul %[un %ui %{user}note %{groups}note %{auth_detail}note %ru %rp %{Referer}>h %<A %<a"},
	};
	struct anonymiser *a = anonymiser_new(LOG_ANONYMISE_USERS | LOG_ANONYMISE_CLIENTS, key);
	char              *buf = malloc(LOG_LINE_MAX);

	(void)state;
	for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
		char               why[160];
		struct log_format *f = log_format_new(formats[i].kind, span_str(formats[i].custom), true, why);
		struct record      r = decided(ACTION_TUNNEL);
		struct span        text[RT_COUNT] = {0};
		size_t             n;
		assert_non_null(f);
		r.client.addr = addr_of("192.0.2.177");
		r.client.port = 54321;
		text[RT_METHOD] = SPAN("GET");
		text[RT_URL] = SPAN("http://winona:pw@h/");
		text[RT_REFERER] = SPAN("http://winona:pw@h/");
		text[RT_USER] = SPAN("winona");
		text[RT_GROUPS] = SPAN("winonas,CORP\\winona-group");
		text[RT_AUTH_DETAIL] = SPAN("winona from 192.0.2.177");
		anonymise(a, &r, text);
		record_size(&r, text);
		n = log_format_line(f, &r, text, buf);
		assert_null(memmem(buf, n, "winona", 6));
		assert_null(memmem(buf, n, "192.0.2.177", 11));
		assert_null(memmem(buf, n, "54321", 5));
		assert_non_null(memmem(buf, n, "192.0.2.0", 9));
		log_format_free(f);
	}
	free(buf);
	anonymiser_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_log_takes_what_its_rules_and_actions_name),
		cmocka_unit_test(test_a_sample_keeps_sessions_whole),
		cmocka_unit_test(test_addresses_lose_their_last_part),
		cmocka_unit_test(test_a_user_is_the_same_token_under_one_key_only),
		cmocka_unit_test(test_very_many_groups_end_with_a_whole_token),
		cmocka_unit_test(test_no_format_tells_what_is_hidden),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
