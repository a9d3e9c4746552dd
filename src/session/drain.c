/* SPDX-License-Identifier: MIT */
/*
 * drain: reads the body of a request that was refused, so that the client's next request can be found behind it. A log-on by NTLM lives on its connection:
 * a POST that is challenged must not end it.
 * Leaves the answer, which is out by then, to reply, and the next request to head.
 * Always true: only bytes that belong to the body by its own framing are dropped.
 */
#include <errno.h>

#include "net/sock.h"
#include "session/session.h"

#define DRAIN_MOST (16u << 20) /* bytes of a body, framing included; a client that wants to send more finds the connection closed */
#define READS      16          /* in one turn, before others get theirs */

/*
 * May the connection stay behind the body of this request? A client that sent Expect: 100-continue and no byte of the body yet may send it now or not:
 * .NET, for one, leaves it out and closes, unless the answer goes on with NTLM or Negotiate, when it sends the body; curl begins with an empty body there.
 * RFC 9110 10.1.1 lets us close instead of waiting for what may never come. In the middle of a handshake, which closing would end, what comes next is
 * the body, as RFC 9112 6 has it.
 */
bool
drain_is_possible(const struct session *s)
{
	const struct request *r = s->req;

	if (r->head.body == BODY_NONE)
		return true;
	if (s->state == SESSION_FORWARD || (r->head.body == BODY_LENGTH && r->head.length > DRAIN_MOST))
		return false;
	return !r->head.expect_continue || r->head.minor == 0 || buf_size(&s->in) > 0 || r->fault == FAULT_AUTH_CONTINUES;
}

/* What is in `in` already. False: the body goes on behind it. */
static bool
take(struct session *s)
{
	struct request *r = s->req;

	for (;;) {
		size_t            used;
		struct span       data;
		enum parse_result p = body_take(&r->body, buf_span(&s->in), &used, &data);

		buf_use(&s->in, used);
		r->bytes_in += used;
		r->drained += used;
		if (p == PARSE_OK)
			return true;
		if (p == PARSE_BAD || r->drained > DRAIN_MOST) {
			s->keep = false;
			return true;
		}
		if (used == 0)
			return false;
	}
}

/* The next bytes. False: there are none now, or ever. */
static bool
fill(struct session *s)
{
	size_t  room;
	ssize_t n;

	if (!buf_make_room(&s->in, &s->gw->bufs, BUF_BLOCK)) {
		session_finish(s, FAULT_NO_MEMORY);
		return false;
	}
	room = s->in.room - s->in.n;
	n = side_read(&s->client, s->in.p + s->in.n, room);
	if (n < 0 && errno == EAGAIN) {
		buf_release(&s->in, &s->gw->bufs);
		return false;
	}
	if (n <= 0) {
		session_finish(s, n == 0 ? FAULT_NONE : FAULT_CLIENT_ABORTED);
		return false;
	}
	s->in.n += (uint32_t)n;
	session_deadline(s, s->req->snap->set->response_timeout_ms);
	return true;
}

void
drain_read(struct session *s)
{
	for (int reads = 0; !take(s);) {
		if (!s->client.readable)
			return;
		if (reads++ == READS) {
			watch_again(&s->client.watch, WATCH_READ);
			return;
		}
		if (!fill(s))
			return;
	}
	reply_done(s);
}
