/* SPDX-License-Identifier: MIT */
/*
 * server_inside: what end.c knows of a server. Nobody outside tls/ includes it.
 */
#ifndef POSTERN_TLS_SERVER_INSIDE_H
#define POSTERN_TLS_SERVER_INSIDE_H

#include <openssl/evp.h>
#include <openssl/ssl.h>

#include "tls/server.h"
#include "tls/tickets.h"

#define END_POINT      "tls-server-end-point:"
#define END_POINT_SIZE (sizeof END_POINT - 1)

struct tls_server {
	unsigned       refs;
	SSL_CTX       *ctx;
	struct tickets tickets;
	bool           shared_tickets; /* they come from the signer */
	uint8_t        end_point[END_POINT_SIZE + EVP_MAX_MD_SIZE];
	size_t         end_point_n;
	uint8_t        binding[16];
};

#endif
