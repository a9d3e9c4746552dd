/* SPDX-License-Identifier: MIT */
#include "session/session.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/log.h"
#include "net/sock.h"
#include "session/count.h"
#include "session/greet.h"
#include "session/inspect.h"
#include "session/listener_tls.h"
#include "session/logon.h"
#include "session/pass.h"

#define LINGER_MS 2000u

static void on_client(void *arg, unsigned what);
static void on_deadline(void *arg);

#define TO(state) (1u << SESSION_##state)
/* Which state may follow which. */
static const uint32_t edges[SESSION_STATES] = {
	[SESSION_ACCEPTED] = TO(GREET) | TO(CLIENT_TLS) | TO(HEAD) | TO(DONE),
	[SESSION_GREET] = TO(CLIENT_TLS) | TO(HEAD) | TO(GATE) | TO(DONE),
	[SESSION_HEAD] = TO(HEAD) | TO(GATE) | TO(REPLY) | TO(DONE),
	[SESSION_GATE] = TO(QUEUE) | TO(LOOKUP) | TO(AUTH) | TO(DIAL) | TO(FORWARD) | TO(REPLY) | TO(PEEK) | TO(LEAF) | TO(DONE),
	[SESSION_LOOKUP] = TO(GATE) | TO(REPLY) | TO(TUNNEL) | TO(ORIGIN_TLS) | TO(LINGER) | TO(DONE),
	[SESSION_AUTH] = TO(GATE) | TO(REPLY) | TO(DONE),
	[SESSION_QUEUE] = TO(GATE) | TO(LOOKUP) | TO(DIAL) | TO(FORWARD) | TO(REPLY) | TO(LEAF) | TO(DONE),
	[SESSION_DIAL] = TO(GATE) | TO(DIAL) | TO(PARENT) | TO(FORWARD) | TO(REPLY) | TO(PEEK) | TO(TUNNEL) | TO(ORIGIN_TLS) | TO(LEAF) | TO(DONE),
	[SESSION_PARENT] = TO(GATE) | TO(DIAL) | TO(AUTH) | TO(FORWARD) | TO(REPLY) | TO(PEEK) | TO(TUNNEL) | TO(ORIGIN_TLS) | TO(LEAF) | TO(LINGER) | TO(DONE),
	[SESSION_FORWARD] = TO(HEAD) | TO(GATE) | TO(REPLY) | TO(TUNNEL) | TO(LINGER) | TO(DONE),
	[SESSION_DRAIN] = TO(HEAD) | TO(LINGER) | TO(DONE),
	[SESSION_REPLY] = TO(HEAD) | TO(DRAIN) | TO(PEEK) | TO(TUNNEL) | TO(LINGER) | TO(DONE),
	[SESSION_PEEK] = TO(LOOKUP) | TO(TUNNEL) | TO(ORIGIN_TLS) | TO(LEAF) | TO(CLIENT_TLS) | TO(GATE) | TO(LINGER) | TO(DONE),
	[SESSION_ORIGIN_TLS] = TO(LEAF) | TO(CLIENT_TLS) | TO(FORWARD) | TO(REPLY) | TO(LINGER) | TO(DONE),
	[SESSION_LEAF] = TO(PEEK) | TO(CLIENT_TLS) | TO(REPLY) | TO(LINGER) | TO(DONE),
	[SESSION_CLIENT_TLS] = TO(HEAD) | TO(FRONT) | TO(LINGER) | TO(DONE),
	[SESSION_FRONT] = TO(DONE),
	[SESSION_TUNNEL] = TO(DONE),
	[SESSION_LINGER] = TO(DONE),
	[SESSION_DONE] = 0,
};

static const char *
state_name(unsigned state)
{
	static const char *const name[] = {
		[SESSION_ACCEPTED] = "accepted", [SESSION_GREET] = "greet", [SESSION_HEAD] = "head", [SESSION_GATE] = "gate", [SESSION_LOOKUP] = "lookup",
		[SESSION_AUTH] = "auth", [SESSION_QUEUE] = "queue", [SESSION_DIAL] = "dial", [SESSION_PARENT] = "parent", [SESSION_FORWARD] = "forward",
		[SESSION_DRAIN] = "drain", [SESSION_REPLY] = "reply", [SESSION_PEEK] = "peek", [SESSION_ORIGIN_TLS] = "origin-tls", [SESSION_LEAF] = "leaf",
		[SESSION_CLIENT_TLS] = "client-tls", [SESSION_FRONT] = "front", [SESSION_TUNNEL] = "tunnel", [SESSION_LINGER] = "linger", [SESSION_DONE] = "done",
	};

	return name[state];
}

static uint64_t
state_ms(const struct session *s, enum session_state state)
{
	const struct settings *set = s->gw->snap->set;

	switch (state) {
	case SESSION_HEAD:
		/* between two requests the connection may rest; from the first byte on (head.c) the head must come */
		return s->req ? set->head_timeout_ms : s->id ? set->keepalive_timeout_ms : set->head_timeout_ms;
	case SESSION_LOOKUP:
		return set->dns_timeout_ms * 2 + 1000; /* the resolver has its own; this one is the net below it */
	case SESSION_AUTH:
		return s->req->snap->set->auth.timeout_ms + 1000; /* the desk has its own; likewise */
	case SESSION_DIAL:
		return set->connect_timeout_ms;
	case SESSION_GREET:
	case SESSION_PEEK:
	case SESSION_CLIENT_TLS:
		return set->head_timeout_ms;
	case SESSION_PARENT:
		return set->connect_timeout_ms;
	case SESSION_ORIGIN_TLS:
		return set->connect_timeout_ms;
	case SESSION_LEAF:
		return set->inspection.signer_timeout_ms + 1000; /* the desk of leaves has its own */
	case SESSION_FRONT:
		return set->keepalive_timeout_ms;
	case SESSION_TUNNEL:
		return set->idle_timeout_ms;
	case SESSION_LINGER:
		return LINGER_MS;
	case SESSION_QUEUE:
		return set->queue_timeout_ms; /* the request's own snapshot may say another */
	default:
		return set->response_timeout_ms;
	}
}

#define HOLDS_NO_PLACE (TO(HEAD) | TO(REPLY) | TO(DRAIN) | TO(LINGER) | TO(FRONT) | TO(DONE))

/* What it waited for, and what it held of a rule's, is given back where it is not needed any more. */
static void
settle_limits(struct session *s, enum session_state next)
{
	if (s->wait.on)
		(s->state == SESSION_QUEUE ? queue_quit : throttle_quit)(s);
	if (s->held && HOLDS_NO_PLACE & 1u << next)
		queue_release(s);
}

void
session_deadline(struct session *s, uint64_t ms)
{
	timer_set(s->gw->loop, &s->timer, ms);
}

void
session_move(struct session *s, enum session_state next)
{
	assert(edges[s->state] & 1u << next);
	log_debug("session %016" PRIx64 " (request %016" PRIx64 "): %s -> %s", s->id, s->req ? s->req->id : 0, state_name(s->state), state_name(next));
	if (s->wait.on || s->held)
		settle_limits(s, next);
	s->state = (uint8_t)next;
	if (next == SESSION_DONE)
		timer_clear(&s->timer);
	else if (next != SESSION_GATE) /* gate never waits: what follows it arms */
		session_deadline(s, state_ms(s, next));
}

struct request *
request_new(struct session *s)
{
	struct request *r = calloc(1, sizeof *r);

	if (!r)
		return NULL;
	r->id = s->gw->next_id++;
	r->start_us = loop_now_us(s->gw->loop);
	r->resolve_ms = r->connect_ms = r->tls_ms = r->first_byte_ms = r->queue_ms = MS_NONE;
	s->req = r;
	if (!s->id)
		s->id = r->id;
	return r;
}

void
session_cancel_errands(struct session *s)
{
	struct request *r = s->req;

	if (r->job)
		resolve_job_cancel(r->job);
	r->job = NULL;
	if (r->dial)
		dial_cancel(r->dial);
	r->dial = NULL;
	if (r->fetch)
		aia_cancel(r->fetch);
	r->fetch = NULL;
	if (r->leaf_job)
		leaf_cancel(r->leaf_job);
	r->leaf_job = NULL;
	tls_end_free(r->shake);
	r->shake = NULL;
	logon_cancel(r->logon);
	pass_cancel(r);
}

void
request_note_tls(struct request *r, const char *detail)
{
	if (!detail || !*detail)
		return;
	free(r->tls_detail);
	r->detail = r->tls_detail = strdup(detail);
}

void
request_free(struct session *s)
{
	struct request *r = s->req;

	if (!r)
		return;
	session_cancel_errands(s);
	resolved_unref(r->resolved);
	logon_free(r->logon);
	identity_unref(r->identity);
	inspection_free(r->inspection);
	tls_context_unref(r->tls);
	pass_drop(r);
	free(r->sni);
	free(r->tls_detail);
	free(r->url_text);
	buf_release(&r->back_in, &s->gw->bufs);
	buf_release(&r->text, &s->gw->bufs);
	snapshot_unref(r->snap);
	free(r);
	s->req = NULL;
}

void
session_drop_origin(struct session *s)
{
	origin_free(s->origin);
	s->origin = NULL;
}

/* Among the gateway's. */
static void
enlist(struct session *s, struct gateway *gw, const struct endpoint *peer, uint16_t slot)
{
	s->gw = gw;
	s->peer = *peer;
	s->slot = slot;
	s->active_us = loop_now_us(gw->loop);
	timer_init(&s->timer, on_deadline, s);
	TAILQ_INSERT_TAIL(&gw->sessions, s, link);
	gw->n_sessions++;
}

void
session_tally(struct session *s)
{
	tally_add(s->gw->shared, s->gw->worker, &s->peer.addr);
	s->tallied = true;
}

void
session_accept(struct gateway *gw, struct slot *slot, int fd, const struct endpoint *peer, bool greets)
{
	struct session *s = calloc(1, sizeof *s);

	if (!s || !watch_init(&s->client.watch, gw->loop, fd, WATCH_READ | WATCH_WRITE | WATCH_CLOSED, on_client, s)) {
		free(s);
		sock_close(fd);
		return;
	}
	s->client.fd = fd;
	s->client.writable = true;
	gw->count->open++;
	gw->count->accepted++;
	s->counted_at = count_listener(gw, (uint16_t)(slot - gw->slot));
	count_of_listener(gw, s->counted_at)->accepted++;
	count_of_listener(gw, s->counted_at)->open++;
	enlist(s, gw, peer, (uint16_t)(slot - gw->slot));
	if (greets) {
		greet_begin(s);
		return;
	}
	session_tally(s);
	session_move(s, SESSION_HEAD);
}

/* A stream in the open may be a tunnel, for hours: it counts as the connection that HTTP/1.1 would take for it. */
static bool
may_stream(struct gateway *gw, const struct session *parent)
{
	const struct settings *set = gw->snap->set;

	if (parent->inside)
		return true;
	if (gw->n_sessions - gw->n_streams >= set->max_connections)
		return false;
	if (!set->max_connections_per_client || tally_count(gw->shared, &parent->peer.addr) < set->max_connections_per_client)
		return true;
	gw->count->refused_limit++;
	return false;
}

bool
session_open_stream(struct session *parent, struct carrier *stream)
{
	struct gateway *gw = parent->gw;
	struct session *s = may_stream(gw, parent) ? calloc(1, sizeof *s) : NULL;

	if (!s)
		return false;
	s->is_stream = true;
	s->id = parent->id;
	s->inside = parent->inside ? inside_ref(parent->inside) : NULL;
	s->outer = outer_ref(parent->outer);
	s->counted_at = parent->counted_at;
	s->client.fd = -1;
	watch_init_idle(&s->client.watch, gw->loop, on_client, s);
	side_carry(&s->client, stream);
	enlist(s, gw, &parent->peer, parent->slot);
	session_move(s, SESSION_HEAD);
	s->is_bounded = s->inside != NULL;
	if (s->is_bounded)
		gw->n_streams++;
	else
		session_tally(s);
	watch_again(&s->client.watch, WATCH_READ);
	return true;
}

/* The lines of what was under way. */
static void
tell_log(struct session *s, enum fault fault)
{
	bool had_request = s->req || s->memo;

	if (s->req) {
		session_cancel_errands(s);
		record_request(s, s->req->fault != FAULT_NONE ? s->req->fault : fault);
		request_free(s);
	}
	if (s->memo) {
		memo_record(s, s->memo, fault, SPAN(""));
		s->gw->count->tunnels_open--;
	}
	memo_free(s->memo);
	s->memo = NULL;
	if (s->connect)
		inspect_end(s, had_request ? FAULT_NONE : fault);
}

void
session_finish(struct session *s, enum fault fault)
{
	struct gateway *gw = s->gw;
	/* what broke off must not look complete: bytes in a tunnel, or a response that only the end of the connection ends */
	bool broken = fault != FAULT_NONE && (s->state == SESSION_TUNNEL || s->state == SESSION_PEEK ||
	                                         (s->state == SESSION_FORWARD && (s->req->back.kind == BODY_TO_CLOSE || s->req->decode)));
	bool            client_left = fault == FAULT_CLIENT_ABORTED, origin_left = fault == FAULT_ORIGIN_RESET;

	if (s->state == SESSION_DONE)
		return;
	if (s->state == SESSION_CLIENT_TLS && !s->req)
		listener_tls_end(s);
	session_move(s, SESSION_DONE);
	tell_log(s, fault);
	streams_end(s);
	authenticate_forget(s);
	lane_clear(&s->up, &gw->lanes);
	lane_clear(&s->down, &gw->lanes);
	buf_release(&s->in, &gw->bufs);
	(broken && !client_left ? side_reset : side_close)(&s->client);
	(fault != FAULT_NONE && !origin_left ? origin_reset : origin_free)(s->origin);
	s->origin = NULL;
	inside_unref(s->inside);
	s->inside = NULL;
	outer_unref(s->outer);
	s->outer = NULL;
	if (s->is_bounded)
		gw->n_streams--;
	if (s->tallied)
		tally_remove(gw->shared, gw->worker, &s->peer.addr);
	if (!s->is_stream) {
		gw->count->open--;
		if (count_of_listener(gw, s->counted_at)->open)
			count_of_listener(gw, s->counted_at)->open--;
	}
	free(s->original);
	s->original = NULL;
	gateway_forget(gw, s);
	loop_bury(gw->loop, &s->grave);
}

/* While the client only waits, its half-close is fine (it has asked), but a reset ends the errand. */
static void
note_abort(struct session *s)
{
	if (s->client.readable && side_failed(&s->client))
		session_finish(s, FAULT_CLIENT_ABORTED);
}

/* In front of a limit others wait behind it: of a CONNECT a half-close means that nobody will use its tunnel. */
static void
note_leaving(struct session *s)
{
	if (s->client.closed && s->req->is_connect)
		session_finish(s, FAULT_CLIENT_ABORTED);
	else
		note_abort(s);
}

static void
on_client(void *arg, unsigned what)
{
	struct session *s = arg;

	side_note(&s->client, what);
	switch ((enum session_state)s->state) {
	case SESSION_GREET:
		greet_on_client(s);
		break;
	case SESSION_HEAD:
		if (s->client.readable)
			head_read(s);
		break;
	case SESSION_FORWARD:
		forward_on_client(s);
		break;
	case SESSION_REPLY:
		reply_continue(s);
		break;
	case SESSION_DRAIN:
		drain_read(s);
		break;
	case SESSION_PEEK:
		peek_pump(s);
		break;
	case SESSION_CLIENT_TLS:
		(s->req ? inspect_on_client : listener_tls_on_client)(s);
		break;
	case SESSION_FRONT:
		streams_on_event(s);
		break;
	case SESSION_TUNNEL:
		tunnel_on_client(s, what);
		break;
	case SESSION_LINGER:
		linger_read(s);
		break;
	case SESSION_QUEUE:
		note_leaving(s);
		break;
	default:
		note_abort(s);
		break;
	}
}

void
session_go_on(struct session *s)
{
	switch ((enum session_state)s->state) {
	case SESSION_FORWARD:
		forward_on_client(s);
		break;
	case SESSION_PEEK:
		peek_pump(s);
		break;
	case SESSION_TUNNEL:
		tunnel_on_client(s, 0);
		break;
	default:
		break;
	}
}

void
session_on_origin(struct session *s, unsigned what)
{
	switch ((enum session_state)s->state) {
	case SESSION_DIAL:
		reach_on_origin(s, what);
		break;
	case SESSION_PARENT:
		parent_on_origin(s);
		break;
	case SESSION_FORWARD:
		forward_on_origin(s);
		break;
	case SESSION_PEEK:
		peek_pump(s);
		break;
	case SESSION_ORIGIN_TLS:
		origin_tls_on_event(s);
		break;
	case SESSION_TUNNEL:
		tunnel_on_origin(s, what);
		break;
	default:
		if (s->state == SESSION_LEAF && !s->origin->side.carrier)
			break; /* before the 200: what it says is the tunnel's */
		/* kept for this client's next request: a server that speaks or leaves in between is of no more use */
		if (!origin_is_quiet(s->origin))
			session_drop_origin(s);
		break;
	}
}

static void
on_deadline(void *arg)
{
	struct session *s = arg;

	switch ((enum session_state)s->state) {
	case SESSION_GREET:
		greet_on_timeout(s);
		break;
	case SESSION_HEAD:
		if (s->req)
			reply_fault(s, FAULT_HEAD_TIMEOUT);
		else
			session_finish(s, FAULT_NONE);
		break;
	case SESSION_LOOKUP:
	case SESSION_DIAL:
		reach_on_timeout(s);
		break;
	case SESSION_PARENT:
		parent_on_timeout(s);
		break;
	case SESSION_AUTH:
		if (s->req->pass_job) {
			pass_on_timeout(s);
			break;
		}
		logon_explain(s->req->logon, "no answer");
		reply_fault(s, FAULT_AUTH_UNAVAILABLE);
		break;
	case SESSION_QUEUE:
		queue_on_timeout(s);
		break;
	case SESSION_FORWARD:
		forward_on_timeout(s);
		break;
	case SESSION_PEEK:
		peek_on_timeout(s);
		break;
	case SESSION_ORIGIN_TLS:
		origin_tls_on_timeout(s);
		break;
	case SESSION_CLIENT_TLS:
		(s->req ? inspect_on_timeout : listener_tls_on_timeout)(s);
		break;
	case SESSION_LEAF:
		inspect_on_timeout(s);
		break;
	case SESSION_FRONT:
		streams_on_timeout(s);
		break;
	case SESSION_TUNNEL:
		tunnel_on_timeout(s);
		break;
	case SESSION_LINGER:
		session_finish(s, FAULT_NONE);
		break;
	default:
		session_finish(s, FAULT_IDLE_TIMEOUT);
		break;
	}
}

void
session_drain(struct session *s, bool gentle)
{
	s->keep = false;
	if (s->state == SESSION_FRONT)
		streams_drain(s);
	else if ((s->state == SESSION_HEAD || s->state == SESSION_GREET) && !s->req && !gentle)
		session_finish(s, FAULT_NONE);
}
