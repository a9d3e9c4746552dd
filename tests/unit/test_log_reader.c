/* SPDX-License-Identifier: MIT */
/* Files of access logs: plain and gzip, whole, cut, damaged, and too large. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "logread/reader.h"
#include "block.h"

#define LINE "1700000000.123      1 10.1.2.3 TCP_TUNNEL/200 8901 CONNECT a.example:443 - HIER_DIRECT/192.0.2.1 -\n"
#define LOST "{\"ts\":\"2026-01-31T23:59:59.999Z\",\"event\":\"dropped\",\"lines\":17}\n"

struct count {
	unsigned      entries, bad;
	uint64_t      last; /* line of the last one of either */
	enum log_read end;
	const char   *why, *bad_why;
	uint64_t      lines, lost;
};

static int
file_of(const void *p, size_t n)
{
	int fd = memfd_create("log", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, p, n), n);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static struct count
count_all(int fd, uint64_t most)
{
	struct log_reader *r = log_reader_new(fd, most);
	struct count       c = {0};
	struct log_entry   e;

	assert_non_null(r);
	for (;;) {
		c.why = NULL;
		c.end = log_reader_next(r, &e, &c.why);
		if (c.end != LOG_READ_ENTRY && c.end != LOG_READ_BAD)
			break;
		c.entries += c.end == LOG_READ_ENTRY;
		c.bad += c.end == LOG_READ_BAD;
		if (c.end == LOG_READ_BAD)
			c.bad_why = c.why;
		c.last = e.line;
	}
	c.lines = log_reader_lines(r);
	c.lost = log_reader_lost(r);
	log_reader_free(r);
	return c;
}

/* One member of gzip after `n` bytes in `to`; returns the new length. */
static size_t
pack(const void *p, size_t size, char *to, size_t n, size_t room)
{
	z_stream z = {0};

	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (unsigned char *)(uintptr_t)p;
	z.avail_in = (uInt)size;
	z.next_out = (unsigned char *)to + n;
	z.avail_out = (uInt)(room - n);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	n = (size_t)((char *)z.next_out - to);
	deflateEnd(&z);
	return n;
}

static void
test_plain(void **state)
{
	static const struct {
		const char *text;
		unsigned    entries, bad;
		uint64_t    lines, lost;
	} rows[] = {
		{"", 0, 0, 0, 0}, {"\n", 0, 0, 1, 0}, {LINE, 1, 0, 1, 0}, {LINE "\n\r\n" LINE, 2, 0, 4, 0}, {"x\n" LINE "y", 1, 2, 3, 0}, {"\xef\xbb\xbf" LINE, 1, 0, 1, 0}, {LINE LOST LINE LOST, 2, 0, 4, 34},
		{"1700000000.123      1 10.1.2.3 TCP_TUNNEL/200 8901 CONNECT a.example:443 - HIER_DIRECT/192.0.2.1 -\r\n" LINE, 2, 0, 2, 0},
		{"1700000000.123      1 10.1.2.3 TCP_TUNNEL/200 8901 CONNECT a.example:443 - HIER_DIRECT/192.0.2.1 -", 1, 0, 1, 0},
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct count c = count_all(file_of(rows[i].text, strlen(rows[i].text)), 0);
		assert_int_equal(c.end, LOG_READ_END);
		assert_int_equal(c.entries, rows[i].entries);
		assert_int_equal(c.bad, rows[i].bad);
		assert_int_equal(c.lines, rows[i].lines);
		assert_int_equal(c.lost, rows[i].lost);
	}
}

/* Lines around the longest that is read, and around the reader's own blocks; what follows is found again. */
static void
test_long_lines_are_skipped(void **state)
{
	static const size_t sizes[] = {LOG_LINE_MAX - 1, LOG_LINE_MAX, LOG_LINE_MAX + 1, LOG_LINE_MAX + (256u << 10) - 1, LOG_LINE_MAX + (256u << 10),
		LOG_LINE_MAX + (256u << 10) + 1, 5u << 20};

	(void)state;
	for (size_t i = 0; i < ROWS(sizes); i++) {
		size_t       n = sizes[i], at = sizeof LINE - 1;
		char        *text = malloc(n + 1 + 2 * at);
		struct count c;

		assert_non_null(text);
		memcpy(text, LINE, at);
		memset(text + at, 'x', n);
		text[at + n] = '\n';
		memcpy(text + at + n + 1, LINE, at);
		c = count_all(file_of(text, n + 1 + 2 * at), 0);
		assert_int_equal(c.end, LOG_READ_END);
		assert_int_equal(c.entries, 2);
		assert_int_equal(c.bad, 1);
		assert_int_equal(c.last, 3);
		assert_string_equal(c.bad_why, n > LOG_LINE_MAX ? "the line is too long" : "it is no line of an access log in the squid or json format");
		free(text);
	}
}

static void
test_gzip_members(void **state)
{
	char         packed[4096];
	struct count c;
	size_t       n = 0, one;

	(void)state;
	one = n = pack(LINE LINE, sizeof LINE LINE - 1, packed, 0, sizeof packed);
	n = pack("", 0, packed, n, sizeof packed);
	n = pack(LINE "17", sizeof LINE + 1, packed, n, sizeof packed);
	n = pack(&LINE[2], sizeof LINE - 3, packed, n, sizeof packed);
	c = count_all(file_of(packed, n), 0);
	assert_int_equal(c.end, LOG_READ_END);
	assert_int_equal(c.entries, 4);
	assert_int_equal(c.bad, 0);
	memset(packed + n, 0, 600);
	assert_int_equal(count_all(file_of(packed, n + 600), 0).end, LOG_READ_END);
	packed[n + 599] = 'x';
	c = count_all(file_of(packed, n + 600), 0);
	assert_int_equal(c.end, LOG_READ_FAILED);
	assert_int_equal(c.entries, 4);
	/* cut anywhere but between two members, it says so, and hands out no half line */
	for (size_t i = 0; i < n; i++) {
		c = count_all(file_of(packed, i), 0);
		if (i >= 2 && i < one) {
			assert_int_equal(c.end, LOG_READ_FAILED);
			assert_string_equal(c.why, "ends in the middle of the compressed part");
		}
		assert_true(c.bad == 0 || i < 2 || c.end == LOG_READ_END);
		assert_true(c.entries <= 4);
	}
	/* every byte of it, wrong */
	for (size_t i = 0; i < n; i++) {
		packed[i] ^= 0x55;
		c = count_all(file_of(packed, n), 0);
		assert_true(c.entries <= 4);
		packed[i] ^= 0x55;
	}
}

static void
test_a_bomb_ends(void **state)
{
	const size_t size = 8u << 20;
	char        *zeros = calloc(1, size), *packed = malloc(1u << 20);
	struct count c;
	size_t       n;

	(void)state;
	assert_true(zeros && packed);
	n = pack(zeros, size, packed, 0, 1u << 20);
	assert_true(n < 20000);
	c = count_all(file_of(packed, n), 1u << 20);
	assert_int_equal(c.end, LOG_READ_FAILED);
	assert_string_equal(c.why, LOG_WHY_TOO_MUCH);
	assert_int_equal(count_all(file_of(packed, n), 0).end, LOG_READ_END);
	free(zeros);
	free(packed);
}

static void
test_what_is_no_file(void **state)
{
	static const struct {
		const char *path, *why;
	} rows[] = {{"/", "is a folder"}, {"/dev/zero", "is a device"}, {"/dev/null", "is a device"}};
	static const struct {
		const char *text, *why;
	} packed[] = {{"BZh91AY", "is compressed by bzip2, which is not read here; unpack it first"}, {"\xfd" "7zXZ\n", "is compressed by xz, which is not read here; unpack it first"},
		{"\x28\xb5\x2f\xfd\x04\x05", "is compressed by zstd, which is not read here; unpack it first"}, {"PK\x03\x04\x05\x06", "is a zip archive, which is not read here; unpack it first"}};
	struct count c;

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		int fd = open(rows[i].path, O_RDONLY | O_CLOEXEC);
		assert_true(fd >= 0);
		c = count_all(fd, 0);
		assert_int_equal(c.end, LOG_READ_FAILED);
		assert_string_equal(c.why, rows[i].why);
	}
	for (size_t i = 0; i < ROWS(packed); i++) {
		c = count_all(file_of(packed[i].text, strlen(packed[i].text)), 0);
		assert_int_equal(c.end, LOG_READ_FAILED);
		assert_string_equal(c.why, packed[i].why);
	}
}

/* A pipe is read like a file, but need not end. */
static void
test_a_pipe(void **state)
{
	struct count c;
	int          fd[2];

	(void)state;
	for (uint64_t most = 0; most <= 10; most += 10) {
		assert_int_equal(pipe(fd), 0);
		assert_int_equal(write(fd[1], LINE, sizeof LINE - 1), sizeof LINE - 1);
		close(fd[1]);
		c = count_all(fd[0], most);
		assert_int_equal(c.end, most ? LOG_READ_FAILED : LOG_READ_END);
		if (most)
			assert_string_equal(c.why, LOG_WHY_TOO_MUCH);
		else
			assert_int_equal(c.entries, 1);
	}
}

/* Another process that writes `text`, and again and again when it is `endless`, into a pipe whose reader does not wait, but a moment later. */
static int
late_pipe(const char *text, size_t n, bool endless)
{
	int fd[2];

	assert_int_equal(pipe2(fd, O_CLOEXEC | O_NONBLOCK), 0);
	if (fork() == 0) {
		struct timespec moment = {0, 20000000};
		close(fd[0]);
		assert_int_equal(fcntl(fd[1], F_SETFL, 0), 0);
		nanosleep(&moment, NULL);
		while (write(fd[1], text, n) == (ssize_t)n && endless)
			;
		_exit(0);
	}
	close(fd[1]);
	return fd[0];
}

static void
test_a_pipe_may_come_late_and_need_not_end(void **state)
{
	char         packed[4096];
	struct count c;
	size_t       n;

	(void)state;
	c = count_all(late_pipe(LINE, sizeof LINE - 1, false), 0);
	assert_int_equal(c.end, LOG_READ_END);
	assert_int_equal(c.entries, 1);
	/* what unpacks to nothing, for ever */
	n = pack("", 0, packed, 0, sizeof packed);
	c = count_all(late_pipe(packed, n, true), 1u << 20);
	assert_int_equal(c.end, LOG_READ_FAILED);
	assert_string_equal(c.why, LOG_WHY_TOO_MUCH);
	while (wait(NULL) > 0)
		;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain), cmocka_unit_test(test_long_lines_are_skipped), cmocka_unit_test(test_gzip_members), cmocka_unit_test(test_a_bomb_ends),
		cmocka_unit_test(test_what_is_no_file), cmocka_unit_test(test_a_pipe), cmocka_unit_test(test_a_pipe_may_come_late_and_need_not_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
