/* SPDX-License-Identifier: MIT */
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdlib.h>

#include "tls/verify_inside.h"

struct crl {
	X509_CRL *crl; /* a reference */
	uint8_t   by[EVP_MAX_MD_SIZE]; /* print of the certificate whose key was last tried on its signature: a CRL of megabytes is not hashed for each chain */
	bool      tried, good;
};

struct crls {
	unsigned   n;
	struct crl v[];
};

struct crls *
crls_new(X509_STORE *store)
{
	STACK_OF(X509_OBJECT) *all = X509_STORE_get0_objects(store);
	int                    total = sk_X509_OBJECT_num(all);
	struct crls           *c = calloc(1, sizeof *c + (size_t)(total > 0 ? total : 0) * sizeof c->v[0]);

	if (!c)
		return NULL;
	for (int i = 0; i < total; i++) {
		X509_CRL *crl = X509_OBJECT_get0_X509_CRL(sk_X509_OBJECT_value(all, i));
		if (crl && X509_CRL_up_ref(crl))
			c->v[c->n++].crl = crl;
	}
	return c;
}

void
crls_free(struct crls *c)
{
	for (unsigned i = 0; c && i < c->n; i++)
		X509_CRL_free(c->v[i].crl);
	free(c);
}

static bool
crl_is_by(struct crl *l, X509 *issuer)
{
	uint8_t  print[EVP_MAX_MD_SIZE] = {0};
	unsigned n;

	if (!X509_digest(issuer, EVP_sha256(), print, &n))
		return true; /* it came by configuration, and only a revocation follows from it */
	if (!l->tried || memcmp(print, l->by, sizeof print) != 0) {
		l->good = X509_CRL_verify(l->crl, X509_get0_pubkey(issuer)) == 1;
		l->tried = true;
		memcpy(l->by, print, sizeof print);
		ERR_clear_error();
	}
	return l->good;
}

bool
crls_revoke(struct crls *c, X509 *cert, X509 *issuer, int64_t *when)
{
	for (unsigned i = 0; i < c->n; i++) {
		X509_REVOKED *entry;
		struct crl   *l = &c->v[i];
		if (X509_NAME_cmp(X509_CRL_get_issuer(l->crl), X509_get_issuer_name(cert)) != 0)
			continue;
		if (X509_CRL_get0_by_cert(l->crl, &entry, cert) != 1) /* 2: taken off a list of holds */
			continue;
		if (issuer && !crl_is_by(l, issuer)) /* of another authority with the same name */
			continue;
		if (!time_read(X509_REVOKED_get0_revocationDate(entry), when))
			*when = 0;
		return true;
	}
	return false;
}
