/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "random.h"
#include "ipc/ring.h"

static bool
put(struct ring *r, const void *p, size_t n)
{
	void *room = ring_reserve(r, n);

	if (!room)
		return false;
	memcpy(room, p, n);
	ring_commit(r, n);
	return true;
}

static void
test_records_come_out_as_they_went_in(void **state)
{
	int          fd = ring_create(10000, "test");
	struct ring *w = ring_open(fd), *r = ring_open(fd);
	unsigned     in = 0, out = 0;
	char         bytes[4096], expected[4096];

	(void)state;
	assert_int_equal(ring_size(r), 16384);
	while (out < 200000) {
		size_t len_in = (in * 7919u) % 4097, n;
		if (random_next() % 2) {
			memset(bytes, (int)(in & 0xff), len_in);
			if (put(w, bytes, len_in))
				in++;
		}
		if (random_next() % 2) {
			const void *p = ring_peek(r, &n);
			assert_int_equal(p != NULL, out < in);
			if (!p)
				continue;
			assert_int_equal((uintptr_t)p % 8, 0);
			assert_int_equal(n, (out * 7919u) % 4097);
			memset(expected, (int)(out & 0xff), n);
			assert_memory_equal(p, expected, n);
			ring_release(r);
			out++;
		}
	}
	while (out < in) {
		size_t n;
		assert_non_null(ring_peek(r, &n));
		ring_release(r);
		out++;
	}
	assert_int_equal(ring_fill(r), 0);
	ring_close(w);
	ring_close(r);
	close(fd);
}

static void
test_full_ring_drops_and_counts(void **state)
{
	int          fd = ring_create(4096, "test");
	struct ring *w = ring_open(fd), *r = ring_open(fd);
	char         bytes[120] = {0};
	unsigned     taken = 0;
	size_t       n;

	(void)state;
	while (put(w, bytes, sizeof bytes))
		taken++;
	assert_int_equal(taken, 4096 / 128);
	assert_int_equal(ring_drops(r), 1);
	assert_false(put(w, bytes, 0)); /* not even an empty one */
	assert_int_equal(ring_drops(r), 2);
	assert_int_equal(ring_drops_take(r), 2);
	assert_int_equal(ring_drops_take(r), 0);
	assert_non_null(ring_peek(r, &n));
	ring_release(r);
	assert_true(put(w, bytes, sizeof bytes));
	assert_false(put(w, bytes, sizeof bytes));
	/* one that could never fit */
	assert_null(ring_reserve(w, 1025));
	assert_int_equal(ring_drops_take(r), 2);
	ring_close(w);
	ring_close(r);
	close(fd);
}

static void
test_drops_while_no_reader_lives_are_told_to_the_next(void **state)
{
	int          fd = ring_create(4096, "test");
	struct ring *w = ring_open(fd), *r = ring_open(fd);

	(void)state;
	assert_int_equal(ring_drops_take(r), 0);
	ring_close(r);
	assert_null(ring_reserve(w, 4096));
	r = ring_open(fd);
	assert_int_equal(ring_drops_take(r), 1);
	ring_close(r);
	r = ring_open(fd);
	assert_int_equal(ring_drops_take(r), 0);
	assert_int_equal(ring_drops(r), 1);
	ring_close(w);
	ring_close(r);
	close(fd);
}

static void
test_less_than_reserved_may_be_committed(void **state)
{
	int          fd = ring_create(4096, "test");
	struct ring *w = ring_open(fd), *r = ring_open(fd);
	size_t       n;

	(void)state;
	memcpy(ring_reserve(w, 1000), "abc", 3);
	ring_commit(w, 3);
	assert_int_equal(ring_fill(r), 16);
	assert_memory_equal(ring_peek(r, &n), "abc", 3);
	assert_int_equal(n, 3);
	ring_close(w);
	ring_close(r);
	close(fd);
}

static void
test_what_was_not_committed_is_not_there(void **state)
{
	int          fd = ring_create(4096, "test");
	struct ring *w = ring_open(fd), *r = ring_open(fd);
	size_t       n;

	(void)state;
	assert_true(put(w, "one", 3));
	memset(ring_reserve(w, 100), 0xff, 100);
	ring_close(w);
	w = ring_open(fd);
	assert_true(put(w, "two", 3));
	assert_memory_equal(ring_peek(r, &n), "one", 3);
	ring_release(r);
	assert_memory_equal(ring_peek(r, &n), "two", 3);
	ring_release(r);
	assert_null(ring_peek(r, &n));
	assert_int_equal(ring_drops(r), 0);
	ring_close(w);
	ring_close(r);
	close(fd);
}

static void
test_reader_that_dies_before_release_is_followed_by_one_that_sees_all_again(void **state)
{
	int          fd = ring_create(4096, "test");
	struct ring *w = ring_open(fd), *r = ring_open(fd);
	size_t       n;

	(void)state;
	assert_true(put(w, "one", 3) && put(w, "two", 3) && put(w, "six", 3));
	assert_memory_equal(ring_peek(r, &n), "one", 3);
	ring_release(r);
	assert_memory_equal(ring_peek(r, &n), "two", 3);
	ring_pass(r);
	assert_memory_equal(ring_peek(r, &n), "six", 3);
	assert_memory_equal(ring_peek(r, &n), "six", 3);
	ring_close(r);
	r = ring_open(fd);
	assert_memory_equal(ring_peek(r, &n), "two", 3);
	ring_pass(r);
	ring_release_passed(r);
	assert_memory_equal(ring_peek(r, &n), "six", 3);
	ring_close(r);
	r = ring_open(fd);
	assert_memory_equal(ring_peek(r, &n), "six", 3);
	ring_close(w);
	ring_close(r);
	close(fd);
}

/* Records of different sizes, numbered, each byte depending on the number: half a one would show. Written slowly, so that kills fall inside. */
static size_t
numbered_size(uint32_t number)
{
	return 4 + number * 31 % 500;
}

static void
write_numbered_for_ever(int fd, uint32_t number)
{
	struct ring *w = ring_open(fd);

	for (;;) {
		size_t                  n = numbered_size(number);
		volatile unsigned char *p = ring_reserve(w, n);
		if (!p)
			continue;
		for (size_t i = 0; i < 4; i++)
			p[i] = (unsigned char)(number >> (8 * i));
		for (size_t i = 4; i < n; i++)
			p[i] = (unsigned char)(number + i);
		ring_commit(w, n);
		number++;
	}
}

/* Reads one and checks it. False: none there. */
static bool
read_numbered(struct ring *r, uint32_t number)
{
	size_t               n;
	const unsigned char *p = ring_peek(r, &n);
	uint32_t             got = 0;

	if (!p)
		return false;
	memcpy(&got, p, 4);
	assert_int_equal(got, number);
	assert_int_equal(n, numbered_size(number));
	for (size_t i = 4; i < n; i++)
		assert_int_equal(p[i], (unsigned char)(number + i));
	ring_release(r);
	return true;
}

static void
test_killed_writer_leaves_whole_records(void **state)
{
	int          fd = ring_create(4096, "test");
	struct ring *r = ring_open(fd);
	uint32_t     number = 0;

	(void)state;
	for (int round = 0; round < 300; round++) {
		uint32_t stop = number + (uint32_t)(random_next() % 50);
		int      status;
		pid_t    child = fork();

		assert_true(child >= 0);
		if (child == 0)
			write_numbered_for_ever(fd, number);
		while (number < stop)
			if (read_numbered(r, number))
				number++;
		kill(child, SIGKILL);
		assert_int_equal(waitpid(child, &status, 0), child);
		while (read_numbered(r, number))
			number++;
		assert_int_equal(ring_fill(r), 0);
	}
	ring_close(r);
	close(fd);
}

static void
test_damaged_ring_is_emptied_and_works_on(void **state)
{
	int          fd = ring_create(4096, "test");
	struct ring *w = ring_open(fd), *r = ring_open(fd);
	uint64_t    *shared = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	uint64_t     drops = 0, emptied = 0;
	char         bytes_out[1024];
	size_t       n;

	(void)state;
	for (int round = 0; round < 100000; round++) {
		char bytes[300];
		memset(bytes, round, sizeof bytes);
		for (unsigned i = 0, k = (unsigned)(random_next() % 6); i < k; i++)
			put(w, bytes, random_next() % sizeof bytes);
		for (unsigned i = 0, k = 1 + (unsigned)(random_next() % 3); i < k; i++) {
			uint64_t v = random_next() % 4 ? random_next() >> random_next() % 64 : UINT64_MAX;
			if (random_next() % 4)
				shared[512 + random_next() % 512] = v; /* data */
			else
				shared[random_next() % 17] = v; /* head, drops, tail, damaged, told, asleep */
		}
		const void *p;
		while ((p = ring_peek(r, &n))) {
			assert_true(n <= 1024);
			memcpy(bytes_out, p, n); /* all of it can be read */
			ring_release(r);
		}
		ring_sleep(r);
		ring_wants_wake(w);
		ring_fill(r);
		ring_drops_take(r);
	}
	/* once nobody meddles any more, a new pair works as ever */
	ring_close(w);
	ring_close(r);
	w = ring_open(fd);
	r = ring_open(fd);
	while (ring_peek(r, &n))
		ring_release(r);
	for (int i = 0; i < 1000; i++) {
		put(w, &i, sizeof i);
		const void *p = ring_peek(r, &n);
		if (!p) { /* the writer had to tell its place first */
			emptied++;
			continue;
		}
		assert_int_equal(n, sizeof i);
		assert_memory_equal(p, &i, sizeof i);
		ring_release(r);
	}
	assert_true(emptied <= 1);
	/* lengths that lie are counted */
	drops = ring_drops(r);
	assert_true(put(w, "abcd", 4));
	for (int i = 512; i < 1024; i++)
		shared[i] = 0x4141414141414141u;
	assert_null(ring_peek(r, &n));
	assert_int_equal(ring_drops(r), drops + 1);
	munmap(shared, 8192);
	ring_close(w);
	ring_close(r);
	close(fd);
}

static void
test_sleeping_reader_is_woken_once(void **state)
{
	int          fd = ring_create(4096, "test");
	struct ring *w = ring_open(fd), *r = ring_open(fd);
	char         bytes[1000] = {0};
	size_t       n;

	(void)state;
	assert_false(ring_sleep(r));
	assert_false(ring_wants_wake(w) && ring_wants_wake(w));
	assert_false(ring_sleep(r));
	assert_true(put(w, "a", 1));
	assert_true(ring_wants_wake(w));
	assert_false(ring_wants_wake(w));
	assert_true(put(w, "b", 1));
	assert_false(ring_wants_wake(w)); /* it is awake */
	assert_true(ring_sleep(r));       /* and must not sleep now */
	assert_non_null(ring_peek(r, &n));
	ring_release(r);
	assert_non_null(ring_peek(r, &n));
	ring_release(r);
	/* half full: it is called before its time, once for each place it stands at */
	assert_true(put(w, bytes, sizeof bytes) && put(w, bytes, sizeof bytes));
	assert_false(ring_wants_wake(w));
	assert_true(put(w, bytes, sizeof bytes));
	assert_true(ring_wants_wake(w));
	assert_true(put(w, "c", 1));
	assert_false(ring_wants_wake(w));
	ring_close(w);
	ring_close(r);
	close(fd);
}

static void
test_new_writer_wakes_a_reader_that_its_dead_forerunner_left_asleep(void **state)
{
	int          fd = ring_create(4096, "test");
	struct ring *w = ring_open(fd), *r = ring_open(fd);

	(void)state;
	assert_false(ring_sleep(r));
	assert_true(put(w, "a", 1));
	ring_close(w);
	w = ring_open(fd);
	assert_true(ring_wants_wake(w));
	ring_close(w);
	ring_close(r);
	close(fd);
}

static void
test_no_wake_up_is_lost(void **state)
{
	const uint32_t all = 200000;
	int            fd = ring_create(65536, "test"), wake = eventfd(0, 0), status;
	struct ring   *r = ring_open(fd);
	uint32_t       got = 0, n_sleeps = 0;
	uint64_t       n;
	pid_t          child = fork();

	(void)state;
	if (child == 0) {
		struct ring *w = ring_open(fd);
		for (uint32_t i = 0; i < all;) {
			if (put(w, &i, sizeof i))
				i++;
			for (uint64_t k = random_next() % 300; k; k--)
				__asm__ volatile("");
			if (ring_wants_wake(w) && write(wake, &(uint64_t){1}, 8) != 8)
				_exit(1);
		}
		_exit(0);
	}
	alarm(60); /* a lost wake-up would hang here */
	while (got < all) {
		size_t      len;
		const void *p;
		while ((p = ring_peek(r, &len))) {
			assert_memory_equal(p, &got, sizeof got);
			ring_release(r);
			got++;
		}
		if (got < all && !ring_sleep(r)) {
			n_sleeps++;
			assert_int_equal(read(wake, &n, sizeof n), sizeof n);
		}
	}
	alarm(0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_true(n_sleeps > 0);
	ring_close(r);
	close(fd);
	close(wake);
}

static void
test_descriptors_that_are_no_ring_are_refused(void **state)
{
	static const struct {
		off_t size;
		bool  is_sealed, is_ring;
	} rows[] = {{8192, true, true}, {8192, false, false}, {4096, true, false}, {0, true, false}, {8193, true, false}, {4096 + 6000, true, false}, {4096 + 2048, true, false}};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int          fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		struct ring *r;
		assert_return_code(ftruncate(fd, rows[i].size), errno);
		if (rows[i].is_sealed)
			assert_return_code(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), errno);
		r = ring_open(fd);
		assert_int_equal(r != NULL, rows[i].is_ring);
		ring_close(r);
		close(fd);
	}
	assert_null(ring_open(-1));
	assert_int_equal(ring_create((size_t)2 << 30, "test"), -1);
	ring_close(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_records_come_out_as_they_went_in),
		cmocka_unit_test(test_full_ring_drops_and_counts),
		cmocka_unit_test(test_drops_while_no_reader_lives_are_told_to_the_next),
		cmocka_unit_test(test_less_than_reserved_may_be_committed),
		cmocka_unit_test(test_what_was_not_committed_is_not_there),
		cmocka_unit_test(test_reader_that_dies_before_release_is_followed_by_one_that_sees_all_again),
		cmocka_unit_test(test_killed_writer_leaves_whole_records),
		cmocka_unit_test(test_damaged_ring_is_emptied_and_works_on),
		cmocka_unit_test(test_sleeping_reader_is_woken_once),
		cmocka_unit_test(test_new_writer_wakes_a_reader_that_its_dead_forerunner_left_asleep),
		cmocka_unit_test(test_no_wake_up_is_lost),
		cmocka_unit_test(test_descriptors_that_are_no_ring_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
