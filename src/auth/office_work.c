/* SPDX-License-Identifier: MIT */
#include "auth/office_inside.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

void
work_do(struct work *w, unsigned thread)
{
	const struct back_ops *ops = w->with->ops;
	char                   why[BACK_WHY_MAX] = "";

	if (w->packet) {
		ops->check(w->with->back, thread, &w->ask, &w->answer);
	} else if (w->names) {
		w->found = ops->names(w->with->back, w->names);
	} else {
		w->found = ops->ping(w->with->back, thread, why);
		answer_detail(&w->answer, "%s", why);
	}
}

void
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
	free(w->names);
	opened_unref(w->with);
	answer_clear(&w->answer);
	explicit_bzero(&w->lockout, sizeof w->lockout);
	free(w);
}

void
work_leave(struct work *w)
{
	struct office *o = w->office;

	if (w->state == WORK_QUEUED) {
		TAILQ_REMOVE(&o->queue, w, link);
		o->n_queue--;
		o->waiting[w->seat]--;
	} else if (w->state == WORK_HELD) {
		TAILQ_REMOVE(&o->held, w, link);
		o->n_held--;
	}
}

void
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

void
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
on_deadline(void *arg)
{
	struct work   *w = arg;
	struct office *o = w->office;
	uint64_t       in_back_ms = (clock_mono_us() - w->job.began_us) / 1000;
	char           why[80];
	struct answer  a = {.result = ASK_UNAVAILABLE};

	if (w->state != WORK_RUNNING) {
		o->c.shared->stats[o->c.kind].dropped++;
		work_refuse(w, ASK_UNAVAILABLE, 0, "its turn did not come in time");
		/* one user's asks wait for one another: nobody else may be there to find out */
		if (office_has_stuck(o))
			office_note_health(o, false, "what was asked before is stuck in it");
		return;
	}
	snprintf(why, sizeof why, "no answer within %" PRIu64 " ms", in_back_ms);
	answer_detail(&a, "%s", why);
	work_tell(w, &a);
	answer_clear(&a);
	w->answered = true; /* of a ping too */
	/* one that had waited long for its turn was given little time, which says nothing */
	if (w->probe || in_back_ms >= office_timeout_ms(o) / 2)
		office_note_health(o, false, why);
	w->probe = false;
}

void
work_done(struct work *w)
{
	struct office *o = w->office;
	struct answer *a = &w->answer;
	uint64_t       took_us = w->job.ended_us - w->job.began_us;

	timer_clear(&w->deadline);
	a->took_us = took_us > UINT32_MAX ? UINT32_MAX : (uint32_t)took_us;
	o->c.shared->stats[o->c.kind].busy_us += took_us;
	if (w->names) {
		/* found names are no proof that it can check anybody: it may have kept them */
		if (!w->found)
			office_note_health(o, false, "it does not tell what the domain calls this machine");
		o->c.names(o->c.arg, w->found ? w->names : NULL);
	} else if (!w->packet) {
		if (w->found || !w->answered)
			office_note_health(o, w->found, a->detail);
	} else if (a->result == ASK_OK || a->result == ASK_REFUSED || a->result == ASK_CONTINUE) {
		/* one that came late, of a back end that was thought dead, is good news too */
		office_note_health(o, true, "");
	} else if (a->result == ASK_UNAVAILABLE && !w->answered) {
		office_note_health(o, false, a->detail);
	} else if (w->probe) {
		breaker_retry(&o->breaker, loop_now_us(o->loop));
	}
	if (o->counts && w->packet)
		lockout_note(o->c.shared, &o->set, &w->lockout, &w->ask.client, a, lockout_now_s());
	work_tell(w, a);
}

bool
work_is_late(struct work *w)
{
	if (w->until_us > clock_mono_us())
		return false;
	on_deadline(w);
	return true;
}

bool
work_is_twin(const struct work *a, const struct work *b)
{
	return a->packet && b->packet && a->lockout.password && b->lockout.password && a->lockout.secret == b->lockout.secret &&
	    a->ask.wants_groups == b->ask.wants_groups && span_eq(a->ask.part[0], b->ask.part[0]) && span_eq(a->ask.part[1], b->ask.part[1]);
}

void
work_init(struct work *w, struct office *o)
{
	w->office = o;
	w->state = WORK_RUNNING;
	timer_init(&w->deadline, on_deadline, w);
	timer_init(&w->hold, on_deadline, w);
}
