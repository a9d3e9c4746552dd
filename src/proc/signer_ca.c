/* SPDX-License-Identifier: MIT */
#include "proc/signer_ca.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tls/key.h"
#include "tls/leaf_wire.h"
#include "tls/token.h"

#define KEY_FILE_MOST 65536

static bool bad_pin;

bool
signer_in_token(const struct snapshot *s)
{
	return snapshot_text(s, s->set->inspection.token).n > 0;
}

bool
signer_pin_is_bad(void)
{
	return bad_pin;
}

/* --- the key --- */

static EVP_PKEY *
key_ask(const struct snapshot *s, char *pin, size_t n, char why[SIGNER_WHY])
{
	const struct inspection_settings *i = &s->set->inspection;
	struct span uri_text = snapshot_text(s, i->token), module_text = snapshot_text(s, i->module);
	char       *uri = strndup(uri_text.p, uri_text.n), *module = strndup(module_text.p, module_text.n);
	EVP_PKEY   *key = NULL;

	while (n > 0 && (pin[n - 1] == '\n' || pin[n - 1] == '\r'))
		n--;
	pin[n] = '\0';
	bad_pin = false;
	if (uri && module)
		key = token_key(uri, module, n ? pin : NULL, &bad_pin, why);
	else
		snprintf(why, SIGNER_WHY, "out of memory");
	free(uri);
	free(module);
	return key;
}

/* What the file holds is the key, or the PIN of the token that does. */
static EVP_PKEY *
key_read(const struct snapshot *s, int file, char why[SIGNER_WHY])
{
	uint8_t    *bytes = malloc(KEY_FILE_MOST + 1);
	size_t      n = 0;
	ssize_t     got = file >= 0;
	EVP_PKEY   *key = NULL;
	const char *fault;

	if (!bytes) {
		snprintf(why, SIGNER_WHY, "out of memory");
		return NULL;
	}
	while (n < KEY_FILE_MOST && got > 0) {
		got = pread(file, bytes + n, KEY_FILE_MOST - n, (off_t)n);
		if (got < 0 && errno == EINTR)
			got = 1;
		else if (got > 0)
			n += (size_t)got;
	}
	if (got < 0)
		snprintf(why, SIGNER_WHY, "the file cannot be read: %s", strerror(errno));
	else if (n == KEY_FILE_MOST)
		snprintf(why, SIGNER_WHY, "the file is larger than such a file is");
	else if (signer_in_token(s))
		key = key_ask(s, (char *)bytes, n, why);
	else if (!(key = key_parse(bytes, n, &fault)))
		snprintf(why, SIGNER_WHY, "%s", fault);
	OPENSSL_cleanse(bytes, n);
	free(bytes);
	return key;
}

/* --- the certificates --- */

static X509 *
certificate_next(const struct snapshot *s, size_t *at)
{
	struct span          der;
	const unsigned char *p;

	if (!leaf_chain_next(snapshot_text(s, s->set->inspection.ca), at, &der))
		return NULL;
	p = (const unsigned char *)der.p;
	return d2i_X509(NULL, &p, (long)der.n);
}

struct mint *
signer_mint(const struct snapshot *s, int file, int64_t now, char why[SIGNER_WHY])
{
	size_t       at = 0;
	X509        *cert = certificate_next(s, &at);
	EVP_PKEY    *key = NULL;
	struct mint *m = NULL;
	char         fault[SIGNER_WHY - 32];

	if (!cert)
		snprintf(why, SIGNER_WHY, "the CA's certificate cannot be read");
	else if (file < 0 && !signer_in_token(s))
		snprintf(why, SIGNER_WHY, "the file cannot be opened, or others can read it");
	else if (!(key = key_read(s, file, why)))
		;
	else if (mint_ca_fault(cert, key, now, fault, sizeof fault))
		snprintf(why, SIGNER_WHY, "the CA's certificate %s", fault);
	else if (!(m = mint_new(cert, key)))
		snprintf(why, SIGNER_WHY, "out of memory");
	else
		mint_fit(m, (int64_t)(s->set->inspection.leaf_validity_ms / 1000));
	ERR_clear_error();
	X509_free(cert);
	EVP_PKEY_free(key);
	return m;
}

size_t
signer_chain_of(const X509 *cert, uint8_t *out, size_t room)
{
	int      n = i2d_X509(cert, NULL);
	uint8_t *p = out + 4;

	if (n <= 0 || (size_t)n + 4 > room)
		return 0;
	for (unsigned i = 0; i < 4; i++)
		out[i] = (uint8_t)((uint32_t)n >> 8 * (3 - i));
	return i2d_X509(cert, &p) == n ? (size_t)n + 4 : 0;
}

size_t
signer_chain(const struct snapshot *s, uint8_t *out, size_t room)
{
	size_t at = 0, used = 0;
	X509  *x;

	while ((x = certificate_next(s, &at))) {
		if (X509_self_signed(x, 0) != 1)
			used += signer_chain_of(x, out + used, room - used);
		X509_free(x);
	}
	ERR_clear_error();
	return used;
}
