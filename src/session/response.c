/* SPDX-License-Identifier: MIT */
/*
 * response: brings the origin's answer back: interim heads, the final head made anew, the body as it comes.
 * Always true: nothing is read from the origin while bytes for the client wait; a response whose end is not clear is never followed by another.
 */
#include <errno.h>
#include <stdio.h>

#include "ipc/evidence.h"
#include "net/sock.h"
#include "session/compose.h"
#include "session/effects.h"
#include "session/inspect.h"
#include "session/pass.h"
#include "session/way.h"

#define READS 8 /* in one turn, before others get theirs */

static struct span
compose_head(const struct session *s, const struct head *h)
{
	const struct request *r = s->req;
	struct compose            o = {.p = s->gw->compose, .room = s->gw->compose_size};
	bool                  interim = h->status < 200 && h->status != 101;
	struct rule_effects   effects = {0};
	bool                  bodiless = h->status < 200 || h->status == 204; /* RFC 9112 6.1, RFC 9110 8.6: they name no length at all */
	size_t                at = 0;
	struct field          f;
	char                  status[16];
	bool                  has_date = false;

	if (!interim)
		effects_of(r, &effects);
	put(&o, SPAN("HTTP/1.1 "));
	put(&o, span_of(status, (size_t)snprintf(status, sizeof status, "%03u ", h->status)));
	put(&o, h->reason);
	put(&o, SPAN("\r\n"));
	while (head_field_next(h, &at, &f)) {
		if (head_field_is_hop(h, &f) || (bodiless && f.id == FIELD_CONTENT_LENGTH))
			continue;
		if (effects_drop(effects.set_response, effects.remove_response, f.name))
			continue;
		has_date |= span_eq_nocase(f.name, SPAN("date"));
		put(&o, f.line);
	}
	put(&o, effects.set_response);
	has_date |= effects_drop(effects.set_response, SPAN(""), SPAN("date"));
	if (!has_date && h->status >= 200)
		put(&o, gateway_date(s->gw)); /* RFC 9110 6.6.1 */
	if (r->snap->set->via) {
		put(&o, h->minor ? SPAN("Via: 1.1 ") : SPAN("Via: 1.0 "));
		put(&o, snapshot_text(r->snap, r->snap->set->visible_name));
		put(&o, SPAN("\r\n"));
	}
	if (h->status == 101) {
		put(&o, SPAN("Connection: upgrade\r\nUpgrade: "));
		put(&o, h->upgrade_to.n ? h->upgrade_to : r->head.upgrade_to);
		put(&o, SPAN("\r\n"));
	} else if (!interim) {
		/* HEAD and 304 may name a coding that no body follows, but never to HTTP/1.0 (RFC 9112 6.1) */
		if (h->body == BODY_CHUNKED && !bodiless && r->head.minor > 0)
			put(&o, SPAN("Transfer-Encoding: chunked\r\n"));
		if (!s->keep)
			put(&o, SPAN("Connection: close\r\n"));
		else if (r->head.minor == 0)
			put(&o, SPAN("Connection: keep-alive\r\n"));
		if (forward_sees_bound_auth(h, FIELD_WWW_AUTHENTICATE))
			put(&o, SPAN("Proxy-Support: Session-Based-Authentication\r\n"));
	}
	if (r->logon && !interim && !o.full)
		o.n += authenticate_info(r, o.p + o.n, o.room - o.n);
	put(&o, SPAN("\r\n"));
	return compose_span(&o);
}

/* To the client. False: it is gone, and the session with it. */
static bool
send_down(struct session *s, struct span a, struct span b)
{
	s->req->bytes_out += a.n + b.n;
	if (outbox_send(&s->down.kept, &s->client, a, b) != OUTBOX_BROKEN)
		return true;
	session_finish(s, FAULT_CLIENT_ABORTED);
	return false;
}

/* What of the n_in bytes at `in` belongs to the body, as it shall reach the client: decoded in place if need be. False: not valid. */
static bool
take_back(struct request *r, char *in, size_t n_in, size_t *used, struct span *pass)
{
	size_t      n = 0, k, n_data = 0;
	struct span data;

	for (;;) {
		enum parse_result p = body_take(&r->back, span_of(in + n, n_in - n), &k, &data);
		n += k;
		if (r->decode && data.n) {
			memmove(in + n_data, data.p, data.n);
			n_data += data.n;
		}
		if (p == PARSE_BAD)
			return false;
		if (p == PARSE_OK) {
			r->back_whole = true;
			break;
		}
		if (k == 0)
			break;
	}
	*used = n;
	*pass = span_of(in, r->decode ? n_data : n);
	return true;
}

static void
note_type(struct request *r, const struct head *h)
{
	r->n_content_type = (uint8_t)(h->content_type.n < sizeof r->content_type ? h->content_type.n : sizeof r->content_type);
	if (r->n_content_type)
		memcpy(r->content_type, h->content_type.p, r->n_content_type);
}

static void
note_final(struct session *s, const struct head *h)
{
	struct request *r = s->req;
	enum body_kind  body = head_response_body(h, r->head.method_id);

	r->status = h->status;
	r->replied = true;
	note_type(r, h);
	r->back_keep = h->keep_alive && body != BODY_TO_CLOSE;
	r->decode = body == BODY_CHUNKED && r->head.minor == 0;
	if (body == BODY_TO_CLOSE || r->decode)
		s->keep = false; /* the end of the response is the end of the connection */
	if (!r->sent_whole)
		s->keep = false; /* an answer before the end of the request: what comes next from the client is not a request */
	if (forward_sees_bound_auth(h, FIELD_WWW_AUTHENTICATE))
		r->pinned = true;
	body_init(&r->back, body, h->length);
	if (body == BODY_NONE || (body == BODY_LENGTH && h->length == 0))
		r->back_whole = true;
}

/* A server that asks for a certificate and goes on without says what it thinks of that in HTTP: nginx by a 400, others by a 403. */
static void
note_refusal(struct session *s, const struct head *h)
{
	if (!s->inside || (h->status != 400 && h->status != 403) || !origin_was_asked(s->origin))
		return;
	request_note_tls(s->req, EVIDENCE_WANTED ", which only bypass or tunnel can let through");
	if (h->status == 400)
		inspect_note_unserved(s, FAULT_ORIGIN_WANTS_CERTIFICATE);
}

/* 101: from here on it is a tunnel. */
static void
switch_protocols(struct session *s, const struct head *h)
{
	struct request *r = s->req;
	struct span     head = compose_head(s, h);

	if (!r->head.upgrade || !r->sent_whole || !head.p) {
		forward_origin_failed(s, FAULT_BAD_UPGRADE);
		return;
	}
	r->status = 101;
	if (send_down(s, head, SPAN("")))
		tunnel_begin(s);
}

/* A head stands in back_in. False: the session moved on, or must wait. */
static bool
pass_head(struct session *s, const struct head *h)
{
	struct request *r = s->req;
	struct span     head, pass = {NULL, 0};
	size_t          used = 0;

	if (r->first_byte_ms == MS_NONE)
		r->first_byte_ms = (uint32_t)((loop_now_us(s->gw->loop) - r->start_us) / 1000);
	session_deadline(s, r->snap->set->response_timeout_ms);
	if (h->status == 101) {
		if (!r->needs_response || gate_judge_response(s, SPAN("")))
			switch_protocols(s, h);
		return false;
	}
	if (h->status < 200) {
		/* RFC 9110 15.2: never to an HTTP/1.0 client */
		head = compose_head(s, h);
		return r->head.minor == 0 || (head.p && send_down(s, head, SPAN("")));
	}
	if (h->status == 407) { /* RFC 9110 15.5.8: ours to say, and what it asks for would be sent to us */
		if (way_is_relayed(s))
			pass_refused(s);
		forward_origin_failed(s, way_is_relayed(s) ? FAULT_PARENT_AUTH : FAULT_ORIGIN_407);
		return false;
	}
	if (r->needs_response) {
		note_type(r, h); /* the log tells it of a refused one too */
		if (!gate_judge_response(s, h->content_type))
			return false;
	}
	note_final(s, h);
	note_refusal(s, h);
	head = compose_head(s, h);
	if (!head.p) {
		r->replied = false;
		forward_origin_failed(s, FAULT_RESPONSE_TOO_LARGE);
		return false;
	}
	if (!r->back_whole && !take_back(r, r->back_in.p + r->back_in.at, buf_size(&r->back_in), &used, &pass)) {
		r->replied = false;
		forward_origin_failed(s, FAULT_BAD_RESPONSE);
		return false;
	}
	buf_use(&r->back_in, used);
	if (r->back_whole && buf_size(&r->back_in))
		r->back_keep = false; /* bytes that nobody asked for */
	if (r->head.method_id == METHOD_HEAD)
		pass = SPAN("");
	if (!send_down(s, head, pass))
		return false;
	buf_release(&r->back_in, &s->gw->bufs);
	return true;
}

/* A read of the origin gave nothing more. */
static enum fault
why_ended(struct session *s, ssize_t n)
{
	const char *detail;
	enum fault  fault = origin_why(s->origin, n, &detail);

	if (detail)
		request_note_tls(s->req, detail);
	return fault;
}

/* Read and pass interim heads and the final one. False: wait, or moved on. */
static bool
read_head(struct session *s)
{
	struct request *r = s->req;

	for (int reads = 0;;) {
		if (buf_size(&r->back_in) > r->back_seen) {
			struct head h;
			size_t      used = 0;
			enum fault  fault = FAULT_NONE;
			switch (head_parse_response(buf_span(&r->back_in), r->back_seen, &h, &used, &fault)) {
			case PARSE_OK:
				if (used > r->snap->set->max_head) {
					forward_origin_failed(s, FAULT_RESPONSE_TOO_LARGE);
					return false;
				}
				r->back_seen = 0;
				buf_use(&r->back_in, used);
				if (!pass_head(s, &h))
					return false;
				if (r->replied)
					return true;
				continue;
			case PARSE_BAD:
				forward_origin_failed(s, fault);
				return false;
			case PARSE_MORE:
				r->back_seen = buf_size(&r->back_in);
				break;
			}
		}
		/* interim heads may come without end */
		if (!outbox_is_empty(&s->down.kept) || !s->origin->side.readable)
			return false;
		if (reads++ == READS) {
			watch_again(&s->origin->side.watch, WATCH_READ);
			return false;
		}
		if (!buf_make_room(&r->back_in, &s->gw->bufs, r->snap->set->max_head)) {
			forward_origin_failed(s, FAULT_RESPONSE_TOO_LARGE);
			return false;
		}
		size_t room = throttle_take(s, r->back_in.room - r->back_in.n);
		if (!room)
			return false;
		ssize_t n = side_read(&s->origin->side, r->back_in.p + r->back_in.n, room);
		throttle_settle(s, room, n);
		if (n < 0 && errno == EAGAIN) {
			if (buf_size(&r->back_in) == 0)
				buf_release(&r->back_in, &s->gw->bufs);
			return false;
		}
		if (n <= 0) {
			forward_origin_failed(s, why_ended(s, n));
			return false;
		}
		r->back_in.n += (uint32_t)n;
	}
}

/* The origin closed: the end of a body to close, else it broke off. */
static void
body_ended(struct session *s, ssize_t n)
{
	struct request *r = s->req;
	enum fault      fault;

	if (n == 0 && r->back.kind == BODY_TO_CLOSE) {
		r->back_whole = true;
		r->back_keep = false;
		return;
	}
	fault = why_ended(s, n);
	session_finish(s, fault == FAULT_ORIGIN_CLOSED ? FAULT_RESPONSE_INCOMPLETE : fault);
}

/* Pass what there is of the body. False: the session ended. */
static bool
read_body(struct session *s)
{
	struct request   *r = s->req;
	struct lane_pool *pool = &s->gw->lanes;

	for (int i = 0; i < READS && !r->back_whole; i++) {
		struct span pass;
		size_t      used = 0, may;
		ssize_t     n;

		if (!outbox_is_empty(&s->down.kept) || !s->origin->side.readable || !(may = throttle_take(s, pool->scratch_size)))
			return true;
		n = side_read(&s->origin->side, pool->scratch, may);
		throttle_settle(s, may, n);
		if (n < 0 && errno == EAGAIN)
			return true;
		if (n <= 0) {
			body_ended(s, n);
			return s->state != SESSION_DONE;
		}
		if (!take_back(r, pool->scratch, (size_t)n, &used, &pass)) {
			session_finish(s, FAULT_BAD_RESPONSE);
			return false;
		}
		if (used < (size_t)n)
			r->back_keep = false;
		session_deadline(s, r->snap->set->response_timeout_ms);
		if (pass.n && !send_down(s, pass, SPAN("")))
			return false;
	}
	if (!r->back_whole)
		watch_again(&s->origin->side.watch, WATCH_READ); /* others want a turn */
	return true;
}

void
response_read(struct session *s)
{
	struct request *r = s->req;

	if (!r->replied && !read_head(s))
		return;
	if (!r->back_whole && !read_body(s))
		return;
	if (r->back_whole && outbox_is_empty(&s->down.kept))
		forward_done(s);
}
