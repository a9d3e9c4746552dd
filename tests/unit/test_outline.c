/* SPDX-License-Identifier: MIT */
/* What one configuration says differently from another, in words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conf/load.h"
#include "conf/outline.h"

#define EDGE "[listener edge]\naddress = 127.0.0.1:3128\n"
#define RULE(name, host) "[rule " name "]\nhosts = " host "\naction = deny\n"

static struct outline *
outline_of(const char *text)
{
	struct report   r;
	struct conf    *c;
	struct outline *o;

	report_init(&r);
	c = conf_load_memory("t.ini", span_str(text), &r);
	assert_non_null(c);
	if (r.errors)
		report_print(&r, c, stderr);
	assert_int_equal(r.errors, 0);
	o = outline_new(c);
	assert_non_null(o);
	conf_free(c);
	report_clear(&r);
	return o;
}

static void
append(void *arg, const char *text)
{
	strcat(arg, text);
	strcat(arg, "|");
}

static void
test_differences_in_words(void **state)
{
	static const struct {
		const char *before, *after, *want;
	} rows[] = {
		{EDGE RULE("a", "x"), EDGE RULE("a", "x"), ""},
		{EDGE RULE("a", "x"), "; a comment\n" EDGE "[rule a]\naction = deny\nhosts   =   x\n", ""},
		{EDGE RULE("a", "x"), EDGE RULE("a", "x y"), "rule a: hosts changed|"},
		{EDGE RULE("a", "x"), EDGE RULE("a", "!x"), "rule a: hosts changed|"},
		{EDGE RULE("a", "x"), EDGE "[rule a]\nhosts = x\naction = bypass\nguard = off\n", "rule a: action changed, guard changed|"},
		{EDGE RULE("a", "x"), EDGE RULE("a", "x") RULE("b", "y"), "rule b added after a (t.ini:6)|"},
		{EDGE RULE("a", "x"), EDGE RULE("b", "y") RULE("a", "x"), "rule b added before all others (t.ini:3)|"},
		{EDGE RULE("a", "x") RULE("b", "y"), EDGE RULE("b", "y"), "rule a removed|"},
		{EDGE RULE("a", "x") RULE("b", "y") RULE("c", "z"), EDGE RULE("c", "z") RULE("a", "x") RULE("b", "y"), "rule c moved: it stands before all others now|"},
		{EDGE RULE("a", "x") RULE("b", "y") RULE("c", "z"), EDGE RULE("b", "y") RULE("c", "z") RULE("a", "x"), "rule a moved: it stands after c now|"},
		{EDGE RULE("a", "x") RULE("b", "y"), EDGE RULE("n", "x") RULE("b", "y"), "rule a removed|rule n added before all others (t.ini:3)|"},
		{EDGE "[list m]\nhost = a b c\n", EDGE "[list m]\nhost = c b a\n", ""},
		{EDGE "[list m]\nhost = a b c\n", EDGE "[list m]\nhost = c d a e\n", "list m: 2 entries added, 1 removed|"},
		{EDGE "[list m]\nhost = a b\n", EDGE "[list m]\nhost = a b c\n", "list m: 1 entry added|"},
		{EDGE "[list m]\nhost = a b c\n", EDGE "[list m]\nhost = b\n", "list m: 2 entries removed|"},
		{EDGE "[list m]\nhost = a\naddress = 10.0.0.0/8\n", EDGE "[list m]\nhost = a\naddress = 10.0.0.0/9\n", "list m: 1 entry added, 1 removed|"},
		{EDGE, EDGE "[list m]\nhost = a\n", "list m added (t.ini:3)|"},
		{EDGE, "[gateway]\nhead-timeout = 9s\nvia = no\n" EDGE, "[gateway]: head-timeout changed, via changed|"},
		{EDGE, "[listener edge]\naddress = 127.0.0.1:3129\nclients = any\n", "listener edge: address changed, clients changed|"},
		{EDGE, "[listener rim]\naddress = 127.0.0.1:3128\n", "listener edge removed|listener rim added (t.ini:1)|"},
		{EDGE "[log l]\nfile = a.log\n", EDGE "[log l]\nfile = a.log\nformat = json\n", "log l: format changed|"},
		{EDGE, EDGE "[auth]\nbasic-file = u\nschemes = basic\n", "[auth] added (t.ini:3)|"},
		{"[gateway]\nresolver = system\n" EDGE, "[gateway]\nresolver = 192.0.2.1\n" EDGE, "[gateway]: resolver changed|"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct outline *before = outline_of(rows[i].before), *after = outline_of(rows[i].after);
		char            told[4096] = "";
		outline_diff(before, after, append, told);
		assert_string_equal(told, rows[i].want);
		told[0] = '\0';
		assert_int_equal(outline_diff(after, after, append, told), 0);
		outline_free(before);
		outline_free(after);
	}
}

/* Of two orders, as few rules are told to have moved as can be. */
static void
test_few_rules_move(void **state)
{
	char   text[2][8000];
	size_t n[2];

	(void)state;
	for (unsigned shift = 1; shift < 20; shift++) {
		struct outline *before, *after;
		char            told[8000] = "";
		for (unsigned k = 0; k < 2; k++) {
			n[k] = (size_t)snprintf(text[k], sizeof text[k], EDGE);
			for (unsigned i = 0; i < 20; i++)
				n[k] += (size_t)snprintf(text[k] + n[k], sizeof text[k] - n[k], "[rule r%u]\naction = deny\n", k ? (i + shift) % 20 : i);
		}
		before = outline_of(text[0]);
		after = outline_of(text[1]);
		/* turned by so many: the shorter part has moved */
		assert_int_equal(outline_diff(before, after, append, told), shift < 10 ? shift : 20 - shift);
		outline_free(before);
		outline_free(after);
	}
}

static void
test_rules_and_lists_are_told_in_their_order(void **state)
{
	struct outline     *o = outline_of(EDGE "[list m]\nhost = a b\naddress = ::/0\n" RULE("a", "x") RULE("b", "y") "[parent p]\naddress = p.example:1\n");
	struct outline_rule r;
	struct outline_list l;
	struct span         parent;

	(void)state;
	assert_true(outline_rule_at(o, 1, &r));
	assert_true(span_eq(r.name, SPAN("b")));
	assert_string_equal(r.where, "t.ini:9");
	assert_false(outline_rule_at(o, 2, &r));
	assert_true(outline_list_at(o, 0, &l));
	assert_int_equal(l.hosts, 2);
	assert_int_equal(l.addresses, 1);
	assert_true(outline_parent_at(o, 0, &parent));
	assert_true(span_eq(parent, SPAN("p")));
	assert_false(outline_parent_at(o, 1, &parent));
	outline_free(o);
	outline_free(NULL);
}

/* Entries cost little: a hash each, once, and a sort where they differ. */
static void
test_a_hundred_thousand_entries(void **state)
{
	size_t          room = 4 << 20, n = 0;
	char           *text = malloc(room), told[400] = "";
	struct outline *before, *after;

	(void)state;
	assert_non_null(text);
	n = (size_t)snprintf(text, room, EDGE "[list m]\n");
	for (unsigned i = 0; i < 100000; i++)
		n += (size_t)snprintf(text + n, room - n, "host = h%u.example.org\n", i);
	before = outline_of(text);
	snprintf(text + n, room - n, "host = new.example.org\n");
	*strstr(text, "h77777.") = 'k';
	after = outline_of(text);
	assert_int_equal(outline_diff(before, after, append, told), 1);
	assert_string_equal(told, "list m: 2 entries added, 1 removed|");
	outline_free(before);
	outline_free(after);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_differences_in_words),
		cmocka_unit_test(test_few_rules_move),
		cmocka_unit_test(test_rules_and_lists_are_told_in_their_order),
		cmocka_unit_test(test_a_hundred_thousand_entries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
