/* SPDX-License-Identifier: MIT */
/*
 * stream: one stream of HTTP/2 as a carrier: what the peer sent is read as HTTP/1.1, what is written goes to stream_send.
 * Always true: data counts as consumed, and the peer's window grows, only when it was read; bytes of data that wait are never more than the window.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "h2/link.h"

bool
bytes_put(struct bytes *b, struct span s)
{
	size_t need, room = b->room ? b->room : 512;
	char  *p;

	if (b->at > 0 && b->n + s.n > b->room) {
		memmove(b->p, b->p + b->at, b->n - b->at);
		b->n -= b->at;
		b->at = 0;
	}
	need = b->n + s.n;
	if (need > b->room) {
		while (room < need)
			room *= 2;
		p = realloc(b->p, room);
		if (!p)
			return false;
		b->p = p;
		b->room = room;
	}
	if (s.n)
		memcpy(b->p + b->n, s.p, s.n);
	b->n += s.n;
	return true;
}

void
bytes_use(struct bytes *b, size_t n)
{
	b->at += n;
	if (b->at == b->n)
		bytes_free(b);
}

void
bytes_free(struct bytes *b)
{
	free(b->p);
	*b = (struct bytes){0};
}

void
stream_wake(struct stream *s, unsigned what)
{
	if (s->carrier.side && watch_is_set(&s->carrier.side->watch))
		watch_again(&s->carrier.side->watch, what);
}

/* The peer may send that much more. */
static void
consume(struct stream *s, size_t n)
{
	if (!s->link || n == 0)
		return;
	nghttp2_session_consume(s->link->h2, s->id, n);
	link_kick(s->link);
}

static void
discard(struct stream *s)
{
	consume(s, bytes_size(&s->data));
	bytes_free(&s->data);
	bytes_free(&s->text);
	s->chunk_left = s->n_line = 0;
}

void
stream_free(struct stream *s)
{
	if (!s)
		return;
	if (s->link) {
		discard(s);
		s->link->n_held -= s->held;
		TAILQ_REMOVE(&s->link->streams, s, link_entry);
		if (s->id && !s->closed)
			nghttp2_session_set_stream_user_data(s->link->h2, s->id, NULL);
		link_kick(s->link);
	}
	h2_head_clear(&s->head);
	h2_head_clear(&s->trailer);
	bytes_free(&s->text);
	bytes_free(&s->data);
	bytes_free(&s->out);
	bytes_free(&s->out_trailer);
	free(s);
}

void
stream_break(struct stream *s)
{
	s->broken = true;
	discard(s);
	bytes_free(&s->out);
	stream_wake(s, WATCH_READ | WATCH_WRITE | WATCH_CLOSED);
}

void
stream_reset(struct stream *s, uint32_t code)
{
	if (s->link && s->id && !s->closed) {
		s->link->own_resets++;
		nghttp2_submit_rst_stream(s->link->h2, NGHTTP2_FLAG_NONE, s->id, code);
		link_kick(s->link);
	}
	stream_break(s);
}

/* -------- from the peer -------- */

/* Those that say how a response is framed. */
static enum method_id
method_of(struct span name)
{
	return span_eq(name, SPAN("HEAD")) ? METHOD_HEAD : span_eq(name, SPAN("CONNECT")) ? METHOD_CONNECT : METHOD_OTHER;
}

bool
stream_on_head(struct stream *s, bool ends)
{
	bool        interim = s->head.is_response && s->head.status < 200;
	struct span text;

	if (s->in_begun && s->method == METHOD_CONNECT)
		return false; /* RFC 9113 8.5: nothing but data */
	if (s->in_begun) { /* trailers */
		text = h2_head_text(&s->trailer, true);
		return ends && text.p;
	}
	/* heads before the final one may come without end */
	text = h2_head_text(&s->head, ends);
	if (!text.p || (interim && (ends || bytes_size(&s->text) > s->link->max_head)) || !bytes_put(&s->text, text))
		return false;
	s->in_begun = !interim;
	s->in_chunked = !s->head.has_length && !ends && !s->head.too_large;
	if (s->is_server)
		s->method = method_of(span_str(s->head.method));
	if (s->is_server && s->method == METHOD_CONNECT)
		s->in_chunked = false;
	if (s->head.is_response && (s->head.status == 204 || s->head.status == 304 || s->method == METHOD_HEAD))
		s->in_chunked = false;
	h2_head_clear(&s->head);
	stream_wake(s, WATCH_READ);
	return true;
}

bool
stream_on_data(struct stream *s, struct span data)
{
	if (!s->held || s->broken || (s->is_server && !s->is_tunnel && s->shut && s->out_state == OUT_WHOLE)) {
		consume(s, data.n);
		return true;
	}
	if (!bytes_put(&s->data, data))
		return false;
	stream_wake(s, WATCH_READ);
	return true;
}

void
stream_on_end(struct stream *s)
{
	s->in_ended = true;
	stream_wake(s, WATCH_READ);
}

void
stream_on_all_sent(struct stream *s)
{
	s->all_sent = true;
	/* answered before it was asked to the end (RFC 9113 8.1): the rest is not wanted */
	if (s->is_server && !s->held && !s->in_ended)
		stream_reset(s, NGHTTP2_NO_ERROR);
}

void
stream_on_close(struct stream *s, uint32_t code)
{
	bool whole = s->in_ended && (s->all_sent || (!s->is_server && code == NGHTTP2_NO_ERROR));

	s->closed = true;
	s->unserved = code == NGHTTP2_REFUSED_STREAM;
	if (!s->held)
		stream_free(s);
	else if (!whole)
		stream_break(s);
	else
		stream_wake(s, WATCH_READ);
}

void
stream_lose(struct stream *s)
{
	bool whole = s->closed ? !s->broken : !s->is_server && s->in_ended;

	TAILQ_REMOVE(&s->link->streams, s, link_entry);
	s->link->n_held -= s->held;
	if (s->id && !s->closed)
		nghttp2_session_set_stream_user_data(s->link->h2, s->id, NULL);
	s->link = NULL;
	s->closed = true;
	if (!s->held)
		stream_free(s);
	else if (!whole)
		stream_break(s);
	else
		stream_wake(s, WATCH_READ | WATCH_CLOSED);
}

/* -------- the carrier -------- */

static size_t
move_out(struct bytes *from, size_t most, char *to, size_t n)
{
	size_t k = bytes_size(from) < most ? bytes_size(from) : most;

	if (k > n)
		k = n;
	memcpy(to, from->p + from->at, k);
	bytes_use(from, k);
	return k;
}

static size_t
move_line(struct stream *s, char *to, size_t n)
{
	size_t k = (size_t)(s->n_line - s->line_at);

	if (k > n)
		k = n;
	memcpy(to, s->line + s->line_at, k);
	s->line_at += (uint8_t)k;
	if (s->line_at == s->n_line)
		s->line_at = s->n_line = 0;
	return k;
}

static size_t
move_data(struct stream *s, char *to, size_t n)
{
	size_t k = move_out(&s->data, s->chunk_left, to, n);

	consume(s, k);
	s->chunk_left -= k;
	if (s->chunk_left == 0 && s->in_chunked) {
		memcpy(s->line, "\r\n", 2);
		s->n_line = 2;
	}
	return k;
}

static void
begin_chunk(struct stream *s)
{
	s->chunk_left = bytes_size(&s->data);
	if (s->in_chunked)
		s->n_line = (uint8_t)snprintf(s->line, sizeof s->line, "%zx\r\n", s->chunk_left);
}

static void
put_end(struct stream *s)
{
	struct span tail = s->trailer.whole.p ? s->trailer.whole : SPAN("\r\n");

	s->in_done = true;
	if (s->in_chunked && !(bytes_put(&s->text, SPAN("0\r\n")) && bytes_put(&s->text, tail)))
		stream_reset(s, NGHTTP2_INTERNAL_ERROR);
	h2_head_clear(&s->trailer);
}

static size_t
read_some(struct stream *s, char *buf, size_t n)
{
	size_t done = 0;

	while (done < n) {
		if (bytes_size(&s->text))
			done += move_out(&s->text, SIZE_MAX, buf + done, n - done);
		else if (s->n_line)
			done += move_line(s, buf + done, n - done);
		else if (s->chunk_left)
			done += move_data(s, buf + done, n - done);
		else if (bytes_size(&s->data))
			begin_chunk(s);
		else if (s->in_ended && !s->in_done)
			put_end(s);
		else
			break;
	}
	return done;
}

static ssize_t
stream_read(struct carrier *c, void *buf, size_t n)
{
	struct stream *s = (struct stream *)c;
	size_t         k;

	k = s->broken ? 0 : read_some(s, buf, n);
	if (s->broken) {
		errno = ECONNRESET;
		return -1;
	}
	if (k > 0 || n == 0)
		return (ssize_t)k;
	/* a request's session reads the end when it has answered, not before: until then it might take it for a client that left */
	if (s->is_server && !s->is_tunnel ? s->out_state == OUT_WHOLE && (s->in_done || s->shut) : s->in_done)
		return 0;
	errno = EAGAIN;
	return -1;
}

static ssize_t
stream_write(struct carrier *c, struct span a, struct span b)
{
	struct stream *s = (struct stream *)c;
	ssize_t        w = -1, more = 0;

	if (s->link && !s->broken && !s->closed)
		w = stream_send(s, a);
	if (w == (ssize_t)a.n && b.n)
		more = stream_send(s, b);
	if (w < 0 || more < 0) {
		errno = EPIPE;
		return -1;
	}
	w += more;
	s->blocked = (size_t)w < a.n + b.n;
	if (w == 0 && s->blocked) {
		errno = EAGAIN;
		return -1;
	}
	return w;
}

static void
stream_shut_write(struct carrier *c)
{
	struct stream *s = (struct stream *)c;

	s->shut = true;
	stream_send_end(s);
	if (s->is_server && !s->is_tunnel && s->out_state == OUT_WHOLE)
		stream_wake(s, WATCH_READ);
}

static bool
stream_failed(struct carrier *c)
{
	return ((struct stream *)c)->broken;
}

static void
stream_end(struct carrier *c, bool reset)
{
	struct stream *s = (struct stream *)c;

	s->carrier.side = NULL;
	if (!s->link || s->closed || !s->id) {
		stream_free(s);
		return;
	}
	if (!reset)
		stream_send_end(s);
	if (!s->is_server || s->broken || s->out_state == OUT_HEAD || (reset && s->out_state == OUT_WHOLE)) {
		if (!s->broken)
			stream_reset(s, s->is_tunnel ? NGHTTP2_CONNECT_ERROR : s->is_server ? NGHTTP2_INTERNAL_ERROR : NGHTTP2_CANCEL);
		stream_free(s);
		return;
	}
	/* what was written goes to the peer still, as from a socket that was closed; what lacks its end is reset behind it */
	if (s->out_state != OUT_WHOLE)
		stream_send_cut(s);
	s->link->n_held--;
	s->held = false;
	discard(s);
	if (s->all_sent && !s->in_ended)
		stream_reset(s, NGHTTP2_NO_ERROR);
	link_kick(s->link);
}

static const struct carrier_ops ops = {
	.read = stream_read,
	.write = stream_write,
	.shut_write = stream_shut_write,
	.failed = stream_failed,
	.end = stream_end,
};

struct stream *
stream_new(struct link *l, int32_t id)
{
	struct stream *s = calloc(1, sizeof *s);

	if (!s)
		return NULL;
	s->carrier.ops = &ops;
	s->link = l;
	s->id = id;
	s->is_server = l->is_server;
	TAILQ_INSERT_TAIL(&l->streams, s, link_entry);
	return s;
}
