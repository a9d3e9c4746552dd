/* SPDX-License-Identifier: MIT */
/* Files that are renamed when they are full, and what stands at their top. */
#include "conf_dir.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/sink.h"

#define SECOND 1000000u
#define MOST   1000u
#define LINE   50u

/* A line of LINE bytes that begins with its number. */
static void
put(struct sink *s, unsigned number)
{
	char *p = sink_room(s);

	assert_non_null(p);
	memset(p, '.', LINE);
	p[sprintf(p, "%08u", number)] = ' ';
	p[LINE - 1] = '\n';
	sink_took(s, LINE);
}

/* Whole lines after `head`, numbered without a gap from the number that comes out in *first; the next one is returned. */
static unsigned
read_lines(const char *path, const char *head, unsigned *first)
{
	FILE    *f = fopen(path, "r");
	char     line[2048], digits[9] = "";
	unsigned next = 0;

	assert_non_null(f);
	*first = 0;
	while (*head) {
		size_t n = strcspn(head, "\n");
		assert_non_null(fgets(line, sizeof line, f));
		assert_memory_equal(line, head, n);
		head += n + (head[n] == '\n');
	}
	while (fgets(line, sizeof line, f)) {
		if (*line == '#')
			continue; /* the rest of the top */
		assert_int_equal(strlen(line), LINE);
		memcpy(digits, line, 8);
		if (next == 0)
			*first = next = (unsigned)atoi(digits);
		assert_int_equal(atoi(digits), next);
		next++;
	}
	fclose(f);
	return next;
}

static off_t
size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? st.st_size : -1;
}

/* Whether the lines come one by one or all at once. */
static void
test_a_full_file_is_renamed_between_two_lines(void **state)
{
	(void)state;
	for (int at_once = 0; at_once < 2; at_once++) {
		struct sink *s = sink_new("log", LOG_SQUID, 0);
		unsigned     first, next, expected = 201;

		sink_limit(s, MOST, 3);
		for (unsigned i = 1; i <= 200; i++) {
			put(s, i);
			if (!at_once)
				assert_true(sink_flush(s, i));
		}
		assert_true(sink_flush(s, SECOND));
		assert_int_equal(sink_counts_take(s).lines, 200);
		for (int i = 0; i <= 3; i++) {
			char name[16] = "log";
			if (i)
				snprintf(name, sizeof name, "log.%d", i);
			assert_in_range(size_of(name), 1, MOST);
			next = read_lines(name, "", &first);
			assert_int_equal(next, expected);
			assert_true(i == 0 || next - first == MOST / LINE);
			expected = first;
		}
		assert_int_equal(size_of("log.4"), -1);
		assert_int_equal(sink_free(s, 0), 0);
		assert_true(unlink("log") == 0 && unlink("log.1") == 0 && unlink("log.2") == 0 && unlink("log.3") == 0);
	}
}

static void
test_each_w3c_file_begins_with_its_fields(void **state)
{
	static const char head[] = "#Version: 1.0\n#Software: Postern\n#Date: 2\n#Fields: date time \n";
	struct sink *s = sink_new("log", LOG_W3C, 0);
	unsigned     first, next;

	(void)state;
	assert_true(size_of("log") > 100); /* before the first line is there */
	sink_limit(s, 2 * MOST, 2);
	for (unsigned i = 1; i <= 200; i++)
		put(s, i);
	assert_true(sink_flush(s, SECOND));
	next = read_lines("log.2", head, &first);
	assert_int_equal(read_lines("log.1", head, &first), read_lines("log", head, &next) ? next : 0);
	assert_true(first > 1 && next > first);
	/* renamed by somebody else */
	assert_int_equal(rename("log", "moved"), 0);
	sink_reopen(s);
	put(s, 1);
	assert_true(sink_flush(s, 2 * SECOND));
	assert_int_equal(read_lines("log", head, &first), 2);
	assert_int_equal(sink_free(s, 0), 0);
	/* a later process may write other fields, so it says its own */
	s = sink_new("log", LOG_W3C, 0);
	put(s, 2);
	assert_int_equal(sink_free(s, 0), 0);
	assert_int_equal(read_lines("log", head, &first), 3);
	assert_true(size_of("log") > 2 * 400);
}

static void
test_a_format_that_changes_brings_its_top_along(void **state)
{
	struct sink *s = sink_new("log", LOG_SQUID, 0);
	unsigned     first;
	off_t        before;

	(void)state;
	put(s, 1);
	assert_true(sink_flush(s, 0));
	before = size_of("log");
	sink_speak(s, LOG_SQUID);
	assert_true(sink_flush(s, 0));
	assert_int_equal(size_of("log"), before);
	sink_speak(s, LOG_W3C);
	put(s, 2);
	assert_true(sink_flush(s, 0));
	assert_true(size_of("log") > before + (off_t)LINE + 100);
	assert_int_equal(read_lines("log", "", &first), 3);
	assert_int_equal(sink_free(s, 0), 0);
}

/* The last name is taken by something that no file can replace. */
static void
test_a_file_that_cannot_be_renamed_goes_on_growing(void **state)
{
	struct sink *s = sink_new("log", LOG_SQUID, 0);
	unsigned     first;

	(void)state;
	assert_int_equal(mkdir("log.1", 0700), 0);
	assert_int_equal(mkdir("log.1/x", 0700), 0);
	sink_limit(s, MOST, 1);
	for (unsigned i = 1; i <= 100; i++) {
		put(s, i);
		assert_true(sink_flush(s, SECOND));
	}
	assert_int_equal(size_of("log"), 100 * LINE);
	assert_int_equal(sink_counts_take(s).errors, 1);
	assert_true(rmdir("log.1/x") == 0 && rmdir("log.1") == 0);
	put(s, 101);
	assert_true(sink_flush(s, 5 * SECOND)); /* not tried again so soon */
	put(s, 102);
	assert_true(sink_flush(s, 12 * SECOND));
	assert_int_equal(read_lines("log.1", "", &first), 102);
	assert_int_equal(read_lines("log", "", &first), 103);
	assert_int_equal(sink_counts_take(s).lines, 2);
	assert_int_equal(sink_free(s, 0), 0);
}

static void
test_a_file_that_others_cut_off_is_not_renamed_early(void **state)
{
	struct sink *s = sink_new("log", LOG_SQUID, 0);

	(void)state;
	sink_limit(s, MOST, 2);
	for (unsigned i = 1; i <= 15; i++)
		put(s, i);
	assert_true(sink_flush(s, 0));
	assert_int_equal(truncate("log", 0), 0);
	for (unsigned i = 16; i <= 30; i++)
		put(s, i);
	assert_true(sink_flush(s, 0));
	assert_int_equal(size_of("log.1"), -1);
	/* and one that others renamed, without a word to us, is left alone */
	assert_int_equal(rename("log", "moved"), 0);
	for (unsigned i = 31; i <= 40; i++)
		put(s, i);
	assert_true(sink_flush(s, 0));
	assert_int_equal(size_of("log.1"), -1);
	assert_int_equal(size_of("moved") + size_of("log"), 25 * LINE);
	assert_int_equal(sink_free(s, 0), 0);
}

/* A line that alone is larger than a file may be is written whole, to a file of its own. */
static void
test_a_line_larger_than_a_file_is_not_cut(void **state)
{
	struct sink *s = sink_new("log", LOG_SQUID, 0);
	char        *p;

	(void)state;
	sink_limit(s, MOST, 2);
	put(s, 1);
	p = sink_room(s);
	memset(p, 'x', 3 * MOST);
	p[3 * MOST - 1] = '\n';
	sink_took(s, 3 * MOST);
	put(s, 2);
	assert_true(sink_flush(s, 0));
	assert_int_equal(size_of("log.2"), LINE);
	assert_int_equal(size_of("log.1"), 3 * MOST);
	assert_int_equal(size_of("log"), LINE);
	assert_int_equal(sink_free(s, 0), 0);
}

#define TURN_TEST(f) cmocka_unit_test_setup_teardown(f, dir_setup, dir_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TURN_TEST(test_a_full_file_is_renamed_between_two_lines),
		TURN_TEST(test_each_w3c_file_begins_with_its_fields),
		TURN_TEST(test_a_format_that_changes_brings_its_top_along),
		TURN_TEST(test_a_file_that_cannot_be_renamed_goes_on_growing),
		TURN_TEST(test_a_file_that_others_cut_off_is_not_renamed_early),
		TURN_TEST(test_a_line_larger_than_a_file_is_not_cut),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
