/* SPDX-License-Identifier: MIT */
#include "tls/context.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>

#include "base/log.h"
#include "tls/end_inside.h"
#include "tls/end_parts.h"

/* Forward secrecy and AEAD only. AES-128 first: it is as good as what a leaf's key offers, and the cheapest. */
static const char ciphers_1_2[] = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
				  "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
static const char ciphers_1_3[] = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
static const char groups[] = "X25519:P-256:P-384";
static const char signatures[] = "ecdsa_secp256r1_sha256:ecdsa_secp384r1_sha384:ecdsa_secp521r1_sha512:ed25519:rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:"
				 "rsa_pss_rsae_sha512:rsa_pss_pss_sha256:rsa_pss_pss_sha384:rsa_pss_pss_sha512:rsa_pkcs1_sha256:rsa_pkcs1_sha384:rsa_pkcs1_sha512";

/* What an origin may send as its chain. Real chains stay below 16 KiB. */
#define CHAIN_MAX (100 * 1024)

bool
tls_library_begin(void)
{
	/* Once this call has been made, nothing later reads a configuration file: neither the system's policy nor OPENSSL_CONF can weaken or break us. */
	if (OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL) == 1 && end_bio_begin())
		return true;
	ERR_clear_error();
	log_error("tls: OpenSSL could not be made ready");
	return false;
}

/* What both directions have in common. */
SSL_CTX *
context_new(const SSL_METHOD *method, uint16_t min_version)
{
	SSL_CTX *ctx = SSL_CTX_new(method);

	if (!ctx)
		return NULL;
	SSL_CTX_clear_options(ctx, SSL_CTX_get_options(ctx));
	SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
				     SSL_OP_ENABLE_MIDDLEBOX_COMPAT);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	/* A read comes back once it has gone through what was there: keys are renewed and tickets sent for as long as a peer likes. */
	SSL_CTX_clear_mode(ctx, SSL_MODE_AUTO_RETRY);
	SSL_CTX_set_security_level(ctx, 2);
	/* One system call takes the header of a record and the record, and what follows it. */
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_max_cert_list(ctx, CHAIN_MAX);
	SSL_CTX_set_info_callback(ctx, end_on_info);
	if (SSL_CTX_set_min_proto_version(ctx, min_version) && SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) && SSL_CTX_set_cipher_list(ctx, ciphers_1_2) &&
	    SSL_CTX_set_ciphersuites(ctx, ciphers_1_3) && SSL_CTX_set1_groups_list(ctx, groups) && SSL_CTX_set1_sigalgs_list(ctx, signatures))
		return ctx;
	SSL_CTX_free(ctx);
	return NULL;
}

/* The verdict is verify's, after the handshake. */
static int
accept_any(X509_STORE_CTX *chain, void *arg)
{
	(void)arg;
	X509_STORE_CTX_set_error(chain, X509_V_OK);
	return 1;
}

static bool
make_contexts(struct tls_context *c)
{
	c->client = context_new(TLS_client_method(), c->min_version);
	c->server = context_new(TLS_server_method(), c->min_version);
	c->store = X509_STORE_new();
	c->own = sk_X509_new_null();
	c->resume = resume_new();
	if (!c->client || !c->server || !c->store || !c->own || !c->resume || !tickets_init(&c->tickets))
		return false;
	SSL_CTX_set_verify(c->client, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(c->client, accept_any, NULL);
	SSL_CTX_set_client_cert_cb(c->client, end_on_certificate_request);
	SSL_CTX_set_session_cache_mode(c->client, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(c->client, end_on_session);
	/* Nothing is remembered of clients: what they may resume is in their tickets. */
	SSL_CTX_set_session_cache_mode(c->server, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_timeout(c->server, TICKET_S);
	SSL_CTX_set_alpn_select_cb(c->server, end_on_alpn, NULL);
	return SSL_CTX_set_tlsext_status_type(c->client, TLSEXT_STATUSTYPE_ocsp) && tickets_serve(&c->tickets, c->server);
}

/* The next of a list of the snapshot: 4 bytes of length, big-endian, then so many bytes. False at the end; *whole tells whether it was a proper one. */
static bool
next_der(struct span *list, struct span *der, bool *whole)
{
	const uint8_t *p = (const uint8_t *)list->p;
	size_t         n;

	*whole = list->n == 0;
	if (list->n < 4)
		return false;
	n = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
	if (n > list->n - 4)
		return false;
	*der = span_of(list->p + 4, n);
	*list = span_of(list->p + 4 + n, list->n - 4 - n);
	*whole = true;
	return true;
}

static X509 *
read_certificate(struct span der)
{
	const uint8_t *p = (const uint8_t *)der.p;

	return der.n <= LONG_MAX ? d2i_X509(NULL, &p, (long)der.n) : NULL;
}

static bool
add_root(struct tls_context *c, struct span der)
{
	X509 *x = read_certificate(der);
	bool  ok = x && X509_STORE_add_cert(c->store, x);

	X509_free(x);
	return ok;
}

static bool
add_crl(struct tls_context *c, struct span der)
{
	const uint8_t *p = (const uint8_t *)der.p;
	X509_CRL      *crl = der.n <= LONG_MAX ? d2i_X509_CRL(NULL, &p, (long)der.n) : NULL;
	bool           ok = crl && X509_STORE_add_crl(c->store, crl);

	X509_CRL_free(crl);
	return ok;
}

static bool
add_own(struct tls_context *c, struct span der)
{
	X509 *x = read_certificate(der);

	if (x && sk_X509_push(c->own, x))
		return true;
	X509_free(x);
	return false;
}

static bool
add_all(struct tls_context *c, struct span list, bool (*add)(struct tls_context *, struct span))
{
	struct span der;
	bool        whole;

	while (next_der(&list, &der, &whole))
		if (!add(c, der))
			return false;
	return whole;
}

struct tls_context *
tls_context_new(const struct snapshot *s)
{
	const struct inspection_settings *in = &s->set->inspection;
	struct tls_context               *c = calloc(1, sizeof *c);
	const char                       *what = "settings";

	if (!c)
		return NULL;
	c->refs = 1;
	c->min_version = in->min_tls ? in->min_tls : TLS1_2_VERSION;
	memcpy(c->own_print, in->ca_print, sizeof c->own_print);
	if (!make_contexts(c))
		goto out;
	what = "CA certificate";
	if (!add_all(c, snapshot_text(s, in->ca), add_own))
		goto out;
	what = "roots";
	if (!add_all(c, snapshot_text(s, in->roots), add_root))
		goto out;
	what = "CRLs";
	if (add_all(c, snapshot_text(s, in->crls), add_crl))
		return c;
out:
	log_error("tls: the %s of the snapshot cannot be used: %s", what, ERR_peek_error() ? ERR_reason_error_string(ERR_peek_error()) : "no memory");
	ERR_clear_error();
	tls_context_unref(c);
	return NULL;
}

struct tls_context *
tls_context_ref(struct tls_context *c)
{
	c->refs++;
	return c;
}

void
tls_context_unref(struct tls_context *c)
{
	if (!c || --c->refs)
		return;
	if (c->verify)
		c->verify_free(c->verify);
	resume_free(c->resume);
	SSL_CTX_free(c->client);
	SSL_CTX_free(c->server);
	X509_STORE_free(c->store);
	sk_X509_pop_free(c->own, X509_free);
	tickets_clear(&c->tickets);
	free(c);
}

void
tls_context_set_tickets(struct tls_context *c, const uint8_t key[][TICKET_KEY_SIZE], unsigned n)
{
	tickets_set(&c->tickets, key, n);
}
