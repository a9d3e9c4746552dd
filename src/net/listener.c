/* SPDX-License-Identifier: MIT */
#include "net/listener.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 4096 /* the kernel cuts it to net.core.somaxconn */

static bool
option_set(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof value) == 0;
}

bool
keepalive_set(int fd)
{
	return option_set(fd, SOL_SOCKET, SO_KEEPALIVE, 1) && option_set(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S) &&
	       option_set(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S) &&
	       option_set(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
}

int
listener_open(const struct endpoint *e, bool reuseport, char *why, size_t why_n)
{
	struct sockaddr_storage sa;
	socklen_t               n = endpoint_to_sockaddr(e, &sa);
	const char             *step = "socket";
	char                    text[ENDPOINT_TEXT_MAX];
	int                     fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), saved;

	if (fd < 0)
		goto fail;
	step = "setsockopt";
	if (!option_set(fd, SOL_SOCKET, SO_REUSEADDR, 1) || (reuseport && !option_set(fd, SOL_SOCKET, SO_REUSEPORT, 1)) ||
	    (sa.ss_family == AF_INET6 && !option_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1)) || !option_set(fd, IPPROTO_TCP, TCP_NODELAY, 1) ||
	    !keepalive_set(fd))
		goto fail;
	step = "bind";
	if (bind(fd, (const struct sockaddr *)&sa, n) != 0)
		goto fail;
	step = "listen";
	if (listen(fd, BACKLOG) != 0)
		goto fail;
	return fd;
fail:
	saved = errno;
	if (why && why_n) {
		endpoint_print(e, text);
		snprintf(why, why_n, "%s %s: %s", step, text, strerror(saved));
	}
	if (fd >= 0)
		close(fd);
	errno = saved;
	return -1;
}

bool
listener_where(int fd, struct endpoint *out)
{
	struct sockaddr_storage sa;
	socklen_t               n = sizeof sa;

	return getsockname(fd, (struct sockaddr *)&sa, &n) == 0 && endpoint_from_sockaddr((const struct sockaddr *)&sa, out);
}
