/* SPDX-License-Identifier: MIT */
#include "proc/signer_keys.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <string.h>

bool
signer_keys_renew(struct signer_keys *k)
{
	EVP_PKEY *key[LEAF_KEYS] = {[LEAF_P256] = EVP_EC_gen("P-256"), [LEAF_RSA] = EVP_RSA_gen(2048)};
	uint64_t  id;

	if (!key[LEAF_P256] || !key[LEAF_RSA] || RAND_bytes((unsigned char *)&id, sizeof id) != 1) {
		ERR_clear_error();
		EVP_PKEY_free(key[LEAF_P256]);
		EVP_PKEY_free(key[LEAF_RSA]);
		return false;
	}
	for (unsigned i = 0; i < LEAF_KEYS; i++) {
		EVP_PKEY_free(k->leaf[i]);
		k->leaf[i] = key[i];
	}
	k->id = id;
	return true;
}

bool
signer_keys_add_ticket(struct signer_keys *k)
{
	uint8_t key[LEAF_TICKET];

	if (RAND_bytes(key, sizeof key) != 1) {
		ERR_clear_error();
		return false;
	}
	memmove(k->ticket[1], k->ticket[0], sizeof k->ticket - LEAF_TICKET);
	memcpy(k->ticket[0], key, sizeof key);
	OPENSSL_cleanse(key, sizeof key);
	k->n_tickets += k->n_tickets < SIGNER_TICKETS;
	return true;
}

static struct span
key_write(EVP_PKEY *key, uint8_t out[SIGNER_KEY_ROOM])
{
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
	uint8_t             *p = out;
	int                  n = info ? i2d_PKCS8_PRIV_KEY_INFO(info, NULL) : 0;

	n = n > 0 && n <= (int)SIGNER_KEY_ROOM ? i2d_PKCS8_PRIV_KEY_INFO(info, &p) : 0;
	PKCS8_PRIV_KEY_INFO_free(info);
	return span_of((const char *)out, n > 0 ? (size_t)n : 0);
}

void
signer_keys_tell(const struct signer_keys *k, struct leaf_hello *h, uint8_t room[LEAF_KEYS][SIGNER_KEY_ROOM])
{
	for (unsigned i = 0; i < LEAF_KEYS; i++) {
		h->key[i].id = k->id;
		h->key[i].pkcs8 = key_write(k->leaf[i], room[i]);
	}
}

void
signer_keys_clear(struct signer_keys *k)
{
	for (unsigned i = 0; i < LEAF_KEYS; i++)
		EVP_PKEY_free(k->leaf[i]);
	OPENSSL_cleanse(k, sizeof *k);
}
