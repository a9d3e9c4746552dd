/* SPDX-License-Identifier: MIT */
#include "net/dial.h"

#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define STAGGER_MS 250u

struct attempt {
	struct addr  to;
	int          fd; /* -1: not begun, or over */
	struct dial *dial;
	struct watch watch;
};

struct dial {
	struct grave       grave;
	struct loop       *loop;
	dial_fn           *done;
	void              *arg;
	struct dial_source from;
	struct timer       timer; /* the next attempt, or the deadline, or (all failed) the callback */
	uint64_t           deadline_us;
	enum fault         worst[2]; /* most telling fault of the first family, of the other; NONE: not failed */
	const struct addr *last;     /* that failed */
	uint16_t           port;
	unsigned           n, begun, open;
	struct attempt     attempt[];
};

static enum fault
errno_fault(int e)
{
	switch (e) {
	case 0:
		return FAULT_NONE;
	case ECONNREFUSED:
		return FAULT_CONNECT_REFUSED;
	case ENETUNREACH:
	case EHOSTUNREACH:
		return FAULT_CONNECT_UNREACHABLE;
	case ETIMEDOUT:
		return FAULT_CONNECT_TIMEOUT;
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
	case EADDRNOTAVAIL: /* no local port is left */
		return FAULT_NO_SOCKET;
	default:
		return FAULT_CONNECT_FAILED;
	}
}

/* The port is chosen when it connects, so that two connections to different places may have the same one. */
static bool
bind_source(int fd, const struct dial_source *from, bool v4)
{
	struct sockaddr_storage sa;
	int                     on = 1;
	socklen_t               n;

	if (!from || !from->has[!v4])
		return true;
	n = endpoint_to_sockaddr(&(struct endpoint){.addr = from->addr[!v4]}, &sa);
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
	return bind(fd, (const struct sockaddr *)&sa, n) == 0;
}

int
dial_now(const struct endpoint *to, const struct dial_source *from, enum fault *fault)
{
	struct sockaddr_storage sa;
	socklen_t               n = endpoint_to_sockaddr(to, &sa);
	int                     fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;

	*fault = FAULT_NONE;
	if (fd >= 0) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		if (!bind_source(fd, from, addr_is_v4(&to->addr))) {
			*fault = FAULT_CONNECT_FAILED;
			close(fd);
			return -1;
		}
		if (connect(fd, (const struct sockaddr *)&sa, n) == 0 || errno == EINPROGRESS)
			return fd;
	}
	/* a host without this family at all has no way there */
	*fault = errno == EAFNOSUPPORT ? FAULT_CONNECT_UNREACHABLE : errno_fault(errno);
	if (fd >= 0)
		close(fd);
	return -1;
}

enum fault
dial_finish(int fd)
{
	int       e = 0;
	socklen_t n = sizeof e;

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &n) != 0)
		return FAULT_CONNECT_FAILED;
	return errno_fault(e);
}

/* --- several addresses --- */

static void
attempt_end(struct attempt *a)
{
	if (a->fd < 0)
		return;
	watch_clear(&a->watch);
	close(a->fd);
	a->fd = -1;
	a->dial->open--;
}

void
dial_cancel(struct dial *d)
{
	if (!d)
		return;
	timer_clear(&d->timer);
	for (unsigned i = 0; i < d->begun; i++)
		attempt_end(&d->attempt[i]);
	loop_bury(d->loop, &d->grave);
}

/* Over: close the others and tell. */
static void
dial_tell(struct dial *d, enum fault fault, int fd, const struct addr *to)
{
	dial_fn *done = d->done;
	void    *arg = d->arg;

	dial_cancel(d); /* buried, so that `to` may point into it */
	done(arg, fault, fd, to);
}

/* What tells more of the server than of us or of the way comes first. */
static unsigned
telling(enum fault f)
{
	static const enum fault order[] = {
	    FAULT_CONNECT_UNREACHABLE, FAULT_NO_SOCKET, FAULT_CONNECT_FAILED, FAULT_CONNECT_TIMEOUT, FAULT_CONNECT_REFUSED};

	for (unsigned i = 0; i < sizeof order / sizeof *order; i++)
		if (order[i] == f)
			return i + 1;
	return 0;
}

static void
attempt_failed(struct attempt *a, enum fault fault)
{
	struct dial *d = a->dial;
	enum fault  *worst = &d->worst[addr_is_v4(&a->to) != addr_is_v4(&d->attempt[0].to)];

	if (telling(fault) > telling(*worst))
		*worst = fault;
	d->last = &a->to;
}

static void on_attempt(void *arg, unsigned what);

/* Begin the next attempt that does not fail at once. False: none is left. */
static bool
dial_next(struct dial *d)
{
	while (d->begun < d->n) {
		struct attempt *a = &d->attempt[d->begun++];
		enum fault      fault;

		a->fd = dial_now(&(struct endpoint){.addr = a->to, .port = d->port}, &d->from, &fault);
		if (a->fd < 0) {
			attempt_failed(a, fault);
			continue;
		}
		d->open++;
		if (watch_init(&a->watch, d->loop, a->fd, WATCH_READ | WATCH_WRITE, on_attempt, a))
			return true;
		attempt_end(a);
		attempt_failed(a, FAULT_NO_MEMORY);
	}
	return false;
}

static void
dial_arm(struct dial *d)
{
	uint64_t now = loop_now_us(d->loop), left = d->deadline_us > now ? (d->deadline_us - now + 999) / 1000 : 0;

	timer_set(d->loop, &d->timer, d->begun < d->n && left > STAGGER_MS ? STAGGER_MS : left);
}

static enum fault
dial_fault(const struct dial *d)
{
	/* no way there, or no address of that family, is this host's trouble: the other family has met the server */
	if (telling(d->worst[0]) <= telling(FAULT_NO_SOCKET) && telling(d->worst[1]) > telling(d->worst[0]))
		return d->worst[1];
	return d->worst[0] != FAULT_NONE ? d->worst[0] : FAULT_NO_MEMORY;
}

static void
on_attempt(void *arg, unsigned what)
{
	struct attempt *a = arg;
	struct dial    *d = a->dial;
	enum fault      fault = dial_outcome(a->fd, what);
	int             fd = a->fd;

	if (fault == FAULT_NONE) {
		watch_clear(&a->watch);
		a->fd = -1; /* the callee's */
		d->open--;
		dial_tell(d, FAULT_NONE, fd, &a->to);
		return;
	}
	attempt_end(a);
	attempt_failed(a, fault);
	if (dial_next(d))
		dial_arm(d);
	else if (d->open == 0)
		dial_tell(d, dial_fault(d), -1, d->last);
	/* else the others go on until the deadline, for which the timer is set already or will be when it rings */
}

static void
on_timer(void *arg)
{
	struct dial *d = arg;

	if (loop_now_us(d->loop) >= d->deadline_us && d->open) {
		d->last = &d->attempt[d->begun - 1].to;
		dial_tell(d, FAULT_CONNECT_TIMEOUT, -1, d->last);
		return;
	}
	if (!dial_next(d) && d->open == 0)
		dial_tell(d, dial_fault(d), -1, d->last);
	else
		dial_arm(d);
}

/* Families in turn, that of the first address first; each family keeps the caller's order. */
static unsigned
interleave(const struct addr *from, unsigned n, struct attempt *to, unsigned most)
{
	unsigned next[2] = {0, 0}, out = 0, skipped = 0;
	bool     v4 = addr_is_v4(&from[0]);

	for (; out < most && skipped < 2; v4 = !v4) {
		unsigned *i = &next[v4];
		while (*i < n && addr_is_v4(&from[*i]) != v4)
			++*i;
		if (*i == n) {
			skipped++;
			continue;
		}
		skipped = 0;
		to[out++].to = from[(*i)++];
	}
	return out;
}

struct dial *
dial_start(struct loop *l, const struct addr *addrs, unsigned n, uint16_t port, const struct dial_source *from, uint64_t timeout_ms, dial_fn *done, void *arg)
{
	unsigned     most = n < DIAL_ADDRS_MAX ? n : DIAL_ADDRS_MAX;
	struct dial *d = calloc(1, sizeof *d + most * sizeof *d->attempt);

	assert(n >= 1);
	if (!d)
		return NULL;
	d->loop = l;
	d->done = done;
	d->arg = arg;
	d->port = port;
	if (from)
		d->from = *from;
	d->deadline_us = loop_now_us(l) + timeout_ms * 1000;
	d->n = interleave(addrs, n, d->attempt, most);
	for (unsigned i = 0; i < d->n; i++) {
		d->attempt[i].dial = d;
		d->attempt[i].fd = -1;
	}
	timer_init(&d->timer, on_timer, d);
	if (dial_next(d))
		dial_arm(d);
	else
		timer_set(l, &d->timer, 0); /* tells in a later turn */
	return d;
}
