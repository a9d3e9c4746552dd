/* SPDX-License-Identifier: MIT */
/*
 * authority: reads request targets: authority-form (CONNECT), absolute-form, and Host (RFC 9112 3.2, RFC 3986 3.2).
 */
#ifndef POSTERN_PARSE_AUTHORITY_H
#define POSTERN_PARSE_AUTHORITY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"
#include "base/span.h"
#include "parse/hostname.h"

struct authority {
	struct host host;
	uint16_t    port;     /* 0: not given */
};

/* host [":" port] as in Host; port 1-65535, decimal, at most 5 digits, no sign. An empty port ("host:") counts as not given. User
 * information is refused. */
bool authority_parse(struct span in, struct authority *out);
/* For CONNECT: the port must be there (RFC 9110 9.3.6). */
bool authority_parse_connect(struct span in, struct authority *out);

enum url_scheme { SCHEME_NONE, SCHEME_HTTP, SCHEME_HTTPS, SCHEME_OTHER };

struct url {
	enum url_scheme  scheme;
	struct authority at;    /* port filled in from the scheme (80, 443) when not given */
	struct span      path;  /* begins with '/', or empty ("http://x", "http://x?q"); without the query */
	struct span      query; /* without '?'; has_query tells "" from none */
	bool             has_query;
};

/* Read an absolute-form target (RFC 9112 3.2.2): scheme "://" authority path-abempty ["?" query]. No fragment, no user information,
 * no byte outside RFC 3986's set (percent-encoding checked; raw bytes 0x80-0xff and the few ASCII ones that browsers send raw, | ^ ` { } " \ , are refused except
 * | ^ ` { } and, of RFC 3986's reserved set, [ ] in the query and path, which pass as they stand). Spans point into `in`. FAULT_BAD_TARGET or, for a scheme other than http
 * that is otherwise well-formed, true with SCHEME_HTTPS or SCHEME_OTHER (the caller answers 501). */
bool url_parse(struct span in, struct url *out);
/* The same for origin-form (RFC 9112 3.2.1): path and query alone. Sets nothing else of `out`. */
bool url_parse_origin(struct span in, struct url *out);

#endif
