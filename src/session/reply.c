/* SPDX-License-Identifier: MIT */
/*
 * reply: answers of our own: the 200 of a CONNECT, error pages, and the wait until a client that we are done with has gone.
 */
#include <errno.h>
#include <stdio.h>

#include "net/sock.h"
#include "session/compose.h"
#include "session/page.h"
#include "session/session.h"

/* how the buffer that answers are put together in is cut up; gateway.c makes it large enough */
#define HEAD_ROOM    (64u << 10)
#define TAIL_ROOM    128u
#define PAGE_ROOM    (128u << 10)
#define LINGER_BYTES (1u << 20)

void
linger_begin(struct session *s)
{
	/* closing with bytes unread would reset the connection and lose our answer on its way (RFC 9112 9.6) */
	session_drop_origin(s);
	request_free(s);
	authenticate_forget(s);
	buf_release(&s->in, &s->gw->bufs);
	side_shut_write(&s->client);
	session_move(s, SESSION_LINGER);
	linger_read(s);
}

void
linger_read(struct session *s)
{
	while (s->client.readable && s->lingered < LINGER_BYTES) {
		ssize_t r = side_read(&s->client, s->gw->lanes.scratch, s->gw->lanes.scratch_size);
		if (r < 0 && errno == EAGAIN)
			return;
		if (r <= 0) {
			session_finish(s, FAULT_NONE);
			return;
		}
		s->lingered += (uint64_t)r;
	}
	if (s->lingered >= LINGER_BYTES)
		session_finish(s, FAULT_NONE);
}

/* Our answer is with the client. */
static void
after_reply(struct session *s)
{
	if (s->keep && !s->eof && s->req->drains) {
		session_move(s, SESSION_DRAIN);
		drain_read(s);
	} else {
		reply_done(s);
	}
}

void
reply_done(struct session *s)
{
	record_request(s, s->req->fault);
	if (!s->keep || s->eof) {
		linger_begin(s);
		return;
	}
	request_free(s);
	session_next_request(s);
}

void
session_next_request(struct session *s)
{
	s->head_seen = 0;
	session_move(s, SESSION_HEAD);
	if (buf_size(&s->in) == 0)
		buf_release(&s->in, &s->gw->bufs);
	/* through the loop, not by a call: a client may have sent a thousand requests at once */
	if (buf_size(&s->in) || s->client.readable) {
		s->client.readable = true;
		watch_again(&s->client.watch, WATCH_READ);
	}
}

void
reply_continue(struct session *s)
{
	switch (outbox_flush(&s->down.kept, &s->client)) {
	case OUTBOX_SENT:
		after_reply(s);
		break;
	case OUTBOX_BROKEN:
		session_finish(s, FAULT_CLIENT_ABORTED);
		break;
	case OUTBOX_KEPT:
		break;
	}
}

static void
send_reply(struct session *s, struct span head, struct span content)
{
	session_move(s, SESSION_REPLY);
	s->req->bytes_out += head.n + content.n;
	switch (outbox_send(&s->down.kept, &s->client, head, content)) {
	case OUTBOX_SENT:
		after_reply(s);
		break;
	case OUTBOX_BROKEN:
		session_finish(s, FAULT_CLIENT_ABORTED);
		break;
	case OUTBOX_KEPT:
		break;
	}
}

static struct span
target_text(const struct request *r, char *buf, size_t n)
{
	bool        is_https = r->url.scheme == SCHEME_HTTPS;
	const char *scheme = r->is_connect ? "" : is_https ? "https://" : r->url.scheme == SCHEME_HTTP ? "http://" : "";
	const char *open = "", *close = "";
	char        port[8] = "";
	int         len;

	if (!r->has_target)
		return SPAN("-");
	if (r->at.host.kind == HOST_ADDR && !addr_is_v4(&r->at.host.addr)) {
		open = "[";
		close = "]";
	}
	if (r->is_connect || (r->at.port && r->at.port != (is_https ? 443 : 80)))
		snprintf(port, sizeof port, ":%u", r->at.port);
	len = snprintf(buf, n, "%s%s%s%s%s%.*s", scheme, open, r->at.host.text, close, port,
	    (int)(r->is_connect ? 0 : r->url.path.n > 512 ? 512 : r->url.path.n), r->url.path.n ? r->url.path.p : "");
	return span_of(buf, len < 0 ? 0 : (size_t)len < n ? (size_t)len : n - 1);
}

/* Can the connection carry another request after this answer? Only when we know where the next one begins, and what came was in order. A CONNECT is
 * challenged on a connection that stays, but what a client sent behind it already was meant for its tunnel. */
static bool
can_keep(const struct session *s, const struct request *r)
{
	bool unclear = strcmp(fault_row(r->fault)->token, "http_request_error") == 0 && r->fault != FAULT_MISDIRECTED;

	if (!s->keep || unclear || !r->snap || !r->has_target)
		return false;
	return r->is_connect ? r->status == 407 && buf_size(&s->in) == 0 : drain_is_possible(s);
}

static void
decide_keep(struct session *s)
{
	s->keep = can_keep(s, s->req);
	s->req->drains = s->keep && s->req->head.body != BODY_NONE && s->state != SESSION_FORWARD;
}

/* The answer is our own from here on: nothing more is asked of anybody else. */
static void
take_over(struct session *s, enum fault fault, uint16_t status)
{
	struct request *r = s->req;

	session_cancel_errands(s);
	session_drop_origin(s);
	outbox_clear(&s->up.kept);
	r->fault = fault;
	r->status = status;
	decide_keep(s);
}

static size_t
render(const struct session *s, const struct snapshot *snap, struct span action, char *page)
{
	const struct request   *r = s->req;
	const struct fault_row *row = fault_row(r->fault);
	char                    id[17], target[1024], status[8];

	snprintf(id, sizeof id, "%016llx", (unsigned long long)r->id);
	snprintf(status, sizeof status, "%u", row->status);
	struct span rule = r->has_verdict ? policy_rule_name(snap->policy, r->verdict.rule) : SPAN("-");
	struct span reason = r->has_verdict && r->verdict.rule != RULE_NONE ? policy_rule_reason(snap->policy, r->verdict.rule) : SPAN("");
	const struct span field[PAGE_FIELDS] = {
		[PAGE_STATUS] = span_str(status),
		[PAGE_PHRASE] = span_str(status_phrase(row->status)),
		[PAGE_SENTENCE] = span_str(row->sentence),
		[PAGE_DETAIL] = span_str(r->detail),
		[PAGE_RULE] = rule,
		[PAGE_REASON] = reason,
		[PAGE_TARGET] = target_text(r, target, sizeof target),
		[PAGE_ID] = span_str(id),
		[PAGE_CONTACT] = snapshot_text(snap, snap->set->contact),
		[PAGE_GATEWAY] = snapshot_text(snap, snap->set->visible_name),
		[PAGE_ACTION] = action,
	};
	return action.n ? page_render_warning(field, page, PAGE_ROOM) : page_render(snap, row->status, field, page, PAGE_ROOM);
}

static bool
wants_no_content(const struct request *r)
{
	return r->has_target && r->head.method_id == METHOD_HEAD;
}

/* A page: with a button when there is an action. */
static void
send_page(struct session *s, enum fault fault, struct span action)
{
	const struct fault_row *row = fault_row(fault);
	struct request         *r = s->req;
	const struct snapshot  *snap = r->snap ? r->snap : s->gw->snap;
	char                   *head = s->gw->compose, *page = head + HEAD_ROOM;
	size_t                  n_head, n_page;

	take_over(s, fault, row->status);
	n_page = render(s, snap, action, page);
	n_head = (size_t)snprintf(head, HEAD_ROOM,
	    "HTTP/1.1 %u %s\r\n%.*sContent-Type: text/html; charset=utf-8\r\nContent-Length: %zu\r\nCache-Control: no-store\r\n"
	    "X-Content-Type-Options: nosniff\r\nProxy-Status: %.*s; error=%s; details=\"%s\"\r\n",
	    row->status, status_phrase(row->status), SPAN_ARG(gateway_date(s->gw)), n_page, SPAN_ARG(snapshot_text(snap, snap->set->proxy_status)), row->token, row->word);
	if (action.n)
		n_head += (size_t)snprintf(head + n_head, HEAD_ROOM - TAIL_ROOM - n_head,
		    "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'\r\n"
		    "Referrer-Policy: same-origin\r\n");
	if (r->snap && !s->inside)
		n_head += authenticate_fields(s, fault, head + n_head, HEAD_ROOM - TAIL_ROOM - n_head);
	if (fault == FAULT_RULE_LIMIT || fault == FAULT_QUEUE_TIMEOUT) /* not all of a herd at the same moment again */
		n_head += (size_t)snprintf(head + n_head, HEAD_ROOM - TAIL_ROOM - n_head, "Retry-After: %u\r\n", 2 + (unsigned)(r->id % 8));
	n_head += (size_t)snprintf(head + n_head, TAIL_ROOM, "%sConnection: %s\r\n\r\n",
	    s->keep && row->status == 407 && r->head.seen & 1u << FIELD_PROXY_CONNECTION ? "Proxy-Connection: keep-alive\r\n" : "", s->keep ? "keep-alive" : "close");
	send_reply(s, span_of(head, n_head), wants_no_content(r) ? SPAN("") : span_of(page, n_page));
}

/* A transparent client that speaks TLS understands no answer of ours: the connection closes, and the log has what it would have been. */
static void
end_silently(struct session *s, enum fault fault)
{
	s->req->status = fault_row(fault)->status;
	session_finish(s, fault);
}

void
reply_fault(struct session *s, enum fault fault)
{
	if (!fault_row(fault)->status || (!s->req && !request_new(s)))
		session_finish(s, fault);
	else if (s->req->is_connect && s->req->status == 200) /* the client takes what comes for its tunnel's */
		session_finish(s, fault);
	else if (s->req->sniffed)
		end_silently(s, fault);
	else
		send_page(s, fault, SPAN(""));
}

void
reply_warning(struct session *s, enum fault fault, struct span action)
{
	send_page(s, fault, action);
}

void
reply_elsewhere(struct session *s, enum fault fault, uint16_t status, struct span location, struct span more)
{
	static const char content[] = "This request is sent to another place, which the Location field names.\n";
	struct request   *r = s->req;
	struct compose    o = {.p = s->gw->compose, .room = HEAD_ROOM};
	char              text[192];

	take_over(s, fault, status);
	put(&o, span_of(text, (size_t)snprintf(text, sizeof text, "HTTP/1.1 %u %s\r\n", status, status_phrase(status))));
	put(&o, gateway_date(s->gw));
	put(&o, SPAN("Location: "));
	put(&o, location);
	put(&o, SPAN("\r\n"));
	put(&o, more);
	put(&o, span_of(text, (size_t)snprintf(text, sizeof text,
	    "Content-Type: text/plain\r\nContent-Length: %zu\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: %s\r\n\r\n", sizeof content - 1,
	    s->keep ? "keep-alive" : "close")));
	if (o.full)
		reply_fault(s, FAULT_INTERNAL); /* the options and addresses that come here are shorter */
	else
		send_reply(s, compose_span(&o), wants_no_content(r) ? SPAN("") : SPAN(content));
}

void
reply_own(struct session *s, uint16_t status, struct compose *head, struct span content)
{
	take_over(s, FAULT_NONE, status);
	put(head, s->keep ? SPAN("Connection: keep-alive\r\n\r\n") : SPAN("Connection: close\r\n\r\n"));
	if (head->full)
		reply_fault(s, FAULT_INTERNAL); /* the fields that come here are shorter */
	else
		send_reply(s, compose_span(head), content);
}

void
reply_trace(struct session *s)
{
	struct request *r = s->req;
	char           *head = s->gw->compose, *page = head + HEAD_ROOM;
	size_t          n_head, n = 0, at = 0;
	struct field    f;

	r->status = 200;
	r->fault = FAULT_NONE;
	decide_keep(s);
	if (r->head.method_id == METHOD_OPTIONS) {
		n_head = (size_t)snprintf(head, HEAD_ROOM, "HTTP/1.1 200 OK\r\n%.*sAllow: GET, HEAD, POST, PUT, DELETE, CONNECT, OPTIONS, TRACE, PATCH\r\nContent-Length: 0\r\nConnection: %s\r\n\r\n",
		    SPAN_ARG(gateway_date(s->gw)), s->keep ? "keep-alive" : "close");
		send_reply(s, span_of(head, n_head), SPAN(""));
		return;
	}
	memcpy(page, r->head.line.p, r->head.line.n);
	n = r->head.line.n;
	memcpy(page + n, "\r\n", 2);
	n += 2;
	/* RFC 9110 9.3.8: what is likely to be secret is not sent back */
	while (head_field_next(&r->head, &at, &f)) {
		if (f.id == FIELD_AUTHORIZATION || f.id == FIELD_PROXY_AUTHORIZATION || span_eq_nocase(f.name, SPAN("cookie")))
			continue;
		memcpy(page + n, f.line.p, f.line.n);
		n += f.line.n;
	}
	memcpy(page + n, "\r\n", 2);
	n += 2;
	n_head = (size_t)snprintf(head, HEAD_ROOM, "HTTP/1.1 200 OK\r\n%.*sContent-Type: message/http\r\nContent-Length: %zu\r\nConnection: %s\r\n\r\n",
	    SPAN_ARG(gateway_date(s->gw)), n,
	    s->keep ? "keep-alive" : "close");
	send_reply(s, span_of(head, n_head), span_of(page, n));
}

/* The tunnel stands. */
static void
established(struct session *s)
{
	const struct verdict *v = &s->req->verdict;

	if (s->inside || (v->action == ACTION_BYPASS && v->guard != GUARD_OFF))
		peek_begin(s);
	else
		tunnel_begin(s);
}

void
reply_established(struct session *s)
{
	struct request      *r = s->req;
	char                *ok = s->gw->compose;
	size_t               n = (size_t)(stpcpy(ok, "HTTP/1.1 200 Connection established\r\n") - ok);

	r->status = 200;
	r->first_byte_ms = (uint32_t)((loop_now_us(s->gw->loop) - r->start_us) / 1000);
	if (r->sniffed) { /* nobody waits for it */
		established(s);
		return;
	}
	n += authenticate_info(r, ok + n, HEAD_ROOM);
	n += (size_t)(stpcpy(ok + n, "\r\n") - (ok + n));
	r->bytes_out += n;
	if (outbox_send(&s->down.kept, &s->client, span_of(ok, n), SPAN("")) == OUTBOX_BROKEN) {
		session_finish(s, FAULT_CLIENT_ABORTED);
		return;
	}
	established(s);
}
