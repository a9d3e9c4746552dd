/* SPDX-License-Identifier: MIT */
/*
 * end: one TLS connection over a side's socket, or over what carries the side already. Shakes hands in steps, as events come; after that it is the side's carrier.
 * Does not judge certificates (verify does) and sends nothing before it is asked to.
 * Always true: TLS 1.2 or 1.3, no renegotiation, no compression; an end without close_notify reads as ECONNRESET; idle, it holds no buffers.
 */
#ifndef POSTERN_TLS_END_H
#define POSTERN_TLS_END_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"
#include "net/side.h"
#include "parse/hostname.h"
#include "tls/context.h"
#include "tls/leaf.h"
#include "tls/profile.h"
#include "tls/server.h"

struct tls_end;

enum tls_step {
	TLS_SHAKEN, /* done: tls_carrier may be used */
	TLS_WAITS,  /* for an event of the side's watch */
	TLS_BROKE   /* tls_why says why */
};

/* Towards an origin. The socket stays the side's. */
struct tls_want {
	const struct host *name;   /* SNI, when it is a name; what verify will ask for */
	uint16_t           port;
	bool               h2;     /* offer h2 beside http/1.1 */
	uint16_t           min_version; /* 0: the context's */
	uint64_t           key;    /* sessions are resumed among connections of one key only (rule and snapshot) */
};
struct tls_end *tls_connect(struct tls_context *c, struct side *side, const struct tls_want *want);

/* Towards a client whose ClientHello came already (`hello`: all bytes read from the socket so far; copied). */
struct tls_offer {
	const struct leaf *leaf;        /* what to show; a reference is taken */
	uint16_t           max_version; /* of the origin: the client gets no better story; 0: none to match */
	bool               h2, http11;  /* what ALPN may choose, h2 first; both false: none of ours was offered, answer without */
	const uint8_t     *ground;      /* 32 bytes that a ticket must agree with: name, listener, CA and verified origin */
};
struct tls_end *tls_answer(struct tls_context *c, struct side *side, struct span hello, const struct tls_offer *offer);

/* Towards a client of a listener that speaks TLS itself. `hello` as above, nothing as a rule; `h2`: may be chosen beside http/1.1. */
struct tls_end *tls_welcome(struct tls_server *server, struct side *side, struct span hello, bool h2);

enum tls_step tls_shake(struct tls_end *t);

/* After TLS_BROKE: FAULT_ORIGIN_TLS_FAILED, _WEAK, FAULT_ORIGIN_WANTS_CERTIFICATE, FAULT_CLIENT_REJECTED_CERTIFICATE, FAULT_CLIENT_TLS_FAILED; *detail: what exactly (an alert by
 * its name, what was wrong), lives as long as the end. */
enum fault tls_why(const struct tls_end *t, const char **detail);
/* The same for an end whose carrier failed later: an alert that came, or the client that left right after our certificate (TLS 1.3 tells then).
 * FAULT_ORIGIN_CLOSED: an origin ended without a close_notify. FAULT_NONE: nothing to tell. */
enum fault tls_late_why(const struct tls_end *t, const char **detail);

/* After TLS_BROKE of tls_welcome: it spoke HTTP in the clear; it left before its ClientHello was there. */
bool tls_is_plain_http(const struct tls_end *t);
bool tls_is_unbegun(const struct tls_end *t);

/* After TLS_SHAKEN. */
bool tls_is_h2(const struct tls_end *t);
bool tls_was_resumed(const struct tls_end *t);
uint16_t tls_version(const struct tls_end *t);
/* Has the origin asked for a certificate of ours? It got none, and may go on all the same. */
bool tls_was_asked(const struct tls_end *t);
/* "TLSv1.3/TLS_AES_128_GCM_SHA256", for the log. Bytes written. */
size_t tls_print(const struct tls_end *t, char *buf, size_t n);
/* The end as a carrier: for side_carry; owned by the side from then on, freed by side_close. Before that: tls_end_free. */
struct carrier *tls_carrier(struct tls_end *t);
void            tls_end_free(struct tls_end *t);
/* Send an alert and nothing else: for a client that is refused before a handshake (RFC 8446 6.2: 112 unrecognized_name, 120 no_application_protocol ...). */
struct span tls_alert(uint8_t description);

#endif
