/* SPDX-License-Identifier: MIT */
#include "session/target.h"

static bool
is_same_place(const struct authority *a, const struct authority *b)
{
	return a->port == b->port && span_eq(host_span(&a->host), host_span(&b->host));
}

static void
take_url(struct request *r, const struct url *url)
{
	r->url = (struct target){.scheme = url->scheme, .path = url->path, .query = url->query, .has_query = url->has_query};
}

static enum fault
read_connect(struct request *r)
{
	if (!authority_parse_connect(r->head.target, &r->at))
		return FAULT_BAD_TARGET;
	r->url = (struct target){.scheme = SCHEME_HTTPS};
	r->has_target = true;
	/* what follows the head is the tunnel's: a head that says otherwise is bad framing; a length of 0, as WinINet, WinHTTP and cntlm say, does not */
	r->head.body = BODY_NONE;
	return FAULT_NONE;
}

/* RFC 9110 7.1: OPTIONS for the server as a whole. */
static bool
is_asterisk(const struct request *r)
{
	return r->head.method_id == METHOD_OPTIONS && span_eq(r->head.target, SPAN("*"));
}

static enum fault
read_inside(struct request *r, const struct inside *in)
{
	struct url url = {.scheme = SCHEME_HTTPS, .at = in->at};

	r->at = in->at;
	r->url = (struct target){.scheme = SCHEME_HTTPS};
	r->has_target = true;
	if (r->head.method_id == METHOD_CONNECT)
		return FAULT_NOT_IMPLEMENTED; /* a tunnel in a tunnel would pass no rule */
	if (is_asterisk(r))
		return FAULT_NONE;
	if (r->head.target.n && r->head.target.p[0] == '/') {
		if (!url_parse_origin(r->head.target, &url))
			return FAULT_BAD_TARGET;
	} else if (!url_parse(r->head.target, &url)) {
		return FAULT_BAD_TARGET;
	} else if (url.scheme != SCHEME_HTTPS || !is_same_place(&url.at, &in->at)) {
		return FAULT_MISDIRECTED;
	}
	take_url(r, &url);
	return FAULT_NONE;
}

/* A request of a client that takes us for the origin (RFC 9112 3.2.1): Host names the target. Without a port it is the one that the client connected to, and
 * without Host (HTTP/1.0) so is the address. */
static enum fault
read_transparent(struct request *r, const struct endpoint *original)
{
	struct url url = {.scheme = SCHEME_HTTP};
	char       text[ADDR_TEXT_MAX + 2] = "[";
	bool       bracket = !addr_is_v4(&original->addr);

	if (r->head.host.n) {
		if (!authority_parse(r->head.host, &url.at))
			return FAULT_BAD_HOST;
	} else {
		size_t n = addr_print(&original->addr, text + bracket) + bracket;
		text[n] = ']';
		if (!host_parse(span_of(text, n + bracket), &url.at.host))
			return FAULT_INTERNAL;
	}
	if (!url.at.port)
		url.at.port = original->port;
	r->at = url.at;
	r->url = (struct target){.scheme = SCHEME_HTTP};
	r->has_target = true;
	if (is_asterisk(r))
		return FAULT_NONE;
	if (!url_parse_origin(r->head.target, &url))
		return FAULT_BAD_TARGET;
	take_url(r, &url);
	return FAULT_NONE;
}

static bool
is_origin_form(const struct request *r)
{
	return r->head.target.n && (r->head.target.p[0] == '/' || span_eq(r->head.target, SPAN("*")));
}

enum fault
target_read(struct request *r, const struct inside *in, const struct endpoint *original)
{
	struct url url;

	if (in)
		return read_inside(r, in);
	if (original && is_origin_form(r))
		return read_transparent(r, original);
	if (original && r->head.method_id == METHOD_CONNECT && !r->sniffed)
		return FAULT_NOT_IMPLEMENTED; /* nobody who asks for a proxy is sent here */
	r->is_connect = r->head.method_id == METHOD_CONNECT;
	if (r->is_connect)
		return read_connect(r);
	if (is_origin_form(r))
		return FAULT_NOT_A_PROXY_REQUEST;
	if (!url_parse(r->head.target, &url))
		return FAULT_BAD_TARGET;
	r->at = url.at;
	take_url(r, &url);
	r->has_target = true;
	return r->url.scheme == SCHEME_HTTP ? FAULT_NONE : FAULT_BAD_SCHEME;
}

enum fault
target_judge_host(const struct request *r, const struct inside *in)
{
	struct authority host;
	enum fault       other = in ? FAULT_MISDIRECTED : FAULT_HOST_MISMATCH;

	if (!in && (r->snap->set->host_mismatch == MISMATCH_REPLACE || !r->head.host.n))
		return FAULT_NONE;
	if (!(r->head.seen & 1u << FIELD_HOST))
		return FAULT_NONE; /* HTTP/1.0 */
	if (!in && is_origin_form(r))
		return FAULT_NONE; /* it is the target */
	if (!r->head.host.n)
		return other;
	if (!authority_parse(r->head.host, &host))
		return FAULT_BAD_HOST;
	if (!host.port)
		host.port = in ? 443 : r->is_connect ? r->at.port : 80;
	return is_same_place(&host, &r->at) ? FAULT_NONE : other;
}

void
target_reread(struct request *r)
{
	struct url url;

	if (r->is_connect || is_asterisk(r))
		return;
	if (r->head.target.p[0] == '/' ? url_parse_origin(r->head.target, &url) : url_parse(r->head.target, &url)) {
		r->url.path = url.path;
		r->url.query = url.query;
	}
}
