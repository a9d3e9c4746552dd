/* SPDX-License-Identifier: MIT */
/*
 * extension: the extensions that certificates of ours carry (RFC 5280 4.2.1). Each function gives one that is the caller's, or null: no memory.
 */
#ifndef POSTERN_TLS_EXTENSION_H
#define POSTERN_TLS_EXTENSION_H

#include <openssl/x509.h>
#include <stdbool.h>

/* Out of OpenSSL's own struct for it, which stays the caller's; null gives null. */
X509_EXTENSION *extension_of(int nid, bool critical, void *value);
/* basicConstraints; a CA's allows no CA below it. */
X509_EXTENSION *extension_basic(bool ca);
/* keyUsage; bits are numbered as in RFC 5280 4.2.1.3, and may be the same one twice. */
X509_EXTENSION *extension_usage(int bit, int other);
/* extendedKeyUsage serverAuth. */
X509_EXTENSION *extension_purpose(void);
/* subjectKeyIdentifier by method 1 of RFC 5280 4.2.1.2. */
X509_EXTENSION *extension_key_id(X509_PUBKEY *public);
X509_EXTENSION *extension_authority(const ASN1_OCTET_STRING *ca_id);
/* Into the certificate; takes the extension. False: it is null, or no memory. */
bool            extension_add(X509 *x, X509_EXTENSION *e);

#endif
