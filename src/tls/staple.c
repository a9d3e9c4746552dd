/* SPDX-License-Identifier: MIT */
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>

#include "tls/verify_inside.h"

#define STAPLE_MAX  65536u
#define ANSWERS_MAX 32
#define SKEW_S      300             /* clocks differ */
#define AGE_MAX_S   (10 * 86400)    /* of an answer that says nothing of the next */
#define STATUS_REQUEST 5            /* RFC 7633 4.2.3.1, by RFC 6066 */

bool
staple_is_demanded(const X509 *leaf)
{
	TLS_FEATURE *f = X509_get_ext_d2i(leaf, NID_tlsfeature, NULL, NULL);
	bool         found = false;

	for (int i = 0; i < sk_ASN1_INTEGER_num(f); i++)
		found |= ASN1_INTEGER_get(sk_ASN1_INTEGER_value(f, i)) == STATUS_REQUEST;
	TLS_FEATURE_free(f);
	ERR_clear_error();
	return found;
}

/* May this certificate answer for the issuer (RFC 6960 4.2.2.2): it is the issuer, or the issuer signed it for that. */
static bool
signer_may(X509 *signer, X509 *issuer, int64_t now)
{
	int64_t from, to;

	if (X509_cmp(signer, issuer) == 0)
		return true;
	if (!time_read(X509_get0_notBefore(signer), &from) || !time_read(X509_get0_notAfter(signer), &to) || now < from - SKEW_S || now > to + SKEW_S)
		return false;
	return X509_get_extension_flags(signer) & EXFLAG_XKUSAGE && X509_get_extended_key_usage(signer) & XKU_OCSP_SIGN &&
	    X509_check_issued(issuer, signer) == X509_V_OK && X509_verify(signer, X509_get0_pubkey(issuer)) == 1;
}

/* Is it signed with an algorithm that holds? */
static bool
answer_is_strong(const OCSP_BASICRESP *basic)
{
	const ASN1_OBJECT *alg;
	const EVP_MD      *md;
	int                digest;

	X509_ALGOR_get0(&alg, NULL, NULL, OCSP_resp_get0_tbs_sigalg(basic));
	if (!OBJ_find_sigid_algs(OBJ_obj2nid(alg), &digest, NULL) || digest == NID_undef)
		return true; /* the digest is a part of the scheme: EdDSA, PSS */
	md = EVP_get_digestbynid(digest);
	return md && EVP_MD_get_size(md) * 4 >= 112;
}

/* Who signed, and is it somebody who may? */
static const char *
answer_is_genuine(OCSP_BASICRESP *basic, X509 *issuer, int64_t now)
{
	STACK_OF(X509)   *known = sk_X509_new_null();
	X509             *signer = NULL;
	const char       *why = "its signature is wrong";

	if (!known || !sk_X509_push(known, issuer)) {
		sk_X509_free(known);
		return "no memory";
	}
	if (!OCSP_resp_get0_signer(basic, &signer, known))
		why = "its signer is not known";
	else if (!signer_may(signer, issuer, now))
		why = "its signer may not answer for the issuer";
	else {
		sk_X509_set(known, 0, signer); /* trusted as found; what is left to check is the signature */
		if (OCSP_basic_verify(basic, known, NULL, OCSP_TRUSTOTHER) == 1)
			why = NULL;
	}
	sk_X509_free(known);
	return why;
}

/* The answer about this very certificate, whatever digest it is named with. */
static OCSP_SINGLERESP *
answer_find(OCSP_BASICRESP *basic, X509 *leaf, X509 *issuer)
{
	for (int i = 0; i < OCSP_resp_count(basic) && i < ANSWERS_MAX; i++) {
		OCSP_SINGLERESP *one = OCSP_resp_get0(basic, i);
		OCSP_CERTID     *id = (OCSP_CERTID *)(uintptr_t)OCSP_SINGLERESP_get0_id(one), *own; /* OCSP_id_get0_info only reads */
		ASN1_OBJECT     *name;
		const EVP_MD    *md;
		int              same;
		if (!OCSP_id_get0_info(NULL, &name, NULL, NULL, id) || !(md = EVP_get_digestbyobj(name)) || !(own = OCSP_cert_to_id(md, leaf, issuer)))
			continue;
		same = OCSP_id_cmp(id, own) == 0;
		OCSP_CERTID_free(own);
		if (same)
			return one;
	}
	return NULL;
}

/* Revoked is revoked, however old or weakly signed the answer is: who would forge that gains nothing that breaking the connection does not give him. */
static enum staple
answer_weigh(OCSP_SINGLERESP *one, bool strong, int64_t now, int64_t *when, const char **why)
{
	ASN1_GENERALIZEDTIME *revoked = NULL, *this_update = NULL, *next_update = NULL;
	int                   reason, status = OCSP_single_get0_status(one, &reason, &revoked, &this_update, &next_update);
	int64_t               from, to;

	if (status == V_OCSP_CERTSTATUS_REVOKED && reason != OCSP_REVOKED_STATUS_REMOVEFROMCRL) {
		if (!time_read(revoked, when))
			*when = 0;
		return STAPLE_REVOKED;
	}
	if (!strong) {
		*why = "it is signed with a weak algorithm";
		return STAPLE_USELESS;
	}
	if (!time_read(this_update, &from) || now < from - SKEW_S) {
		*why = "it is from the future";
		return STAPLE_USELESS;
	}
	if (next_update ? !time_read(next_update, &to) || now > to + SKEW_S : now > from + AGE_MAX_S) {
		*why = "it is out of date";
		return STAPLE_USELESS;
	}
	if (status != V_OCSP_CERTSTATUS_GOOD) {
		*why = "its responder does not know the certificate";
		return STAPLE_USELESS;
	}
	return STAPLE_GOOD;
}

enum staple
staple_judge(struct span der, X509 *leaf, X509 *issuer, int64_t now, int64_t *when, const char **why)
{
	const unsigned char *at = (const unsigned char *)der.p, *end;
	OCSP_RESPONSE       *response = NULL;
	OCSP_BASICRESP      *basic = NULL;
	OCSP_SINGLERESP     *one;
	enum staple          said = STAPLE_USELESS;

	if (der.n == 0)
		return STAPLE_NONE;
	end = at + der.n;
	*why = "it cannot be read";
	if (der.n <= STAPLE_MAX && (response = d2i_OCSP_RESPONSE(NULL, &at, (long)der.n)) && at == end) {
		if (OCSP_response_status(response) != OCSP_RESPONSE_STATUS_SUCCESSFUL)
			*why = "the responder could not answer";
		else
			basic = OCSP_response_get1_basic(response);
	}
	if (basic && !issuer)
		*why = "the issuer is not known";
	else if (basic && !(one = answer_find(basic, leaf, issuer)))
		*why = "it is about another certificate";
	else if (basic && !(*why = answer_is_genuine(basic, issuer, now)))
		said = answer_weigh(one, answer_is_strong(basic), now, when, why);
	OCSP_BASICRESP_free(basic);
	OCSP_RESPONSE_free(response);
	ERR_clear_error();
	return said;
}
