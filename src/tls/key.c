/* SPDX-License-Identifier: MIT */
#include "tls/key.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdbool.h>

static int
on_pass_phrase(char *buf, int size, int writing, void *arg)
{
	bool *asked = arg;

	(void)buf;
	(void)size;
	(void)writing;
	*asked = true;
	return -1;
}

EVP_PKEY *
key_parse(const void *bytes, size_t n, const char **why)
{
	const unsigned char *der = bytes;
	bool                 asked = false;
	BIO                 *in = BIO_new_mem_buf(bytes, (int)n);
	EVP_PKEY            *key = in ? PEM_read_bio_PrivateKey(in, NULL, on_pass_phrase, &asked) : NULL;

	if (in && !key && !asked)
		key = d2i_AutoPrivateKey(NULL, &der, (long)n);
	if (!in)
		*why = "out of memory";
	else if (asked)
		*why = "the key has a pass phrase, for which nobody can be asked; take it off (openssl pkey) and keep the file at 0600";
	else
		*why = "the file holds no private key that can be read; want PEM (BEGIN PRIVATE KEY) or DER";
	BIO_free(in);
	ERR_clear_error();
	return key;
}
