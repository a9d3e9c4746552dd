/* SPDX-License-Identifier: MIT */
/*
 * forward: sends a plain request on, head and body, while response brings back the answer.
 * The head is made anew: method and origin-form target as judged, a Host made from the target, every field that is not for the next hop only.
 * Body bytes are passed as they came once body_take has accepted them.
 * Always true: nothing is read from the client while bytes for the origin wait.
 */
#include <errno.h>
#include <stdio.h>

#include "net/sock.h"
#include "session/compose.h"
#include "session/consent.h"
#include "session/effects.h"
#include "session/pass.h"
#include "session/session.h"
#include "session/way.h"

#define READS 16 /* in one turn, before others get theirs */

static void
put_target(struct compose *o, const struct session *s, const struct request *r)
{
	/* RFC 9112 3.2.4: OPTIONS for the server as a whole; a parent gets the URL without a path */
	bool server = r->head.method_id == METHOD_OPTIONS && r->url.path.n == 0 && !r->url.has_query;

	if (way_is_relayed(s)) { /* RFC 9112 3.2.2 */
		put(o, SPAN("http://"));
		put_authority(o, &r->at, 80);
		if (server)
			return;
	} else if (server) {
		put(o, SPAN("*"));
		return;
	}
	put(o, r->url.path.n ? r->url.path : SPAN("/"));
	if (r->url.has_query) {
		put(o, SPAN("?"));
		put(o, r->url.query);
	}
}

/* All that the client said, in one line, and its address last: that is the one that servers believe. */
static void
put_forwarded_for(struct compose *o, const struct session *s, const struct request *r)
{
	char         text[ADDR_TEXT_MAX];
	size_t       at = 0;
	struct field f;

	put(o, SPAN("X-Forwarded-For: "));
	while (r->head.seen & 1u << FIELD_X_FORWARDED_FOR && head_field_next(&r->head, &at, &f)) {
		if (f.id != FIELD_X_FORWARDED_FOR || !f.value.n || head_field_is_hop(&r->head, &f))
			continue;
		put(o, f.value);
		put(o, SPAN(", "));
	}
	put(o, span_of(text, addr_print(&s->peer.addr, text)));
	put(o, SPAN("\r\n"));
}

/* Inside a tunnel a cookie may be ours, which no server is to see. */
static void
put_cookies(struct compose *o, struct span value)
{
	struct span pair;
	bool        any = false;

	for (size_t at = 0; consent_cookie_next(value, &at, &pair); any = true) {
		put(o, any ? SPAN("; ") : SPAN("Cookie: "));
		put(o, pair);
	}
	if (any)
		put(o, SPAN("\r\n"));
}

/* The fields of the client, without those that we make ourselves or that the rule sets or removes. */
static void
put_fields(struct compose *o, const struct session *s, const struct request *r, const struct rule_effects *e)
{
	const struct settings *set = r->snap->set;
	size_t                 at = 0;
	struct field           f;
	char                   hops[32];

	while (head_field_next(&r->head, &at, &f)) {
		if (f.id == FIELD_HOST || head_field_is_hop(&r->head, &f))
			continue;
		if (f.id == FIELD_EXPECT && r->head.minor == 0)
			continue; /* RFC 9110 10.1.1: not from HTTP/1.0 */
		if (f.id == FIELD_MAX_FORWARDS && r->has_hops)
			continue;
		if (f.id == FIELD_X_FORWARDED_FOR && set->x_forwarded_for != XFF_PASS)
			continue;
		if (f.id == FIELD_FORWARDED && set->x_forwarded_for == XFF_DELETE)
			continue;
		if (effects_drop(e->set_request, e->remove_request, f.name))
			continue;
		if (s->inside && span_eq_nocase(f.name, SPAN("cookie")))
			put_cookies(o, f.value);
		else
			put(o, f.line);
	}
	put(o, e->set_request);
	if (r->has_hops)
		put(o, span_of(hops, (size_t)snprintf(hops, sizeof hops, "Max-Forwards: %u\r\n", r->hops - 1)));
	if (set->x_forwarded_for == XFF_APPEND && !effects_drop(e->set_request, e->remove_request, SPAN("x-forwarded-for")))
		put_forwarded_for(o, s, r);
}

/* NULL span: it does not fit. */
static struct span
compose_head(const struct session *s, const struct request *r)
{
	struct compose      o = {.p = s->gw->compose, .room = s->gw->compose_size};
	struct rule_effects effects;

	effects_of(r, &effects);
	put(&o, r->head.method);
	put(&o, SPAN(" "));
	put_target(&o, s, r);
	put(&o, SPAN(" HTTP/1.1\r\nHost: "));
	put_authority(&o, &r->at, r->url.scheme == SCHEME_HTTPS ? 443 : 80);
	put(&o, SPAN("\r\n"));
	put_fields(&o, s, r, &effects);
	/* a parent may send back to the client what it gets of a TRACE (RFC 9110 9.3.8) */
	if (way_is_relayed(s) && r->head.method_id != METHOD_TRACE)
		pass_put(&o, s);
	if (r->head.body == BODY_CHUNKED)
		put(&o, SPAN("Transfer-Encoding: chunked\r\n"));
	if (r->snap->set->via) {
		put(&o, r->head.minor ? SPAN("Via: 1.1 ") : SPAN("Via: 1.0 "));
		put(&o, snapshot_text(r->snap, r->snap->set->visible_name));
		put(&o, SPAN("\r\n"));
	}
	if (r->head.upgrade) {
		put(&o, SPAN("Connection: upgrade\r\nUpgrade: "));
		put(&o, r->head.upgrade_to);
		put(&o, SPAN("\r\n"));
	} else if (r->head.te_trailers) {
		put(&o, SPAN("Connection: TE\r\nTE: trailers\r\n"));
	}
	put(&o, SPAN("\r\n"));
	return compose_span(&o);
}

/* Is authentication bound to the connection being spoken (RFC 4559 6)? Then the origin's connection is this client's alone. */
static bool
is_bound_auth(struct span value)
{
	return (value.n >= 4 && span_eq_nocase(span_of(value.p, 4), SPAN("NTLM"))) ||
	    (value.n >= 9 && span_eq_nocase(span_of(value.p, 9), SPAN("Negotiate")));
}

bool
forward_sees_bound_auth(const struct head *h, enum field_id id)
{
	size_t       at = 0;
	struct field f;

	if (!(h->seen & 1u << id))
		return false;
	while (head_field_next(h, &at, &f))
		if (f.id == id && is_bound_auth(f.value))
			return true;
	return false;
}

/* The client's side went wrong in the middle of its request: the origin must not take it for whole. */
static void
request_failed(struct session *s, enum fault fault)
{
	if (s->req->replied || !outbox_is_empty(&s->down.kept)) {
		session_finish(s, fault);
		return;
	}
	origin_reset(s->origin);
	s->origin = NULL;
	reply_fault(s, fault);
}

/* As much of what is in `in` as belongs to the body. False: refused (the session went on elsewhere). */
static bool
take_body(struct session *s, struct span *body)
{
	struct request *r = s->req;
	struct span     in = buf_span(&s->in);
	size_t          n = 0, used;
	struct span     data;

	for (;;) {
		enum parse_result p = body_take(&r->body, span_of(in.p + n, in.n - n), &used, &data);
		n += used;
		if (p == PARSE_BAD) {
			request_failed(s, FAULT_BAD_CHUNK);
			return false;
		}
		if (p == PARSE_OK) {
			r->sent_whole = true;
			break;
		}
		if (used == 0)
			break;
	}
	if (r->snap->set->max_request_body && r->body.total > r->snap->set->max_request_body) {
		request_failed(s, FAULT_BODY_TOO_LARGE);
		return false;
	}
	*body = span_of(in.p, n);
	return true;
}

/* The origin takes no more. It may have answered before it closed: read that, to the end, and use neither connection again. */
static void
give_up_sending(struct session *s)
{
	outbox_clear(&s->up.kept);
	s->req->sent_whole = true;
	s->keep = false;
	side_note(&s->origin->side, WATCH_CLOSED);
}

static void
send_up(struct session *s, struct span a, struct span b)
{
	if (outbox_send(&s->up.kept, &s->origin->side, a, b) == OUTBOX_BROKEN)
		give_up_sending(s);
}

void
forward_begin(struct session *s)
{
	struct request *r = s->req;
	struct span     head = compose_head(s, r), body = {NULL, 0};

	if (!head.p) {
		session_drop_origin(s);
		reply_fault(s, FAULT_HEAD_TOO_LARGE);
		return;
	}
	session_move(s, SESSION_FORWARD);
	pass_drop(r);
	if (forward_sees_bound_auth(&r->head, FIELD_AUTHORIZATION))
		r->pinned = true;
	if (r->head.body == BODY_NONE)
		r->sent_whole = true;
	else if (!take_body(s, &body))
		return;
	/* what a retry would need is gone once body bytes were used */
	r->used_body = body.n > 0;
	buf_use(&s->in, body.n);
	r->bytes_in += body.n;
	if (throttle_holds(s))
		throttle_charge(s, head.n + body.n);
	send_up(s, head, body);
	if (way_is_relayed(s))
		explicit_bzero(s->gw->compose, head.n); /* our credentials */
	forward_on_client(s);
}

/* Pass on what the client sends of its body. */
static void
upload(struct session *s)
{
	struct request *r = s->req;
	struct span     body;

	for (int reads = 0; !r->sent_whole && outbox_is_empty(&s->up.kept);) {
		if (buf_size(&s->in) == 0) {
			ssize_t n;
			size_t  may;
			if (!s->client.readable)
				return;
			if (reads++ == READS) {
				watch_again(&s->client.watch, WATCH_READ);
				return;
			}
			if (!buf_make_room(&s->in, &s->gw->bufs, BUF_BLOCK)) {
				session_finish(s, FAULT_NO_MEMORY);
				return;
			}
			may = throttle_take(s, s->in.room);
			if (!may) {
				buf_release(&s->in, &s->gw->bufs);
				return;
			}
			n = side_read(&s->client, s->in.p, may);
			throttle_settle(s, may, n);
			if (n < 0 && errno == EAGAIN) {
				buf_release(&s->in, &s->gw->bufs);
				return;
			}
			if (n <= 0) {
				session_finish(s, FAULT_CLIENT_ABORTED);
				return;
			}
			s->in.n = (uint32_t)n;
		}
		if (!take_body(s, &body))
			return;
		r->used_body = true;
		session_deadline(s, r->snap->set->response_timeout_ms);
		send_up(s, body, SPAN(""));
		buf_use(&s->in, body.n);
		r->bytes_in += body.n;
	}
}

void
forward_on_client(struct session *s)
{
	/* the client's socket takes more of the response? */
	if (!outbox_is_empty(&s->down.kept) && s->client.writable) {
		switch (outbox_flush(&s->down.kept, &s->client)) {
		case OUTBOX_BROKEN:
			session_finish(s, FAULT_CLIENT_ABORTED);
			return;
		case OUTBOX_KEPT:
			break;
		case OUTBOX_SENT:
			session_deadline(s, s->req->snap->set->response_timeout_ms);
			break;
		}
	}
	/* while its answer is on the way the client may say more, or leave by a reset, which looks alike */
	if (s->req->sent_whole && s->client.readable && side_failed(&s->client)) {
		session_finish(s, FAULT_CLIENT_ABORTED);
		return;
	}
	upload(s);
	if (s->state == SESSION_FORWARD)
		response_read(s);
}

void
forward_on_origin(struct session *s)
{
	if (!outbox_is_empty(&s->up.kept) && s->origin->side.writable) {
		switch (outbox_flush(&s->up.kept, &s->origin->side)) {
		case OUTBOX_BROKEN:
			give_up_sending(s);
			break;
		case OUTBOX_KEPT:
			break;
		case OUTBOX_SENT:
			session_deadline(s, s->req->snap->set->response_timeout_ms);
			break;
		}
	}
	upload(s);
	if (s->state == SESSION_FORWARD)
		response_read(s);
}

void
forward_on_timeout(struct session *s)
{
	struct request *r = s->req;

	if (s->wait.on) { /* it is we who let nothing move */
		session_deadline(s, r->snap->set->response_timeout_ms);
		return;
	}
	if (outbox_is_empty(&s->down.kept) && (r->sent_whole || !outbox_is_empty(&s->up.kept)))
		origin_retire(s->origin);
	if (r->replied)
		session_finish(s, outbox_is_empty(&s->down.kept) ? FAULT_ORIGIN_TIMEOUT : FAULT_IDLE_TIMEOUT);
	else if (!r->sent_whole && outbox_is_empty(&s->up.kept))
		request_failed(s, FAULT_BODY_TIMEOUT);
	else
		request_failed(s, FAULT_ORIGIN_TIMEOUT);
}

void
forward_origin_failed(struct session *s, enum fault fault)
{
	struct request *r = s->req;

	if (r->replied) {
		session_finish(s, fault == FAULT_ORIGIN_CLOSED ? FAULT_RESPONSE_INCOMPLETE : fault);
		return;
	}
	/* RFC 9112 9.3.1, 9.6: a reused connection that closed before a byte came back may be tried anew, once */
	bool retry = s->origin->reused && !r->retried && !r->used_body && !r->pinned && r->first_byte_ms == MS_NONE && buf_size(&r->back_in) == 0 &&
	    (method_is_idempotent(r->head.method_id) || origin_was_unserved(s->origin));
	session_drop_origin(s);
	outbox_clear(&s->up.kept);
	if (!retry) {
		reply_fault(s, fault);
		return;
	}
	r->retried = true;
	r->sent_whole = false;
	s->keep = r->head.keep_alive && !s->gw->draining; /* giving up on the old connection says nothing of the client's */
	session_move(s, SESSION_GATE);
	reach_begin(s);
}

void
forward_done(struct session *s)
{
	struct request *r = s->req;
	bool            whole = r->sent_whole && outbox_is_empty(&s->up.kept);

	if (whole && r->back_keep) {
		s->origin->bound |= r->pinned;
		if (s->origin->bound) {
			if (!s->keep || !origin_label(s->origin, way_host(s), r->snap->set->generation))
				session_drop_origin(s);
		} else {
			origin_give(s->origin, way_host(s), r->snap->set->generation);
			s->origin = NULL;
		}
	} else {
		session_drop_origin(s);
	}
	record_request(s, FAULT_NONE);
	request_free(s);
	if (whole && s->keep && !s->gw->draining)
		session_next_request(s);
	else
		linger_begin(s);
}
