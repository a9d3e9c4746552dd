/* SPDX-License-Identifier: MIT */
#include "conf_dir.h"

#include <stdlib.h>

#include "conf/list_header.h"
#include "conf/load.h"

#define N(a) (sizeof(a) / sizeof *(a))

static struct conf *
load_list(struct report *r)
{
	dir_write("postern.ini", "[listener a]\naddress = 127.0.0.1:0\n[list l]\nhost = before\nfile = l.list\nhost = after\n");
	report_init(r);
	return conf_load("postern.ini", r);
}

/* All items but the first and last, as "LINE:text", joined by blanks. */
static void
items_print(const struct conf_items *items, char *out, size_t room)
{
	size_t n = 0;

	out[0] = '\0';
	for (size_t i = 0; i < items->n; i++)
		if (items->v[i].at.file == 1)
			n += (size_t)snprintf(out + n, room - n, "%s%u:%s%s%.*s", n ? " " : "", items->v[i].at.line, items->v[i].negated ? "!" : "",
			    items->v[i].quoted ? "'" : "", SPAN_ARG(items->v[i].text));
}

static void
test_list_files_hold_one_item_a_line(void **state)
{
	static const struct {
		struct span bytes;
		const char *items, *errors[3];
	} rows[] = {
		{SPAN(""), "", {0}},
		{SPAN("\n\n"), "", {0}},
		{SPAN("a\nb\n"), "1:a 2:b", {0}},
		{SPAN("a\nb"), "1:a 2:b", {0}},
		{SPAN("a\r\n\r\nb\r\n"), "1:a 3:b", {0}},
		{SPAN("\xef\xbb\xbf""a\n"), "1:a", {0}},
		{SPAN(" \t a \t \n"), "1:a", {0}},
		{SPAN("# x\n; y\n  # z\na # b\nc ; d\ne;f\ng#h\n"), "4:a 5:c 6:e;f 7:g#h", {0}},
		{SPAN("!a\n!\"b c\" # d\n\"e ; f\"\n"), "1:!a 2:!'b c 3:'e ; f", {0}},
		{SPAN("a b\nc, d\n"), "", {"l.list:1: more than one item", "l.list:2: more than one item"}},
		{SPAN("a\0b\n\0\nc\n"), "3:c", {"l.list:1: a NUL byte", "l.list:2: a NUL byte"}},
		{SPAN("a\x1b[31m\nb\n"), "2:b", {"l.list:1: a control byte"}},
		{SPAN("a\rb\n"), "", {"l.list:1: a control byte"}},
		{SPAN("\"a\n\"b\"c\n\"\"\n"), "", {"l.list:1: the quote is not closed", "l.list:2: after a closing quote", "l.list:3: an item is empty"}},
		{SPAN("\"a\x01\"\n!\n"), "", {"l.list:1: a control byte", "l.list:2: an item is empty"}},
	};
	char out[200], text[400];

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		struct report     r;
		struct conf      *c;
		struct conf_list *l;
		size_t            n = 0;
		dir_write_bytes("l.list", rows[i].bytes.p, rows[i].bytes.n);
		c = load_list(&r);
		l = TAILQ_FIRST(&c->lists);
		items_print(&l->hosts, out, sizeof out);
		assert_string_equal(out, rows[i].items);
		assert_true(span_eq(l->hosts.v[0].text, SPAN("before")));
		assert_true(span_eq(l->hosts.v[l->hosts.n - 1].text, SPAN("after")));
		for (; n < 3 && rows[i].errors[n]; n++) {
			where_print(c, r.v[n].at, text, 100);
			snprintf(text + strlen(text), 200, ": %s", r.v[n].text);
			if (strncmp(text, rows[i].errors[n], strlen(rows[i].errors[n])) != 0)
				fail_msg("\"%s\" instead of \"%s\"", text, rows[i].errors[n]);
		}
		assert_int_equal(r.errors, n);
		report_clear(&r);
		conf_free(c);
	}
}

static void
test_no_byte_beyond_a_list_is_read(void **state)
{
	static const char text[] = "\xef\xbb\xbf!\"a b\" # c\r\n  d ; e\n\"f\"\n!g\nh\n";
	struct report     r;
	struct conf      *c;

	(void)state;
	dir_write("l.list", "");
	c = load_list(&r);
	for (size_t n = 0; n <= sizeof text - 1; n++) {
		struct load       l = {.c = c, .r = &r};
		struct conf_items items = {0};
		char             *copy = malloc(n ? n : 1);
		assert_non_null(copy);
		memcpy(copy, text, n);
		list_parse(&l, &items, span_of(copy, n), 1);
		for (size_t i = 0; i < items.n; i++)
			assert_true(items.v[i].text.p >= copy && items.v[i].text.p + items.v[i].text.n <= copy + n);
		if (n == sizeof text - 1)
			assert_int_equal(items.n, 5);
		free(items.v);
		free(copy);
	}
	report_clear(&r);
	conf_free(c);
}

static void
test_long_lines_are_refused(void **state)
{
	char          text[5000];
	struct report r;
	struct conf  *c;

	(void)state;
	memset(text, 'a', sizeof text);
	text[4097] = '\n';
	dir_write_bytes("l.list", text, 4098);
	c = load_list(&r);
	assert_int_equal(r.errors, 1);
	assert_non_null(strstr(r.v[0].text, "longer than 4096 bytes"));
	report_clear(&r);
	conf_free(c);
	text[4096] = '\n';
	dir_write_bytes("l.list", text, 4097);
	c = load_list(&r);
	assert_int_equal(r.errors, 0);
	report_clear(&r);
	conf_free(c);
}

static void
test_a_list_of_a_million_lines_names_its_one_odd_line(void **state)
{
	const uint32_t    lines = 1000000, odd = 777777;
	FILE             *f = fopen("l.list", "w");
	struct report     r;
	struct conf      *c;
	struct conf_list *l;
	char              where[64], want[64];

	(void)state;
	assert_non_null(f);
	for (uint32_t i = 1; i <= lines; i++)
		fprintf(f, i == odd ? "two items.example.com\n" : "host%u.example.com\n", i);
	assert_int_equal(fclose(f), 0);
	c = load_list(&r);
	l = TAILQ_FIRST(&c->lists);
	assert_int_equal(r.errors, 1);
	where_print(c, r.v[0].at, where, sizeof where);
	assert_string_equal(where, "l.list:777777");
	assert_int_equal(l->hosts.n, lines - 1 + 2);
	assert_int_equal(c->files[1].lines, lines);
	for (uint32_t i = 1; i <= lines; i++) {
		const struct conf_item *item = &l->hosts.v[i < odd ? i : i - 1];
		if (i == odd)
			continue;
		assert_true(item->at.file == 1 && item->at.line == i);
		snprintf(want, sizeof want, "host%u.example.com", i);
		if (i % 1000 == 0)
			assert_true(span_eq(item->text, span_str(want)));
	}
	report_clear(&r);
	conf_free(c);
}

static void
test_a_list_that_is_no_list_gives_a_handful_of_errors(void **state)
{
	FILE         *f = fopen("l.list", "w");
	struct report r;
	struct conf  *c;

	(void)state;
	assert_non_null(f);
	for (int i = 0; i < 100000; i++)
		fprintf(f, "a b\n");
	assert_int_equal(fclose(f), 0);
	c = load_list(&r);
	assert_int_equal(r.errors, 21);
	assert_non_null(strstr(r.v[20].text, "99980 more lines"));
	report_clear(&r);
	conf_free(c);
}

static void
test_lists_are_found_beside_the_file_that_names_them(void **state)
{
	struct report     r;
	struct conf      *c;
	struct conf_list *l;

	(void)state;
	assert_int_equal(mkdir("sub", 0700), 0);
	dir_write("sub/x.list", "x\n");
	dir_write("sub/with blank.list", "y\n");
	dir_write("sub/s.ini", "[list s]\nfile = x.list \"with blank.list\"\n  missing.list\n");
	dir_write("postern.ini", "include = sub/s.ini\n[listener a]\naddress = 127.0.0.1:0\n");
	report_init(&r);
	c = conf_load("postern.ini", &r);
	l = TAILQ_FIRST(&c->lists);
	assert_int_equal(l->hosts.n, 2);
	assert_int_equal(l->files.n, 3);
	assert_int_equal(r.errors, 1);
	assert_string_equal(r.v[0].text, "sub/missing.list cannot be read: No such file or directory");
	assert_true(r.v[0].at.file == 1 && r.v[0].at.line == 3);
	report_clear(&r);
	conf_free(c);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, dir_setup, dir_teardown)

/* Each, and each beginning of it, in a block of its exact size. */
static void
test_a_list_file_says_where_it_is_from(void **state)
{
	static const struct {
		struct span bytes;
		const char *source, *version, *fetched;
		time_t      at;
	} rows[] = {
		{SPAN(""), "", "", "", 0},
		{SPAN("# source: https://a.example/x?y=1\n# version: 7\n# fetched: 2020-02-03\na\n"), "https://a.example/x?y=1", "7", "2020-02-03", 1580688000},
		{SPAN("\xef\xbb\xbf;Source:a b \r\n\n \t#\tFETCHED: 2020-02-03T01:00:00Z\n"), "a b", "", "2020-02-03T01:00:00Z", 1580691600},
		{SPAN("# source: one\n# source: two\n# source two\n# sources: x\n# version:\n"), "one", "", "", 0},
		{SPAN("a\n# source: too late\n"), "", "", "", 0},
		{SPAN("# fetched: 2020-02-30\n# version: \x1b[1m"), "", "[1m", "2020-02-30", 0},
		{SPAN("# fetched: yesterday\n"), "", "", "yesterday", 0},
		{SPAN("# fetched: 2020-13-01\n"), "", "", "2020-13-01", 0},
		{SPAN("#\n##\n# :\n#:x\n# a: source: b\n"), "", "", "", 0},
	};

	(void)state;
	for (size_t i = 0; i < N(rows); i++)
		for (size_t n = 0; n <= rows[i].bytes.n; n++) {
			char              *block = malloc(n ? n : 1);
			struct list_header h;
			memcpy(block, rows[i].bytes.p, n);
			list_header_read(span_of(block, n), &h);
			if (n == rows[i].bytes.n && (!span_eq(h.source, span_str(rows[i].source)) || !span_eq(h.version, span_str(rows[i].version)) ||
			                                !span_eq(h.fetched, span_str(rows[i].fetched)) || h.fetched_at != rows[i].at))
				fail_msg("row %zu: `%.*s` `%.*s` `%.*s` %lld", i, SPAN_ARG(h.source), SPAN_ARG(h.version), SPAN_ARG(h.fetched), (long long)h.fetched_at);
			free(block);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_list_files_hold_one_item_a_line),
		TEST(test_a_list_file_says_where_it_is_from),
		TEST(test_no_byte_beyond_a_list_is_read),
		TEST(test_long_lines_are_refused),
		TEST(test_a_list_of_a_million_lines_names_its_one_odd_line),
		TEST(test_a_list_that_is_no_list_gives_a_handful_of_errors),
		TEST(test_lists_are_found_beside_the_file_that_names_them),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
