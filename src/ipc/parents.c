/* SPDX-License-Identifier: MIT */
#include "ipc/parents.h"

#include <string.h>

#define SAY_US 60000000u

static void
name_put(char to[PARENT_NAME_MAX], struct span name)
{
	size_t n = name.n < PARENT_NAME_MAX ? name.n : PARENT_NAME_MAX - 1; /* conf lets no longer one in */

	memset(to, 0, PARENT_NAME_MAX);
	memcpy(to, name.p, n);
}

void
parents_assign(struct parent_slots *s, struct conf *c, uint64_t generation)
{
	struct conf_parent *p;

	/* those that stay first, so that no newcomer takes their place */
	TAILQ_FOREACH (p, &c->parents, link) {
		p->slot = PARENT_SLOTS;
		for (uint32_t i = 0; i < PARENT_SLOTS && p->slot == PARENT_SLOTS; i++)
			if (p->name.n && span_eq(span_str(s->v[i].name), p->name))
				p->slot = i;
		if (p->slot < PARENT_SLOTS)
			s->v[p->slot].generation = generation;
	}
	TAILQ_FOREACH (p, &c->parents, link) {
		uint32_t best = 0;
		if (p->slot < PARENT_SLOTS)
			continue;
		for (uint32_t i = 1; i < PARENT_SLOTS; i++)
			if (s->v[i].generation < s->v[best].generation)
				best = i;
		p->slot = best;
		name_put(s->v[best].name, p->name);
		s->v[best].generation = generation;
	}
}

void
parents_name(struct parents *p, uint32_t slot, struct span name)
{
	struct parent_health *s = &p->v[slot];

	if (span_eq(span_str(s->name), name))
		return;
	atomic_store(&s->down, 0);
	atomic_store(&s->failures, 0);
	atomic_store(&s->since_us, 0);
	atomic_store(&s->looked_us, 0);
	atomic_store(&s->latency_us, 0);
	atomic_store(&s->used, 0);
	atomic_store(&s->failed, 0);
	atomic_store(&s->said_down, 0);
	atomic_store(&s->say_us[0], 0);
	atomic_store(&s->say_us[1], 0);
	name_put(s->name, name);
}

bool
parents_worked(struct parent_health *s, uint64_t latency_us, uint64_t real_us)
{
	uint32_t down = 1;

	/* most of the time nothing changes: workers do not fight over the line */
	if (atomic_load_explicit(&s->failures, memory_order_relaxed))
		atomic_store(&s->failures, 0);
	atomic_store_explicit(&s->latency_us, latency_us ? latency_us : 1, memory_order_relaxed);
	if (!atomic_load_explicit(&s->down, memory_order_relaxed) || !atomic_compare_exchange_strong(&s->down, &down, 0))
		return false;
	atomic_store(&s->since_us, real_us);
	return true;
}

bool
parents_failed(struct parent_health *s, uint32_t fail_after, enum fault fault, uint64_t real_us)
{
	uint32_t up = 0;

	atomic_store_explicit(&s->fault, (uint32_t)fault, memory_order_relaxed);
	atomic_fetch_add(&s->failed, 1);
	if (atomic_fetch_add(&s->failures, 1) + 1 < fail_after || !atomic_compare_exchange_strong(&s->down, &up, 1))
		return false;
	atomic_store(&s->since_us, real_us);
	return true;
}

bool
parents_claim_word(struct parent_health *s, uint64_t now_us, bool *down)
{
	uint32_t is = atomic_load(&s->down);
	uint64_t was = atomic_load(&s->say_us[is]);

	*down = is;
	if (atomic_load_explicit(&s->said_down, memory_order_relaxed) == is || now_us < was || !atomic_compare_exchange_strong(&s->say_us[is], &was, now_us + SAY_US))
		return false;
	atomic_store(&s->said_down, is);
	return true;
}

bool
parents_claim(struct parent_health *s, uint64_t now_us, uint64_t interval_us)
{
	uint64_t was = atomic_load(&s->looked_us);

	return (!was || now_us >= was + interval_us) && atomic_compare_exchange_strong(&s->looked_us, &was, now_us);
}
