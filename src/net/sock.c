/* SPDX-License-Identifier: MIT */
#include "net/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter_ipv4.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

int
sock_accept(int listener, struct endpoint *peer)
{
	struct sockaddr_storage ss;
	socklen_t               n = sizeof ss;
	int                     fd;

	do
		fd = accept4(listener, (struct sockaddr *)&ss, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
	while (fd < 0 && errno == EINTR);
	if (fd >= 0 && !endpoint_from_sockaddr((const struct sockaddr *)&ss, peer))
		*peer = (struct endpoint){.addr = addr_from_v4(INADDR_LOOPBACK)}; /* a UNIX socket: somebody on this machine */
	return fd;
}

bool
sock_original(int fd, struct endpoint *local, struct endpoint *original)
{
	struct sockaddr_storage ss;
	socklen_t               n = sizeof ss;

	if (getsockname(fd, (struct sockaddr *)&ss, &n) != 0 || !endpoint_from_sockaddr((const struct sockaddr *)&ss, local))
		return false;
	/* without connection tracking, or for what it does not know, there was no redirection */
	n = sizeof ss;
	if (getsockopt(fd, addr_is_v4(&local->addr) ? SOL_IP : SOL_IPV6, SO_ORIGINAL_DST, &ss, &n) != 0 ||
	    !endpoint_from_sockaddr((const struct sockaddr *)&ss, original))
		*original = *local;
	return true;
}

static ssize_t
receive(int fd, void *buf, size_t n, int flags)
{
	ssize_t r;

	do
		r = recv(fd, buf, n, flags);
	while (r < 0 && errno == EINTR);
	return r;
}

ssize_t
sock_read(int fd, void *buf, size_t n)
{
	return receive(fd, buf, n, 0);
}

ssize_t
sock_peek(int fd, void *buf, size_t n)
{
	return receive(fd, buf, n, MSG_PEEK);
}

static ssize_t
send_bytes(int fd, struct span a, int flags)
{
	ssize_t w;

	do
		w = send(fd, a.p, a.n, MSG_NOSIGNAL | flags);
	while (w < 0 && errno == EINTR);
	return w;
}

ssize_t
sock_write(int fd, struct span a)
{
	return send_bytes(fd, a, 0);
}

ssize_t
sock_write_more(int fd, struct span a)
{
	return send_bytes(fd, a, MSG_MORE);
}

ssize_t
sock_write2(int fd, struct span a, struct span b)
{
	struct iovec  iov[2] = {{(void *)(uintptr_t)a.p, a.n}, {(void *)(uintptr_t)b.p, b.n}};
	struct msghdr m = {.msg_iov = iov, .msg_iovlen = 2};
	ssize_t       w;

	if (!b.n)
		return sock_write(fd, a);
	do
		w = sendmsg(fd, &m, MSG_NOSIGNAL);
	while (w < 0 && errno == EINTR);
	return w;
}

ssize_t
sock_splice(int from, int to, size_t n)
{
	ssize_t r;

	do
		r = splice(from, NULL, to, NULL, n, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	while (r < 0 && errno == EINTR);
	return r;
}

void
sock_shut_write(int fd)
{
	shutdown(fd, SHUT_WR);
}

void
sock_close(int fd)
{
	close(fd);
}

void
sock_reset(int fd)
{
	struct linger now = {.l_onoff = 1, .l_linger = 0};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	close(fd);
}

bool
sock_failed(int fd)
{
	int       error = 0;
	socklen_t n = sizeof error;

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) != 0 || error != 0;
}
