/* SPDX-License-Identifier: MIT */
#include "net/loop.h"

#include <stdlib.h>

#include "base/clock.h"

#define TICK_US 16000u
#define SLOTS   1024u /* power of two; timers further away than SLOTS ticks come round again */
#define NEVER   UINT64_MAX

LIST_HEAD(timer_list, timer);

struct loop {
	struct event_base *base;
	uint64_t           now_us; /* 0: not read in this turn */
	bool               stopped;
	struct grave      *graves; /* to be freed at the end of the turn */
	TAILQ_HEAD(, loop_hook) hooks;

	/* timer wheel */
	struct timer_list slot[SLOTS];
	uint64_t          busy[SLOTS / 64]; /* bit: slot may hold a timer */
	uint64_t          done_tick;        /* all timers up to this tick have fired */
	uint64_t          armed_tick;       /* when `alarm` will fire; NEVER */
	struct event      alarm;
};

static void on_alarm(evutil_socket_t fd, short what, void *arg);

struct loop *
loop_new(void)
{
	struct loop         *l = calloc(1, sizeof *l);
	struct event_config *c = event_config_new();

	if (!l || !c)
		goto fail;
	event_config_set_flag(c, EVENT_BASE_FLAG_NOLOCK);
	if (event_config_require_features(c, EV_FEATURE_ET | EV_FEATURE_EARLY_CLOSE) != 0)
		goto fail;
	l->base = event_base_new_with_config(c);
	if (!l->base || evtimer_assign(&l->alarm, l->base, on_alarm, l) != 0)
		goto fail;
	event_config_free(c);
	TAILQ_INIT(&l->hooks);
	l->done_tick = clock_mono_us() / TICK_US;
	l->armed_tick = NEVER;
	return l;
fail:
	if (c)
		event_config_free(c);
	if (l && l->base)
		event_base_free(l->base);
	free(l);
	return NULL;
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
	if (!l)
		return;
	bury_all(l);
	event_del(&l->alarm);
	event_base_free(l->base);
	free(l);
}

void
loop_run(struct loop *l)
{
	struct loop_hook *h;

	l->stopped = false;
	while (!l->stopped) {
		if (event_base_loop(l->base, EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY) < 0)
			break;
		TAILQ_FOREACH(h, &l->hooks, link)
			h->fn(h->arg);
		bury_all(l);
		l->now_us = 0;
	}
}

void
loop_stop(struct loop *l)
{
	l->stopped = true;
	event_base_loopbreak(l->base);
}

uint64_t
loop_now_us(struct loop *l)
{
	if (!l->now_us)
		l->now_us = clock_mono_us();
	return l->now_us;
}

struct event_base *
loop_base(struct loop *l)
{
	return l->base;
}

static void
on_event(evutil_socket_t fd, short what, void *arg)
{
	struct watch *w = arg;

	(void)fd;
	w->fn(w->arg, (what & EV_READ ? WATCH_READ : 0) | (what & EV_WRITE ? WATCH_WRITE : 0) | (what & EV_CLOSED ? WATCH_CLOSED : 0));
}

static bool
watch_start(struct watch *w, struct loop *l, int fd, unsigned what, short how, watch_fn *fn, void *arg)
{
	short events = (short)(EV_PERSIST | how);

	if (what & WATCH_READ)
		events |= EV_READ;
	if (what & WATCH_WRITE)
		events |= EV_WRITE;
	if (what & WATCH_CLOSED)
		events |= EV_CLOSED;
	w->fn = fn;
	w->arg = arg;
	if (event_assign(&w->ev, l->base, fd, events, on_event, w) == 0 && event_add(&w->ev, NULL) == 0)
		return true;
	w->fn = NULL;
	return false;
}

bool
watch_init(struct watch *w, struct loop *l, int fd, unsigned what, watch_fn *fn, void *arg)
{
	return watch_start(w, l, fd, what, EV_ET, fn, arg);
}

bool
watch_init_level(struct watch *w, struct loop *l, int fd, unsigned what, watch_fn *fn, void *arg)
{
	return watch_start(w, l, fd, what, 0, fn, arg);
}

void
watch_again(struct watch *w, unsigned what)
{
	event_active(&w->ev, (what & WATCH_READ ? EV_READ : 0) | (what & WATCH_WRITE ? EV_WRITE : 0) | (what & WATCH_CLOSED ? EV_CLOSED : 0), 1);
}

void
watch_clear(struct watch *w)
{
	if (!w->fn)
		return;
	event_del(&w->ev);
	w->fn = NULL;
}

bool
watch_is_set(const struct watch *w)
{
	return w->fn != NULL;
}

static void
on_signal(evutil_socket_t fd, short what, void *arg)
{
	struct signal_watch *w = arg;

	(void)fd;
	(void)what;
	w->fn(w->arg);
}

bool
signal_watch_init(struct signal_watch *w, struct loop *l, int signo, timer_fn *fn, void *arg)
{
	w->fn = fn;
	w->arg = arg;
	return evsignal_assign(&w->ev, l->base, signo, on_signal, w) == 0 && evsignal_add(&w->ev, NULL) == 0;
}

void
signal_watch_clear(struct signal_watch *w)
{
	if (w->fn)
		evsignal_del(&w->ev);
	w->fn = NULL;
}

/* --- timers --- */

static void
alarm_at(struct loop *l, uint64_t tick)
{
	uint64_t       at = tick * TICK_US, now = loop_now_us(l), wait = at > now ? at - now : 0;
	struct timeval tv = {.tv_sec = (time_t)(wait / 1000000), .tv_usec = (suseconds_t)(wait % 1000000)};

	if (event_add(&l->alarm, &tv) == 0)
		l->armed_tick = tick;
}

/* The tick of the next slot that may hold a timer, after done_tick; NEVER. */
static uint64_t
next_busy_tick(const struct loop *l)
{
	for (unsigned i = 1; i <= SLOTS;) {
		unsigned at = (unsigned)((l->done_tick + i) % SLOTS), bit = at % 64;
		uint64_t word = l->busy[at / 64] >> bit;
		if (word) {
			unsigned step = (unsigned)__builtin_ctzll(word);
			return i + step <= SLOTS ? l->done_tick + i + step : NEVER;
		}
		i += 64 - bit;
	}
	return NEVER;
}

static void
fire_slot(struct loop *l, uint64_t tick)
{
	struct timer_list due = LIST_HEAD_INITIALIZER(due), *slot = &l->slot[tick % SLOTS];
	struct timer     *t, *next;

	for (t = LIST_FIRST(slot); t; t = next) {
		next = LIST_NEXT(t, link);
		if (t->at_tick > tick)
			continue; /* a later round */
		LIST_REMOVE(t, link);
		LIST_INSERT_HEAD(&due, t, link);
	}
	/* one at a time: a callback may clear any other timer, due ones included */
	while ((t = LIST_FIRST(&due))) {
		LIST_REMOVE(t, link);
		t->at_tick = 0;
		t->fn(t->arg);
	}
	if (LIST_EMPTY(slot))
		l->busy[tick % SLOTS / 64] &= ~(UINT64_C(1) << tick % 64);
}

static void
on_alarm(evutil_socket_t fd, short what, void *arg)
{
	struct loop *l = arg;
	uint64_t     now = loop_now_us(l) / TICK_US, tick;

	(void)fd;
	(void)what;
	l->armed_tick = 0; /* timer_set need not arm while we are at it */
	/* after a long stop each slot is visited once, not once for each tick missed */
	if (now - l->done_tick > SLOTS)
		l->done_tick = now - SLOTS;
	while ((tick = next_busy_tick(l)) <= now) {
		l->done_tick = tick;
		fire_slot(l, tick);
	}
	if (now > l->done_tick)
		l->done_tick = now;
	l->armed_tick = NEVER;
	tick = next_busy_tick(l);
	if (tick != NEVER)
		alarm_at(l, tick);
}

void
timer_init(struct timer *t, timer_fn *fn, void *arg)
{
	*t = (struct timer){.fn = fn, .arg = arg};
}

void
timer_set(struct loop *l, struct timer *t, uint64_t after_ms)
{
	uint64_t tick = (loop_now_us(l) + after_ms * 1000 + TICK_US - 1) / TICK_US, visit;

	timer_clear(t);
	if (tick <= l->done_tick)
		tick = l->done_tick + 1;
	t->at_tick = tick;
	LIST_INSERT_HEAD(&l->slot[tick % SLOTS], t, link);
	l->busy[tick % SLOTS / 64] |= UINT64_C(1) << tick % 64;
	/* the slot is next visited at most one round from now */
	visit = l->done_tick + 1 + (tick - l->done_tick - 1) % SLOTS;
	if (visit < l->armed_tick)
		alarm_at(l, visit);
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
loop_bury(struct loop *l, struct grave *g)
{
	g->next = l->graves;
	l->graves = g;
}

void
loop_hook_add(struct loop *l, struct loop_hook *h)
{
	TAILQ_INSERT_TAIL(&l->hooks, h, link);
}
