/* SPDX-License-Identifier: MIT */
/*
 * end_bio: OpenSSL's way to the socket, or to what carries the side below. Gives it first what was read before it was there.
 * Always true: after a read that came up short without a FIN on its way the socket is not asked again before its watch speaks (as side_read does); a handshake
 * reads SHAKE_MOST bytes at most.
 */
#include <errno.h>

#include <stdlib.h>

#include "net/sock.h"
#include "tls/end_parts.h"

static BIO_METHOD *method; /* for all ends of the process; never freed */

/* Tickets of TLS 1.3 go with the answer that follows, close_notify goes with the FIN: packets of their own would cost more than they do. */
static bool
can_wait(const struct tls_end *t)
{
	if (SSL_get_shutdown(t->ssl) & SSL_SENT_SHUTDOWN)
		return true;
	return !t->to_origin && SSL_get_state(t->ssl) == TLS_ST_SW_SESSION_TICKET && SSL_version(t->ssl) == TLS1_3_VERSION;
}

static ssize_t
put(struct tls_end *t, struct span bytes)
{
	if (t->under)
		return t->under->ops->write(t->under, bytes, (struct span){0});
	return (can_wait(t) ? sock_write_more : sock_write)(t->side->fd, bytes);
}

static int
on_write(BIO *bio, const char *buf, size_t n, size_t *done)
{
	struct tls_end *t = BIO_get_data(bio);
	ssize_t         w = put(t, span_of(buf, n));

	BIO_clear_retry_flags(bio);
	*done = w > 0 ? (size_t)w : 0;
	if (w >= 0)
		return 1;
	if (errno == EAGAIN)
		BIO_set_retry_write(bio);
	else
		t->reset = true;
	return 0;
}

static size_t
read_hello(struct tls_end *t, char *buf, size_t n)
{
	size_t left = t->hello_n - t->hello_at;

	if (n > left)
		n = left;
	memcpy(buf, t->hello + t->hello_at, n);
	t->hello_at += n;
	if (t->hello_at == t->hello_n) {
		free(t->hello);
		t->hello = NULL;
	}
	return n;
}

/* One carrier below says by itself when it is dry. */
static ssize_t
take(struct tls_end *t, char *buf, size_t n)
{
	ssize_t r = t->under ? t->under->ops->read(t->under, buf, n) : sock_read(t->side->fd, buf, n);

	t->dry = r < 0 ? errno == EAGAIN : !t->under && r > 0 && (size_t)r < n && !t->side->closed;
	return r;
}

static int
on_read(BIO *bio, char *buf, size_t n, size_t *done)
{
	struct tls_end *t = BIO_get_data(bio);
	ssize_t         r = -1;

	BIO_clear_retry_flags(bio);
	*done = 0;
	if (t->hello) {
		*done = read_hello(t, buf, n);
		return 1;
	}
	t->flooded = !t->shaken_us && t->came >= SHAKE_MOST;
	if (t->flooded)
		return 0;
	if (!t->dry) {
		r = take(t, buf, n);
		t->eof = r == 0;
		t->reset = t->reset || (r < 0 && !t->dry);
	}
	if (r > 0) {
		*done = (size_t)r;
		t->came += t->shaken_us ? 0 : (unsigned)r;
		return 1;
	}
	if (t->dry)
		BIO_set_retry_read(bio);
	return 0;
}

static long
on_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
	const struct tls_end *t = BIO_get_data(bio);

	(void)num;
	(void)ptr;
	if (cmd == BIO_CTRL_FLUSH)
		return 1;
	return cmd == BIO_CTRL_EOF && t->eof;
}

bool
end_bio_begin(void)
{
	if (method)
		return true;
	method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "side");
	return method && BIO_meth_set_write_ex(method, on_write) && BIO_meth_set_read_ex(method, on_read) && BIO_meth_set_ctrl(method, on_ctrl);
}

BIO *
end_bio_new(struct tls_end *t)
{
	BIO *bio = BIO_new(method);

	if (!bio)
		return NULL;
	BIO_set_data(bio, t);
	BIO_set_init(bio, 1);
	return bio;
}
