/* SPDX-License-Identifier: MIT */
/*
 * streams: a client that speaks HTTP/2, inside an inspected tunnel or to the proxy itself: the connection's session only carries, each of its streams is a session of its
 * own.
 */
#include "h2/front.h"
#include "session/inspect.h"

#define STREAMS_MOST 100u /* open at once, of one client's connection (RFC 9113 6.5.2: not below 100) */
#define TUNNELS_MOST 256u /* of one that speaks to the proxy itself: a browser has all of its tunnels there, each for as long as it lives */

static bool
on_stream(void *arg, struct carrier *stream)
{
	struct session *s = arg;

	s->active_us = loop_now_us(s->gw->loop);
	return session_open_stream(s, stream);
}

static void
on_end(void *arg, enum fault fault)
{
	session_finish(arg, fault);
}

void
streams_begin(struct session *s)
{
	bool                proxy = s->inside == NULL;
	struct front_limits limits = {.streams = proxy ? TUNNELS_MOST : STREAMS_MOST, .max_head = (uint32_t)s->gw->snap->set->max_head, .proxy = proxy};

	session_move(s, SESSION_FRONT);
	if (!s->id)
		s->id = s->gw->next_id++;
	s->active_us = loop_now_us(s->gw->loop);
	s->front = front_new(s->gw->loop, &s->client, &limits, on_stream, on_end, s);
	if (!s->front) {
		session_finish(s, FAULT_NO_MEMORY);
		return;
	}
	if (s->gw->draining)
		front_drain(s->front);
}

void
streams_on_event(struct session *s)
{
	front_on_event(s->front);
}

/* Streams have deadlines of their own; without any the connection rests, for as long as one of HTTP/1.1 between two requests. Only a request puts that off:
 * who says PING, or begins a head and never ends it, asks for nothing. One that is told to go and takes no goodbye is closed. */
void
streams_on_timeout(struct session *s)
{
	uint64_t most_ms = s->gw->snap->set->keepalive_timeout_ms, now_us = loop_now_us(s->gw->loop), rested_ms;

	if (front_streams(s->front) > 0)
		s->active_us = now_us;
	rested_ms = (now_us - s->active_us) / 1000;
	if (rested_ms >= 2 * most_ms) {
		session_finish(s, FAULT_NONE);
		return;
	}
	if (rested_ms >= most_ms)
		front_drain(s->front);
	session_deadline(s, rested_ms < most_ms ? most_ms - rested_ms : 2 * most_ms - rested_ms);
}

void
streams_drain(struct session *s)
{
	front_drain(s->front);
}

void
streams_end(struct session *s)
{
	front_free(s->front);
	s->front = NULL;
}
