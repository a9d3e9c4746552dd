/* SPDX-License-Identifier: MIT */
#include "proc/rounds.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "doctor/exposition.h"
#include "doctor/plan.h"
#include "proc/census.h"
#include "proc/crew.h"

#define FOLLOW_MS 10000u

/* --- the plan --- */

static void
plan_clear(struct rounds_plan *p)
{
	if (p->fd >= 0)
		close(p->fd);
	free(p->textfile);
	*p = (struct rounds_plan){.fd = -1};
}

void
rounds_begin(struct rounds *r)
{
	*r = (struct rounds){.board_fd = -1, .board_read_fd = -1, .now = {.fd = -1}, .next = {.fd = -1}};
}

bool
rounds_prepare(struct rounds *r, const struct conf *c, struct report *report)
{
	const struct doctor_plan *plan;

	rounds_forget(r);
	r->has_next = true;
	if (!c->doctor.interval_ms)
		return true;
	r->next.fd = doctor_plan_make(c, report);
	plan = r->next.fd >= 0 ? doctor_plan_map(r->next.fd) : NULL;
	if (plan) {
		r->next.n_parents = plan->n_parents;
		memcpy(r->next.parent, plan->parent_number, sizeof r->next.parent);
	}
	doctor_plan_unmap(plan);
	r->next.textfile = c->doctor.textfile && *c->doctor.textfile ? strdup(c->doctor.textfile) : NULL;
	if (plan)
		return true;
	if (r->next.fd >= 0)
		report_error(report, c->doctor.interval_at, "out of memory");
	rounds_forget(r);
	return false;
}

void
rounds_take(struct rounds *r)
{
	if (!r->has_next)
		return;
	plan_clear(&r->now);
	r->now = r->next;
	r->next = (struct rounds_plan){.fd = -1};
	r->has_next = false;
}

void
rounds_forget(struct rounds *r)
{
	plan_clear(&r->next);
	r->has_next = false;
}

/* --- the file for node_exporter --- */

/* All of it, or nothing: under another name first. No sync: after a crash of the machine the next run writes it anew. */
static bool
file_write(const char *path, const struct text *t)
{
	char    part[4096];
	ssize_t n;
	int     fd;
	bool    ok;

	if ((size_t)snprintf(part, sizeof part, "%s.part", path) >= sizeof part) {
		errno = ENAMETOOLONG;
		return false;
	}
	unlink(part); /* of a parent that died in the middle; never written through, should it be somebody's link */
	fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return false;
	n = write(fd, t->p, t->n);
	ok = n == (ssize_t)t->n && fchmod(fd, 0644) == 0;
	if (n >= 0 && n != (ssize_t)t->n)
		errno = ENOSPC;
	ok = close(fd) == 0 && ok;
	if (ok && rename(part, path) == 0)
		return true;
	n = errno;
	unlink(part);
	errno = (int)n;
	return false;
}

static void
textfile_write(struct rounds *r)
{
	struct doctor_report *report = r->now.textfile ? malloc(sizeof *report) : NULL;
	struct text           t = {0};

	if (!report)
		return;
	if (doctor_board_read(r->board, report)) {
		doctor_exposition(&t, report);
		if (t.failed)
			errno = ENOMEM;
		if (t.failed || !file_write(r->now.textfile, &t))
			log_write_limited(&r->file_limit, LOG_LEVEL_WARN, "textfile %s cannot be written: %s", r->now.textfile, strerror(errno));
	}
	text_clear(&t);
	free(report);
}

/* --- the process --- */

static bool
is_wanted(const struct rounds *r)
{
	return r->now.fd >= 0;
}

/* Plan, the credentials of the parents on the way, and the snapshot, with which it uses them. */
static bool
send_in_use(struct rounds *r)
{
	const struct crew    *c = r->crew;
	const struct secrets *s = c->ports ? c->ports->secrets : NULL;
	bool                  ok = member_say(&r->m, MSG_FILE, 0, NULL, 0, &r->now.fd, 1);

	for (uint32_t i = 0; ok && s && i < r->now.n_parents; i++) {
		uint32_t p = r->now.parent[i];
		if (p < s->n && s->fd[p] >= 0)
			ok = member_say(&r->m, MSG_CREDENTIALS, p, NULL, 0, &s->fd[p], 1);
	}
	return ok && member_say(&r->m, MSG_SNAPSHOT, c->generation, NULL, 0, &c->snapshot, 1);
}

void
rounds_kill(struct rounds *r)
{
	timer_clear(&r->m.again);
	if (r->m.pid)
		kill(r->m.pid, SIGKILL);
}

static void
start(struct rounds *r)
{
	struct crew *c = r->crew;
	struct start with = c->start;

	if (c->leaving || r->m.pid || !is_wanted(r))
		return;
	with.alone = true;
	r->m.patience = 0; /* it has a deadline for its start */
	if (member_spawn(&r->m, c->loop, c->exe) && member_say(&r->m, MSG_START, 0, &with, sizeof with, &r->board_fd, 1) && send_in_use(r)) {
		timer_set(c->loop, &r->follow, FOLLOW_MS);
		return;
	}
	log_write_limited(&r->m.start_limit, LOG_LEVEL_ERROR, "cannot start %s: %s", r->m.name, strerror(errno));
	if (r->m.pid) {
		rounds_kill(r);
	} else {
		r->m.deaths++;
		timer_set(c->loop, &r->m.again, member_pause_ms(&r->m));
	}
}

static void
on_again(void *arg)
{
	start(arg);
}

static void
on_follow(void *arg)
{
	struct rounds *r = arg;

	if (!r->m.pid)
		return;
	log_write_limited(&r->m.behind_limit, LOG_LEVEL_WARN, "%s (pid %d) does not follow; it is ended", r->m.name, (int)r->m.pid);
	rounds_kill(r);
}

static void
heard(struct member *m, const struct message *msg)
{
	struct rounds *r = m->crew->rounds;

	switch ((enum message_type)msg->type) {
	case MSG_REFUSED:
		rounds_kill(r);
		break;
	case MSG_APPLIED:
		member_applied(m, msg->number);
		if (msg->number != m->crew->generation)
			break;
		timer_clear(&r->follow);
		member_serves(m);
		m->patience = PULSE_ROUNDS;
		break;
	case MSG_DONE:
		textfile_write(r);
		break;
	default:
		break;
	}
}

void
rounds_go(struct rounds *r)
{
	timer_clear(&r->m.again);
	if (!r->m.pid) {
		start(r);
	} else if (!is_wanted(r)) {
		rounds_kill(r);
	} else if (r->m.channel >= 0) {
		timer_set(r->crew->loop, &r->follow, FOLLOW_MS);
		if (!send_in_use(r))
			rounds_kill(r);
	}
}

void
rounds_reap(struct rounds *r, pid_t pid, int status)
{
	char how[80];

	if (r->m.pid != pid)
		return;
	timer_clear(&r->follow);
	census_ended(&r->m);
	atomic_store(&r->board->running, 0);
	if (!r->crew->leaving && is_wanted(r)) {
		member_died(&r->m);
		member_tell(&r->m, died_limit, LOG_LEVEL_WARN, "%s (pid %d) %s; another one starts in %llu ms", r->m.name, (int)pid, member_end_text(status, how, sizeof how),
		    (unsigned long long)member_pause_ms(&r->m));
		timer_set(r->crew->loop, &r->m.again, member_pause_ms(&r->m));
	}
	r->m.pid = 0;
	member_close(&r->m);
	if (!is_wanted(r))
		doctor_board_forget(r->board);
}

bool
rounds_init(struct rounds *r, struct crew *c)
{
	char path[64];

	r->crew = c;
	c->rounds = r;
	r->m = (struct member){.crew = c, .role = "doctor", .name = "the doctor", .channel = -1, .heard = heard};
	timer_init(&r->m.again, on_again, r);
	timer_init(&r->follow, on_follow, r);
	r->board_fd = doctor_board_create();
	r->board = r->board_fd >= 0 ? doctor_board_open(r->board_fd, true) : NULL;
	if (!r->board)
		return false;
	/* through a descriptor that was opened to be read nobody can map it to be written */
	snprintf(path, sizeof path, "/proc/self/fd/%d", r->board_fd);
	r->board_read_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (r->board_read_fd < 0) /* no /proc, or none that may be used so: the reader maps it to be read all the same */
		r->board_read_fd = fcntl(r->board_fd, F_DUPFD_CLOEXEC, 0);
	census_enlist(c->shared, &r->m);
	pulse_join(&c->pulse, &r->m);
	return true;
}

void
rounds_clear(struct rounds *r)
{
	plan_clear(&r->now);
	plan_clear(&r->next);
	if (r->crew) {
		rounds_kill(r);
		member_close(&r->m);
		timer_clear(&r->follow);
	}
	doctor_board_close(r->board);
	if (r->board_fd >= 0)
		close(r->board_fd);
	if (r->board_read_fd >= 0)
		close(r->board_read_fd);
}
