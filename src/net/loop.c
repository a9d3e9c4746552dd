/* SPDX-License-Identifier: MIT */
#include "net/loop.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"

#define TICK_US 16000u
#define SLOTS   1024u /* power of two; timers further away than SLOTS ticks come round again */
#define NEVER   UINT64_MAX
#define BATCH   256 /* events of one turn */

LIST_HEAD(timer_list, timer);
TAILQ_HEAD(watch_list, watch);

struct loop {
	int           epoll;
	uint64_t      now_us; /* 0: not read in this turn */
	bool          stopped;
	struct grave *graves; /* to be freed at the end of the turn */
	TAILQ_HEAD(, loop_hook) hooks;

	struct epoll_event event[BATCH];
	int                n_events, at_event; /* while they are handed out */
	struct watch_list  again;

	/* timer wheel */
	struct timer_list slot[SLOTS];
	uint64_t          busy[SLOTS / 64]; /* bit: slot may hold a timer */
	uint64_t          done_tick;        /* all timers up to this tick have fired */
	uint64_t          next_tick;        /* the next slot to be visited; NEVER */
};

static void fire_due(struct loop *l);

struct loop *
loop_new(void)
{
	struct loop *l = calloc(1, sizeof *l);

	if (!l)
		return NULL;
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll < 0) {
		free(l);
		return NULL;
	}
	TAILQ_INIT(&l->hooks);
	TAILQ_INIT(&l->again);
	l->done_tick = clock_mono_us() / TICK_US;
	l->next_tick = NEVER;
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
	if (!l)
		return;
	bury_all(l);
	close(l->epoll);
	free(l);
}

/* How long the kernel may hold us: until the next timer, not at all when someone wants to be called again. */
static int
wait_ms(struct loop *l)
{
	uint64_t at, now;

	if (!TAILQ_EMPTY(&l->again))
		return 0;
	if (l->next_tick == NEVER)
		return -1;
	at = l->next_tick * TICK_US;
	now = clock_mono_us();
	return at <= now ? 0 : at - now > 3600000000u ? 3600000 : (int)((at - now + 999) / 1000);
}

static unsigned
what_of(uint32_t events)
{
	unsigned what = 0;

	if (events & (EPOLLIN | EPOLLPRI))
		what |= WATCH_READ;
	if (events & EPOLLOUT)
		what |= WATCH_WRITE;
	if (events & EPOLLRDHUP)
		what |= WATCH_READ | WATCH_CLOSED;
	if (events & (EPOLLERR | EPOLLHUP))
		what |= WATCH_READ | WATCH_WRITE | WATCH_CLOSED;
	return what;
}

/* Those of this turn only: who asks once more waits for the next. */
static void
call_again(struct loop *l)
{
	struct watch  end = {0};
	struct watch *w;

	if (TAILQ_EMPTY(&l->again))
		return;
	TAILQ_INSERT_TAIL(&l->again, &end, link);
	while ((w = TAILQ_FIRST(&l->again)) != &end) {
		unsigned what = w->again;
		TAILQ_REMOVE(&l->again, w, link);
		w->again = 0;
		w->fn(w->arg, what);
	}
	TAILQ_REMOVE(&l->again, &end, link);
}

void
loop_turn(struct loop *l)
{
	struct loop_hook *h;
	int               n = epoll_wait(l->epoll, l->event, BATCH, wait_ms(l));

	l->now_us = 0;
	l->n_events = n > 0 ? n : 0;
	for (l->at_event = 0; l->at_event < l->n_events;) {
		const struct epoll_event *e = &l->event[l->at_event++];
		struct watch             *w = e->data.ptr;
		if (w)
			w->fn(w->arg, what_of(e->events));
	}
	l->n_events = 0;
	call_again(l);
	fire_due(l);
	TAILQ_FOREACH(h, &l->hooks, link)
	h->fn(h->arg);
	bury_all(l);
	l->now_us = 0;
}

void
loop_run(struct loop *l)
{
	l->stopped = false;
	while (!l->stopped)
		loop_turn(l);
}

void
loop_stop(struct loop *l)
{
	l->stopped = true;
}

uint64_t
loop_now_us(struct loop *l)
{
	if (!l->now_us)
		l->now_us = clock_mono_us();
	return l->now_us;
}

static bool
watch_start(struct watch *w, struct loop *l, int fd, unsigned what, uint32_t how, watch_fn *fn, void *arg)
{
	struct epoll_event e = {.events = how, .data.ptr = w};

	if (what & WATCH_READ)
		e.events |= EPOLLIN;
	if (what & WATCH_WRITE)
		e.events |= EPOLLOUT;
	if (what & WATCH_CLOSED)
		e.events |= EPOLLRDHUP;
	*w = (struct watch){.fn = fn, .arg = arg, .fd = fd};
	if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &e) != 0)
		return false;
	w->loop = l;
	return true;
}

bool
watch_init(struct watch *w, struct loop *l, int fd, unsigned what, watch_fn *fn, void *arg)
{
	return watch_start(w, l, fd, what, EPOLLET, fn, arg);
}

bool
watch_init_level(struct watch *w, struct loop *l, int fd, unsigned what, watch_fn *fn, void *arg)
{
	return watch_start(w, l, fd, what, 0, fn, arg);
}

bool
watch_init_shared(struct watch *w, struct loop *l, int fd, watch_fn *fn, void *arg)
{
	return watch_start(w, l, fd, WATCH_READ, EPOLLEXCLUSIVE, fn, arg);
}

void
watch_init_idle(struct watch *w, struct loop *l, watch_fn *fn, void *arg)
{
	*w = (struct watch){.loop = l, .fn = fn, .arg = arg, .fd = -1};
}

void
watch_again(struct watch *w, unsigned what)
{
	if (!w->again)
		TAILQ_INSERT_TAIL(&w->loop->again, w, link);
	w->again |= what;
}

/* Nothing that still waits for `w` in this turn may reach it. */
static void
forget(struct loop *l, struct watch *w)
{
	for (int i = l->at_event; i < l->n_events; i++)
		if (l->event[i].data.ptr == w)
			l->event[i].data.ptr = NULL;
}

void
watch_clear(struct watch *w)
{
	if (w->loop && w->fd >= 0)
		epoll_ctl(w->loop->epoll, EPOLL_CTL_DEL, w->fd, NULL);
	watch_drop(w);
}

void
watch_drop(struct watch *w)
{
	struct loop *l = w->loop;

	if (!l)
		return;
	forget(l, w);
	if (w->again)
		TAILQ_REMOVE(&l->again, w, link);
	w->again = 0;
	w->loop = NULL;
}

bool
watch_is_set(const struct watch *w)
{
	return w->loop != NULL;
}

static void
on_signal(void *arg, unsigned what)
{
	struct signal_watch    *w = arg;
	struct signalfd_siginfo info;

	(void)what;
	if (read(w->watch.fd, &info, sizeof info) == sizeof info)
		w->fn(w->arg);
}

bool
signal_watch_init(struct signal_watch *w, struct loop *l, int signo, timer_fn *fn, void *arg)
{
	sigset_t one;
	int      fd;

	*w = (struct signal_watch){.fn = fn, .arg = arg};
	sigemptyset(&one);
	sigaddset(&one, signo);
	if (sigprocmask(SIG_BLOCK, &one, NULL) != 0 || (fd = signalfd(-1, &one, SFD_CLOEXEC | SFD_NONBLOCK)) < 0)
		return false;
	if (watch_init_level(&w->watch, l, fd, WATCH_READ, on_signal, w))
		return true;
	close(fd);
	return false;
}

void
signal_watch_clear(struct signal_watch *w)
{
	if (!watch_is_set(&w->watch))
		return;
	watch_clear(&w->watch);
	close(w->watch.fd);
}

/* --- timers --- */

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
fire_due(struct loop *l)
{
	uint64_t now, tick;

	if (l->next_tick == NEVER)
		return;
	now = loop_now_us(l) / TICK_US;
	if (now < l->next_tick)
		return;
	/* after a long stop each slot is visited once, not once for each tick missed */
	if (now - l->done_tick > SLOTS)
		l->done_tick = now - SLOTS;
	while ((tick = next_busy_tick(l)) <= now) {
		l->done_tick = tick;
		fire_slot(l, tick);
	}
	l->done_tick = now;
	l->next_tick = next_busy_tick(l);
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
	if (visit < l->next_tick)
		l->next_tick = visit;
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
