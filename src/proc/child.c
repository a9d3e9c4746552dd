/* SPDX-License-Identifier: MIT */
#include "proc/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "auth/back.h"
#include "base/log.h"

#define START_WAIT_MS 10000

static void
on_channel(void *arg, unsigned what)
{
	struct child  *c = arg;
	struct message m;

	(void)what;
	for (;;) {
		switch (channel_receive(CHILD_CHANNEL, &m)) {
		case CHANNEL_GOT:
			if (m.type == MSG_ALIVE)
				channel_send(CHILD_CHANNEL, &(struct message){.type = MSG_ALIVE}); /* when it cannot be said, we are asked again */
			else
				c->on_message(c->arg, &m);
			message_drop(&m);
			continue;
		case CHANNEL_EMPTY:
			return;
		case CHANNEL_GONE:
			watch_clear(&c->watch);
			c->on_orphaned(c->arg);
			return;
		}
	}
}

bool
child_listen(struct child *c)
{
	return watch_init_level(&c->watch, c->loop, CHILD_CHANNEL, WATCH_READ, on_channel, c);
}

static void
answer(const struct message *m)
{
	if (channel_send(CHILD_CHANNEL, m))
		return;
	if (errno != EPIPE)
		log_warn("cannot answer the parent: %s", strerror(errno));
	/* it would wait for ever: both sides now see the end, this process drains, and another one is started */
	shutdown(CHILD_CHANNEL, SHUT_RDWR);
}

void
child_say(enum message_type type, uint64_t number)
{
	answer(&(struct message){.type = type, .number = number});
}

void
child_refuse(uint64_t number, const char *why)
{
	child_tell(MSG_REFUSED, number, why);
}

void
child_tell(enum message_type type, uint64_t number, const char *text)
{
	struct message m = {.type = type, .number = number};

	snprintf(m.data, sizeof m.data, "%s", text);
	m.n = (uint32_t)strlen(m.data);
	answer(&m);
}

static bool
receive_start(struct child *c)
{
	struct pollfd  p = {.fd = CHILD_CHANNEL, .events = POLLIN};
	struct message m;

	if (poll(&p, 1, START_WAIT_MS) != 1 || channel_receive(CHILD_CHANNEL, &m) != CHANNEL_GOT)
		return false;
	if (m.type != MSG_START || m.n != sizeof c->start) {
		message_drop(&m);
		return false;
	}
	memcpy(&c->start, m.data, sizeof c->start);
	if (c->start.alone && m.n_fds == 1) {
		c->own_fd = m.fd[0];
		return true;
	}
	if (c->start.alone || m.n_fds != (c->start.has_ring ? 3u : 2u) || !(c->shared = shared_open(m.fd[0]))) {
		message_drop(&m);
		return false;
	}
	close(m.fd[0]);
	c->wake_fd = m.fd[1];
	c->ring_fd = c->start.has_ring ? m.fd[2] : -1;
	return true;
}

bool
child_begin(struct child *c, const char *role)
{
	static const int ignored[] = {SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGPIPE};
	char             name[48];

	*c = (struct child){.wake_fd = -1, .ring_fd = -1, .own_fd = -1};
	for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
		signal(ignored[i], SIG_IGN); /* the parent speaks for all of us */
	tzset();
	fcntl(CHILD_CHANNEL, F_SETFD, FD_CLOEXEC); /* PAM's modules start programs */
	if (chdir("/") != 0 || !receive_start(c)) {
		log_error("this is a part of postern that only its parent process starts");
		return false;
	}
	if (strcmp(role, "worker") == 0)
		snprintf(name, sizeof name, "postern[worker %u]", c->start.index);
	else if (strcmp(role, "auth") == 0)
		snprintf(name, sizeof name, "postern[auth %s]", back_word((enum back_kind)c->start.index));
	else
		snprintf(name, sizeof name, "postern[%s]", role);
	log_as(name);
	snprintf(name, sizeof name, "postern-%.8s", role);
	prctl(PR_SET_NAME, name, 0, 0, 0);
	c->loop = loop_new();
	if (!c->loop)
		log_error("cannot start: out of memory");
	return c->loop != NULL;
}

void
child_end(struct child *c)
{
	if (c->loop)
		watch_clear(&c->watch);
	loop_free(c->loop);
	shared_close(c->shared);
}
