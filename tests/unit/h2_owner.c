/* SPDX-License-Identifier: MIT */
#include "h2_owner.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static void
guest_free(struct guest *g, bool reset)
{
	if (g->gone)
		return;
	g->gone = true;
	LIST_REMOVE(g, link);
	(reset ? side_reset : side_close)(&g->side);
	loop_bury(g->owner->loop, &g->grave);
}

static void
put(struct guest *g, const char *text, size_t n)
{
	memcpy(g->out + g->n_out, text, n);
	g->n_out += n;
}

static void
put_text(struct guest *g, const char *text)
{
	put(g, text, strlen(text));
}

/* False: it takes no more, or is gone. */
static bool
flush(struct guest *g)
{
	while (g->at_out < g->n_out) {
		size_t      n = g->n_out - g->at_out, half;
		ssize_t     w;
		struct span a, b;
		if (g->owner->step && n > g->owner->step)
			n = g->owner->step;
		half = n / 2;
		a = span_of(g->out + g->at_out, half);
		b = span_of(g->out + g->at_out + half, n - half);
		w = side_write(&g->side, a, b);
		if (w < 0 && errno == EAGAIN)
			return false;
		if (w < 0) {
			g->owner->n_reset++;
			guest_free(g, true);
			return false;
		}
		g->at_out += (size_t)w;
	}
	g->at_out = g->n_out = 0;
	return true;
}

static bool
starts(struct span s, const char *with)
{
	size_t n = strlen(with);

	return s.n >= n && memcmp(s.p, with, n) == 0;
}

static void
answer(struct guest *g, const struct head *h)
{
	char text[256];

	if (starts(h->target, "/hint"))
		put_text(g, "HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n");
	if (starts(h->target, "/echo") || starts(h->target, "/slow")) {
		g->echo = true;
		put_text(g, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nVia: 1.1 test\r\nKeep-Alive: timeout=5\r\n\r\n");
	} else if (starts(h->target, "/bytes/")) {
		g->left = strtoul(h->target.p + 7, NULL, 10);
		put(g, text, (size_t)snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\nContent-Length: %lu\r\n\r\n", g->left));
	} else if (starts(h->target, "/close/")) {
		g->left = strtoul(h->target.p + 7, NULL, 10);
		g->close = true;
		put_text(g, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
	} else if (starts(h->target, "/reset") || starts(h->target, "/cut")) {
		put_text(g, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc");
	} else if (!starts(h->target, "/silent")) {
		put_text(g, "HTTP/1.1 200 OK\r\nContent-Length: 11\r\nContent-Type: text/plain\r\n\r\n");
		if (!span_eq(h->method, SPAN("HEAD")))
			put_text(g, "hello world");
	}
	g->silent = starts(h->target, "/silent");
	g->breaks = starts(h->target, "/reset") || starts(h->target, "/cut");
	g->gently = starts(h->target, "/cut");
	g->slow = g->slow && starts(h->target, "/slow");
	if (span_eq(h->method, SPAN("HEAD")))
		g->left = 0;
	if (starts(h->target, "/early"))
		g->asked = true;
}

static void
echo(struct guest *g, struct span data)
{
	char line[16];

	if (!g->echo || data.n == 0)
		return;
	put(g, line, (size_t)snprintf(line, sizeof line, "%zx\r\n", data.n));
	put(g, data.p, data.n);
	put_text(g, "\r\n");
}

static void
take_body(struct guest *g)
{
	size_t            at = 0, used;
	struct span       data;
	enum parse_result p = PARSE_MORE;
	struct h2_owner  *o = g->owner;

	do {
		p = body_take(&g->body, span_of(g->in + at, g->n_in - at), &used, &data);
		echo(g, data);
		at += used;
	} while (p == PARSE_MORE && at < g->n_in);
	if (p == PARSE_BAD)
		abort();
	if (o->n_last_body + at < sizeof o->last_body) {
		memcpy(o->last_body + o->n_last_body, g->in, at);
		o->n_last_body += at;
		o->last_body[o->n_last_body] = '\0';
	}
	memmove(g->in, g->in + at, g->n_in - at);
	g->n_in -= at;
	if (p == PARSE_OK && !g->whole) {
		g->whole = true;
		if (g->echo)
			put_text(g, "0\r\nx-end: yes\r\n\r\n");
	}
}

static void
take_head(struct guest *g)
{
	struct head h;
	size_t      used;
	enum fault  fault;

	if (g->n_in == 0)
		return;
	switch (head_parse_request(span_of(g->in, g->n_in), 0, &h, &used, &fault)) {
	case PARSE_MORE:
		return;
	case PARSE_BAD:
		put_text(g, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
		g->headed = g->asked = true;
		return;
	case PARSE_OK:
		break;
	}
	g->owner->n_requests++;
	snprintf(g->owner->last_head, sizeof g->owner->last_head, "%.*s", (int)used, g->in);
	g->owner->n_last_body = 0;
	body_init(&g->body, h.body, h.length);
	g->headed = true;
	answer(g, &h);
	memmove(g->in, g->in + used, g->n_in - used);
	g->n_in -= used;
	take_body(g);
}

static void
make_more(struct guest *g)
{
	char   block[8192];
	size_t n = g->left < sizeof block ? g->left : sizeof block;

	memset(block, 'z', n);
	put(g, block, n);
	g->left -= n;
}

/* False: nothing came. */
static bool
take(struct guest *g)
{
	size_t  room = 20000 - g->n_in;
	ssize_t n;

	if (g->slow && g->headed)
		return false;
	if (g->owner->step && room > g->owner->step)
		room = g->owner->step;
	n = side_read(&g->side, g->in + g->n_in, room);
	if (n < 0 && errno == EAGAIN)
		return false;
	if (n <= 0) {
		if (n == 0)
			g->owner->n_whole++;
		else
			g->owner->n_reset++;
		guest_free(g, n < 0);
		return false;
	}
	g->n_in += (size_t)n;
	if (!g->headed) {
		take_head(g);
		if (!g->headed && g->n_in > g->owner->max_head) {
			put_text(g, "HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Length: 0\r\n\r\n");
			g->headed = g->asked = true;
		}
	} else if (!g->asked)
		take_body(g);
	else
		g->n_in = 0;
	return true;
}

static void
on_guest(void *arg, unsigned what)
{
	struct guest *g = arg;

	side_note(&g->side, what);
	for (;;) {
		if (!flush(g))
			return;
		if (g->left) {
			make_more(g);
			continue;
		}
		if (g->headed && g->breaks) {
			guest_free(g, !g->gently);
			return;
		}
		if (g->headed && (g->whole || g->asked) && !g->silent) {
			if (g->close)
				side_shut_write(&g->side);
			if (g->asked) {
				g->owner->n_whole++;
				guest_free(g, false);
				return;
			}
		}
		if (!take(g))
			return;
	}
}

static bool
on_stream(void *arg, struct carrier *c)
{
	struct h2_owner *o = arg;
	struct guest    *g;

	if (o->refuse || !(g = calloc(1, sizeof *g)))
		return false;
	g->owner = o;
	g->side.fd = -1;
	g->slow = o->slow;
	watch_init_idle(&g->side.watch, o->loop, on_guest, g);
	side_carry(&g->side, c);
	LIST_INSERT_HEAD(&o->guests, g, link);
	watch_again(&g->side.watch, WATCH_READ);
	return true;
}

static void
on_end(void *arg, enum fault fault)
{
	struct h2_owner *o = arg;

	o->ended = true;
	o->fault = fault;
	front_free(o->front);
	o->front = NULL;
	side_close(&o->side);
}

static void
on_side(void *arg, unsigned what)
{
	struct h2_owner *o = arg;

	side_note(&o->side, what);
	if (o->front)
		front_on_event(o->front);
}

bool
h2_owner_start(struct h2_owner *o, struct loop *loop, int fd, uint32_t streams, uint32_t max_head)
{
	struct front_limits limits = {.streams = streams, .max_head = max_head};

	o->loop = loop;
	o->max_head = max_head;
	o->side.fd = fd;
	o->side.readable = o->side.writable = true;
	LIST_INIT(&o->guests);
	if (fd < 0)
		watch_init_idle(&o->side.watch, loop, on_side, o);
	else if (!watch_init(&o->side.watch, loop, fd, WATCH_READ | WATCH_WRITE | WATCH_CLOSED, on_side, o))
		return false;
	o->front = front_new(loop, &o->side, &limits, on_stream, on_end, o);
	return o->front != NULL;
}

void
h2_owner_go(struct h2_owner *o)
{
	struct guest *g;

	LIST_FOREACH(g, &o->guests, link)
	{
		g->slow = false;
		watch_again(&g->side.watch, WATCH_READ);
	}
}

void
h2_owner_stop(struct h2_owner *o)
{
	struct guest *g;

	front_free(o->front);
	o->front = NULL;
	side_close(&o->side);
	while ((g = LIST_FIRST(&o->guests)))
		guest_free(g, true);
}
