/* SPDX-License-Identifier: MIT */
/*
 * fake_net: the sockets.
 */
#include "fake_net.h"

#include "session/inside.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "net/dial.h"
#include "net/listener.h"
#include "net/sock.h"

#define FD_FIRST 100000 /* no descriptor of this process: what is not a fake fails */

void *
fake_alloc(void *p, size_t n)
{
	bool may_fail = fake.may_fail;

	fake.may_fail = false;
	p = realloc(p, n);
	fake.may_fail = may_fail;
	if (!p)
		abort();
	return p;
}

void
bytes_add(struct bytes *b, struct span s)
{
	if (!s.n)
		return;
	if (b->n + s.n > b->room) {
		b->room = (b->n + s.n) * 2;
		b->p = fake_alloc(b->p, b->room);
	}
	memcpy(b->p + b->n, s.p, s.n);
	b->n += s.n;
}

void
fake_errand(const char *fmt, ...)
{
	char    line[1024];
	va_list ap;
	int     n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof line - 1, fmt, ap);
	va_end(ap);
	line[n] = '\n';
	bytes_add(&fake.errands, span_of(line, (size_t)n + 1));
}

static struct fake_sock *
sock_of(int fd)
{
	struct fake_sock *s;

	TAILQ_FOREACH (s, &fake.socks, link)
		if (s->fd == fd)
			return s;
	return NULL;
}

/* The socket behind a descriptor that must be open; null and a failed scene else. */
static struct fake_sock *
sock_open(int fd, const char *what)
{
	struct fake_sock *s = sock_of(fd);
	char              here;

	if ((uintptr_t)&here < fake.stack_least)
		fake.stack_least = (uintptr_t)&here;
	if (!s || s->closed) {
		fake_wrong("%s of %s after it was closed", what, s ? s->name : "what is no socket");
		errno = EBADF;
		return NULL;
	}
	return s;
}

static unsigned
sock_what(const struct fake_sock *s)
{
	unsigned what = 0;

	if (s->connecting)
		return 0;
	if (s->dead || (s->in_end && s->ended))
		return WATCH_READ | WATCH_WRITE | WATCH_CLOSED;
	if (bytes_left(&s->in).n || s->in_end)
		what |= WATCH_READ;
	if (s->window || s->ended)
		what |= WATCH_WRITE;
	if (s->in_end)
		what |= WATCH_CLOSED;
	return what;
}

static struct fake_sock *
next_in_backlog(void)
{
	struct fake_sock *s;

	TAILQ_FOREACH (s, &fake.socks, link)
		if (s->kind == FAKE_CLIENT && !s->accepted)
			return s;
	return NULL;
}

static void
sock_tell(void *arg)
{
	struct fake_sock *s = arg;
	unsigned          what = s->kind == FAKE_LISTENER ? next_in_backlog() ? WATCH_READ : 0 : sock_what(s);

	if (s->watch && what)
		s->watch->fn(s->watch->arg, what);
	if (s->level && s->watch && next_in_backlog())
		happening_queue(&s->event);
}

static struct fake_sock *
sock_new(enum fake_kind kind, const char *name)
{
	static int        fd = FD_FIRST;
	struct fake_sock *s = fake_alloc(NULL, sizeof *s);

	*s = (struct fake_sock){0};
	s->kind = kind;
	s->fd = fd++;
	s->window = SIZE_MAX;
	s->event = (struct happening){.fn = sock_tell, .arg = s};
	snprintf(s->name, sizeof s->name, "%s", name);
	TAILQ_INSERT_TAIL(&fake.socks, s, link);
	return s;
}

struct fake_sock *
fake_listener(void)
{
	return sock_new(FAKE_LISTENER, "listener");
}

struct fake_sock *
fake_client(const char *name, const struct endpoint *from, int listener)
{
	struct fake_sock *s = sock_new(FAKE_CLIENT, name), *l = sock_of(listener);

	s->peer = *from;
	if (l && l->watch)
		happening_queue(&l->event);
	return s;
}

struct fake_sock *
fake_origin(const struct endpoint *to, bool connecting)
{
	char              name[16];
	struct fake_sock *s;

	if (fake.n_origins++)
		snprintf(name, sizeof name, "origin%u", fake.n_origins);
	else
		snprintf(name, sizeof name, "origin");
	s = sock_new(FAKE_ORIGIN, name);
	s->peer = *to;
	s->connecting = connecting;
	s->accepted = true;
	return s;
}

struct fake_sock *
fake_find(const char *name)
{
	struct fake_sock *s;

	TAILQ_FOREACH_REVERSE (s, &fake.socks, fake_socks, link)
		if (strcmp(s->name, name) == 0)
			return s;
	return NULL;
}

void
fake_send(struct fake_sock *s, struct span bytes)
{
	bytes_add(&s->in, bytes);
	happening_queue(&s->event);
}

void
fake_finish(struct fake_sock *s)
{
	s->in_end = true;
	happening_queue(&s->event);
}

void
fake_reset(struct fake_sock *s)
{
	s->dead = true;
	s->in_end = true;
	s->error = ECONNRESET;
	happening_queue(&s->event);
}

void
fake_take(struct fake_sock *s, size_t n)
{
	s->limited = true;
	s->window = n == SIZE_MAX ? n : s->window == SIZE_MAX ? n : s->window + n;
	if (s->window && s->full) {
		s->full = false;
		happening_queue(&s->event);
	}
}

/* --- net/loop.h: watches on sockets --- */

static bool
watch_start(struct watch *w, struct loop *l, int fd, watch_fn *fn, void *arg, bool level)
{
	struct fake_sock *s = sock_open(fd, "watching");

	*w = (struct watch){.fn = fn, .arg = arg, .fd = fd};
	if (!s)
		return false;
	if (s->watch)
		fake_wrong("%s is watched twice", s->name);
	w->loop = l;
	s->watch = w;
	s->level = level;
	if (s->kind == FAKE_LISTENER ? next_in_backlog() != NULL : sock_what(s) != 0)
		happening_queue(&s->event);
	return true;
}

bool
watch_init(struct watch *w, struct loop *l, int fd, unsigned what, watch_fn *fn, void *arg)
{
	if (what != (WATCH_READ | WATCH_WRITE | WATCH_CLOSED))
		fake_wrong("a socket is watched for %u only", what);
	return watch_start(w, l, fd, fn, arg, false);
}

bool
watch_init_level(struct watch *w, struct loop *l, int fd, unsigned what, watch_fn *fn, void *arg)
{
	(void)what;
	return watch_start(w, l, fd, fn, arg, true);
}

bool
watch_init_shared(struct watch *w, struct loop *l, int fd, watch_fn *fn, void *arg)
{
	return watch_init_level(w, l, fd, WATCH_READ, fn, arg);
}

void
fake_unwatch(const struct watch *w)
{
	struct fake_sock *s = sock_of(w->fd);

	if (s && s->watch == w)
		s->watch = NULL;
}

/* --- net/sock.h --- */

int
sock_accept(int listener, struct endpoint *peer)
{
	struct fake_sock *s = next_in_backlog();

	if (!sock_open(listener, "accepting"))
		return -1;
	if (fake.accept_errno) {
		errno = fake.accept_errno;
		return -1;
	}
	if (!s) {
		errno = EAGAIN;
		return -1;
	}
	s->accepted = true;
	*peer = s->peer;
	return s->fd;
}

/* How many bytes may be read; 0 with errno 0: the end. -1 with errno. */
static ssize_t
readable(struct fake_sock *s, size_t n)
{
	size_t left = bytes_left(&s->in).n;

	if (left)
		return (ssize_t)(left < n ? left : n);
	if (s->error) {
		errno = s->error;
		s->error = 0;
		return -1;
	}
	if (s->in_end)
		return 0;
	errno = EAGAIN;
	return -1;
}

static void
was_read(struct fake_sock *s, size_t n)
{
	s->in.at += n;
	s->n_read += n;
	if (s->in.at == s->in.n)
		s->in.at = s->in.n = 0;
}

bool
sock_original(int fd, struct endpoint *local, struct endpoint *original)
{
	struct fake_sock *s = sock_open(fd, "asking where it was going");

	if (!s || !s->original.port)
		return false;
	*local = (struct endpoint){.addr = addr_from_v4(INADDR_LOOPBACK), .port = 3128};
	*original = s->original;
	return true;
}

ssize_t
sock_read(int fd, void *buf, size_t n)
{
	struct fake_sock *s = sock_open(fd, "reading");
	ssize_t           r;

	if (!s)
		return -1;
	r = readable(s, n);
	if (r > 0) {
		memcpy(buf, bytes_left(&s->in).p, (size_t)r);
		was_read(s, (size_t)r);
	}
	return r;
}

ssize_t
sock_peek(int fd, void *buf, size_t n)
{
	struct fake_sock *s = sock_open(fd, "looking");
	ssize_t           r;

	if (!s)
		return -1;
	r = readable(s, n);
	if (r > 0)
		memcpy(buf, bytes_left(&s->in).p, (size_t)r);
	return r;
}

/* How many of n bytes may be written; -1 with errno. */
static ssize_t
writable(struct fake_sock *s, size_t n)
{
	if (s->connecting)
		fake_wrong("%s is written to before it is connected", s->name);
	if (s->dead || s->ended) {
		errno = s->error ? s->error : EPIPE;
		s->error = 0;
		return -1;
	}
	if (s->window >= n)
		return (ssize_t)n;
	s->full = true;
	if (s->window == 0) {
		errno = EAGAIN;
		return -1;
	}
	return (ssize_t)s->window;
}

static void
was_written(struct fake_sock *s, struct span bytes)
{
	bytes_add(&s->out, bytes);
	s->n_written += bytes.n;
	if (s->window != SIZE_MAX)
		s->window -= bytes.n;
}

ssize_t
sock_write2(int fd, struct span a, struct span b)
{
	struct fake_sock *s = sock_open(fd, "writing");
	ssize_t           w;

	if (!s)
		return -1;
	w = writable(s, a.n + b.n);
	if (w > 0) {
		size_t n = (size_t)w, of_a = n < a.n ? n : a.n;
		was_written(s, span_of(a.p, of_a));
		was_written(s, span_of(b.p, n - of_a));
	}
	return w;
}

ssize_t
sock_write(int fd, struct span a)
{
	return sock_write2(fd, a, span_of(NULL, 0));
}

/* One side is a pipe, a real one. */
ssize_t
sock_splice(int from, int to, size_t n)
{
	struct fake_sock *s = sock_of(from);
	char              buf[4096];
	ssize_t           r;

	if (n > sizeof buf)
		n = sizeof buf;
	if (s) {
		r = readable(s, n);
		if (r > 0 && (r = write(to, bytes_left(&s->in).p, (size_t)r)) > 0)
			was_read(s, (size_t)r);
		return r;
	}
	s = sock_open(to, "splicing");
	if (!s)
		return -1;
	r = writable(s, n);
	if (r > 0 && (r = read(from, buf, (size_t)r)) > 0)
		was_written(s, span_of(buf, (size_t)r));
	return r;
}

void
sock_shut_write(int fd)
{
	struct fake_sock *s = sock_open(fd, "ending");

	if (!s)
		return;
	s->ended = true;
	happening_queue(&s->event); /* shutdown(2) wakes those who poll */
}

static void
shut(int fd, bool reset)
{
	struct fake_sock *s = sock_open(fd, "closing");

	if (!s)
		return;
	if (s->watch)
		fake_wrong("%s is closed while it is watched", s->name);
	s->closed = true;
	s->reset = reset;
	happening_drop(&s->event);
}

void
sock_close(int fd)
{
	shut(fd, false);
}

void
sock_reset(int fd)
{
	shut(fd, true);
}

bool
sock_failed(int fd)
{
	struct fake_sock *s = sock_open(fd, "asking");
	bool              failed = s && s->error;

	if (s)
		s->error = 0;
	return failed;
}

/* --- net/listener.h --- */

bool
keepalive_set(int fd)
{
	struct fake_sock *s = sock_open(fd, "keepalive");

	if (s)
		s->keepalive = true;
	return s != NULL;
}

/* --- net/dial.h: one address --- */

int
dial_now(const struct endpoint *to, const struct dial_source *from, enum fault *fault)
{
	char              text[ENDPOINT_TEXT_MAX];
	struct fake_sock *s;

	(void)from;
	endpoint_print(to, text);
	fake_errand("dial %s", text);
	*fault = fake.dial_fault;
	fake.dial_fault = FAULT_NONE;
	if (*fault != FAULT_NONE)
		return -1;
	s = fake_origin(to, true);
	return s->fd;
}

enum fault
dial_finish(int fd)
{
	struct fake_sock *s = sock_open(fd, "asking");

	if (!s)
		return FAULT_INTERNAL;
	s->error = 0;
	return s->outcome;
}

/* --- begin and end --- */

void
fake_begin(void)
{
	fake = (struct fake){.alloc_at = fake.alloc_next, .alloc_next = fake.alloc_next, .now_us = UINT64_C(3600000000), .stack_base = UINTPTR_MAX, .stack_least = UINTPTR_MAX};
	TAILQ_INIT(&fake.socks);
	TAILQ_INIT(&fake.records);
}

void
fake_end(struct loop *l)
{
	struct fake_sock   *s;
	struct fake_record *r;

	if (fake_errands_left())
		fake_wrong("an errand is left");
	if (fake_timers_left(l))
		fake_wrong("a timer is left");
	while ((s = TAILQ_FIRST(&fake.socks))) {
		if (s->watch)
			fake_wrong("%s is still watched", s->name);
		if (s->accepted && !s->closed)
			fake_wrong("%s was never closed", s->name);
		happening_drop(&s->event);
		TAILQ_REMOVE(&fake.socks, s, link);
		free(s->in.p);
		free(s->out.p);
		inside_unref(s->inside);
		free(s);
	}
	while ((r = TAILQ_FIRST(&fake.records))) {
		TAILQ_REMOVE(&fake.records, r, link);
		free(r);
	}
	fake_errands_clear();
	free(fake.errands.p);
	fake.errands = (struct bytes){0};
}
