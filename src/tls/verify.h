/* SPDX-License-Identifier: MIT */
/*
 * verify: judges what an origin showed in its handshake, and makes its profile.
 * Chain to a trusted root, name (RFC 9525: SANs only), validity, key usage, EKU, name constraints, path length, strength of signatures and keys,
 * revocation by staple and CRL; our own CA, or a root of its name, is refused. No I/O: an issuer that is missing is named for aia to fetch.
 */
#ifndef POSTERN_TLS_VERIFY_H
#define POSTERN_TLS_VERIFY_H

#include "tls/end.h"
#include "tls/profile.h"

enum verify_answer {
	VERIFY_DONE,     /* *out is the profile, a reference; its fault tells how it was found */
	VERIFY_NEEDS,    /* an issuer is missing: *url (lives as long as the end) says where it might be had; tell verify_learn, or that it could not be had, and ask again */
	VERIFY_NO_MEMORY
};

/* `t`: of tls_connect, shaken. `name`: whose certificate it has to be. A connection that was resumed is judged as the one that it resumes was, as long
 * as that is young enough. `may_fetch` false: a missing issuer is a fault. */
enum verify_answer verify_origin(struct tls_context *c, struct tls_end *t, const struct host *name, bool may_fetch, struct profile **out, const char **url);
/* What aia brought: one certificate or a PKCS#7 bundle, DER. Kept, bounded, by the context. Used only to build chains, never as a root. */
void verify_learn(struct tls_context *c, const char *url, struct span der);
/* It could not be had: not asked for again for a while. */
void verify_missed(struct tls_context *c, const char *url);

#endif
