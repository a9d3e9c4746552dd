/* SPDX-License-Identifier: MIT */
#include "conf_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "audit/record.h"
#include "ipc/ring.h"
#include "proc/logger.h"

/* Lines come back through FIFOs that the same loop watches, so that nothing here waits for time. */
struct reader {
	struct loop *loop;
	struct watch watch;
	int          fd;
	char         text[1 << 20];
	size_t       n;
	unsigned     lines, wanted;
};

static struct reader first, second;
static struct logger_stats stats;

static int
setup(void **state)
{
	memset(&stats, 0, sizeof stats);
	return dir_setup(state);
}

static void
on_lines(void *arg, unsigned what)
{
	struct reader *in = arg;
	ssize_t        n;

	(void)what;
	while ((n = read(in->fd, in->text + in->n, sizeof in->text - 1 - in->n)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			in->lines += in->text[in->n + (size_t)i] == '\n';
		in->n += (size_t)n;
	}
	in->text[in->n] = '\0';
	if (in->lines >= in->wanted)
		loop_stop(in->loop);
}

static void
reader_open(struct reader *in, struct loop *loop, const char *path)
{
	memset(in, 0, sizeof *in);
	in->loop = loop;
	in->wanted = UINT_MAX;
	assert_int_equal(mkfifo(path, 0600), 0);
	/* read and write, so that it is never at its end */
	in->fd = open(path, O_RDWR | O_NONBLOCK);
	assert_true(in->fd >= 0);
	assert_true(watch_init_level(&in->watch, loop, in->fd, WATCH_READ, on_lines, in));
}

static void
reader_close(struct reader *in)
{
	watch_clear(&in->watch);
	close(in->fd);
}

static void
wait_lines(struct reader *in, unsigned wanted)
{
	in->wanted = wanted;
	alarm(60);
	if (in->lines < wanted)
		loop_run(in->loop);
	alarm(0);
	in->wanted = UINT_MAX;
	assert_int_equal(in->lines, wanted);
}

static bool
put(struct ring *ring, uint64_t id, uint64_t end_real_us)
{
	struct span   text[RT_COUNT] = {{0}};
	struct record r = {.id = id, .end_real_us = end_real_us, .is_connect = true, .status = 200, .minor = 1};
	void         *to;

	text[RT_METHOD] = SPAN("CONNECT");
	text[RT_URL] = SPAN("a.example:443");
	r.client.addr = addr_from_v4(0x7f000001);
	to = ring_reserve(ring, record_size(&r, text));
	if (!to)
		return false;
	record_write(to, &r, text);
	ring_commit(ring, record_size(&r, text));
	return true;
}

static void
wake(int fd)
{
	assert_int_equal(write(fd, &(uint64_t){1}, 8), 8);
}

static struct logger_log
log_to(const char *path, enum log_format_kind kind, const char *custom)
{
	return (struct logger_log){.path = path, .format = kind, .custom = span_str(custom)};
}

static void
test_line_appears_after_a_wake_up_and_without_one_while_the_logger_polls(void **state)
{
	struct loop         *loop = loop_new();
	int                  ring_fd = ring_create(1 << 20, "test"), wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	struct ring         *ring = ring_open(ring_fd);
	struct logger_log    log = log_to("log", LOG_SQUID, "");
	struct logger_config c = {&ring_fd, 1, wake_fd, &log, 1, &stats, NULL};
	struct logger       *l;

	(void)state;
	reader_open(&first, loop, "log");
	assert_true(put(ring, 1, 1700000000000000u)); /* was there before the logger */
	l = logger_new(loop, &c);
	wait_lines(&first, 1);
	assert_string_equal(first.text, "1700000000.000      0 127.0.0.1 TCP_TUNNEL/200 0 CONNECT a.example:443 - HIER_NONE/- -\n");
	/* it polls now: no wake-up wanted, none given */
	assert_true(put(ring, 2, 1));
	wait_lines(&first, 2);
	/* until it has found nothing once; only then does it want to be woken */
	alarm(60);
	for (;;) {
		loop_turn(loop);
		unsigned lines = first.lines;
		assert_true(put(ring, 3, 1));
		if (ring_wants_wake(ring))
			break;
		wait_lines(&first, lines + 1);
	}
	unsigned lines = first.lines;
	wake(wake_fd);
	wait_lines(&first, lines + 1);
	alarm(0);
	logger_free(l);
	assert_int_equal(stats.lines, first.lines);
	assert_int_equal(stats.dropped + stats.ring_dropped + stats.errors, 0);
	reader_close(&first);
	ring_close(ring);
	close(ring_fd);
	close(wake_fd);
	loop_free(loop);
}

static void
test_lines_of_several_workers_come_out_by_time(void **state)
{
	enum { RINGS = 3, EACH = 500 };
	struct loop         *loop = loop_new();
	int                  fds[RINGS], wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	struct ring         *rings[RINGS];
	struct logger_log    log = log_to("log", LOG_CUSTOM, "%{id}note");
	struct logger_config c = {fds, 2, wake_fd, &log, 1, NULL, NULL};
	struct logger       *l;

	(void)state;
	reader_open(&first, loop, "log");
	for (int i = 0; i < RINGS; i++) {
		fds[i] = ring_create(1 << 20, "test");
		rings[i] = ring_open(fds[i]);
		for (unsigned k = 0; k < EACH; k++)
			assert_true(put(rings[i], k * RINGS + (unsigned)i, 1000000 + k * RINGS + (unsigned)i));
	}
	l = logger_new(loop, &c);
	assert_true(logger_add_ring(l, fds[2]));
	assert_false(logger_add_ring(l, wake_fd));
	wait_lines(&first, RINGS * EACH);
	for (unsigned i = 0; i < RINGS * EACH; i++)
		assert_int_equal(strtoul(first.text + 17 * i, NULL, 16), i);
	logger_free(l);
	for (int i = 0; i < RINGS; i++) {
		ring_close(rings[i]);
		close(fds[i]);
	}
	reader_close(&first);
	close(wake_fd);
	loop_free(loop);
}

static void
test_drops_and_nonsense_are_counted_and_told(void **state)
{
	struct loop         *loop = loop_new();
	int                  ring_fd = ring_create(65536, "test"), wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	struct ring         *ring = ring_open(ring_fd);
	struct logger_log    log = log_to("log", LOG_JSON, "");
	struct logger_config c = {&ring_fd, 1, wake_fd, &log, 1, &stats, NULL};
	struct logger       *l;
	unsigned             taken = 0;

	(void)state;
	reader_open(&first, loop, "log");
	while (put(ring, taken, 1))
		taken++;
	assert_false(put(ring, 0, 1));
	l = logger_new(loop, &c);
	wait_lines(&first, taken + 1);
	assert_non_null(strstr(first.text, "\"event\":\"dropped\",\"lines\":2}\n"));
	assert_int_equal(stats.ring_dropped, 2);
	/* a record that is no record */
	memset(ring_reserve(ring, 500), 0xee, 500);
	ring_commit(ring, 500);
	memset(ring_reserve(ring, 5), 0xee, 5);
	ring_commit(ring, 5);
	assert_true(put(ring, 0, 1));
	wake(wake_fd);
	wait_lines(&first, taken + 3);
	assert_int_equal(stats.ring_dropped, 4);
	assert_int_equal(stats.lines, taken + 1);
	logger_free(l);
	reader_close(&first);
	ring_close(ring);
	close(ring_fd);
	close(wake_fd);
	loop_free(loop);
}

static void
test_reconfigured_logs_keep_their_files(void **state)
{
	struct loop         *loop = loop_new();
	int                  ring_fd = ring_create(1 << 20, "test"), wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	struct ring         *ring = ring_open(ring_fd);
	struct logger_log    log = log_to("a", LOG_CUSTOM, "one %{id}note");
	struct logger_config c = {&ring_fd, 1, wake_fd, &log, 1, &stats, NULL};
	struct logger_log    both[3] = {log_to("b", LOG_CUSTOM, "two %{id}note"), log_to("a", LOG_CUSTOM, "three"), log_to("a", LOG_CUSTOM, "again")};
	struct logger_log    bad[2] = {log_to("c", LOG_SQUID, ""), log_to("d", LOG_CUSTOM, "%zz")};
	struct logger       *l;

	(void)state;
	reader_open(&first, loop, "a");
	reader_open(&second, loop, "b");
	l = logger_new(loop, &c);
	assert_true(put(ring, 1, 1)); /* still for the old ones */
	unlink("a");                  /* the open file must go on to be used */
	assert_true(logger_reconfigure(l, both, 2));
	assert_true(put(ring, 2, 1));
	assert_false(logger_reconfigure(l, bad, 2)); /* changes nothing */
	assert_int_equal(access("c", F_OK), -1);
	wait_lines(&first, 2);
	wait_lines(&second, 1);
	assert_string_equal(first.text, "one 0000000000000001\nthree\n");
	assert_string_equal(second.text, "two 0000000000000002\n");
	/* the same path twice is two logs */
	assert_int_equal(link("b", "a"), 0);
	assert_true(logger_reconfigure(l, both, 3));
	assert_true(put(ring, 3, 1));
	assert_true(logger_reconfigure(l, NULL, 0));
	assert_true(put(ring, 4, 1)); /* for nobody */
	logger_free(l);
	assert_int_equal(ring_fill(ring), 0);
	wait_lines(&first, 3);
	wait_lines(&second, 3);
	assert_null(logger_new(loop, &(struct logger_config){&ring_fd, 1, wake_fd, bad, 2, NULL, NULL}));
	assert_null(logger_new(loop, &(struct logger_config){&wake_fd, 1, wake_fd, &log, 1, NULL, NULL}));
	logger_free(NULL);
	reader_close(&first);
	reader_close(&second);
	ring_close(ring);
	close(ring_fd);
	close(wake_fd);
	loop_free(loop);
}

static void
test_rotation_loses_no_line(void **state)
{
	struct loop         *loop = loop_new();
	int                  ring_fd = ring_create(1 << 20, "test"), wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	struct ring         *ring = ring_open(ring_fd);
	struct logger_log    log = log_to("log", LOG_CUSTOM, "%{id}note");
	struct logger_config c = {&ring_fd, 1, wake_fd, &log, 1, NULL, NULL};
	struct logger       *l = logger_new(loop, &c);
	const char          *shut = NULL;
	char                 text[64] = {0};
	FILE                *f;

	(void)state;
	assert_true(put(ring, 1, 1));
	assert_int_equal(rename("log", "log.1"), 0);
	assert_int_equal(logger_reopen(l, &shut), 0);
	assert_true(put(ring, 2, 1));
	logger_free(l);
	f = fopen("log.1", "r");
	assert_int_equal(fread(text, 1, sizeof text - 1, f), 17);
	assert_string_equal(text, "0000000000000001\n");
	fclose(f);
	f = fopen("log", "r");
	assert_int_equal(fread(text, 1, sizeof text - 1, f), 17);
	assert_string_equal(text, "0000000000000002\n");
	fclose(f);
	ring_close(ring);
	close(ring_fd);
	close(wake_fd);
	loop_free(loop);
}

/* In a process of its own, until it is killed or told to stop. */
static void
run_logger(int ring_fd, int wake_fd, struct logger_stats *shared)
{
	struct loop         *loop = loop_new();
	struct logger_log    log = log_to("log", LOG_CUSTOM, "%{id}note");
	struct logger_config c = {&ring_fd, 1, wake_fd, &log, 1, shared, NULL};

	if (!logger_new(loop, &c))
		_exit(1);
	loop_run(loop);
}

static void
test_killed_logger_loses_no_line(void **state)
{
	enum { ROUNDS = 40, EACH = 400 };
	int                  ring_fd = ring_create(1 << 18, "test"), wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), status;
	struct ring         *ring = ring_open(ring_fd);
	struct logger_stats *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t             number = 0, seen = 0, torn = 0, again = 0, seed = 1;
	char                 line[256];
	FILE                *f;

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		pid_t child = fork();
		assert_true(child >= 0);
		if (child == 0)
			run_logger(ring_fd, wake_fd, shared);
		/* write until it was seen at work this round, so that the kill falls into its work */
		uint64_t before = shared->bytes, stop = number + EACH;
		while (number < stop || (shared->bytes == before && round % 4)) {
			if (ring_fill(ring) > ring_size(ring) / 2)
				wake(wake_fd);
			else if (put(ring, number, number))
				number++;
			if (ring_wants_wake(ring))
				wake(wake_fd);
		}
		/* then at some point of a busy turn */
		while (ring_fill(ring) <= ring_size(ring) / 2)
			if (put(ring, number, number))
				number++;
		wake(wake_fd);
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		for (uint64_t spin = seed >> 33 & 0x7ffff; spin; spin--)
			__asm__ volatile("");
		kill(child, SIGKILL);
		assert_int_equal(waitpid(child, &status, 0), child);
	}
	/* the last one takes what is left */
	struct loop         *loop = loop_new();
	struct logger_log    log = log_to("log", LOG_CUSTOM, "%{id}note");
	struct logger_config c = {&ring_fd, 1, wake_fd, &log, 1, shared, NULL};
	logger_free(logger_new(loop, &c));
	loop_free(loop);
	assert_int_equal(ring_drops(ring), 0);
	f = fopen("log", "r");
	assert_non_null(f);
	while (fgets(line, sizeof line, f)) {
		if (strlen(line) != 17) {
			torn++; /* ended by the next logger, written again by it */
			continue;
		}
		uint64_t got = strtoull(line, NULL, 16);
		assert_true(got <= seen);
		if (got == seen)
			seen++;
		else
			again++;
	}
	fclose(f);
	assert_int_equal(seen, number);
	assert_true(torn <= ROUNDS);
	print_message("%llu records, %llu written twice, %llu torn\n", (unsigned long long)number, (unsigned long long)again, (unsigned long long)torn);
	munmap(shared, sizeof *shared);
	ring_close(ring);
	close(ring_fd);
	close(wake_fd);
}

#define LOGGER_TEST(f) cmocka_unit_test_setup_teardown(f, setup, dir_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		LOGGER_TEST(test_line_appears_after_a_wake_up_and_without_one_while_the_logger_polls),
		LOGGER_TEST(test_lines_of_several_workers_come_out_by_time),
		LOGGER_TEST(test_drops_and_nonsense_are_counted_and_told),
		LOGGER_TEST(test_reconfigured_logs_keep_their_files),
		LOGGER_TEST(test_rotation_loses_no_line),
		LOGGER_TEST(test_killed_logger_loses_no_line),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
