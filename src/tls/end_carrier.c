/* SPDX-License-Identifier: MIT */
/*
 * end_carrier: the end as a side's carrier, after its handshake.
 * Always true: EAGAIN is only said when OpenSSL holds nothing that could be read, and the socket neither, or the watch will speak again by itself; a record that was sealed but not all sent is finished first; no
 * close_notify follows bytes that never went out whole, so that the peer sees that they are missing.
 */
#include <assert.h>
#include <errno.h>
#include <openssl/err.h>

#include "net/sock.h"
#include "tls/end_parts.h"

static struct tls_end *
of_carrier(struct carrier *c)
{
	return (struct tls_end *)c;
}

static bool
waits(int error)
{
	return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
}

/* Send close_notify, then the FIN. Tried again with the next read when the socket is full. */
static void
say_goodbye(struct tls_end *t)
{
	int error;

	t->bye_due = false;
	if (t->bye_sent || t->failed || t->mute || t->stuck)
		return;
	ERR_clear_error();
	if (SSL_shutdown(t->ssl) < 0) {
		error = SSL_get_error(t->ssl, -1);
		ERR_clear_error();
		if (error == SSL_ERROR_WANT_WRITE) {
			t->bye_due = true;
			return;
		}
	}
	t->bye_sent = true;
}

static void
shut_write(struct carrier *c)
{
	struct tls_end *t = of_carrier(c);

	say_goodbye(t);
	if (t->bye_due)
		return;
	if (t->under)
		t->under->ops->shut_write(t->under);
	else
		sock_shut_write(t->side->fd);
}

/* The answer of a read that brought nothing. */
static ssize_t
nothing_read(struct tls_end *t)
{
	if (!t->failed && (SSL_get_shutdown(t->ssl) & SSL_RECEIVED_SHUTDOWN))
		return 0;
	errno = t->failed ? ECONNRESET : EAGAIN;
	return -1;
}

/* Nothing that is for the reader. What came may have been for TLS alone, and there may be more of it: others get their turn first. */
static void
wait_for_more(struct tls_end *t)
{
	t->side->readable = false;
	if (SSL_want_read(t->ssl) && !t->dry && watch_is_set(&t->side->watch))
		watch_again(&t->side->watch, WATCH_READ);
}

static ssize_t
end_read(struct carrier *c, void *buf, size_t n)
{
	struct tls_end *t = of_carrier(c);
	size_t          done = 0, got;
	int             error;

	if (t->failed)
		return nothing_read(t);
	t->dry = false;
	if (t->bye_due)
		shut_write(c);
	ERR_clear_error();
	while (done < n) {
		if (!SSL_read_ex(t->ssl, (char *)buf + done, n - done, &got)) {
			error = SSL_get_error(t->ssl, 0);
			if (waits(error))
				wait_for_more(t);
			else
				end_note(t, error);
			break;
		}
		done += got;
		t->heard = true;
		if (SSL_has_pending(t->ssl))
			continue;
		/* the rule of the bare socket: a short read was the last */
		if (t->dry)
			t->side->readable = false;
		break;
	}
	/* what carries this one may have run dry while this one holds more */
	if (t->under && done > 0 && SSL_has_pending(t->ssl))
		t->side->readable = true;
	/* tickets that came swell the buffer for writing too; empty ones are freed */
	SSL_free_buffers(t->ssl);
	return done > 0 ? (ssize_t)done : nothing_read(t);
}

/* The next bytes to be sealed as one record: a stuck one again, or as much as fits. Only a record that has a part of both is copied together. */
static struct span
next_record(const struct tls_end *t, struct span a, struct span b, char joint[RECORD_MAX])
{
	size_t n = a.n + b.n, from_b;

	if (t->stuck) {
		assert(n >= t->stuck); /* what was not taken is offered again */
		n = t->stuck;
	} else if (n > RECORD_MAX)
		n = RECORD_MAX;
	if (a.n >= n)
		return span_of(a.p, n);
	if (a.n == 0)
		return span_of(b.p, n);
	from_b = n - a.n;
	memcpy(joint, a.p, a.n);
	memcpy(joint + a.n, b.p, from_b);
	return span_of(joint, n);
}

/* What the peer said before it hung up may lie there still: bytes, which can be read to their end, or the alert that tells why. */
static void
on_write_failed(struct tls_end *t, int error)
{
	int    found = SSL_ERROR_WANT_READ;
	size_t n;
	char   c;

	t->mute = true;
	if (error == SSL_ERROR_SYSCALL) {
		ERR_clear_error();
		t->dry = false;
		if (SSL_peek_ex(t->ssl, &c, 1, &n)) {
			t->heard = true;
			return;
		}
		found = SSL_get_error(t->ssl, 0);
	}
	end_note(t, waits(found) ? error : found);
}

static ssize_t
end_write(struct carrier *c, struct span a, struct span b)
{
	struct tls_end *t = of_carrier(c);
	char            joint[RECORD_MAX];
	size_t          done = 0, got;
	struct span     record;
	int             error;

	if (t->failed || t->mute || t->bye_sent) {
		errno = EPIPE;
		return -1;
	}
	ERR_clear_error();
	while (a.n + b.n > 0) {
		record = next_record(t, a, b, joint);
		if (!SSL_write_ex(t->ssl, record.p, record.n, &got)) {
			error = SSL_get_error(t->ssl, 0);
			if (waits(error))
				t->stuck = record.n;
			else
				on_write_failed(t, error);
			break;
		}
		t->stuck = 0;
		done += got;
		if (got < a.n)
			a = span_of(a.p + got, a.n - got);
		else {
			got -= a.n;
			a.n = 0;
			if (got > 0) /* b may be nothing at all */
				b = span_of(b.p + got, b.n - got);
		}
	}
	if (done > 0 || a.n + b.n == 0)
		return (ssize_t)done;
	errno = t->mute ? EPIPE : EAGAIN;
	return -1;
}

static bool
has_failed(struct carrier *c)
{
	struct tls_end *t = of_carrier(c);

	return t->failed || t->mute || (t->under ? t->under->ops->failed(t->under) : sock_failed(t->side->fd));
}

static void
finish(struct carrier *c, bool reset)
{
	struct tls_end *t = of_carrier(c);
	struct carrier *under = t->under;

	if (!reset)
		say_goodbye(t);
	tls_end_free(t);
	if (under)
		under->ops->end(under, reset);
}

const struct carrier_ops end_ops = {.read = end_read, .write = end_write, .shut_write = shut_write, .failed = has_failed, .end = finish};
