/* SPDX-License-Identifier: MIT */
/* The operations log: its levels, its lines, its limit; the journal. Each case writes in a process of its own, whose stderr is a file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"

enum journal { NOT_SET, OURS, ANOTHER, NONSENSE };

static void
say(enum log_level level)
{
	static struct log_limit limit;
	int                     evaluated = 0;

	log_as("postern[x]");
	log_threshold(level);
	log_error("e");
	log_warn("w %s", "\n\x1b[2m\xff");
	log_info("i");
	log_debug("d %d", ++evaluated);
	if (evaluated != (level == LOG_LEVEL_DEBUG))
		_exit(1);
	for (int i = 0; i < 3; i++)
		log_write_limited(&limit, LOG_LEVEL_WARN, "again");
	if (limit.held != (level >= LOG_LEVEL_WARN ? 2 : 0))
		_exit(1);
	_exit(0);
}

static void
said(enum log_level level, enum journal journal, char buf[4096])
{
	int         fd = memfd_create("stderr", 0), status = -1;
	struct stat st;
	char        stream[64];
	ssize_t     n;
	pid_t       pid;

	assert_true(fd >= 0 && fstat(fd, &st) == 0);
	snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino + (journal == ANOTHER));
	pid = fork();
	if (pid == 0) {
		dup2(fd, STDERR_FILENO);
		if (journal == NOT_SET)
			unsetenv("JOURNAL_STREAM");
		else
			setenv("JOURNAL_STREAM", journal == NONSENSE ? "x:" : stream, 1);
		say(level);
	}
	assert_true(pid > 0 && waitpid(pid, &status, 0) == pid);
	assert_int_equal(status, 0);
	n = pread(fd, buf, 4095, 0);
	assert_true(n >= 0);
	buf[n] = '\0';
	close(fd);
}

static void
test_lines_of_each_level(void **state)
{
	static const struct {
		enum log_level level;
		enum journal   journal;
		const char    *text;
	} rows[] = {
		{LOG_LEVEL_ERROR, NOT_SET, "postern[x]: error: e\n"},
		{LOG_LEVEL_WARN, NOT_SET, "postern[x]: error: e\npostern[x]: warning: w \\x0a\\x1b[2m\\xff\npostern[x]: warning: again\n"},
		{LOG_LEVEL_INFO, ANOTHER, "postern[x]: error: e\npostern[x]: warning: w \\x0a\\x1b[2m\\xff\npostern[x]: i\npostern[x]: warning: again\n"},
		{LOG_LEVEL_ERROR, NONSENSE, "postern[x]: error: e\n"},
		{LOG_LEVEL_DEBUG, OURS,
		    "<3>postern[x]: error: e\n<4>postern[x]: warning: w \\x0a\\x1b[2m\\xff\n<6>postern[x]: i\n<7>postern[x]: debug: d 1\n<4>postern[x]: warning: again\n"},
	};
	char buf[4096];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		said(rows[i].level, rows[i].journal, buf);
		assert_string_equal(buf, rows[i].text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_of_each_level),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
