/* SPDX-License-Identifier: MIT */
/* pulse: a real child, a real channel, and rounds that come when the test says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipc/channel.h"
#include "ipc/shared.h"
#include "net/loop.h"
#include "proc/census.h"
#include "proc/member.h"
#include "proc/pulse.h"

#define ROUND_US (PULSE_MS * 1000u)

struct stand {
	struct loop  *loop;
	struct pulse  pulse;
	struct shared *shared;
	int           shared_fd, end[2];
	struct member m;
	uint64_t      now_us;
};

/* Waits to be killed, and to be gone when the test is. */
static pid_t
child_start(void)
{
	int   alive[2];
	char  c;
	pid_t pid;

	assert_int_equal(pipe(alive), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(alive[1]);
		while (read(alive[0], &c, 1) != 0)
			;
		_exit(0);
	}
	close(alive[0]); /* the other end stays open as long as we live */
	return pid;
}

static void
stand_init(struct stand *t, unsigned patience)
{
	*t = (struct stand){.loop = loop_new(), .shared_fd = shared_create(1)};
	assert_non_null(t->loop);
	t->shared = shared_open(t->shared_fd);
	assert_non_null(t->shared);
	assert_true(channel_open(t->end));
	t->m = (struct member){.role = "worker", .name = "worker 0", .channel = t->end[0], .pid = child_start(), .patience = patience};
	census_enlist(t->shared, &t->m);
	pulse_init(&t->pulse, t->loop, t->shared);
	pulse_join(&t->pulse, &t->m);
	t->now_us = t->pulse.last_us;
}

static void
stand_clear(struct stand *t)
{
	pulse_clear(&t->pulse);
	kill(t->m.pid, SIGKILL);
	waitpid(t->m.pid, NULL, 0);
	close(t->end[0]);
	close(t->end[1]);
	shared_close(t->shared);
	close(t->shared_fd);
	loop_free(t->loop);
}

/* r: a round; L: one that comes late; a: an answer. */
static void
play(struct stand *t, const char *script)
{
	for (const char *p = script; *p; p++) {
		if (*p == 'a') {
			pulse_heard(&t->m);
			continue;
		}
		t->now_us += *p == 'L' ? 60 * ROUND_US : ROUND_US;
		pulse_round(&t->pulse, t->now_us);
	}
}

static unsigned
asked(struct stand *t)
{
	struct message m;
	unsigned       n = 0;

	while (channel_receive(t->end[1], &m) == CHANNEL_GOT) {
		assert_int_equal(m.type, MSG_ALIVE);
		n++;
	}
	return n;
}

static void
test_only_one_that_is_silent_for_rounds_that_were_kept_is_ended(void **state)
{
	static const struct {
		unsigned    patience;
		const char *script;
		unsigned    asked, silent_s;
		bool        ended;
	} rows[] = {
		{5, "rarararararara", 7, 0, false},
		{5, "r", 1, 0, false},
		{5, "rrr", 3, 2, false},
		{5, "rrra", 3, 0, false},
		{5, "rrrrr", 4, 4, false},
		{5, "rrrrrr", 4, 5, true},
		{5, "rrrrrrrrrr", 5, 9, true}, /* and not a second time */
		{5, "rrrrrarrrrr", 8, 4, false}, /* slow, but it answers */
		{5, "rLLLLLLrLrLrLr", 4, 4, false}, /* who slept cannot tell */
		{5, "rLLLLLLrLrLrLrLr", 4, 5, true},
		{5, "LLLLLLLLLL", 0, 0, false},
		{5, "Lra", 1, 0, false},
		{2, "rr", 2, 0, false},
		{2, "rrr", 3, 2, true},
		{30, "rrrrrrrrrrrrrrrrrrrrrrrrrrrrrr", 6, 29, false},
		{30, "rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr", 6, 30, true},
		{0, "rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr", 0, 0, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct stand t;
		int          status;
		stand_init(&t, rows[i].patience);
		play(&t, rows[i].script);
		print_message("%u %s\n", rows[i].patience, rows[i].script);
		assert_int_equal(asked(&t), rows[i].asked);
		assert_int_equal(t.m.census->silent_s, rows[i].silent_s);
		assert_int_equal(t.m.census->hangs, rows[i].ended);
		assert_int_equal(t.m.ended, rows[i].ended);
		assert_true(t.shared->census.turned_mono_us == t.now_us);
		if (rows[i].ended) {
			assert_int_equal(waitpid(t.m.pid, &status, 0), t.m.pid);
			assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
			t.m.pid = child_start(); /* for stand_clear */
		} else {
			assert_int_equal(waitpid(t.m.pid, &status, WNOHANG), 0);
		}
		stand_clear(&t);
	}
}

static void
test_one_that_is_debugged_is_left_alone_until_it_is_let_go(void **state)
{
	struct stand t;
	int          status;

	(void)state;
	stand_init(&t, 2);
	if (ptrace(PTRACE_SEIZE, t.m.pid, NULL, NULL) != 0) {
		print_message("no tracing here: %s\n", strerror(errno));
		stand_clear(&t);
		skip();
	}
	play(&t, "rrrrrrr");
	assert_false(t.m.ended);
	assert_int_equal(t.m.census->hangs, 0);
	assert_int_equal(t.m.census->silent_s, 6);
	assert_int_equal(ptrace(PTRACE_INTERRUPT, t.m.pid, NULL, NULL), 0);
	assert_int_equal(waitpid(t.m.pid, &status, __WALL), t.m.pid);
	assert_int_equal(ptrace(PTRACE_DETACH, t.m.pid, NULL, NULL), 0);
	play(&t, "r");
	assert_true(t.m.ended);
	stand_clear(&t);
}

static void
test_one_that_cannot_be_told_is_as_silent_as_another(void **state)
{
	struct stand t;

	(void)state;
	stand_init(&t, 2);
	while (member_say(&t.m, MSG_ALIVE, 0, "full", 4, NULL, 0))
		;
	play(&t, "rr");
	assert_false(t.m.ended);
	play(&t, "r");
	assert_true(t.m.ended);
	stand_clear(&t);
}

static void
test_one_whose_channel_is_closed_is_not_asked(void **state)
{
	struct stand t;
	int          fd;

	(void)state;
	stand_init(&t, 5);
	play(&t, "rrrr");
	assert_int_equal(t.m.census->silent_s, 3);
	fd = t.m.channel;
	t.m.channel = -1;
	play(&t, "rrrrrrrrr");
	assert_int_equal(t.m.census->silent_s, 0);
	assert_false(t.m.ended);
	t.m.channel = fd;
	stand_clear(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_one_that_is_silent_for_rounds_that_were_kept_is_ended),
		cmocka_unit_test(test_one_that_is_debugged_is_left_alone_until_it_is_let_go),
		cmocka_unit_test(test_one_that_cannot_be_told_is_as_silent_as_another),
		cmocka_unit_test(test_one_whose_channel_is_closed_is_not_asked),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
