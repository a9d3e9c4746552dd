/* SPDX-License-Identifier: MIT */
#include "h2/link.h"

#include <errno.h>
#include <stdlib.h>

#include "parse/body.h"

#define READ_SIZE  16384
#define OUT_SIZE   32768
#define READS      8    /* in one turn, before others get theirs */
#define QUEUE_MAX  2000 /* frames that wait for a peer that does not read */
#define ACKS_MAX   200  /* of them, answers to PING and SETTINGS */
#define ENTRIES    32   /* of one SETTINGS */
#define CONTINUED  8    /* CONTINUATION frames of one head */
#define TINY       8    /* bytes of DATA */

static uint64_t
now_us(struct link *l)
{
	return loop_now_us(l->loop);
}

void
link_kick(struct link *l)
{
	if (!l->busy && !l->told)
		watch_again(&l->kick, WATCH_WRITE);
}

/* A flood, or no way on: the connection ends with this code. */
static void
link_fail(struct link *l, enum fault fault, uint32_t code)
{
	if (l->ending)
		return;
	l->ending = true;
	l->fault = fault;
	if (code != NGHTTP2_NO_ERROR)
		nghttp2_session_terminate_session(l->h2, code);
	link_kick(l);
}

/* What the peer may do for nothing has its price (flood.h). */
static void
link_pour(struct link *l, uint32_t cost)
{
	if (cost && !h2_flood_pour(&l->flood, now_us(l), cost))
		link_fail(l, FAULT_H2_FLOOD, NGHTTP2_ENHANCE_YOUR_CALM);
}

static struct stream *
stream_of(struct link *l, int32_t id)
{
	return id > 0 ? nghttp2_session_get_stream_user_data(l->h2, id) : NULL;
}

/* -------- what the library says -------- */

static uint32_t
cost_of(const nghttp2_frame_hd *hd)
{
	switch (hd->type) {
	case NGHTTP2_DATA:
		if (hd->flags & NGHTTP2_FLAG_END_STREAM)
			return 0;
		return hd->length == 0 ? H2_COST_EMPTY : hd->length < TINY ? H2_COST_TINY : 0;
	case NGHTTP2_HEADERS:
		return 0; /* opens a stream, or is judged when it is whole */
	case NGHTTP2_RST_STREAM:
		return H2_COST_RESET;
	case NGHTTP2_SETTINGS:
		return hd->flags & NGHTTP2_FLAG_ACK ? H2_COST_PING : H2_COST_SETTINGS;
	case NGHTTP2_PING:
		return H2_COST_PING;
	case NGHTTP2_WINDOW_UPDATE:
		return H2_COST_WINDOW;
	case NGHTTP2_CONTINUATION:
		return H2_COST_CONTINUED;
	case NGHTTP2_GOAWAY:
		return H2_COST_RESET;
	default:
		return H2_COST_PRIORITY;
	}
}

static int
on_begin_frame(nghttp2_session *h2, const nghttp2_frame_hd *hd, void *arg)
{
	struct link *l = arg;

	(void)h2;
	link_pour(l, cost_of(hd));
	/* the library passes priorities over, wherever they stand; RFC 9113 6.3 does not */
	if (hd->type == NGHTTP2_PRIORITY && hd->stream_id == 0)
		link_fail(l, FAULT_H2_PROTOCOL, NGHTTP2_PROTOCOL_ERROR);
	return l->ending || l->dead ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static int
on_begin_headers(nghttp2_session *h2, const nghttp2_frame *frame, void *arg)
{
	struct link   *l = arg;
	struct stream *s = stream_of(l, frame->hd.stream_id);

	if (frame->hd.type != NGHTTP2_HEADERS)
		return 0;
	if (!s) {
		if (!l->is_server || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
			return 0; /* for a stream that was ended */
		s = l->ops->begin(l, frame->hd.stream_id);
		if (!s) {
			nghttp2_submit_rst_stream(h2, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_REFUSED_STREAM);
			return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
		}
		nghttp2_session_set_stream_user_data(h2, frame->hd.stream_id, s);
	}
	if (s->in_begun) {
		h2_head_clear(&s->trailer);
		h2_head_init(&s->trailer, !l->is_server, true, l->max_head < BODY_TRAILER_MAX - 2 ? l->max_head : BODY_TRAILER_MAX - 2);
	} else {
		h2_head_clear(&s->head);
		h2_head_init(&s->head, !l->is_server, false, l->max_head);
		s->head.is_proxy = l->is_proxy;
	}
	return 0;
}

static int
on_header(nghttp2_session *h2, const nghttp2_frame *frame, const uint8_t *name, size_t n_name, const uint8_t *value, size_t n_value, uint8_t flags,
    void *arg)
{
	struct stream  *s = stream_of(arg, frame->hd.stream_id);
	struct h2_head *h;

	(void)flags;
	if (!s || frame->hd.type != NGHTTP2_HEADERS)
		return 0;
	h = s->in_begun ? &s->trailer : &s->head;
	h2_head_add(h, span_of((const char *)name, n_name), span_of((const char *)value, n_value));
	/* the answer to a head that is too large is a session's, but no more work is made of it than of one that fits twice */
	h->n_seen += n_name + n_value + 32;
	if (!h->bad && h->n_seen <= 2 * h->most + 65536)
		return 0;
	nghttp2_submit_rst_stream(h2, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_PROTOCOL_ERROR);
	return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static void
on_head(struct link *l, struct stream *s, bool ends)
{
	bool trailer = s->in_begun;

	if (s->broken)
		return;
	if (!stream_on_head(s, ends)) {
		nghttp2_submit_rst_stream(l->h2, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_PROTOCOL_ERROR);
		if (s->held)
			stream_break(s);
		return;
	}
	if (ends)
		stream_on_end(s);
	if (!trailer && l->ops->head)
		l->ops->head(l, s);
}

static int
on_frame_recv(nghttp2_session *h2, const nghttp2_frame *frame, void *arg)
{
	struct link   *l = arg;
	struct stream *s = stream_of(l, frame->hd.stream_id);
	bool           ends = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;

	(void)h2;
	if (!s)
		return 0;
	if (frame->hd.type == NGHTTP2_HEADERS) {
		if (frame->headers.cat == NGHTTP2_HCAT_HEADERS && !ends && !s->in_begun)
			link_pour(l, H2_COST_INTERIM);
		on_head(l, s, ends);
	} else if (frame->hd.type == NGHTTP2_DATA) {
		if (ends)
			stream_on_end(s);
		if (frame->hd.length >= TINY && !l->is_server)
			h2_flood_take(&l->flood, H2_WORTH_DATA);
	}
	return 0;
}

static int
on_data(nghttp2_session *h2, uint8_t flags, int32_t id, const uint8_t *data, size_t n, void *arg)
{
	struct link   *l = arg;
	struct stream *s = stream_of(l, id);

	(void)flags;
	if (!s)
		nghttp2_session_consume(h2, id, n);
	else if (!stream_on_data(s, span_of((const char *)data, n)))
		stream_reset(s, NGHTTP2_INTERNAL_ERROR);
	return 0;
}

static int
on_stream_close(nghttp2_session *h2, int32_t id, uint32_t code, void *arg)
{
	struct link   *l = arg;
	struct stream *s = stream_of(l, id);

	(void)h2;
	/* NO_ERROR alone says nothing: a peer may reset with it as well */
	if (code == NGHTTP2_NO_ERROR && s && (l->is_server ? s->all_sent : s->in_ended))
		h2_flood_take(&l->flood, H2_WORTH_STREAM);
	if (s)
		stream_on_close(s, code);
	return 0;
}

static int
on_frame_send(nghttp2_session *h2, const nghttp2_frame *frame, void *arg)
{
	struct link   *l = arg;
	struct stream *s;

	(void)h2;
	switch (frame->hd.type) {
	case NGHTTP2_RST_STREAM:
		/* one that the peer has provoked counts as one that it sent */
		if (l->own_resets)
			l->own_resets--;
		else
			link_pour(l, H2_COST_RESET);
		break;
	case NGHTTP2_GOAWAY:
		if (frame->goaway.error_code != NGHTTP2_NO_ERROR && !l->ending) {
			l->ending = true;
			l->fault = frame->goaway.error_code == NGHTTP2_ENHANCE_YOUR_CALM ? FAULT_H2_FLOOD : FAULT_H2_PROTOCOL;
		}
		break;
	case NGHTTP2_DATA:
		if (l->is_server)
			h2_flood_take(&l->flood, H2_WORTH_DATA);
		/* fall through */
	case NGHTTP2_HEADERS:
		s = stream_of(l, frame->hd.stream_id);
		/* clients end tunnels by a reset as often as not: one that came about has paid for that */
		if (s && s->is_tunnel && frame->hd.type == NGHTTP2_HEADERS)
			h2_flood_take(&l->flood, H2_WORTH_STREAM);
		if (s && frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
			stream_on_all_sent(s);
		break;
	default:
		break;
	}
	return 0;
}

static int
on_frame_not_send(nghttp2_session *h2, const nghttp2_frame *frame, int error, void *arg)
{
	struct stream *s = stream_of(arg, frame->hd.stream_id);

	(void)h2;
	(void)error;
	/* a request that the peer's limit or GOAWAY leaves no place for was not served */
	if (s && frame->hd.type == NGHTTP2_HEADERS) {
		s->unserved = !s->is_server;
		stream_reset(s, NGHTTP2_INTERNAL_ERROR);
	}
	return 0;
}

/* -------- setting up -------- */

static nghttp2_session_callbacks *
callbacks_new(void)
{
	nghttp2_session_callbacks *c;

	if (nghttp2_session_callbacks_new(&c) != 0)
		return NULL;
	nghttp2_session_callbacks_set_on_begin_frame_callback(c, on_begin_frame);
	nghttp2_session_callbacks_set_on_begin_headers_callback(c, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(c, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(c, on_frame_recv);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(c, on_stream_close);
	nghttp2_session_callbacks_set_on_frame_send_callback(c, on_frame_send);
	nghttp2_session_callbacks_set_on_frame_not_send_callback(c, on_frame_not_send);
	return c;
}

static nghttp2_option *
options_new(void)
{
	nghttp2_option *o;

	if (nghttp2_option_new(&o) != 0)
		return NULL;
	nghttp2_option_set_no_auto_window_update(o, 1);
	nghttp2_option_set_no_closed_streams(o, 1);
	nghttp2_option_set_max_outbound_ack(o, ACKS_MAX);
	nghttp2_option_set_max_settings(o, ENTRIES);
	nghttp2_option_set_max_continuations(o, CONTINUED);
	nghttp2_option_set_max_send_header_block_length(o, 256 * 1024);
	nghttp2_option_set_peer_max_concurrent_streams(o, 100);
	/* priorities of RFC 7540 are not kept: no tree that a peer could grow */
	nghttp2_option_set_server_fallback_rfc7540_priorities(o, 0);
	return o;
}

static bool
submit_settings(struct link *l, uint32_t streams)
{
	nghttp2_settings_entry e[] = {
		{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, LINK_STREAM_WINDOW},
		{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)l->max_head},
		{l->is_server ? NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS : NGHTTP2_SETTINGS_ENABLE_PUSH, l->is_server ? streams : 0},
		{NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
	};

	return nghttp2_submit_settings(l->h2, NGHTTP2_FLAG_NONE, e, sizeof e / sizeof *e) == 0 &&
	    nghttp2_session_set_local_window_size(l->h2, NGHTTP2_FLAG_NONE, 0, l->is_proxy ? LINK_WINDOW_PROXY : LINK_WINDOW) == 0;
}

static void
on_kick(void *arg, unsigned what)
{
	(void)what;
	link_serve(arg);
}

bool
link_init(struct link *l, struct loop *loop, struct side *under, bool is_server, uint32_t streams, uint32_t max_head, const struct link_ops *ops)
{
	nghttp2_session_callbacks *c = callbacks_new();
	nghttp2_option            *o = options_new();

	l->ops = ops;
	l->loop = loop;
	l->under = under;
	l->is_server = is_server;
	l->max_head = max_head;
	l->flood.since_us = loop_now_us(loop);
	TAILQ_INIT(&l->streams);
	watch_init_idle(&l->kick, loop, on_kick, l);
	if (c && o && (is_server ? nghttp2_session_server_new2 : nghttp2_session_client_new2)(&l->h2, c, l, o) != 0)
		l->h2 = NULL;
	nghttp2_session_callbacks_del(c);
	nghttp2_option_del(o);
	if (!l->h2 || !submit_settings(l, streams)) {
		nghttp2_session_del(l->h2);
		watch_clear(&l->kick);
		return false;
	}
	watch_again(&l->kick, WATCH_READ | WATCH_WRITE);
	return true;
}

static void
lose_streams(struct link *l)
{
	struct stream *s;

	while ((s = TAILQ_FIRST(&l->streams)))
		stream_lose(s);
}

void
link_free(struct link *l)
{
	lose_streams(l);
	watch_clear(&l->kick);
	l->told = true;
	l->dead = true;
	if (l->busy)
		return;
	nghttp2_session_del(l->h2);
	bytes_free(&l->out);
	free(l);
}

void
link_drain(struct link *l)
{
	if (l->draining || l->ending)
		return;
	l->draining = true;
	nghttp2_submit_goaway(l->h2, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(l->h2), NGHTTP2_NO_ERROR, NULL, 0);
	link_kick(l);
}

/* -------- the pump -------- */

static enum fault
fault_of(ssize_t error)
{
	return error == NGHTTP2_ERR_NOMEM ? FAULT_NO_MEMORY : error == NGHTTP2_ERR_FLOODED ? FAULT_H2_FLOOD : FAULT_H2_PROTOCOL;
}

/* Read once. False: there is no more, or no more is wanted. */
static bool
pull(struct link *l)
{
	uint8_t buf[READ_SIZE];
	ssize_t n, k;

	if (l->ending || l->dead || !l->under->readable || !nghttp2_session_want_read(l->h2))
		return false;
	n = side_read(l->under, buf, sizeof buf);
	if (n < 0 && errno == EAGAIN)
		return false;
	if (n <= 0) {
		/* whoever leaves between two requests leaves in good order */
		link_fail(l, l->n_held ? FAULT_CLIENT_ABORTED : FAULT_NONE, NGHTTP2_NO_ERROR);
		return false;
	}
	k = nghttp2_session_mem_recv(l->h2, buf, (size_t)n);
	if (l->ending || l->dead)
		return false;
	if (k < 0)
		link_fail(l, fault_of(k), k == NGHTTP2_ERR_FLOODED ? NGHTTP2_ENHANCE_YOUR_CALM : NGHTTP2_PROTOCOL_ERROR);
	else if (nghttp2_session_get_outbound_queue_size(l->h2) > QUEUE_MAX)
		link_fail(l, FAULT_H2_FLOOD, NGHTTP2_ENHANCE_YOUR_CALM);
	return k >= 0;
}

/* Frames that wait are gathered, so that many small ones cost one call. False: no memory, or the library's end. */
static bool
gather(struct link *l)
{
	const uint8_t *p;
	ssize_t        n;

	while (bytes_size(&l->out) < OUT_SIZE && !l->dead) {
		n = nghttp2_session_mem_send(l->h2, &p);
		if (n == 0)
			return true;
		if (n < 0 || !bytes_put(&l->out, span_of((const char *)p, (size_t)n)))
			return false;
	}
	return true;
}

/* False: stuck, or done. */
static bool
push(struct link *l)
{
	ssize_t w;

	if (bytes_size(&l->out) == 0 && !gather(l)) {
		link_fail(l, FAULT_NO_MEMORY, NGHTTP2_NO_ERROR);
		return false;
	}
	if (l->dead || bytes_size(&l->out) == 0 || !l->under->writable)
		return false;
	w = side_write(l->under, span_of(l->out.p + l->out.at, bytes_size(&l->out)), span_of(NULL, 0));
	if (w < 0 && errno == EAGAIN)
		return false;
	if (w < 0) {
		bytes_free(&l->out);
		l->lost = true;
		link_fail(l, l->n_held ? FAULT_CLIENT_ABORTED : FAULT_NONE, NGHTTP2_NO_ERROR);
		return false;
	}
	bytes_use(&l->out, (size_t)w);
	return bytes_size(&l->out) == 0;
}

/* Streams first learn that they are lost, then the owner. */
static void
settle(struct link *l)
{
	bool done = l->ending || (bytes_size(&l->out) == 0 && !nghttp2_session_want_read(l->h2) && !nghttp2_session_want_write(l->h2));

	if (!done || l->told)
		return;
	l->told = true;
	watch_clear(&l->kick);
	lose_streams(l);
	l->ops->end(l, l->fault);
}

void
link_serve(struct link *l)
{
	bool more = true;

	if (l->busy || l->told)
		return;
	l->busy = true;
	for (int i = 0; i < READS && more; i++) {
		more = pull(l);
		more |= !l->dead && !l->lost && push(l);
	}
	/* what the library has to say last */
	while (l->ending && !l->dead && !l->lost && push(l))
		;
	l->busy = false;
	if (l->dead) {
		nghttp2_session_del(l->h2);
		bytes_free(&l->out);
		free(l);
		return;
	}
	if (more && !l->ending)
		watch_again(&l->kick, WATCH_READ | WATCH_WRITE);
	settle(l);
}
