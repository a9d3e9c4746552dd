/* SPDX-License-Identifier: MIT */
#include "auth/office_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auth/wire.h"
#include "base/clock.h"

/* --- the back end --- */

void
opened_unref(struct opened *b)
{
	if (!b || --b->refs)
		return;
	b->ops->close(b->back);
	free(b);
}

bool
office_open(struct office *o, const struct snapshot *snap, int fd, char why[BACK_WHY_MAX])
{
	struct opened *b = calloc(1, sizeof *b);

	why[0] = '\0';
	o->set = snap->set->auth;
	if (fd >= 0)
		lseek(fd, 0, SEEK_SET);
	if (b)
		b->back = o->c.ops->open(snap, fd, why);
	if (!b || !b->back) {
		if (!b)
			snprintf(why, BACK_WHY_MAX, "out of memory");
		free(b);
		if (!o->opened) {
			snprintf(o->why, sizeof o->why, "%s", why[0] ? why : "it says not why");
			office_refuse_queue(o);
		}
		return false;
	}
	b->ops = o->c.ops;
	b->refs = 1;
	opened_unref(o->opened);
	o->opened = b;
	office_dispatch(o);
	return true;
}

bool
office_is_open(const struct office *o)
{
	return o->opened != NULL;
}

/* --- what the threads bring --- */

static struct work *
work_of(struct pool_job *j)
{
	return (struct work *)(void *)j;
}

/* In the thread. */
static void
on_run(void *arg, struct pool_job *j, unsigned thread)
{
	(void)arg;
	work_do(work_of(j), thread);
}

/* A browser opens many connections at once, all with the same password: one check is enough for those that wait. */
static void
share_answer(struct office *o, const struct work *done)
{
	struct work *w, *next;

	for (w = TAILQ_FIRST(&o->queue); done->answer.result == ASK_OK && w; w = next) {
		next = TAILQ_NEXT(w, link);
		if (!work_is_twin(w, done))
			continue;
		lockout_note(o->c.shared, &o->set, &w->lockout, &w->ask.client, &done->answer, lockout_now_s());
		work_leave(w);
		work_tell(w, &done->answer);
		work_free(w);
	}
}

static void
on_work_done(void *arg, struct pool_job *j)
{
	work_done(work_of(j));
	share_answer(arg, work_of(j));
	work_free(work_of(j));
}

static void
on_settled(void *arg)
{
	office_dispatch(arg);
}

static void
on_dropped(void *arg, struct pool_job *j)
{
	(void)arg;
	work_free(work_of(j));
}

/* --- asks come --- */

static void
enqueue(struct work *w)
{
	struct office *o = w->office;

	w->state = WORK_QUEUED;
	TAILQ_INSERT_TAIL(&o->queue, w, link);
	o->n_queue++;
	o->waiting[w->seat]++;
	office_dispatch(o);
}

static void
on_hold(void *arg)
{
	struct work *w = arg;

	work_leave(w);
	enqueue(w);
}

/* The tarpit. Each who waits in it costs a few hundred bytes and no thread. */
static void
hold(struct work *w, uint32_t delay_ms, uint64_t now_us)
{
	struct office *o = w->office;

	if (o->n_held >= OFFICE_HELD_MAX || w->until_us < now_us + delay_ms * 1000ull) {
		work_refuse(w, ASK_LIMITED, (delay_ms + 999) / 1000, "failed a moment ago, and too many such log-ons wait");
		return;
	}
	w->state = WORK_HELD;
	TAILQ_INSERT_TAIL(&o->held, w, link);
	o->n_held++;
	timer_set(o->loop, &w->hold, delay_ms);
}

static bool
is_full(const struct office *o)
{
	return o->n_queue >= (o->set.queue ? o->set.queue : QUEUE) || o->bytes > OFFICE_BYTES_MAX;
}

static void
take(struct work *w)
{
	struct office *o = w->office;
	uint64_t       now_us = clock_mono_us();
	const char    *closed = office_is_closed(o, now_us);
	uint32_t       delay_ms;

	if (closed) {
		work_refuse(w, ASK_UNAVAILABLE, 0, closed);
		return;
	}
	if (is_full(o) && !(office_make_place(o, w) && !is_full(o))) {
		o->c.shared->stats[o->c.kind].dropped++;
		log_write_limited(&o->full, LOG_LEVEL_WARN, "%u asks wait already: more are refused (503)", o->n_queue);
		work_refuse(w, ASK_UNAVAILABLE, 0, "too many wait for it");
		return;
	}
	if (o->counts) {
		lockout_keys(o->c.shared, o->c.kind, &w->ask, &w->lockout);
		enum lockout_verdict v = office_judge(o, w);
		if (v == LOCKOUT_LIMITED || v == LOCKOUT_REFUSED)
			return;
		delay_ms = lockout_delay_ms(o->c.shared, &w->lockout, lockout_now_s());
		if (delay_ms) {
			hold(w, delay_ms, now_us);
			return;
		}
	}
	enqueue(w);
}

bool
office_ask(struct office *o, uint32_t from, const void *packet, size_t n)
{
	struct work *w = calloc(1, sizeof *w);
	char        *copy = malloc(n ? n : 1);
	uint64_t     now_us = clock_mono_us(), told_us;

	if (!w || !copy) { /* its asker's own deadline has to do */
		free(w);
		free(copy);
		return true;
	}
	memcpy(copy, packet, n);
	work_init(w, o);
	timer_init(&w->hold, on_hold, w);
	w->from = from;
	w->packet = copy;
	w->n = n;
	o->bytes += n;
	if (!wire_get_ask(copy, n, &w->id, &w->ask)) {
		work_free(w);
		return false;
	}
	w->seat = office_seat(o, &w->ask.client);
	o->c.shared->stats[o->c.kind].asked++;
	told_us = wire_deadline(copy);
	w->until_us = now_us + (w->ask.timeout_ms < office_timeout_ms(o) ? w->ask.timeout_ms : office_timeout_ms(o)) * 1000;
	if (told_us && told_us < w->until_us)
		w->until_us = told_us;
	if (w->until_us <= now_us) {
		o->c.shared->stats[o->c.kind].dropped++;
		work_refuse(w, ASK_UNAVAILABLE, 0, "it came too late");
		return true;
	}
	timer_set(o->loop, &w->deadline, (w->until_us - now_us) / 1000);
	take(w);
	return true;
}

/* --- beginning and end --- */

struct office *
office_new(struct loop *loop, const struct office_config *c)
{
	struct office     *o = calloc(1, sizeof *o);
	struct pool_config pool = {.threads = c->ops->threads, .run = on_run, .done = on_work_done, .settled = on_settled, .arg = o};

	if (!o)
		return NULL;
	o->loop = loop;
	o->c = *c;
	o->counts = c->ops->counts || c->kind == BACK_NTLM_FILE || c->kind == BACK_BASIC_FILE;
	TAILQ_INIT(&o->queue);
	TAILQ_INIT(&o->held);
	timer_init(&o->probe, office_on_probe, o);
	c->shared->stats[c->kind].is_down = 0; /* whatever the one before thought */
	o->pool = pool_new(loop, &pool);
	if (!o->pool) {
		office_free(o);
		return NULL;
	}
	return o;
}

bool
office_is_busy(const struct office *o)
{
	for (unsigned i = 0; o && i < pool_threads(o->pool); i++)
		if (pool_job(o->pool, i))
			return true;
	return false;
}

bool
office_is_idle(const struct office *o)
{
	for (unsigned i = 0; i < pool_threads(o->pool); i++)
		if (pool_job(o->pool, i) && !work_of(pool_job(o->pool, i))->answered)
			return false;
	return o->n_queue == 0 && o->n_held == 0;
}

static void
free_all(struct work_list *l)
{
	struct work *w;

	while ((w = TAILQ_FIRST(l))) {
		TAILQ_REMOVE(l, w, link);
		work_free(w);
	}
}

void
office_free(struct office *o)
{
	if (!o)
		return;
	pool_free(o->pool, on_dropped);
	free_all(&o->queue);
	free_all(&o->held);
	timer_clear(&o->probe);
	opened_unref(o->opened);
	free(o);
}
