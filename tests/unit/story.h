/* SPDX-License-Identifier: MIT */
/* story: records of requests, for tests of the formats of logs. */
#ifndef POSTERN_UNIT_STORY_H
#define POSTERN_UNIT_STORY_H

#include "audit/record.h"
#include "parse/authority.h"

/* One request, with what differs from the usual one. */
struct story {
	struct record r;
	const char   *text[RT_COUNT];
};

/* The usual one. */
static inline struct record
record_of(bool is_connect, unsigned status, enum fault fault)
{
	struct record r = {
		.id = 0xabc, .session = 0xdef, .end_real_us = 1700000000007890u, .duration_us = 45678, .bytes_in = 99, .bytes_out = 4321,
		.is_connect = is_connect, .scheme = is_connect ? SCHEME_HTTPS : SCHEME_HTTP, .minor = 1, .fault = (uint16_t)fault, .status = (uint16_t)status,
		.port = is_connect ? 443 : 80, .worker = 3, .resolve_ms = MS_NONE, .connect_ms = MS_NONE, .tls_ms = MS_NONE, .first_byte_ms = MS_NONE,
		.auth_ms = MS_NONE, .queue_ms = MS_NONE,
	};

	r.client.addr = addr_from_v4(0xc0000201);
	r.client.port = 40000;
	return r;
}

#endif
