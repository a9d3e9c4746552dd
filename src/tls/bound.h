/* SPDX-License-Identifier: MIT */
/* bound: how much OpenSSL may read from a socket: within one call it skips messages that mean nothing for as long as a peer sends them. */
#ifndef POSTERN_TLS_BOUND_H
#define POSTERN_TLS_BOUND_H

#include <openssl/ssl.h>
#include <stddef.h>

struct tls_bound {
	size_t came, most; /* bytes; at the bound the peer seems to have closed */
};

/* `ssl` reads from a socket (SSL_set_fd). `b` lives as long as it, or until tls_bound_end. */
void tls_bound_begin(SSL *ssl, struct tls_bound *b);
void tls_bound_end(SSL *ssl);

#endif
