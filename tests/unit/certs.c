/* SPDX-License-Identifier: MIT */
#include "certs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <openssl/dsa.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ocsp.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static EVP_PKEY *keys[CERT_KEYS];

static EVP_PKEY *
dsa_make(void)
{
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, "DSA", NULL);
	EVP_PKEY     *parameters = NULL, *key = NULL;

	assert_true(EVP_PKEY_paramgen_init(c) > 0 && EVP_PKEY_CTX_set_dsa_paramgen_bits(c, 1024) > 0 && EVP_PKEY_paramgen(c, &parameters) > 0);
	EVP_PKEY_CTX_free(c);
	c = EVP_PKEY_CTX_new(parameters, NULL);
	assert_true(EVP_PKEY_keygen_init(c) > 0 && EVP_PKEY_keygen(c, &key) > 0);
	EVP_PKEY_CTX_free(c);
	EVP_PKEY_free(parameters);
	return key;
}

EVP_PKEY *
cert_key(enum cert_key k)
{
	if (keys[k])
		return keys[k];
	switch (k) {
	case CERT_P384: keys[k] = EVP_EC_gen("P-384"); break;
	case CERT_P192: keys[k] = EVP_EC_gen("P-192"); break;
	case CERT_RSA_2048: keys[k] = EVP_RSA_gen(2048); break;
	case CERT_RSA_1024: keys[k] = EVP_RSA_gen(1024); break;
	case CERT_RSA_512: keys[k] = EVP_RSA_gen(512); break;
	case CERT_DSA: keys[k] = dsa_make(); break;
	case CERT_ED25519: keys[k] = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"); break;
	default: keys[k] = EVP_EC_gen("P-256");
	}
	assert_non_null(keys[k]);
	return keys[k];
}

void
certs_clear(void)
{
	for (unsigned i = 0; i < CERT_KEYS; i++) {
		EVP_PKEY_free(keys[i]);
		keys[i] = NULL;
	}
}

static const EVP_MD *
digest_for(enum cert_key k, const char *name)
{
	return k == CERT_ED25519 ? NULL : EVP_get_digestbyname(name ? name : "SHA256");
}

static void
extension_add(X509 *cert, X509 *issuer, int nid, const char *text)
{
	X509V3_CTX      ctx;
	X509_EXTENSION *e;

	if (!text || !text[0])
		return;
	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	X509V3_set_ctx_nodb(&ctx);
	e = X509V3_EXT_nconf_nid(NULL, &ctx, nid, text);
	if (!e)
		fail_msg("extension %s: %s", text, ERR_error_string(ERR_peek_last_error(), NULL));
	assert_true(X509_add_ext(cert, e, -1));
	X509_EXTENSION_free(e);
}

static void
raw_add(X509 *cert, const char *oid, bool critical, struct span der)
{
	ASN1_OBJECT       *name = OBJ_txt2obj(oid, 0);
	ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
	X509_EXTENSION    *e;

	assert_true(ASN1_OCTET_STRING_set(value, (const unsigned char *)der.p, (int)der.n));
	e = X509_EXTENSION_create_by_OBJ(NULL, name, critical, value);
	assert_true(e && X509_add_ext(cert, e, -1));
	X509_EXTENSION_free(e);
	ASN1_OCTET_STRING_free(value);
	ASN1_OBJECT_free(name);
}

static void
name_add(X509_NAME *name, const char *field, const char *text)
{
	if (text)
		assert_true(X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, (const unsigned char *)text, -1, -1, 0));
}

X509 *
cert_make(const struct cert_want *w, X509 *issuer, enum cert_key issuer_key)
{
	static long serials = 1000;
	X509       *c = X509_new();
	bool        own_times = w->from || w->to;

	if (!issuer)
		issuer_key = w->key;
	assert_true(X509_set_version(c, X509_VERSION_3));
	ASN1_INTEGER_set(X509_get_serialNumber(c), w->serial ? w->serial : ++serials);
	X509_gmtime_adj(X509_getm_notBefore(c), own_times ? (long)w->from : -CERT_DAY);
	X509_gmtime_adj(X509_getm_notAfter(c), own_times ? (long)w->to : 30 * CERT_DAY);
	name_add(X509_get_subject_name(c), "O", w->org);
	name_add(X509_get_subject_name(c), "CN", w->cn);
	assert_true(X509_set_issuer_name(c, X509_get_subject_name(issuer ? issuer : c)));
	assert_true(X509_set_pubkey(c, cert_key(w->key)));
	extension_add(c, issuer ? issuer : c, NID_basic_constraints, w->bc ? w->bc : w->ca ? "critical,CA:TRUE" : "CA:FALSE");
	extension_add(c, issuer ? issuer : c, NID_key_usage, w->ku ? w->ku : w->ca ? "critical,keyCertSign,cRLSign" : "digitalSignature");
	extension_add(c, issuer ? issuer : c, NID_ext_key_usage, w->eku ? w->eku : w->ca ? NULL : "serverAuth");
	extension_add(c, issuer ? issuer : c, NID_subject_key_identifier, "hash");
	extension_add(c, issuer ? issuer : c, NID_name_constraints, w->nc);
	extension_add(c, issuer ? issuer : c, NID_info_access, w->aia);
	extension_add(c, issuer ? issuer : c, NID_tlsfeature, w->tls_feature);
	if (w->raw_san.p)
		raw_add(c, "subjectAltName", false, w->raw_san);
	else
		extension_add(c, issuer ? issuer : c, NID_subject_alt_name, w->san);
	if (w->odd)
		raw_add(c, "1.3.6.1.4.1.99999.1", strcmp(w->odd, "critical") == 0, SPAN("\x05\x00"));
	if (w->twice) {
		X509_EXTENSION *again = X509_get_ext(c, X509_get_ext_by_NID(c, OBJ_sn2nid(w->twice), -1));
		assert_true(again && X509_add_ext(c, again, -1));
	}
	assert_true(X509_sign(c, cert_key(issuer_key), digest_for(issuer_key, w->digest)) > 0);
	/* as one that came over the wire: what OpenSSL keeps of the making is gone */
	struct span          der = cert_der(c);
	const unsigned char *p = (const unsigned char *)der.p;
	X509_free(c);
	c = d2i_X509(NULL, &p, (long)der.n);
	assert_non_null(c);
	free((void *)(uintptr_t)der.p);
	return c;
}

X509_CRL *
crl_make(X509 *issuer, enum cert_key issuer_key, const X509 *const *revoked, size_t n, int64_t from, int64_t to)
{
	X509_CRL  *crl = X509_CRL_new();
	ASN1_TIME *t = ASN1_TIME_new();

	assert_true(X509_CRL_set_version(crl, X509_CRL_VERSION_2) && X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer)));
	X509_gmtime_adj(t, (long)from);
	X509_CRL_set1_lastUpdate(crl, t);
	for (size_t i = 0; i < n; i++) {
		X509_REVOKED *r = X509_REVOKED_new();
		X509_REVOKED_set_serialNumber(r, (ASN1_INTEGER *)(uintptr_t)X509_get0_serialNumber(revoked[i]));
		X509_REVOKED_set_revocationDate(r, t);
		assert_true(X509_CRL_add0_revoked(crl, r));
	}
	X509_gmtime_adj(t, (long)to);
	X509_CRL_set1_nextUpdate(crl, t);
	ASN1_TIME_free(t);
	X509_CRL_sort(crl);
	assert_true(X509_CRL_sign(crl, cert_key(issuer_key), digest_for(issuer_key, NULL)) > 0);
	return crl;
}

struct span
staple_make(const struct staple_want *w)
{
	OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
	OCSP_CERTID    *id = OCSP_cert_to_id(EVP_get_digestbyname(w->id_digest ? w->id_digest : "SHA1"), w->about, w->issuer);
	ASN1_TIME      *from = X509_gmtime_adj(NULL, (long)w->from), *to = w->to ? X509_gmtime_adj(NULL, (long)w->to) : NULL;
	unsigned char  *der = NULL;
	OCSP_RESPONSE  *r;
	int             n;

	assert_non_null(OCSP_basic_add1_status(basic, id, w->status, OCSP_REVOKED_STATUS_KEYCOMPROMISE, w->status == V_OCSP_CERTSTATUS_REVOKED ? from : NULL, from, to));
	assert_true(OCSP_basic_sign(basic, w->signer ? w->signer : w->issuer, cert_key(w->signer_key), digest_for(w->signer_key, w->digest), NULL,
	    w->with_signer ? 0 : OCSP_NOCERTS));
	r = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
	n = i2d_OCSP_RESPONSE(r, &der);
	assert_true(n > 0);
	char *copy = malloc((size_t)n);
	memcpy(copy, der, (size_t)n);
	OPENSSL_free(der);
	OCSP_RESPONSE_free(r);
	OCSP_BASICRESP_free(basic);
	OCSP_CERTID_free(id);
	ASN1_TIME_free(from);
	ASN1_TIME_free(to);
	return span_of(copy, (size_t)n);
}

struct span
cert_der(X509 *cert)
{
	int            n = i2d_X509(cert, NULL);
	unsigned char *copy = malloc(n > 0 ? (size_t)n : 1), *p = copy;

	assert_true(n > 0 && copy && i2d_X509(cert, &p) == n);
	return span_of((char *)copy, (size_t)n);
}

STACK_OF(X509) *
certs_of(X509 *const *certs, size_t n)
{
	STACK_OF(X509) *out = sk_X509_new_null();

	for (size_t i = 0; i < n; i++)
		assert_true(certs[i] && X509_up_ref(certs[i]) && sk_X509_push(out, certs[i]));
	return out;
}
