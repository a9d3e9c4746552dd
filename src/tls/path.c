/* SPDX-License-Identifier: MIT */
/*
 * path: one way from a leaf to a root, by OpenSSL's path validation, and what is wrong along it. All of it is gathered, not only the first.
 */
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "tls/verify_inside.h"

#define SIGNATURE_BITS 112 /* SHA-224; SHA-1 and MD5 are below */
#define RSA_BITS_MIN   2048
#define EC_BITS_MIN    224
#define EXTENSIONS_MAX 64

#define NAME_TEXT 100

static const char *
subject_of(const X509 *cert, char buf[NAME_TEXT])
{
	name_print(X509_get_subject_name(cert), buf, NAME_TEXT);
	return buf;
}

/* "" for the leaf, else the authority's name. */
static const char *
which(X509 *cert, int depth, char buf[NAME_TEXT + 16])
{
	char name[NAME_TEXT];

	buf[0] = '\0';
	if (depth > 0 && cert)
		snprintf(buf, NAME_TEXT + 16, " (authority %s)", subject_of(cert, name));
	return buf;
}

static void
add_time(struct findings *f, X509 *cert, int depth, bool expired)
{
	char    when[TIME_TEXT], who[NAME_TEXT + 16];
	int64_t t;

	if (time_read(expired ? X509_get0_notAfter(cert) : X509_get0_notBefore(cert), &t))
		findings_add(f, expired ? FAULT_CERT_EXPIRED : FAULT_CERT_NOT_YET_VALID, "%s %s%s", expired ? "expired" : "not valid before", time_print(t, when),
		    which(cert, depth, who));
	else
		findings_add(f, FAULT_CERT_INVALID, "a time that cannot be read%s", which(cert, depth, who));
}

/* What OpenSSL found, in our words. */
static void
add_error(struct findings *f, int error, X509 *cert, int depth)
{
	char who[NAME_TEXT + 16], name[NAME_TEXT];

	switch (error) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
	case X509_V_ERR_CERT_NOT_YET_VALID:
		add_time(f, cert, depth, error == X509_V_ERR_CERT_HAS_EXPIRED);
		return;
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE: /* comes beside these two */
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
		return; /* path_add_end */
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
		findings_add(f, FAULT_CERT_SELF_SIGNED, "signed by itself: %s", subject_of(cert, name));
		return;
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_CERT_UNTRUSTED:
	case X509_V_ERR_CERT_REJECTED:
		findings_add(f, FAULT_CERT_UNTRUSTED, "the root is not trusted here: %s", subject_of(cert, name));
		return;
	case X509_V_ERR_INVALID_PURPOSE:
		if (depth > 0 && X509_check_ca(cert) != 1) /* X509_V_ERR_INVALID_CA comes beside it */
			return;
		findings_add(f, FAULT_CERT_BAD_USAGE, "key usage or extended key usage does not allow TLS servers%s", which(cert, depth, who));
		return;
	case X509_V_ERR_INVALID_CA:
	case X509_V_ERR_INVALID_NON_CA:
	case X509_V_ERR_KEYUSAGE_NO_CERTSIGN:
		findings_add(f, FAULT_CERT_BAD_CHAIN, "a certificate of the chain may not sign others%s", which(cert, depth, who));
		return;
	case X509_V_ERR_PATH_LENGTH_EXCEEDED:
	case X509_V_ERR_PROXY_PATH_LENGTH_EXCEEDED:
		findings_add(f, FAULT_CERT_BAD_CHAIN, "more authorities than the path length allows%s", which(cert, depth, who));
		return;
	case X509_V_ERR_CERT_CHAIN_TOO_LONG:
		findings_add(f, FAULT_CERT_BAD_CHAIN, "the chain is longer than %d authorities", VERIFY_DEPTH_MAX);
		return;
	case X509_V_ERR_PERMITTED_VIOLATION:
	case X509_V_ERR_EXCLUDED_VIOLATION:
	case X509_V_ERR_SUBTREE_MINMAX:
	case X509_V_ERR_UNSUPPORTED_CONSTRAINT_TYPE:
	case X509_V_ERR_UNSUPPORTED_CONSTRAINT_SYNTAX:
	case X509_V_ERR_UNSUPPORTED_NAME_SYNTAX:
		findings_add(f, FAULT_CERT_CONSTRAINED, "a name constraint of an authority forbids it: %s", X509_verify_cert_error_string(error));
		return;
	default:
		findings_add(f, FAULT_CERT_INVALID, "%s%s", X509_verify_cert_error_string(error), which(cert, depth, who));
	}
}

/* Says yes to everything, so that everything is seen. */
static int
on_verify(int ok, X509_STORE_CTX *ctx)
{
	struct path *p = X509_STORE_CTX_get_app_data(ctx);
	int          depth = X509_STORE_CTX_get_error_depth(ctx), error = X509_STORE_CTX_get_error(ctx);

	if (ok)
		return 1;
	if (depth > 0 && !p->worst_at)
		p->worst_at = depth;
	if (error == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY || error == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT)
		p->missing = true;
	add_error(&p->found, error, X509_STORE_CTX_get_current_cert(ctx), depth);
	return error != X509_V_ERR_OUT_OF_MEM;
}

static void
parameters_set(X509_VERIFY_PARAM *v, int64_t now)
{
	X509_VERIFY_PARAM_set_purpose(v, X509_PURPOSE_SSL_SERVER);
	X509_VERIFY_PARAM_set_trust(v, X509_TRUST_SSL_SERVER);
	X509_VERIFY_PARAM_set_flags(v, X509_V_FLAG_TRUSTED_FIRST | X509_V_FLAG_PARTIAL_CHAIN);
	X509_VERIFY_PARAM_set_depth(v, VERIFY_DEPTH_MAX);
	X509_VERIFY_PARAM_set_auth_level(v, 0); /* path_weigh looks at strength itself, and says what it saw */
	X509_VERIFY_PARAM_set_time(v, (time_t)now);
}

static void
path_add_end(struct path *p)
{
	X509 *top = sk_X509_value(p->chain, sk_X509_num(p->chain) - 1);
	char  name[NAME_TEXT], url[VERIFY_URL_MAX + 1];

	if (!p->missing)
		return;
	if (X509_get_extension_flags(top) & EXFLAG_INVALID) /* OpenSSL looks for no issuer of such a one; another issuer would not help */
		p->missing = false;
	name_print(X509_get_issuer_name(top), name, sizeof name);
	findings_add(&p->found, FAULT_CERT_INCOMPLETE, "the issuer was not sent and is not known: %s%s", name, issuers_url(top, url) ? "" : ", and no URL to get it from");
}

bool
path_find(const struct verify_ground *g, const struct verify_case *c, STACK_OF(X509) *pool, struct path *out)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	bool            ok = false;

	out->chain = NULL;
	out->missing = out->anchored = false;
	out->worst_at = 0;
	findings_init(&out->found);
	if (ctx && X509_STORE_CTX_init(ctx, g->roots, c->leaf, pool)) {
		parameters_set(X509_STORE_CTX_get0_param(ctx), c->now);
		X509_STORE_CTX_set_app_data(ctx, out);
		X509_STORE_CTX_set_verify_cb(ctx, on_verify);
		int said = X509_verify_cert(ctx);
		out->chain = X509_STORE_CTX_get1_chain(ctx);
		out->anchored = X509_STORE_CTX_get_num_untrusted(ctx) < sk_X509_num(out->chain);
		/* a verdict against it without a call back: never taken for a yes */
		if (said <= 0 && !out->found.count && !out->missing)
			add_error(&out->found, X509_STORE_CTX_get_error(ctx), NULL, 0);
		ok = X509_STORE_CTX_get_error(ctx) != X509_V_ERR_OUT_OF_MEM && sk_X509_num(out->chain) > 0;
	}
	X509_STORE_CTX_free(ctx);
	ERR_clear_error();
	if (!ok) {
		path_clear(out);
		return false;
	}
	path_add_end(out);
	return true;
}

void
path_clear(struct path *p)
{
	sk_X509_pop_free(p->chain, X509_free);
	p->chain = NULL;
}

/* --- strength and form --- */

static void
weigh_key(struct findings *f, X509 *cert, int depth)
{
	EVP_PKEY *key = X509_get0_pubkey(cert);
	int       bits = key ? EVP_PKEY_get_bits(key) : 0;
	int       explicit_curve = 0;
	char      who[NAME_TEXT + 16];

	which(cert, depth, who);
	if (!key)
		findings_add(f, FAULT_CERT_INVALID, "the key cannot be read%s", who);
	else if (EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_is_a(key, "RSA-PSS")) {
		if (bits < RSA_BITS_MIN || bits > VERIFY_KEY_BITS_MAX)
			findings_add(f, FAULT_CERT_WEAK_KEY, "an RSA key of %d bits%s", bits, who);
	} else if (EVP_PKEY_is_a(key, "EC")) {
		if (bits < EC_BITS_MIN)
			findings_add(f, FAULT_CERT_WEAK_KEY, "an EC key of %d bits%s", bits, who);
		else if (EVP_PKEY_get_int_param(key, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS, &explicit_curve) && explicit_curve)
			findings_add(f, FAULT_CERT_WEAK_KEY, "an EC key on a curve without a name%s", who);
	} else if (!EVP_PKEY_is_a(key, "ED25519") && !EVP_PKEY_is_a(key, "ED448")) {
		findings_add(f, FAULT_CERT_WEAK_KEY, "a key of the kind %s%s", EVP_PKEY_get0_type_name(key) ? EVP_PKEY_get0_type_name(key) : "unknown", who);
	}
	ERR_clear_error();
}

static void
weigh_signature(struct findings *f, X509 *cert, int depth)
{
	int         digest, key, bits;
	uint32_t    flags;
	char        who[NAME_TEXT + 16];
	const char *name;

	if (!X509_get_signature_info(cert, &digest, &key, &bits, &flags) || !(flags & X509_SIG_INFO_VALID)) {
		findings_add(f, FAULT_CERT_WEAK_SIGNATURE, "signed with %s%s", OBJ_nid2ln(X509_get_signature_nid(cert)), which(cert, depth, who));
		ERR_clear_error();
		return;
	}
	if (bits >= SIGNATURE_BITS)
		return;
	name = OBJ_nid2ln(X509_get_signature_nid(cert));
	findings_add(f, FAULT_CERT_WEAK_SIGNATURE, "signed with %s%s", name ? name : "an unknown algorithm", which(cert, depth, who));
}

/* What can be read in two ways is not read at all (RFC 5280 4.2). */
static void
weigh_form(struct findings *f, X509 *cert, int depth)
{
	int  n = X509_get_ext_count(cert);
	char who[NAME_TEXT + 16];

	if (n > EXTENSIONS_MAX) {
		findings_add(f, FAULT_CERT_INVALID, "%d extensions%s", n, which(cert, depth, who));
		return;
	}
	for (int i = 0; i < n; i++) {
		const ASN1_OBJECT *name = X509_EXTENSION_get_object(X509_get_ext(cert, i));
		if (X509_get_ext_by_OBJ(cert, name, i) >= 0) {
			char oid[64];
			OBJ_obj2txt(oid, sizeof oid, name, 0);
			findings_add(f, FAULT_CERT_INVALID, "the extension %s twice%s", oid, which(cert, depth, who));
			return;
		}
	}
	if (X509_get_extension_flags(cert) & EXFLAG_INVALID)
		findings_add(f, FAULT_CERT_INVALID, "an extension that cannot be read%s", which(cert, depth, who));
}

void
path_weigh(struct path *p)
{
	int n = sk_X509_num(p->chain);

	for (int i = 0; i < n; i++) {
		X509    *cert = sk_X509_value(p->chain, i);
		unsigned before = p->found.count;
		bool     own_signature = X509_self_signed(cert, 0) == 1;
		bool     anchor = i == n - 1 && i > 0 && p->anchored; /* trusted as it stands, but for a key that others can work out */
		if (!anchor)
			weigh_form(&p->found, cert, i);
		weigh_key(&p->found, cert, i);
		if (!own_signature && !(p->anchored && i == n - 1)) /* one's own signature proves nothing, strong or weak */
			weigh_signature(&p->found, cert, i);
		if (p->found.count > before && i > 0 && !p->worst_at)
			p->worst_at = i;
	}
}
