/* SPDX-License-Identifier: MIT */
#include "h2/translate.h"

#include <stdio.h>
#include <stdlib.h>

#include "parse/body.h"
#include "parse/octet.h"

#define NAME_MAX_OUT 1024 /* of a field that is sent: longer ones are no names */

void
h2_head_init(struct h2_head *h, bool is_response, bool is_trailer, size_t most)
{
	*h = (struct h2_head){.is_response = is_response, .is_trailer = is_trailer, .most = most, .past_pseudo = is_trailer};
}

void
h2_head_clear(struct h2_head *h)
{
	free(h->text);
	free(h->cookie);
	free(h->method);
	free(h->path);
	free(h->authority);
	free(h->scheme);
	free((void *)(uintptr_t)h->whole.p);
	*h = (struct h2_head){0};
}

/* Room for n more bytes of text. No memory is the sender's bad luck: the head cannot be read. */
static bool
make_room(struct h2_head *h, size_t n)
{
	size_t room = h->room ? h->room : 512;
	char  *p;

	if (h->n + n <= h->room)
		return true;
	while (room < h->n + n)
		room *= 2;
	p = realloc(h->text, room);
	if (!p) {
		h->bad = true;
		return false;
	}
	h->text = p;
	h->room = room;
	return true;
}

static void
put(struct h2_head *h, struct span s)
{
	if (s.n)
		memcpy(h->text + h->n, s.p, s.n);
	h->n += s.n;
}

static bool
is_name(struct span name)
{
	for (size_t i = 0; i < name.n; i++)
		if (!octet_is(name.p[i], OCTET_TOKEN) || (name.p[i] >= 'A' && name.p[i] <= 'Z'))
			return false;
	return name.n > 0;
}

/* RFC 9113 8.2.1: no NUL, CR or LF, and no blank at either end; other controls are no text either (RFC 9110 5.5). */
static bool
is_value(struct span value)
{
	for (size_t i = 0; i < value.n; i++)
		if (!octet_is(value.p[i], OCTET_TEXT))
			return false;
	return value.n == 0 || !(octet_is_blank(value.p[0]) || octet_is_blank(value.p[value.n - 1]));
}

static bool
is_visible(struct span s)
{
	return s.n > 0 && octet_find_invisible(s.p, s.p + s.n) == s.p + s.n;
}

static void
keep_once(struct h2_head *h, char **where, struct span value, bool good)
{
	if (*where || !good) {
		h->bad = true;
		return;
	}
	*where = malloc(value.n + 1);
	if (!*where) {
		h->bad = true;
		return;
	}
	memcpy(*where, value.p, value.n);
	(*where)[value.n] = '\0';
}

static void
add_status(struct h2_head *h, struct span value)
{
	unsigned status = 0;

	h->bad |= h->status || value.n != 3;
	for (size_t i = 0; i < value.n && !h->bad; i++) {
		h->bad = !octet_is(value.p[i], OCTET_DIGIT);
		status = status * 10 + (unsigned)(value.p[i] - '0');
	}
	/* RFC 9113 8.6: there is no 101 */
	h->bad |= status < 100 || status == 101;
	h->status = status;
}

static void
add_pseudo(struct h2_head *h, struct span name, struct span value)
{
	if (h->past_pseudo)
		h->bad = true;
	else if (h->is_response && span_eq(name, SPAN(":status")))
		add_status(h, value);
	else if (h->is_response)
		h->bad = true;
	else if (span_eq(name, SPAN(":method")))
		keep_once(h, &h->method, value, octet_is_token(value));
	else if (span_eq(name, SPAN(":path")))
		keep_once(h, &h->path, value, is_visible(value) && (value.p[0] == '/' || span_eq(value, SPAN("*"))));
	else if (span_eq(name, SPAN(":authority")))
		keep_once(h, &h->authority, value, is_visible(value));
	else if (span_eq(name, SPAN(":scheme")))
		keep_once(h, &h->scheme, value, span_eq_nocase(value, SPAN("https")) || (h->is_proxy && span_eq_nocase(value, SPAN("http"))));
	else
		h->bad = true;
}

static void
add_length(struct h2_head *h, struct span value)
{
	h->bad |= h->has_length || value.n == 0;
	h->has_length = h->length_is_zero = true;
	for (size_t i = 0; i < value.n; i++) {
		h->bad |= !octet_is(value.p[i], OCTET_DIGIT);
		h->length_is_zero &= value.p[i] == '0';
	}
}

/* Crumbs become one field (RFC 9113 8.2.3). */
static void
add_cookie(struct h2_head *h, struct span value)
{
	size_t gap = h->n_cookie ? 2 : 0;
	char  *p = realloc(h->cookie, h->n_cookie + gap + value.n + 1);

	if (!p) {
		h->bad = true;
		return;
	}
	if (gap)
		memcpy(p + h->n_cookie, "; ", 2);
	if (value.n)
		memcpy(p + h->n_cookie + gap, value.p, value.n);
	h->cookie = p;
	h->n_cookie += gap + value.n;
}

static void
add_line(struct h2_head *h, struct span name, struct span value)
{
	if (!make_room(h, name.n + value.n + 4))
		return;
	put(h, name);
	put(h, SPAN(": "));
	put(h, value);
	put(h, SPAN("\r\n"));
}

/* A field that HTTP/1.1 bars from trailers is left out (RFC 9110 6.5.1): the parser of chunked bodies says which. */
static bool
may_trail(struct h2_head *h, size_t line)
{
	struct body b;
	struct span data;
	size_t      used;

	body_init(&b, BODY_CHUNKED, 0);
	return body_take(&b, SPAN("0\r\n"), &used, &data) != PARSE_BAD &&
	    body_take(&b, span_of(h->text + line, h->n - line), &used, &data) != PARSE_BAD;
}

/* RFC 9113 8.2.2. */
static bool
is_of_connection(enum field_id id)
{
	return id == FIELD_CONNECTION || id == FIELD_PROXY_CONNECTION || id == FIELD_KEEP_ALIVE || id == FIELD_TRANSFER_ENCODING || id == FIELD_UPGRADE;
}

static void
add_regular(struct h2_head *h, struct span name, struct span value)
{
	enum field_id id = field_id_of(name);
	size_t        line = h->n;

	if (is_of_connection(id) || (id == FIELD_TE && !span_eq_nocase(value, SPAN("trailers")))) {
		h->bad = true;
		return;
	}
	if (h->is_trailer) {
		add_line(h, name, value);
		if (!h->bad && !may_trail(h, line))
			h->n = line;
		return;
	}
	if (id == FIELD_CONTENT_LENGTH)
		add_length(h, value);
	if (id == FIELD_TE && !h->is_response) {
		if (make_room(h, 32))
			put(h, SPAN("connection: TE\r\nte: trailers\r\n"));
	} else if (id == FIELD_HOST && !h->is_response) {
		h->bad |= !h->authority || !span_eq_nocase(value, span_str(h->authority));
	} else if (!h->is_response && span_eq(name, SPAN("cookie"))) {
		add_cookie(h, value);
	} else {
		add_line(h, name, value);
	}
}

void
h2_head_add(struct h2_head *h, struct span name, struct span value)
{
	if (h->bad || h->too_large)
		return;
	if (h->n + h->n_cookie + name.n + value.n + 4 > h->most) {
		h->too_large = true;
		/* the reader shall see of a target what is too long about it */
		if (name.n && name.p[0] == ':' && value.n > h->most && is_value(value))
			add_pseudo(h, name, span_of(value.p, h->most));
		return;
	}
	if (!is_value(value)) {
		h->bad = true;
		return;
	}
	if (name.n && name.p[0] == ':') {
		add_pseudo(h, name, value);
		return;
	}
	h->past_pseudo = true;
	if (is_name(name))
		add_regular(h, name, value);
	else
		h->bad = true;
}

/* How the body is framed in HTTP/1.1. */
static struct span
framing(const struct h2_head *h, bool ends)
{
	struct span method = span_str(h->method);

	if (h->is_response && (h->status < 200 || h->status == 204 || h->status == 304))
		return SPAN("");
	if (h->has_length || span_eq(method, SPAN("CONNECT")))
		return SPAN("");
	if (!ends)
		return SPAN("transfer-encoding: chunked\r\n");
	if (h->is_response || span_eq(method, SPAN("POST")) || span_eq(method, SPAN("PUT")) || span_eq(method, SPAN("PATCH")))
		return SPAN("content-length: 0\r\n");
	return SPAN("");
}

static bool
is_sound(const struct h2_head *h, bool ends)
{
	if (h->bad)
		return false;
	if (h->is_trailer)
		return true;
	if (h->is_response)
		return h->status != 0;
	if (!h->method || !h->authority)
		return false;
	/* RFC 9113 8.5: what follows is no content, and has no length */
	if (span_eq(span_str(h->method), SPAN("CONNECT")))
		return h->is_proxy && !h->path && !h->scheme && !h->has_length;
	if (!h->path || !h->scheme)
		return false;
	if (h->path[0] == '*' && !span_eq(span_str(h->method), SPAN("OPTIONS")))
		return false;
	return !ends || !h->has_length || h->length_is_zero;
}

/* RFC 9112 3.2: what the request line names. Bytes written. */
static size_t
put_target(const struct h2_head *h, char *p, size_t room)
{
	const char *authority = h->authority ? h->authority : "";
	int         n;

	if (!h->path)
		n = snprintf(p, room, "%s", authority);
	else if (!h->is_proxy || !h->scheme || span_eq_nocase(span_str(h->scheme), SPAN("https"))) /* https is asked for by CONNECT: this is for ourselves */
		n = snprintf(p, room, "%s", h->path);
	else /* OPTIONS * of a whole server has no path in absolute form (RFC 9112 3.2.4) */
		n = snprintf(p, room, "%s://%s%s", h->scheme, authority, h->path[0] == '*' ? "" : h->path);
	return n > 0 && (size_t)n < room ? (size_t)n : 0;
}

static size_t
put_request_line(const struct h2_head *h, char *p, size_t room)
{
	size_t n = (size_t)snprintf(p, room, "%s ", h->method);

	n += put_target(h, p + n, room - n);
	return n + (size_t)snprintf(p + n, room - n, " HTTP/1.1\r\nhost: %s\r\n", h->authority ? h->authority : "");
}

/* Longer than may be, and without an end. */
static struct span
endless(char *p, size_t n, size_t room)
{
	memset(p + n, 'x', room - n);
	return span_of(p, room);
}

struct span
h2_head_text(struct h2_head *h, bool ends)
{
	struct span cookie = span_of(h->cookie, h->n_cookie), tail = framing(h, ends);
	size_t      room, n = 0;
	char       *p;

	if (!h->too_large && !is_sound(h, ends))
		return span_of(NULL, 0);
	if (h->too_large && (h->is_trailer || (!h->is_response && (!h->method || !(h->path || (h->is_proxy && h->authority))))))
		return span_of(NULL, 0);
	room = h->n + h->n_cookie + tail.n + 128 + (h->method ? strlen(h->method) : 0) + (h->path ? strlen(h->path) : 0) +
	    2 * (h->authority ? strlen(h->authority) : 0);
	if (h->too_large)
		room += h->most;
	p = malloc(room);
	if (!p)
		return span_of(NULL, 0);
	if (h->is_response && !h->is_trailer)
		n = (size_t)snprintf(p, room, "HTTP/1.1 %03u \r\n", h->status);
	else if (!h->is_trailer)
		n = put_request_line(h, p, room);
	if (h->n)
		memcpy(p + n, h->text, h->n);
	n += h->n;
	free((void *)(uintptr_t)h->whole.p);
	if (h->too_large) {
		h->whole = endless(p, n, room);
		return h->whole;
	}
	if (cookie.n)
		n += (size_t)snprintf(p + n, room - n, "cookie: %.*s\r\n", SPAN_ARG(cookie));
	n += (size_t)snprintf(p + n, room - n, "%.*s\r\n", (int)(h->is_trailer ? 0 : tail.n), tail.p);
	h->whole = span_of(p, n);
	return h->whole;
}

/* All fields that are not for the next hop only. */
static bool
fields_each(const struct head *h, bool response, bool of_proxy, h2_field_fn *each, void *arg)
{
	struct field f;
	size_t       at = 0;
	char         name[NAME_MAX_OUT];

	while (head_field_next(h, &at, &f)) {
		bool challenge = of_proxy && (f.id == FIELD_PROXY_AUTHENTICATE || f.id == FIELD_PROXY_AUTHENTICATION_INFO);
		if ((!challenge && head_field_is_hop(h, &f)) || (f.id == FIELD_HOST && !response) || f.id == FIELD_CONNECTION || f.id == FIELD_UPGRADE)
			continue;
		if (f.name.n > sizeof name)
			return false;
		for (size_t i = 0; i < f.name.n; i++)
			name[i] = ascii_lower(f.name.p[i]);
		if (!each(arg, span_of(name, f.name.n), f.value))
			return false;
	}
	return true;
}

bool
h2_request_fields(const struct head *h, struct span scheme, h2_field_fn *each, void *arg)
{
	return each(arg, SPAN(":method"), h->method) && each(arg, SPAN(":scheme"), scheme) && each(arg, SPAN(":authority"), h->host) &&
	    each(arg, SPAN(":path"), h->target) && fields_each(h, false, false, each, arg) && (!h->te_trailers || each(arg, SPAN("te"), SPAN("trailers")));
}

bool
h2_response_fields(const struct head *h, bool of_proxy, h2_field_fn *each, void *arg)
{
	char status[8];
	int  n = snprintf(status, sizeof status, "%03u", h->status);

	return each(arg, SPAN(":status"), span_of(status, (size_t)n)) && fields_each(h, true, of_proxy, each, arg);
}

bool
h2_trailer_fields(struct span lines, h2_field_fn *each, void *arg)
{
	struct head h = {.fields = lines};

	return fields_each(&h, false, false, each, arg);
}
