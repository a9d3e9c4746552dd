/* SPDX-License-Identifier: MIT */
/*
 * url: the one spelling of a URL by which rules see it, so that /%61dmin and /x/../admin are both /admin.
 * Pure. Decides nothing about what may be asked for: that is authority's and gate's. What is sent to the origin is what the client wrote.
 */
#ifndef POSTERN_PARSE_URL_H
#define POSTERN_PARSE_URL_H

#include "parse/authority.h"

/* Bytes that are always enough for the URL: nothing grows but by what stands before the path, "/" and "?". */
static inline size_t
url_normal_room(const struct url *u)
{
	return HOSTNAME_MAX + 24 + u->path.n + u->query.n;
}

/*
 * Write scheme://host[:port]/path[?query] into `buf` (RFC 3986 6.2.2, 6.2.3): scheme http or https; the host as it is canonical, an IPv6 address in
 * brackets; the port only when it is not the scheme's; in path and query, percent-encoded unreserved bytes are decoded and other escapes have upper-case
 * digits; dot segments are removed from the path after that, and an empty path is "/". %2F stays what it is, and so do double slashes. The result is
 * its own normal form. False: `room` is too small (url_normal_room never is; what falls away again needs room too), another scheme, or a '%' without two hexadecimal digits after it.
 */
bool url_normalise(const struct url *u, char *buf, size_t room, struct span *out);

#endif
