/* SPDX-License-Identifier: MIT */
#include "auth/office.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <unistd.h>

#include "auth/breaker.h"
#include "auth/lockout.h"
#include "auth/wire.h"
#include "base/clock.h"
#include "base/log.h"

#define PING_AGAIN_MS 1000u
#define TIMEOUT_MS    5000u /* before there is a snapshot */

/* A back end, for as long as somebody checks with it. Counted by the loop's thread alone. */
struct opened {
	const struct back_ops *ops;
	struct back           *back;
	unsigned               refs;
};

enum work_state { WORK_HELD, WORK_QUEUED, WORK_RUNNING };

struct work {
	TAILQ_ENTRY(work) link; /* queue, or finished */
	struct office  *office;
	uint32_t        from;
	uint64_t        id;
	char           *packet; /* owned; the ask's parts point into it; null: a ping */
	size_t          n;
	struct ask      ask;
	struct lockout  lockout;
	enum work_state state;
	bool            answered; /* at its deadline; what the thread brings later only teaches us something */
	bool            probe;    /* the breaker waits for it */
	struct timer    deadline, hold;
	uint64_t        until_us, began_us;
	struct opened  *with;
	/* by the thread */
	bool            pinged;
	struct answer   answer;
	uint64_t        ended_us;
};
TAILQ_HEAD(work_list, work);

struct thread {
	pthread_t      id;
	struct office *office;
	unsigned       number;
	pthread_cond_t given;
	struct work   *work; /* null: idle. Set by the loop's thread, cleared by it too */
	bool           fresh; /* not begun yet */
};

struct office {
	struct loop         *loop;
	struct office_config c;
	struct opened       *opened; /* null: none */
	char                 why[BACK_WHY_MAX]; /* none, or down: why */
	struct auth_settings set;
	struct breaker       breaker;
	struct timer         probe;
	struct work_list     queue, held;
	unsigned             n_queue, n_held;
	size_t               bytes;
	struct log_limit     trouble, full;

	struct thread    thread[OFFICE_THREADS_MAX];
	unsigned         n_threads; /* started */
	int              wake_fd;
	struct watch     wake;
	pthread_mutex_t  lock; /* fresh, finished, leaving */
	struct work_list finished;
	bool             leaving;
	bool             counts; /* failed log-ons are counted: of directories, which lock accounts, and of files, at which one could guess for ever */
};

static void dispatch(struct office *o);

/* --- opened --- */

static void
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
		if (!o->opened)
			memcpy(o->why, why, sizeof o->why);
		free(b);
		return false;
	}
	b->ops = o->c.ops;
	b->refs = 1;
	opened_unref(o->opened);
	o->opened = b;
	return true;
}

bool
office_is_open(const struct office *o)
{
	return o->opened != NULL;
}

bool
office_names(const struct office *o, struct ntlm_names *out)
{
	return o->opened && o->c.ops->names && o->c.ops->names(o->opened->back, out);
}

/* --- threads --- */

static void
work_do(struct work *w, unsigned thread)
{
	const struct back_ops *ops = w->with->ops;
	char                   why[BACK_WHY_MAX] = "";

	if (w->packet) {
		ops->check(w->with->back, thread, &w->ask, &w->answer);
	} else {
		w->pinged = ops->ping(w->with->back, thread, why);
		answer_detail(&w->answer, "%s", why);
	}
	w->ended_us = clock_mono_us();
}

static void *
thread_main(void *arg)
{
	struct thread *t = arg;
	struct office *o = t->office;
	uint64_t       one = 1;

	pthread_mutex_lock(&o->lock);
	for (;;) {
		while (!t->fresh && !o->leaving)
			pthread_cond_wait(&t->given, &o->lock);
		if (o->leaving)
			break;
		t->fresh = false;
		struct work *w = t->work;
		pthread_mutex_unlock(&o->lock);
		work_do(w, t->number);
		pthread_mutex_lock(&o->lock);
		TAILQ_INSERT_TAIL(&o->finished, w, link);
		if (write(o->wake_fd, &one, sizeof one) < 0 && errno != EAGAIN)
			log_error("an eventfd cannot be written: %s", strerror(errno)); /* cannot be; the next one brings both */
	}
	pthread_mutex_unlock(&o->lock);
	return NULL;
}

/* --- the life of an ask --- */

static void
work_free(struct work *w)
{
	struct office *o = w->office;

	timer_clear(&w->deadline);
	timer_clear(&w->hold);
	if (w->packet) {
		explicit_bzero(w->packet, w->n);
		free(w->packet);
		o->bytes -= w->n;
	}
	opened_unref(w->with);
	answer_clear(&w->answer);
	explicit_bzero(&w->lockout, sizeof w->lockout);
	free(w);
}

static void
work_leave(struct work *w)
{
	struct office *o = w->office;

	if (w->state == WORK_QUEUED) {
		TAILQ_REMOVE(&o->queue, w, link);
		o->n_queue--;
	} else if (w->state == WORK_HELD) {
		TAILQ_REMOVE(&o->held, w, link);
		o->n_held--;
	}
}

/* The only way that an answer goes out. */
static void
work_tell(struct work *w, const struct answer *a)
{
	struct office     *o = w->office;
	struct auth_stats *s = &o->c.shared->stats[o->c.kind];

	if (w->answered || !w->packet)
		return;
	w->answered = true;
	timer_clear(&w->deadline);
	switch (a->result) {
	case ASK_OK:
	case ASK_CONTINUE:
		s->ok++;
		break;
	case ASK_REFUSED:
		s->refused++;
		break;
	case ASK_BAD_TOKEN:
		s->bad++;
		break;
	case ASK_LIMITED:
		s->limited++;
		break;
	default:
		s->unavailable++;
		break;
	}
	o->c.answer(o->c.arg, w->from, w->id, a);
}

/* An answer of our own: the back end has not been asked. */
static void
work_refuse(struct work *w, enum ask_result result, uint32_t retry_after_s, const char *why)
{
	struct answer a = {.result = result, .retry_after_s = retry_after_s};

	answer_detail(&a, "%s", why);
	work_leave(w);
	work_tell(w, &a);
	answer_clear(&a);
	work_free(w);
}

static void
go_down(struct office *o, const char *why)
{
	snprintf(o->why, sizeof o->why, "%s", why[0] ? why : "it says not why");
	o->c.shared->stats[o->c.kind].is_down = 1;
	log_warn("this back end is down: %s; whoever needs it is refused (503) until it is back", o->why);
}

/* Without a ping the next ask after the pause is the probe. */
static void
arm_probe(struct office *o)
{
	uint64_t now_us = loop_now_us(o->loop);

	if (o->breaker.state == BREAKER_OPEN && o->c.ops->ping && o->breaker.until_us > now_us)
		timer_set(o->loop, &o->probe, (o->breaker.until_us - now_us) / 1000 + 1);
}

/* What an answer, or the lack of one, says about the back end. */
static void
note_health(struct office *o, bool good, const char *why)
{
	uint64_t now_us = loop_now_us(o->loop);

	if (!good)
		log_write_limited(&o->trouble, LOG_LEVEL_INFO, "this back end could not answer: %s", why);
	if (breaker_note(&o->breaker, good, now_us)) {
		if (!good) {
			go_down(o, why);
		} else {
			o->c.shared->stats[o->c.kind].is_down = 0;
			log_info("this back end is back, after %" PRIu64 " s", (now_us - o->breaker.since_us) / 1000000);
		}
	}
	arm_probe(o);
}

static uint64_t
timeout_ms(const struct office *o)
{
	return o->set.timeout_ms ? o->set.timeout_ms : TIMEOUT_MS;
}

static bool
is_stuck(const struct office *o, const struct thread *t)
{
	return t->work && clock_mono_us() - t->work->began_us >= timeout_ms(o) * 1000;
}

/* Does a ping find out whether it is back? Not when the thread that pings will never come back itself. */
static bool
pings(const struct office *o)
{
	return o->c.ops->ping && !(o->n_threads && is_stuck(o, &o->thread[0]));
}

static void
on_deadline(void *arg)
{
	struct work   *w = arg;
	struct office *o = w->office;
	uint64_t       in_back_ms = (clock_mono_us() - w->began_us) / 1000;
	char           why[80];
	struct answer  a = {.result = ASK_UNAVAILABLE};

	if (w->state != WORK_RUNNING) {
		o->c.shared->stats[o->c.kind].dropped++;
		work_refuse(w, ASK_UNAVAILABLE, 0, "its turn did not come in time");
		return;
	}
	snprintf(why, sizeof why, "no answer within %" PRIu64 " ms", in_back_ms);
	answer_detail(&a, "%s", why);
	work_tell(w, &a);
	answer_clear(&a);
	w->answered = true; /* of a ping too */
	/* one that had waited long for its turn was given little time, which says nothing */
	if (w->probe || in_back_ms >= timeout_ms(o) / 2)
		note_health(o, false, why);
	w->probe = false;
}

/* The thread brought it back. */
static void
work_done(struct work *w)
{
	struct office *o = w->office;
	struct answer *a = &w->answer;
	uint64_t       took_us = w->ended_us - w->began_us;

	timer_clear(&w->deadline);
	a->took_us = took_us > UINT32_MAX ? UINT32_MAX : (uint32_t)took_us;
	o->c.shared->stats[o->c.kind].busy_us += took_us;
	if (!w->packet) {
		if (w->pinged || !w->answered)
			note_health(o, w->pinged, a->detail);
	} else if (a->result == ASK_OK || a->result == ASK_REFUSED || a->result == ASK_CONTINUE) {
		/* one that came late, of a back end that was thought dead, is good news too */
		note_health(o, true, "");
	} else if (a->result == ASK_UNAVAILABLE && !w->answered) {
		note_health(o, false, a->detail);
	} else if (w->probe) {
		breaker_retry(&o->breaker, loop_now_us(o->loop));
	}
	if (o->counts && w->packet)
		lockout_note(o->c.shared, &o->set, &w->lockout, &w->ask.client, a, lockout_now_s());
	work_tell(w, a);
}

static bool
same_basic(const struct work *a, const struct work *b)
{
	return a->packet && b->packet && a->lockout.password && b->lockout.password && a->lockout.secret == b->lockout.secret &&
	    a->ask.wants_groups == b->ask.wants_groups && span_eq(a->ask.part[0], b->ask.part[0]) && span_eq(a->ask.part[1], b->ask.part[1]);
}

/* A browser opens many connections at once, all with the same password: one check is enough for those that wait. */
static void
share_answer(struct office *o, const struct work *done)
{
	struct work *w, *next;

	for (w = TAILQ_FIRST(&o->queue); done->answer.result == ASK_OK && w; w = next) {
		next = TAILQ_NEXT(w, link);
		if (!same_basic(w, done))
			continue;
		lockout_note(o->c.shared, &o->set, &w->lockout, &w->ask.client, &done->answer, lockout_now_s());
		work_leave(w);
		work_tell(w, &done->answer);
		work_free(w);
	}
}

static void
on_finished(void *arg, unsigned what)
{
	struct office *o = arg;
	uint64_t       n;
	struct work   *w;

	(void)what;
	if (read(o->wake_fd, &n, sizeof n) < 0 && errno != EAGAIN)
		log_error("an eventfd cannot be read: %s", strerror(errno));
	for (;;) {
		pthread_mutex_lock(&o->lock);
		w = TAILQ_FIRST(&o->finished);
		if (w)
			TAILQ_REMOVE(&o->finished, w, link);
		for (unsigned i = 0; w && i < o->n_threads; i++)
			if (o->thread[i].work == w)
				o->thread[i].work = NULL;
		pthread_mutex_unlock(&o->lock);
		if (!w)
			break;
		work_done(w);
		share_answer(o, w);
		work_free(w);
	}
	dispatch(o);
}

/* --- who is next --- */

static void
work_begin(struct work *w, struct thread *t)
{
	struct office *o = w->office;

	work_leave(w);
	w->state = WORK_RUNNING;
	w->began_us = clock_mono_us();
	w->with = o->opened;
	w->with->refs++;
	if (!t) {
		work_do(w, 0);
		work_done(w);
		work_free(w);
		return;
	}
	pthread_mutex_lock(&o->lock);
	t->work = w;
	t->fresh = true;
	pthread_cond_signal(&t->given);
	pthread_mutex_unlock(&o->lock);
}

/* Those with the same keys in the back end now. True: one of them tries this very password. */
static bool
count_under_way(const struct office *o, const struct work *w, unsigned *pair, unsigned *user)
{
	bool same = false;

	*pair = *user = 0;
	for (unsigned i = 0; i < o->n_threads; i++) {
		const struct work *r = o->thread[i].work;
		if (!r || !r->lockout.counted || !w->lockout.counted)
			continue;
		*pair += r->lockout.pair == w->lockout.pair;
		*user += r->lockout.user == w->lockout.user;
		same |= same_basic(r, w);
	}
	return same;
}

/* Settles what need not be asked; else says whether it may be asked now (LOCKOUT_ASK) or has to wait. The work is gone when it is neither. */
static enum lockout_verdict
judge(struct office *o, struct work *w)
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

/* The first that may be asked now. Those whose time is over are not. */
static struct work *
next_of_queue(struct office *o)
{
	struct work *w, *next;

	for (w = TAILQ_FIRST(&o->queue); w; w = next) {
		next = TAILQ_NEXT(w, link);
		if (w->until_us <= clock_mono_us()) {
			on_deadline(w);
			continue;
		}
		if (judge(o, w) == LOCKOUT_ASK)
			return w;
	}
	return NULL;
}

static void
refuse_queue(struct office *o)
{
	struct work *w;

	while ((w = TAILQ_FIRST(&o->queue)))
		work_refuse(w, ASK_UNAVAILABLE, 0, o->why);
}

/* Is every thread in the back end for longer than an ask may take? Then nothing is to be hoped for. */
static bool
all_stuck(const struct office *o)
{
	for (unsigned i = 0; i < o->n_threads; i++)
		if (!is_stuck(o, &o->thread[i]))
			return false;
	return o->n_threads > 0;
}

static struct thread *
idle_thread(struct office *o)
{
	for (unsigned i = o->n_threads; i-- > 0;) /* the first one last: a ping needs it */
		if (!o->thread[i].work)
			return &o->thread[i];
	return NULL;
}

static void
dispatch(struct office *o)
{
	struct thread *t = NULL;
	struct work   *w;

	while (o->opened && (o->n_threads == 0 || (t = idle_thread(o))) && (w = next_of_queue(o))) {
		enum breaker_answer b = o->breaker.state != BREAKER_CLOSED && pings(o) ? BREAKER_NO : breaker_ask(&o->breaker, loop_now_us(o->loop));
		if (b == BREAKER_NO) {
			refuse_queue(o);
			return;
		}
		w->probe = b == BREAKER_PROBE;
		work_begin(w, t);
	}
}

/* --- probes --- */

static void
on_probe(void *arg)
{
	struct office *o = arg;
	struct work   *w;

	if (o->breaker.state != BREAKER_OPEN)
		return;
	/* thread 0 is stuck, or the back end was closed: look again */
	if (!o->opened || (o->n_threads && o->thread[0].work) || !(w = calloc(1, sizeof *w))) {
		timer_set(o->loop, &o->probe, PING_AGAIN_MS);
		return;
	}
	if (breaker_ask(&o->breaker, loop_now_us(o->loop)) != BREAKER_PROBE) {
		free(w);
		timer_set(o->loop, &o->probe, PING_AGAIN_MS);
		return;
	}
	w->office = o;
	w->state = WORK_RUNNING;
	w->probe = true;
	timer_init(&w->deadline, on_deadline, w);
	timer_init(&w->hold, on_deadline, w);
	if (o->n_threads)
		timer_set(o->loop, &w->deadline, timeout_ms(o));
	work_begin(w, o->n_threads ? &o->thread[0] : NULL);
}

/* --- asks come --- */

static void
enqueue(struct work *w)
{
	struct office *o = w->office;

	w->state = WORK_QUEUED;
	TAILQ_INSERT_TAIL(&o->queue, w, link);
	o->n_queue++;
	dispatch(o);
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

/* Why it cannot be taken now. Null: it can. */
static const char *
is_closed(struct office *o, uint64_t now_us)
{
	if (!o->opened)
		return o->why[0] ? o->why : "it is not open yet";
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

static void
take(struct work *w)
{
	struct office *o = w->office;
	uint64_t       now_us = clock_mono_us();
	const char    *closed = is_closed(o, now_us);
	uint32_t       delay_ms;

	if (closed) {
		work_refuse(w, ASK_UNAVAILABLE, 0, closed);
		return;
	}
	if (o->n_queue >= (o->set.queue ? o->set.queue : 1) || o->bytes > OFFICE_BYTES_MAX) {
		o->c.shared->stats[o->c.kind].dropped++;
		log_write_limited(&o->full, LOG_LEVEL_WARN, "%u asks wait already: more are refused (503)", o->n_queue);
		work_refuse(w, ASK_UNAVAILABLE, 0, "too many wait for it");
		return;
	}
	if (o->counts) {
		lockout_keys(o->c.shared, o->c.kind, &w->ask, &w->lockout);
		enum lockout_verdict v = judge(o, w);
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
	*w = (struct work){.office = o, .from = from, .packet = copy, .n = n, .state = WORK_RUNNING};
	timer_init(&w->deadline, on_deadline, w);
	timer_init(&w->hold, on_hold, w);
	o->bytes += n;
	if (!wire_get_ask(copy, n, &w->id, &w->ask)) {
		work_free(w);
		return false;
	}
	o->c.shared->stats[o->c.kind].asked++;
	told_us = wire_deadline(copy);
	w->until_us = now_us + (w->ask.timeout_ms < timeout_ms(o) ? w->ask.timeout_ms : timeout_ms(o)) * 1000;
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

static bool
start_threads(struct office *o)
{
	unsigned n = o->c.ops->threads < OFFICE_THREADS_MAX ? o->c.ops->threads : OFFICE_THREADS_MAX;

	for (unsigned i = 0; i < n; i++) {
		struct thread *t = &o->thread[i];
		t->office = o;
		t->number = i;
		if (pthread_cond_init(&t->given, NULL) != 0)
			break;
		if (pthread_create(&t->id, NULL, thread_main, t) != 0) {
			pthread_cond_destroy(&t->given);
			break;
		}
		o->n_threads++;
	}
	return n == 0 || o->n_threads > 0; /* fewer are slower, no more */
}

struct office *
office_new(struct loop *loop, const struct office_config *c)
{
	struct office *o = calloc(1, sizeof *o);

	if (!o)
		return NULL;
	o->loop = loop;
	o->c = *c;
	o->counts = c->ops->counts || c->kind == BACK_NTLM_FILE || c->kind == BACK_BASIC_FILE;
	TAILQ_INIT(&o->queue);
	TAILQ_INIT(&o->held);
	TAILQ_INIT(&o->finished);
	timer_init(&o->probe, on_probe, o);
	pthread_mutex_init(&o->lock, NULL);
	o->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	c->shared->stats[c->kind].is_down = 0; /* whatever the one before thought */
	if (o->wake_fd < 0 || !watch_init_level(&o->wake, loop, o->wake_fd, WATCH_READ, on_finished, o) || !start_threads(o)) {
		office_free(o);
		return NULL;
	}
	return o;
}

bool
office_is_busy(const struct office *o)
{
	for (unsigned i = 0; o && i < o->n_threads; i++)
		if (o->thread[i].work)
			return true;
	return false;
}

bool
office_is_idle(const struct office *o)
{
	for (unsigned i = 0; i < o->n_threads; i++)
		if (o->thread[i].work && !o->thread[i].work->answered)
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
	pthread_mutex_lock(&o->lock);
	o->leaving = true;
	for (unsigned i = 0; i < o->n_threads; i++)
		pthread_cond_signal(&o->thread[i].given);
	pthread_mutex_unlock(&o->lock);
	for (unsigned i = 0; i < o->n_threads; i++) {
		pthread_join(o->thread[i].id, NULL);
		pthread_cond_destroy(&o->thread[i].given);
		if (o->thread[i].fresh)
			TAILQ_INSERT_TAIL(&o->finished, o->thread[i].work, link); /* given, and never begun */
	}
	free_all(&o->finished);
	free_all(&o->queue);
	free_all(&o->held);
	timer_clear(&o->probe);
	watch_clear(&o->wake);
	if (o->wake_fd >= 0)
		close(o->wake_fd);
	opened_unref(o->opened);
	pthread_mutex_destroy(&o->lock);
	free(o);
}
