/* SPDX-License-Identifier: MIT */
#include "ipc/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define TRIES    10u /* while the kernel lacks memory: a message that is lost leaves parent and child at odds */
#define PAUSE_MS 10

struct head {
	uint32_t type, n;
	uint64_t number;
};

/* A shortage that passes. */
static bool
is_short(int error)
{
	return error == ENOBUFS || error == ENOMEM || error == ETOOMANYREFS;
}

bool
channel_open(int end[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, end) == 0;
}

bool
channel_send(int fd, const struct message *m)
{
	struct head   h = {m->type, m->n, m->number};
	struct iovec  iov[2] = {{&h, sizeof h}, {(void *)(uintptr_t)m->data, m->n}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};
	union {
		struct cmsghdr align;
		char           room[CMSG_SPACE(CHANNEL_FDS_MAX * sizeof(int))];
	} control;
	ssize_t w;

	if (m->n > CHANNEL_DATA_MAX || m->n_fds > CHANNEL_FDS_MAX) {
		errno = EINVAL;
		return false;
	}
	if (m->n_fds) {
		memset(&control, 0, sizeof control);
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(m->n_fds * sizeof(int));
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(m->n_fds * sizeof(int));
		memcpy(CMSG_DATA(c), m->fd, m->n_fds * sizeof(int));
	}
	for (unsigned i = 0; (w = sendmsg(fd, &msg, MSG_NOSIGNAL)) < 0 && (errno == EINTR || is_short(errno)) && i < TRIES; i++)
		if (errno != EINTR)
			poll(NULL, 0, PAUSE_MS);
	return w >= 0;
}

static void
take_fds(struct msghdr *msg, struct message *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		unsigned n = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		for (unsigned i = 0; i < n; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
			if (m->n_fds < CHANNEL_FDS_MAX)
				m->fd[m->n_fds++] = fd;
			else
				close(fd);
		}
	}
}

enum channel_answer
channel_receive(int fd, struct message *m)
{
	struct head   h;
	struct iovec  iov[2] = {{&h, sizeof h}, {m->data, sizeof m->data}};
	union {
		struct cmsghdr align;
		char           room[CMSG_SPACE(CHANNEL_FDS_MAX * sizeof(int))];
	} control;
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2, .msg_control = &control, .msg_controllen = sizeof control};
	ssize_t       r;

	m->n_fds = 0;
	do
		r = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return errno == EAGAIN || is_short(errno) ? CHANNEL_EMPTY : CHANNEL_GONE; /* the message stays where it is */
	if (r == 0)
		return CHANNEL_GONE;
	take_fds(&msg, m);
	if ((size_t)r < sizeof h || h.n != (size_t)r - sizeof h || msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
		message_drop(m);
		return CHANNEL_GONE;
	}
	m->type = h.type;
	m->n = h.n;
	m->number = h.number;
	return CHANNEL_GOT;
}

void
message_drop(struct message *m)
{
	for (unsigned i = 0; i < m->n_fds; i++)
		close(m->fd[i]);
	m->n_fds = 0;
}
