/* SPDX-License-Identifier: MIT */
#include "net/resolve_ares.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define HEADER       12u
#define PACKETS_MOST 64u /* datagrams read at one go */

/* A socket of c-ares. */
struct dns_socket {
	struct grave grave;
	LIST_ENTRY(dns_socket) link;
	struct channel *channel;
	int             fd;
	bool            is_udp;
	unsigned        what; /* that c-ares waits for */
	struct watch    watch;
};

/* --- sockets --- */

static void
on_socket(void *arg, unsigned what)
{
	struct dns_socket *s = arg;
	struct channel    *ch = s->channel;

	ch->packets_left = PACKETS_MOST;
	ares_process_fd(ch->ares, what & WATCH_READ ? s->fd : ARES_SOCKET_BAD, what & WATCH_WRITE ? s->fd : ARES_SOCKET_BAD);
	ch->env->settle(ch->env->arg);
}

static struct dns_socket *
socket_find(struct channel *ch, int fd)
{
	struct dns_socket *s;

	LIST_FOREACH(s, &ch->sockets, link)
	if (s->fd == fd)
		return s;
	return NULL;
}

static ares_socket_t
on_open(int family, int type, int protocol, void *arg)
{
	struct channel    *ch = arg;
	struct dns_socket *s = calloc(1, sizeof *s);
	int                fd = s ? socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol) : -1;

	if (fd < 0) {
		ch->is_down = true;
		free(s);
		return ARES_SOCKET_BAD;
	}
	s->channel = ch;
	s->fd = fd;
	s->is_udp = type == SOCK_DGRAM;
	LIST_INSERT_HEAD(&ch->sockets, s, link);
	return fd;
}

static int
on_close(ares_socket_t fd, void *arg)
{
	struct channel    *ch = arg;
	struct dns_socket *s = socket_find(ch, fd);

	ch->packet = NULL; /* c-ares reads no more from here, and what it read goes with its stack */
	if (s) {
		watch_clear(&s->watch);
		LIST_REMOVE(s, link);
		loop_bury(ch->env->loop, &s->grave);
	}
	return close(fd);
}

/* c-ares forgets the zone of a link-local server. */
static int
on_connect(ares_socket_t fd, const struct sockaddr *sa, ares_socklen_t n, void *arg)
{
	struct channel           *ch = arg;
	const struct resolv_conf *c = &ch->env->conf;
	struct sockaddr_in6       six;
	int                       rc;

	if (sa->sa_family == AF_INET6 && n == sizeof six) {
		memcpy(&six, sa, sizeof six);
		for (unsigned i = 0; i < c->n_servers; i++)
			if (memcmp(c->servers[i].addr.b, &six.sin6_addr, 16) == 0)
				six.sin6_scope_id = c->servers[i].scope;
		sa = (const struct sockaddr *)&six;
	}
	rc = connect(fd, sa, n);
	if (rc < 0 && errno != EINPROGRESS)
		ch->is_down = true;
	return rc;
}

/* `from` is null for TCP. c-ares reads until there is no more: what a server sends faster than it is read waits for the next turn. */
static ares_ssize_t
on_recv(ares_socket_t fd, void *buf, size_t n, int flags, struct sockaddr *from, ares_socklen_t *from_n, void *arg)
{
	struct channel *ch = arg;
	ares_ssize_t    k;

	ch->packet = NULL;
	if (from && ch->packets_left == 0) {
		errno = EAGAIN;
		return -1;
	}
	k = recvfrom(fd, buf, n, flags, from, from_n);
	if (from && k >= (ares_ssize_t)HEADER) {
		ch->packet = buf;
		ch->packet_n = (size_t)k;
	}
	if (from && k >= 0)
		ch->packets_left--;
	if (k > 0)
		ch->is_down = false;
	else if (k < 0 ? errno != EAGAIN : !from)
		ch->is_down = true;
	return k;
}

/* Two errors of datagrams would cost the wrong question a try. That nobody listens is told of a question sent before: this one goes out all the same, and
 * what becomes of it is told where all wait for it, by on_recv. And where there is no room, the question is as good as lost on the way. */
static ares_ssize_t
on_send(ares_socket_t fd, const struct iovec *v, int n, void *arg)
{
	struct msghdr            m = {.msg_iov = (struct iovec *)v, .msg_iovlen = (size_t)n};
	struct channel          *ch = arg;
	const struct dns_socket *s;
	ares_ssize_t             k = sendmsg(fd, &m, MSG_NOSIGNAL);

	if (k >= 0)
		return k;
	s = socket_find(ch, fd);
	if (s && s->is_udp && errno == ECONNREFUSED) {
		k = sendmsg(fd, &m, MSG_NOSIGNAL);
		if (k >= 0)
			return k;
	}
	if (s && s->is_udp && (errno == EAGAIN || errno == ENOBUFS))
		return (ares_ssize_t)v->iov_len;
	if (errno != EAGAIN)
		ch->is_down = true;
	return k;
}

static const struct ares_socket_functions socket_functions = {on_open, on_close, on_connect, on_recv, on_send};

/* A watch that could not be had is tried again by on_tick: c-ares keeps the socket for later questions and does not ask twice. */
static void
socket_watch(struct dns_socket *s)
{
	if (s->what && !watch_is_set(&s->watch))
		watch_init_level(&s->watch, s->channel->env->loop, s->fd, s->what, on_socket, s);
}

/* c-ares says what it waits for. */
static void
on_interest(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct channel    *ch = arg;
	struct dns_socket *s = socket_find(ch, fd);

	if (!s)
		return;
	watch_clear(&s->watch);
	s->what = (readable ? WATCH_READ : 0) | (writable ? WATCH_WRITE : 0);
	socket_watch(s);
}

/* --- channels --- */

static bool
servers_set(ares_channel a, const struct resolv_conf *c)
{
	struct ares_addr_port_node node[RESOLV_SERVERS_MAX];

	memset(node, 0, sizeof node);
	for (unsigned i = 0; i < c->n_servers; i++) {
		const struct endpoint *e = &c->servers[i];
		node[i].next = i + 1 < c->n_servers ? &node[i + 1] : NULL;
		node[i].udp_port = node[i].tcp_port = e->port;
		node[i].family = addr_is_v4(&e->addr) ? AF_INET : AF_INET6;
		if (node[i].family == AF_INET)
			memcpy(&node[i].addr.addr4, e->addr.b + 12, 4);
		else
			memcpy(&node[i].addr.addr6, e->addr.b, 16);
	}
	return ares_set_servers_ports(a, node) == ARES_SUCCESS;
}

struct channel *
channel_new(const struct channel_env *env, struct channels *among, bool by_tcp)
{
	const struct resolv_conf *c = &env->conf;
	struct channel           *ch = calloc(1, sizeof *ch);
	char                      lookups[] = "b";
	/* all that c-ares would seek in resolv.conf, nsswitch.conf and the host's name, so that it seeks nowhere */
	struct ares_options o = {
	    .flags = ARES_FLAG_IGNTC | ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | (c->use_vc || by_tcp ? ARES_FLAG_USEVC : 0),
	    .timeout = (int)env->try_ms,
	    .tries = (int)c->attempts,
	    .ndots = 1,
	    .lookups = lookups,
	    .sock_state_cb = on_interest,
	    .sock_state_cb_data = ch,
	};
	int given = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_NDOTS | ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB |
		    ARES_OPT_SERVERS | ARES_OPT_DOMAINS | ARES_OPT_SORTLIST | (c->rotate ? ARES_OPT_ROTATE : ARES_OPT_NOROTATE);

	if (!ch)
		return NULL;
	if (ares_init_options(&ch->ares, &o, given) != ARES_SUCCESS)
		goto fail;
	ch->env = env;
	LIST_INIT(&ch->sockets);
	ares_set_socket_functions(ch->ares, &socket_functions, ch);
	if (!servers_set(ch->ares, c)) {
		ares_destroy(ch->ares);
		goto fail;
	}
	ch->among = among;
	TAILQ_INSERT_TAIL(&among->list, ch, link);
	among->n++;
	return ch;
fail:
	free(ch);
	return NULL;
}

void
channel_free(struct channel *ch)
{
	TAILQ_REMOVE(&ch->among->list, ch, link);
	ch->among->n--;
	ares_destroy(ch->ares);
	free(ch);
}

void
channels_free(struct channels *c)
{
	struct channel *ch;

	while ((ch = TAILQ_FIRST(&c->list)))
		channel_free(ch);
}

void
channels_tick(struct channels *c)
{
	struct channel    *ch;
	struct dns_socket *s;

	TAILQ_FOREACH(ch, &c->list, link) {
		LIST_FOREACH(s, &ch->sockets, link)
		socket_watch(s);
		if (ch->pending)
			ares_process_fd(ch->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	}
}

unsigned
channel_rcode(const struct channel *ch, uint16_t id)
{
	const uint8_t *p = ch->packet;

	return p && (p[0] << 8 | p[1]) == id ? p[3] & 0x0fu : DNS_RCODE_OK;
}
