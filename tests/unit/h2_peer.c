/* SPDX-License-Identifier: MIT */
#include "h2_peer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define NV(n, v) \
	{ \
		(uint8_t *)(uintptr_t)(n), (uint8_t *)(uintptr_t)(v), strlen(n), strlen(v), 0 \
	}

static struct peer_stream *
stream_of(struct peer *p, int32_t id)
{
	for (unsigned i = 0; i < p->n_streams; i++)
		if (p->streams[i].id == id)
			return &p->streams[i];
	return NULL;
}

static ssize_t
on_wanted(nghttp2_session *h2, int32_t id, uint8_t *buf, size_t n, uint32_t *flags, nghttp2_data_source *source, void *arg)
{
	static const nghttp2_nv trailer = NV("x-end", "yes");
	struct peer_stream     *s = stream_of(arg, id);
	size_t                  most = s->echo ? s->got : s->to_send;

	(void)source;
	if (n > most - s->sent)
		n = most - s->sent;
	for (size_t i = 0; i < n; i++)
		buf[i] = (uint8_t)peer_byte(s->sent + i);
	s->sent += n;
	if (s->sent == most && (!s->echo || s->got_end) && !s->hold_back) {
		*flags |= NGHTTP2_DATA_FLAG_EOF;
		if (s->trailer) {
			*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
			nghttp2_submit_trailer(h2, id, &trailer, 1);
		}
	} else if (n == 0) {
		s->deferred = true;
		return NGHTTP2_ERR_DEFERRED;
	}
	return (ssize_t)n;
}

static void
answer(struct peer *p, struct peer_stream *s)
{
	nghttp2_nv            ok = NV(":status", "200"), early = NV(":status", "413"), hint = NV(":status", "103");
	nghttp2_data_provider data = {.read_callback = on_wanted};

	if (strncmp(s->path, "/refuse", 7) == 0) {
		nghttp2_submit_rst_stream(p->h2, 0, s->id, NGHTTP2_REFUSED_STREAM);
		return;
	}
	if (strncmp(s->path, "/silent", 7) == 0)
		return;
	if (strncmp(s->path, "/hint", 5) == 0)
		nghttp2_submit_headers(p->h2, 0, s->id, NULL, &hint, 1, NULL);
	if (strncmp(s->path, "/early", 6) == 0) {
		nghttp2_submit_response(p->h2, s->id, &early, 1, NULL);
		return;
	}
	if (strncmp(s->path, "/bytes/", 7) == 0)
		s->to_send = strtoul(s->path + 7, NULL, 10);
	else if (strncmp(s->path, "/reset", 6) == 0)
		s->to_send = 10, s->hold_back = s->breaks = true;
	else
		s->echo = s->trailer = true;
	nghttp2_submit_response(p->h2, s->id, &ok, 1, &data);
}

static int
on_begin_headers(nghttp2_session *h2, const nghttp2_frame *f, void *arg)
{
	struct peer *p = arg;

	(void)h2;
	if (p->is_server && f->headers.cat == NGHTTP2_HCAT_REQUEST && p->n_streams < PEER_STREAMS)
		p->streams[p->n_streams++] = (struct peer_stream){.id = f->hd.stream_id};
	return 0;
}

static int
on_header(nghttp2_session *h2, const nghttp2_frame *f, const uint8_t *name, size_t n_name, const uint8_t *value, size_t n_value, uint8_t flags, void *arg)
{
	struct peer_stream *s = stream_of(arg, f->hd.stream_id);

	(void)h2;
	(void)flags;
	if (!s)
		return 0;
	if (n_name == 5 && memcmp(name, ":path", 5) == 0 && n_value < sizeof s->path) {
		memcpy(s->path, value, n_value);
	} else if (n_name == 7 && memcmp(name, ":status", 7) == 0) {
		unsigned status = (unsigned)strtoul((const char *)value, NULL, 10);
		if (status < 200)
			s->interim = status;
		else
			s->status = status;
	} else if (n_name == 5 && memcmp(name, "x-end", 5) == 0) {
		s->got_trailer = true;
	}
	return 0;
}

static int
on_frame(nghttp2_session *h2, const nghttp2_frame *f, void *arg)
{
	struct peer        *p = arg;
	struct peer_stream *s = stream_of(p, f->hd.stream_id);

	if (f->hd.type == NGHTTP2_GOAWAY)
		p->goaway = f->goaway.error_code + 1;
	p->n_acks += f->hd.type == NGHTTP2_PING && f->hd.flags & NGHTTP2_FLAG_ACK;
	if (f->hd.type == NGHTTP2_SETTINGS)
		p->n_settings++;
	if (!s || (f->hd.type != NGHTTP2_DATA && f->hd.type != NGHTTP2_HEADERS))
		return 0;
	if (f->hd.flags & NGHTTP2_FLAG_END_STREAM) {
		s->got_end = true;
		if (s->deferred)
			nghttp2_session_resume_data(h2, s->id);
	}
	if (p->is_server && f->hd.type == NGHTTP2_HEADERS && f->headers.cat == NGHTTP2_HCAT_REQUEST)
		answer(p, s);
	return 0;
}

static int
on_data(nghttp2_session *h2, uint8_t flags, int32_t id, const uint8_t *data, size_t n, void *arg)
{
	struct peer_stream *s = stream_of(arg, id);

	(void)flags;
	for (size_t i = 0; i < n; i++)
		s->wrong |= (char)data[i] != peer_byte(s->got + i);
	s->got += n;
	if (s->deferred)
		nghttp2_session_resume_data(h2, s->id);
	return 0;
}

static int
on_close(nghttp2_session *h2, int32_t id, uint32_t code, void *arg)
{
	struct peer        *p = arg;
	struct peer_stream *s = stream_of(p, id);

	(void)h2;
	if (s) {
		s->closed = true;
		s->code = code;
		p->n_closed++;
	}
	return 0;
}

static int
on_sent(nghttp2_session *h2, const nghttp2_frame *f, void *arg)
{
	struct peer_stream *s = stream_of(arg, f->hd.stream_id);

	if (s && f->hd.type == NGHTTP2_DATA && s->breaks && s->sent == s->to_send)
		nghttp2_submit_rst_stream(h2, 0, s->id, NGHTTP2_INTERNAL_ERROR);
	if (s && f->hd.type == NGHTTP2_HEADERS && strncmp(s->path, "/early", 6) == 0 && !s->got_end)
		nghttp2_submit_rst_stream(h2, 0, s->id, NGHTTP2_NO_ERROR);
	return 0;
}

static void
push(struct peer *p)
{
	for (;;) {
		const uint8_t *d;
		ssize_t        n;
		size_t         k;
		if (p->at_out == p->n_out) {
			n = nghttp2_session_mem_send(p->h2, &d);
			if (n <= 0)
				return;
			memcpy(p->out, d, (size_t)n);
			p->at_out = 0;
			p->n_out = (size_t)n;
		}
		k = p->n_out - p->at_out;
		if (p->step && k > p->step)
			k = p->step;
		n = send(p->fd, p->out + p->at_out, k, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0)
			return;
		p->at_out += (size_t)n;
	}
}

static void
on_event(void *arg, unsigned what)
{
	struct peer *p = arg;
	uint8_t      buf[16384];
	ssize_t      n;

	(void)what;
	while (!p->over && !p->paused) {
		n = recv(p->fd, buf, p->step ? p->step : sizeof buf, MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN)
			break;
		if (n <= 0 || nghttp2_session_mem_recv(p->h2, buf, (size_t)n) < 0)
			p->over = true;
		push(p);
	}
	if (!p->over)
		push(p);
}

void
peer_serve(struct peer *p)
{
	on_event(p, WATCH_READ);
}

bool
peer_start(struct peer *p, struct loop *loop, int fd, bool is_server, uint32_t streams, uint32_t window)
{
	nghttp2_session_callbacks *c;
	nghttp2_settings_entry     e[] = {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, streams}, {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, window}};

	p->loop = loop;
	p->fd = fd;
	p->is_server = is_server;
	if (nghttp2_session_callbacks_new(&c) != 0)
		return false;
	nghttp2_session_callbacks_set_on_begin_headers_callback(c, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(c, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(c, on_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(c, on_close);
	nghttp2_session_callbacks_set_on_frame_send_callback(c, on_sent);
	if ((is_server ? nghttp2_session_server_new : nghttp2_session_client_new)(&p->h2, c, p) != 0)
		return false;
	nghttp2_session_callbacks_del(c);
	return nghttp2_submit_settings(p->h2, 0, e, 2) == 0 && watch_init(&p->watch, loop, fd, WATCH_READ | WATCH_WRITE | WATCH_CLOSED, on_event, p);
}

struct peer_stream *
peer_ask(struct peer *p, const char *method, const char *path, size_t n, bool trailer)
{
	nghttp2_nv nv[] = {NV(":method", method), NV(":scheme", "https"), NV(":authority", "a.test"), NV(":path", path), NV("te", "trailers")};
	nghttp2_data_provider data = {.read_callback = on_wanted};
	struct peer_stream   *s = &p->streams[p->n_streams++];

	*s = (struct peer_stream){.to_send = n, .trailer = trailer};
	s->id = nghttp2_submit_request(p->h2, NULL, nv, sizeof nv / sizeof *nv, n == SIZE_MAX ? NULL : &data, NULL);
	watch_again(&p->watch, WATCH_WRITE);
	return s;
}

void
peer_stop(struct peer *p)
{
	if (!p->h2)
		return;
	watch_clear(&p->watch);
	close(p->fd);
	nghttp2_session_del(p->h2);
	p->h2 = NULL;
}
