/* SPDX-License-Identifier: MIT */
/*
 * end_inside: what the files of tls/ know of each other's contexts and ends. Nobody outside tls/ includes it.
 */
#ifndef POSTERN_TLS_END_INSIDE_H
#define POSTERN_TLS_END_INSIDE_H

#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdint.h>

#include "tls/context.h"
#include "tls/end.h"
#include "tls/profile.h"
#include "tls/resume.h"
#include "tls/tickets.h"

struct tls_context {
	unsigned         refs;
	SSL_CTX         *client; /* towards origins */
	SSL_CTX         *server; /* towards clients */
	X509_STORE      *store;  /* roots and CRLs of the snapshot; no flags set, no default paths */
	STACK_OF(X509)  *own;    /* our own CA, its certificate first; never trusted for an origin */
	uint8_t          own_print[32];
	uint16_t         min_version;
	struct resume   *resume;  /* sessions towards origins */
	struct tickets   tickets; /* keys of what we hand to clients */
	/* What verify keeps here, such as the issuers that aia brought; freed with the context by verify_free. */
	void            *verify;
	void           (*verify_free)(void *verify);
};

/* A context with our own settings and none of the system's (context.c): versions, ciphers, groups, signatures, no renegotiation. NULL: no memory. */
SSL_CTX *context_new(const SSL_METHOD *method, uint16_t min_version);
/* How long a ticket of ours is good; the keys live a little longer. */
#define TICKET_S 7200

/* The connection itself: for its chain, its staple, its cipher. */
SSL *tls_end_ssl(const struct tls_end *t);

/* The profile that this origin's connection was judged with. Null at first, also after a full handshake; when the connection resumes an earlier one: what
 * that was set to, borrowed. */
struct profile *tls_end_profile(const struct tls_end *t);
/* From now on this is it; a reference is taken. The sessions that the origin hands out are only kept after this call, together with it. What the handshake
 * left behind (the peer's chain beyond its own certificate, the staple) is freed: the chain must not be looked at any more. */
void tls_end_set_profile(struct tls_end *t, struct profile *p);
/* A text that has to live as long as the end does, such as a URL of its chain; copied, the one before is freed. NULL: no memory. */
const char *tls_end_keep_text(struct tls_end *t, const char *text, size_t n);

#endif
