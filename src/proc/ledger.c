/* SPDX-License-Identifier: MIT */
#include "proc/ledger.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "ipc/hits.h"

#define ROOM_FIRST 64u
#define ROOM_SPARE 4096u /* keys of a snapshot beyond the number of its entries: several rules may share a name */
#define PAGES_MOST (4 * SHARED_WORKERS_MAX)
#define ERAS_MOST  8u    /* a request may keep an old snapshot for long, but not many of them */

/* What one worker counts in. */
struct page {
	struct hits_view *view; /* owned */
	uint32_t          worker;
	unsigned          life;
};

struct era {
	TAILQ_ENTRY(era) link;
	uint64_t         generation;
	uint32_t         mark;
	struct snapshot *snap; /* owned */
	struct page     *page; /* owned */
	unsigned         n_pages, room_pages;
	uint64_t         lost; /* of pages that are added up */
};

/* --- sums --- */

void
sums_clear(struct sums *s)
{
	free(s->v);
	*s = (struct sums){0};
}

static struct sum *
place_of(struct sum *v, uint32_t room, uint64_t id)
{
	uint32_t at = (uint32_t)(id * 0x9e3779b97f4a7c15u >> 32) & (room - 1);

	while (v[at].hits && v[at].id != id)
		at = (at + 1) & (room - 1);
	return &v[at];
}

/* Into a table of this size those that were hit after `since_s`. False: out of memory, and all is as it was. */
static bool
sums_move(struct sums *s, uint32_t room, uint32_t since_s)
{
	struct sum *v = calloc(room, sizeof *v);
	uint32_t    n = 0;

	if (!v)
		return false;
	for (uint32_t i = 0; i < s->room; i++) {
		if (!s->v[i].hits)
			continue;
		if (since_s && s->v[i].last_s < since_s) {
			s->forgotten += s->v[i].hits;
			continue;
		}
		*place_of(v, room, s->v[i].id) = s->v[i];
		n++;
	}
	free(s->v);
	s->v = v;
	s->n = n;
	s->room = room;
	return true;
}

/* Throw away the older half, by time; of those that were last hit in one and the same second none stays. */
static bool
sums_thin(struct sums *s)
{
	uint32_t old = UINT32_MAX, new = 0;

	for (uint32_t i = 0; i < s->room; i++) {
		if (!s->v[i].hits)
			continue;
		old = s->v[i].last_s < old ? s->v[i].last_s : old;
		new = s->v[i].last_s > new ? s->v[i].last_s : new;
	}
	return sums_move(s, s->room, old + (new - old) / 2 + 1);
}

/* Two thirds are in use at most. */
static bool
sums_make_room(struct sums *s)
{
	if (s->n >= SUMS_MOST)
		return sums_thin(s);
	if (s->n + s->n / 2 + 2 < s->room)
		return true;
	return sums_move(s, s->room ? s->room * 2 : ROOM_FIRST, 0);
}

void
sums_add(struct sums *s, const struct sum *one)
{
	struct sum *to;

	if (!one->hits)
		return;
	if (!sums_make_room(s)) {
		s->forgotten += one->hits;
		return;
	}
	to = place_of(s->v, s->room, one->id);
	if (!to->hits) {
		s->n++;
		*to = *one;
		return;
	}
	to->hits += one->hits;
	if (one->mark > to->mark) {
		to->mark = one->mark;
		to->recent = 0;
	}
	if (one->mark == to->mark)
		to->recent += one->recent;
	if (one->last_s > to->last_s)
		to->last_s = one->last_s;
}

const struct sum *
sums_find(const struct sums *s, uint64_t id)
{
	const struct sum *at = s->room ? place_of(s->v, s->room, id) : NULL;

	return at && at->hits ? at : NULL;
}

/* --- eras and their pages --- */

static void
era_free(struct ledger *l, struct era *e)
{
	TAILQ_REMOVE(&l->eras, e, link);
	l->n_eras--;
	for (unsigned i = 0; i < e->n_pages; i++)
		hits_look_away(e->page[i].view);
	free(e->page);
	snapshot_unref(e->snap);
	free(e);
}

static struct era *
era_find(const struct ledger *l, uint64_t generation)
{
	struct era *e;

	TAILQ_FOREACH (e, &l->eras, link)
		if (e->generation == generation)
			return e;
	return NULL;
}

static struct era *
era_new(struct ledger *l, uint64_t generation, int snapshot)
{
	struct era *e = calloc(1, sizeof *e);

	if (!e)
		return NULL;
	e->snap = snapshot_open_entries(snapshot);
	if (!e->snap) {
		free(e);
		return NULL;
	}
	e->generation = generation;
	e->mark = l->mark;
	TAILQ_INSERT_TAIL(&l->eras, e, link);
	l->n_eras++;
	return e;
}

int
ledger_page(struct ledger *l, uint32_t worker, unsigned life, uint64_t generation, int snapshot)
{
	struct era *e = era_find(l, generation);
	int         fd;

	if (!e)
		e = era_new(l, generation, snapshot);
	if (!e || e->n_pages == PAGES_MOST)
		return -1;
	if (e->n_pages == e->room_pages) {
		unsigned room = e->room_pages ? e->room_pages * 2 : 8;
		void    *v = reallocarray(e->page, room, sizeof *e->page);
		if (!v)
			return -1;
		e->page = v;
		e->room_pages = room;
	}
	fd = hits_create(policy_hit_room(e->snap->policy) + ROOM_SPARE);
	if (fd < 0)
		return -1;
	e->page[e->n_pages] = (struct page){hits_look(fd), worker, life};
	if (e->page[e->n_pages].view) {
		e->n_pages++;
		return fd;
	}
	close(fd);
	return -1;
}

/* Several workers count the same keys: each is looked up once. */
static void
pages_sum(const struct era *e, struct sums *keys, unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++) {
		uint32_t              n;
		const struct hit_row *row = hits_rows(e->page[i].view, &n);
		for (uint32_t k = 0; k < n; k++)
			sums_add(keys, &(struct sum){row[k].key, row[k].hits, row[k].hits, e->mark, (uint32_t)(row[k].last_real_us / 1000000)});
	}
}

static void
keys_resolve(const struct era *e, const struct sums *keys, struct sums *out)
{
	struct policy_entry entry;

	for (uint32_t i = 0; i < keys->room; i++) {
		struct sum one = keys->v[i];
		if (!one.hits || !policy_hit_entry(e->snap->policy, one.id, &entry))
			continue;
		one.id = entry.id;
		sums_add(out, &one);
	}
	out->forgotten += keys->forgotten;
}

/* Those that nobody writes any more. */
static void
era_tidy(struct ledger *l, struct era *e, unsigned (*life_of)(void *arg, uint32_t worker), void *arg)
{
	struct sums keys = {0};
	bool        all = e->generation != l->generation && l->n_eras > ERAS_MOST;

	for (unsigned i = 0; i < e->n_pages; i++) {
		struct page *p = &e->page[i];
		if (!all && !hits_are_final(p->view) && life_of(arg, p->worker) == p->life)
			continue;
		pages_sum(e, &keys, i, i + 1);
		e->lost += hits_lost(p->view);
		hits_look_away(p->view);
		e->page[i--] = e->page[--e->n_pages];
	}
	keys_resolve(e, &keys, &l->past);
	sums_clear(&keys);
	if (!e->n_pages && e->generation < l->generation) {
		l->past.forgotten += e->lost;
		era_free(l, e);
	}
}

void
ledger_tidy(struct ledger *l, unsigned (*life_of)(void *arg, uint32_t worker), void *arg)
{
	struct era *e, *next;

	for (e = TAILQ_FIRST(&l->eras); e; e = next) {
		next = TAILQ_NEXT(e, link);
		era_tidy(l, e, life_of, arg);
	}
}

static uint64_t
rule_requests(const struct shared *s, uint32_t slot)
{
	uint64_t n = 0;

	for (uint32_t w = 0; w < s->n_workers; w++)
		n += s->worker[w].rule[slot].requests + s->worker[w].rule[slot].open;
	return n;
}

void
ledger_use(struct ledger *l, const struct shared *shared, uint64_t generation, bool reloaded)
{
	struct era *e = era_find(l, generation);

	l->generation = generation;
	if (reloaded) {
		l->mark++;
		l->reloaded_real_us = clock_real_us();
		for (uint32_t i = 0; i < RULE_SLOTS; i++)
			l->rule_base[i] = rule_requests(shared, i);
	}
	if (e)
		e->mark = l->mark;
}

void
ledger_forget(struct ledger *l)
{
	struct era *e, *next;

	for (e = TAILQ_FIRST(&l->eras); e; e = next) {
		next = TAILQ_NEXT(e, link);
		if (e->generation > l->generation)
			era_free(l, e);
	}
}

void
ledger_init(struct ledger *l)
{
	TAILQ_INIT(&l->eras);
	l->started_real_us = clock_real_us();
}

void
ledger_clear(struct ledger *l)
{
	while (l->eras.tqh_last && !TAILQ_EMPTY(&l->eras))
		era_free(l, TAILQ_FIRST(&l->eras));
	sums_clear(&l->past);
}

/* --- what others ask --- */

bool
ledger_sum(const struct ledger *l, struct sums *out)
{
	const struct era *e;

	*out = l->past;
	if (out->room) {
		out->v = calloc(out->room, sizeof *out->v);
		if (!out->v)
			return false;
		memcpy(out->v, l->past.v, out->room * sizeof *out->v);
	}
	TAILQ_FOREACH (e, &l->eras, link) {
		struct sums keys = {0};
		pages_sum(e, &keys, 0, e->n_pages);
		keys_resolve(e, &keys, out);
		sums_clear(&keys);
	}
	return true;
}

struct snapshot *
ledger_snapshot(const struct ledger *l)
{
	struct era *e = era_find(l, l->generation);

	return e ? e->snap : NULL;
}

uint64_t
ledger_lost(const struct ledger *l)
{
	const struct era *e;
	uint64_t          n = l->past.forgotten;

	TAILQ_FOREACH (e, &l->eras, link) {
		n += e->lost;
		for (unsigned i = 0; i < e->n_pages; i++)
			n += hits_lost(e->page[i].view);
	}
	return n;
}

uint64_t
ledger_rule_recent(const struct ledger *l, uint32_t slot, uint64_t requests)
{
	uint64_t base = slot < RULE_SLOTS ? l->rule_base[slot] : 0;

	return requests > base ? requests - base : 0;
}
