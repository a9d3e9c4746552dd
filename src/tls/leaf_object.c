/* SPDX-License-Identifier: MIT */
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdlib.h>

#include "tls/leaf_inside.h"
#include "tls/leaf_wire.h"

struct leaf *
leaf_ref(struct leaf *l)
{
	l->refs++;
	return l;
}

void
leaf_chain_free(STACK_OF(X509) *chain)
{
	sk_X509_pop_free(chain, X509_free);
}

void
leaf_unref(struct leaf *l)
{
	if (!l || --l->refs > 0)
		return;
	X509_free(l->cert);
	EVP_PKEY_free(l->key);
	leaf_chain_free(l->chain);
	free(l);
}

struct leaf *
leaf_new(struct span der, EVP_PKEY *key, STACK_OF(X509) *chain)
{
	const unsigned char *p = (const unsigned char *)der.p;
	struct leaf         *l = calloc(1, sizeof *l);
	bool                 ok;

	if (!l)
		return NULL;
	l->refs = 1;
	l->cert = d2i_X509(NULL, &p, (long)der.n);
	ok = l->cert && (const char *)p == der.p + der.n && X509_check_private_key(l->cert, key) == 1 && EVP_PKEY_up_ref(key);
	l->key = ok ? key : NULL;
	if (ok && chain)
		ok = (l->chain = X509_chain_up_ref(chain)) != NULL;
	if (ok)
		return l;
	ERR_clear_error();
	leaf_unref(l);
	return NULL;
}

bool
leaf_chain_read(struct span list, STACK_OF(X509) **out)
{
	struct span     der;
	size_t          at = 0;
	STACK_OF(X509) *chain = NULL;

	while (leaf_chain_next(list, &at, &der)) {
		const unsigned char *p = (const unsigned char *)der.p;
		X509                *x = d2i_X509(NULL, &p, (long)der.n);
		if (!x || (!chain && !(chain = sk_X509_new_null())) || sk_X509_push(chain, x) <= 0) {
			X509_free(x);
			leaf_chain_free(chain);
			return false;
		}
	}
	*out = chain;
	return true;
}
