/* SPDX-License-Identifier: MIT */
#include "ipc/slots.h"

#include <string.h>

#include "base/clock.h"

/* Twice the names, a power of two. */
#define INDEX_MOST (2 * RULE_SLOTS)

/* The numbers of one kind, while they are given out. */
struct giving {
	struct slot_name *v;
	uint32_t          n;
	uint64_t          generation;
	bool              full;
	uint16_t          index[INDEX_MOST]; /* by hash of the name, probed one by one; 0: none */
};

static uint32_t
hash(struct span name)
{
	uint32_t h = 0x811c9dc5u;

	for (size_t i = 0; i < name.n; i++)
		h = (h ^ (unsigned char)name.p[i]) * 0x01000193u;
	return h ^ h >> 15;
}

/* Where the name stands in the index, or would. */
static uint16_t *
find(struct giving *g, struct span name)
{
	uint32_t at = hash(name) & (INDEX_MOST - 1);

	while (g->index[at] && !span_eq(span_str(g->v[g->index[at]].name), name))
		at = (at + 1) & (INDEX_MOST - 1);
	return &g->index[at];
}

static void
giving_init(struct giving *g)
{
	for (uint32_t i = 1; i < g->n; i++)
		if (g->v[i].name[0])
			*find(g, span_str(g->v[i].name)) = (uint16_t)i;
}

/* The number that the name has already; 0: none. */
static uint32_t
known(struct giving *g, struct span name)
{
	uint32_t i = *find(g, name);

	if (i)
		g->v[i].generation = g->generation;
	return i;
}

/* A number for a name that has none; 0: all are in use. */
static uint32_t
give(struct giving *g, struct span name)
{
	uint32_t best = 0;

	for (uint32_t i = 1; i < g->n && !g->full && name.n < SLOT_NAME_MAX; i++) {
		if (g->v[i].generation < g->generation && (!best || g->v[i].generation < g->v[best].generation))
			best = i;
		if (best && g->v[best].generation == 0)
			break;
	}
	g->full = !best;
	if (!best)
		return 0;
	memcpy(g->v[best].name, name.p, name.n);
	g->v[best].name[name.n] = '\0';
	g->v[best].generation = g->generation;
	g->v[best].since_real_us = clock_real_us();
	return best;
}

static bool
is_limited(const struct conf_rule *r)
{
	return r->bandwidth || r->bandwidth_per_client || r->max_connections;
}

void
slots_assign(struct slots *s, struct conf *c, uint64_t generation)
{
	struct giving         rules = {.v = s->rule, .n = RULE_SLOTS, .generation = generation};
	struct giving         listeners = {.v = s->listener, .n = LISTENER_COUNTS, .generation = generation};
	struct conf_rule     *r;
	struct conf_listener *l;

	giving_init(&rules);
	giving_init(&listeners);
	/* those that stay first, so that no newcomer takes their place */
	TAILQ_FOREACH (r, &c->rules, link)
		r->slot = known(&rules, r->name);
	TAILQ_FOREACH (l, &c->listeners, link)
		l->slot = known(&listeners, l->name);
	/* a limit needs a number; counting can do without */
	TAILQ_FOREACH (r, &c->rules, link)
		if (!r->slot && is_limited(r))
			r->slot = give(&rules, r->name);
	TAILQ_FOREACH (r, &c->rules, link)
		if (!r->slot)
			r->slot = give(&rules, r->name);
	TAILQ_FOREACH (l, &c->listeners, link)
		if (!l->slot)
			l->slot = give(&listeners, l->name);
}
