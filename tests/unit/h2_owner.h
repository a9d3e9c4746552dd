/* SPDX-License-Identifier: MIT */
/*
 * h2_owner: a trivial owner of a front for tests: answers each stream as a small web server of HTTP/1.1 would that knows nothing of HTTP/2.
 * /echo sends the body back, chunked, with a trailer `x-end: yes`; /bytes/N sends N bytes by length; /close/N ends its body with the stream; /early answers before the body came;
 * /hint sends a 103 first; /reset breaks off, and /cut as a socket that is closed does; /silent never answers; /slow reads nothing until h2_owner_go; anything else gets 11 bytes.
 */
#ifndef POSTERN_TESTS_H2_OWNER_H
#define POSTERN_TESTS_H2_OWNER_H

#include <stdbool.h>
#include <sys/queue.h>

#include "h2/front.h"
#include "parse/body.h"

#define GUEST_BUF 70000

struct h2_owner;

struct guest {
	struct grave grave;
	LIST_ENTRY(guest) link;
	struct h2_owner *owner;
	struct side      side;
	struct body      body;
	char             in[GUEST_BUF], out[GUEST_BUF];
	size_t           n_in, at_out, n_out;
	unsigned long    left; /* bytes of the answer that are to be made */
	bool             headed, echo, close, whole, asked, slow, silent, breaks, gently, gone;
};

LIST_HEAD(guest_list, guest);

struct h2_owner {
	struct loop      *loop;
	struct side       side;
	struct front     *front;
	struct guest_list guests;
	size_t            max_head;
	size_t            step; /* most bytes that a read or write moves; 0: all */
	unsigned          n_requests, n_whole, n_reset;
	bool              ended, refuse, slow;
	enum fault        fault;
	char              last_head[4096]; /* of the last request, as text */
	char              last_body[4096]; /* its body as it was read, framing included */
	size_t            n_last_body;
};

/* Serves fd, or a carrier that the caller gives o->side; false: no memory. */
bool h2_owner_start(struct h2_owner *o, struct loop *loop, int fd, uint32_t streams, uint32_t max_head);
/* Those that were slow read on. */
void h2_owner_go(struct h2_owner *o);
void h2_owner_stop(struct h2_owner *o);

#endif
