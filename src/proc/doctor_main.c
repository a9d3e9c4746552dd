/* SPDX-License-Identifier: MIT */
/*
 * doctor_main: the doctor process: tests the endpoints of bypass rules every interval, and puts what it found on the board. Has no file, no key, no traffic and
 * none of the counters; everything that it needs comes as bytes from the parent. Nobody waits for it.
 * Always true: one run at a time; a run ends by the plan and snapshot that it began with.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "auth/parent_secret.h"
#include "base/clock.h"
#include "base/log.h"
#include "doctor/changes.h"
#include "doctor/plan.h"
#include "proc/child.h"
#include "proc/roles.h"
#include "proc/sandbox.h"
#include "tls/context.h"

#define FIRST_MS    1500u  /* after the start, or a reload that changed the plan: workers are there then */
#define SPREAD_MS   60000u /* the most that chance adds or takes */
#define AGAIN_MS    60000u /* after a run that could not begin */

/* What a run goes by. */
struct orders {
	const struct doctor_plan *plan;   /* null: none yet */
	struct snapshot          *snap;
	struct snapshot_secret    secret[DOCTOR_PARENTS_MAX]; /* of the plan's parents; wiped */
};

struct doctor_main {
	struct child           child;
	struct doctor_board   *board;
	struct orders          now, next; /* next: came while a run was under way, or its plan before its snapshot */
	bool                   has_next;
	struct doctor         *run; /* null: none is under way */
	struct doctor_settings settings;
	const char           **issuer; /* owned, the settings' */
	struct doctor_report  *report, *before; /* owned; of the run under way, and of the last one */
	uint64_t               began_us;
	struct timer           begin;
	struct log_limit       failed_limit;
};

static void
orders_clear(struct orders *o)
{
	doctor_plan_unmap(o->plan);
	snapshot_unref(o->snap);
	explicit_bzero(o->secret, sizeof o->secret);
	*o = (struct orders){0};
}

/* --- when --- */

static uint64_t
chance(uint64_t below)
{
	uint64_t n = 0;

	if (below == 0 || getrandom(&n, sizeof n, GRND_NONBLOCK) != sizeof n)
		return 0;
	return n % below;
}

static void
begin_in(struct doctor_main *d, uint64_t ms)
{
	atomic_store(&d->board->next_s, (int64_t)(clock_real_us() / 1000000 + (ms + 999) / 1000));
	timer_set(d->child.loop, &d->begin, ms);
}

/* Soon, but many gateways that start together do not ask together. */
static void
begin_soon(struct doctor_main *d)
{
	uint64_t interval = d->now.plan->interval_ms, ms = interval < FIRST_MS ? interval : FIRST_MS;

	begin_in(d, ms + chance(interval / 10 < FIRST_MS ? interval / 10 : FIRST_MS));
}

static void
begin_next(struct doctor_main *d)
{
	uint64_t interval = d->now.plan->interval_ms, spread = interval / 10 < SPREAD_MS ? interval / 10 : SPREAD_MS;

	begin_in(d, interval - spread / 2 + chance(spread));
}

/* --- a run --- */

/* What came meanwhile is used from now on. */
static void
take_next(struct doctor_main *d)
{
	bool same;

	if (!d->has_next || d->run)
		return;
	same = d->now.plan && doctor_plan_same(d->now.plan, d->next.plan);
	orders_clear(&d->now);
	d->now = d->next;
	d->next.plan = NULL; /* its plan and snapshot are `now`'s */
	d->next.snap = NULL;
	orders_clear(&d->next);
	d->has_next = false;
	log_threshold((enum log_level)d->now.snap->set->log_level);
	if (!same || d->begin.at_tick == 0)
		begin_soon(d);
}

static void
publish(struct doctor_main *d)
{
	struct doctor_report *r = d->report;

	r->number = d->before->number + 1;
	r->ended_s = (int64_t)(clock_real_us() / 1000000);
	r->took_ms = (clock_mono_us() - d->began_us) / 1000;
	doctor_changes(d->before->number ? d->before : NULL, r);
	atomic_store(&d->board->running, 0);
	doctor_board_write(d->board, r);
	d->report = d->before;
	d->before = r;
	child_say(MSG_DONE, r->number);
}

static void
on_row(void *arg, const struct doctor_row *row)
{
	struct doctor_main *d = arg;

	if (d->report->n_rows < DOCTOR_ROWS_MAX)
		d->report->row[d->report->n_rows++] = *row;
	atomic_store(&d->board->running, d->report->n_rows + 1);
}

static void
on_done(void *arg)
{
	struct doctor_main *d = arg;

	doctor_free(d->run);
	d->run = NULL;
	free(d->issuer);
	d->issuer = NULL;
	publish(d);
	begin_next(d);
	take_next(d);
}

/* The one before stays on the board, with why there is none after it. */
static void
could_not(struct doctor_main *d, const char *why)
{
	log_write_limited(&d->failed_limit, LOG_LEVEL_WARN, "endpoints cannot be tested: %s", why);
	snprintf(d->before->failed, sizeof d->before->failed, "%s", why);
	d->before->interval_s = d->now.plan->interval_ms / 1000;
	doctor_board_write(d->board, d->before);
	free(d->issuer);
	d->issuer = NULL;
	begin_in(d, d->now.plan->interval_ms < AGAIN_MS ? d->now.plan->interval_ms : AGAIN_MS);
}

static uint32_t
rows_of(const struct doctor_plan *p)
{
	const struct doctor_target *t = doctor_plan_targets(p);
	uint32_t                    n = 0;

	for (uint32_t i = 0; i < p->targets.n; i++)
		for (unsigned lane = 0; lane < p->n_parents + 2; lane++)
			n += doctor_lane_is_of(lane, p->n_parents, &t[i]);
	return n;
}

static void
on_begin(void *arg)
{
	struct doctor_main       *d = arg;
	const struct doctor_plan *p = d->now.plan;
	struct doctor_report     *r = d->report;
	char                      why[200] = "out of memory";

	memset(r, 0, offsetof(struct doctor_report, row)); /* of which as many count as there are */
	r->began_s = (int64_t)(clock_real_us() / 1000000);
	r->interval_s = p->interval_ms / 1000;
	r->n_parents = p->n_parents;
	for (uint32_t i = 0; i < p->n_parents; i++)
		snprintf(r->parent[i], sizeof r->parent[i], "%s", doctor_plan_parent(p, i));
	r->more = p->more;
	r->n_targets = p->targets.n;
	memcpy(r->target, doctor_plan_targets(p), p->targets.n * sizeof *r->target);
	d->began_us = clock_mono_us();
	d->issuer = calloc(p->issuers.n + 1, sizeof *d->issuer);
	if (!d->issuer) {
		could_not(d, why);
		return;
	}
	doctor_plan_settings(p, d->now.snap, d->now.secret, d->issuer, &d->settings);
	atomic_store(&d->board->running_of, rows_of(p));
	atomic_store(&d->board->running, 1);
	d->run = doctor_start(d->child.loop, &d->settings, r->target, r->n_targets, on_row, on_done, d, why);
	if (d->run)
		return;
	atomic_store(&d->board->running, 0);
	could_not(d, why);
}

/* --- what the parent says --- */

/* Plan, credentials, snapshot, in this order; each time all of them. */
static void
take_plan(struct doctor_main *d, const struct message *m)
{
	d->has_next = false;
	orders_clear(&d->next);
	if (m->n_fds == 1)
		d->next.plan = doctor_plan_map(m->fd[0]);
}

static void
take_credentials(struct doctor_main *d, const struct message *m)
{
	const char *why;

	for (uint32_t i = 0; m->n_fds == 1 && d->next.plan && i < d->next.plan->n_parents; i++)
		if (d->next.plan->parent_number[i] == m->number && !parent_secret_read(m->fd[0], &d->next.secret[i], &why))
			log_warn("the file of credentials for parent %s %s", doctor_plan_parent(d->next.plan, i), why);
}

static void
take_snapshot(struct doctor_main *d, const struct message *m)
{
	d->next.snap = m->n_fds == 1 ? snapshot_open(m->fd[0], false) : NULL;
	if (!d->next.plan || !d->next.snap) {
		orders_clear(&d->next);
		child_say(MSG_REFUSED, m->number);
		return;
	}
	d->has_next = true;
	take_next(d);
	child_say(MSG_APPLIED, m->number);
}

static void
on_message(void *arg, struct message *m)
{
	struct doctor_main *d = arg;

	switch ((enum message_type)m->type) {
	case MSG_FILE:
		take_plan(d, m);
		break;
	case MSG_CREDENTIALS:
		take_credentials(d, m);
		break;
	case MSG_SNAPSHOT:
		take_snapshot(d, m);
		break;
	default:
		break;
	}
}

/* What workers still drain needs no doctor. */
static void
on_orphaned(void *arg)
{
	struct doctor_main *d = arg;

	loop_stop(d->child.loop);
}

static bool
doctor_begin(struct doctor_main *d)
{
	struct child *c = &d->child;

	if (!child_begin(c, "doctor"))
		return false;
	timer_init(&d->begin, on_begin, d);
	c->on_message = on_message;
	c->on_orphaned = on_orphaned;
	c->arg = d;
	d->board = doctor_board_open(c->own_fd, true);
	d->report = calloc(1, sizeof *d->report);
	d->before = calloc(1, sizeof *d->before);
	if (!d->board || !d->report || !d->before) {
		log_error("cannot start: out of memory");
		return false;
	}
	/* what a predecessor found: it need not be told again */
	if (!doctor_board_read(d->board, d->before))
		memset(d->before, 0, sizeof *d->before);
	atomic_store(&d->board->running, 0);
	if (!tls_library_begin() || (c->start.drop_user && !sandbox_drop_user(c->start.uid, c->start.gid)))
		return false;
	return sandbox_enter(ROLE_DOCTOR, false) && child_listen(c);
}

int
doctor_main(void)
{
	struct doctor_main *d = calloc(1, sizeof *d);
	int                 rc = 1;

	if (d && doctor_begin(d)) {
		loop_run(d->child.loop);
		rc = 0;
	}
	if (d) {
		doctor_free(d->run);
		if (d->child.loop)
			timer_clear(&d->begin);
		orders_clear(&d->now);
		orders_clear(&d->next);
		free(d->issuer);
		free(d->report);
		free(d->before);
		doctor_board_close(d->board);
		child_end(&d->child);
	}
	free(d);
	return rc;
}
