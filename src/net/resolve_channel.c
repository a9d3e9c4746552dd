/* SPDX-License-Identifier: MIT */
#include "net/resolve_channel.h"

#include <ares.h>
#include <arpa/nameser.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define EDNS_BYTES   1232 /* fits an unfragmented IPv6 packet everywhere: DNS flag day 2020 */
#define PLAIN_BYTES  512  /* without EDNS (RFC 1035 4.2.1) */
#define TRUNCATED    2u   /* in the third byte of an answer */
#define RENEW_AFTER  400u /* questions; then another channel, with another source port */
#define CHANNELS_MAX 16u
#define TRY_LEAST_MS 100u
#define IDS          64u

/* A socket of c-ares. */
struct dns_socket {
	struct grave grave;
	LIST_ENTRY(dns_socket) link;
	struct channel *channel;
	int             fd;
	unsigned        what; /* that c-ares waits for */
	struct watch    watch;
};

struct channel {
	TAILQ_ENTRY(channel) link;
	struct upstream *upstream;
	ares_channel     ares;
	unsigned         sent; /* since it became the current one */
	unsigned         pending;
	bool             plain; /* a server choked on EDNS: c-ares has switched it off here, so must we */
	bool             is_stream; /* asks by TCP alone */
	LIST_HEAD(, dns_socket) sockets;
};

struct upstream {
	unsigned           refs;
	struct loop       *loop;
	struct resolv_conf conf;
	unsigned           try_ms; /* of the first try at one server; c-ares doubles it in each round */
	struct channel    *current;
	struct channel    *stream; /* for what UDP cuts off; null: nothing yet */
	TAILQ_HEAD(, channel) channels;
	unsigned     n_channels;
	unsigned     pending;
	struct timer tick; /* lets c-ares see its timeouts; armed while questions are pending */
	uint16_t     ids[IDS];
	unsigned     ids_left;
	void (*settle)(void *arg);
	void *arg;
};

/* --- sockets --- */

static void
on_socket(void *arg, unsigned what)
{
	struct dns_socket *s = arg;
	struct channel    *ch = s->channel;
	struct upstream   *u = ch->upstream;

	ares_process_fd(ch->ares, what & WATCH_READ ? s->fd : ARES_SOCKET_BAD, what & WATCH_WRITE ? s->fd : ARES_SOCKET_BAD);
	u->settle(u->arg);
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
		free(s);
		return ARES_SOCKET_BAD;
	}
	s->channel = ch;
	s->fd = fd;
	LIST_INSERT_HEAD(&ch->sockets, s, link);
	return fd;
}

static int
on_close(ares_socket_t fd, void *arg)
{
	struct channel    *ch = arg;
	struct dns_socket *s = socket_find(ch, fd);

	if (s) {
		watch_clear(&s->watch);
		LIST_REMOVE(s, link);
		loop_bury(ch->upstream->loop, &s->grave);
	}
	return close(fd);
}

/* c-ares forgets the zone of a link-local server. */
static int
on_connect(ares_socket_t fd, const struct sockaddr *sa, ares_socklen_t n, void *arg)
{
	const struct channel     *ch = arg;
	const struct resolv_conf *c = &ch->upstream->conf;
	struct sockaddr_in6       six;

	if (sa->sa_family != AF_INET6 || n != sizeof six)
		return connect(fd, sa, n);
	memcpy(&six, sa, sizeof six);
	for (unsigned i = 0; i < c->n_servers; i++)
		if (memcmp(c->servers[i].addr.b, &six.sin6_addr, 16) == 0)
			six.sin6_scope_id = c->servers[i].scope;
	return connect(fd, (const struct sockaddr *)&six, sizeof six);
}

static ares_ssize_t
on_recv(ares_socket_t fd, void *buf, size_t n, int flags, struct sockaddr *from, ares_socklen_t *from_n, void *arg)
{
	(void)arg;
	return recvfrom(fd, buf, n, flags, from, from_n);
}

static ares_ssize_t
on_send(ares_socket_t fd, const struct iovec *v, int n, void *arg)
{
	struct msghdr m = {.msg_iov = (struct iovec *)v, .msg_iovlen = (size_t)n};

	(void)arg;
	return sendmsg(fd, &m, MSG_NOSIGNAL);
}

static const struct ares_socket_functions socket_functions = {on_open, on_close, on_connect, on_recv, on_send};

/* A watch that could not be had is tried again by on_tick: c-ares keeps the socket for later questions and does not ask twice. */
static void
socket_watch(struct dns_socket *s)
{
	if (s->what && !watch_is_set(&s->watch))
		watch_init_level(&s->watch, s->channel->upstream->loop, s->fd, s->what, on_socket, s);
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

/* c-ares does not go on by TCP itself (IGNTC): when a server ends a connection, or refuses one, it lets all fall that it has asked that server, over UDP too. */
static struct channel *
channel_new(struct upstream *u, bool is_stream)
{
	const struct resolv_conf *c = &u->conf;
	struct channel           *ch = calloc(1, sizeof *ch);
	char                      lookups[] = "b";
	/* all that c-ares would seek in resolv.conf, nsswitch.conf and the host's name, so that it seeks nowhere */
	struct ares_options o = {
	    .flags = ARES_FLAG_EDNS | ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | ARES_FLAG_IGNTC | (is_stream || c->use_vc ? ARES_FLAG_USEVC : 0),
	    .timeout = (int)u->try_ms,
	    .tries = (int)c->attempts,
	    .ndots = 1,
	    .ednspsz = EDNS_BYTES,
	    .lookups = lookups,
	    .sock_state_cb = on_interest,
	    .sock_state_cb_data = ch,
	};
	int given = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_NDOTS | ARES_OPT_EDNSPSZ | ARES_OPT_LOOKUPS |
		    ARES_OPT_SOCK_STATE_CB | ARES_OPT_SERVERS | ARES_OPT_DOMAINS | ARES_OPT_SORTLIST |
		    (c->rotate ? ARES_OPT_ROTATE : ARES_OPT_NOROTATE);

	if (!ch)
		return NULL;
	if (ares_init_options(&ch->ares, &o, given) != ARES_SUCCESS)
		goto fail;
	ch->upstream = u;
	ch->is_stream = is_stream || c->use_vc;
	LIST_INIT(&ch->sockets);
	ares_set_socket_functions(ch->ares, &socket_functions, ch);
	if (!servers_set(ch->ares, c)) {
		ares_destroy(ch->ares);
		goto fail;
	}
	TAILQ_INSERT_TAIL(&u->channels, ch, link);
	u->n_channels++;
	return ch;
fail:
	free(ch);
	return NULL;
}

static void
channel_free(struct channel *ch)
{
	struct upstream *u = ch->upstream;

	TAILQ_REMOVE(&u->channels, ch, link);
	u->n_channels--;
	ares_destroy(ch->ares);
	free(ch);
}

/* The channel for the next question. One that has asked often enough rests until its last answer is in: c-ares then closes its
 * sockets, and the next one that it opens gets another port. */
static struct channel *
channel_pick(struct upstream *u, bool in_ares)
{
	struct channel *ch, *best = NULL;

	if (u->current->sent < RENEW_AFTER)
		return u->current;
	TAILQ_FOREACH(ch, &u->channels, link)
		if (ch != u->stream && (!best || ch->pending < best->pending))
			best = ch;
	if (best->pending && u->n_channels < CHANNELS_MAX && (ch = channel_new(u, false))) {
		best = ch;
	} else if (best->plain && !best->pending && !in_ares && (ch = channel_new(u, false))) {
		/* one odd answer must not cost us EDNS for ever */
		channel_free(best);
		best = ch;
	}
	best->sent = 0;
	return u->current = best;
}

/* --- upstream --- */

static void
on_tick(void *arg)
{
	struct upstream   *u = arg;
	struct channel    *ch;
	struct dns_socket *s;

	TAILQ_FOREACH(ch, &u->channels, link) {
		LIST_FOREACH(s, &ch->sockets, link)
		socket_watch(s);
		if (ch->pending)
			ares_process_fd(ch->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	}
	if (u->pending)
		timer_set(u->loop, &u->tick, u->try_ms / 4 < 200 ? u->try_ms / 4 : 200);
	u->settle(u->arg);
}

struct upstream *
upstream_new(struct loop *l, const struct resolv_conf *c, uint64_t timeout_ms, void (*settle)(void *arg), void *arg)
{
	struct upstream *u = calloc(1, sizeof *u);
	uint64_t         share;

	if (!u)
		return NULL;
	u->refs = 1;
	u->loop = l;
	u->conf = *c;
	for (unsigned i = 0; i < c->n_search; i++)
		u->conf.search[i].p = u->conf.text + (c->search[i].p - c->text);
	u->settle = settle;
	u->arg = arg;
	TAILQ_INIT(&u->channels);
	timer_init(&u->tick, on_tick, u);
	/* every server gets its tries before the whole look-up is over: a silent first one must not eat all the time */
	share = timeout_ms / (c->n_servers * ((1u << c->attempts) - 1));
	u->try_ms = c->timeout_s * 1000;
	if (share < u->try_ms)
		u->try_ms = share < TRY_LEAST_MS ? TRY_LEAST_MS : (unsigned)share;
	u->current = channel_new(u, false);
	if (!u->current) {
		free(u);
		return NULL;
	}
	return u;
}

struct upstream *
upstream_ref(struct upstream *u)
{
	u->refs++;
	return u;
}

void
upstream_unref(struct upstream *u)
{
	struct channel *ch;

	if (!u || --u->refs)
		return;
	timer_clear(&u->tick);
	while ((ch = TAILQ_FIRST(&u->channels)))
		channel_free(ch);
	free(u);
}

const struct resolv_conf *
upstream_conf(const struct upstream *u)
{
	return &u->conf;
}

/* --- questions --- */

/* Random ids, drawn in batches: c-ares' own come from rand() when it cannot read a file. */
static bool
id_draw(struct upstream *u, uint16_t *id)
{
	if (!u->ids_left) {
		if (getrandom(u->ids, sizeof u->ids, 0) != sizeof u->ids)
			return false;
		u->ids_left = IDS;
	}
	*id = u->ids[--u->ids_left];
	return true;
}

static enum fault
status_fault(int status)
{
	switch (status) {
	case ARES_ETIMEOUT:
		return FAULT_DNS_TIMEOUT;
	case ARES_ENOMEM:
		return FAULT_NO_MEMORY;
	case ARES_ENOTFOUND: /* .onion, which must not be asked for: RFC 7686 */
	case ARES_EBADNAME:
		return FAULT_DNS_NXDOMAIN;
	default:
		return FAULT_DNS_ERROR;
	}
}

static enum fault
answer_fault(struct question *q, const uint8_t *p, size_t n)
{
	if (!dns_answer_read(p, n, q->type, &q->answer))
		return FAULT_DNS_ERROR;
	if (q->chain_end)
		dns_chain_end(p, n, q->chain_end);
	switch (q->answer.rcode) {
	case DNS_RCODE_OK:
		return FAULT_NONE;
	case DNS_RCODE_NAME:
		return FAULT_DNS_NXDOMAIN;
	default:
		return FAULT_DNS_ERROR;
	}
}

static void question_send(struct upstream *u, struct question *q, struct channel *ch);

/* Did not all of it fit into a datagram? A longer one c-ares cuts. */
static bool
is_cut(const struct question *q, const uint8_t *p, size_t n)
{
	struct dns_answer whole;

	if (q->channel->is_stream || n < 12)
		return false;
	return p[2] & TRUNCATED || ((n == PLAIN_BYTES || n == EDNS_BYTES) && !dns_answer_read(p, n, q->type, &whole));
}

static void
question_send_stream(struct upstream *u, struct question *q)
{
	if (!u->stream)
		u->stream = channel_new(u, true);
	if (u->stream)
		question_send(u, q, u->stream);
	else
		q->fn(q, FAULT_NO_MEMORY);
}

static void
on_answer(void *arg, int status, int timeouts, unsigned char *p, int n)
{
	struct question *q = arg;
	struct channel  *ch;
	enum fault       fault;

	(void)timeouts;
	if (status == ARES_EDESTRUCTION)
		return; /* the owner may be gone */
	ch = q->channel;
	ch->pending--;
	ch->upstream->pending--;
	if (status == ARES_SUCCESS && is_cut(q, p, (size_t)n)) {
		question_send_stream(ch->upstream, q);
		return;
	}
	fault = status == ARES_SUCCESS ? answer_fault(q, p, (size_t)n) : status_fault(status);
	/* c-ares goes back to plain DNS for the first question that such a server refuses, but not for those asked beside it */
	if (fault == FAULT_DNS_ERROR && status == ARES_SUCCESS && q->answer.rcode == DNS_RCODE_FORM && !q->answer.has_opt && !q->plain) {
		ch->plain = true;
		question_send(ch->upstream, q, channel_pick(ch->upstream, true));
		return;
	}
	q->fn(q, fault);
}

static void
question_send(struct upstream *u, struct question *q, struct channel *ch)
{
	unsigned char *packet;
	uint16_t       id;
	int            n, status;

	q->plain = ch->plain;
	if (!id_draw(u, &id)) {
		q->fn(q, FAULT_DNS_ERROR);
		return;
	}
	status = ares_create_query(q->name, ns_c_in, (int)q->type, id, 1, &packet, &n, ch->plain ? 0 : EDNS_BYTES);
	if (status != ARES_SUCCESS) {
		q->fn(q, status_fault(status));
		return;
	}
	q->channel = ch;
	ch->sent++;
	ch->pending++;
	if (u->pending++ == 0)
		timer_set(u->loop, &u->tick, u->try_ms / 4 < 200 ? u->try_ms / 4 : 200);
	ares_send(ch->ares, packet, n, on_answer, q);
	ares_free_string(packet);
}

void
question_ask(struct upstream *u, struct question *q)
{
	q->answer = (struct dns_answer){.ttl = DNS_NO_TTL, .negative_ttl = DNS_NO_TTL};
	question_send(u, q, channel_pick(u, false));
}
