/* SPDX-License-Identifier: MIT */
/*
 * proxy_header: the header by which a load balancer tells whose connection it passes on (PROXY protocol versions 1 and 2, HAProxy's proxy-protocol.txt).
 * Pure. Whether its sender may be believed is the caller's to know.
 */
#ifndef POSTERN_PARSE_PROXY_HEADER_H
#define POSTERN_PARSE_PROXY_HEADER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"
#include "base/span.h"
#include "parse/result.h"

#define PROXY_HEADER_MAX 4096u /* of version 2, with all that is added to it; a line of version 1 has 107 bytes at most */

struct proxy_header {
	bool            has_client; /* else: the balancer's own connection (LOCAL, UNKNOWN), or a kind that has no IP address: the socket's address stands */
	struct endpoint from, to;   /* the client, and where it was going */
};

/* Is there a whole header at the start of `in`? PARSE_OK: *used bytes of it. PARSE_MORE: right so far. The first byte that cannot be right is PARSE_BAD at once;
 * so are a header that is too large, values that the document leaves unassigned, additions (TLV) that overrun it, and a CRC32C that is there and is not right.
 * `out` and `used` are set for PARSE_OK only. */
enum parse_result proxy_header_parse(struct span in, struct proxy_header *out, size_t *used);

#endif
