/* SPDX-License-Identifier: MIT */
#include "session/queue.h"

#include "session/session.h"
#include "session/way.h"

static void on_wake(void *arg, unsigned what);
static void on_look(void *arg);

void
queue_init(struct gateway *gw)
{
	TAILQ_INIT(&gw->queue.waiting);
	TAILQ_INIT(&gw->queue.due);
	watch_init_idle(&gw->queue.wake, gw->loop, on_wake, gw);
	timer_init(&gw->queue.timer, on_look, gw);
}

void
queue_clear(struct gateway *gw)
{
	watch_clear(&gw->queue.wake);
	timer_clear(&gw->queue.timer);
}

static bool
hold(struct session *s, const struct rule_way *way)
{
	if (!shared_hold(s->gw->shared, s->gw->worker, way->slot, way->max_connections))
		return false;
	s->held = (uint16_t)way->slot;
	return true;
}

void
queue_release(struct session *s)
{
	struct gateway *gw = s->gw;

	shared_release(gw->shared, gw->worker, s->held);
	s->held = 0;
	if (gw->queue.n)
		watch_again(&gw->queue.wake, WATCH_READ); /* not from here: whoever takes the place may end as well */
}

static void
join(struct session *s, uint32_t slot)
{
	struct queue *q = &s->gw->queue;

	s->wait.on = &q->waiting;
	s->wait.under = slot;
	s->wait.since_us = loop_now_us(s->gw->loop);
	TAILQ_INSERT_TAIL(&q->waiting, s, wait.link);
	q->n_of[slot]++;
	if (q->n++ == 0)
		timer_set(s->gw->loop, &q->timer, QUEUE_LOOK_MS);
	s->gw->count->queued++;
	s->gw->count->queued_total++;
}

void
queue_quit(struct session *s)
{
	struct queue *q = &s->gw->queue;

	TAILQ_REMOVE(s->wait.on, s, wait.link);
	s->wait.on = NULL;
	q->n_of[s->wait.under]--;
	if (--q->n == 0)
		timer_clear(&q->timer);
	s->gw->count->queued--;
	s->req->queue_ms = (uint32_t)((loop_now_us(s->gw->loop) - s->wait.since_us) / 1000);
}

static void
begin_wait(struct session *s, uint32_t slot)
{
	const struct queue *q = &s->gw->queue;
	uint64_t            most_ms = s->req->snap->set->queue_timeout_ms;

	if (!most_ms || q->n >= QUEUE_MOST || q->n_of[slot] >= QUEUE_MOST_OF_RULE) {
		reply_fault(s, FAULT_RULE_LIMIT);
		return;
	}
	session_move(s, SESSION_QUEUE);
	session_deadline(s, most_ms);
	join(s, slot);
	if (!head_settle(s))
		reply_fault(s, FAULT_NO_MEMORY);
}

bool
queue_pass(struct session *s)
{
	const struct rule_way *way = way_of(s->req);

	s->limited_by = (uint16_t)way->slot;
	if (!way->max_connections || !way->slot)
		return true;
	if (!s->gw->queue.n_of[way->slot] && hold(s, way))
		return true;
	begin_wait(s, way->slot);
	return false;
}

bool
queue_change(struct session *s)
{
	const struct rule_way *way = way_of(s->req);

	s->limited_by = (uint16_t)way->slot;
	if (s->held && s->held == way->slot)
		return true;
	if (s->held)
		queue_release(s);
	if (!way->max_connections || !way->slot || hold(s, way))
		return true;
	reply_fault(s, FAULT_RULE_LIMIT);
	return false;
}

void
queue_on_timeout(struct session *s)
{
	s->gw->count->queue_timeouts++;
	reply_fault(s, FAULT_QUEUE_TIMEOUT);
}

/* Give the places that are free to those who wait for them, in their order; then have those go on, of whom any may end any other. */
static void
look(struct gateway *gw)
{
	struct queue   *q = &gw->queue;
	struct session *s, *next;

	q->look++;
	for (s = TAILQ_FIRST(&q->waiting); s; s = next) {
		uint32_t slot = s->wait.under;
		next = TAILQ_NEXT(s, wait.link);
		if (q->full_at[slot] == q->look)
			continue;
		if (!hold(s, way_of(s->req))) {
			q->full_at[slot] = q->look;
			continue;
		}
		TAILQ_REMOVE(&q->waiting, s, wait.link);
		TAILQ_INSERT_TAIL(&q->due, s, wait.link);
		s->wait.on = &q->due;
	}
	while ((s = TAILQ_FIRST(&q->due))) {
		session_move(s, SESSION_GATE);
		reach_resume(s);
	}
}

static void
on_wake(void *arg, unsigned what)
{
	(void)what;
	look(arg);
}

static void
on_look(void *arg)
{
	struct gateway *gw = arg;

	timer_set(gw->loop, &gw->queue.timer, QUEUE_LOOK_MS);
	look(gw);
}
