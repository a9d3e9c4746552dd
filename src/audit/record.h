/* SPDX-License-Identifier: MIT */
/*
 * record: what one access-log line knows, as plain values. Written by a session when a request or tunnel ends, carried through a ring as bytes, formatted
 * by the logger.
 */
#ifndef POSTERN_AUDIT_RECORD_H
#define POSTERN_AUDIT_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/fault.h"
#include "base/span.h"
#include "conf/conf.h"
#include "parse/authority.h"

enum record_text { /* variable texts of a record */
	RT_METHOD, RT_HOST, RT_URL, /* url: as logged in squid's %ru: host:port for CONNECT, else scheme://host[:port]/path?query; the formatter cuts the query */
	RT_LISTENER, RT_RULE, RT_LIST_ENTRY, RT_REPORTED, RT_USER, RT_USER_AGENT, RT_CONTENT_TYPE, RT_SNI, RT_ALPN, RT_PARENT, RT_REFERER,
	RT_GROUPS, RT_AUTH_DETAIL, /* names, separated by commas; why authentication failed */
	RT_TLS_CLIENT, RT_TLS_ORIGIN, RT_ORIGIN_ISSUER, RT_TLS_DETAIL, /* "TLSv1.3/CIPHER"; what exactly was wrong with TLS or a certificate */
	RT_COUNT
};

enum record_hier { HIER_NONE, HIER_DIRECT, HIER_FIRSTUP_PARENT, HIER_ROUNDROBIN_PARENT, HIER_SOURCEHASH_PARENT, HIER_ORIGINAL_DST };
enum guard_word { GUARD_WORD_NONE, GUARD_WORD_PASSED, GUARD_WORD_REPORTED, GUARD_WORD_CLOSED };

#define MS_NONE         UINT32_MAX
#define RECORD_HTTP2    20u /* as minor */
#define RECORD_TEXT_MAX 8000u
/* Most bytes that a record takes. */
#define RECORD_MAX (sizeof(struct record) + (size_t)RT_COUNT * RECORD_TEXT_MAX)

struct record {
	uint64_t id;      /* request id; printed as 16 hexadecimal digits */
	uint64_t session; /* of the client connection (or of the CONNECT that inner requests belong to) */
	uint64_t end_real_us, duration_us;
	uint64_t bytes_in, bytes_out; /* from the client; to the client; heads included */
	struct endpoint client;
	struct addr     address; /* the server's */
	bool     has_address;
	bool     is_connect, is_tunnel; /* is_tunnel: 200 was sent to a CONNECT, or 101 */
	bool     has_action, ech;
	bool     is_inner; /* a request inside an inspected tunnel; session is the CONNECT's */
	uint8_t  hier;   /* enum record_hier */
	uint8_t  scheme; /* enum url_scheme */
	uint8_t  action; /* enum action */
	uint8_t  guard;  /* enum guard_word */
	uint8_t  auth_way; /* enum auth_way */
	uint8_t  minor;  /* HTTP/1.minor of the request; RECORD_HTTP2; 255 none */
	uint16_t fault;  /* enum fault */
	uint16_t status; /* sent to the client; 0 none */
	uint16_t port, worker;
	uint32_t resolve_ms, connect_ms, tls_ms, first_byte_ms, auth_ms, queue_ms; /* MS_NONE: did not happen */
	uint16_t len[RT_COUNT]; /* texts follow the struct, one after the other, without NUL; each cut to RECORD_TEXT_MAX */
};

/* Bytes that record and texts take; write them to `to` (from ring_reserve); read back (false: damaged). text[] spans point into `from`. */
size_t record_size(struct record *r, const struct span text[RT_COUNT]); /* also fills r->len, cutting */
void   record_write(void *to, const struct record *r, const struct span text[RT_COUNT]);
bool   record_read(const void *from, size_t n, struct record *r, struct span text[RT_COUNT]);

/* RT_URL of a request: host:port of a CONNECT, else scheme://host[:port]/path[?query]; cut to what a line may hold. Returns the length. */
#define RECORD_URL_MAX 8512u
size_t record_url(const struct url *url, bool is_connect, char buf[RECORD_URL_MAX]);

#endif
