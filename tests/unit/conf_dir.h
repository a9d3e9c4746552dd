/* SPDX-License-Identifier: MIT */
/* conf_dir: an empty directory to be in for one test, and files in it. Included by one test program each. */
#ifndef POSTERN_TESTS_CONF_DIR_H
#define POSTERN_TESTS_CONF_DIR_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir_path[4096];
static char dir_before[4096];

static int
dir_setup(void **state)
{
	(void)state;
	snprintf(dir_path, sizeof dir_path, "%s/postern-test-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	return getcwd(dir_before, sizeof dir_before) && mkdtemp(dir_path) ? chdir(dir_path) : -1;
}

static int
dir_remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static int
dir_teardown(void **state)
{
	(void)state;
	return chdir(dir_before) == 0 ? nftw(dir_path, dir_remove_one, 16, FTW_DEPTH | FTW_PHYS) : -1;
}

static inline void
dir_write_bytes(const char *path, const char *p, size_t n)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(p, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

static inline void
dir_write(const char *path, const char *text)
{
	dir_write_bytes(path, text, strlen(text));
}

#endif
