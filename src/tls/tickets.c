/* SPDX-License-Identifier: MIT */
#include "tls/tickets.h"

#include <assert.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

#define NAME_SIZE 16
#define IV_SIZE   16
#define AES_AT    NAME_SIZE
#define MAC_AT    (AES_AT + 32)
#define MAC_SIZE  32
#define RENEW_US  (UINT64_C(3600) * 1000000)

bool
tickets_init(struct tickets *t)
{
	t->n = 1;
	return RAND_bytes(t->key[0], TICKET_KEY_SIZE) == 1;
}

void
tickets_set(struct tickets *t, const uint8_t key[][TICKET_KEY_SIZE], unsigned n)
{
	assert(n > 0 && n <= TICKET_KEYS);
	OPENSSL_cleanse(t->key, sizeof t->key);
	memcpy(t->key, key, (size_t)n * TICKET_KEY_SIZE);
	t->n = n;
}

void
tickets_renew(struct tickets *t, uint64_t now_us)
{
	uint8_t fresh[TICKET_KEY_SIZE];

	if (!t->made_us)
		t->made_us = now_us;
	if (now_us - t->made_us < RENEW_US || RAND_bytes(fresh, sizeof fresh) != 1)
		return;
	t->made_us = now_us;
	t->n = t->n < TICKET_KEYS ? t->n + 1 : TICKET_KEYS;
	memmove(t->key[1], t->key[0], (size_t)(t->n - 1) * TICKET_KEY_SIZE);
	memcpy(t->key[0], fresh, sizeof fresh);
	OPENSSL_cleanse(fresh, sizeof fresh);
}

void
tickets_clear(struct tickets *t)
{
	OPENSSL_cleanse(t->key, sizeof t->key);
	t->n = 0;
}

static bool
set_mac(EVP_MAC_CTX *mac, uint8_t *key)
{
	char       digest[] = "SHA256";
	OSSL_PARAM p[] = {OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key, MAC_SIZE), OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
	    OSSL_PARAM_construct_end()};

	return EVP_MAC_CTX_set_params(mac, p) == 1;
}

/* SSL_CTX_set_tlsext_ticket_key_evp_cb(3): 1 done, 2 done but to be replaced, 0 not one of ours: a full handshake follows; -1 failed. */
static int
on_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int seals)
{
	struct tickets *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	unsigned        i = 0;

	if (seals) {
		memcpy(name, t->key[0], NAME_SIZE);
		if (RAND_bytes(iv, IV_SIZE) != 1 || !EVP_EncryptInit_ex2(cipher, EVP_aes_256_cbc(), t->key[0] + AES_AT, iv, NULL))
			return -1;
		return set_mac(mac, t->key[0] + MAC_AT) ? 1 : -1;
	}
	while (i < t->n && memcmp(name, t->key[i], NAME_SIZE) != 0)
		i++;
	if (i == t->n)
		return 0;
	if (!EVP_DecryptInit_ex2(cipher, EVP_aes_256_cbc(), t->key[i] + AES_AT, iv, NULL) || !set_mac(mac, t->key[i] + MAC_AT))
		return -1;
	/* clients use a ticket of TLS 1.3 once: each is followed by a new one */
	return i == 0 && SSL_version(ssl) < TLS1_3_VERSION ? 1 : 2;
}

bool
tickets_serve(struct tickets *t, SSL_CTX *ctx)
{
	return SSL_CTX_set_app_data(ctx, t) && SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_key);
}
