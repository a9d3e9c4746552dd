/* SPDX-License-Identifier: MIT */
/*
 * body: where a message body ends, byte by byte (RFC 9112 6, 7).
 * Pure and resumable: keeps a few counters, no bytes. The caller forwards the very bytes that were accepted, or only their data.
 */
#ifndef POSTERN_PARSE_BODY_H
#define POSTERN_PARSE_BODY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "parse/head.h"

struct body {
	enum body_kind kind;
	uint8_t        state;   /* private to body.c, like all but kind, left and total */
	uint8_t        digits;  /* of the chunk size so far */
	uint8_t        lo, hi;  /* the names that a trailer may not have and that begin as this one does: a range of body.c's table */
	uint64_t       left;    /* of the length or of the chunk at hand */
	uint64_t       total;   /* bytes of data (without chunk framing) so far */
	uint32_t       trailer; /* bytes of the trailer section so far */
	uint16_t       line;    /* bytes of the chunk-size line or of the trailer field's name so far */
};

/* Most bytes of one chunk-size line with its extensions, and of a whole trailer section. */
#define BODY_CHUNK_LINE_MAX 1024
#define BODY_TRAILER_MAX    16384

void body_init(struct body *b, enum body_kind kind, uint64_t length);

/* Take the next bytes of a body from the front of `in`. *used: how many bytes of `in` belong to the body (framing included) and
 * were accepted; *data: one run of content within them (may be empty; at most one run for each call, so call again while
 * *used > 0 and the answer is PARSE_MORE). PARSE_OK: the body is complete at *used. PARSE_MORE: accepted so far. PARSE_BAD: not
 * valid chunked coding (bad size, overflow, missing CRLF, bare LF, control bytes in an extension, a trailer field that is not
 * valid or that may not be a trailer: framing, routing, authentication; RFC 9110 6.5.1).
 * BODY_TO_CLOSE accepts everything and never answers PARSE_OK. */
enum parse_result body_take(struct body *b, struct span in, size_t *used, struct span *data);

#endif
