/* SPDX-License-Identifier: MIT */
#include "net/resolve_channel.h"

#include <arpa/nameser.h>
#include <stdlib.h>
#include <sys/random.h>

#include "net/resolve_ares.h"

#define EDNS_BYTES   1232 /* fits an unfragmented IPv6 packet everywhere: DNS flag day 2020 */
#define RENEW_AFTER  400u /* questions; then another channel, with another source port */
#define CHANNELS_MAX 16u
#define STREAMS_MAX  64u
#define TRY_LEAST_MS 100u
#define TICK_MOST_MS 200u
#define AGAIN_MOST   5u  /* ticks: a name server that is started anew is back within a second */
#define EDNS_TIRED   8u  /* refusals of EDNS without an answer in between: then questions go without it */
#define EDNS_PROBE   64u /* but each of so many */
#define IDS          64u

struct upstream {
	unsigned           refs;
	struct channel_env env;
	struct channel    *current;
	struct channels    shared;  /* by UDP, unless resolv.conf wants TCP */
	struct channels    streams; /* by TCP, each for one question; the longest in use first */
	TAILQ_HEAD(question_list, question) again; /* to be asked again with the next tick */
	unsigned     pending;
	unsigned     edns_refused, plain_asked;
	struct timer tick; /* lets c-ares see its timeouts; armed while questions are pending */
	uint16_t     ids[IDS];
	unsigned     ids_left;
};

/* --- channels --- */

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
	if (best->pending && u->shared.n < CHANNELS_MAX && (ch = channel_new(&u->env, &u->shared, false)))
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
		ch = channel_new(&u->env, &u->streams, true);
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
	timer_set(u->env.loop, &u->tick, u->env.try_ms / 4 < TICK_MOST_MS ? u->env.try_ms / 4 : TICK_MOST_MS);
}

static void
pending_add(struct upstream *u)
{
	if (u->pending++ == 0)
		tick_set(u);
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
	u->env.settle(u->env.arg);
}

struct upstream *
upstream_new(struct loop *l, const struct resolv_conf *c, uint64_t timeout_ms, void (*settle)(void *arg), void *arg)
{
	struct upstream *u = calloc(1, sizeof *u);
	uint64_t         share;

	if (!u)
		return NULL;
	u->refs = 1;
	u->env.loop = l;
	u->env.conf = *c;
	for (unsigned i = 0; i < c->n_search; i++)
		u->env.conf.search[i].p = u->env.conf.text + (c->search[i].p - c->text);
	u->env.settle = settle;
	u->env.arg = arg;
	TAILQ_INIT(&u->shared.list);
	TAILQ_INIT(&u->streams.list);
	TAILQ_INIT(&u->again);
	timer_init(&u->tick, on_tick, u);
	/* every server gets its tries before the whole look-up is over: a silent first one must not eat all the time */
	share = timeout_ms / (c->n_servers * ((1u << c->attempts) - 1));
	u->env.try_ms = c->timeout_s * 1000;
	if (share < u->env.try_ms)
		u->env.try_ms = share < TRY_LEAST_MS ? TRY_LEAST_MS : (unsigned)share;
	u->current = channel_new(&u->env, &u->shared, false);
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
	return &u->env.conf;
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
		if (channel_rcode(q->channel, q->id) != DNS_RCODE_OK)
			return channel_rcode(q->channel, q->id) == DNS_RCODE_REFUSED ? FAULT_DNS_REFUSED : FAULT_DNS_ERROR;
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
	struct upstream *u = q->upstream;
	bool             is_form = status == ARES_SUCCESS && q->answer.rcode == DNS_RCODE_FORM && !q->answer.has_opt;

	if (q->plain)
		return false;
	if (is_form || (status == ARES_ECONNREFUSED && channel_rcode(q->channel, q->id) == DNS_RCODE_NOT_IMPLEMENTED)) {
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
		q->at_hand = fault;
		question_send(u, q);
		return true;
	}
	/* nobody listens there: is it being started anew? And an error that another question brought upon this one is over by then; where all share a
	 * connection, it is brought upon none a second time. */
	if (fault == FAULT_DNS_UNREACHABLE && !q->by_stream && q->again < AGAIN_MOST) {
		q->again++;
		q->by_stream = u->env.conf.use_vc;
		q->at_hand = fault;
		TAILQ_INSERT_TAIL(&u->again, q, link);
		pending_add(u);
		return true;
	}
	return false;
}

/* There is no answer. What came by UDP is better than nothing, where TCP is not let through. */
static void
question_fail(struct question *q, enum fault fault)
{
	bool is_of_use = q->at_hand == FAULT_DNS_NXDOMAIN || (q->at_hand == FAULT_NONE && q->answer.n > 0);

	q->fn(q, q->by_stream && is_of_use ? q->at_hand : fault);
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
	q->upstream->pending--;
	if (status == ARES_SUCCESS && p == ch->packet) {
		n = ch->packet_n;
		is_cut = (p[2] & 0x02) || n > PACKET_MOST;
	}
	fault = status == ARES_SUCCESS ? answer_fault(q, p, n) : status_fault(q, status);
	if (question_repeat(q->upstream, q, status, is_cut, fault))
		return;
	if (status == ARES_SUCCESS)
		q->fn(q, fault);
	else
		question_fail(q, fault);
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
	q->upstream = u;
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
