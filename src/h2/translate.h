/* SPDX-License-Identifier: MIT */
/*
 * translate: message heads between HTTP/2's header lists and HTTP/1.1's text (RFC 9113 8, RFC 9110 7.6.1). Pure.
 * Refuses what RFC 9113 8.1.1 calls malformed: connection-specific fields, upper-case names, pseudo-fields late, doubled or unknown, CR, LF or NUL anywhere.
 */
#ifndef POSTERN_H2_TRANSLATE_H
#define POSTERN_H2_TRANSLATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"
#include "parse/head.h"

/* A head as it is collected, field by field. */
struct h2_head {
	char  *text; /* owned: field lines of HTTP/1.1 */
	size_t n, room, most;
	size_t n_seen; /* the caller's: what has come, by RFC 9113 6.5.2 */
	char  *cookie; /* owned: crumbs joined (RFC 9113 8.2.3) */
	size_t n_cookie;
	char  *method, *path, *authority, *scheme; /* owned; null: not there */
	unsigned status;
	bool   is_response, is_trailer;
	bool   is_proxy; /* a request to a proxy: scheme http too, CONNECT (RFC 9113 8.5); its text names the target whole. Set after the init */
	bool   past_pseudo, has_length, length_is_zero, bad, too_large;
	struct span whole; /* what h2_head_text has made; owned */
};

void h2_head_init(struct h2_head *h, bool is_response, bool is_trailer, size_t most);
void h2_head_clear(struct h2_head *h);
/* One field as it came. Remembers that it is malformed (bad) or too large. */
void h2_head_add(struct h2_head *h, struct span name, struct span value);
/* The head is whole: its text of HTTP/1.1 with the final empty line; `ends`: no body follows. Null span: malformed, or no memory. Lives until the clear.
 * Too large: a text without an end that is longer than `most`, so that its reader says so. A trailer's text is its fields and the empty line. */
struct span h2_head_text(struct h2_head *h, bool ends);

/* The other way: calls `each` for every field of HTTP/2 that this head becomes, pseudo-fields first, names in lower case. */
typedef bool h2_field_fn(void *arg, struct span name, struct span value);
bool h2_request_fields(const struct head *h, struct span scheme, h2_field_fn *each, void *arg);
/* `of_proxy`: to a client that speaks to the proxy itself, which is the next hop that a challenge is for. */
bool h2_response_fields(const struct head *h, bool of_proxy, h2_field_fn *each, void *arg);
/* `lines`: the field lines of a chunked body's trailer, without the empty line. */
bool h2_trailer_fields(struct span lines, h2_field_fn *each, void *arg);

#endif
