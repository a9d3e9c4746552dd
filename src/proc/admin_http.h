/* SPDX-License-Identifier: MIT */
/*
 * admin_http: a small HTTP/1.1 server for the pages of the admin process: GET and HEAD, keep-alive, a table of resources.
 * Knows nothing of what the pages say. Whoever may not ask is closed unread; a Host that is not this machine's is refused (DNS rebinding).
 * Always true: connections, heads, times and answers are bounded; when all connections are taken, the one that was answered longest ago goes.
 */
#ifndef POSTERN_PROC_ADMIN_HTTP_H
#define POSTERN_PROC_ADMIN_HTTP_H

#include "base/text.h"
#include "net/loop.h"
#include "policy/snapshot.h"

#define ADMIN_LISTENERS   8u
#define ADMIN_CONNECTIONS 64u

struct admin_resource {
	const char *path;
	const char *type;                             /* of the body */
	unsigned  (*write)(void *arg, struct text *out); /* the body; answers with the status, 404: there is none now */
	bool        open; /* holds nothing that the pages of others may not see: answered under any Host */
};

struct admin_http;

/* `table` of `n` outlives it; `arg` goes to its functions. NULL: no memory. */
struct admin_http *admin_http_new(struct loop *loop, const struct admin_resource *table, size_t n, void *arg);
void admin_http_free(struct admin_http *h);
/* Listen on these instead (owned from now on). What is open stays. */
void admin_http_listen(struct admin_http *h, const int *fd, unsigned n);
/* Who may ask, and under which names: of this snapshot, which must live until the next call. */
void admin_http_use(struct admin_http *h, const struct snapshot *s);
/* Connections that were closed unread because their address is not among admin-clients. */
uint64_t admin_http_refused(const struct admin_http *h);

#endif
