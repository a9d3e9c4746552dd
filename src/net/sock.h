/* SPDX-License-Identifier: MIT */
/*
 * sock: the few calls that sessions make on a connected socket. Non-blocking throughout; EINTR never comes out.
 * A room of its own so that scenes can play the network.
 */
#ifndef POSTERN_NET_SOCK_H
#define POSTERN_NET_SOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/addr.h"
#include "base/span.h"

/* Accept one connection, non-blocking and close-on-exec; -1 with errno. Options (TCP_NODELAY, keepalive) come from the listener. */
int sock_accept(int listener, struct endpoint *peer);
/* Where a connection that was accepted is connected to here, and where its client meant to go: the same, unless netfilter redirected it. Under TPROXY the
 * former is what the client meant. False: the system does not tell. */
bool sock_original(int fd, struct endpoint *local, struct endpoint *original);
/* As recv and send: bytes moved, 0 at end (read), -1 with errno. No SIGPIPE. */
ssize_t sock_read(int fd, void *buf, size_t n);
/* Look at what has come and leave it there. */
ssize_t sock_peek(int fd, void *buf, size_t n);
ssize_t sock_write(int fd, struct span a);
/* The same for what can wait: it goes with the next bytes or the FIN, or alone 200 ms later. */
ssize_t sock_write_more(int fd, struct span a);
/* Write a and then b in one call. */
ssize_t sock_write2(int fd, struct span a, struct span b);
/* Move up to n bytes between a socket and a pipe without copying. */
ssize_t sock_splice(int from, int to, size_t n);
void    sock_shut_write(int fd);
void    sock_close(int fd);
/* Close so that the peer sees a reset: for connections that broke off, so that nobody takes them for complete. */
void sock_reset(int fd);
/* Has the connection failed (a reset came)? Clears the error. */
bool sock_failed(int fd);


#endif
