/* SPDX-License-Identifier: MIT */
#include "conf_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/sink.h"
#include "base/log.h"

#define SECOND 1000000u

/* "line N" and, unless `fill` is 0, so many more bytes. */
static void
put(struct sink *s, unsigned number, size_t fill)
{
	char  *p = sink_room(s);
	size_t n;

	if (!p)
		return;
	n = (size_t)sprintf(p, "line %u", number);
	memset(p + n, '.', fill);
	p[n + fill] = '\n';
	sink_took(s, n + fill + 1);
}

/* The whole file, NUL-terminated; the caller's. */
static char *
slurp(const char *path)
{
	FILE  *f = fopen(path, "r");
	char  *p = malloc((size_t)32 << 20);
	size_t n = f ? fread(p, 1, ((size_t)32 << 20) - 1, f) : 0;

	p[n] = '\0';
	if (f)
		fclose(f);
	return p;
}

static void
check_file(const char *path, const char *expected)
{
	char *p = slurp(path);

	assert_string_equal(p, expected);
	free(p);
}

/* How many numbered lines from `first` on, in order and whole, the text begins with; *rest: what follows. */
static unsigned
count_lines(const char *p, unsigned first, size_t fill, const char **rest)
{
	unsigned n = 0;
	char     head[32];

	for (;; n++) {
		size_t len = (size_t)sprintf(head, "line %u", first + n);
		if (strncmp(p, head, len) != 0 || strspn(p + len, ".") != fill || p[len + fill] != '\n')
			break;
		p += len + fill + 1;
	}
	*rest = p;
	return n;
}

static void
test_lines_are_appended(void **state)
{
	struct sink       *s = sink_new("log", LOG_SQUID, 0);
	struct sink_counts c;
	struct stat        st;

	(void)state;
	put(s, 1, 0);
	put(s, 2, 0);
	check_file("log", ""); /* nothing before the flush */
	assert_true(sink_flush(s, 0));
	check_file("log", "line 1\nline 2\n");
	c = sink_counts_take(s);
	assert_true(c.lines == 2 && c.bytes == 14 && c.dropped == 0 && c.errors == 0);
	assert_int_equal(sink_counts_take(s).lines, 0);
	assert_int_equal(sink_free(s, 0), 0);
	s = sink_new("log", LOG_SQUID, 0);
	put(s, 3, 0);
	assert_int_equal(sink_free(s, 0), 0); /* writes what is left */
	check_file("log", "line 1\nline 2\nline 3\n");
	assert_int_equal(stat("log", &st), 0);
	assert_int_equal(st.st_mode & 07137, 0); /* 0640 at most */
	assert_int_equal(sink_free(NULL, 0), 0);
}

static void
test_much_is_written_before_the_flush(void **state)
{
	struct sink *s = sink_new("log", LOG_SQUID, 0);
	struct stat  st;

	(void)state;
	for (unsigned i = 0; i < 5000; i++)
		put(s, i, 100);
	assert_int_equal(stat("log", &st), 0);
	assert_true(st.st_size >= 250 << 10);
	assert_int_equal(sink_free(s, 0), 0);
}

static void
test_standard_output_is_a_log_too(void **state)
{
	int          out = dup(STDOUT_FILENO), file = open("out", O_RDWR | O_CREAT, 0600);
	struct sink *s;

	(void)state;
	fflush(stdout);
	dup2(file, STDOUT_FILENO);
	s = sink_new("-", LOG_SQUID, 0);
	put(s, 1, 0);
	sink_reopen(s);
	put(s, 2, 0);
	assert_int_equal(sink_free(s, 0), 0);
	dup2(out, STDOUT_FILENO);
	close(out);
	close(file);
	check_file("out", "line 1\nline 2\n");
}

static void
test_rotated_log_goes_on_in_a_new_file(void **state)
{
	struct sink *s = sink_new("log", LOG_SQUID, 0);

	(void)state;
	put(s, 1, 0);
	assert_true(sink_flush(s, 0));
	assert_int_equal(rename("log", "log.1"), 0);
	put(s, 2, 0);
	assert_true(sink_flush(s, 0)); /* still the old one */
	sink_reopen(s);
	put(s, 3, 0);
	assert_true(sink_flush(s, 0));
	check_file("log.1", "line 1\nline 2\n");
	check_file("log", "line 3\n");
	sink_reopen(s); /* nothing was renamed */
	put(s, 4, 0);
	assert_int_equal(sink_free(s, 0), 0);
	check_file("log", "line 3\nline 4\n");
}

static void
test_failed_reopen_keeps_the_old_file_until_it_works(void **state)
{
	struct sink *s;

	(void)state;
	assert_int_equal(mkdir("sub", 0700), 0);
	s = sink_new("sub/log", LOG_SQUID, 0);
	put(s, 1, 0);
	assert_int_equal(rename("sub", "gone"), 0);
	sink_reopen(s);
	put(s, 2, 0);
	assert_false(sink_flush(s, 0)); /* written, but not where it should be */
	check_file("gone/log", "line 1\nline 2\n");
	assert_int_equal(sink_counts_take(s).errors, 2);
	assert_int_equal(mkdir("sub", 0700), 0);
	put(s, 3, 0);
	assert_false(sink_flush(s, SECOND - 1));
	put(s, 4, 0);
	assert_true(sink_flush(s, SECOND));
	put(s, 5, 0);
	assert_int_equal(sink_free(s, SECOND), 0);
	check_file("gone/log", "line 1\nline 2\nline 3\n");
	check_file("sub/log", "line 4\nline 5\n");
}

static void
test_missing_directory_is_tried_again_each_second(void **state)
{
	struct sink *s = sink_new("later/log", LOG_SQUID, 10 * SECOND);

	(void)state;
	put(s, 1, 0);
	assert_false(sink_flush(s, 10 * SECOND));
	assert_int_equal(sink_retry_ms(s), 1000);
	assert_int_equal(mkdir("later", 0700), 0);
	assert_false(sink_flush(s, 11 * SECOND - 1));
	assert_true(sink_flush(s, 11 * SECOND));
	check_file("later/log", "line 1\n");
	assert_int_equal(sink_free(s, 0), 0);
	s = sink_new("never/log", LOG_SQUID, 0);
	put(s, 1, 0);
	put(s, 2, 0);
	assert_int_equal(sink_free(s, 0), 2);
}

static void
test_line_torn_by_a_killed_logger_is_ended(void **state)
{
	int fd = open("log", O_WRONLY | O_CREAT, 0600);

	(void)state;
	assert_int_equal(write(fd, "whole\nhal", 9), 9);
	close(fd);
	struct sink *s = sink_new("log", LOG_SQUID, 0);
	put(s, 1, 0);
	assert_int_equal(sink_free(s, 0), 0);
	check_file("log", "whole\nhal\nline 1\n");
}

static void
test_lines_kept_on_a_full_device_go_to_the_next_file(void **state)
{
	struct sink *s;

	(void)state;
	assert_int_equal(symlink("/dev/full", "log"), 0);
	s = sink_new("log", LOG_SQUID, 0);
	for (unsigned i = 0; i < 6000; i++) /* past the size of a batch */
		put(s, i, 90);
	assert_false(sink_flush(s, 2 * SECOND));
	assert_int_equal(unlink("log"), 0);
	sink_reopen(s);
	assert_true(sink_flush(s, 2 * SECOND)); /* at once, not a second later */
	char       *all = slurp("log");
	const char *rest;
	assert_int_equal(count_lines(all, 0, 90, &rest), 6000);
	assert_string_equal(rest, "");
	free(all);
	assert_int_equal(sink_counts_take(s).lines, 6000);
	assert_int_equal(sink_free(s, 0), 0);
}

static void
test_memory_is_bounded_and_drops_are_told_where_they_happened(void **state)
{
	static const enum log_format_kind says[] = {LOG_JSON, LOG_W3C, LOG_SQUID};

	(void)state;
	for (size_t k = 0; k < 3; k++) {
		struct sink       *s;
		const unsigned     tried = 20000;
		struct sink_counts c;
		unsigned long      told = 0;
		char              *all;
		const char        *rest;
		unsigned           kept, room;

		assert_int_equal(symlink("/dev/full", "log"), 0);
		s = sink_new("log", says[k], 0);
		for (unsigned i = 0; i < tried; i++)
			put(s, i, 1000);
		assert_int_equal(unlink("log"), 0);
		sink_reopen(s);
		assert_true(sink_flush(s, SECOND));
		put(s, tried, 1000);
		assert_true(sink_flush(s, SECOND));
		c = sink_counts_take(s);
		all = slurp("log");
		kept = count_lines(says[k] == LOG_W3C ? strstr(all, "\nline ") + 1 : all, 0, 1000, &rest);
		room = kept * 1010;
		assert_true(kept > 7000 && room < SINK_MEMORY_MAX + (64 << 10));
		assert_int_equal(c.dropped, tried - kept);
		assert_int_equal(c.lines, kept + 1);
		if (says[k] == LOG_W3C) {
			assert_int_equal(sscanf(rest, "#Remark: %lu lines were", &told), 1);
			assert_int_equal(told, c.dropped);
			rest = strchr(rest, '\n') + 1;
		}
		if (says[k] == LOG_JSON) {
			assert_int_equal(strncmp(rest, "{\"ts\":\"2", 8), 0);
			assert_int_equal(sscanf(strstr(rest, "\"event\""), "\"event\":\"dropped\",\"lines\":%lu}\n", &told), 1);
			assert_int_equal(told, c.dropped);
			rest = strchr(rest, '\n') + 1;
		}
		assert_int_equal(count_lines(rest, tried, 1000, &rest), 1);
		assert_string_equal(rest, "");
		free(all);
		assert_int_equal(sink_free(s, 0), 0);
		assert_int_equal(unlink("log"), 0);
	}
}

static void
test_lines_lost_elsewhere_are_told_in_their_place(void **state)
{
	struct sink *s = sink_new("log", LOG_JSON, 0);

	(void)state;
	put(s, 1, 0);
	sink_lost(s, 7);
	put(s, 2, 0);
	sink_lost(s, 3);
	assert_true(sink_flush(s, 0));
	assert_true(sink_flush(s, 0));
	char *all = slurp("log"), *a = strstr(all, "\"lines\":7}\nline 2\n"), *b = strstr(all, "\"lines\":3}\n");
	assert_true(strncmp(all, "line 1\n{\"ts\":", 13) == 0 && a && b && b > a && b[11] == '\0');
	free(all);
	assert_int_equal(sink_free(s, 0), 0);
}

static void
test_trouble_is_told_once_a_minute_and_so_is_its_end(void **state)
{
	int         err = dup(STDERR_FILENO), file = memfd_create("stderr", MFD_CLOEXEC);
	char        text[8192];
	const char *p;
	unsigned    warnings = 0, ends = 0;
	struct sink *s;

	(void)state;
	assert_int_equal(symlink("/dev/full", "log"), 0);
	dup2(file, STDERR_FILENO);
	log_as("postern[logger]");
	s = sink_new("log", LOG_SQUID, 1);
	for (unsigned t = 1; t < 150; t++) {
		put(s, t, 0);
		sink_flush(s, t * SECOND);
	}
	/* it comes and goes */
	for (unsigned t = 150; t < 200; t++) {
		unlink("log");
		if (t % 2)
			assert_int_equal(symlink("/dev/full", "log"), 0);
		sink_reopen(s);
		put(s, t, 0);
		assert_int_equal(sink_flush(s, t * SECOND), t % 2 == 0);
	}
	sink_free(s, 200 * SECOND);
	dup2(err, STDERR_FILENO);
	close(err);
	text[pread(file, text, sizeof text - 1, 0)] = '\0';
	for (p = text; (p = strstr(p, "No space left on device")); p++)
		warnings++;
	for (p = text; (p = strstr(p, "is written again")); p++)
		ends++;
	close(file);
	assert_int_equal(warnings, 4); /* at 1, 61, 121 and 181 seconds */
	assert_int_equal(ends, 1);
	assert_non_null(strstr(text, "access log log: No space left on device; 61 lines are kept in memory (at most 8 MiB), 0 were dropped"));
	unlink("log");
}

static void
test_fifo_never_holds_the_logger_up(void **state)
{
	struct sink *s;
	char        *got = malloc((size_t)4 << 20);
	size_t       n = 0;
	ssize_t      r;
	int          in;
	uint64_t     now = 0;
	const char  *rest;

	(void)state;
	assert_int_equal(mkfifo("log", 0600), 0);
	s = sink_new("log", LOG_SQUID, 0); /* nobody reads it */
	put(s, 0, 100);
	assert_false(sink_flush(s, now));
	in = open("log", O_RDONLY | O_NONBLOCK);
	for (unsigned i = 1; i < 10000; i++)
		put(s, i, 100);
	now += SECOND;
	assert_false(sink_flush(s, now)); /* more than a pipe holds */
	assert_int_equal(sink_retry_ms(s), 50);
	for (bool done = false; !done;) {
		done = sink_flush(s, now);
		while ((r = read(in, got + n, 50000)) > 0)
			n += (size_t)r;
	}
	got[n] = '\0';
	assert_int_equal(count_lines(got, 0, 100, &rest), 10000);
	assert_string_equal(rest, "");
	/* the reader goes away in the middle of a line; the next one gets it whole */
	for (unsigned i = 0; i < 2000; i++)
		put(s, i, 100);
	assert_false(sink_flush(s, now));
	close(in);
	assert_false(sink_flush(s, now));
	in = open("log", O_RDONLY | O_NONBLOCK);
	n = 0;
	now += SECOND;
	for (bool done = false; !done;) {
		done = sink_flush(s, now);
		while ((r = read(in, got + n, 50000)) > 0)
			n += (size_t)r;
	}
	got[n] = '\0';
	unsigned first = (unsigned)strtoul(got + 5, NULL, 10);
	assert_true(first > 0);
	assert_int_equal(count_lines(got, first, 100, &rest), 2000 - first);
	assert_string_equal(rest, "");
	close(in);
	free(got);
	assert_int_equal(sink_free(s, now), 0);
}

static void
test_full_disk_tears_no_line(void **state)
{
	struct sink *s;
	char        *all, filler[4096] = {0};
	const char  *rest;
	int          fd;

	(void)state;
	assert_int_equal(mkdir("small", 0700), 0);
	if (mount("tmpfs", "small", "tmpfs", 0, "size=256k") != 0) {
		print_message("skipped: cannot mount a small tmpfs: %s\n", strerror(errno));
		skip();
	}
	fd = open("small/filler", O_WRONLY | O_CREAT, 0600);
	for (int i = 0; i < 40; i++)
		assert_int_equal(write(fd, filler, sizeof filler), sizeof filler);
	close(fd);
	s = sink_new("small/log", LOG_SQUID, 0);
	for (unsigned i = 0; i < 1800; i++)
		put(s, i, 100);
	assert_false(sink_flush(s, 0));
	all = slurp("small/log");
	assert_true(count_lines(all, 0, 100, &rest) > 100 && *rest); /* half a line is there */
	free(all);
	assert_int_equal(unlink("small/filler"), 0);
	assert_true(sink_flush(s, SECOND));
	all = slurp("small/log");
	assert_int_equal(count_lines(all, 0, 100, &rest), 1800);
	assert_string_equal(rest, "");
	free(all);
	/* again, but this time the file is rotated to another disk while a line is half written */
	for (unsigned i = 1800; i < 4000; i++)
		put(s, i, 100);
	assert_false(sink_flush(s, 2 * SECOND));
	assert_int_equal(sink_counts_take(s).dropped, 0);
	all = slurp("small/log");
	unsigned whole = count_lines(all, 0, 100, &rest);
	free(all);
	assert_int_equal(unlink("small/log"), 0);
	assert_int_equal(symlink("../log", "small/log"), 0);
	sink_reopen(s);
	assert_true(sink_flush(s, 2 * SECOND));
	all = slurp("log");
	assert_int_equal(count_lines(all, whole, 100, &rest), 4000 - whole);
	assert_string_equal(rest, "");
	free(all);
	assert_int_equal(sink_free(s, 0), 0);
	assert_int_equal(umount("small"), 0);
}

#define SINK_TEST(f) cmocka_unit_test_setup_teardown(f, dir_setup, dir_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SINK_TEST(test_lines_are_appended),
		SINK_TEST(test_much_is_written_before_the_flush),
		SINK_TEST(test_standard_output_is_a_log_too),
		SINK_TEST(test_rotated_log_goes_on_in_a_new_file),
		SINK_TEST(test_failed_reopen_keeps_the_old_file_until_it_works),
		SINK_TEST(test_missing_directory_is_tried_again_each_second),
		SINK_TEST(test_line_torn_by_a_killed_logger_is_ended),
		SINK_TEST(test_lines_kept_on_a_full_device_go_to_the_next_file),
		SINK_TEST(test_memory_is_bounded_and_drops_are_told_where_they_happened),
		SINK_TEST(test_lines_lost_elsewhere_are_told_in_their_place),
		SINK_TEST(test_trouble_is_told_once_a_minute_and_so_is_its_end),
		SINK_TEST(test_fifo_never_holds_the_logger_up),
		SINK_TEST(test_full_disk_tears_no_line),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
