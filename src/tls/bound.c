/* SPDX-License-Identifier: MIT */
#include "tls/bound.h"

static long
on_socket_bio(BIO *bio, int what, const char *p, size_t n, int i, long l, int ret, size_t *done)
{
	struct tls_bound *b = (struct tls_bound *)(void *)BIO_get_callback_arg(bio);

	(void)p;
	(void)n;
	(void)i;
	(void)l;
	if (what == BIO_CB_READ && b->came >= b->most)
		return 0;
	if (what == (BIO_CB_READ | BIO_CB_RETURN) && ret > 0 && done)
		b->came += *done;
	return ret;
}

void
tls_bound_begin(SSL *ssl, struct tls_bound *b)
{
	BIO_set_callback_ex(SSL_get_rbio(ssl), on_socket_bio);
	BIO_set_callback_arg(SSL_get_rbio(ssl), (char *)b);
}

void
tls_bound_end(SSL *ssl)
{
	BIO_set_callback_ex(SSL_get_rbio(ssl), NULL);
}
