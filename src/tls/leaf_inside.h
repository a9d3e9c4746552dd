/* SPDX-License-Identifier: MIT */
/*
 * leaf_inside: what a leaf is made of, for the files of tls/ only: leaf_object.c makes it for leaf.c, end.c shows it.
 * Always true: key fits cert; what it holds is never changed after it was made, since several handshakes use it.
 */
#ifndef POSTERN_TLS_LEAF_INSIDE_H
#define POSTERN_TLS_LEAF_INSIDE_H

#include <openssl/types.h>
#include <openssl/x509.h>

#include "base/span.h"
#include "tls/leaf.h"

struct leaf {
	unsigned        refs;
	X509           *cert;  /* owned */
	EVP_PKEY       *key;   /* a reference: all leaves of one kind share the key of their LEAF_HELLO */
	STACK_OF(X509) *chain; /* what is sent after it, without the root; null: nothing. Owned: a stack of its own, whose certificates are shared */
};

/* References to key and chain (null: nothing) are its own. NULL: no certificate, not one of this key, or no memory. */
struct leaf *leaf_new(struct span der, EVP_PKEY *key, STACK_OF(X509) *chain);

/* A list as LEAF_HELLO has it; *out null when it is empty. False: a certificate cannot be read, or no memory. */
bool leaf_chain_read(struct span list, STACK_OF(X509) **out);
void leaf_chain_free(STACK_OF(X509) *chain);

#endif
