/* SPDX-License-Identifier: MIT */
#include "net/resolve_channel.h"

#include <ares.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define HEADER       12u
#define EDNS_BYTES   1232 /* fits an unfragmented IPv6 packet everywhere: DNS flag day 2020 */
#define PACKET_MOST  4096u /* c-ares reads one byte more of a datagram: what fills that was cut off */
#define PACKETS_MOST 64u   /* datagrams read at one go */
#define RENEW_AFTER  400u /* questions; then another channel, with another source port */
#define CHANNELS_MAX 16u
#define STREAMS_MAX  64u
#define TRY_LEAST_MS 100u
#define TICK_MOST_MS 200u
#define AGAIN_MOST   5u  /* ticks: a name server that is started anew is back within a second */
#define EDNS_TIRED   8u  /* refusals of EDNS without an answer in between: then questions go without it */
#define EDNS_PROBE   64u /* but each of so many */
#define IDS          64u

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

TAILQ_HEAD(channel_list, channel);

struct channels {
	struct channel_list list;
	unsigned            n;
};

struct channel {
	TAILQ_ENTRY(channel) link;
	struct channels *among;
	struct upstream *upstream;
	ares_channel     ares;
	unsigned         sent; /* since it became the current one */
	unsigned         pending;
	const uint8_t   *packet; /* the datagram that c-ares is looking at, whole: it hands on at most 512 bytes, or says only that there was a refusal */
	size_t           packet_n;
	unsigned         packets_left;
	bool             is_down; /* a call on a socket failed, and nothing came since */
	LIST_HEAD(, dns_socket) sockets;
};

struct upstream {
	unsigned           refs;
	struct loop       *loop;
	struct resolv_conf conf;
	unsigned           try_ms; /* of the first try at one server; c-ares doubles it in each round */
	struct channel    *current;
	struct channels    shared;  /* by UDP, unless resolv.conf wants TCP */
	struct channels    streams; /* by TCP, each for one question; the longest in use first */
	TAILQ_HEAD(question_list, question) again; /* to be asked again with the next tick */
	unsigned     pending;
	unsigned     edns_refused, plain_asked;
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

	ch->packets_left = PACKETS_MOST;
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
		loop_bury(ch->upstream->loop, &s->grave);
	}
	return close(fd);
}

/* c-ares forgets the zone of a link-local server. */
static int
on_connect(ares_socket_t fd, const struct sockaddr *sa, ares_socklen_t n, void *arg)
{
	struct channel           *ch = arg;
	const struct resolv_conf *c = &ch->upstream->conf;
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

static ares_ssize_t
on_send(ares_socket_t fd, const struct iovec *v, int n, void *arg)
{
	struct msghdr            m = {.msg_iov = (struct iovec *)v, .msg_iovlen = (size_t)n};
	struct channel          *ch = arg;
	const struct dns_socket *s;
	ares_ssize_t             k = sendmsg(fd, &m, MSG_NOSIGNAL);

	if (k >= 0)
		return k;
	/* a datagram for which there is no room is as good as lost on the way: c-ares would give up on its question at once */
	if ((errno == EAGAIN || errno == ENOBUFS) && (s = socket_find(ch, fd)) && s->is_udp)
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

/* An error on one socket of c-ares costs all questions under way with that server one of their tries, those by UDP too, and a question that TCP
 * fails causes several: so c-ares never goes from UDP to TCP by itself (IGNTC), and streams are channels of their own. Nor is it told of EDNS, which
 * one answer would make it forget for all. */
static struct channel *
channel_new(struct upstream *u, struct channels *among)
{
	const struct resolv_conf *c = &u->conf;
	struct channel           *ch = calloc(1, sizeof *ch);
	char                      lookups[] = "b";
	/* all that c-ares would seek in resolv.conf, nsswitch.conf and the host's name, so that it seeks nowhere */
	struct ares_options o = {
	    .flags = ARES_FLAG_IGNTC | ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | (c->use_vc || among == &u->streams ? ARES_FLAG_USEVC : 0),
	    .timeout = (int)u->try_ms,
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
	ch->upstream = u;
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

static void
channel_free(struct channel *ch)
{
	TAILQ_REMOVE(&ch->among->list, ch, link);
	ch->among->n--;
	ares_destroy(ch->ares);
	free(ch);
}

static void
channels_free(struct channels *c)
{
	struct channel *ch;

	while ((ch = TAILQ_FIRST(&c->list)))
		channel_free(ch);
}

/* The channel for the next question. One that has asked often enough rests until its last answer is in: c-ares then closes its
 * sockets, and the next one that it opens gets another port. */
static struct channel *
channel_pick(struct upstream *u)
{
	struct channel *ch, *best = NULL;

	if (u->current->sent < RENEW_AFTER)
		return u->current;
	TAILQ_FOREACH(ch, &u->shared.list, link)
		if (!best || ch->pending < best->pending)
			best = ch;
	if (best->pending && u->shared.n < CHANNELS_MAX && (ch = channel_new(u, &u->shared)))
		best = ch;
	best->sent = 0;
	return u->current = best;
}

/* A channel that asks nothing else. When all are busy, the question that has waited longest gives way: a server that leaves TCP hanging for some
 * names does not keep others from being asked. Null: out of memory. */
static struct channel *
stream_pick(struct upstream *u)
{
	struct channel *ch;

	TAILQ_FOREACH(ch, &u->streams.list, link)
	if (!ch->pending)
		break;
	if (!ch && u->streams.n < STREAMS_MAX)
		ch = channel_new(u, &u->streams);
	if (!ch && (ch = TAILQ_FIRST(&u->streams.list)))
		ares_cancel(ch->ares);
	if (ch) {
		TAILQ_REMOVE(&u->streams.list, ch, link);
		TAILQ_INSERT_TAIL(&u->streams.list, ch, link);
	}
	return ch;
}

/* --- upstream --- */

static void question_send(struct upstream *u, struct question *q);

static void
tick_set(struct upstream *u)
{
	timer_set(u->loop, &u->tick, u->try_ms / 4 < TICK_MOST_MS ? u->try_ms / 4 : TICK_MOST_MS);
}

static void
pending_add(struct upstream *u)
{
	if (u->pending++ == 0)
		tick_set(u);
}

/* Let c-ares see its timeouts, and watch what could not be watched. */
static void
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

/* Those that rest: a stream is needed seldom, and has tables of 70 KiB. */
static void
streams_tidy(struct upstream *u)
{
	struct channel *ch, *next;

	for (ch = TAILQ_FIRST(&u->streams.list); ch; ch = next) {
		next = TAILQ_NEXT(ch, link);
		if (!ch->pending)
			channel_free(ch);
	}
}

static void
again_ask(struct upstream *u)
{
	struct question *q, *last = TAILQ_LAST(&u->again, question_list);

	while ((q = TAILQ_FIRST(&u->again))) {
		TAILQ_REMOVE(&u->again, q, link);
		u->pending--;
		question_send(u, q);
		if (q == last)
			break;
	}
}

static void
on_tick(void *arg)
{
	struct upstream *u = arg;

	channels_tick(&u->shared);
	channels_tick(&u->streams);
	streams_tidy(u);
	again_ask(u);
	if (u->pending)
		tick_set(u);
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
	TAILQ_INIT(&u->shared.list);
	TAILQ_INIT(&u->streams.list);
	TAILQ_INIT(&u->again);
	timer_init(&u->tick, on_tick, u);
	/* every server gets its tries before the whole look-up is over: a silent first one must not eat all the time */
	share = timeout_ms / (c->n_servers * ((1u << c->attempts) - 1));
	u->try_ms = c->timeout_s * 1000;
	if (share < u->try_ms)
		u->try_ms = share < TRY_LEAST_MS ? TRY_LEAST_MS : (unsigned)share;
	u->current = channel_new(u, &u->shared);
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
	if (!u || --u->refs)
		return;
	timer_clear(&u->tick);
	channels_free(&u->shared);
	channels_free(&u->streams);
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

/* What the datagram that c-ares is looking at says, when it answers q; DNS_RCODE_OK: nothing. c-ares keeps some refusals to itself. */
static unsigned
packet_rcode(const struct question *q)
{
	const uint8_t *p = q->channel->packet;

	return p && (p[0] << 8 | p[1]) == q->id ? p[3] & 0x0fu : DNS_RCODE_OK;
}

/* Why c-ares has no answer. */
static enum fault
status_fault(const struct question *q, int status)
{
	switch (status) {
	case ARES_ETIMEOUT:
	case ARES_ECANCELLED: /* its stream went to a younger one */
		return FAULT_DNS_TIMEOUT;
	case ARES_ENOMEM:
		return FAULT_NO_MEMORY;
	case ARES_ENOTFOUND: /* .onion, which must not be asked for: RFC 7686 */
	case ARES_EBADNAME:
		return FAULT_DNS_NXDOMAIN;
	case ARES_ECONNREFUSED: /* each try failed, the last one now */
		if (packet_rcode(q) != DNS_RCODE_OK)
			return packet_rcode(q) == DNS_RCODE_REFUSED ? FAULT_DNS_REFUSED : FAULT_DNS_ERROR;
		return q->channel->is_down ? FAULT_DNS_UNREACHABLE : FAULT_DNS_ERROR;
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
	case DNS_RCODE_REFUSED:
		return FAULT_DNS_REFUSED;
	default:
		return FAULT_DNS_ERROR;
	}
}

/* Does a server that says this not know EDNS? Such a one is asked again without, and remembered only when there are many and nothing else: what it
 * says of one name must not make the answers about others short. */
static bool
edns_is_refused(struct question *q, int status)
{
	struct upstream *u = q->channel->upstream;
	bool             is_form = status == ARES_SUCCESS && q->answer.rcode == DNS_RCODE_FORM && !q->answer.has_opt;

	if (q->plain)
		return false;
	if (is_form || (status == ARES_ECONNREFUSED && packet_rcode(q) == DNS_RCODE_NOT_IMPLEMENTED)) {
		u->edns_refused += u->edns_refused < EDNS_TIRED;
		return true;
	}
	if (status == ARES_SUCCESS)
		u->edns_refused = 0;
	return false;
}

/* Ask q again when that may help. False: `fault` is what came of it. */
static bool
question_repeat(struct upstream *u, struct question *q, int status, bool is_cut, enum fault fault)
{
	if (edns_is_refused(q, status)) {
		q->plain = true;
		question_send(u, q);
		return true;
	}
	if (is_cut) {
		q->by_stream = true;
		q->at_hand = fault == FAULT_NONE && q->answer.n == 0 ? FAULT_DNS_ERROR : fault;
		question_send(u, q);
		return true;
	}
	/* nobody listens there: is it being started anew? And an error that another question brought upon this one is over by then. */
	if (fault == FAULT_DNS_UNREACHABLE && !q->by_stream && q->again < AGAIN_MOST) {
		q->again++;
		TAILQ_INSERT_TAIL(&u->again, q, link);
		pending_add(u);
		return true;
	}
	return false;
}

static void
on_answer(void *arg, int status, int timeouts, unsigned char *p, int len)
{
	struct question *q = arg;
	struct channel  *ch;
	size_t           n = (size_t)len;
	bool             is_cut = false;
	enum fault       fault;

	(void)timeouts;
	if (status == ARES_EDESTRUCTION)
		return; /* the owner may be gone */
	ch = q->channel;
	ch->pending--;
	ch->upstream->pending--;
	if (status == ARES_SUCCESS && p == ch->packet) {
		n = ch->packet_n;
		is_cut = (p[2] & 0x02) || n > PACKET_MOST;
	}
	fault = status == ARES_SUCCESS ? answer_fault(q, p, n) : status_fault(q, status);
	if (question_repeat(ch->upstream, q, status, is_cut, fault))
		return;
	/* what came by UDP is better than nothing, where TCP is not let through */
	if (q->by_stream && status != ARES_SUCCESS && q->at_hand != FAULT_DNS_ERROR)
		fault = q->at_hand;
	q->fn(q, fault);
}

static void
question_fail(struct question *q, enum fault fault)
{
	q->fn(q, q->by_stream && q->at_hand != FAULT_DNS_ERROR ? q->at_hand : fault);
}

static void
question_send(struct upstream *u, struct question *q)
{
	struct channel *ch = q->by_stream ? stream_pick(u) : channel_pick(u);
	unsigned char  *packet;
	int             n, status;

	if (!ch || !id_draw(u, &q->id)) {
		question_fail(q, ch ? FAULT_DNS_ERROR : FAULT_NO_MEMORY);
		return;
	}
	q->channel = ch;
	status = ares_create_query(q->name, ns_c_in, (int)q->type, q->id, 1, &packet, &n, q->plain ? 0 : EDNS_BYTES);
	if (status != ARES_SUCCESS) {
		question_fail(q, status_fault(q, status));
		return;
	}
	ch->sent++;
	ch->pending++;
	pending_add(u);
	ares_send(ch->ares, packet, n, on_answer, q);
	ares_free_string(packet);
}

void
question_ask(struct upstream *u, struct question *q)
{
	q->answer = (struct dns_answer){.ttl = DNS_NO_TTL, .negative_ttl = DNS_NO_TTL};
	q->plain = u->edns_refused >= EDNS_TIRED && ++u->plain_asked % EDNS_PROBE;
	q->by_stream = false;
	q->again = 0;
	question_send(u, q);
}
