/* SPDX-License-Identifier: MIT */
#include "net/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
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

/* Is nobody behind this file? Then it may go. False with errno: what is there must stay. */
static bool
is_stale(const struct sockaddr_un *sun)
{
	struct stat st;
	int         fd, rc, saved;

	if (lstat(sun->sun_path, &st) != 0)
		return errno == ENOENT;
	if (!S_ISSOCK(st.st_mode)) {
		errno = EEXIST;
		return false;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	rc = connect(fd, (const struct sockaddr *)sun, sizeof *sun);
	saved = errno;
	close(fd);
	if (rc == 0 || saved != ECONNREFUSED) {
		errno = rc == 0 || saved == EAGAIN ? EADDRINUSE : saved;
		return false;
	}
	return unlink(sun->sun_path) == 0 || errno == ENOENT;
}

int
listener_open_unix(const char *path, unsigned mode, char *why, size_t why_n)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	const char        *step = "socket";
	int                fd = -1, saved, rc;
	mode_t             mask;

	if (strlen(path) >= sizeof sun.sun_path) {
		errno = ENAMETOOLONG;
		goto fail;
	}
	strcpy(sun.sun_path, path);
	step = "look at";
	if (!is_stale(&sun))
		goto fail;
	step = "socket";
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		goto fail;
	step = "bind";
	mask = umask(~mode & 0777);
	rc = bind(fd, (const struct sockaddr *)&sun, sizeof sun);
	umask(mask);
	if (rc != 0)
		goto fail;
	step = "listen";
	if (listen(fd, BACKLOG) == 0)
		return fd;
fail:
	saved = errno;
	snprintf(why, why_n, "%s unix:%s: %s", step, path, saved == EEXIST ? "a file that is no socket is there" : strerror(saved));
	if (fd >= 0)
		close(fd);
	errno = saved;
	return -1;
}

bool
listener_adopt(int fd)
{
	struct sockaddr_storage sa;
	socklen_t               n = sizeof sa;
	int                     flags = fcntl(fd, F_GETFL);

	if (getsockname(fd, (struct sockaddr *)&sa, &n) != 0 || flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)
		return false;
	return sa.ss_family == AF_UNIX || (option_set(fd, IPPROTO_TCP, TCP_NODELAY, 1) && keepalive_set(fd));
}

bool
listener_make_transparent(int fd)
{
	struct sockaddr_storage sa;
	socklen_t               n = sizeof sa;

	if (getsockname(fd, (struct sockaddr *)&sa, &n) != 0)
		return false;
	return sa.ss_family == AF_INET6 ? option_set(fd, IPPROTO_IPV6, IPV6_TRANSPARENT, 1) : option_set(fd, IPPROTO_IP, IP_TRANSPARENT, 1);
}

bool
listener_where(int fd, struct endpoint *out)
{
	struct sockaddr_storage sa;
	socklen_t               n = sizeof sa;

	return getsockname(fd, (struct sockaddr *)&sa, &n) == 0 && endpoint_from_sockaddr((const struct sockaddr *)&sa, out);
}
