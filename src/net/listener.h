/* SPDX-License-Identifier: MIT */
/*
 * listener: opens listening sockets so that what is accepted from them needs no further system call.
 */
#ifndef POSTERN_NET_LISTENER_H
#define POSTERN_NET_LISTENER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"

/* First keepalive probe after this much silence, then one each interval; given up after so many without answer. */
#define KEEPALIVE_IDLE_S     120
#define KEEPALIVE_INTERVAL_S 30
#define KEEPALIVE_PROBES     4

/* A listening TCP socket at `e`: non-blocking, close-on-exec, SO_REUSEADDR, for IPv6 that only; with `reuseport` one of several that share
 * the address. TCP_NODELAY and keepalive are set on it, and Linux hands them down to each accepted socket. -1 with errno; `why` (if not
 * null) is then filled with "bind 127.0.0.1:80: Permission denied". */
int listener_open(const struct endpoint *e, bool reuseport, char *why, size_t why_n);
/* A listening UNIX socket at `path`, with these permissions from the moment that it is there; a file that a program left behind without removing it is
 * replaced. -1 with errno; EADDRINUSE when somebody listens there, or it is no socket: then that stays. */
int listener_open_unix(const char *path, unsigned mode, char *why, size_t why_n);
/* Make a listening socket that somebody else opened (systemd) like one of ours. False with errno. */
bool listener_adopt(int fd);
/* It takes connections to any address that TPROXY sends to it. False with errno: EPERM without CAP_NET_ADMIN. */
bool listener_make_transparent(int fd);
/* Where a socket is bound: tells the port that the kernel chose for port 0. */
bool listener_where(int fd, struct endpoint *out);
/* The same keepalive for a socket that was dialled. Four system calls; false with errno. */
bool keepalive_set(int fd);

#endif
