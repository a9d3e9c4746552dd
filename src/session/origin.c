/* SPDX-License-Identifier: MIT */
#include "session/origin.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "h2/rear.h"
#include "net/sock.h"
#include "session/gateway.h"
#include "session/session.h"
#include "tls/end.h"

#define SWEEP_MS 1000u

struct pooled {
	TAILQ_ENTRY(pooled) in_bucket, in_age;
	struct origin *origin;
	uint64_t       generation, since_us;
	uint16_t       bucket;
	bool           listed; /* false while its origin is in use */
	uint8_t        n;
	char           host[];
};

static void on_sweep(void *arg);

void
origin_pool_init(struct origin_pool *p, struct gateway *gw)
{
	for (unsigned i = 0; i < ORIGIN_BUCKETS; i++)
		TAILQ_INIT(&p->bucket[i]);
	TAILQ_INIT(&p->by_age);
	timer_init(&p->sweep, on_sweep, gw);
	if (getrandom(&p->key, sizeof p->key, 0) != sizeof p->key)
		p->key = (uintptr_t)p;
}

void
origin_pool_clear(struct origin_pool *p)
{
	struct pooled *e;

	timer_clear(&p->sweep);
	while ((e = TAILQ_FIRST(&p->by_age)))
		origin_free(e->origin);
}

/* Is it of use to nobody at the moment? */
static bool
is_idle(const struct origin *o)
{
	return !o->rear || rear_streams(o->rear) == 0;
}

void
origin_pool_rest(struct origin_pool *p)
{
	struct pooled *e, *next;

	for (e = TAILQ_FIRST(&p->by_age); e; e = next) {
		next = TAILQ_NEXT(e, in_age);
		if (is_idle(e->origin))
			origin_free(e->origin);
	}
}

static void
unlist(struct origin_pool *p, struct pooled *e)
{
	if (!e->listed)
		return;
	TAILQ_REMOVE(&p->bucket[e->bucket], e, in_bucket);
	TAILQ_REMOVE(&p->by_age, e, in_age);
	e->listed = false;
	p->n--;
}

bool
origin_is_quiet(struct origin *o)
{
	char byte;

	if (o->side.closed)
		return false;
	if (!o->side.readable)
		return true;
	return side_read(&o->side, &byte, 1) < 0 && errno == EAGAIN;
}

static void
on_origin(void *arg, unsigned what)
{
	struct origin *o = arg;

	side_note(&o->side, what);
	if (o->user)
		session_on_origin(o->user, what);
	else if (o->rear)
		rear_on_event(o->rear);
	else if (!origin_is_quiet(o))
		origin_free(o); /* an idle server that speaks or leaves is of no more use */
}

struct origin *
origin_new(struct gateway *gw, struct session *user, int fd, const struct addr *addr, uint16_t port)
{
	struct origin *o = calloc(1, sizeof *o);

	if (!o || !watch_init(&o->side.watch, gw->loop, fd, WATCH_READ | WATCH_WRITE | WATCH_CLOSED, on_origin, o)) {
		free(o);
		sock_close(fd);
		return NULL;
	}
	o->gw = gw;
	o->user = user;
	o->side.fd = fd;
	o->addr = *addr;
	o->port = port;
	TAILQ_INIT(&o->branches);
	return o;
}

/* In use until now. */
static void
touch(struct origin_pool *p, struct pooled *e)
{
	e->since_us = loop_now_us(e->origin->gw->loop);
	TAILQ_REMOVE(&p->by_age, e, in_age);
	TAILQ_INSERT_TAIL(&p->by_age, e, in_age);
}

static void
dispose(struct origin *o, void (*close_side)(struct side *))
{
	struct origin *b;

	if (!o)
		return;
	while ((b = TAILQ_FIRST(&o->branches))) {
		TAILQ_REMOVE(&o->branches, b, branch_link);
		b->trunk = NULL;
		if (o->tls)
			b->late = tls_late_why(o->tls, &b->late_detail);
	}
	rear_free(o->rear);
	o->rear = NULL;
	if (o->trunk) {
		TAILQ_REMOVE(&o->trunk->branches, o, branch_link);
		touch(&o->gw->origins, o->trunk->pooled);
	}
	if (o->pooled) {
		unlist(&o->gw->origins, o->pooled);
		free(o->pooled);
	}
	close_side(&o->side);
	loop_bury(o->gw->loop, &o->grave);
}

void
origin_free(struct origin *o)
{
	dispose(o, side_close);
}

void
origin_reset(struct origin *o)
{
	dispose(o, side_reset);
}

enum fault
origin_why(const struct origin *o, ssize_t n, const char **detail)
{
	const struct origin *under = o->trunk ? o->trunk : o;
	enum fault           fault = o->late;

	*detail = o->late_detail;
	if (n == 0)
		return FAULT_ORIGIN_CLOSED;
	if (under->tls)
		fault = tls_late_why(under->tls, detail);
	return fault != FAULT_NONE ? fault : FAULT_ORIGIN_RESET;
}

bool
origin_was_asked(const struct origin *o)
{
	const struct origin *under = o->trunk ? o->trunk : o;

	return under->tls && tls_was_asked(under->tls);
}

static uint16_t
bucket_of(const struct origin_pool *p, struct span host, uint16_t port)
{
	return (uint16_t)(XXH3_64bits_withSeed(host.p, host.n, p->key ^ port) % ORIGIN_BUCKETS);
}

static bool
is_for(const struct pooled *e, struct span host, uint16_t port)
{
	return e->origin->port == port && span_eq(span_of(e->host, e->n), host);
}

/* A stream of a trunk; null: no memory. */
static struct origin *
branch_new(struct origin *trunk, struct session *user)
{
	struct origin  *o = calloc(1, sizeof *o);
	struct carrier *stream = o ? rear_stream(trunk->rear) : NULL;

	if (!stream) {
		free(o);
		return NULL;
	}
	o->gw = trunk->gw;
	o->user = user;
	o->addr = trunk->addr;
	o->port = trunk->port;
	o->way = trunk->way;
	o->ground = trunk->ground;
	o->reused = true; /* the trunk may have died in its sleep */
	o->side.fd = -1;
	TAILQ_INIT(&o->branches);
	watch_init_idle(&o->side.watch, o->gw->loop, on_origin, o);
	side_carry(&o->side, stream);
	o->trunk = trunk;
	TAILQ_INSERT_TAIL(&trunk->branches, o, branch_link);
	return o;
}

/* Newest first: it is the one most likely to live. */
static struct pooled *
find(struct origin_pool *p, const struct origin_want *w, uint64_t ground, bool unused)
{
	struct pooled *e;

	TAILQ_FOREACH(e, &p->bucket[bucket_of(p, w->host, w->port)], in_bucket)
	{
		const struct origin *o = e->origin;
		if (!is_for(e, w->host, w->port) || e->generation != w->generation || o->ground != ground || o->way != w->way)
			continue;
		if (w->min_version && o->tls && tls_version(o->tls) < w->min_version)
			continue;
		if (o->rear ? w->h2 && rear_has_room(o->rear) && (!unused || is_idle(o)) : true)
			return e;
	}
	return NULL;
}

struct origin *
origin_take(struct gateway *gw, struct session *user, const struct origin_want *want)
{
	struct origin_pool *p = &gw->origins;
	struct pooled      *e = find(p, want, want->own ? want->own : want->ground, false);

	if (!e && want->own)
		e = find(p, want, want->ground, true);
	if (!e || (is_idle(e->origin) && loop_now_us(gw->loop) - e->since_us > want->max_idle_ms * 1000))
		return NULL;
	if (want->own)
		e->origin->ground = want->own;
	if (e->origin->rear) {
		touch(p, e);
		return branch_new(e->origin, user);
	}
	unlist(p, e);
	e->origin->user = user;
	return e->origin;
}

void
origin_retire(struct origin *o)
{
	if (o->trunk)
		o->trunk->pooled->generation = 0; /* as one of before the last reload: swept when it serves nobody */
}

bool
origin_was_unserved(const struct origin *o)
{
	return o->trunk && rear_is_unserved(o->side.carrier);
}

static uint32_t
idle_for(const struct origin_pool *p, uint16_t bucket, struct span host, uint16_t port)
{
	uint32_t       n = 0;
	struct pooled *e;

	TAILQ_FOREACH(e, &p->bucket[bucket], in_bucket)
	n += is_for(e, host, port);
	return n;
}

bool
origin_label(struct origin *o, struct span host, uint64_t generation)
{
	struct pooled *e = o->pooled;

	if (host.n > UINT8_MAX || o->trunk || (!e && !(e = malloc(sizeof *e + UINT8_MAX))))
		return false;
	*e = (struct pooled){.origin = o, .generation = generation, .n = (uint8_t)host.n};
	memcpy(e->host, host.p, host.n);
	o->pooled = e;
	return true;
}

bool
origin_is_for(struct origin *o, struct span host, uint64_t generation)
{
	return o->pooled && o->pooled->generation == generation && span_eq(span_of(o->pooled->host, o->pooled->n), host) && origin_is_quiet(o);
}

static void
enlist(struct origin_pool *p, struct pooled *e, uint16_t bucket)
{
	e->since_us = loop_now_us(e->origin->gw->loop);
	e->bucket = bucket;
	e->listed = true;
	TAILQ_INSERT_HEAD(&p->bucket[bucket], e, in_bucket);
	TAILQ_INSERT_TAIL(&p->by_age, e, in_age);
	if (p->n++ == 0)
		timer_set(e->origin->gw->loop, &p->sweep, SWEEP_MS);
}

/* The oldest that serves nobody goes first; never the newest, which its caller is about to use. */
static void
shrink(struct origin_pool *p, uint32_t most)
{
	struct pooled *e;

	if (p->n <= most)
		return;
	TAILQ_FOREACH(e, &p->by_age, in_age)
	if (is_idle(e->origin) && TAILQ_NEXT(e, in_age)) {
		origin_free(e->origin);
		return;
	}
}

void
origin_give(struct origin *o, struct span host, uint64_t generation)
{
	struct gateway        *gw = o->gw;
	struct origin_pool    *p = &gw->origins;
	const struct settings *set = gw->snap->set;
	uint16_t               bucket = bucket_of(p, host, o->port);

	if (o->trunk || generation != set->generation || gw->draining || !origin_is_quiet(o) || idle_for(p, bucket, host, o->port) >= set->pool_per_host ||
	    !origin_label(o, host, generation)) {
		origin_free(o);
		return;
	}
	o->user = NULL;
	o->reused = true;
	enlist(p, o->pooled, bucket);
	shrink(p, set->pool_total);
}

static void
on_trunk_end(void *arg)
{
	origin_free(arg);
}

bool
origin_make_trunk(struct origin *o, struct span host, uint64_t generation, uint32_t max_head)
{
	struct gateway     *gw = o->gw;
	struct origin_pool *p = &gw->origins;

	if (generation != gw->snap->set->generation || gw->draining || !origin_label(o, host, generation) ||
	    !(o->rear = rear_new(gw->loop, &o->side, max_head, on_trunk_end, o))) {
		origin_free(o);
		return false;
	}
	o->user = NULL;
	enlist(p, o->pooled, bucket_of(p, host, o->port));
	shrink(p, gw->snap->set->pool_total);
	return true;
}

static void
on_sweep(void *arg)
{
	struct gateway     *gw = arg;
	struct origin_pool *p = &gw->origins;
	uint64_t            now = loop_now_us(gw->loop), most_us = gw->snap->set->keepalive_timeout_ms * 1000;
	struct pooled      *e, *next;

	for (e = TAILQ_FIRST(&p->by_age); e; e = next) {
		bool stale = e->generation != gw->snap->set->generation || gw->draining;
		next = TAILQ_NEXT(e, in_age);
		if (!stale && now - e->since_us <= most_us)
			break;
		if (is_idle(e->origin))
			origin_free(e->origin);
	}
	if (p->n)
		timer_set(gw->loop, &p->sweep, SWEEP_MS);
}
