/* SPDX-License-Identifier: MIT */
/*
 * h2_server: a front over TLS for clients of others: h2_server PORT CERT KEY. What it serves: tests/unit/h2_owner.h.
 * Its TLS is the least that serves; the program's own is src/tls/.
 */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>

#include "net/listener.h"
#include "net/sock.h"
#include "../unit/h2_owner.h"

struct wrap {
	struct carrier carrier;
	SSL           *ssl;
};

struct visit {
	struct h2_owner owner; /* must be first */
};

static struct loop *loop;
static SSL_CTX     *ctx;

static ssize_t
outcome(struct wrap *w, int n, int gone)
{
	int e = SSL_get_error(w->ssl, n);

	ERR_clear_error();
	if (n > 0)
		return n;
	if (e == SSL_ERROR_ZERO_RETURN)
		return 0;
	errno = e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE ? EAGAIN : gone;
	return -1;
}

static ssize_t
wrap_read(struct carrier *c, void *buf, size_t n)
{
	struct wrap *w = (struct wrap *)c;

	return outcome(w, SSL_read(w->ssl, buf, (int)n), ECONNRESET);
}

static ssize_t
wrap_write(struct carrier *c, struct span a, struct span b)
{
	struct wrap *w = (struct wrap *)c;
	size_t       done = 0;
	ssize_t      k = 0;

	(void)b;
	while (done < a.n && (k = outcome(w, SSL_write(w->ssl, a.p + done, (int)(a.n - done)), EPIPE)) > 0)
		done += (size_t)k;
	return done ? (ssize_t)done : k;
}

static void
wrap_shut_write(struct carrier *c)
{
	SSL_shutdown(((struct wrap *)c)->ssl);
}

static bool
wrap_failed(struct carrier *c)
{
	(void)c;
	return false;
}

static void
wrap_end(struct carrier *c, bool reset)
{
	struct wrap *w = (struct wrap *)c;

	if (!reset)
		SSL_shutdown(w->ssl);
	ERR_clear_error();
	SSL_free(w->ssl);
	free(w);
}

static const struct carrier_ops wrap_ops = {wrap_read, wrap_write, wrap_shut_write, wrap_failed, wrap_end};

static int
on_alpn(SSL *ssl, const unsigned char **out, unsigned char *n_out, const unsigned char *in, unsigned n_in, void *arg)
{
	(void)ssl;
	(void)arg;
	return SSL_select_next_proto((unsigned char **)(uintptr_t)out, n_out, (const unsigned char *)"\2h2", 3, in, n_in) == OPENSSL_NPN_NEGOTIATED
	    ? SSL_TLSEXT_ERR_OK
	    : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static void
on_listener(void *arg, unsigned what)
{
	struct endpoint peer;
	int             fd = sock_accept(*(int *)arg, &peer);
	struct visit   *v;
	struct wrap    *w;

	(void)what;
	if (fd < 0)
		return;
	v = calloc(1, sizeof *v);
	w = calloc(1, sizeof *w);
	if (!v || !w || !(w->ssl = SSL_new(ctx)) || !h2_owner_start(&v->owner, loop, fd, 100, 16000))
		exit(1);
	SSL_set_fd(w->ssl, fd);
	SSL_set_accept_state(w->ssl);
	w->carrier.ops = &wrap_ops;
	side_carry(&v->owner.side, &w->carrier);
}

int
main(int argc, char **argv)
{
	struct endpoint at;
	struct watch    watch = {0};
	int             fd;
	char            why[128];

	if (argc != 4)
		return 2;
	addr_parse(SPAN("127.0.0.1"), &at.addr);
	at.port = (uint16_t)atoi(argv[1]);
	ctx = SSL_CTX_new(TLS_server_method());
	if (!ctx || SSL_CTX_use_certificate_chain_file(ctx, argv[2]) != 1 || SSL_CTX_use_PrivateKey_file(ctx, argv[3], SSL_FILETYPE_PEM) != 1)
		return 1;
	SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	loop = loop_new();
	fd = listener_open(&at, false, why, sizeof why);
	if (!loop || fd < 0 || !watch_init_level(&watch, loop, fd, WATCH_READ, on_listener, &fd))
		return 1;
	loop_run(loop);
	return 0;
}
