/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "built.h"
#include "auth/identity.h"
#include "conf/load.h"
#include "ipc/names.h"

static const struct ntlm_names corp = {"CORP", "GW", "corp.example", "gw.corp.example"};

/* What a back end says; groups end with '|' each. */
static struct answer
answer_of(const char *account, const char *domain, const char *realm, const char *groups)
{
	struct answer a = {.result = ASK_OK};

	snprintf(a.account, sizeof a.account, "%s", account);
	snprintf(a.domain, sizeof a.domain, "%s", domain);
	snprintf(a.realm, sizeof a.realm, "%s", realm);
	for (const char *end; (end = strchr(groups, '|')); groups = end + 1)
		assert_true(answer_group(&a, span_of(groups, (size_t)(end - groups))));
	return a;
}

static void
assert_span(struct span s, const char *want)
{
	char got[1024];

	snprintf(got, sizeof got, "%.*s", SPAN_ARG(s));
	assert_string_equal(got, want);
}

static void
test_names_and_groups_are_said_as_logs_want_them(void **state)
{
	static const struct {
		const char              *account, *domain, *realm, *groups;
		const struct ntlm_names *names;
		const char              *name, *logged;
	} rows[] = {
		{"alice", "CORP", "", "", NULL, "CORP\\alice", ""},
		{"alice", "", "", "", &corp, "alice", ""},
		{"alice", "", "CORP.EXAMPLE", "", &corp, "CORP\\alice", ""},
		{"alice", "", "CORP.EXAMPLE", "", NULL, "alice@CORP.EXAMPLE", ""},
		{"alice", "", "OTHER.EXAMPLE", "", &corp, "alice@OTHER.EXAMPLE", ""},
		{"WS01$", "CORP", "CORP.EXAMPLE", "S-1-5-21-1-515|", &corp, "CORP\\WS01$", "S-1-5-21-1-515"},
		{"alice", "CORP", "", "S-1-5-21-1-513|CORP\\Staff|S-1-5-32-545|CORP\\Proxy Users|", NULL, "CORP\\alice", "CORP\\Staff,CORP\\Proxy Users"},
		{"alice", "CORP", "", "S-1-5-21-1-513|S-1-5-32-545|", NULL, "CORP\\alice", "S-1-5-21-1-513,S-1-5-32-545"},
		{"", "", "", "|", NULL, "", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct answer    a = answer_of(rows[i].account, rows[i].domain, rows[i].realm, rows[i].groups);
		struct identity *id = identity_new(&a, NULL, rows[i].names, AUTH_WAY_NTLM, 42);
		answer_clear(&a); /* nothing of it is borrowed */
		assert_span(identity_name(id), rows[i].name);
		assert_span(identity_groups(id), rows[i].logged);
		assert_int_equal(identity_way(id), AUTH_WAY_NTLM);
		assert_int_equal(identity_since_us(id), 42);
		identity_unref(identity_ref(id));
		assert_span(identity_name(id), rows[i].name);
		identity_unref(id);
	}
	identity_unref(NULL);
}

static void
test_what_the_domain_says_of_a_ticket_wins(void **state)
{
	struct answer    ticket = answer_of("alice", "", "CORP.EXAMPLE", "old|"), pac = answer_of("Alice", "CORP", "", "CORP\\Staff|");
	struct identity *id = identity_new(&ticket, &pac, NULL, AUTH_WAY_KERBEROS, 0);

	(void)state;
	assert_span(identity_name(id), "CORP\\Alice");
	assert_span(identity_groups(id), "CORP\\Staff");
	identity_unref(id);
	answer_clear(&ticket);
	answer_clear(&pac);
}

/* A list whose last text has no end must not be read past its bytes. */
static void
test_group_list_is_bounded(void **state)
{
	struct answer    a = answer_of("alice", "CORP", "", "");
	struct identity *id;

	(void)state;
	a.groups = malloc(5);
	memcpy(a.groups, "ab\0cd", 5);
	a.groups_bytes = 5;
	id = identity_new(&a, NULL, NULL, AUTH_WAY_BASIC, 0);
	assert_span(identity_groups(id), "ab");
	identity_unref(id);
	answer_clear(&a);
}

static struct snapshot *
snapshot_of(uint64_t generation, const char *rules)
{
	struct report          r;
	struct snapshot_inputs in = {.generation = generation, .workers = 1};
	struct snapshot       *s;
	char                   ini[1024];
	int                    n, fd;

	n = snprintf(ini, sizeof ini, "[listener a]\naddress = 127.0.0.1:1\nclients = 10.0.0.0/8\n[auth]\nschemes = ntlm\ndomain = winbind\n%s", rules);
	report_init(&r);
	fd = block_built(conf_load_memory("test", span_of(ini, (size_t)n), &r), &r, &in);
	s = snapshot_open(fd, true);
	assert_non_null(s);
	close(fd);
	return s;
}

static enum policy_answer
decide(const struct snapshot *s, struct identity *id, struct verdict *v)
{
	struct host  host;
	struct facts f = {.host = &host, .port = 80, .scheme = SCHEME_HTTP, .method = SPAN("GET"), .known = FACT_USER};

	assert_true(host_parse(SPAN("a.example"), &host));
	f.user_row = identity_row(id, s);
	assert_non_null(f.user_row);
	return policy_decide(s->policy, &f, v);
}

static void
test_row_is_for_the_snapshot_that_asks(void **state)
{
	struct snapshot *one = snapshot_of(1, "[rule staff]\ngroups = CORP\\Staff\naction = tunnel\n");
	struct snapshot *two = snapshot_of(2, "[rule x]\nusers = CORP\\bob\naction = tunnel\n[rule y]\nusers = CORP\\alice\naction = tunnel\n");
	struct answer    a = answer_of("alice", "CORP", "", "CORP\\Staff|"), b = answer_of("eve", "CORP", "", "");
	struct identity *alice = identity_new(&a, NULL, NULL, AUTH_WAY_NTLM, 0), *eve = identity_new(&b, NULL, NULL, AUTH_WAY_NTLM, 0);
	const uint64_t  *row;
	struct verdict   v;

	(void)state;
	for (int round = 0; round < 2; round++) {
		assert_int_equal(decide(one, alice, &v), POLICY_VERDICT);
		assert_int_equal(v.rule, 0);
		assert_int_equal(decide(two, alice, &v), POLICY_VERDICT);
		assert_int_equal(v.rule, 1);
		assert_int_equal(decide(two, eve, &v), POLICY_VERDICT);
		assert_int_equal(v.rule, RULE_NONE);
	}
	row = identity_row(alice, two);
	assert_ptr_equal(identity_row(alice, two), row); /* remembered */
	identity_unref(alice);
	identity_unref(eve);
	snapshot_unref(one);
	snapshot_unref(two);
	answer_clear(&a);
	answer_clear(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_and_groups_are_said_as_logs_want_them),
		cmocka_unit_test(test_what_the_domain_says_of_a_ticket_wins),
		cmocka_unit_test(test_group_list_is_bounded),
		cmocka_unit_test(test_row_is_for_the_snapshot_that_asks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
