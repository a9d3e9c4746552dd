/* SPDX-License-Identifier: MIT */
#include "doctor/cord.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/sslerr.h>
#include <stdio.h>
#include <string.h>

#include "net/sock.h"

#define CHAIN_BYTES_MAX (100 * 1024) /* of certificates that a server may send */
#define CAME_MOST       (1u << 20)   /* two handshakes, and headers, are far below it */

/* We have none, and say so. */
static int
on_asked(SSL *ssl, X509 **cert, EVP_PKEY **key)
{
	struct cord *w = SSL_get_app_data(ssl);

	(void)cert;
	(void)key;
	w->asked = true;
	return 0;
}

SSL_CTX *
cord_context_new(void)
{
	static const unsigned char http11[] = "\x08http/1.1";
	SSL_CTX                   *ctx = SSL_CTX_new(TLS_client_method());

	if (!ctx)
		return NULL;
	SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL); /* whoever it is, we want to see who */
	SSL_CTX_set_max_cert_list(ctx, CHAIN_BYTES_MAX);
	SSL_CTX_set_client_cert_cb(ctx, on_asked);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
	if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) && SSL_CTX_set_alpn_protos(ctx, http11, sizeof http11 - 1) == 0)
		return ctx;
	SSL_CTX_free(ctx);
	return NULL;
}

void
cord_init(struct cord *w)
{
	*w = (struct cord){.fd = -1};
}

void
cord_clear(struct cord *w)
{
	SSL_free(w->inner);
	SSL_free(w->outer);
	if (w->fd >= 0)
		sock_close(w->fd);
	cord_init(w);
}

static SSL *
top(const struct cord *w)
{
	return w->inner ? w->inner : w->outer;
}

/* Over the socket, or over TLS that is there already. */
static bool
lay(SSL *ssl, SSL *below, struct cord *w)
{
	BIO *bio;

	if (!below) {
		if (SSL_set_fd(ssl, w->fd) != 1)
			return false;
		w->bound.most = CAME_MOST;
		tls_bound_begin(ssl, &w->bound);
		return true;
	}
	bio = BIO_new(BIO_f_ssl());
	if (!bio)
		return false;
	BIO_set_ssl(bio, below, BIO_NOCLOSE);
	SSL_set_bio(ssl, bio, bio);
	return true;
}

bool
cord_begin_tls(struct cord *w, SSL_CTX *ctx, const struct host *name)
{
	SSL *ssl = SSL_new(ctx);

	if (!ssl || !lay(ssl, w->outer, w) || (name->kind == HOST_NAME && !SSL_set_tlsext_host_name(ssl, name->text))) {
		SSL_free(ssl);
		ERR_clear_error();
		return false;
	}
	SSL_set_app_data(ssl, w);
	w->asked = false;
	SSL_set_connect_state(ssl);
	if (w->outer)
		w->inner = ssl;
	else
		w->outer = ssl;
	return true;
}

/* What OpenSSL says of the first record when it is none. */
static bool
is_no_tls(int reason)
{
	return reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_HTTP_REQUEST || reason == SSL_R_HTTPS_PROXY_REQUEST || reason == SSL_R_PACKET_LENGTH_TOO_LONG ||
	       reason == SSL_R_RECORD_LENGTH_MISMATCH;
}

/* What OpenSSL or the system says has gone wrong; empties its queue. */
static enum doctor_fault
shake_fault(int error, int system, char *why, size_t n)
{
	unsigned long e = ERR_peek_last_error();
	int           reason = e && ERR_GET_LIB(e) != ERR_LIB_SYS ? ERR_GET_REASON(e) : 0;
	const char   *said = e ? ERR_reason_error_string(e) : NULL;
	enum doctor_fault fault = DOCTOR_TLS_FAILED;

	if (is_no_tls(reason)) {
		fault = DOCTOR_NOT_TLS;
		snprintf(why, n, "what answers does not speak TLS");
	} else if (error == SSL_ERROR_ZERO_RETURN || reason == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
		fault = DOCTOR_RESET;
		snprintf(why, n, "closed during the TLS handshake");
	} else if (error == SSL_ERROR_SYSCALL || (e && !reason)) {
		fault = DOCTOR_RESET;
		snprintf(why, n, "%s during the TLS handshake", system == ECONNRESET || system == EPIPE ? "reset" : system ? strerror(system) : "closed");
	} else if (reason == SSL_AD_REASON_OFFSET + SSL_AD_PROTOCOL_VERSION || reason == SSL_R_UNSUPPORTED_PROTOCOL) {
		snprintf(why, n, "the server knows neither TLS 1.2 nor 1.3, only what is older");
	} else if (reason > SSL_AD_REASON_OFFSET) {
		snprintf(why, n, "the server sends the TLS alert %s", SSL_alert_desc_string_long(reason - SSL_AD_REASON_OFFSET));
	} else {
		snprintf(why, n, "TLS: %s", said ? said : "the handshake failed");
	}
	ERR_clear_error();
	return fault;
}

enum cord_answer
cord_shake(struct cord *w, enum doctor_fault *fault, char *why, size_t n)
{
	int r, error, system;

	ERR_clear_error();
	errno = 0;
	r = SSL_do_handshake(top(w));
	system = errno;
	if (r == 1)
		return CORD_DONE;
	error = SSL_get_error(top(w), r);
	if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
		return CORD_WAITS;
	*fault = shake_fault(error, system, why, n);
	if (w->bound.came >= CAME_MOST) {
		*fault = DOCTOR_TLS_FAILED;
		snprintf(why, n, "the server sends without end during the TLS handshake");
	}
	return CORD_BROKE;
}

static enum cord_answer
answer_of(const struct cord *w, int r)
{
	int error = SSL_get_error(top(w), r);

	ERR_clear_error();
	if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
		return CORD_WAITS;
	return error == SSL_ERROR_ZERO_RETURN ? CORD_CLOSED : CORD_BROKE;
}

enum cord_answer
cord_read(struct cord *w, char *buf, size_t room, size_t *got)
{
	ssize_t r;

	*got = 0;
	ERR_clear_error();
	if (top(w)) {
		int done = SSL_read_ex(top(w), buf, room, got);
		return done ? CORD_DONE : answer_of(w, done);
	}
	if (w->bound.came >= CAME_MOST)
		return CORD_BROKE;
	r = sock_read(w->fd, buf, room);
	if (r > 0)
		w->bound.came += *got = (size_t)r;
	return r > 0 ? CORD_DONE : r == 0 ? CORD_CLOSED : errno == EAGAIN ? CORD_WAITS : CORD_BROKE;
}

enum cord_answer
cord_write(struct cord *w, const char *bytes, size_t n, size_t *put)
{
	ssize_t r;

	*put = 0;
	ERR_clear_error();
	if (top(w)) {
		int done = SSL_write_ex(top(w), bytes, n, put);
		return done ? CORD_DONE : answer_of(w, done);
	}
	r = sock_write(w->fd, span_of(bytes, n));
	if (r > 0)
		*put = (size_t)r;
	return r > 0 ? CORD_DONE : r < 0 && errno == EAGAIN ? CORD_WAITS : CORD_BROKE;
}
