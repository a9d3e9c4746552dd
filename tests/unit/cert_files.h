/* SPDX-License-Identifier: MIT */
/* cert_files: certificates, keys and CRLs for tests, written as PEM to the directory that the test is in. */
#ifndef POSTERN_TESTS_CERT_FILES_H
#define POSTERN_TESTS_CERT_FILES_H

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* Zeros make a CA that is good today: P-256, SHA-256, ten years. */
struct cert_want {
	const char *name;       /* common name; null: "Test CA"; "": an empty subject */
	int         rsa;        /* bits; 0: P-256 */
	bool        sha1;
	const char *basic, *usage, *extended; /* extensions as openssl.cnf writes them; null: a CA's; "": none */
	int64_t     from, to;   /* seconds since 1970 */
};

static inline EVP_PKEY *
certs_key(int rsa)
{
	EVP_PKEY *key = rsa ? EVP_RSA_gen((size_t)rsa) : EVP_EC_gen("P-256");

	assert_non_null(key);
	return key;
}

static inline void
certs_extension(X509 *cert, int nid, const char *text)
{
	X509V3_CTX      ctx;
	X509_EXTENSION *e;

	if (!*text)
		return;
	X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &ctx, nid, text);
	assert_non_null(e);
	assert_int_equal(X509_add_ext(cert, e, -1), 1);
	X509_EXTENSION_free(e);
}

static inline X509 *
certs_make(const struct cert_want *want, EVP_PKEY *key)
{
	static long serial;
	X509       *cert = X509_new();
	int64_t     now = (int64_t)time(NULL);

	assert_non_null(cert);
	X509_set_version(cert, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), ++serial);
	ASN1_TIME_set(X509_getm_notBefore(cert), (time_t)(want->from ? want->from : now - 3600));
	ASN1_TIME_set(X509_getm_notAfter(cert), (time_t)(want->to ? want->to : now + 3650 * INT64_C(86400)));
	if (!want->name || *want->name)
		X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_UTF8, (const unsigned char *)(want->name ? want->name : "Test CA"), -1, -1, 0);
	X509_set_issuer_name(cert, X509_get_subject_name(cert));
	X509_set_pubkey(cert, key);
	certs_extension(cert, NID_basic_constraints, want->basic ? want->basic : "critical,CA:TRUE");
	certs_extension(cert, NID_key_usage, want->usage ? want->usage : "critical,keyCertSign,cRLSign");
	certs_extension(cert, NID_ext_key_usage, want->extended ? want->extended : "");
	assert_true(X509_sign(cert, key, want->sha1 ? EVP_sha1() : EVP_sha256()) > 0);
	return cert;
}

static inline void
certs_write_key(const char *path, EVP_PKEY *key, const char *pass)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(PEM_write_PrivateKey(f, key, pass ? EVP_aes_128_cbc() : NULL, NULL, 0, NULL, (void *)(uintptr_t)pass), 1);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, 0600), 0);
}

static inline void
certs_write(const char *path, X509 *cert)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(PEM_write_X509(f, cert), 1);
	assert_int_equal(fclose(f), 0);
}

/* A certificate, and its key when `key_path` is given. */
static inline void
certs_new(const char *path, const char *key_path, struct cert_want want)
{
	EVP_PKEY *key = certs_key(want.rsa);
	X509     *cert = certs_make(&want, key);

	certs_write(path, cert);
	if (key_path)
		certs_write_key(key_path, key, NULL);
	X509_free(cert);
	EVP_PKEY_free(key);
}

/* A CRL that revokes nothing, due anew at `next`. */
static inline void
certs_crl(const char *path, const char *issuer, int64_t next)
{
	EVP_PKEY  *key = certs_key(0);
	X509_CRL  *crl = X509_CRL_new();
	X509_NAME *name = X509_NAME_new();
	ASN1_TIME *t = ASN1_TIME_new();
	FILE      *f = fopen(path, "w");

	assert_true(crl && name && t && f);
	X509_CRL_set_version(crl, X509_CRL_VERSION_2);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)issuer, -1, -1, 0);
	X509_CRL_set_issuer_name(crl, name);
	ASN1_TIME_set(t, (time_t)(next - 86400));
	X509_CRL_set1_lastUpdate(crl, t);
	ASN1_TIME_set(t, (time_t)next);
	X509_CRL_set1_nextUpdate(crl, t);
	assert_true(X509_CRL_sign(crl, key, EVP_sha256()) > 0);
	assert_int_equal(PEM_write_X509_CRL(f, crl), 1);
	assert_int_equal(fclose(f), 0);
	ASN1_TIME_free(t);
	X509_NAME_free(name);
	X509_CRL_free(crl);
	EVP_PKEY_free(key);
}

#endif
