/* SPDX-License-Identifier: MIT */
/*
 * fake_loop: turns, timers and the clock of fake_net. A turn does what the real one does, in its order: what happened, those who asked to be called
 * again, timers that are due, hooks, graves.
 */
#include "fake_net.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

#define TURNS_MOST 50000u /* of one line of a script; more is a loop that spins */
#define REAL_US    UINT64_C(1767614400000000) /* Monday 2026-01-05 12:00 UTC */

struct loop {
	TAILQ_HEAD(, watch) again;
	LIST_HEAD(, timer) timers; /* in the order of their time; at_tick holds microseconds */
	TAILQ_HEAD(, loop_hook) hooks;
	struct grave *graves;
};

static TAILQ_HEAD(, happening) happenings;
struct fake fake;

void
fake_wrong(const char *fmt, ...)
{
	va_list ap;

	if (fake.wrong[0])
		return;
	va_start(ap, fmt);
	vsnprintf(fake.wrong, sizeof fake.wrong, fmt, ap);
	va_end(ap);
}

void
happening_queue(struct happening *h)
{
	if (h->queued)
		return;
	h->queued = true;
	TAILQ_INSERT_TAIL(&happenings, h, link);
}

void
happening_drop(struct happening *h)
{
	if (h->queued)
		TAILQ_REMOVE(&happenings, h, link);
	h->queued = false;
}

uint64_t
clock_mono_us(void)
{
	return fake.now_us;
}

uint64_t
clock_real_us(void)
{
	return REAL_US + fake.now_us;
}

struct loop *
loop_new(void)
{
	struct loop *l = fake_alloc(NULL, sizeof *l);

	*l = (struct loop){0};
	TAILQ_INIT(&l->again);
	LIST_INIT(&l->timers);
	TAILQ_INIT(&l->hooks);
	TAILQ_INIT(&happenings);
	return l;
}

static void
bury_all(struct loop *l)
{
	for (struct grave *g = l->graves, *next; g; g = next) {
		next = g->next;
		free(g);
	}
	l->graves = NULL;
}

void
loop_free(struct loop *l)
{
	bury_all(l);
	free(l);
}

uint64_t
loop_now_us(struct loop *l)
{
	(void)l;
	return fake.now_us;
}

void
loop_bury(struct loop *l, struct grave *g)
{
	for (const struct grave *o = l->graves; o; o = o->next)
		if (o == g) {
			fake_wrong("buried twice");
			return;
		}
	g->next = l->graves;
	l->graves = g;
}

void
loop_hook_add(struct loop *l, struct loop_hook *h)
{
	TAILQ_INSERT_TAIL(&l->hooks, h, link);
}

/* --- watches that ask for themselves; those on sockets are in fake_net.c --- */

void
watch_again(struct watch *w, unsigned what)
{
	if (!w->loop) {
		fake_wrong("watch_again on a watch that is not set");
		return;
	}
	if (!w->again)
		TAILQ_INSERT_TAIL(&w->loop->again, w, link);
	w->again |= what;
}

void
watch_init_idle(struct watch *w, struct loop *l, watch_fn *fn, void *arg)
{
	*w = (struct watch){.loop = l, .fn = fn, .arg = arg, .fd = -1};
}

void
watch_drop(struct watch *w)
{
	if (!w->loop)
		return;
	fake_unwatch(w);
	if (w->again)
		TAILQ_REMOVE(&w->loop->again, w, link);
	w->again = 0;
	w->loop = NULL;
}

void
watch_clear(struct watch *w)
{
	watch_drop(w);
}

bool
watch_is_set(const struct watch *w)
{
	return w->loop != NULL;
}

/* --- timers --- */

void
timer_init(struct timer *t, timer_fn *fn, void *arg)
{
	*t = (struct timer){.fn = fn, .arg = arg};
}

void
timer_clear(struct timer *t)
{
	if (!t->at_tick)
		return;
	LIST_REMOVE(t, link);
	t->at_tick = 0;
}

void
timer_set(struct loop *l, struct timer *t, uint64_t after_ms)
{
	struct timer *o, *last = NULL;

	timer_clear(t);
	t->at_tick = fake.now_us + after_ms * 1000;
	LIST_FOREACH (o, &l->timers, link) {
		if (o->at_tick > t->at_tick)
			break;
		last = o;
	}
	if (last)
		LIST_INSERT_AFTER(last, t, link);
	else
		LIST_INSERT_HEAD(&l->timers, t, link);
}

bool
fake_timers_left(struct loop *l)
{
	return !LIST_EMPTY(&l->timers);
}

/* --- turns --- */

void
loop_turn(struct loop *l)
{
	struct happening  stop = {0};
	struct watch      end = {0};
	struct happening *h;
	struct watch     *w;
	struct timer     *t;
	struct loop_hook *hook;
	char              here;

	fake.stack_base = (uintptr_t)&here;
	fake.turns++;
	fake.may_fail = true;
	TAILQ_INSERT_TAIL(&happenings, &stop, link);
	while ((h = TAILQ_FIRST(&happenings)) != &stop) {
		happening_drop(h);
		h->fn(h->arg);
	}
	TAILQ_REMOVE(&happenings, &stop, link);
	TAILQ_INSERT_TAIL(&l->again, &end, link);
	while ((w = TAILQ_FIRST(&l->again)) != &end) {
		unsigned what = w->again;
		TAILQ_REMOVE(&l->again, w, link);
		w->again = 0;
		w->fn(w->arg, what);
	}
	TAILQ_REMOVE(&l->again, &end, link);
	while ((t = LIST_FIRST(&l->timers)) && t->at_tick <= fake.now_us) {
		timer_clear(t);
		t->fn(t->arg);
	}
	TAILQ_FOREACH (hook, &l->hooks, link)
		hook->fn(hook->arg);
	bury_all(l);
	fake.may_fail = false;
}

void
fake_settle(struct loop *l)
{
	uint64_t from = fake.turns;

	while (!TAILQ_EMPTY(&happenings) || !TAILQ_EMPTY(&l->again) || (LIST_FIRST(&l->timers) && LIST_FIRST(&l->timers)->at_tick <= fake.now_us)) {
		loop_turn(l);
		if (fake.turns - from > TURNS_MOST) {
			fake_wrong("the loop spins");
			return;
		}
	}
	bury_all(l);
}

void
fake_advance(struct loop *l, uint64_t ms)
{
	uint64_t to = fake.now_us + ms * 1000;
	struct timer *t;

	fake_settle(l);
	while ((t = LIST_FIRST(&l->timers)) && t->at_tick <= to && !fake.wrong[0]) {
		fake.now_us = t->at_tick;
		fake_settle(l);
	}
	fake.now_us = to;
}
