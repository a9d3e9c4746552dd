/* SPDX-License-Identifier: MIT */
/* bundle: what goes in comes out under its name; what is cut or damaged anywhere is told apart from what is not there. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "auth/bundle.h"

static int
file_of(const void *bytes, size_t n)
{
	int fd = memfd_create("file", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, n), n);
	return fd;
}

static void
add(int bundle, const char *name, const void *bytes, size_t n)
{
	int fd = file_of(bytes, n);

	assert_true(bundle_add(bundle, span_str(name), fd));
	close(fd);
}

static void
has(int bundle, const char *name, const void *bytes, size_t n)
{
	char back[8192];
	int  fd = bundle_find(bundle, span_str(name));

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, back, sizeof back, 0), n);
	assert_memory_equal(back, bytes, n);
	close(fd);
}

static int
sample(void)
{
	char large[5000];
	int  b = bundle_new();

	memset(large, 'l', sizeof large);
	add(b, "up", "one", 3);
	add(b, "empty", "", 0);
	add(b, "large", large, sizeof large);
	return b;
}

static void
test_each_comes_back_under_its_name(void **state)
{
	char large[5000];
	int  b = sample();

	(void)state;
	memset(large, 'l', sizeof large);
	has(b, "large", large, sizeof large);
	has(b, "up", "one", 3);
	has(b, "empty", "", 0);
	for (size_t i = 0; i < 3; i++) {
		static const char *const none[] = {"u", "upp", ""};
		errno = 0;
		assert_int_equal(bundle_find(b, span_str(none[i])), -1);
		assert_int_equal(errno, ENOENT);
	}
	close(b);
}

static void
test_one_that_is_cut_anywhere_gives_whole_files_or_none(void **state)
{
	int   b = sample();
	off_t whole = lseek(b, 0, SEEK_END);

	(void)state;
	for (off_t n = whole - 1; n >= 0; n--) {
		int fd;
		assert_int_equal(ftruncate(b, n), 0);
		assert_int_equal(bundle_find(b, SPAN("large")), -1);
		assert_true(errno == EBADMSG || errno == ENOENT);
		fd = bundle_find(b, SPAN("up"));
		assert_int_equal(fd >= 0, n >= 8 + 2 + 3);
		if (fd >= 0) {
			assert_int_equal(lseek(fd, 0, SEEK_END), 3);
			close(fd);
		}
	}
	close(b);
}

static void
test_lengths_that_cannot_be_are_refused(void **state)
{
	static const uint32_t heads[][2] = {{257, 0}, {UINT32_MAX, UINT32_MAX}, {0, BUNDLE_FILE_MAX + 1}, {0, UINT32_MAX}};

	(void)state;
	for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
		int b = file_of(heads[i], sizeof heads[i]);
		assert_int_equal(bundle_find(b, SPAN("up")), -1);
		assert_int_equal(errno, EBADMSG);
		close(b);
	}
}

static void
test_what_is_too_large_leaves_the_bundle_as_it_was(void **state)
{
	int   b = sample(), fd = memfd_create("large", MFD_CLOEXEC);
	off_t before = lseek(b, 0, SEEK_END);

	(void)state;
	assert_int_equal(ftruncate(fd, BUNDLE_FILE_MAX + 1), 0);
	assert_false(bundle_add(b, SPAN("more"), fd));
	assert_int_equal(errno, EFBIG);
	assert_int_equal(lseek(b, 0, SEEK_END), before);
	assert_int_equal(ftruncate(fd, BUNDLE_FILE_MAX), 0);
	assert_true(bundle_add(b, SPAN("more"), fd));
	has(b, "up", "one", 3);
	close(fd);
	close(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_comes_back_under_its_name),
		cmocka_unit_test(test_one_that_is_cut_anywhere_gives_whole_files_or_none),
		cmocka_unit_test(test_lengths_that_cannot_be_are_refused),
		cmocka_unit_test(test_what_is_too_large_leaves_the_bundle_as_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
