/* SPDX-License-Identifier: MIT */
/*
 * replay_tally: counts what goes differently: by the way (from what to what, by which rules), and of each way by host.
 * Always true: whatever a log holds, what is kept is bounded; what is beyond it is counted, and said to be.
 */
#include <stdlib.h>

#include "cli/replay.h"

#define WAY_SLOTS  (4 * TALLY_WAYS_MAX)
#define HOST_SLOTS (4 * TALLY_HOSTS_MAX)

bool
tally_init(struct tally *t)
{
	*t = (struct tally){.first_us = UINT64_MAX};
	t->way = calloc(TALLY_WAYS_MAX, sizeof *t->way);
	t->host = calloc(TALLY_HOSTS_MAX, sizeof *t->host);
	t->way_slot = calloc(WAY_SLOTS, sizeof *t->way_slot);
	t->host_slot = calloc(HOST_SLOTS, sizeof *t->host_slot);
	if (t->way && t->host && t->way_slot && t->host_slot)
		return true;
	tally_clear(t);
	return false;
}

void
tally_clear(struct tally *t)
{
	for (uint32_t i = 0; t->host && i < t->n_hosts; i++) {
		free(t->host[i].host);
		free(t->host[i].example);
	}
	free(t->way);
	free(t->host);
	free(t->way_slot);
	free(t->host_slot);
	*t = (struct tally){0};
}

static uint32_t
hash_add(uint32_t hash, const void *p, size_t n)
{
	const unsigned char *b = p;

	for (size_t i = 0; i < n; i++)
		hash = (hash ^ b[i]) * 16777619u;
	return hash;
}

/* Cut, and with its NUL. */
static void
text_keep(char *to, size_t room, struct span s)
{
	size_t n = s.n < room ? s.n : room - 1;

	if (n)
		memcpy(to, s.p, n);
	to[n] = '\0';
}

static bool
way_is_same(const struct tally_way *a, const struct tally_way *b)
{
	return a->from == b->from && a->to == b->to && a->from_fault == b->from_fault && a->to_fault == b->to_fault && a->first_leg == b->first_leg &&
	    a->hurts == b->hurts && strcmp(a->from_rule, b->from_rule) == 0 && strcmp(a->to_rule, b->to_rule) == 0;
}

/* Its number; TALLY_WAYS_MAX: there is no room for another. */
static uint32_t
way_find(struct tally *t, const struct tally_way *w)
{
	const uint32_t kind[] = {w->from, w->to, w->first_leg, w->hurts};
	uint32_t       slot = hash_add(2166136261u, kind, sizeof kind);

	slot = hash_add(slot, w->from_rule, strlen(w->from_rule));
	slot = hash_add(slot, w->to_rule, strlen(w->to_rule));
	for (slot %= WAY_SLOTS; t->way_slot[slot]; slot = (slot + 1) % WAY_SLOTS)
		if (way_is_same(&t->way[t->way_slot[slot] - 1], w))
			return t->way_slot[slot] - 1;
	if (t->n_ways == TALLY_WAYS_MAX)
		return TALLY_WAYS_MAX;
	t->way[t->n_ways] = *w;
	t->way_slot[slot] = ++t->n_ways;
	return t->n_ways - 1;
}

static bool
example_make(struct tally_host *h, const struct log_entry *e, uint16_t file)
{
	h->example = malloc(sizeof *h->example);
	if (!h->example)
		return false;
	*h->example = (struct tally_example){.line = e->line, .at_us = e->end_us - e->elapsed_us, .file = file};
	text_keep(h->example->url, sizeof h->example->url, e->url);
	text_keep(h->example->user, sizeof h->example->user, e->user);
	if (e->has_client)
		addr_print(&e->client, h->example->client);
	return true;
}

/* One more of its host. False: no memory. */
static bool
host_count(struct tally *t, uint32_t way, const struct log_entry *e, const struct asked *a, uint16_t file)
{
	const struct host *host = &a->at.host;
	uint32_t           slot = hash_add(2166136261u, &way, sizeof way);
	struct tally_host *h;

	slot = hash_add(slot, &a->at.port, sizeof a->at.port);
	slot = hash_add(slot, host->text, host->n);
	for (slot %= HOST_SLOTS; t->host_slot[slot]; slot = (slot + 1) % HOST_SLOTS) {
		h = &t->host[t->host_slot[slot] - 1];
		if (h->way == way && h->port == a->at.port && strcmp(h->host, host->text) == 0) {
			h->count++;
			return true;
		}
	}
	if (t->n_hosts == TALLY_HOSTS_MAX) {
		t->way[way].without_host++;
		return true;
	}
	h = &t->host[t->n_hosts++];
	*h = (struct tally_host){.count = 1, .way = way, .port = a->at.port, .host = strdup(host->text)};
	t->host_slot[slot] = t->n_hosts;
	t->way[way].hosts++;
	return h->host && example_make(h, e, file);
}

bool
tally_change(struct tally *t, const struct log_entry *e, const struct asked *a, uint16_t file, const struct outcome *from, const struct outcome *to, bool hurts)
{
	struct tally_way w = {.from = from->fate, .to = to->fate, .from_fault = from->fault, .to_fault = to->fault, .first_leg = a->first_leg, .hurts = hurts};
	uint32_t         way;

	text_keep(w.from_rule, sizeof w.from_rule, from->rule);
	text_keep(w.to_rule, sizeof w.to_rule, to->rule);
	if (a->first_leg)
		t->legs_changed++;
	else
		t->changed++;
	t->hurt += hurts;
	way = way_find(t, &w);
	if (way == TALLY_WAYS_MAX) {
		t->beyond++;
		return true;
	}
	t->way[way].count++;
	return host_count(t, way, e, a, file);
}

/* --- in order --- */

struct ordered_way {
	struct tally_way way;
	uint32_t         number;
};

static int
way_order(const void *a, const void *b)
{
	const struct ordered_way *x = a, *y = b;

	if (x->way.hurts != y->way.hurts)
		return x->way.hurts ? -1 : 1;
	if (x->way.first_leg != y->way.first_leg)
		return x->way.first_leg ? 1 : -1;
	if (x->way.count != y->way.count)
		return x->way.count > y->way.count ? -1 : 1;
	return x->number < y->number ? -1 : 1;
}

static int
host_order(const void *a, const void *b)
{
	const struct tally_host *x = a, *y = b;

	if (x->way != y->way)
		return x->way < y->way ? -1 : 1;
	if (x->count != y->count)
		return x->count > y->count ? -1 : 1;
	return strcmp(x->host, y->host) ? strcmp(x->host, y->host) : x->port < y->port ? -1 : 1;
}

bool
tally_sort(struct tally *t)
{
	struct ordered_way *ways = calloc((size_t)t->n_ways + 1, sizeof *ways);
	uint32_t           *now = calloc((size_t)t->n_ways + 1, sizeof *now);
	bool                ok;

	for (uint32_t i = 0; ways && now && i < t->n_ways; i++)
		ways[i] = (struct ordered_way){t->way[i], i};
	if (ways && now) {
		qsort(ways, t->n_ways, sizeof *ways, way_order);
		for (uint32_t i = 0; i < t->n_ways; i++) {
			t->way[i] = ways[i].way;
			now[ways[i].number] = i;
		}
		for (uint32_t i = 0; i < t->n_hosts; i++)
			t->host[i].way = now[t->host[i].way];
		qsort(t->host, t->n_hosts, sizeof *t->host, host_order);
	}
	ok = ways && now;
	free(ways);
	free(now);
	return ok;
}
