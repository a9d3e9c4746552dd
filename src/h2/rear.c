/* SPDX-License-Identifier: MIT */
#include "h2/rear.h"

#include <stdlib.h>

#include "h2/link.h"

#define STREAMS_MAX 100 /* of ours, whatever the origin allows */

struct rear {
	struct link  link; /* must be first */
	rear_end_fn *on_end;
	void        *arg;
};

static void
on_link_end(struct link *l, enum fault fault)
{
	struct rear *r = (struct rear *)l;

	(void)fault;
	r->on_end(r->arg);
}

static const struct link_ops ops = {.end = on_link_end};

struct rear *
rear_new(struct loop *loop, struct side *under, uint32_t max_head, rear_end_fn *on_end, void *arg)
{
	struct rear *r = calloc(1, sizeof *r);

	if (!r)
		return NULL;
	r->on_end = on_end;
	r->arg = arg;
	if (!link_init(&r->link, loop, under, false, 0, max_head, &ops)) {
		free(r);
		return NULL;
	}
	return r;
}

void
rear_on_event(struct rear *r)
{
	link_serve(&r->link);
}

bool
rear_has_room(const struct rear *r)
{
	const struct link *l = &r->link;
	uint32_t           most = nghttp2_session_get_remote_settings(l->h2, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);

	return !l->ending && !l->told && nghttp2_session_check_request_allowed(l->h2) && l->n_held < STREAMS_MAX && l->n_held < most;
}

struct carrier *
rear_stream(struct rear *r)
{
	struct stream *s = rear_has_room(r) ? stream_new(&r->link, 0) : NULL;

	if (!s)
		return NULL;
	s->held = true;
	r->link.n_held++;
	return &s->carrier;
}

bool
rear_is_unserved(const struct carrier *c)
{
	return ((const struct stream *)c)->unserved;
}

unsigned
rear_streams(const struct rear *r)
{
	return r->link.n_held;
}

void
rear_free(struct rear *r)
{
	if (r)
		link_free(&r->link);
}
