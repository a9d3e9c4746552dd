/* SPDX-License-Identifier: MIT */
/*
 * listener_tls: TLS to the proxy itself: the handshake of a connection that came to a listener with a certificate, before anything is asked on it.
 * Needs nobody but the worker. What is asked afterwards knows of it by session.outer alone; bytes go through the side's carrier.
 */
#ifndef POSTERN_SESSION_LISTENER_TLS_H
#define POSTERN_SESSION_LISTENER_TLS_H

#include "tls/server.h"

struct ask;
struct session;

/* What the sessions of one such connection share: over HTTP/2 its streams. Counted. */
struct outer {
	unsigned           refs;
	struct tls_server *server; /* a reference: the certificate that this client saw */
	char               tls[64]; /* version and cipher, for the log */
};

struct outer *outer_ref(struct outer *o); /* null stays null */
void          outer_unref(struct outer *o);

/* A new connection, of which the ClientHello may stand in s->in: shake hands, then on to its first request. */
void listener_tls_begin(struct session *s);
void listener_tls_on_client(struct session *s);
void listener_tls_on_timeout(struct session *s);
/* What a log-on of this client may be bound to: our certificate, if its TLS ends here (RFC 5929 4). */
void listener_tls_bind(const struct session *s, struct ask *a);
/* The handshake does not come to its end. */
void listener_tls_end(struct session *s);

#endif
