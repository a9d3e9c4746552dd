/* SPDX-License-Identifier: MIT */
#include "auth/office_inside.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#include "base/clock.h"

/* --- is the back end well? --- */

static void
go_down(struct office *o, const char *why)
{
	snprintf(o->why, sizeof o->why, "%s", why[0] ? why : "it says not why");
	o->c.shared->stats[o->c.kind].is_down = 1;
	log_write_limited(&o->down, LOG_LEVEL_WARN, "this back end is down: %s; whoever needs it is refused (503) until it is back", o->why);
}

/* Without a ping the next ask after the pause is the probe. */
static void
arm_probe(struct office *o)
{
	uint64_t now_us = loop_now_us(o->loop);

	if (o->breaker.state == BREAKER_OPEN && o->c.ops->ping && o->breaker.until_us > now_us)
		timer_set(o->loop, &o->probe, (o->breaker.until_us - now_us) / 1000 + 1);
}

void
office_note_health(struct office *o, bool good, const char *why)
{
	uint64_t now_us = loop_now_us(o->loop);

	if (!good)
		log_write_limited(&o->trouble, LOG_LEVEL_INFO, "this back end could not answer: %s", why);
	if (breaker_note(&o->breaker, good, now_us)) {
		if (!good) {
			go_down(o, why);
		} else {
			o->c.shared->stats[o->c.kind].is_down = 0;
			log_write_limited(&o->back, LOG_LEVEL_INFO, "this back end is back, after %" PRIu64 " s", (now_us - o->breaker.since_us) / 1000000);
		}
	}
	arm_probe(o);
}

uint64_t
office_timeout_ms(const struct office *o)
{
	return o->set.timeout_ms ? o->set.timeout_ms : TIMEOUT_MS;
}

static bool
is_stuck(const struct office *o, unsigned thread)
{
	const struct pool_job *j = pool_job(o->pool, thread);

	return j && clock_mono_us() - j->began_us >= office_timeout_ms(o) * 1000;
}

bool
office_has_stuck(const struct office *o)
{
	for (unsigned i = 0; i < pool_threads(o->pool); i++)
		if (is_stuck(o, i))
			return true;
	return false;
}

/* Does a ping find out whether it is back? Not when the thread that pings will never come back itself. */
static bool
pings(const struct office *o)
{
	return o->c.ops->ping && !(pool_threads(o->pool) && is_stuck(o, 0));
}

/* Is every thread in the back end for longer than an ask may take? Then nothing is to be hoped for. */
static bool
all_stuck(const struct office *o)
{
	for (unsigned i = 0; i < pool_threads(o->pool); i++)
		if (!is_stuck(o, i))
			return false;
	return pool_threads(o->pool) > 0;
}

const char *
office_is_closed(struct office *o, uint64_t now_us)
{
	if (!o->opened)
		return o->why[0] ? o->why : NULL; /* about to be opened: they wait */
	if (all_stuck(o)) {
		if (breaker_trip(&o->breaker, now_us))
			go_down(o, "all its threads are stuck in it");
		arm_probe(o);
		return o->why;
	}
	if (o->breaker.state == BREAKER_CLOSED)
		return NULL;
	/* while it is down: a probe, and nobody who waits for its outcome */
	if (o->breaker.state == BREAKER_PROBING || pings(o) || now_us < o->breaker.until_us)
		return o->why;
	return NULL;
}

/* --- who is next --- */

static void
work_begin(struct work *w, int thread)
{
	struct office *o = w->office;

	work_leave(w);
	w->state = WORK_RUNNING;
	w->with = o->opened;
	w->with->refs++;
	if (thread >= 0) {
		pool_give(o->pool, (unsigned)thread, &w->job);
		return;
	}
	w->job.began_us = clock_mono_us();
	work_do(w, 0);
	w->job.ended_us = clock_mono_us();
	work_done(w);
	work_free(w);
}

/* Those with the same keys in the back end now. True: one of them tries this very password. */
static bool
count_under_way(const struct office *o, const struct work *w, unsigned *pair, unsigned *user)
{
	bool same = false;

	*pair = *user = 0;
	for (unsigned i = 0; i < pool_threads(o->pool); i++) {
		const struct work *r = (const struct work *)(const void *)pool_job(o->pool, i);
		if (!r || !r->lockout.counted || !w->lockout.counted)
			continue;
		*pair += r->lockout.pair == w->lockout.pair;
		*user += r->lockout.user == w->lockout.user;
		same |= work_is_twin(r, w);
	}
	return same;
}

enum lockout_verdict
office_judge(struct office *o, struct work *w)
{
	unsigned             pair, user;
	uint32_t             retry_after_s;
	bool                 same;
	enum lockout_verdict v;

	if (!o->counts)
		return LOCKOUT_ASK;
	same = count_under_way(o, w, &pair, &user);
	v = lockout_judge(o->c.shared, &o->set, &w->lockout, pair, user, lockout_now_s(), &retry_after_s);
	if (v == LOCKOUT_LIMITED)
		work_refuse(w, ASK_LIMITED, retry_after_s, "too many failed log-ons lately");
	else if (v == LOCKOUT_REFUSED)
		work_refuse(w, ASK_REFUSED, 0, "refused before; not asked again");
	return v == LOCKOUT_ASK && same ? LOCKOUT_WAIT : v;
}

/* Of IPv6 a network of 64 bits is one client. */
uint8_t
office_seat(const struct office *o, const struct addr *client)
{
	uint64_t seed;

	memcpy(&seed, o->c.shared->failed.key, sizeof seed);
	return (uint8_t)(XXH3_64bits_withSeed(client->b, addr_is_v4(client) ? sizeof client->b : 8, seed) % SEATS);
}

/* Of those that may be asked now the one whose client had its last turn longest ago. Those whose time is over may not. */
static struct work *
next_of_queue(struct office *o)
{
	struct work *w, *next, *best = NULL;

	for (w = TAILQ_FIRST(&o->queue); w; w = next) {
		next = TAILQ_NEXT(w, link);
		if (work_is_late(w) || (best && o->turn_of[w->seat] >= o->turn_of[best->seat]))
			continue;
		if (office_judge(o, w) == LOCKOUT_ASK)
			best = w;
	}
	return best;
}

bool
office_make_place(struct office *o, const struct work *w)
{
	unsigned     most = 0;
	struct work *last;

	for (unsigned i = 1; i < SEATS; i++)
		most = o->waiting[i] > o->waiting[most] ? i : most;
	if (o->waiting[most] <= o->waiting[w->seat] + 1)
		return false;
	last = TAILQ_LAST(&o->queue, work_list);
	while (last->seat != most)
		last = TAILQ_PREV(last, work_list, link);
	o->c.shared->stats[o->c.kind].dropped++;
	work_refuse(last, ASK_UNAVAILABLE, 0, "too many wait for it");
	return true;
}

void
office_refuse_queue(struct office *o)
{
	struct work *w;

	while ((w = TAILQ_FIRST(&o->queue)))
		work_refuse(w, ASK_UNAVAILABLE, 0, o->why);
}

void
office_dispatch(struct office *o)
{
	int          thread = -1;
	struct work *w;

	while (o->opened && (pool_threads(o->pool) == 0 || (thread = pool_idle(o->pool)) >= 0) && (w = next_of_queue(o))) {
		enum breaker_answer b = o->breaker.state != BREAKER_CLOSED && pings(o) ? BREAKER_NO : breaker_ask(&o->breaker, loop_now_us(o->loop));
		if (b == BREAKER_NO) {
			office_refuse_queue(o);
			return;
		}
		w->probe = b == BREAKER_PROBE;
		o->turn_of[w->seat] = ++o->turns;
		work_begin(w, thread);
	}
}

bool
office_find_names(struct office *o)
{
	bool         threads = pool_threads(o->pool) > 0;
	struct work *w;

	if (!o->opened || !o->c.names || !o->c.ops->names || (threads && pool_job(o->pool, 0)) || !(w = calloc(1, sizeof *w)))
		return false;
	work_init(w, o);
	w->answered = true; /* nobody waits */
	w->names = calloc(1, sizeof *w->names);
	if (!w->names) {
		work_free(w);
		return false;
	}
	work_begin(w, threads ? 0 : -1);
	return true;
}

/* --- probes --- */

void
office_on_probe(void *arg)
{
	struct office *o = arg;
	struct work   *w;

	if (o->breaker.state != BREAKER_OPEN)
		return;
	/* thread 0 is stuck, or the back end was closed: look again */
	if (!o->opened || (pool_threads(o->pool) && pool_job(o->pool, 0)) || !(w = calloc(1, sizeof *w))) {
		timer_set(o->loop, &o->probe, PING_AGAIN_MS);
		return;
	}
	if (breaker_ask(&o->breaker, loop_now_us(o->loop)) != BREAKER_PROBE) {
		free(w);
		timer_set(o->loop, &o->probe, PING_AGAIN_MS);
		return;
	}
	work_init(w, o);
	w->probe = true;
	if (pool_threads(o->pool))
		timer_set(o->loop, &w->deadline, office_timeout_ms(o));
	work_begin(w, pool_threads(o->pool) ? 0 : -1);
}

