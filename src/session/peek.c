/* SPDX-License-Identifier: MIT */
/*
 * peek: reads the first bytes of a tunnel until the ClientHello is whole.
 * As the guard of a bypass rule it judges whether that is what the rule let through: under `enforce` nothing passes in either direction before that; under
 * `report` bytes pass as they come and the finding is only written down. Where TLS is to be taken up, odd judges it. Alters no byte.
 */
#include <errno.h>
#include <stdlib.h>

#include "net/sock.h"
#include "policy/guard.h"
#include "session/inspect.h"

#define PEEK_MAX    (HELLO_MAX * 2) /* with record headers */
#define PEEK_SMALL  4096u           /* below it each arrival is looked at */
#define PEEK_REST_MS 16u            /* above it no more often than this */

static bool
is_report(const struct session *s)
{
	return !s->inside && s->req->verdict.guard == GUARD_REPORT;
}

/* Would the rule that let the CONNECT through hold for this server name as well? */
static enum fault
judge_hello(const struct request *r, const struct hello *h)
{
	struct facts f = r->facts;

	if (r->identity && !(f.user_row = identity_row(r->identity, r->snap)))
		return FAULT_NO_MEMORY;
	if (!r->parent)
		f.address = r->to; /* the tunnel's own: the name leads nowhere else */
	else if (r->at.host.kind == HOST_ADDR)
		f.address = r->at.host.addr; /* where a parent leads a name nobody here knows */
	if (!r->parent || r->at.host.kind == HOST_ADDR)
		f.known |= FACT_ADDRESS;
	return guard_judge(r->snap->policy, r->verdict.rule, &f, h->has_sni ? &h->sni : NULL);
}

void
peek_note_hello(struct request *r, const struct hello *h)
{
	if (h->has_sni) {
		free(r->sni);
		r->sni = strdup(h->sni.text);
	}
	r->ech = h->has_ech;
	memcpy(r->alpn, h->alpn, sizeof r->alpn);
}

/* The same findings, where TLS was to be taken up. */
static enum fault
inspect_finding(enum fault finding)
{
	switch (finding) {
	case FAULT_GUARD_NOT_TLS:
		return FAULT_INSPECT_NOT_TLS;
	case FAULT_GUARD_TIMEOUT:
		return FAULT_INSPECT_TIMEOUT;
	default:
		return FAULT_INSPECT_BAD_HELLO;
	}
}

static void
settle(struct session *s, enum fault finding)
{
	struct request *r = s->req;

	if (s->inside) {
		odd_no_hello(s, inspect_finding(finding));
		return;
	}
	if (finding == FAULT_NONE) {
		r->guard = GUARD_WORD_PASSED;
	} else if (is_report(s)) {
		r->guard = GUARD_WORD_REPORTED;
		s->gw->count->guard_reported++;
	} else {
		r->guard = GUARD_WORD_CLOSED;
		s->gw->count->guard_closed++;
		session_finish(s, finding);
		return;
	}
	tunnel_begin(s);
}

/* Look at what is there. True: settled, one way or the other. */
static bool
peek_parse(struct session *s)
{
	struct hello   h;
	enum hello_why why = HELLO_FINE;

	s->req->peeked_us = loop_now_us(s->gw->loop);
	switch (hello_parse(buf_span(&s->in), &h, &why)) {
	case PARSE_OK:
		peek_note_hello(s->req, &h);
		if (s->inside)
			odd_judge_hello(s, &h);
		else
			settle(s, judge_hello(s->req, &h));
		return true;
	case PARSE_BAD:
		settle(s, why == HELLO_NOT_TLS || why == HELLO_SSLV2 ? FAULT_GUARD_NOT_TLS : FAULT_GUARD_BAD_HELLO);
		return true;
	case PARSE_MORE:
		break;
	}
	if (buf_size(&s->in) < PEEK_MAX)
		return false;
	settle(s, FAULT_GUARD_BAD_HELLO);
	return true;
}

static uint64_t
left_ms(const struct session *s)
{
	uint64_t waited_ms = (loop_now_us(s->gw->loop) - s->active_us) / 1000, most_ms = s->req->snap->set->head_timeout_ms;

	return waited_ms < most_ms ? most_ms - waited_ms : 0;
}

/* A long hello that comes in crumbs is looked at now and then only: its cost must stay linear. */
static bool
is_time_to_look(struct session *s)
{
	if (buf_size(&s->in) <= PEEK_SMALL || buf_size(&s->in) >= PEEK_MAX || loop_now_us(s->gw->loop) - s->req->peeked_us >= PEEK_REST_MS * 1000)
		return true;
	session_deadline(s, PEEK_REST_MS);
	return false;
}

/* Under report: what came is passed on at once. False: the session ended. */
static bool
pass_on(struct session *s, struct span fresh)
{
	if (!is_report(s) || !fresh.n)
		return true;
	if (lane_push(&s->up, &s->origin->side, fresh) != LANE_BROKEN_TO)
		return true;
	session_finish(s, FAULT_ORIGIN_RESET);
	return false;
}

/* One read. False: nothing more, or ended. */
static bool
peek_fill(struct session *s)
{
	ssize_t r;
	size_t  room;

	if (!buf_make_room(&s->in, &s->gw->bufs, PEEK_MAX + 1)) {
		session_finish(s, FAULT_NO_MEMORY);
		return false;
	}
	room = s->in.room - s->in.n;
	r = side_read(&s->client, s->in.p + s->in.n, room);
	if (r < 0 && errno == EAGAIN)
		return false;
	if (r <= 0) {
		if (is_report(s) && r == 0)
			settle(s, FAULT_GUARD_NOT_TLS); /* the tunnel passes the end on */
		else
			session_finish(s, FAULT_CLIENT_ABORTED);
		return false;
	}
	s->in.n += (uint32_t)r;
	return pass_on(s, span_of(s->in.p + s->in.n - r, (size_t)r));
}

/* Read and judge. */
static void
peek_read(struct session *s)
{
	do {
		/* each crumb puts off the timer that looks again, so the time is kept here too */
		if (left_ms(s) == 0) {
			settle(s, FAULT_GUARD_TIMEOUT);
			return;
		}
		if (!outbox_is_empty(&s->up.kept))
			return; /* report: the origin is slow */
		if (buf_size(&s->in) && is_time_to_look(s) && peek_parse(s))
			return;
	} while (s->client.readable && peek_fill(s));
}

/* Send what waits, and under report pass on what the origin says. False: the session ended. */
static bool
peek_send(struct session *s)
{
	enum lane_answer answer = LANE_WAITS;

	if (is_report(s))
		answer = throttle_pump(s, &s->down, &s->origin->side, &s->client);
	else if (s->client.writable && outbox_flush(&s->down.kept, &s->client) == OUTBOX_BROKEN) /* the answer to the CONNECT */
		answer = LANE_BROKEN_TO;
	switch (answer) {
	case LANE_BROKEN_FROM:
		session_finish(s, FAULT_ORIGIN_RESET);
		return false;
	case LANE_BROKEN_TO:
		session_finish(s, FAULT_CLIENT_ABORTED);
		return false;
	case LANE_AGAIN:
		watch_again(&s->origin->side.watch, WATCH_READ);
		break;
	case LANE_WAITS:
	case LANE_DRY:
	case LANE_DONE:
		break;
	}
	if (!s->origin || outbox_flush(&s->up.kept, &s->origin->side) != OUTBOX_BROKEN)
		return true;
	session_finish(s, FAULT_ORIGIN_RESET);
	return false;
}

void
peek_pump(struct session *s)
{
	if (!peek_send(s))
		return;
	if (odd_server_spoke(s))
		odd_no_hello(s, FAULT_INSPECT_NOT_TLS);
	else
		peek_read(s);
}

void
peek_begin(struct session *s)
{
	session_move(s, SESSION_PEEK);
	s->active_us = loop_now_us(s->gw->loop);
	if (pass_on(s, buf_span(&s->in)))
		peek_pump(s);
}

void
peek_on_timeout(struct session *s)
{
	uint64_t left = left_ms(s);

	if (left)
		session_deadline(s, left);
	peek_read(s);
}
