/* SPDX-License-Identifier: MIT */
#include "audit/wire_tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tls/bound.h"

/* Bytes of the server's in a handshake. */
#define SHAKE_MOST ((size_t)256 << 10)

struct wire_tls {
	SSL_CTX *ctx; /* owned */
	SSL     *ssl; /* owned */
	struct tls_bound bound; /* while shaking hands */
};

/* The files are read with each connection, so a renewed one is taken. */
static bool
trust(SSL_CTX *ctx, const char *ca, char *why, size_t n_why)
{
	if (ca ? SSL_CTX_load_verify_file(ctx, ca) == 1 : SSL_CTX_set_default_verify_paths(ctx) == 1)
		return true;
	snprintf(why, n_why, "certificates of authorities cannot be read from %s", ca ? ca : "the system's store");
	return false;
}

static bool
expect_name(SSL *ssl, const struct host *name)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);

	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (name->kind == HOST_ADDR)
		return X509_VERIFY_PARAM_set1_ip_asc(param, name->text) == 1;
	return X509_VERIFY_PARAM_set1_host(param, name->text, name->n) == 1 && SSL_set_tlsext_host_name(ssl, name->text) == 1;
}

struct wire_tls *
wire_tls_new(int fd, const struct host *name, const char *ca, char *why, size_t n_why)
{
	struct wire_tls *t = calloc(1, sizeof *t);

	snprintf(why, n_why, "TLS: out of memory");
	ERR_clear_error();
	if (!t)
		return NULL;
	t->ctx = SSL_CTX_new(TLS_client_method());
	if (!t->ctx || SSL_CTX_set_min_proto_version(t->ctx, TLS1_2_VERSION) != 1 || !trust(t->ctx, ca, why, n_why))
		goto fail;
	SSL_CTX_set_verify(t->ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_mode(t->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	/* a read comes back after one record: keys are renewed and tickets sent for as long as a server likes */
	SSL_CTX_clear_mode(t->ctx, SSL_MODE_AUTO_RETRY);
	SSL_CTX_set_options(t->ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
	t->ssl = SSL_new(t->ctx);
	if (!t->ssl || !expect_name(t->ssl, name) || SSL_set_fd(t->ssl, fd) != 1)
		goto fail;
	t->bound.most = SHAKE_MOST;
	tls_bound_begin(t->ssl, &t->bound);
	SSL_set_connect_state(t->ssl);
	return t;
fail:
	ERR_clear_error();
	wire_tls_free(t, false);
	return NULL;
}

void
wire_tls_free(struct wire_tls *t, bool is_up)
{
	if (!t)
		return;
	if (is_up)
		SSL_shutdown(t->ssl);
	SSL_free(t->ssl);
	SSL_CTX_free(t->ctx);
	free(t);
	ERR_clear_error();
}

static enum wire_tls_result
outcome(struct wire_tls *t, int rc)
{
	int error = errno;

	switch (SSL_get_error(t->ssl, rc)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return WIRE_TLS_AGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return WIRE_TLS_CLOSED;
	case SSL_ERROR_SYSCALL:
		errno = error;
		return error ? WIRE_TLS_FAILED : WIRE_TLS_CLOSED;
	default:
		/* a FIN without close_notify */
		if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
			return WIRE_TLS_CLOSED;
		errno = 0;
		return WIRE_TLS_FAILED;
	}
}

enum wire_tls_result
wire_tls_shake(struct wire_tls *t, char *why, size_t n_why)
{
	enum wire_tls_result r;
	long                 verdict;
	const char          *reason;
	int                  rc;

	ERR_clear_error();
	errno = 0;
	rc = SSL_do_handshake(t->ssl);
	if (rc == 1) {
		tls_bound_end(t->ssl);
		return WIRE_TLS_OK;
	}
	r = outcome(t, rc);
	if (r == WIRE_TLS_AGAIN)
		return r;
	verdict = SSL_get_verify_result(t->ssl);
	reason = ERR_reason_error_string(ERR_peek_error());
	if (t->bound.came >= SHAKE_MOST)
		snprintf(why, n_why, "its TLS handshake has no end");
	else if (verdict != X509_V_OK)
		snprintf(why, n_why, "its certificate is not accepted: %s", X509_verify_cert_error_string(verdict));
	else if (r == WIRE_TLS_CLOSED)
		snprintf(why, n_why, "it ends the connection in the TLS handshake");
	else
		snprintf(why, n_why, "TLS: %s", reason ? reason : strerror(errno));
	ERR_clear_error();
	return WIRE_TLS_FAILED;
}

enum wire_tls_result
wire_tls_write(struct wire_tls *t, const char *p, size_t n, size_t *took)
{
	enum wire_tls_result r = WIRE_TLS_OK;
	int                  rc;

	ERR_clear_error();
	errno = 0;
	*took = 0;
	rc = SSL_write_ex(t->ssl, p, n, took);
	if (rc != 1)
		r = outcome(t, rc);
	ERR_clear_error();
	return r;
}

enum wire_tls_result
wire_tls_listen(struct wire_tls *t)
{
	enum wire_tls_result r;
	char                 buf[512];
	size_t               n;

	ERR_clear_error();
	errno = 0;
	/* once is enough: nothing is expected */
	r = SSL_read_ex(t->ssl, buf, sizeof buf, &n) == 1 ? WIRE_TLS_OK : outcome(t, 0);
	ERR_clear_error();
	return r;
}

uint64_t
wire_tls_carried(const struct wire_tls *t)
{
	return BIO_number_written(SSL_get_wbio(t->ssl));
}
