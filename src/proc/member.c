/* SPDX-License-Identifier: MIT */
#include "proc/member.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "proc/census.h"
#include "proc/child.h"
#include "proc/pulse.h"

#define STEADY_US      10000000u /* one that lived this long did not die of its start */
#define FIRST_PAUSE_MS 100u
#define LAST_PAUSE_MS  10000u
#define ASKED_PAUSE_MS 1000u /* of a bureau: those who ask wait for it, as long as [auth] timeout or signer-timeout */

/* For a child that still lives this is the order to drain and end. */
void
member_close(struct member *m)
{
	watch_clear(&m->watch);
	if (m->channel >= 0)
		close(m->channel);
	m->channel = -1;
	m->state = MEMBER_DOWN;
}

bool
member_say(struct member *m, enum message_type type, uint64_t number, const void *data, uint32_t n, const int *fd, unsigned n_fds)
{
	struct message msg = {.type = type, .n = n, .number = number, .n_fds = n_fds};

	if (m->channel < 0)
		return false;
	if (n)
		memcpy(msg.data, data, n);
	for (unsigned i = 0; i < n_fds; i++)
		msg.fd[i] = fd[i];
	if (channel_send(m->channel, &msg))
		return true;
	log_write_limited(&m->deaf_limit, LOG_LEVEL_WARN, "cannot reach %s (pid %d): %s", m->name, (int)m->pid, strerror(errno));
	return false;
}

static void
on_channel(void *arg, unsigned what)
{
	struct member *m = arg;
	struct message msg;

	(void)what;
	for (;;) {
		switch (channel_receive(m->channel, &msg)) {
		case CHANNEL_GOT:
			if (msg.type == MSG_ALIVE)
				pulse_heard(m);
			else
				m->heard(m, &msg);
			message_drop(&msg);
			if (m->channel < 0)
				return;
			continue;
		case CHANNEL_EMPTY:
			return;
		case CHANNEL_GONE:
			member_close(m); /* its owner reaps it */
			return;
		}
	}
}

/* In the child, between fork and exec: only calls that are safe there. */
static void
become(const struct member *m, int channel, int exe)
{
	char *const argv[] = {(char *)(uintptr_t) "postern", (char *)(uintptr_t) "--child", (char *)(uintptr_t)m->role, NULL};
	sigset_t    none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (dup2(channel, CHILD_CHANNEL) != CHILD_CHANNEL)
		_exit(126);
	if (exe != CHILD_CHANNEL)
		fexecve(exe, argv, environ);
	_exit(127);
}

bool
member_spawn(struct member *m, struct loop *loop, int exe)
{
	int   end[2];
	pid_t pid;

	if (!channel_open(end))
		return false;
	pid = fork();
	if (pid == 0)
		become(m, end[1], exe);
	close(end[1]);
	if (pid < 0) {
		close(end[0]);
		return false;
	}
	m->pid = pid;
	m->channel = end[0];
	m->since_us = clock_mono_us();
	m->starts++;
	census_started(m);
	m->state = MEMBER_STARTING;
	m->prepared = m->applied = 0;
	m->refused = m->ended = false;
	m->silent = 0;
	return watch_init_level(&m->watch, loop, m->channel, WATCH_READ, on_channel, m);
}

void
member_died(struct member *m)
{
	m->deaths = clock_mono_us() - m->since_us > STEADY_US ? 0 : m->deaths + 1;
}

uint64_t
member_pause_ms(const struct member *m)
{
	uint64_t ms = m->deaths == 0 ? 0 : FIRST_PAUSE_MS << (m->deaths < 8 ? m->deaths - 1 : 7);
	uint64_t most = strcmp(m->role, "auth") == 0 || strcmp(m->role, "signer") == 0 ? ASKED_PAUSE_MS : LAST_PAUSE_MS;

	return ms > most ? most : ms;
}

/* How it ended, for a person. */
const char *
member_end_text(int status, char *buf, size_t n)
{
	if (WIFSIGNALED(status))
		snprintf(buf, n, "was killed by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status) == 126 || WEXITSTATUS(status) == 127)
		snprintf(buf, n, "could not be executed");
	else
		snprintf(buf, n, "ended with exit code %d", WEXITSTATUS(status));
	return buf;
}

void
member_applied(struct member *m, uint64_t generation)
{
	m->applied = generation;
	census_uses(m, generation);
}

void
member_serves(struct member *m)
{
	if (m->state != MEMBER_SERVING && m->starts > 1)
		member_tell(m, again_limit, LOG_LEVEL_INFO, "%s (pid %d) is there again", m->name, (int)m->pid);
	m->state = MEMBER_SERVING;
}
