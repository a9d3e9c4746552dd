/* SPDX-License-Identifier: MIT */
/*
 * parent: a tunnel through a parent that is connected: asks it to CONNECT and reads its answer.
 * Always true: what stands behind the head of that answer is the tunnel's, and stays in the socket for whoever reads next; nothing of what the parent says
 * of its own log-on reaches the client.
 */
#include <errno.h>
#include <stdio.h>

#include "net/sock.h"
#include "session/compose.h"
#include "session/inspect.h"
#include "session/pass.h"
#include "session/way.h"

#define ANSWER_MOST 16384u /* bytes of its head */
#define READS       16     /* in one turn, before others get theirs */

/* Where the tunnel leads: what the CONNECT of the client named. */
static void
put_place(struct compose *o, const struct session *s)
{
	struct authority at = s->req->at;

	if (s->inside && s->inside->is_fixed) {
		at.host.kind = HOST_ADDR;
		at.host.addr = s->inside->fixed;
		at.host.n = (uint8_t)addr_print(&at.host.addr, at.host.text);
	}
	put_authority(o, &at, 0);
}

/* Whom the client's CONNECT has passed, so that a loop is seen by whoever is in it twice. */
static void
put_via(struct compose *o, const struct request *r)
{
	struct field f;

	for (size_t at = 0; r->is_connect && r->head.seen & 1u << FIELD_VIA && head_field_next(&r->head, &at, &f);)
		if (f.id == FIELD_VIA)
			put(o, f.line);
	if (!r->snap->set->via)
		return;
	put(o, SPAN("Via: 1.1 "));
	put(o, snapshot_text(r->snap, r->snap->set->visible_name));
	put(o, SPAN("\r\n"));
}

static struct span
compose_connect(const struct session *s)
{
	const struct request *r = s->req;
	struct compose        o = {.p = s->gw->compose, .room = s->gw->compose_size};

	put(&o, SPAN("CONNECT "));
	put_place(&o, s);
	put(&o, SPAN(" HTTP/1.1\r\nHost: "));
	put_place(&o, s);
	put(&o, SPAN("\r\n"));
	pass_put(&o, s);
	put_via(&o, r);
	put(&o, SPAN("\r\n"));
	return compose_span(&o);
}

static void
refused(struct session *s, enum fault fault, unsigned status)
{
	struct request              *r = s->req;
	const struct snapshot_parent *p = way_parent(r);
	struct span                  name = snapshot_text(r->snap, p->name);
	char                         detail[160];

	if (status)
		snprintf(detail, sizeof detail, "parent %.*s answered %u", SPAN_ARG(name), status);
	else
		snprintf(detail, sizeof detail, "parent %.*s", SPAN_ARG(name));
	request_note_tls(r, detail);
	outbox_clear(&s->up.kept);
	buf_release(&r->back_in, &s->gw->bufs);
	session_drop_origin(s);
	reply_fault(s, fault);
}

/* It left, or broke, before it said a word: as if it had not been connected. */
static void
gone(struct session *s, enum fault fault)
{
	outbox_clear(&s->up.kept);
	buf_release(&s->req->back_in, &s->gw->bufs);
	session_drop_origin(s);
	reach_parent_failed(s, fault);
}

/* A whole head. True: the next one is wanted. */
static bool
answered(struct session *s, const struct head *h)
{
	if (h->status < 200 && h->status != 101)
		return true;
	if (h->status == 407) {
		pass_refused(s);
		refused(s, FAULT_PARENT_AUTH, h->status);
	} else if (h->status >= 300 || h->status == 101) {
		refused(s, FAULT_PARENT_REFUSED, h->status);
	} else if (!outbox_is_empty(&s->up.kept)) {
		refused(s, FAULT_PARENT_BAD, h->status); /* before it had the whole question */
	} else {
		buf_release(&s->req->back_in, &s->gw->bufs);
		reach_connected(s);
	}
	return false;
}

/* Look at what has come, and take of it what belongs to the head. True: there may be more to read. */
static bool
read_answer(struct session *s)
{
	struct request *r = s->req;
	struct head     h;
	size_t          used = 0, before = buf_size(&r->back_in);
	enum fault      fault = FAULT_NONE;
	ssize_t         n;

	if (!buf_make_room(&r->back_in, &s->gw->bufs, ANSWER_MOST)) {
		refused(s, FAULT_PARENT_BAD, 0);
		return false;
	}
	n = sock_peek(s->origin->side.fd, r->back_in.p + r->back_in.n, r->back_in.room - r->back_in.n);
	if (n < 0 && errno == EAGAIN)
		return false;
	if (n <= 0) {
		if (before)
			refused(s, FAULT_PARENT_BAD, 0);
		else
			gone(s, n == 0 ? FAULT_ORIGIN_CLOSED : FAULT_ORIGIN_RESET);
		return false;
	}
	r->back_in.n += (uint32_t)n;
	switch (head_parse_response(buf_span(&r->back_in), r->back_seen, &h, &used, &fault)) {
	case PARSE_BAD:
		refused(s, FAULT_PARENT_BAD, 0);
		return false;
	case PARSE_MORE:
		r->back_seen = buf_size(&r->back_in);
		used = r->back_seen;
		h.status = 0;
		break;
	case PARSE_OK:
		r->back_seen = 0;
		break;
	}
	/* the very bytes that were looked at */
	if (sock_read(s->origin->side.fd, r->back_in.p + r->back_in.at + before, used - before) != (ssize_t)(used - before)) {
		refused(s, FAULT_PARENT_BAD, 0);
		return false;
	}
	if (h.status == 0)
		return true;
	r->back_in.n = r->back_in.at + (uint32_t)used;
	if (!answered(s, &h))
		return false;
	buf_use(&r->back_in, used);
	return true;
}

void
parent_on_origin(struct session *s)
{
	if (s->state != SESSION_PARENT)
		return;
	if (!outbox_is_empty(&s->up.kept) && s->origin->side.writable && outbox_flush(&s->up.kept, &s->origin->side) == OUTBOX_BROKEN) {
		gone(s, FAULT_ORIGIN_RESET);
		return;
	}
	for (int reads = 0; s->state == SESSION_PARENT && s->origin->side.readable && read_answer(s);)
		if (++reads == READS) { /* interim heads may come without end */
			watch_again(&s->origin->side.watch, WATCH_READ);
			return;
		}
}

void
parent_connect(struct session *s)
{
	struct span       connect = compose_connect(s);
	enum outbox_state sent;

	session_move(s, SESSION_PARENT);
	pass_drop(s->req);
	s->req->back_seen = 0;
	if (!connect.p) {
		refused(s, FAULT_INTERNAL, 0);
		return;
	}
	sent = outbox_send(&s->up.kept, &s->origin->side, connect, SPAN(""));
	explicit_bzero(s->gw->compose, connect.n); /* our credentials */
	if (sent == OUTBOX_BROKEN)
		gone(s, FAULT_ORIGIN_RESET);
	else
		parent_on_origin(s);
}

void
parent_on_timeout(struct session *s)
{
	refused(s, FAULT_PARENT_TIMEOUT, 0);
}
