/* SPDX-License-Identifier: MIT */
/*
 * verify_inside: the judging of a chain as a function over plain OpenSSL objects; what the files of verify share.
 *
 * What is held against a chain beside OpenSSL's own path validation (RFC 5280 6, purpose "TLS server" along the whole path, depth, name constraints):
 * - every key but the trust anchor's: RSA of 2048 to 8192 bits, EC of 224 and more on a named curve, Ed25519, Ed448; nothing else;
 * - every signature but the trust anchor's on itself: a digest of SHA-224's strength at least;
 * - no extension twice, none that OpenSSL could not read; a certificate with a serial, a key and times that can be read.
 * X509_V_FLAG_X509_STRICT is not set: it demands key identifiers and other matters of form that the certificates of older corporate authorities lack. Of what it
 * asks, intermediates have to be authorities by basicConstraints either way. What `trust` names is an anchor, an intermediate or a server's own
 * certificate too (X509_V_FLAG_PARTIAL_CHAIN).
 * Several ways to a root: OpenSSL's first way is the trusted one; when that is at fault, others are tried with the certificate at fault left out, a few times.
 */
#ifndef POSTERN_TLS_VERIFY_INSIDE_H
#define POSTERN_TLS_VERIFY_INSIDE_H

#include <openssl/x509.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "parse/hostname.h"
#include "tls/findings.h"
#include "tls/profile.h"

#define VERIFY_SENT_MAX    16 /* certificates of the peer's that are looked at */
#define VERIFY_DEPTH_MAX   8  /* intermediates */
#define VERIFY_FETCHES_MAX 4  /* for one chain */
#define VERIFY_URL_MAX     512
#define VERIFY_KEY_BITS_MAX 8192 /* of RSA: beyond, checking costs more than any authority is worth */

struct crls;
struct issuers;

/* What chains are judged by under one context. */
struct verify_ground {
	X509_STORE     *roots;   /* borrowed; it has no lookups, so nothing is ever read from a file */
	X509           *own;     /* our inspection CA, borrowed; null: none */
	struct crls    *crls;
	struct issuers *issuers; /* what aia brought */
};

/* Takes the store's CRLs in. NULL: no memory. */
struct verify_ground *verify_ground_new(X509_STORE *roots, X509 *own);
void                  verify_ground_free(struct verify_ground *g);

/* What an origin showed. */
struct verify_case {
	X509              *leaf;
	STACK_OF(X509)    *sent;   /* the chain as it came; may hold the leaf; may be null */
	struct span        staple; /* OCSPResponse, DER; empty: none */
	const struct host *name;
	int64_t            now;    /* seconds since 1970 */
	uint64_t           now_us; /* monotonic */
	bool               may_fetch;
	bool               resumed; /* no staple comes with a resumption: it is not missed */
	/* for the profile */
	uint16_t    version;
	const char *cipher;
	int         cipher_bits;
	bool        h2;
};

enum verify_said {
	SAID_DONE,
	SAID_NEEDS, /* url says what */
	SAID_NO_MEMORY
};
enum verify_said verify_chain(struct verify_ground *g, const struct verify_case *c, struct profile **out, char url[VERIFY_URL_MAX + 1]);

/* --- one path to a root --- */

struct path {
	STACK_OF(X509) *chain;   /* leaf first; owned */
	bool            missing; /* the last one's issuer could not be found, and it is not signed by itself */
	bool            anchored; /* the last one is a trusted one */
	int             worst_at; /* the first certificate above the leaf that something is wrong with; 0: none */
	struct findings found;
};
/* False: no memory. */
bool path_find(const struct verify_ground *g, const struct verify_case *c, STACK_OF(X509) *pool, struct path *out);
void path_clear(struct path *p);
/* Usage and strength, of the chain found and beyond what OpenSSL looked at. */
void path_weigh(struct path *p);

/* --- revocation --- */

struct crls *crls_new(X509_STORE *store); /* NULL: no memory */
void         crls_free(struct crls *c);
/* Entries count whatever the age of the CRL: a revocation is not taken back. That one is there is all that is asked; a CRL that is missing or out of date is no
 * fault. `issuer` null: not known; the name decides then. *when: seconds since 1970. */
bool crls_revoke(struct crls *c, X509 *cert, X509 *issuer, int64_t *when);

enum staple {
	STAPLE_NONE,
	STAPLE_GOOD,
	STAPLE_REVOKED,
	STAPLE_USELESS /* *why says what is wrong with it */
};
/* Judge a stapled answer (RFC 6960 3.2) about leaf, which `issuer` signed. A revocation counts even when the answer is out of date. */
enum staple staple_judge(struct span der, X509 *leaf, X509 *issuer, int64_t now, int64_t *when, const char **why);
/* Does the certificate demand a staple (RFC 7633)? */
bool staple_is_demanded(const X509 *leaf);

/* --- issuers that aia brought: bounded in number and bytes, by URL --- */

enum issuers_know { ISSUERS_UNKNOWN, ISSUERS_HAVE, ISSUERS_MISSED };
struct issuers   *issuers_new(void);
void              issuers_free(struct issuers *t);
enum issuers_know issuers_find(struct issuers *t, const char *url, uint64_t now_us, STACK_OF(X509) **certs); /* borrowed, until the next issuers_keep */
/* der.p null, or nothing in it that is a certificate: missed. */
void issuers_keep(struct issuers *t, const char *url, struct span der, uint64_t now_us);
/* The first http URL of caIssuers in the certificate's authorityInfoAccess. */
bool issuers_url(const X509 *cert, char url[VERIFY_URL_MAX + 1]);

#endif
