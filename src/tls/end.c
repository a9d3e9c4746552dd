/* SPDX-License-Identifier: MIT */
#include "tls/end.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "tls/end_parts.h"
#include "tls/leaf_inside.h"
#include "tls/server_inside.h"

#define GROUND_SIZE 32

/* --- OpenSSL's call-backs --- */

void
end_on_info(const SSL *ssl, int where, int value)
{
	struct tls_end *t = SSL_get_app_data(ssl);
	uint16_t        alert = (uint16_t)(value & 0xff);

	if (!t)
		return;
	/* close_notify and user_canceled only announce an end */
	if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT && alert != SSL_AD_CLOSE_NOTIFY && alert != SSL_AD_USER_CANCELLED)
		t->alert = alert;
	else if (where == SSL_CB_ACCEPT_LOOP && SSL_get_state(ssl) == TLS_ST_SW_CERT)
		t->showed = true;
}

/* We never have one: the origin is told so, and may go on without. */
int
end_on_certificate_request(SSL *ssl, X509 **cert, EVP_PKEY **key)
{
	struct tls_end *t = SSL_get_app_data(ssl);

	(void)cert;
	(void)key;
	t->asked = true;
	return 0;
}

/* 1: the reference is ours now. */
int
end_on_session(SSL *ssl, SSL_SESSION *session)
{
	struct tls_end     *t = SSL_get_app_data(ssl);
	struct resume_place at = end_place(t);

	if (t->asked)
		return 0; /* who resumes is not asked again, and what it is refused for could not be told */
	/* during the handshake the profile is that of the session that was offered, which the origin may not have taken */
	if (t->shaken_us && t->profile) {
		resume_keep(t->context->resume, &at, session, t->profile);
		return 0;
	}
	if (t->n_fresh == FRESH_MOST)
		return 0;
	t->fresh[t->n_fresh++] = session;
	return 1;
}

int
end_on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_n, const unsigned char *in, unsigned in_n, void *arg)
{
	static const unsigned char h2[] = "\x02h2", h11[] = "\x08http/1.1";
	const struct tls_end      *t = SSL_get_app_data(ssl);
	unsigned char             *chosen;

	(void)arg;
	if (!t->h2_wanted && !t->h11_wanted)
		return SSL_TLSEXT_ERR_NOACK;
	if ((t->h2_wanted && SSL_select_next_proto(&chosen, out_n, h2, sizeof h2 - 1, in, in_n) == OPENSSL_NPN_NEGOTIATED) ||
	    (t->h11_wanted && SSL_select_next_proto(&chosen, out_n, h11, sizeof h11 - 1, in, in_n) == OPENSSL_NPN_NEGOTIATED)) {
		*out = chosen;
		return SSL_TLSEXT_ERR_OK;
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* --- its life --- */

static void
drop_fresh(struct tls_end *t)
{
	while (t->n_fresh > 0)
		SSL_SESSION_free(t->fresh[--t->n_fresh]);
}

void
tls_end_free(struct tls_end *t)
{
	if (!t)
		return;
	/* as OpenSSL sees it, it ended well: else it would spoil a session that others may resume */
	if (t->ssl)
		SSL_set_shutdown(t->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(t->ssl);
	drop_fresh(t);
	profile_unref(t->profile);
	tls_context_unref(t->context);
	free(t->hello);
	free(t->text);
	free(t);
}

static struct tls_end *
end_new(struct tls_context *c, struct side *side, SSL_CTX *ctx, struct span host)
{
	struct tls_end *t = calloc(1, sizeof *t + host.n);
	BIO            *bio;

	if (!t)
		return NULL;
	t->carrier = (struct carrier){.ops = &end_ops, .side = side};
	t->context = c ? tls_context_ref(c) : NULL;
	t->side = side;
	t->under = side->carrier;
	t->alert = NO_ALERT;
	t->host_n = (uint8_t)host.n;
	if (host.n > 0)
		memcpy(t->host, host.p, host.n);
	t->ssl = SSL_new(ctx);
	bio = end_bio_new(t);
	if (!t->ssl || !bio || !SSL_set_app_data(t->ssl, t)) {
		BIO_free(bio);
		tls_end_free(t);
		return NULL;
	}
	SSL_set_bio(t->ssl, bio, bio);
	return t;
}

/* Offer a session of an earlier connection, if there is one. */
static bool
offer_session(struct tls_end *t, uint16_t min_version)
{
	struct resume_place at = end_place(t);
	SSL_SESSION        *session = resume_take(t->context->resume, &at, &t->profile);
	bool                ok = true;

	if (!session)
		return true;
	/* one of an older version than this connection may speak would only spoil the handshake */
	if (SSL_SESSION_get_protocol_version(session) >= min_version) {
		ok = SSL_set_session(t->ssl, session) == 1;
		t->offered = session;
	}
	SSL_SESSION_free(session);
	return ok;
}

struct tls_end *
tls_connect(struct tls_context *c, struct side *side, const struct tls_want *want)
{
	static const unsigned char both[] = "\x02h2\x08http/1.1";
	const unsigned char       *protocols = want->h2 ? both : both + 3;
	unsigned                   n = (unsigned)sizeof both - 1 - (want->h2 ? 0 : 3);
	uint16_t                   min_version = want->min_version > c->min_version ? want->min_version : c->min_version;
	struct tls_end            *t = end_new(c, side, c->client, host_span(want->name));

	if (!t)
		goto fail;
	t->to_origin = true;
	t->port = want->port;
	t->key = want->key;
	SSL_set_connect_state(t->ssl);
	if (!SSL_set_min_proto_version(t->ssl, min_version) || SSL_set_alpn_protos(t->ssl, protocols, n) != 0)
		goto fail;
	/* an address is no server name (RFC 6066 3) */
	if (want->name->kind == HOST_NAME && !SSL_set_tlsext_host_name(t->ssl, want->name->text))
		goto fail;
	if (offer_session(t, min_version))
		return t;
fail:
	ERR_clear_error();
	tls_end_free(t);
	return NULL;
}

static bool
show_leaf(struct tls_end *t, const struct leaf *leaf)
{
	return SSL_use_certificate(t->ssl, leaf->cert) == 1 && SSL_use_PrivateKey(t->ssl, leaf->key) == 1 &&
	       (!leaf->chain || SSL_set1_chain(t->ssl, leaf->chain) == 1);
}

/* A ticket is only good on the ground that it was given out on; without one there are none. */
static bool
set_ground(struct tls_end *t, const uint8_t *ground)
{
	if (ground)
		return SSL_set_session_id_context(t->ssl, ground, GROUND_SIZE) == 1;
	SSL_set_options(t->ssl, SSL_OP_NO_TICKET);
	return SSL_set_num_tickets(t->ssl, 0) == 1;
}

static bool
keep_hello(struct tls_end *t, struct span hello)
{
	if (hello.n == 0)
		return true;
	t->hello = malloc(hello.n);
	if (!t->hello)
		return false;
	memcpy(t->hello, hello.p, hello.n);
	t->hello_n = hello.n;
	return true;
}

struct tls_end *
tls_answer(struct tls_context *c, struct side *side, struct span hello, const struct tls_offer *offer)
{
	struct tls_end *t = end_new(c, side, c->server, (struct span){0});

	if (!t)
		goto fail;
	t->h2_wanted = offer->h2;
	t->h11_wanted = offer->http11;
	SSL_set_accept_state(t->ssl);
	if (keep_hello(t, hello) && show_leaf(t, offer->leaf) && set_ground(t, offer->ground) &&
	    (!offer->max_version || SSL_set_max_proto_version(t->ssl, offer->max_version)))
		return t;
fail:
	ERR_clear_error();
	tls_end_free(t);
	return NULL;
}

struct tls_end *
tls_welcome(struct tls_server *server, struct side *side, struct span hello, bool h2)
{
	struct tls_end *t = end_new(NULL, side, server->ctx, (struct span){0});

	if (!server->shared_tickets)
		tickets_renew(&server->tickets, clock_mono_us());
	if (!t || !keep_hello(t, hello)) {
		ERR_clear_error();
		tls_end_free(t);
		return NULL;
	}
	t->h2_wanted = h2;
	t->h11_wanted = true;
	SSL_set_accept_state(t->ssl);
	return t;
}

static void
keep_fresh(struct tls_end *t)
{
	struct resume_place at = end_place(t);

	for (unsigned i = 0; i < t->n_fresh; i++)
		resume_keep(t->context->resume, &at, t->fresh[i], t->profile);
	drop_fresh(t);
}

static void
on_resumed(struct tls_end *t)
{
	struct resume_place at = end_place(t);

	/* a ticket that TLS 1.2 replaces on resumption comes without a call-back */
	if (SSL_version(t->ssl) < TLS1_3_VERSION && SSL_get_session(t->ssl) != t->offered)
		resume_keep(t->context->resume, &at, SSL_get_session(t->ssl), t->profile);
	keep_fresh(t);
}

static void
on_shaken(struct tls_end *t)
{
	t->shaken_us = clock_mono_us();
	if (!t->to_origin)
		SSL_certs_clear(t->ssl);
	else if (SSL_session_reused(t->ssl))
		on_resumed(t);
	else {
		/* verify will say how it is now */
		profile_unref(t->profile);
		t->profile = NULL;
	}
}

enum tls_step
tls_shake(struct tls_end *t)
{
	struct resume_place at = end_place(t);
	int                 r, error;

	if (t->shaken_us)
		return TLS_SHAKEN;
	if (t->failed)
		return TLS_BROKE;
	t->dry = false;
	ERR_clear_error();
	r = SSL_do_handshake(t->ssl);
	if (r == 1) {
		on_shaken(t);
		return TLS_SHAKEN;
	}
	error = SSL_get_error(t->ssl, r);
	if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
		return TLS_WAITS;
	end_note(t, error);
	t->failed = true;
	if (t->offered)
		resume_drop(t->context->resume, &at);
	return TLS_BROKE;
}

/* --- what is told of it --- */

bool
tls_is_h2(const struct tls_end *t)
{
	const unsigned char *name;
	unsigned             n;

	SSL_get0_alpn_selected(t->ssl, &name, &n);
	return n == 2 && memcmp(name, "h2", 2) == 0;
}

bool
tls_was_resumed(const struct tls_end *t)
{
	return SSL_session_reused(t->ssl);
}

uint16_t
tls_version(const struct tls_end *t)
{
	return (uint16_t)SSL_version(t->ssl);
}

bool
tls_was_asked(const struct tls_end *t)
{
	return t->asked;
}

size_t
tls_print(const struct tls_end *t, char *buf, size_t n)
{
	const SSL_CIPHER *cipher = SSL_get_current_cipher(t->ssl);
	const char       *name = cipher ? SSL_CIPHER_standard_name(cipher) : NULL;
	int               w = snprintf(buf, n, "%s/%s", SSL_get_version(t->ssl), name ? name : "-");

	return w > 0 && (size_t)w < n ? (size_t)w : 0;
}

bool
tls_is_plain_http(const struct tls_end *t)
{
	return t->plain_http;
}

bool
tls_is_unbegun(const struct tls_end *t)
{
	return (t->eof || t->reset) && SSL_get_state(t->ssl) == TLS_ST_BEFORE;
}

struct carrier *
tls_carrier(struct tls_end *t)
{
	return &t->carrier;
}

struct span
tls_alert(uint8_t description)
{
	static uint8_t record[256][7]; /* each is the same whenever it is asked for */
	uint8_t       *p = record[description];
	const uint8_t  made[7] = {21, 3, 3, 0, 2, 2, description};

	memcpy(p, made, sizeof made);
	return span_of((const char *)p, sizeof made);
}

/* --- for verify --- */

SSL *
tls_end_ssl(const struct tls_end *t)
{
	return t->ssl;
}

struct profile *
tls_end_profile(const struct tls_end *t)
{
	return t->profile;
}

void
tls_end_set_profile(struct tls_end *t, struct profile *p)
{
	STACK_OF(X509) *chain = SSL_get_peer_cert_chain(t->ssl);

	profile_ref(p);
	profile_unref(t->profile);
	t->profile = p;
	/* before they are kept, so that they are small */
	while (chain && sk_X509_num(chain) > 0)
		X509_free(sk_X509_pop(chain));
	SSL_set_tlsext_status_ocsp_resp(t->ssl, NULL, 0);
	keep_fresh(t);
}

const char *
tls_end_keep_text(struct tls_end *t, const char *text, size_t n)
{
	char *copy = malloc(n + 1);

	if (!copy)
		return NULL;
	memcpy(copy, text, n);
	copy[n] = 0;
	free(t->text);
	t->text = copy;
	return copy;
}
