/* SPDX-License-Identifier: MIT */
/*
 * wire: see wire.h.
 * What a lost connection's peer has read: its kernel ends a connection with a FIN when its program had read all that came, and with a reset when something
 * was left unread. After a FIN all that was acknowledged counts as read; after a reset nothing does.
 */
#include "audit/wire.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "audit/wire_tls.h"

#define FIRST_PAUSE_US 1000000u
#define LAST_PAUSE_US  60000000u
#define OPEN_US        10000000u /* for looking up, connecting, the handshake */
#define STEADY_US      10000000u /* a connection that lived so long ends the growing of pauses */
#define LOST_MS        120000u   /* data that nobody acknowledges for so long: the peer is gone */
#define STEP_MS        16u       /* between looks at a connection that is opening */
#define SEND_BUFFER    (256 * 1024)

enum step { STEP_PAUSE, STEP_NAME, STEP_CONNECT, STEP_SHAKE, STEP_UP };

struct wire {
	struct syslog_to to;
	char            *ca;       /* owned; null: the system's */
	struct resolver *resolver; /* borrowed */
	struct resolve_job *job;   /* under way */
	struct resolved *found;    /* owned */
	unsigned         next;     /* which of these is tried next */
	enum step        step;
	int              fd;       /* owned; -1 */
	bool             is_stream; /* UNIX: the server has no datagram socket there */
	struct wire_tls *tls;      /* owned */
	uint64_t         pause_us, until_us, since_us; /* until: of the pause, or the deadline of opening */
	uint64_t         carried, known_read;
	unsigned         errors;
	char             why[WIRE_WHY];
};

struct wire *
wire_new(const struct syslog_to *to, const char *ca, struct resolver *resolver)
{
	struct wire *w = calloc(1, sizeof *w);

	if (!w)
		return NULL;
	w->to = *to;
	w->resolver = resolver;
	w->fd = -1;
	w->pause_us = FIRST_PAUSE_US;
	w->ca = ca ? strdup(ca) : NULL;
	if (ca && !w->ca) {
		free(w);
		return NULL;
	}
	return w;
}

bool
wire_trust(struct wire *w, const char *ca)
{
	char *copy = ca ? strdup(ca) : NULL;

	if (ca && !copy)
		return false;
	free(w->ca);
	w->ca = copy;
	return true;
}

static void
shut(struct wire *w)
{
	wire_tls_free(w->tls, w->step == STEP_UP);
	w->tls = NULL;
	if (w->fd >= 0)
		close(w->fd);
	w->fd = -1;
	if (w->job)
		resolve_job_cancel(w->job);
	w->job = NULL;
}

void
wire_free(struct wire *w)
{
	if (!w)
		return;
	shut(w);
	resolved_unref(w->found);
	free(w->ca);
	free(w);
}

/* Pauses grow from a second to a minute, each a quarter longer or shorter at random: a server that comes back is not stormed. */
static void
fail(struct wire *w, const char *why, uint64_t now_us)
{
	uint32_t chance = 0;

	shut(w);
	snprintf(w->why, sizeof w->why, "%s", why);
	w->errors++;
	if (w->step == STEP_UP && now_us > w->since_us + STEADY_US)
		w->pause_us = FIRST_PAUSE_US;
	if (getrandom(&chance, sizeof chance, GRND_NONBLOCK) < 0)
		chance = 0;
	w->until_us = now_us + w->pause_us * 3 / 4 + chance % (w->pause_us / 2);
	w->pause_us = w->pause_us * 2 < LAST_PAUSE_US ? w->pause_us * 2 : LAST_PAUSE_US;
	w->step = STEP_PAUSE;
}

static void
lose(struct wire *w, int error, uint64_t now_us)
{
	int unread = 0;

	w->known_read = 0;
	w->carried = wire_carried(w);
	/* EPIPE: its FIN came before the reset */
	if ((error == 0 || error == EPIPE) && w->to.way != SYSLOG_UNIX && ioctl(w->fd, SIOCOUTQ, &unread) == 0)
		w->known_read = w->carried - ((uint64_t)unread < w->carried ? (uint64_t)unread : w->carried);
	else if ((error == 0 || error == EPIPE) && w->to.way == SYSLOG_UNIX)
		w->known_read = w->carried;
	fail(w, error ? strerror(error) : "it has ended the connection", now_us);
}

static void
set_up(struct wire *w, uint64_t now_us)
{
	w->step = STEP_UP;
	w->since_us = now_us;
	w->carried = 0;
}

static void
begin_unix(struct wire *w, uint64_t now_us)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int                type = w->is_stream ? SOCK_STREAM : SOCK_DGRAM, size = SEND_BUFFER;

	memcpy(sa.sun_path, w->to.path, sizeof sa.sun_path);
	w->fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (w->fd >= 0 && connect(w->fd, (struct sockaddr *)&sa, sizeof sa) == 0) {
		setsockopt(w->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
		set_up(w, now_us);
		return;
	}
	if (errno == EPROTOTYPE)
		w->is_stream = !w->is_stream; /* at the next try */
	fail(w, strerror(errno), now_us);
}

static void
begin_host(struct wire *w, const struct addr *to, uint64_t now_us)
{
	struct endpoint         e = {.addr = *to, .port = w->to.port};
	struct sockaddr_storage sa;
	socklen_t               n = endpoint_to_sockaddr(&e, &sa);
	int                     type = w->to.way == SYSLOG_UDP ? SOCK_DGRAM : SOCK_STREAM, on = 1;
	unsigned                lost_ms = LOST_MS;

	w->fd = socket(sa.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (w->fd >= 0 && type == SOCK_STREAM) {
		setsockopt(w->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
		setsockopt(w->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		setsockopt(w->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &lost_ms, sizeof lost_ms);
	}
	if (w->fd < 0 || (connect(w->fd, (struct sockaddr *)&sa, n) != 0 && errno != EINPROGRESS)) {
		fail(w, strerror(errno), now_us);
		return;
	}
	w->step = STEP_CONNECT;
}

static void
on_resolved(void *arg, enum fault fault, struct resolved *r)
{
	struct wire *w = arg;

	w->job = NULL;
	if (fault == FAULT_NONE) {
		resolved_unref(w->found);
		w->found = r;
		w->next = 0;
	}
}

/* An address to try: of the literal, of the list that was found, or after a look-up. */
static void
find_address(struct wire *w, uint64_t now_us)
{
	enum fault       fault = FAULT_NONE;
	struct resolved *r;

	if (w->to.host.kind == HOST_ADDR) {
		begin_host(w, &w->to.host.addr, now_us);
		return;
	}
	if (!w->found && !w->job && w->step == STEP_PAUSE) {
		r = resolver_cached(w->resolver, host_span(&w->to.host), &fault);
		if (r)
			on_resolved(w, FAULT_NONE, r);
		else if (fault == FAULT_NONE)
			w->job = resolver_start(w->resolver, host_span(&w->to.host), on_resolved, w);
	}
	w->step = STEP_NAME;
	if (w->found && w->next < w->found->n) {
		begin_host(w, &w->found->addr[w->next++], now_us);
	} else if (w->found) {
		/* all were tried: ask anew */
		resolved_unref(w->found);
		w->found = NULL;
		w->step = STEP_PAUSE;
		w->until_us = now_us;
	} else if (!w->job) {
		fail(w, "its name cannot be resolved", now_us);
	}
}

static void
finish_connect(struct wire *w, uint64_t now_us)
{
	struct pollfd p = {.fd = w->fd, .events = POLLOUT};
	int           error = 0;
	socklen_t     n = sizeof error;

	if (poll(&p, 1, 0) <= 0)
		return;
	if (getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &error, &n) != 0 || error) {
		fail(w, strerror(error ? error : errno), now_us);
		return;
	}
	if (w->to.way != SYSLOG_TLS) {
		set_up(w, now_us);
		return;
	}
	w->tls = wire_tls_new(w->fd, &w->to.host, w->ca, w->why, sizeof w->why);
	if (!w->tls) {
		char why[WIRE_WHY];
		memcpy(why, w->why, sizeof why);
		fail(w, why, now_us);
		return;
	}
	w->step = STEP_SHAKE;
}

static void
shake(struct wire *w, uint64_t now_us)
{
	char why[WIRE_WHY];

	switch (wire_tls_shake(w->tls, why, sizeof why)) {
	case WIRE_TLS_OK:
		set_up(w, now_us);
		break;
	case WIRE_TLS_AGAIN:
		break;
	case WIRE_TLS_CLOSED:
	case WIRE_TLS_FAILED:
		fail(w, why, now_us);
		break;
	}
}

/* Has the peer ended the connection? A server says nothing otherwise. */
static void
listen_for_end(struct wire *w, uint64_t now_us)
{
	char    buf[512];
	ssize_t n;

	if (w->tls) {
		enum wire_tls_result r = wire_tls_listen(w->tls);
		if (r == WIRE_TLS_CLOSED || r == WIRE_TLS_FAILED)
			lose(w, r == WIRE_TLS_CLOSED ? 0 : errno ? errno : EPROTO, now_us);
		return;
	}
	n = recv(w->fd, buf, sizeof buf, MSG_DONTWAIT);
	if (n == 0 && !wire_is_packets(w))
		lose(w, 0, now_us);
	else if (n < 0 && errno != EAGAIN && errno != EINTR)
		lose(w, errno, now_us);
}

enum wire_state
wire_go(struct wire *w, uint64_t now_us)
{
	if (w->step == STEP_UP)
		listen_for_end(w, now_us);
	if (w->step == STEP_PAUSE && now_us >= w->until_us) {
		w->until_us = now_us + OPEN_US;
		if (w->to.way == SYSLOG_UNIX)
			begin_unix(w, now_us);
		else
			find_address(w, now_us);
	} else if (w->step == STEP_NAME) {
		find_address(w, now_us);
	}
	if (w->step == STEP_CONNECT)
		finish_connect(w, now_us);
	if (w->step == STEP_SHAKE)
		shake(w, now_us);
	if (w->step != STEP_UP && w->step != STEP_PAUSE && now_us >= w->until_us)
		fail(w, "it does not answer", now_us);
	return w->step == STEP_UP ? WIRE_UP : w->step == STEP_PAUSE ? WIRE_DOWN : WIRE_OPENING;
}

unsigned
wire_wait_ms(const struct wire *w, uint64_t now_us)
{
	if (w->step != STEP_PAUSE)
		return STEP_MS;
	return w->until_us > now_us ? (unsigned)((w->until_us - now_us) / 1000 + 1) : 1;
}

const char *
wire_why(const struct wire *w)
{
	return w->why;
}

unsigned
wire_errors_take(struct wire *w)
{
	unsigned n = w->errors;

	w->errors = 0;
	return n;
}

bool
wire_is_packets(const struct wire *w)
{
	return w->to.way == SYSLOG_UDP || (w->to.way == SYSLOG_UNIX && !w->is_stream);
}

size_t
wire_write(struct wire *w, const char *p, size_t n, uint64_t now_us)
{
	size_t  took = 0;
	ssize_t sent;

	if (w->step != STEP_UP)
		return 0;
	if (w->tls) {
		enum wire_tls_result r = wire_tls_write(w->tls, p, n, &took);
		if (r == WIRE_TLS_CLOSED || r == WIRE_TLS_FAILED)
			lose(w, r == WIRE_TLS_CLOSED ? 0 : errno ? errno : EPROTO, now_us);
		return took;
	}
	do
		sent = send(w->fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (sent < 0 && errno == EINTR);
	if (sent >= 0) {
		w->carried += (uint64_t)sent;
		return (size_t)sent;
	}
	if (errno != EAGAIN && errno != ENOBUFS)
		lose(w, errno, now_us);
	return 0;
}

uint64_t
wire_carried(const struct wire *w)
{
	return w->tls ? wire_tls_carried(w->tls) : w->carried;
}

uint64_t
wire_known_read(const struct wire *w)
{
	return w->known_read;
}
