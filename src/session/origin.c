/* SPDX-License-Identifier: MIT */
#include "session/origin.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "net/sock.h"
#include "session/gateway.h"
#include "session/session.h"

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
	return o;
}

static void
dispose(struct origin *o, void (*close_side)(struct side *))
{
	if (!o)
		return;
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

struct origin *
origin_take(struct gateway *gw, struct session *user, struct span host, uint16_t port, uint64_t generation, uint64_t ground, uint64_t max_idle_ms)
{
	struct origin_pool *p = &gw->origins;
	struct pooled      *e;

	/* newest first: it is the one most likely to live */
	TAILQ_FOREACH(e, &p->bucket[bucket_of(p, host, port)], in_bucket)
	{
		if (!is_for(e, host, port) || e->generation != generation || e->origin->ground != ground)
			continue;
		if (loop_now_us(gw->loop) - e->since_us > max_idle_ms * 1000)
			return NULL;
		unlist(p, e);
		e->origin->user = user;
		return e->origin;
	}
	return NULL;
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

	if (host.n > UINT8_MAX || (!e && !(e = malloc(sizeof *e + UINT8_MAX))))
		return false;
	*e = (struct pooled){.origin = o, .generation = generation, .n = (uint8_t)host.n};
	memcpy(e->host, host.p, host.n);
	o->pooled = e;
	return true;
}

bool
origin_is_for(struct origin *o, struct span host, uint64_t generation, uint64_t ground)
{
	return o->ground == ground && o->pooled && o->pooled->generation == generation && span_eq(span_of(o->pooled->host, o->pooled->n), host) && origin_is_quiet(o);
}

void
origin_give(struct origin *o, struct span host, uint64_t generation)
{
	struct gateway        *gw = o->gw;
	struct origin_pool    *p = &gw->origins;
	const struct settings *set = gw->snap->set;
	uint16_t               bucket = bucket_of(p, host, o->port);
	struct pooled         *e;

	if (generation != set->generation || gw->draining || !origin_is_quiet(o) || idle_for(p, bucket, host, o->port) >= set->pool_per_host ||
	    !origin_label(o, host, generation)) {
		origin_free(o);
		return;
	}
	o->user = NULL;
	o->reused = true;
	e = o->pooled;
	e->since_us = loop_now_us(gw->loop);
	e->bucket = bucket;
	e->listed = true;
	TAILQ_INSERT_HEAD(&p->bucket[bucket], e, in_bucket);
	TAILQ_INSERT_TAIL(&p->by_age, e, in_age);
	if (p->n++ == 0)
		timer_set(gw->loop, &p->sweep, SWEEP_MS);
	if (p->n > set->pool_total)
		origin_free(TAILQ_FIRST(&p->by_age)->origin);
}

static void
on_sweep(void *arg)
{
	struct gateway     *gw = arg;
	struct origin_pool *p = &gw->origins;
	uint64_t            now = loop_now_us(gw->loop);
	struct pooled      *e;

	while ((e = TAILQ_FIRST(&p->by_age)) &&
	       (now - e->since_us > gw->snap->set->keepalive_timeout_ms * 1000 || e->generation != gw->snap->set->generation))
		origin_free(e->origin);
	if (p->n)
		timer_set(gw->loop, &p->sweep, SWEEP_MS);
}
