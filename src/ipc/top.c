/* SPDX-License-Identifier: MIT */
/*
 * top: each half is a heap of counters, the smallest on top, and an index of names. A name that has no counter takes the smallest one over, with its count:
 * what it had of the one before is `over`, so that count - over is sure.
 */
#include "ipc/top.h"

#include <stdlib.h>

#include "ipc/latest.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#define BUCKETS (2 * TOP_COUNTERS) /* a power of two */
#define NONE    UINT16_MAX

struct counter {
	uint64_t count, over;
	uint64_t denied, bytes;
	uint32_t hash;
	uint16_t next;  /* with the same bucket */
	uint16_t place; /* in the heap */
	uint16_t n;
	char     name[TOP_NAME_MAX - 1];
};

struct half {
	uint64_t       since_us;
	uint64_t       requests;
	uint16_t       n;
	uint16_t       heap[TOP_COUNTERS];
	uint16_t       bucket[BUCKETS];
	struct counter v[TOP_COUNTERS];
};

struct top {
	uint64_t    key;
	unsigned    newer; /* index of half */
	struct half half[2];
};

_Static_assert(TOP_COUNTERS < NONE, "counters are numbered in 16 bits");
_Static_assert(sizeof(struct top_list) % sizeof(uint64_t) == 0, "copied by words");

static void
half_clear(struct half *h, uint64_t now_us)
{
	h->since_us = now_us;
	h->requests = 0;
	h->n = 0;
	memset(h->bucket, 0xff, sizeof h->bucket);
}

/* --- the heap --- */

static void
settle_at(struct half *h, uint16_t c, unsigned place)
{
	h->heap[place] = c;
	h->v[c].place = (uint16_t)place;
}

static void
rise(struct half *h, uint16_t c)
{
	unsigned at = h->v[c].place;

	for (unsigned above; at && h->v[h->heap[above = (at - 1) / 2]].count > h->v[c].count; at = above)
		settle_at(h, h->heap[above], at);
	settle_at(h, c, at);
}

static void
sink(struct half *h, uint16_t c)
{
	unsigned at = h->v[c].place, below;

	while ((below = 2 * at + 1) < h->n) {
		if (below + 1 < h->n && h->v[h->heap[below + 1]].count < h->v[h->heap[below]].count)
			below++;
		if (h->v[h->heap[below]].count >= h->v[c].count)
			break;
		settle_at(h, h->heap[below], at);
		at = below;
	}
	settle_at(h, c, at);
}

/* --- names --- */

static struct span
counter_name(const struct counter *c)
{
	return span_of(c->name, c->n);
}

static struct counter *
half_find(struct half *h, uint32_t hash, struct span name)
{
	for (uint16_t i = h->bucket[hash % BUCKETS]; i != NONE; i = h->v[i].next)
		if (h->v[i].hash == hash && span_eq(counter_name(&h->v[i]), name))
			return &h->v[i];
	return NULL;
}

static void
unlink_name(struct half *h, uint16_t c)
{
	uint16_t *at = &h->bucket[h->v[c].hash % BUCKETS];

	while (*at != c)
		at = &h->v[*at].next;
	*at = h->v[c].next;
}

/* A counter for a name that has none. */
static struct counter *
half_take(struct half *h, uint32_t hash, struct span name)
{
	uint16_t        i = h->n < TOP_COUNTERS ? h->n : h->heap[0];
	struct counter *c = &h->v[i];

	if (h->n < TOP_COUNTERS) {
		c->count = 0;
		settle_at(h, i, h->n++);
		rise(h, i);
	} else {
		unlink_name(h, i);
	}
	c->over = c->count;
	c->denied = c->bytes = 0;
	c->hash = hash;
	c->n = (uint16_t)name.n;
	memcpy(c->name, name.p, name.n);
	c->next = h->bucket[hash % BUCKETS];
	h->bucket[hash % BUCKETS] = i;
	return c;
}

/* --- the window --- */

static void
turn(struct top *t, uint64_t now_us)
{
	const struct half *newer = &t->half[t->newer];

	if (now_us < newer->since_us + TOP_HALF_US)
		return;
	if (now_us >= newer->since_us + 2 * TOP_HALF_US) /* nothing of it is of late */
		half_clear(&t->half[t->newer], now_us);
	t->newer = !t->newer;
	half_clear(&t->half[t->newer], now_us);
}

struct top *
top_new(uint64_t key)
{
	struct top *t = calloc(1, sizeof *t);

	if (!t)
		return NULL;
	t->key = key;
	half_clear(&t->half[0], 0);
	half_clear(&t->half[1], 0);
	return t;
}

void
top_free(struct top *t)
{
	free(t);
}

void
top_add(struct top *t, struct span name, bool denied, uint64_t bytes, uint64_t now_us)
{
	struct half    *h;
	struct counter *c;
	uint32_t        hash;

	if (!name.n)
		return;
	if (name.n > sizeof c->name)
		name.n = sizeof c->name;
	turn(t, now_us);
	h = &t->half[t->newer];
	hash = (uint32_t)XXH3_64bits_withSeed(name.p, name.n, t->key);
	c = half_find(h, hash, name);
	if (!c)
		c = half_take(h, hash, name);
	h->requests++;
	c->count++;
	c->denied += denied;
	c->bytes += bytes;
	sink(h, (uint16_t)(c - h->v));
}

/* Sorted in, when it is among the first. */
static void
offer(struct top_list *out, const struct counter *c, const struct counter *older)
{
	uint64_t requests = c->count - c->over + (older ? older->count - older->over : 0);
	unsigned at = (unsigned)out->n;

	while (at && out->row[at - 1].requests < requests)
		at--;
	if (at == TOP_SHOWN)
		return;
	if (out->n < TOP_SHOWN)
		out->n++;
	memmove(&out->row[at + 1], &out->row[at], (out->n - 1 - at) * sizeof out->row[0]);
	out->row[at] = (struct top_row){
		.requests = requests,
		.denied = c->denied + (older ? older->denied : 0),
		.bytes = c->bytes + (older ? older->bytes : 0),
	};
	memcpy(out->row[at].name, c->name, c->n);
}

void
top_make(struct top *t, uint64_t now_us, struct top_list *out)
{
	struct half *newer, *older;

	turn(t, now_us);
	newer = &t->half[t->newer];
	older = &t->half[!t->newer];
	memset(out, 0, sizeof *out);
	out->since_us = older->since_us;
	out->at_us = now_us;
	out->requests = newer->requests + older->requests;
	for (unsigned i = 0; i < newer->n; i++)
		offer(out, &newer->v[i], half_find(older, newer->v[i].hash, counter_name(&newer->v[i])));
	for (unsigned i = 0; i < older->n; i++)
		if (!half_find(newer, older->v[i].hash, counter_name(&older->v[i])))
			offer(out, &older->v[i], NULL);
}

/* --- from process to process --- */

_Static_assert(sizeof(struct top_list) % sizeof(uint64_t) == 0, "copied by words");

void
top_publish(struct shared_top *s, const struct top_list *list)
{
	latest_put(&s->number, &s->list, list, sizeof *list);
}

bool
top_read(const struct shared_top *s, struct top_list *out)
{
	if (!latest_get(&s->number, &s->list, out, sizeof *out))
		return false;
	if (out->n > TOP_SHOWN)
		out->n = TOP_SHOWN;
	for (uint64_t k = 0; k < out->n; k++)
		out->row[k].name[TOP_NAME_MAX - 1] = 0;
	return true;
}
