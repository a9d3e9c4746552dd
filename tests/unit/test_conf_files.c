/* SPDX-License-Identifier: MIT */
/* The files that a configuration is read from, what they include, and how what is wrong with them is reported. */
#include "conf_report.h"

#include "conf/file.h"
#include "conf/load.h"

static void
test_rules_keep_the_order_of_files_and_lines(void **state)
{
	static const char *const order[] = {"a1", "a2", "b1", "deep", "here", "last"};
	struct report            r;
	struct conf             *c;
	struct conf_rule        *u;
	size_t                   i = 0;

	(void)state;
	assert_int_equal(mkdir("conf.d", 0700) | mkdir("conf.d/more", 0700), 0);
	dir_write("conf.d/20-b.ini", "include = more/*.ini\n[gateway]\ncontact = b\n[rule deep]\naction = deny\n");
	dir_write("conf.d/10-a.ini", "[rule a1]\naction = deny\n[rule a2]\naction = deny");
	dir_write("conf.d/more/x.ini", "[rule b1]\naction = deny\n");
	dir_write("conf.d/30-other.txt", "not read\n");
	c = load_good("include = conf.d/*.ini\n[rule here]\naction = deny\n[gateway]\nuser = x\n[rule last]\naction = deny\n[listener a]\naddress = [::1]:0\n", &r);
	TAILQ_FOREACH(u, &c->rules, link)
		assert_string_equal(u->name.p, order[i++]);
	assert_int_equal(i, N(order));
	assert_string_equal(c->gateway.contact, "b");
	assert_string_equal(c->files[2].path, "conf.d/20-b.ini");
	report_clear(&r);
	conf_free(c);
}

static void
test_a_key_repeated_in_another_file_names_the_first(void **state)
{
	static const char *const want[] = {"5: the first is at more.ini:2"};

	(void)state;
	dir_write("more.ini", "[gateway]\nworkers = 1\nconnect-ports = 1\n");
	dir_write("postern.ini", "include = more.ini\n\n[gateway]\nconnect-ports = 2\nworkers = 2\n" GOOD);
	errors_check("more.ini", want, N(want));
}

static void
test_include_loops_and_depth_are_bounded(void **state)
{
	static const char *const loop[] = {"b.ini:1: a.ini includes itself"}, *const deep[] = {"d15.ini:1: more than 16 deep"};
	char                     name[32], text[64];

	(void)state;
	dir_write("postern.ini", "include = a.ini\n" GOOD);
	dir_write("a.ini", "include = b.ini\n");
	dir_write("b.ini", "include = a.ini\n");
	errors_check("loop", loop, N(loop));
	dir_write("postern.ini", "include = d1.ini\n" GOOD);
	for (int i = 1; i < 20; i++) {
		snprintf(name, sizeof name, "d%d.ini", i);
		snprintf(text, sizeof text, "include = d%d.ini\n", i + 1);
		dir_write(name, text);
	}
	errors_check("deep", deep, N(deep));
}

static void
test_many_includes_of_one_file_end(void **state)
{
	struct report r;
	struct conf  *c;
	char          name[32], text[200];

	(void)state;
	/* each of 12 files includes the next one four times: 4^12 readings if nothing held them up */
	dir_write("postern.ini", "include = f1.ini\n" GOOD);
	for (int i = 1; i <= 12; i++) {
		snprintf(name, sizeof name, "f%d.ini", i);
		snprintf(text, sizeof text, "include = f%1$d.ini f%1$d.ini f%1$d.ini f%1$d.ini\n", i + 1);
		dir_write(name, i == 12 ? "\n" : text);
	}
	report_init(&r);
	c = conf_load("postern.ini", &r);
	assert_true(r.errors > 0);
	assert_true(c->n_files < 2000);
	report_clear(&r);
	conf_free(c);
}

static void
test_what_is_not_a_file_of_text_is_refused(void **state)
{
	static const char *const missing[] = {"postern.ini: the file cannot be read: No such file"}, *const directory[] = {"postern.ini: it is a directory"};
	static const char *const fifo[] = {"postern.ini: it is not a regular file"}, *const large[] = {"postern.ini: it is larger than 64 MiB"};
	static const char *const nul[] = {"2: NUL byte"};
	struct report            r;
	struct conf             *c;
	unsigned                 seed = 1;
	char                     noise[40000];

	(void)state;
	errors_check("missing", missing, 1);
	assert_int_equal(mkdir("postern.ini", 0700), 0);
	errors_check("directory", directory, 1);
	assert_int_equal(rmdir("postern.ini"), 0);
	assert_int_equal(mkfifo("postern.ini", 0600), 0);
	errors_check("fifo", fifo, 1);
	assert_int_equal(unlink("postern.ini"), 0);
	dir_write("postern.ini", "");
	assert_int_equal(truncate("postern.ini", ((off_t)64 << 20) + 1), 0);
	errors_check("large", large, 1);
	dir_write_bytes("postern.ini", "[gateway]\nworkers\0 = 1\n" GOOD, sizeof "[gateway]\nworkers\0 = 1\n" GOOD - 1);
	errors_check("NUL", nul, 1);
	for (size_t i = 0; i < sizeof noise; i++)
		noise[i] = (char)rand_r(&seed);
	dir_write_bytes("postern.ini", noise, sizeof noise);
	report_init(&r);
	c = conf_load("postern.ini", &r);
	assert_true(r.errors > 20);
	report_clear(&r);
	conf_free(c);
}

static void
test_a_file_that_does_not_tell_its_size_is_read_whole_and_bounded(void **state)
{
	struct file_bytes b;
	char              why[FILE_WHY];
	size_t            n;

	(void)state;
	assert_true(file_read("/proc/self/maps", 1 << 20, &b, why));
	assert_true(b.n > 200 && strlen(b.p) == b.n);
	n = b.n;
	free(b.p);
	for (size_t most = 1; most < n - 100; most = most * 2 + 1) {
		assert_false(file_read("/proc/self/maps", most, &b, why));
		assert_non_null(strstr(why, "larger than"));
	}
}

static void
test_a_text_may_have_2000_bytes(void **state)
{
	static const char *const want[] = {"2: the value of \"reason\" is longer than 2000 bytes"};
	char                     text[3000] = "[rule a]\nreason = 0123456789\n";
	struct report            r;
	struct conf             *c;

	(void)state;
	for (int i = 0; i < 199; i++)
		strcat(text, " 123456789\n");
	strcat(text, "action = deny\n" GOOD);
	c = load_good(text, &r);
	assert_int_equal(TAILQ_FIRST(&c->rules)->reason.n, 2000);
	report_clear(&r);
	conf_free(c);
	strcpy(text, "[rule a]\nreason = 0123456789\n");
	for (int i = 0; i < 200; i++)
		strcat(text, " 123456789\n");
	strcat(text, "action = deny\n" GOOD);
	dir_write("postern.ini", text);
	errors_check(text, want, 1);
}

static void
test_a_file_that_breaks_off_anywhere_is_survived(void **state)
{
	static const char text[] = "include = none-such-*.ini\n[gateway]\nworkers = 2\negress-deny = 10.0.0.0/8,\n  \"loopback\" ; x\n[list a]\n"
	                           "host = \"a b\" !c\n[rule r]\n"
	                           "action = tunnel\nauth = none\nreason = \"x ; y\"\n[auth]\nschemes = basic ntlm\nbasic-file = u\n"
	                           "ntlm-file = n\nmax-failures = 4 per 30m\n[rule s]\nusers = \"a, b\", !c d,e\naction = deny\n" GOOD;
	(void)state;
	for (size_t n = 0; n < sizeof text; n++) {
		struct report r;
		struct conf  *c;
		char         *copy = malloc(n ? n : 1);
		assert_non_null(copy);
		memcpy(copy, text, n);
		report_init(&r);
		c = conf_load_memory("memory", span_of(copy, n), &r);
		assert_non_null(c);
		/* the include is refused in memory; nothing else is wrong at the end */
		if (n == sizeof text - 1)
			assert_int_equal(r.errors, 1);
		free(copy);
		report_clear(&r);
		conf_free(c);
	}
}

static void
test_reports_escape_what_comes_from_outside(void **state)
{
	struct report r;
	struct conf  *c;
	char         *text;

	(void)state;
	dir_write("postern.ini", "[gateway]\nworkers = \xc3\xa9\xe2\x80\xae\n" GOOD);
	report_init(&r);
	c = conf_load("postern.ini", &r);
	report_error(&r, (struct where){99, 1}, "no file \x1b[31m");
	text = report_text(&r, c);
	assert_non_null(strstr(text, "postern: postern.ini:2: workers = \\xc3\\xa9\\xe2\\x80\\xae: want"));
	assert_non_null(strstr(text, "postern: no file \\x1b[31m\n"));
	free(text);
	report_clear(&r);
	conf_free(c);
}

static void
test_a_million_errors_are_counted_and_not_kept(void **state)
{
	struct report r;
	char         *text;

	(void)state;
	report_init(&r);
	for (int i = 0; i < 100000; i++)
		report_error(&r, (struct where){0, 1}, "x");
	assert_int_equal(r.errors, 100000);
	assert_int_equal(r.n, REPORT_LINES);
	text = report_text(&r, NULL);
	assert_non_null(strstr(text, "postern: 90000 more problems are not shown"));
	free(text);
	report_clear(&r);
}

static void
test_after_thousands_of_errors_the_rest_is_not_read(void **state)
{
	struct report r;
	struct conf  *c;
	char         *text;
	FILE         *f = fopen("postern.ini", "w");

	(void)state;
	assert_non_null(f);
	fprintf(f, "[gateway]\n");
	for (int i = 0; i < 20000; i++)
		fprintf(f, "frobnicate = %d\n", i);
	assert_int_equal(fclose(f), 0);
	report_init(&r);
	c = conf_load("postern.ini", &r);
	text = report_text(&r, c);
	assert_non_null(strstr(text, "postern.ini:5001: more than 5000 errors; what follows is not read\n"));
	assert_null(strstr(text, "postern.ini:5002: "));
	free(text);
	report_clear(&r);
	conf_free(c);
}

static void
test_places_are_printed_and_cut(void **state)
{
	struct report r;
	struct conf  *c = load_good("[listener a]\naddress = 127.0.0.1:0\n", &r);
	char          buf[40];

	(void)state;
	assert_string_equal(where_print(c, (struct where){0, 7}, buf, sizeof buf), "postern.ini:7");
	assert_string_equal(where_print(c, (struct where){0, 0}, buf, sizeof buf), "postern.ini");
	assert_string_equal(where_print(c, (struct where){5, 7}, buf, sizeof buf), "-:7");
	assert_string_equal(where_print(NULL, (struct where){0, 0}, buf, sizeof buf), "-");
	assert_string_equal(where_print(c, (struct where){0, 7}, buf, 5), "post");
	report_clear(&r);
	conf_free(c);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, dir_setup, dir_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_rules_keep_the_order_of_files_and_lines),
		TEST(test_a_key_repeated_in_another_file_names_the_first),
		TEST(test_include_loops_and_depth_are_bounded),
		TEST(test_many_includes_of_one_file_end),
		TEST(test_what_is_not_a_file_of_text_is_refused),
		TEST(test_a_file_that_does_not_tell_its_size_is_read_whole_and_bounded),
		TEST(test_a_text_may_have_2000_bytes),
		TEST(test_a_file_that_breaks_off_anywhere_is_survived),
		TEST(test_reports_escape_what_comes_from_outside),
		TEST(test_a_million_errors_are_counted_and_not_kept),
		TEST(test_after_thousands_of_errors_the_rest_is_not_read),
		TEST(test_places_are_printed_and_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
