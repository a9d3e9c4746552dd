/* SPDX-License-Identifier: MIT */
/*
 * streams: an inspected client that speaks HTTP/2: the connection's session only carries, each of its streams is a session of its own.
 */
#include "h2/front.h"
#include "session/inspect.h"

#define STREAMS_MOST 100u /* open at once, of one client's connection (RFC 9113 6.5.2: not below 100) */

static bool
on_stream(void *arg, struct carrier *stream)
{
	return session_open_stream(arg, stream);
}

static void
on_end(void *arg, enum fault fault)
{
	session_finish(arg, fault);
}

void
streams_begin(struct session *s)
{
	struct front_limits limits = {.streams = STREAMS_MOST, .max_head = (uint32_t)s->gw->snap->set->max_head};

	session_move(s, SESSION_FRONT);
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
	session_deadline(s, s->gw->snap->set->keepalive_timeout_ms);
	front_on_event(s->front);
}

/* Streams have deadlines of their own; without any the connection rests, for as long as one of HTTP/1.1 between two requests. */
void
streams_on_timeout(struct session *s)
{
	if (front_streams(s->front) == 0)
		front_drain(s->front);
	session_deadline(s, s->gw->snap->set->keepalive_timeout_ms);
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
