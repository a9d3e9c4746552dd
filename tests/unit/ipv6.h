/* SPDX-License-Identifier: MIT */
/* ipv6: whether this machine has ::1; tests that need it are skipped, and say so, where it has not. */
#ifndef POSTERN_UNIT_IPV6_H
#define POSTERN_UNIT_IPV6_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

static inline bool
ipv6_is_here(void)
{
	struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int                 fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool                ok = fd >= 0 && bind(fd, (struct sockaddr *)&six, sizeof six) == 0;

	if (fd >= 0)
		close(fd);
	if (!ok)
		print_message("skipped: this machine has no ::1\n");
	return ok;
}

#endif
