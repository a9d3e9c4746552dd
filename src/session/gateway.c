/* SPDX-License-Identifier: MIT */
#include "session/gateway.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "auth/basic_cache.h"
#include "base/clock.h"
#include "base/log.h"
#include "net/sock.h"
#include "session/count.h"
#include "session/greet.h"
#include "session/health.h"
#include "session/list.h"
#include "session/page.h"
#include "session/session.h"
#include "session/unserved.h"
#include "tls/aia.h"
#include "tls/leaf.h"
#include "tls/origin_memory.h"
#include "tls/server.h"

#define ACCEPTS         32u /* of one listener in one turn */
#define PAUSE_MS        100u
#define REFUSALS_TOLD   100u /* lines in one second of those who never got to ask: a flood must not drown the log */
#define VERIFIED_MOST   10000u /* origins remembered */
#define COMPOSE_EXTRA   (256u << 10) /* room beside the largest head: a page, or the fields that we add */

static void on_accept(void *arg, unsigned what);
static void on_resume(void *arg);
static void on_end_of_turn(void *arg);

bool
gateway_init(struct gateway *gw, struct loop *loop, uint32_t worker)
{
	*gw = (struct gateway){.loop = loop, .worker = worker, .wake_fd = -1};
	TAILQ_INIT(&gw->sessions);
	for (unsigned i = 0; i < LISTENER_SLOTS; i++)
		gw->slot[i] = (struct slot){.gw = gw, .fd = -1};
	timer_init(&gw->resume, on_resume, gw);
	origin_pool_init(&gw->origins, gw);
	if (getrandom(&gw->next_id, sizeof gw->next_id, 0) != sizeof gw->next_id)
		gw->next_id = (uint64_t)getpid() << 40;
	gw->next_id |= 1; /* 0 means none */
	throttle_init(gw);
	queue_init(gw);
	gw->end_of_turn = (struct loop_hook){.fn = on_end_of_turn, .arg = gw};
	gw->basic = basic_cache_new(); /* without it each password is asked about */
	loop_hook_add(loop, &gw->end_of_turn);
	return true;
}

static void
slot_close(struct gateway *gw, uint32_t n)
{
	struct slot *slot = &gw->slot[n];

	if (slot->fd < 0)
		return;
	watch_clear(&slot->watch);
	close(slot->fd); /* the parent's copy lives on: nothing queued is lost */
	slot->fd = -1;
}

void
gateway_clear(struct gateway *gw)
{
	struct session *s;

	while ((s = TAILQ_FIRST(&gw->sessions)))
		session_finish(s, FAULT_DRAINED);
	for (unsigned i = 0; i < LISTENER_SLOTS; i++)
		slot_close(gw, i);
	session_list_free(gw->list);
	timer_clear(&gw->resume);
	health_free(gw->health);
	queue_clear(gw);
	throttle_clear(gw);
	origin_pool_clear(&gw->origins);
	aia_free(gw->aia);
	resolver_free(gw->resolver);
	lane_pool_clear(&gw->lanes);
	buf_pool_clear(&gw->bufs);
	basic_cache_free(gw->basic);
	origin_memory_free(gw->verified);
	unserved_free(gw->unserved);
	for (unsigned i = 0; i < LISTENER_SLOTS; i++)
		tls_server_unref(gw->server[i]);
	tls_context_unref(gw->tls);
	explicit_bzero(gw->ticket, sizeof gw->ticket);
	snapshot_unref(gw->snap);
	free(gw->compose);
}

static struct resolver_config
resolver_config_of(const struct snapshot *s)
{
	return (struct resolver_config){
		.servers = snapshot_at(s, s->set->resolvers.off),
		.n_servers = s->set->resolvers.n,
		.resolv_conf = snapshot_text(s, s->set->resolv_conf),
		.hosts = snapshot_text(s, s->set->hosts),
		.timeout_ms = s->set->dns_timeout_ms,
		.cache_names = s->set->dns_cache,
	};
}

/* The buffers that all sessions share grow with the limits; they never shrink while someone may use them. */
static bool
fit_buffers(struct gateway *gw, const struct settings *set)
{
	size_t compose = set->max_head + COMPOSE_EXTRA;

	if (compose > gw->compose_size) {
		char *p = realloc(gw->compose, compose);
		if (!p)
			return false;
		gw->compose = p;
		gw->compose_size = compose;
	}
	return lane_pool_fit(&gw->lanes, set->tunnel_buffer, set->conduits);
}

/* What inspection needs of this snapshot; *next stays null where nothing is inspected. False: could not be had. */
static bool
fit_inspection(struct gateway *gw, const struct snapshot *s, struct tls_context **next)
{
	*next = NULL;
	if (!s->set->inspection.present)
		return true;
	if (!gw->verified)
		gw->verified = origin_memory_new(VERIFIED_MOST);
	if (!gw->aia)
		gw->aia = aia_new(gw->loop);
	if (!gw->verified || !gw->aia || !(*next = tls_context_new(s)))
		return false;
	if (gw->n_tickets)
		tls_context_set_tickets(*next, gw->ticket, gw->n_tickets);
	return true;
}

void
gateway_on_tickets(void *arg, const uint8_t key[][TICKET_KEY_SIZE], unsigned n)
{
	struct gateway *gw = arg;

	gw->n_tickets = n < TICKET_KEYS ? n : TICKET_KEYS;
	memcpy(gw->ticket, key, gw->n_tickets * sizeof gw->ticket[0]);
	if (gw->tls)
		tls_context_set_tickets(gw->tls, gw->ticket, gw->n_tickets);
	for (unsigned i = 0; i < LISTENER_SLOTS; i++)
		if (gw->server[i])
			tls_server_set_tickets(gw->server[i], gw->ticket, gw->n_tickets);
}

void
gateway_use_servers(struct gateway *gw, struct tls_server *server[LISTENER_SLOTS])
{
	for (unsigned i = 0; i < LISTENER_SLOTS; i++) {
		tls_server_unref(gw->server[i]);
		gw->server[i] = server[i];
		server[i] = NULL;
		if (gw->server[i] && gw->n_tickets)
			tls_server_set_tickets(gw->server[i], gw->ticket, gw->n_tickets);
	}
}

static bool
fit_resolver(struct gateway *gw, const struct resolver_config *c)
{
	if (gw->resolver)
		return resolver_reconfigure(gw->resolver, c);
	gw->resolver = resolver_new(gw->loop, c);
	return gw->resolver != NULL;
}

/* Their names, as every worker writes them, and the looks at them. */
static void
fit_parents(struct gateway *gw, const struct snapshot *s)
{
	const struct snapshot_parent *v = snapshot_at(s, s->set->parents.off);

	for (uint32_t i = 0; i < s->set->parents.n; i++)
		if (v[i].slot < PARENT_SLOTS)
			parents_name(&gw->shared->parents, v[i].slot, snapshot_text(s, v[i].name));
	if (s->set->parents.n && !gw->health)
		gw->health = health_new(gw);
	if (gw->health)
		health_begin(gw->health);
}

bool
gateway_use(struct gateway *gw, struct snapshot *s)
{
	struct resolver_config c = resolver_config_of(s);
	struct tls_context    *tls;

	/* the first configuration is used without it: bypass and tunnel must not wait for what only inspection lacks */
	if (!fit_inspection(gw, s, &tls) && gw->snap)
		return false;
	if (!throttle_prepare(gw, s) || !fit_buffers(gw, s->set) || !fit_resolver(gw, &c)) {
		tls_context_unref(tls);
		return false;
	}
	tls_context_unref(gw->tls);
	gw->tls = tls;
	if (gw->leaves)
		leaf_desk_fit(gw->leaves, s->set->inspection.leaf_cache);
	throttle_use(gw, s);
	snapshot_unref(gw->snap);
	gw->snap = s;
	fit_parents(gw, s);
	return true;
}

/* Out of descriptors: stop accepting for a moment rather than spin. */
static void
pause_accepting(struct gateway *gw)
{
	if (gw->paused)
		return;
	gw->paused = true;
	gw->count->accept_pauses++;
	for (unsigned i = 0; i < LISTENER_SLOTS; i++)
		watch_clear(&gw->slot[i].watch);
	timer_set(gw->loop, &gw->resume, PAUSE_MS);
}

void
gateway_listen(struct gateway *gw, uint32_t n, int fd, uint16_t index)
{
	struct slot *slot = &gw->slot[n];

	slot_close(gw, n);
	slot->fd = fd;
	slot->index = index;
	if (!gw->paused && !gw->draining && !watch_init_shared(&slot->watch, gw->loop, fd, on_accept, slot))
		pause_accepting(gw); /* and tried again, with the others */
}

void
gateway_remove(struct gateway *gw, uint32_t n)
{
	struct session *s;

	if (gw->slot[n].fd < 0)
		return;
	slot_close(gw, n);
	/* another listener may get this slot, or this index */
	TAILQ_FOREACH(s, &gw->sessions, link)
	if (s->slot == n)
		s->slot = SLOT_NONE;
}

static void
on_resume(void *arg)
{
	struct gateway *gw = arg;

	if (gw->draining)
		return;
	if (gw->n_sessions - gw->n_streams >= gw->snap->set->max_connections) {
		timer_set(gw->loop, &gw->resume, PAUSE_MS);
		return;
	}
	gw->paused = false;
	for (unsigned i = 0; i < LISTENER_SLOTS; i++) {
		struct slot *slot = &gw->slot[i];
		if (slot->fd >= 0 && !watch_init_shared(&slot->watch, gw->loop, slot->fd, on_accept, slot)) {
			pause_accepting(gw);
			return;
		}
	}
}

/* Nothing was asked, so nothing is rendered: a line of text, for who speaks plain HTTP. Bytes. */
static size_t
refuse(struct gateway *gw, const struct snapshot_listener *l, int fd, enum fault fault)
{
	const struct fault_row *row = fault_row(fault);
	char                    text[2048];
	int                     n;

	if (!l || l->tls || l->mode != LISTENER_EXPLICIT)
		return 0;
	n = snprintf(text, sizeof text,
	    "HTTP/1.1 %u %s\r\n%.*sContent-Type: text/plain\r\nContent-Length: %zu\r\nProxy-Status: %.*s; error=%s; details=\"%s\"\r\n"
	    "Connection: close\r\n\r\n%s\n",
	    row->status, status_phrase(row->status), SPAN_ARG(gateway_date(gw)), strlen(row->sentence) + 1,
	    SPAN_ARG(snapshot_text(gw->snap, gw->snap->set->proxy_status)), row->token, row->word, row->sentence);
	sock_write(fd, span_of(text, (size_t)n));
	return (size_t)n;
}

void
gateway_turn_away(struct gateway *gw, uint16_t slot, int fd, const struct endpoint *peer, enum fault fault)
{
	uint64_t second = loop_now_us(gw->loop) / 1000000;
	size_t   n;

	if (fault == FAULT_NONE)
		return;
	n = refuse(gw, gateway_listener_row(gw, slot), fd, fault);
	if (gw->refused_s != second)
		gw->refused_n = 0;
	gw->refused_s = second;
	if (gw->refused_n++ < REFUSALS_TOLD)
		record_refusal(gw, slot, peer, fault, n);
}

const struct snapshot_listener *
gateway_listener_row(const struct gateway *gw, uint16_t slot)
{
	const struct settings *set = gw->snap->set;
	uint16_t               index = gateway_listener(gw, slot);

	return index < set->listeners.n ? (const struct snapshot_listener *)snapshot_at(gw->snap, set->listeners.off) + index : NULL;
}

bool
gateway_admits(struct gateway *gw, uint16_t slot, const struct addr *client, enum fault *fault)
{
	const struct settings          *set = gw->snap->set;
	const struct snapshot_listener *l = gateway_listener_row(gw, slot);

	*fault = FAULT_NONE;
	if (!l || !addr_set_has(addr_set_at(gw->snap->block, l->clients), client)) {
		gw->count->refused_unread++;
		count_of_listener(gw, count_listener(gw, slot))->refused++;
		return false;
	}
	if (set->max_connections_per_client && tally_count(gw->shared, client) >= set->max_connections_per_client) {
		gw->count->refused_limit++;
		count_of_listener(gw, count_listener(gw, slot))->refused++;
		*fault = FAULT_CLIENT_LIMIT;
		return false;
	}
	return true;
}

/* Who may not come is closed before a byte is read; who has too many connections hears why. Whom a balancer brings tells its header (greet.c). */
static bool
may_come(struct gateway *gw, const struct slot *slot, int fd, const struct endpoint *peer, bool *greets)
{
	const struct snapshot_listener *l = gateway_listener_row(gw, (uint16_t)(slot - gw->slot));
	enum fault                      fault;

	*greets = l && l->greets;
	if ((*greets && greet_is_balancer(gw, l, &peer->addr)) || gateway_admits(gw, (uint16_t)(slot - gw->slot), &peer->addr, &fault))
		return true;
	gateway_turn_away(gw, (uint16_t)(slot - gw->slot), fd, peer, fault);
	sock_close(fd);
	return false;
}

static void
on_accept(void *arg, unsigned what)
{
	static struct log_limit limit;
	struct slot            *slot = arg;
	struct gateway         *gw = slot->gw;

	(void)what;
	for (unsigned i = 0; i < ACCEPTS; i++) {
		struct endpoint peer;
		int             fd;
		bool            greets;

		if (gw->n_sessions - gw->n_streams >= gw->snap->set->max_connections) {
			log_write_limited(&limit, LOG_LEVEL_WARN, "max-connections (%u) reached: new clients wait", gw->snap->set->max_connections);
			pause_accepting(gw);
			return;
		}
		fd = sock_accept(slot->fd, &peer);
		if (fd < 0) {
			if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
				log_write_limited(&limit, LOG_LEVEL_WARN, "cannot accept: out of descriptors or memory: new clients wait");
				pause_accepting(gw);
			}
			return;
		}
		if (may_come(gw, slot, fd, &peer, &greets))
			session_accept(gw, slot, fd, &peer, greets);
	}
}

struct span
gateway_date(struct gateway *gw)
{
	uint64_t  now_s = clock_real_us() / 1000000;
	time_t    t = (time_t)now_s;
	struct tm tm;

	if (now_s != gw->date_s && gmtime_r(&t, &tm)) {
		strftime(gw->date, sizeof gw->date, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &tm);
		gw->date_s = now_s;
	}
	return span_str(gw->date);
}

static void
drained(struct gateway *gw)
{
	if (gw->draining && gw->n_sessions == 0 && gw->on_drained)
		gw->on_drained(gw->arg);
}

void
gateway_forget(struct gateway *gw, struct session *s)
{
	session_list_forget(gw->list, s);
	TAILQ_REMOVE(&gw->sessions, s, link);
	gw->n_sessions--;
	drained(gw);
}

static void
on_drain_deadline(void *arg)
{
	struct gateway *gw = arg;
	struct session *s;

	while ((s = TAILQ_FIRST(&gw->sessions)))
		session_finish(s, FAULT_DRAINED);
}

/* The request that is under way in it, its tunnel, or the CONNECT of an inspected one. */
static bool
session_has_id(const struct session *s, uint64_t id)
{
	const struct memo   *memo[2] = {s->memo, s->connect};
	const struct record *rec;
	struct span          text[RT_COUNT];

	for (unsigned i = 0; i < 2; i++) {
		if (!memo[i])
			continue;
		memo_look(memo[i], &rec, text);
		if (rec->id == id)
			return true;
	}
	return s->req && s->req->id == id;
}

bool
gateway_end(struct gateway *gw, uint64_t id)
{
	struct session *s;

	TAILQ_FOREACH (s, &gw->sessions, link)
		if (session_has_id(s, id)) {
			session_finish(s, FAULT_KILLED);
			return true;
		}
	return false;
}

void
gateway_drain(struct gateway *gw, uint64_t within_ms, bool gentle)
{
	struct session *s, *next;

	gw->draining = true;
	for (unsigned i = 0; i < LISTENER_SLOTS; i++)
		slot_close(gw, i);
	origin_pool_rest(&gw->origins);
	timer_clear(&gw->resume);
	timer_init(&gw->resume, on_drain_deadline, gw);
	timer_set(gw->loop, &gw->resume, within_ms);
	drained(gw); /* when nobody is here; else the last one to leave tells */
	for (s = TAILQ_FIRST(&gw->sessions); s; s = next) {
		next = TAILQ_NEXT(s, link);
		session_drain(s, gentle);
	}
}

/* The logger sleeps when nothing comes; one wake-up for all lines of a turn. */
static void
on_end_of_turn(void *arg)
{
	struct gateway *gw = arg;
	uint64_t        one = 1;

	if (!gw->ring)
		return;
	gw->count->ring_written = ring_written(gw->ring);
	if (ring_wants_wake(gw->ring) && write(gw->wake_fd, &one, sizeof one) < 0)
		return; /* it is awake already, or gone; the ring keeps the lines */
}
