/* SPDX-License-Identifier: MIT */
/*
 * mint: makes certificates: leaves for the signer, and the authority itself for `postern ca`. The only file whose functions see the CA's private key.
 */
#ifndef POSTERN_TLS_MINT_H
#define POSTERN_TLS_MINT_H

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "tls/leaf_wire.h"

struct mint; /* a CA that can sign: certificate, key, what leaves share */

/* Why a CA cannot be used, for a person: not a CA, expired, key does not fit, too weak ...; null: it can. */
const char *mint_ca_fault(const X509 *cert, EVP_PKEY *key, int64_t now, char *buf, size_t n);

struct mint *mint_new(X509 *cert, EVP_PKEY *key);
void         mint_free(struct mint *m); /* wipes the key */
/* Leaves are valid for at most so many seconds; MINT_LEAF_S before this is called. */
#define MINT_LEAF_S (7 * 86400)
void         mint_fit(struct mint *m, int64_t leaf_s);
/* When the CA's certificate expires. */
int64_t      mint_ends(const struct mint *m);
/* SHA-256 of the CA's certificate. */
const uint8_t *mint_print(const struct mint *m);

/* A leaf, DER, into out. Bytes, or 0 with *why. Checks every name of the ask again: no address in a DNS name, LDH labels, at most one `*` as the whole
 * leftmost label with two labels after it, at most PROFILE_NAMES_MAX; a label may hold `_`, since hosts of such names exist. The common name of the ask is
 * taken when it is among its names; else the first of these. */
#define MINT_UNSIGNED "it cannot be signed" /* of *why: there is nothing wrong with the ask, the key did not work */
size_t mint_leaf(struct mint *m, const struct leaf_ask *ask, EVP_PKEY *leaf_key, int64_t now, uint8_t *out, size_t room, const char **why);

/* From when until when that leaf is valid: within the origin's, the CA's and our own limits. False: it would never be. */
bool   mint_dates(const struct mint *m, const struct leaf_ask *ask, int64_t now, int64_t *from, int64_t *until);

/* --- the authority itself --- */
struct mint_ca_want {
	const char        *name;         /* common name */
	const char        *organisation; /* or null */
	bool               rsa;          /* 3072 bits; else P-256 */
	unsigned           days;
	const char *const *permit;       /* name constraints: DNS suffixes, and no addresses then; n_permit 0: none */
	size_t             n_permit;
};
/* A new key and its self-signed certificate. False with *why. */
bool mint_ca_make(const struct mint_ca_want *want, int64_t now, X509 **cert, EVP_PKEY **key, const char **why);

#endif
