/* SPDX-License-Identifier: MIT */
#include "h2/front.h"

#include <stdlib.h>

#include "h2/link.h"

struct front {
	struct link      link; /* must be first */
	front_stream_fn *on_stream;
	front_end_fn    *on_end;
	void            *arg;
	uint32_t         streams;
};

static struct stream *
on_begin(struct link *l, int32_t id)
{
	struct front *f = (struct front *)l;

	/* the library counts streams that are open to it; sessions of streams that were reset live a little longer */
	if (l->n_held >= 2 * f->streams)
		return NULL;
	return stream_new(l, id);
}

static void
on_head(struct link *l, struct stream *s)
{
	struct front *f = (struct front *)l;
	int32_t       id = s->id;

	s->held = true;
	l->n_held++;
	/* it may be ended in there: not touched afterwards */
	if (f->on_stream(f->arg, &s->carrier))
		return;
	nghttp2_submit_rst_stream(l->h2, NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM);
	l->own_resets++;
	stream_free(s);
}

static void
on_link_end(struct link *l, enum fault fault)
{
	struct front *f = (struct front *)l;

	f->on_end(f->arg, fault);
}

static const struct link_ops ops = {.begin = on_begin, .head = on_head, .end = on_link_end};

struct front *
front_new(struct loop *loop, struct side *under, const struct front_limits *limits, front_stream_fn *on_stream, front_end_fn *on_end, void *arg)
{
	struct front *f = calloc(1, sizeof *f);

	if (!f)
		return NULL;
	f->on_stream = on_stream;
	f->on_end = on_end;
	f->arg = arg;
	f->streams = limits->streams;
	f->link.is_proxy = limits->proxy;
	if (!link_init(&f->link, loop, under, true, limits->streams, limits->max_head, &ops)) {
		free(f);
		return NULL;
	}
	return f;
}

void
front_on_event(struct front *f)
{
	link_serve(&f->link);
}

void
front_drain(struct front *f)
{
	link_drain(&f->link);
}

unsigned
front_streams(const struct front *f)
{
	return f->link.n_held;
}

void
front_free(struct front *f)
{
	if (f)
		link_free(&f->link);
}
