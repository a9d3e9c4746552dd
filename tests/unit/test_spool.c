/* SPDX-License-Identifier: MIT */
#include "conf_dir.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/spool.h"

#define SIZE 65536u

static char message[SPOOL_MESSAGE_MAX];

static struct spool *
open_spool(void)
{
	int           error;
	struct spool *s = spool_open("spool", SIZE, &error);

	assert_non_null(s);
	return s;
}

/* "message N" and so many more bytes; errno as spool_put says. */
static int
put(struct spool *s, unsigned number, size_t fill)
{
	uint32_t n;
	char    *p = malloc(sizeof n + 32 + fill);
	size_t   took;
	int      error;

	n = (uint32_t)sprintf(p + sizeof n, "message %u", number);
	memset(p + sizeof n + n, '.', fill);
	n += (uint32_t)fill;
	memcpy(p, &n, sizeof n);
	took = spool_put(s, p, sizeof n + n, &error);
	assert_int_equal(took, error ? 0 : sizeof n + n);
	free(p);
	return error;
}

/* How many messages come from `first` on, in order and whole. */
static unsigned
take(struct spool *s, unsigned first, size_t fill, uint64_t *mark)
{
	size_t   n;
	unsigned got = 0;
	char     head[32];

	for (; spool_read(s, message, &n, mark); got++) {
		size_t len = (size_t)sprintf(head, "message %u", first + got);
		assert_int_equal(n, len + fill);
		assert_memory_equal(message, head, len);
	}
	return got;
}

static void
test_what_is_not_delivered_survives(void **state)
{
	struct spool *s = open_spool();
	uint64_t      mark, first = 0;
	size_t        n;
	struct stat   st;

	(void)state;
	assert_true(spool_is_empty(s) && !spool_read(s, message, &n, &mark));
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(put(s, i, 0), 0);
	for (unsigned i = 0; i < 10; i++)
		assert_true(spool_read(s, message, &n, &first));
	assert_int_equal(take(s, 10, 0, &mark), 90);
	assert_true(spool_is_read(s) && !spool_is_empty(s));
	spool_deliver(s, first);
	spool_close(s);
	assert_int_equal(stat("spool", &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	s = open_spool();
	assert_int_equal(take(s, 10, 0, &mark), 90);
	spool_deliver(s, mark);
	assert_true(spool_is_empty(s));
	spool_settle(s);
	assert_int_equal(stat("spool", &st), 0);
	assert_int_equal(st.st_size, SPOOL_HEAD); /* the disk has it back */
	assert_int_equal(spool_damage_take(s), 0);
	spool_close(s);
	spool_close(NULL);
}

static void
test_ring_goes_round_and_is_bounded(void **state)
{
	struct spool *s = open_spool();
	unsigned      in = 0, out = 0;
	uint64_t      mark;
	size_t        n;
	struct stat   st;

	(void)state;
	for (unsigned round = 0; round < 50; round++) {
		while (put(s, in, 1000) == 0)
			in++;
		assert_in_range(in - out, 60, 64);
		for (unsigned i = 0; i < 40; i++, out++) {
			char head[32];
			size_t len = (size_t)sprintf(head, "message %u", out);
			assert_true(spool_read(s, message, &n, &mark) && n == len + 1000);
			assert_memory_equal(message, head, len);
			spool_deliver(s, mark);
		}
		if (round % 7 == 0) {
			spool_close(s);
			s = open_spool();
		}
	}
	assert_int_equal(stat("spool", &st), 0);
	assert_in_range(st.st_size, 1, SIZE + SPOOL_HEAD);
	assert_int_equal(take(s, out, 1000, &mark), in - out);
	assert_int_equal(spool_damage_take(s), 0);
	spool_close(s);
}

/* A file that was cut at any place: the messages before come, nothing else does, and it takes new ones. */
static void
test_every_truncation_leaves_what_stands_before_it(void **state)
{
	const unsigned count = 12;
	struct spool  *s = open_spool();
	struct stat    st;
	uint64_t       mark, each;
	unsigned       got;

	(void)state;
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(put(s, 10 + i, 20), 0);
	each = spool_bytes(s) / count;
	spool_close(s);
	assert_int_equal(stat("spool", &st), 0);
	assert_int_equal(rename("spool", "whole"), 0);
	for (off_t cut = 1; cut < st.st_size; cut++) {
		assert_int_equal(system("cp whole spool"), 0);
		assert_int_equal(truncate("spool", cut), 0);
		s = open_spool();
		assert_true(spool_damage_take(s) > 0 || (cut - SPOOL_HEAD) % (off_t)each == 0);
		assert_int_equal(put(s, 10 + (cut > SPOOL_HEAD ? (unsigned)((uint64_t)(cut - SPOOL_HEAD) / each) : 0), 20), 0);
		got = take(s, 10, 20, &mark);
		assert_int_equal(got, 1 + (cut > SPOOL_HEAD ? (unsigned)((uint64_t)(cut - SPOOL_HEAD) / each) : 0));
		spool_deliver(s, mark);
		assert_true(spool_is_empty(s));
		spool_close(s);
	}
}

/* A byte changed anywhere: what was put before the place comes whole; what is put later comes too. */
static void
test_every_changed_byte_is_noticed(void **state)
{
	struct spool *s = open_spool();
	struct stat   st;
	uint64_t      mark, each;
	size_t        n;

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(put(s, 10 + i, 0), 0);
	each = spool_bytes(s) / 4;
	spool_close(s);
	assert_int_equal(stat("spool", &st), 0);
	assert_int_equal(rename("spool", "whole"), 0);
	for (off_t at = 8; at < st.st_size; at++) {
		FILE *f;
		int   c;
		unsigned whole = at < (off_t)SPOOL_HEAD ? 4 : (unsigned)((uint64_t)(at - SPOOL_HEAD) / each), got = 0;
		assert_int_equal(system("cp whole spool"), 0);
		f = fopen("spool", "r+");
		fseek(f, at, SEEK_SET);
		c = fgetc(f);
		fseek(f, at, SEEK_SET);
		fputc(c ^ 0x41, f);
		fclose(f);
		s = open_spool();
		assert_int_equal(put(s, 99, 0), 0);
		while (spool_read(s, message, &n, &mark)) {
			assert_int_equal(n, 10);
			message[n] = '\0';
			assert_int_equal(atoi(message + 8), got < whole ? 10 + got : 99);
			got++;
		}
		assert_int_equal(got, whole + 1);
		spool_deliver(s, mark);
		assert_true(spool_is_empty(s));
		spool_close(s);
	}
}

static void
test_what_is_no_spool_is_left_alone(void **state)
{
	struct spool *s = open_spool(), *other;
	FILE         *f = fopen("letter", "w");
	struct stat   st;
	int           error;

	(void)state;
	fputs("Dear reader", f);
	fclose(f);
	assert_null(spool_open("letter", SIZE, &error));
	assert_int_equal(error, EINVAL);
	assert_int_equal(stat("letter", &st), 0);
	assert_int_equal(st.st_size, 11);
	assert_null(spool_open("missing/spool", SIZE, &error));
	assert_int_equal(error, ENOENT);
	assert_null(spool_open("/dev/null", SIZE, &error));
	assert_int_equal(error, EINVAL);
	assert_int_equal(symlink("letter", "link"), 0);
	assert_null(spool_open("link", SIZE, &error));
	assert_int_equal(error, ELOOP);
	assert_null(spool_open("spool", SIZE, &error)); /* it is in use */
	assert_int_equal(error, EAGAIN);
	spool_close(s);
	other = open_spool();
	spool_close(other);
}

static void
test_another_size_is_taken_when_it_is_empty(void **state)
{
	struct spool *s = open_spool();
	uint64_t      mark;
	int           error;
	unsigned      n = 0;

	(void)state;
	assert_int_equal(put(s, 0, 0), 0);
	spool_close(s);
	s = spool_open("spool", 2 * SIZE, &error);
	assert_non_null(s);
	assert_int_equal(take(s, 0, 0, &mark), 1);
	spool_deliver(s, mark);
	while (put(s, n, 1000) == 0)
		n++;
	assert_in_range(n, 124, 130);
	spool_close(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_what_is_not_delivered_survives, dir_setup, dir_teardown),
		cmocka_unit_test_setup_teardown(test_ring_goes_round_and_is_bounded, dir_setup, dir_teardown),
		cmocka_unit_test_setup_teardown(test_every_truncation_leaves_what_stands_before_it, dir_setup, dir_teardown),
		cmocka_unit_test_setup_teardown(test_every_changed_byte_is_noticed, dir_setup, dir_teardown),
		cmocka_unit_test_setup_teardown(test_what_is_no_spool_is_left_alone, dir_setup, dir_teardown),
		cmocka_unit_test_setup_teardown(test_another_size_is_taken_when_it_is_empty, dir_setup, dir_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
