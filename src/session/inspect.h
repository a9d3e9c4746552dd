/* SPDX-License-Identifier: MIT */
/*
 * inspect: what inspect.c, odd.c, origin_tls.c, peek.c and reach.c share of a CONNECT whose TLS is taken up, and of TLS with an origin.
 */
#ifndef POSTERN_SESSION_INSPECT_H
#define POSTERN_SESSION_INSPECT_H

#include "parse/hello.h"
#include "session/session.h"
#include "tls/origin_memory.h"
#include "tls/verify.h"

/* RFC 8446 6.2; RFC 6066 9; RFC 7301 3.2 */
enum alert {
	ALERT_DECODE_ERROR = 50,
	ALERT_INTERNAL_ERROR = 80,
	ALERT_MISSING_EXTENSION = 109,
	ALERT_UNRECOGNIZED_NAME = 112,
	ALERT_NO_APPLICATION_PROTOCOL = 120
};

/* What the ClientHello has led to. */
enum plan {
	PLAN_INSPECT,
	PLAN_FALLBACK, /* ECH with a foreign outer name: a handshake under that name, then the end, so that the client comes back without ECH */
	PLAN_TUNNEL    /* it cannot be inspected, and the configuration lets it through as it is */
};

/* Of an inspected CONNECT from its ClientHello to the end of the client's handshake. */
struct inspection {
	enum plan       plan;
	struct host     outer; /* PLAN_FALLBACK: that name */
	bool            h2, http11, ecdsa, ecdsa_12; /* what the client offers */
	struct verdict  named;  /* of a CONNECT to an address: what the name in the ClientHello would have it be, once that leads there */
};

/* --- inspect.c --- */
/* Is it a CONNECT whose TLS the rules want taken up? */
bool inspect_is_wanted(const struct request *r);
/* Policy has said `inspect`: gather what this tunnel's requests will share. True: a connection to the origin is wanted now. False: it went on without one, since
 * the origin was verified not long ago; or it failed. */
bool inspect_prepare(struct session *s);
/* The answers of the rule that decides now, and what rests on them. */
void inspect_take_rule(struct session *s);
/* Before the 200: without the signer there is nothing to promise. */
void inspect_await_signer(struct session *s);
/* The ClientHello is judged and req->inspection filled: on to the origin, or, when it is known, to the client. */
void inspect_go(struct session *s);
/* The connection that inspect_go asked reach for is there. */
void inspect_connected(struct session *s);
/* The origin's handshake is over: `profile` (a reference, taken over) as it was found, or null and why there is none. */
void inspect_origin_known(struct session *s, struct profile *profile, enum fault fault, const char *detail);
void inspect_on_client(struct session *s);  /* the client's handshake goes on */
void inspect_on_timeout(struct session *s);
/* A host that inspection cannot serve is counted (unserved.h); other faults are none of its business. */
void inspect_note_unserved(struct session *s, enum fault fault);
/* The connection ends: the CONNECT's line. `fault` NONE when it belongs to a request inside. */
void inspect_end(struct session *s, enum fault fault);
void inspection_free(struct inspection *p);

/* --- odd.c --- */
void odd_judge_hello(struct session *s, const struct hello *h);
/* No ClientHello came, but something else, or none in time. */
void odd_no_hello(struct session *s, enum fault fault);
/* Has the server spoken first, as none does that speaks TLS, where such a tunnel may pass? */
bool odd_server_spoke(const struct session *s);
/* An alert, the log line, the end. */
void odd_refuse(struct session *s, enum fault fault, enum alert alert);

/* --- streams.c: HTTP/2 --- */
void streams_begin(struct session *s);
void streams_on_event(struct session *s);
void streams_on_timeout(struct session *s);
void streams_drain(struct session *s);
void streams_end(struct session *s);

/* --- origin_tls.c --- */
/* Shake hands with the origin that is connected, and judge it: ends in inspect_origin_known for a CONNECT, in reach_origin_known for a request inside. */
void origin_tls_begin(struct session *s);
void origin_tls_on_event(struct session *s);
void origin_tls_on_timeout(struct session *s);
/* The origin is accepted: from now on its TLS carries its side. When that is HTTP/2 the connection goes into the pool, and s->origin is null. False: no memory,
 * or the pool has no use for it any more. */
bool origin_tls_take(struct session *s, uint64_t ground);
/* reach.c */
void reach_origin_known(struct session *s, struct profile *profile, enum fault fault, const char *detail);

#endif
