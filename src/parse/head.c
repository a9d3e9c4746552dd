/* SPDX-License-Identifier: MIT */
#include "parse/head.h"

#include "parse/authority.h"
#include "parse/octet.h"

#define VERSION_BYTES (sizeof "HTTP/1.1" - 1)

/* What the fields said that is settled only at the end of the head. */
struct tally {
	bool     request;
	bool     close, keep_alive; /* named by Connection or, in a request, Proxy-Connection */
	bool     asks_upgrade;      /* named by Connection */
	bool     bad_coding;        /* Transfer-Encoding is no list of codings */
	bool     chunked_last;
	unsigned n_chunked, n_codings;
};

/* ---- fields that decide something ---- */

static enum fault
note_host(struct head *h, struct span value)
{
	struct authority at;

	if (h->seen & 1u << FIELD_HOST || !authority_parse(value, &at))
		return FAULT_BAD_HOST;
	h->host = value;
	return FAULT_NONE;
}

/* A second one is refused even when it says the same, and so is a list (RFC 9112 6.3): the next hop may not be as kind. */
static enum fault
note_length(struct head *h, struct span value)
{
	uint64_t n = 0;

	if (h->seen & 1u << FIELD_CONTENT_LENGTH || value.n == 0)
		return FAULT_BAD_FRAMING;
	for (size_t i = 0; i < value.n; i++) {
		uint64_t digit = (uint64_t)(value.p[i] - '0');
		if (digit > 9 || n > (INT64_MAX - digit) / 10)
			return FAULT_BAD_FRAMING;
		n = n * 10 + digit;
	}
	h->length = n;
	h->has_length = true;
	return FAULT_NONE;
}

/* One element of Transfer-Encoding. Commas inside quotes split too: such a coding is refused either way. */
static void
note_coding(struct tally *t, struct span item)
{
	size_t n = 0;

	t->n_codings++;
	t->chunked_last = span_eq_nocase(item, SPAN("chunked"));
	t->n_chunked += t->chunked_last;
	if (t->chunked_last)
		return;
	while (n < item.n && octet_is(item.p[n], OCTET_TOKEN))
		n++;
	/* empty elements, which lists may hold, are a way to hide "chunked" from somebody; it has no parameters either */
	if (n == 0 || (n < item.n && item.p[n] != ';' && !octet_is_blank(item.p[n])) || span_eq_nocase(span_of(item.p, n), SPAN("chunked")))
		t->bad_coding = true;
}

static void
note_codings(struct tally *t, struct span value)
{
	const char *p = value.p, *end = p + value.n, *comma;

	while ((comma = memchr(p, ',', (size_t)(end - p)))) {
		note_coding(t, octet_trim(p, comma));
		p = comma + 1;
	}
	note_coding(t, octet_trim(p, end));
}

static enum fault
note_connection(struct head *h, struct tally *t, struct span value)
{
	struct span item;

	for (size_t at = 0; field_list_next(value, &at, &item);) {
		if (h->n_connection_tokens == HEAD_CONNECTION_TOKENS || !octet_is_token(item))
			return FAULT_BAD_FIELD;
		h->connection_token[h->n_connection_tokens++] = item;
		t->close |= span_eq_nocase(item, SPAN("close"));
		t->keep_alive |= span_eq_nocase(item, SPAN("keep-alive"));
		t->asks_upgrade |= span_eq_nocase(item, SPAN("upgrade"));
	}
	return FAULT_NONE;
}

static void
note_expect(struct head *h, struct span value)
{
	struct span item;

	for (size_t at = 0; field_list_next(value, &at, &item);) {
		if (!span_eq_nocase(item, SPAN("100-continue")))
			h->expect_other = true;
		else
			h->expect_continue = h->minor > 0; /* RFC 9110 10.1.1: ignored in HTTP/1.0 */
	}
}

static void
keep_first(struct span *slot, struct span value)
{
	if (slot->n == 0)
		*slot = value;
}

static enum fault
note_field(struct head *h, struct tally *t, enum field_id id, struct span value)
{
	enum fault fault = FAULT_NONE;

	switch (id) {
	case FIELD_HOST:
		/* means nothing in a response */
		fault = t->request ? note_host(h, value) : FAULT_NONE;
		break;
	case FIELD_CONTENT_LENGTH:
		fault = note_length(h, value);
		break;
	case FIELD_TRANSFER_ENCODING:
		note_codings(t, value);
		break;
	case FIELD_CONNECTION:
		fault = note_connection(h, t, value);
		break;
	case FIELD_PROXY_CONNECTION:
		t->close |= t->request && field_list_has(value, SPAN("close"));
		t->keep_alive |= t->request && field_list_has(value, SPAN("keep-alive"));
		break;
	case FIELD_TE:
		h->te_trailers |= field_list_has(value, SPAN("trailers"));
		break;
	case FIELD_UPGRADE:
		keep_first(&h->upgrade_to, value);
		break;
	case FIELD_EXPECT:
		note_expect(h, value);
		break;
	case FIELD_MAX_FORWARDS:
		keep_first(&h->max_forwards, value);
		break;
	case FIELD_USER_AGENT:
		keep_first(&h->user_agent, value);
		break;
	case FIELD_CONTENT_TYPE:
		keep_first(&h->content_type, value);
		break;
	case FIELD_PROXY_AUTHORIZATION:
		if (h->n_proxy_authorization++ == 0)
			h->proxy_authorization = value;
		break;
	default:
		break;
	}
	h->seen |= 1u << id;
	return fault;
}

/* ---- the end of the head ---- */

/* RFC 9112 6.1, 6.3 */
static enum fault
settle_body(struct head *h, const struct tally *t)
{
	bool has_coding = h->seen & 1u << FIELD_TRANSFER_ENCODING;

	if (has_coding) {
		if (h->minor == 0 || h->has_length || t->bad_coding || t->n_chunked != 1 || !t->chunked_last)
			return FAULT_BAD_FRAMING;
		if (t->n_codings > 1)
			return FAULT_NOT_IMPLEMENTED;
		h->body = BODY_CHUNKED;
	} else if (h->has_length) {
		h->body = BODY_LENGTH;
	} else {
		h->body = t->request ? BODY_NONE : BODY_TO_CLOSE;
	}
	/* what follows a CONNECT is the tunnel (RFC 9110 9.3.6); a body in front of it is two readings of the same bytes */
	if (h->method_id == METHOD_CONNECT && (has_coding || h->length > 0))
		return FAULT_BAD_FRAMING;
	return FAULT_NONE;
}

static enum fault
settle(struct head *h, const struct tally *t)
{
	if (t->request && h->minor > 0 && !(h->seen & 1u << FIELD_HOST))
		return FAULT_BAD_HOST;
	h->keep_alive = !t->close && (h->minor > 0 || t->keep_alive);
	/* RFC 9110 7.8: ignored in HTTP/1.0 */
	h->upgrade = t->asks_upgrade && h->upgrade_to.n > 0 && h->minor > 0;
	return settle_body(h, t);
}

/* ---- lines ---- */

/* CRLF at *p: step over it. */
static enum parse_result
take_crlf(const char **p, const char *end)
{
	if (end - *p < 1)
		return PARSE_MORE;
	if (**p != '\r')
		return PARSE_BAD;
	if (end - *p < 2)
		return PARSE_MORE;
	if ((*p)[1] != '\n')
		return PARSE_BAD;
	*p += 2;
	return PARSE_OK;
}

/* Field text from *p to CRLF; *value is trimmed (RFC 9112 5.1). */
static enum parse_result
take_text(const char **p, const char *end, struct span *value)
{
	const char *first = *p, *stop = octet_find_control(first, end);

	while (stop < end && *stop == '\t')
		stop = octet_find_control(stop + 1, end);
	*value = octet_trim(first, stop);
	*p = stop;
	return take_crlf(p, end);
}

static enum parse_result
take_fields(const char **at, const char *end, struct head *h, struct tally *t, enum fault *fault)
{
	const char       *p = *at, *name = p;
	enum parse_result r = PARSE_OK;
	struct span       value;

	*fault = FAULT_BAD_FIELD;
	while (p < end && *p != '\r') {
		size_t n;
		for (name = p; p < end && octet_is(*p, OCTET_TOKEN);)
			p++;
		if (p == end)
			return PARSE_MORE;
		n = (size_t)(p - name);
		/* also what begins a folded line, and a blank before the colon (RFC 9112 5.1, 5.2) */
		if (*p != ':' || n == 0)
			return PARSE_BAD;
		p++;
		r = take_text(&p, end, &value);
		if (r != PARSE_OK)
			return r;
		*fault = note_field(h, t, field_id_of(span_of(name, n)), value);
		if (*fault != FAULT_NONE)
			return PARSE_BAD;
		*fault = FAULT_BAD_FIELD;
		h->n_fields++;
	}
	h->fields = span_of(*at, (size_t)(p - *at));
	r = take_crlf(&p, end);
	if (r != PARSE_OK)
		return r;
	*at = p;
	*fault = settle(h, t);
	return *fault == FAULT_NONE ? PARSE_OK : PARSE_BAD;
}

/* HTTP-version at `p`, all VERSION_BYTES there. */
static enum fault
version_read(const char *p, struct head *h)
{
	if (memcmp(p, "HTTP/", 5) != 0 || !octet_is(p[5], OCTET_DIGIT) || p[6] != '.' || !octet_is(p[7], OCTET_DIGIT))
		return FAULT_BAD_REQUEST_LINE;
	h->minor = p[7] > '0';
	return p[5] == '1' ? FAULT_NONE : FAULT_BAD_VERSION;
}

static enum method_id
method_id_of(struct span s)
{
	static const struct {
		const char    *text;
		size_t         n;
		enum method_id id;
	} rows[] = {
		{"GET", 3, METHOD_GET}, {"CONNECT", 7, METHOD_CONNECT}, {"POST", 4, METHOD_POST}, {"HEAD", 4, METHOD_HEAD}, {"PUT", 3, METHOD_PUT},
		{"DELETE", 6, METHOD_DELETE}, {"OPTIONS", 7, METHOD_OPTIONS}, {"TRACE", 5, METHOD_TRACE}, {"PATCH", 5, METHOD_PATCH},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (rows[i].n == s.n && memcmp(rows[i].text, s.p, s.n) == 0)
			return rows[i].id;
	return METHOD_OTHER;
}

static enum parse_result
take_request_line(const char **at, const char *end, struct head *h, enum fault *fault)
{
	const char       *p = *at, *line = p;
	enum parse_result r;
	enum fault        version;

	*fault = FAULT_BAD_REQUEST_LINE;
	while (p < end && octet_is(*p, OCTET_TOKEN))
		p++;
	if (p == end)
		return PARSE_MORE;
	h->method = span_of(line, (size_t)(p - line));
	if (*p != ' ' || h->method.n == 0)
		return PARSE_BAD;
	h->method_id = method_id_of(h->method);

	h->target.p = ++p;
	p = octet_find_invisible(p, end);
	if (p == end)
		return PARSE_MORE;
	h->target.n = (size_t)(p - h->target.p);
	if (*p & 0x80) {
		*fault = FAULT_BAD_TARGET;
		return PARSE_BAD;
	}
	if (*p != ' ' || h->target.n == 0)
		return PARSE_BAD;

	p++;
	if ((size_t)(end - p) < VERSION_BYTES)
		return memchr(p, '\n', (size_t)(end - p)) ? PARSE_BAD : PARSE_MORE;
	version = version_read(p, h);
	if (version == FAULT_BAD_REQUEST_LINE)
		return PARSE_BAD;
	p += VERSION_BYTES;
	h->line = span_of(line, (size_t)(p - line));
	r = take_crlf(&p, end);
	*at = p;
	if (r != PARSE_OK || version == FAULT_NONE)
		return r;
	*fault = version;
	return PARSE_BAD;
}

static enum parse_result
take_status_line(const char **at, const char *end, struct head *h)
{
	static const char begin[] = "HTTP/1.";
	const char       *p = *at, *line = p;
	size_t            n = (size_t)(end - p);
	enum parse_result r;

	if (memcmp(p, begin, n < sizeof begin - 1 ? n : sizeof begin - 1) != 0)
		return PARSE_BAD;
	if (n < sizeof "HTTP/1.1 200" - 1)
		return memchr(p, '\n', n) ? PARSE_BAD : PARSE_MORE;
	if (version_read(p, h) != FAULT_NONE || p[8] != ' ')
		return PARSE_BAD;
	p += VERSION_BYTES + 1;
	/* 1 to 9: classes above 5 are treated as 5xx by clients (RFC 9110 15) and in use; class 0 is no number of theirs */
	if (p[0] < '1' || p[0] > '9' || !octet_is(p[1], OCTET_DIGIT) || !octet_is(p[2], OCTET_DIGIT))
		return PARSE_BAD;
	h->status = (uint16_t)((p[0] - '0') * 100 + (p[1] - '0') * 10 + (p[2] - '0'));
	p += 3;
	if (p < end && *p != ' ' && *p != '\r')
		return PARSE_BAD;
	r = take_text(&p, end, &h->reason);
	if (r == PARSE_OK)
		h->line = span_of(line, (size_t)(p - 2 - line));
	*at = p;
	return r;
}

/* Did the bytes after `seen` bring the end of the first line or of the head, or a line that ends in a bare LF? Else the bytes need no
 * second look. Each line is looked at once when its LF is there. */
static bool
is_worth_reading(struct span in, size_t seen)
{
	const char *p = in.p + seen, *end = in.p + in.n;

	for (; p < end && (p = memchr(p, '\n', (size_t)(end - p))); p++) {
		size_t i = (size_t)(p - in.p);
		if (i == 0 || p[-1] != '\r' || (i >= 2 && p[-2] == '\n'))
			return true;
		/* an empty line may stand in front of the first */
		if (i > 1 && memrchr(in.p + 2, '\n', i - 2) == NULL)
			return true;
	}
	return false;
}

static enum parse_result
read_request(struct span in, struct head *out, size_t *used, enum fault *fault)
{
	struct head       h = {0};
	struct tally      t = {.request = true};
	const char       *p = in.p, *end = p + in.n;
	enum parse_result r;

	/* RFC 9112 2.2: old clients send an empty line after a body */
	if (*p == '\r') {
		*fault = FAULT_BAD_REQUEST_LINE;
		r = take_crlf(&p, end);
		if (r != PARSE_OK)
			return r;
	}
	r = take_request_line(&p, end, &h, fault);
	if (r == PARSE_OK)
		r = take_fields(&p, end, &h, &t, fault);
	if (r == PARSE_OK) {
		*used = (size_t)(p - in.p);
		*out = h;
	}
	return r;
}

static enum parse_result
read_response(struct span in, struct head *out, size_t *used, enum fault *fault)
{
	struct head       h = {0};
	struct tally      t = {.request = false};
	const char       *p = in.p, *end = p + in.n;
	enum parse_result r = take_status_line(&p, end, &h);

	if (r == PARSE_OK)
		r = take_fields(&p, end, &h, &t, fault);
	if (r == PARSE_OK) {
		*used = (size_t)(p - in.p);
		*out = h;
	}
	/* whatever it was that the fields found */
	*fault = FAULT_BAD_RESPONSE;
	return r;
}

enum parse_result
head_parse_request(struct span in, size_t seen, struct head *out, size_t *used, enum fault *fault)
{
	if (in.n == 0 || (seen > 0 && !is_worth_reading(in, seen)))
		return PARSE_MORE;
	return read_request(in, out, used, fault);
}

enum parse_result
head_parse_response(struct span in, size_t seen, struct head *out, size_t *used, enum fault *fault)
{
	if (in.n == 0 || (seen > 0 && !is_worth_reading(in, seen)))
		return PARSE_MORE;
	return read_response(in, out, used, fault);
}

enum body_kind
head_response_body(const struct head *res, enum method_id method)
{
	if (method == METHOD_HEAD || res->status < 200 || res->status == 204 || res->status == 304)
		return BODY_NONE;
	if (method == METHOD_CONNECT && res->status < 300)
		return BODY_NONE;
	return res->body;
}
