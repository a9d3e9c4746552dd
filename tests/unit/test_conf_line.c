/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>

#include "conf/line.h"

#define N(a) (sizeof(a) / sizeof *(a))

static const struct row {
	struct span     in;
	enum line_kind  kind;
	const char     *out; /* text for inih without its newline; section: word|name; BAD: part of why */
} rows[] = {
	{SPAN(""), LINE_BLANK, ""}, {SPAN(" \t "), LINE_BLANK, ""}, {SPAN("\r"), LINE_BLANK, ""}, {SPAN("; a comment"), LINE_BLANK, ""},
	{SPAN("# too"), LINE_BLANK, ""}, {SPAN("  ; indented"), LINE_BLANK, ""}, {SPAN(";\"open"), LINE_BLANK, ""},
	{SPAN("a = b"), LINE_KEY, "a = b"}, {SPAN("a=b\r"), LINE_KEY, "a=b"}, {SPAN("a = b ; c"), LINE_KEY, "a = b"},
	{SPAN("a = b;c"), LINE_KEY, "a = b;c"}, {SPAN("a = \"b ; c\" ; d"), LINE_KEY, "a = \"b \001 c\""}, {SPAN("a = !\"b ; c\""), LINE_KEY, "a = !\"b \001 c\""},
	{SPAN("a = b\"c ; d\""), LINE_KEY, "a = b\"c"}, {SPAN("a = b, \"c ;d\""), LINE_KEY, "a = b, \"c \001d\""}, {SPAN("a ="), LINE_KEY, "a ="},
	{SPAN("a = ; nothing"), LINE_KEY, "a ="}, {SPAN("a = https://b"), LINE_KEY, "a = https://b"}, {SPAN("a = b = c"), LINE_KEY, "a = b = c"},
	{SPAN("\xef\xbb\xbf""a = b"), LINE_KEY, "a = b"}, {SPAN("a = \"b\" \"c ; d\""), LINE_KEY, "a = \"b\" \"c \001 d\""},
	{SPAN("[gateway]"), LINE_SECTION, "gateway|"}, {SPAN("[rule x] ; y"), LINE_SECTION, "rule|x"}, {SPAN("[ rule  x y ]"), LINE_SECTION, "rule|x y"},
	{SPAN("[]"), LINE_SECTION, "|"}, {SPAN("[rule x]\r"), LINE_SECTION, "rule|x"}, {SPAN("  [rule x]"), LINE_SECTION, "rule|x"},
	{SPAN("  b c"), LINE_MORE, " b c"}, {SPAN("\tb ; c"), LINE_MORE, " b"}, {SPAN("  [::1]:3128"), LINE_MORE, " [::1]:3128"},
	{SPAN("  [2001:db8::1]"), LINE_MORE, " [2001:db8::1]"}, {SPAN("  \"b ; c\""), LINE_MORE, " \"b \001 c\""},
	{SPAN("a"), LINE_BAD, "no \"=\""}, {SPAN("a: b"), LINE_BAD, "no \"=\" before the \":\""}, {SPAN("https://a = b"), LINE_BAD, "before the \":\""},
	{SPAN("= b"), LINE_BAD, "nothing stands before"}, {SPAN("a ; = b"), LINE_BAD, "no \"=\""},
	{SPAN("a = \"b"), LINE_BAD, "quote is not closed"}, {SPAN("a = \"b ; c"), LINE_BAD, "quote is not closed"}, {SPAN(" \"b"), LINE_BAD, "quote is not closed"},
	{SPAN("a = b\0c"), LINE_BAD, "NUL"}, {SPAN("; b\0c"), LINE_BAD, "NUL"},
	{SPAN("a = b\x01"), LINE_BAD, "control byte"}, {SPAN("a = b\rc"), LINE_BAD, "control byte"},
	{SPAN("a = b\x7f"), LINE_BAD, "control byte"}, {SPAN("[rule x"), LINE_BAD, "no \"]\""}, {SPAN("[rule x] y"), LINE_BAD, "text after"},
	{SPAN("[rule [x]]"), LINE_BAD, "text after"}, {SPAN("[rule x ; ]"), LINE_BAD, "no \"]\""},
};

static void
row_check(const struct row *r, const struct line *l)
{
	char got[600] = "";

	assert_int_equal(l->kind, r->kind);
	if (l->kind == LINE_BAD) {
		if (!strstr(l->why, r->out))
			fail_msg("\"%s\" does not say \"%s\"", l->why, r->out);
		return;
	}
	if (l->kind == LINE_SECTION)
		snprintf(got, sizeof got, "%.*s|%.*s", SPAN_ARG(l->word), SPAN_ARG(l->name));
	else if (l->kind != LINE_BLANK)
		snprintf(got, sizeof got, "%.*s", (int)strlen(l->text) - 1, l->text);
	assert_string_equal(got, r->out);
}

static void
test_lines_are_told_apart(void **state)
{
	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		struct line l;
		for (size_t n = 0; n <= rows[i].in.n; n++) {
			char *copy = malloc(n ? n : 1);
			assert_non_null(copy);
			memcpy(copy, rows[i].in.p, n);
			line_read(span_of(copy, n), true, &l);
			free(copy);
		}
		row_check(&rows[i], &l);
	}
}

static void
test_an_indented_section_head_is_said_and_opened_all_the_same(void **state)
{
	struct line l;

	(void)state;
	line_read(SPAN("  [rule x]"), false, &l);
	assert_int_equal(l.kind, LINE_SECTION);
	assert_non_null(strstr(l.why, "indented"));
	line_read(SPAN("[rule x]"), false, &l);
	assert_string_equal(l.why, "");
}

static void
test_a_byte_order_mark_stands_only_in_the_first_line(void **state)
{
	struct line l;

	(void)state;
	line_read(SPAN("\xef\xbb\xbf[gateway]"), true, &l);
	assert_int_equal(l.kind, LINE_SECTION);
	line_read(SPAN("\xef\xbb\xbf[gateway]"), false, &l);
	assert_int_equal(l.kind, LINE_BAD);
}

static void
test_a_line_may_have_198_bytes_without_its_comment(void **state)
{
	char        text[400];
	struct line l;

	(void)state;
	for (int n = 190; n < 210; n++)
		for (int indent = 0; indent < 2; indent++) {
			snprintf(text, sizeof text, "%s%0*d%60s", indent ? " " : "a =", n - (indent ? 1 : 3), 7, "; and a comment");
			line_read(span_str(text), false, &l);
			assert_int_equal(l.kind, n > LINE_TEXT_MAX ? LINE_BAD : indent ? LINE_MORE : LINE_KEY);
			if (n > LINE_TEXT_MAX)
				assert_non_null(strstr(l.why, "198"));
			else
				assert_int_equal(strlen(l.text), n + 1);
		}
}

/* --- what passes is what inih reads the same way --- */

struct feed {
	const char *lines[3];
	int         at;
	char        got[1000];
};

static char *
feed_line(char *str, int room, void *arg)
{
	struct feed *f = arg;

	if (f->at == 3)
		return NULL;
	assert_true(strlen(f->lines[f->at]) < (size_t)room);
	return strcpy(str, f->lines[f->at++]);
}

static int
feed_pair(void *arg, const char *section, const char *name, const char *value)
{
	struct feed *f = arg;
	size_t       n = strlen(f->got);

	(void)section;
	snprintf(f->got + n, sizeof f->got - n, "%s=%s|", name, value);
	return 1;
}

static void
test_inih_reads_what_passes_as_it_stands(void **state)
{
	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		struct line l;
		struct feed f = {.lines = {"[s]\n", "k = v\n", l.text}};
		char        want[1000] = "k=v|";
		line_read(rows[i].in, true, &l);
		if (l.kind != LINE_KEY && l.kind != LINE_MORE)
			continue;
		assert_int_equal(ini_parse_stream(feed_line, &f, feed_pair, &f), 0);
		if (l.kind == LINE_MORE)
			snprintf(want, sizeof want, "k=v|k=%.*s|", (int)strlen(rows[i].out) - 1, rows[i].out + 1);
		else
			snprintf(want, sizeof want, "k=v|a=%s|", rows[i].out + strcspn(rows[i].out, "=") + 1 + (strstr(rows[i].out, "= ") != NULL));
		assert_string_equal(f.got, want);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_are_told_apart),
		cmocka_unit_test(test_an_indented_section_head_is_said_and_opened_all_the_same),
		cmocka_unit_test(test_a_byte_order_mark_stands_only_in_the_first_line),
		cmocka_unit_test(test_a_line_may_have_198_bytes_without_its_comment),
		cmocka_unit_test(test_inih_reads_what_passes_as_it_stands),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
