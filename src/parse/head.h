/* SPDX-License-Identifier: MIT */
/*
 * head: reads the head of an HTTP/1 request or response, strictly (RFC 9112 2-6, RFC 9110 5).
 * Pure: no allocation, no I/O. One pass over the bytes; cost linear in the size of the head.
 * Knows what decides how a message is framed and where it goes; leaves all other fields to head_field_next.
 * Always true after PARSE_OK: no NUL, bare CR, bare LF, obs-fold or blank before a colon anywhere in the head; at most one
 * interpretation of the body's length.
 */
#ifndef POSTERN_PARSE_HEAD_H
#define POSTERN_PARSE_HEAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"
#include "base/span.h"
#include "parse/result.h"

enum body_kind {
	BODY_NONE,
	BODY_LENGTH,  /* length says how many bytes */
	BODY_CHUNKED,
	BODY_TO_CLOSE /* responses only */
};

/* Fields that this parser recognises; names are compared without case. */
enum field_id {
	FIELD_OTHER,
	FIELD_HOST,
	FIELD_CONTENT_LENGTH,
	FIELD_TRANSFER_ENCODING,
	FIELD_CONNECTION,
	FIELD_PROXY_CONNECTION,
	FIELD_KEEP_ALIVE,
	FIELD_TE,
	FIELD_TRAILER,
	FIELD_UPGRADE,
	FIELD_EXPECT,
	FIELD_VIA,
	FIELD_FORWARDED,
	FIELD_X_FORWARDED_FOR,
	FIELD_PROXY_AUTHORIZATION,
	FIELD_PROXY_AUTHENTICATE,
	FIELD_PROXY_AUTHENTICATION_INFO,
	FIELD_AUTHORIZATION,
	FIELD_WWW_AUTHENTICATE,
	FIELD_MAX_FORWARDS,
	FIELD_USER_AGENT,
	FIELD_CONTENT_TYPE,
	FIELD_PROXY_STATUS,
	FIELD_COUNT
};

enum method_id { METHOD_OTHER, METHOD_GET, METHOD_HEAD, METHOD_POST, METHOD_PUT, METHOD_DELETE, METHOD_CONNECT, METHOD_OPTIONS, METHOD_TRACE, METHOD_PATCH };

/* RFC 9110 9.2.2: sending it again does no more than sending it once. */
static inline bool
method_is_idempotent(enum method_id m)
{
	return m == METHOD_GET || m == METHOD_HEAD || m == METHOD_OPTIONS || m == METHOD_TRACE || m == METHOD_PUT || m == METHOD_DELETE;
}

/* Tokens named by Connection that the head remembers; a head with more of them is refused (BAD_FIELD). */
#define HEAD_CONNECTION_TOKENS 16

struct head {
	struct span line;   /* the start line without its CRLF */
	struct span fields; /* all field lines, each with its CRLF, without the final empty line */
	unsigned    n_fields;
	uint8_t     minor;  /* HTTP/1.minor, 0 or 1 (1.2 and above count as 1; RFC 9110 2.5) */

	/* request */
	struct span    method;
	enum method_id method_id;
	struct span    target; /* as it stands in the request line */

	/* response */
	uint16_t    status;
	struct span reason;

	/* body */
	enum body_kind body; /* what the fields say; for responses see head_response_body */
	uint64_t       length;
	bool           has_length; /* a valid Content-Length was there (at most one: doubled ones are refused, equal ones too) */

	/* connection */
	bool     keep_alive; /* persistent by version, Connection and Proxy-Connection (RFC 9112 9.3) */
	bool     upgrade;    /* Connection: upgrade and an Upgrade field */
	bool     expect_continue;
	bool     expect_other;
	bool     te_trailers; /* TE: trailers */
	uint32_t seen;        /* bit per field_id */

	/* values of single fields, trimmed; empty when absent. `via` etc. may occur several times: walk the fields. */
	struct span host;
	struct span user_agent;
	struct span content_type;
	struct span upgrade_to;
	struct span max_forwards;
	struct span proxy_authorization; /* the first one; n counts them */
	unsigned    n_proxy_authorization;

	struct span connection_token[HEAD_CONNECTION_TOKENS]; /* lower or mixed case, as sent */
	unsigned    n_connection_tokens;
};

/* Find the head at the start of `in`. `seen` is how many bytes of `in` an earlier call answered PARSE_MORE for (0 at first): that
 * part is not scanned for the end again. Copies nothing: spans in `out` point into `in` and live as long as it does. *used gets
 * the head's length with its empty line (and with empty lines before a request line, at most one CRLF; RFC 9112 2.2). PARSE_MORE
 * and PARSE_BAD leave `out` untouched; PARSE_BAD names the reason in *fault. A caller that has no room for more answers
 * FAULT_HEAD_TOO_LARGE itself. A first byte that cannot begin a method is PARSE_BAD at once (a TLS record, say).
 * A CONNECT with Transfer-Encoding or a Content-Length other than 0 is FAULT_BAD_FRAMING: what follows it is the tunnel.
 * Host rules (RFC 9112 3.2): an HTTP/1.1 request without Host, any request with two or with an invalid one: FAULT_BAD_HOST. */
enum parse_result head_parse_request(struct span in, size_t seen, struct head *out, size_t *used, enum fault *fault);
/* The same for a status line, 100 to 999; faults are FAULT_BAD_RESPONSE. Host means nothing there. Lenient only where RFC 9112 asks: a missing reason phrase with or
 * without its blank. */
enum parse_result head_parse_response(struct span in, size_t seen, struct head *out, size_t *used, enum fault *fault);

/* How the body of response `res` to a request with `method` is framed (RFC 9112 6.3): none for HEAD, 1xx, 204, 304 and a 2xx to
 * CONNECT, else what the fields say, else to close. */
enum body_kind head_response_body(const struct head *res, enum method_id method);

struct field {
	enum field_id id;
	struct span   name;
	struct span   value; /* trimmed */
	struct span   line;  /* name to value as it stood, with CRLF */
};
/* Which field a name (a token) is; no case. */
enum field_id field_id_of(struct span name);
/* Walk the field lines of a parsed head: *at starts at 0. False at the end. */
bool head_field_next(const struct head *h, size_t *at, struct field *out);
/* Is this field for the next hop only (RFC 9110 7.6.1): Connection and what it names, Proxy-Connection, Keep-Alive, TE,
 * Transfer-Encoding, Upgrade, Proxy-Authorization, Proxy-Authenticate, Proxy-Authentication-Info? Content-Length and Host are
 * never hop-by-hop, even when Connection names them. */
bool head_field_is_hop(const struct head *h, const struct field *f);
/* Does a comma-separated list field value hold this token (no case)? */
bool field_list_has(struct span value, struct span token);
/* One step through a comma-separated list (RFC 9110 5.6.1): *at starts at 0; items trimmed, empty ones skipped. */
bool field_list_next(struct span value, size_t *at, struct span *item);

#endif
