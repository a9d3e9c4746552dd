/* SPDX-License-Identifier: MIT */
/*
 * stream_send: one message of HTTP/1.1, as a session writes it, goes to the peer: heads as HEADERS, data as DATA under the peer's windows, a chunked body's trailer as HEADERS.
 * Always true: at most STREAM_OUT_MAX bytes of data wait.
 */
#include <stdlib.h>

#include "h2/link.h"

#define HEAD_PIECE 16384 /* bytes of a head that are looked at at once */

/* A head as the library wants it. */
struct fields {
	nghttp2_nv *nv; /* owned */
	size_t      n, room;
	char       *text; /* owned: names and values */
	size_t      n_text, text_room;
};

static bool
fields_init(struct fields *f, unsigned n, size_t n_text)
{
	*f = (struct fields){.room = n, .text_room = n_text};
	f->nv = calloc(n, sizeof *f->nv);
	f->text = malloc(n_text);
	return f->nv && f->text;
}

static void
fields_clear(struct fields *f)
{
	free(f->nv);
	free(f->text);
}

static uint8_t *
keep(struct fields *f, struct span s)
{
	char *p = f->text + f->n_text;

	if (s.n)
		memcpy(p, s.p, s.n);
	f->n_text += s.n;
	return (uint8_t *)p;
}

/* What must not stand in the table that the peer keeps, where lengths tell of it (RFC 7541 7.1). */
static bool
is_secret(struct span name)
{
	return span_eq(name, SPAN("authorization")) || span_eq(name, SPAN("cookie")) || span_eq(name, SPAN("set-cookie"));
}

static bool
on_field(void *arg, struct span name, struct span value)
{
	struct fields *f = arg;

	if (f->n == f->room || f->text_room - f->n_text < name.n + value.n)
		return false;
	f->nv[f->n++] = (nghttp2_nv){.name = keep(f, name),
	    .namelen = name.n,
	    .value = keep(f, value),
	    .valuelen = value.n,
	    .flags = is_secret(name) ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE};
	return true;
}

static bool
send_trailer(struct stream *s)
{
	struct fields f;
	struct span   lines = span_of(s->out_trailer.p, bytes_size(&s->out_trailer) - 2);
	unsigned      n = 1;
	bool          ok;

	for (size_t i = 0; i < lines.n; i++)
		n += lines.p[i] == '\n';
	ok = fields_init(&f, n, lines.n + 1) && h2_trailer_fields(lines, on_field, &f) && nghttp2_submit_trailer(s->link->h2, s->id, f.nv, f.n) == 0;
	fields_clear(&f);
	return ok;
}

/* The library has room for a DATA frame. */
static ssize_t
on_data_wanted(nghttp2_session *h2, int32_t id, uint8_t *buf, size_t n, uint32_t *flags, nghttp2_data_source *source, void *arg)
{
	struct stream *s = nghttp2_session_get_stream_user_data(h2, id);
	size_t         k;

	(void)source;
	(void)arg;
	if (!s || s->broken)
		return NGHTTP2_ERR_DEFERRED; /* its reset is on the way */
	k = bytes_size(&s->out) < n ? bytes_size(&s->out) : n;
	if (k > 0)
		memcpy(buf, s->out.p + s->out.at, k);
	bytes_use(&s->out, k);
	if (s->blocked && bytes_size(&s->out) <= STREAM_OUT_MAX / 2) {
		s->blocked = false;
		stream_wake(s, WATCH_WRITE);
	}
	if (bytes_size(&s->out) == 0 && s->out_state == OUT_WHOLE) {
		*flags |= NGHTTP2_DATA_FLAG_EOF;
		if (bytes_size(&s->out_trailer) > 2) {
			*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
			if (!send_trailer(s))
				return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
		}
	} else if (k == 0 && s->cut) {
		s->link->own_resets++;
		if (!s->is_tunnel)
			return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* which is a reset */
		nghttp2_submit_rst_stream(s->link->h2, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_CONNECT_ERROR);
		return NGHTTP2_ERR_DEFERRED;
	} else if (k == 0) {
		s->deferred = true;
		return NGHTTP2_ERR_DEFERRED;
	}
	return (ssize_t)k;
}

static void
resume(struct stream *s)
{
	if (s->deferred)
		nghttp2_session_resume_data(s->link->h2, s->id);
	s->deferred = false;
	link_kick(s->link);
}

static void
be_whole(struct stream *s)
{
	s->out_state = OUT_WHOLE;
	resume(s);
	stream_wake(s, WATCH_READ);
}

static int
submit(struct stream *s, const struct fields *f, bool interim, bool has_body)
{
	nghttp2_data_provider data = {.read_callback = on_data_wanted};
	nghttp2_session      *h2 = s->link->h2;

	if (interim)
		return nghttp2_submit_headers(h2, NGHTTP2_FLAG_NONE, s->id, NULL, f->nv, f->n, NULL);
	if (s->is_server)
		return nghttp2_submit_response(h2, s->id, f->nv, f->n, has_body ? &data : NULL);
	s->id = nghttp2_submit_request(h2, NULL, f->nv, f->n, has_body ? &data : NULL, s);
	return s->id > 0 ? 0 : -1;
}

static bool
send_head(struct stream *s, const struct head *h)
{
	bool           interim = s->is_server && h->status < 200;
	bool           tunnel = s->is_server && s->method == METHOD_CONNECT && h->status >= 200 && h->status < 300;
	enum body_kind kind = tunnel ? BODY_TO_CLOSE : s->is_server ? head_response_body(h, s->method) : h->body;
	bool           has_body = kind == BODY_CHUNKED || kind == BODY_TO_CLOSE || (kind == BODY_LENGTH && h->length > 0);
	struct fields  f;
	bool           ok = fields_init(&f, h->n_fields + 6, h->line.n + h->fields.n + h->host.n + 128);

	if (s->is_server)
		ok = ok && h->status != 101 && h2_response_fields(h, s->link->is_proxy, on_field, &f);
	else
		ok = ok && h->method_id != METHOD_CONNECT && h2_request_fields(h, SPAN("https"), on_field, &f);
	ok = ok && submit(s, &f, interim, has_body) == 0;
	fields_clear(&f);
	if (!ok)
		return false;
	if (!s->is_server)
		s->method = h->method_id;
	body_init(&s->body, kind, h->length);
	s->is_tunnel = tunnel;
	if (tunnel)
		stream_wake(s, WATCH_READ); /* an end that came with the CONNECT is read now */
	if (!interim && has_body)
		s->out_state = OUT_BODY;
	else if (!interim)
		be_whole(s);
	link_kick(s->link);
	return true;
}

static ssize_t
take_head(struct stream *s, struct span in)
{
	struct head h = {0};
	size_t      used = 0, rest;
	enum fault  fault = FAULT_NONE;
	struct span all;

	if (in.n > HEAD_PIECE)
		in.n = HEAD_PIECE; /* a body may come with it */
	/* ours: with what was added on the way it may be longer than what was read */
	if (s->out.n > 4 * s->link->max_head + 65536 || !bytes_put(&s->out, in))
		return -1;
	all = span_of(s->out.p, s->out.n);
	switch ((s->is_server ? head_parse_response : head_parse_request)(all, s->seen, &h, &used, &fault)) {
	case PARSE_BAD:
		return -1;
	case PARSE_MORE:
		s->seen = s->out.n;
		return (ssize_t)in.n;
	case PARSE_OK:
		break;
	}
	rest = s->out.n - used;
	if (!send_head(s, &h))
		return -1;
	s->seen = 0;
	bytes_free(&s->out);
	return (ssize_t)(in.n - rest);
}

static ssize_t
take_body(struct stream *s, struct span in)
{
	size_t            room = STREAM_OUT_MAX - bytes_size(&s->out), used;
	uint32_t          trailer = s->body.trailer;
	struct span       piece = span_of(in.p, in.n < room ? in.n : room), data;
	enum parse_result p;

	if (piece.n == 0)
		return 0;
	p = body_take(&s->body, piece, &used, &data);
	/* the trailer section is the end of what was used */
	trailer = s->body.trailer - trailer;
	if (p == PARSE_BAD || !bytes_put(&s->out, data) || !bytes_put(&s->out_trailer, span_of(piece.p + used - trailer, trailer)))
		return -1;
	if (p == PARSE_OK)
		be_whole(s);
	else if (data.n)
		resume(s);
	return (ssize_t)used;
}

ssize_t
stream_send(struct stream *s, struct span in)
{
	size_t done = 0;

	while (done < in.n) {
		struct span rest = span_of(in.p + done, in.n - done);
		ssize_t     k = s->out_state == OUT_HEAD ? take_head(s, rest) : s->out_state == OUT_BODY ? take_body(s, rest) : -1;
		if (k < 0) {
			stream_reset(s, NGHTTP2_INTERNAL_ERROR);
			return -1;
		}
		if (k == 0)
			break;
		done += (size_t)k;
	}
	return (ssize_t)done;
}

void
stream_send_end(struct stream *s)
{
	if (s->link && !s->closed && !s->broken && s->out_state == OUT_BODY && s->body.kind == BODY_TO_CLOSE)
		be_whole(s);
}

void
stream_send_cut(struct stream *s)
{
	s->cut = true;
	resume(s);
}
