/* SPDX-License-Identifier: MIT */
#include "tls/extension.h"

#include <openssl/evp.h>
#include <openssl/x509v3.h>

X509_EXTENSION *
extension_of(int nid, bool critical, void *value)
{
	return value ? X509V3_EXT_i2d(nid, critical, value) : NULL;
}

X509_EXTENSION *
extension_basic(bool ca)
{
	BASIC_CONSTRAINTS *b = BASIC_CONSTRAINTS_new();
	X509_EXTENSION    *e = NULL;

	if (b && ca) {
		b->ca = 0xff;
		b->pathlen = ASN1_INTEGER_new();
	}
	if (b && (!ca || (b->pathlen && ASN1_INTEGER_set(b->pathlen, 0))))
		e = extension_of(NID_basic_constraints, true, b);
	BASIC_CONSTRAINTS_free(b);
	return e;
}

X509_EXTENSION *
extension_usage(int bit, int other)
{
	ASN1_BIT_STRING *bits = ASN1_BIT_STRING_new();
	X509_EXTENSION  *e = NULL;

	if (bits && ASN1_BIT_STRING_set_bit(bits, bit, 1) && ASN1_BIT_STRING_set_bit(bits, other, 1))
		e = extension_of(NID_key_usage, true, bits);
	ASN1_BIT_STRING_free(bits);
	return e;
}

X509_EXTENSION *
extension_purpose(void)
{
	EXTENDED_KEY_USAGE *list = sk_ASN1_OBJECT_new_null();
	X509_EXTENSION     *e = NULL;

	if (list && sk_ASN1_OBJECT_push(list, OBJ_nid2obj(NID_server_auth)) > 0)
		e = extension_of(NID_ext_key_usage, false, list);
	sk_ASN1_OBJECT_free(list); /* the object is OpenSSL's own */
	return e;
}

X509_EXTENSION *
extension_key_id(X509_PUBKEY *public)
{
	const unsigned char *bits;
	int                  n_bits;
	uint8_t              hash[EVP_MAX_MD_SIZE];
	unsigned             n = 0;
	ASN1_OCTET_STRING   *id = ASN1_OCTET_STRING_new();
	X509_EXTENSION      *e = NULL;

	if (id && X509_PUBKEY_get0_param(NULL, &bits, &n_bits, NULL, public) && EVP_Digest(bits, (size_t)n_bits, hash, &n, EVP_sha1(), NULL) &&
	    ASN1_OCTET_STRING_set(id, hash, (int)n))
		e = extension_of(NID_subject_key_identifier, false, id);
	ASN1_OCTET_STRING_free(id);
	return e;
}

X509_EXTENSION *
extension_authority(const ASN1_OCTET_STRING *ca_id)
{
	AUTHORITY_KEYID *a = AUTHORITY_KEYID_new();
	X509_EXTENSION  *e = NULL;

	if (a && (a->keyid = ASN1_OCTET_STRING_dup(ca_id)))
		e = extension_of(NID_authority_key_identifier, false, a);
	AUTHORITY_KEYID_free(a);
	return e;
}

bool
extension_add(X509 *x, X509_EXTENSION *e)
{
	bool ok = e && X509_add_ext(x, e, -1);

	X509_EXTENSION_free(e);
	return ok;
}
