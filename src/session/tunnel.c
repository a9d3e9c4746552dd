/* SPDX-License-Identifier: MIT */
/*
 * tunnel: two lanes between client and origin, each shut on its own; over when both are shut.
 * Keeps no request: what the log line needs is in the memo, so that an idle tunnel stays small.
 */
#include "net/listener.h"
#include "net/sock.h"
#include "session/session.h"

#define SETTLE_MS 30000u /* a tunnel that lives this long gets keepalive towards its origin */
#define REST_MS   1000u  /* a bulk lane that moved nothing for this long gives its pipe back */

static void
arm(struct session *s)
{
	uint64_t idle_ms = (loop_now_us(s->gw->loop) - s->active_us) / 1000, most_ms = s->memo_idle_ms, left;

	left = idle_ms < most_ms ? most_ms - idle_ms : 0;
	if (!s->settled && left > SETTLE_MS)
		left = SETTLE_MS;
	if ((s->up.conduit || s->down.conduit) && left > REST_MS)
		left = REST_MS;
	session_deadline(s, left);
}

static void tunnel_pump(struct session *s);

void
tunnel_begin(struct session *s)
{
	struct buf back = s->req->back_in;
	bool       sent_early = s->state == SESSION_PEEK && !s->inside && s->req->verdict.guard == GUARD_REPORT;

	s->memo = memo_new(s);
	if (!s->memo) {
		session_finish(s, FAULT_NO_MEMORY);
		return;
	}
	s->gw->count->tunnels_open++;
	s->memo_idle_ms = s->req->snap->set->idle_timeout_ms;
	s->req->back_in = (struct buf){0};
	s->limited_by = (uint16_t)policy_rule_way(s->req->snap->policy, s->req->verdict.rule)->slot;
	if (throttle_holds(s))
		throttle_charge(s, buf_size(&s->in) + buf_size(&back));
	if (s->req->is_connect) { /* it was to be inspected, and passes as it is */
		inside_unref(s->inside);
		s->inside = NULL;
	}
	request_free(s);
	authenticate_forget(s); /* nothing more is asked on this connection */
	session_move(s, SESSION_TUNNEL);
	s->active_us = loop_now_us(s->gw->loop);
	s->gw->count->tunnels++;
	arm(s);
	if (buf_size(&s->in) && !sent_early && lane_push(&s->up, &s->origin->side, buf_span(&s->in)) == LANE_BROKEN_TO) {
		buf_release(&back, &s->gw->bufs);
		session_finish(s, FAULT_ORIGIN_RESET);
		return;
	}
	buf_release(&s->in, &s->gw->bufs);
	if (buf_size(&back) && lane_push(&s->down, &s->client, buf_span(&back)) == LANE_BROKEN_TO) {
		buf_release(&back, &s->gw->bufs);
		session_finish(s, FAULT_CLIENT_ABORTED);
		return;
	}
	buf_release(&back, &s->gw->bufs);
	tunnel_pump(s);
}

/* One lane; false: it broke, and the session is over. */
static bool
pump(struct session *s, struct lane *l, struct side *from, struct side *to, enum fault from_broke, enum fault to_broke)
{
	bool was_bulk = l->conduit != NULL;

	switch (throttle_pump(s, l, from, to)) {
	case LANE_BROKEN_FROM:
		session_finish(s, from_broke);
		return false;
	case LANE_BROKEN_TO:
		session_finish(s, to_broke);
		return false;
	case LANE_AGAIN:
		watch_again(&from->watch, WATCH_READ);
		break;
	case LANE_WAITS:
	case LANE_DRY:
	case LANE_DONE:
		break;
	}
	if (l->conduit && !was_bulk)
		session_deadline(s, REST_MS);
	return true;
}

static void
tunnel_pump(struct session *s)
{
	struct side *origin = &s->origin->side;

	s->active_us = loop_now_us(s->gw->loop);
	if (!pump(s, &s->up, &s->client, origin, FAULT_CLIENT_ABORTED, FAULT_ORIGIN_RESET) ||
	    !pump(s, &s->down, origin, &s->client, FAULT_ORIGIN_RESET, FAULT_CLIENT_ABORTED))
		return;
	if (s->up.state == LANE_SHUT && s->down.state == LANE_SHUT)
		session_finish(s, FAULT_NONE);
}

/* A reset is seen by the lane that reads; where none does, because its end came before or its writer is slow, ask. */
void
tunnel_on_client(struct session *s, unsigned what)
{
	bool ended = s->up.state == LANE_SHUT;

	tunnel_pump(s);
	if (what & WATCH_CLOSED && s->state == SESSION_TUNNEL && (ended || s->wait.on || s->up.in_pipe || !outbox_is_empty(&s->up.kept)) && side_failed(&s->client))
		session_finish(s, FAULT_CLIENT_ABORTED);
}

/* What a server said before its reset goes out first. */
void
tunnel_on_origin(struct session *s, unsigned what)
{
	bool ended = s->down.state == LANE_SHUT;

	tunnel_pump(s);
	if (what & WATCH_CLOSED && s->state == SESSION_TUNNEL && ended && side_failed(&s->origin->side))
		session_finish(s, FAULT_ORIGIN_RESET);
}

void
tunnel_on_timeout(struct session *s)
{
	uint64_t idle_ms;

	if (s->wait.on) /* it is we who let nothing move */
		s->active_us = loop_now_us(s->gw->loop);
	idle_ms = (loop_now_us(s->gw->loop) - s->active_us) / 1000;
	if (idle_ms >= s->memo_idle_ms) {
		session_finish(s, FAULT_IDLE_TIMEOUT);
		return;
	}
	if (idle_ms >= REST_MS) {
		lane_rest(&s->up, &s->gw->lanes);
		lane_rest(&s->down, &s->gw->lanes);
	}
	if (!s->settled && (loop_now_us(s->gw->loop) - memo_start_us(s->memo)) / 1000 >= SETTLE_MS) {
		keepalive_set(s->origin->side.fd);
		s->settled = true;
	}
	arm(s);
}
