/* SPDX-License-Identifier: MIT */
/*
 * certs: a factory of certificates for tests, good and bad ones of every kind. Keys are made once for each kind and shared.
 * Whatever fails ends the test.
 */
#ifndef POSTERN_TESTS_CERTS_H
#define POSTERN_TESTS_CERTS_H

#include <openssl/x509.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

enum cert_key { CERT_P256, CERT_P256_B, CERT_P256_C, CERT_P384, CERT_RSA_2048, CERT_RSA_1024, CERT_RSA_512, CERT_P192, CERT_DSA, CERT_ED25519, CERT_KEYS };
EVP_PKEY *cert_key(enum cert_key k); /* shared; freed by certs_clear */

#define CERT_DAY 86400

struct cert_want {
	const char   *cn;     /* of the subject; null: the subject is empty */
	const char   *org;
	enum cert_key key;
	int64_t       from, to; /* seconds from now; both 0: yesterday until in 30 days */
	const char   *digest;   /* "SHA256" when null */
	long          serial;   /* 0: one of its own */
	bool          ca;       /* basicConstraints CA:TRUE and keyUsage keyCertSign, cRLSign; else a server: CA:FALSE, digitalSignature, serverAuth */
	/* In OpenSSL's words for extensions; null: as `ca` says; "": none. */
	const char   *san, *eku, *ku, *bc, *nc, *aia, *tls_feature;
	struct span   raw_san;  /* the extension's value as DER */
	const char   *odd;      /* an extension of unknown meaning; "critical" or "plain" */
	const char   *twice;    /* short name of an extension that is put in again */
};

/* issuer null: signed by itself. */
X509 *cert_make(const struct cert_want *w, X509 *issuer, enum cert_key issuer_key);
/* One that revokes these serials; times in seconds from now. */
X509_CRL *crl_make(X509 *issuer, enum cert_key issuer_key, const X509 *const *revoked, size_t n, int64_t from, int64_t to);

struct staple_want {
	X509         *about, *issuer;  /* whom it is about */
	X509         *signer;          /* null: the issuer */
	enum cert_key signer_key;
	int           status;          /* V_OCSP_CERTSTATUS_x */
	int64_t       from, to;        /* seconds from now; to 0: says nothing of the next */
	const char   *digest, *id_digest; /* SHA256 and SHA1 when null */
	bool          with_signer;     /* sends its certificate along */
};
/* DER on the heap: free(). */
struct span staple_make(const struct staple_want *w);
struct span cert_der(X509 *cert);
STACK_OF(X509) *certs_of(X509 *const *certs, size_t n); /* references */

void certs_clear(void);

#endif
