/* SPDX-License-Identifier: MIT */
/*
 * head: reads one request head.
 * Reads no more than what is there; parses once the end has come. Leaves what the request means to gate.
 */
#include <errno.h>
#include <stdlib.h>

#include "net/sock.h"
#include "session/greet.h"
#include "session/session.h"
#include "session/target.h"

/* The client will send no more. */
static void
head_ended(struct session *s)
{
	/* nothing was asked: nothing to log */
	session_finish(s, s->req ? FAULT_CLIENT_ABORTED : FAULT_NONE);
}

/* The head does not fit: is it the request line alone that is too long (RFC 9110 15.5.15), or all of it? */
static void
head_overflowed(struct session *s)
{
	struct span in = buf_span(&s->in);
	size_t      most = s->gw->snap->set->max_head;

	reply_fault(s, memchr(in.p, '\n', in.n < most ? in.n : most) ? FAULT_HEAD_TOO_LARGE : FAULT_TARGET_TOO_LONG);
}

static bool
head_fill(struct session *s)
{
	ssize_t r;
	size_t  room;

	if (!buf_make_room(&s->in, &s->gw->bufs, s->gw->snap->set->max_head)) {
		if (buf_size(&s->in) >= s->gw->snap->set->max_head)
			head_overflowed(s);
		else
			session_finish(s, FAULT_NO_MEMORY);
		return false;
	}
	room = s->in.room - s->in.n;
	r = side_read(&s->client, s->in.p + s->in.n, room);
	if (r < 0 && errno == EAGAIN) {
		if (!s->req)
			buf_release(&s->in, &s->gw->bufs);
		return false;
	}
	if (r <= 0) {
		s->eof = true;
		head_ended(s);
		return false;
	}
	s->in.n += (uint32_t)r;
	return true;
}

/* The request keeps the block that its head stands in; what came after the head moves to a block of its own. */
static bool
head_keep(struct session *s, size_t used)
{
	struct buf *text = &s->req->text;

	*text = s->in;
	s->in = (struct buf){0};
	buf_use(text, used);
	if (buf_size(text) && !buf_put(&s->in, &s->gw->bufs, buf_span(text)))
		return false;
	s->head_seen = 0;
	return true;
}

bool
head_settle(struct session *s)
{
	struct request *r = s->req;
	struct buf      text = {.room = (uint32_t)(r->head.line.n + r->head.fields.n + 4)};
	char           *end;
	bool            upgrade = r->head.upgrade;
	enum fault      fault;
	size_t          at = 0, used;
	struct field    f;

	text.p = malloc(text.room);
	if (!text.p)
		return false;
	end = mempcpy(mempcpy(text.p, r->head.line.p, r->head.line.n), "\r\n", 2);
	while (head_field_next(&r->head, &at, &f)) {
		if (f.id != FIELD_PROXY_AUTHORIZATION)
			end = mempcpy(end, f.line.p, f.line.n);
	}
	end = mempcpy(end, "\r\n", 2);
	text.n = (uint32_t)(end - text.p);
	text.room = text.n;
	buf_release(&r->text, &s->gw->bufs);
	r->text = text;
	if (head_parse_request(buf_span(&text), 0, &r->head, &used, &fault) != PARSE_OK)
		return false; /* it was one before */
	r->head.upgrade = upgrade;
	r->facts.method = r->head.method;
	target_reread(r);
	return true;
}

/* RFC 9112 2.2: an empty line that old clients send after a body is no request, and must not make one wait for its end. */
static void
skip_empty_line(struct session *s)
{
	if (!s->req && span_eq(buf_span(&s->in), SPAN("\r\n")))
		buf_use(&s->in, 2);
}

void
head_read(struct session *s)
{
	for (;;) {
		skip_empty_line(s);
		if (buf_size(&s->in) > s->head_seen) {
			enum fault  fault = FAULT_NONE;
			size_t      used = 0;
			struct head head;

			if (!s->req) {
				if (!request_new(s)) {
					session_finish(s, FAULT_NO_MEMORY);
					return;
				}
				session_deadline(s, s->gw->snap->set->head_timeout_ms);
			}
			switch (head_parse_request(buf_span(&s->in), s->head_seen, &head, &used, &fault)) {
			case PARSE_OK:
				if (used > s->gw->snap->set->max_head) { /* a read takes a whole block, which may be more */
					head_overflowed(s);
					return;
				}
				s->req->head = head;
				s->req->bytes_in = used;
				if (head_keep(s, used))
					gate_enter(s);
				else
					session_finish(s, FAULT_NO_MEMORY);
				return;
			case PARSE_BAD:
				greet_tell_of_stranger(s);
				reply_fault(s, fault);
				return;
			case PARSE_MORE:
				s->head_seen = (uint32_t)buf_size(&s->in);
				if (s->head_seen >= s->gw->snap->set->max_head) {
					head_overflowed(s);
					return;
				}
				break;
			}
		}
		if (!s->client.readable || !head_fill(s))
			return;
	}
}
