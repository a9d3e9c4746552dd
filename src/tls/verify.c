/* SPDX-License-Identifier: MIT */
#include "tls/verify.h"

#include <openssl/err.h>
#include <stdlib.h>

#include "base/clock.h"
#include "tls/end_inside.h"
#include "tls/names.h"
#include "tls/verify_inside.h"

static void
ground_free(void *g)
{
	verify_ground_free(g);
}

/* Made when the first origin is judged. */
static struct verify_ground *
ground_of(struct tls_context *c)
{
	if (!c->verify) {
		c->verify = verify_ground_new(c->store, sk_X509_num(c->own) > 0 ? sk_X509_value(c->own, 0) : NULL);
		c->verify_free = ground_free;
	}
	return c->verify;
}

static bool
profile_covers(const struct profile *p, const struct host *host)
{
	struct profile_name name;
	size_t              at = 0;

	while (profile_name_next(p, &at, &name))
		if (name.is_addr ? host->kind == HOST_ADDR && addr_eq(&name.addr, &host->addr) : host->kind == HOST_NAME && name_covers(name.dns, host_span(host)))
			return true;
	return false;
}

static void
case_of_ssl(SSL *ssl, struct verify_case *c)
{
	const unsigned char *staple = NULL;
	long                 n = SSL_get_tlsext_status_ocsp_resp(ssl, &staple);
	const unsigned char *proto = NULL;
	unsigned             proto_n = 0;

	c->leaf = SSL_get0_peer_certificate(ssl);
	c->sent = SSL_get_peer_cert_chain(ssl);
	c->staple = span_of((const char *)staple, n > 0 && staple ? (size_t)n : 0);
	c->version = (uint16_t)SSL_version(ssl);
	c->cipher = SSL_CIPHER_standard_name(SSL_get_current_cipher(ssl));
	c->cipher_bits = SSL_CIPHER_get_bits(SSL_get_current_cipher(ssl), NULL);
	SSL_get0_alpn_selected(ssl, &proto, &proto_n);
	c->h2 = proto_n == 2 && memcmp(proto, "h2", 2) == 0;
}

/* The judgement of the connection that this one resumes, with the same age; how it speaks TLS is its own. */
static struct profile *
profile_resumed(const struct profile *was, const struct verify_case *c)
{
	struct profile *p = malloc(sizeof *p + was->size);
	EVP_PKEY       *key = c->leaf ? X509_get0_pubkey(c->leaf) : NULL;
	int             bits = key ? EVP_PKEY_get_security_bits(key) : was->strength;

	if (!p)
		return NULL;
	memcpy(p, was, sizeof *p + was->size);
	p->refs = 1;
	p->version = c->version;
	p->strength = (uint16_t)(bits < c->cipher_bits ? bits : c->cipher_bits);
	snprintf(p->cipher, sizeof p->cipher, "%s", c->cipher ? c->cipher : "");
	p->h2 = c->h2;
	return p;
}

enum verify_answer
verify_origin(struct tls_context *c, struct tls_end *t, const struct host *name, bool may_fetch, struct profile **out, const char **url)
{
	struct profile       *was = tls_end_profile(t);
	struct verify_ground *g = ground_of(c);
	struct verify_case    shown = {.name = name, .may_fetch = may_fetch, .now = (int64_t)(clock_real_us() / 1000000), .now_us = clock_mono_us()};
	char                  where[VERIFY_URL_MAX + 1];

	if (!g)
		return VERIFY_NO_MEMORY;
	case_of_ssl(tls_end_ssl(t), &shown);
	if (was && (was->fault != FAULT_NONE || profile_covers(was, name))) {
		*out = profile_resumed(was, &shown);
	} else {
		shown.resumed = was != NULL;
		switch (shown.leaf ? verify_chain(g, &shown, out, where) : SAID_NO_MEMORY) {
		case SAID_DONE:
			break;
		case SAID_NEEDS:
			*url = tls_end_keep_text(t, where, strlen(where));
			return *url ? VERIFY_NEEDS : VERIFY_NO_MEMORY;
		case SAID_NO_MEMORY:
			return VERIFY_NO_MEMORY;
		}
	}
	if (!*out)
		return VERIFY_NO_MEMORY;
	tls_end_set_profile(t, *out);
	return VERIFY_DONE;
}

void
verify_learn(struct tls_context *c, const char *url, struct span der)
{
	struct verify_ground *g = ground_of(c);

	if (g)
		issuers_keep(g->issuers, url, der, clock_mono_us());
}

void
verify_missed(struct tls_context *c, const char *url)
{
	verify_learn(c, url, span_of(NULL, 0));
}
