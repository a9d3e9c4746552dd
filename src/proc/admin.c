/* SPDX-License-Identifier: MIT */
#include "proc/admin.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "net/listener.h"
#include "proc/census.h"
#include "proc/crew.h"

#define FOLLOW_MS 10000u

/* --- sockets --- */

static bool
same_place(const struct endpoint *a, const struct endpoint *b)
{
	return addr_eq(&a->addr, &b->addr) && a->port == b->port && a->scope == b->scope;
}

static int
find_fd(const struct admin_ports *p, int fd)
{
	for (uint32_t i = 0; i < p->n; i++)
		if (p->v[i].fd == fd)
			return (int)i;
	return -1;
}

static int
find_asked(const struct admin_ports *p, const struct endpoint *e)
{
	for (uint32_t i = 0; i < p->n; i++)
		if (same_place(&p->v[i].asked, e))
			return (int)i;
	return -1;
}

/* Close those that `kept` does not share. */
static void
ports_close(struct admin_ports *p, const struct admin_ports *kept)
{
	for (uint32_t i = 0; i < p->n; i++)
		if (!kept || find_fd(kept, p->v[i].fd) < 0)
			close(p->v[i].fd);
	p->n = 0;
}

bool
admin_prepare(struct admin *a, const struct conf *c, struct report *r)
{
	const struct conf_gateway *g = &c->gateway;
	size_t                     errors = r->errors;

	a->next.n = 0;
	a->has_next = true;
	for (size_t i = 0; i < g->admin.n; i++) {
		const struct endpoint *e = &g->admin.v[i];
		int                    was = find_asked(&a->now, e), fd;
		char                   why[160];

		if (find_asked(&a->next, e) >= 0) {
			report_error(r, g->admin_at, "admin names an address twice; keep one");
		} else if (a->next.n == ADMIN_PORTS) {
			report_error(r, g->admin_at, "admin names more than %u addresses; keep the nearest ones", ADMIN_PORTS);
			break;
		} else if (was >= 0) {
			a->next.v[a->next.n++] = a->now.v[was];
		} else if ((fd = listener_open(e, false, why, sizeof why)) < 0) {
			report_error(r, g->admin_at, "admin: cannot listen: %s; is another program there, does this machine not have the address, or are privileges missing?", why);
		} else {
			a->next.v[a->next.n].asked = a->next.v[a->next.n].bound = *e;
			a->next.v[a->next.n].fd = fd;
			listener_where(fd, &a->next.v[a->next.n].bound);
			a->next.n++;
		}
	}
	return r->errors == errors;
}

size_t
admin_own(const struct admin *a, struct endpoint *out)
{
	for (uint32_t i = 0; i < a->next.n; i++)
		out[i] = a->next.v[i].bound;
	return a->next.n;
}

static void
say(const char *what, const struct admin_ports *p, const struct admin_ports *but)
{
	char text[ENDPOINT_TEXT_MAX];

	for (uint32_t i = 0; i < p->n; i++) {
		if (find_fd(but, p->v[i].fd) >= 0)
			continue;
		endpoint_print(&p->v[i].bound, text);
		log_info("%s %s (admin)", what, text);
	}
}

void
admin_take(struct admin *a)
{
	if (!a->has_next)
		return;
	say("listening on", &a->next, &a->now);
	say("no longer listening on", &a->now, &a->next);
	ports_close(&a->now, &a->next);
	a->now = a->next;
	a->next.n = 0;
	a->has_next = false;
}

void
admin_forget(struct admin *a)
{
	if (a->has_next)
		ports_close(&a->next, &a->now);
	a->has_next = false;
}

/* --- the process --- */

/* Sockets, all of them each time, then the snapshot, which it uses at once. */
static bool
send_in_use(struct admin *a)
{
	const struct crew *c = a->crew;
	bool               ok = true;

	for (uint32_t i = 0; ok && i < a->now.n; i++)
		ok = member_say(&a->m, MSG_LISTENER, i, NULL, 0, &a->now.v[i].fd, 1);
	if (ok && c->rounds->board_read_fd >= 0)
		ok = member_say(&a->m, MSG_FILE, 0, NULL, 0, &c->rounds->board_read_fd, 1);
	return ok && member_say(&a->m, MSG_SNAPSHOT, c->generation, NULL, 0, &c->snapshot, 1);
}

void
admin_kill(struct admin *a)
{
	timer_clear(&a->m.again);
	if (a->m.pid)
		kill(a->m.pid, SIGKILL);
}

static void
start(struct admin *a)
{
	struct crew *c = a->crew;
	struct start with = c->start;
	int          fd[2] = {c->shared_fd, c->wake_fd};

	if (c->leaving || a->m.pid || !a->now.n)
		return;
	a->m.patience = 0; /* it has a deadline for its start */
	if (member_spawn(&a->m, c->loop, c->exe) && member_say(&a->m, MSG_START, 0, &with, sizeof with, fd, 2) && send_in_use(a)) {
		timer_set(c->loop, &a->follow, FOLLOW_MS);
		return;
	}
	log_write_limited(&a->m.start_limit, LOG_LEVEL_ERROR, "cannot start %s: %s", a->m.name, strerror(errno));
	if (a->m.pid) {
		admin_kill(a);
	} else {
		a->m.deaths++;
		timer_set(c->loop, &a->m.again, member_pause_ms(&a->m));
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
	struct admin *a = arg;

	if (!a->m.pid)
		return;
	log_write_limited(&a->m.behind_limit, LOG_LEVEL_WARN, "%s (pid %d) does not follow; it is ended", a->m.name, (int)a->m.pid);
	admin_kill(a);
}

static void
heard(struct member *m, const struct message *msg)
{
	struct admin *a = m->crew->admin;

	switch ((enum message_type)msg->type) {
	case MSG_REFUSED:
		admin_kill(a);
		break;
	case MSG_APPLIED:
		member_applied(m, msg->number);
		if (msg->number != m->crew->generation)
			break;
		timer_clear(&a->follow);
		member_serves(m);
		m->patience = PULSE_ROUNDS;
		break;
	default:
		break;
	}
}

void
admin_go(struct admin *a)
{
	timer_clear(&a->m.again);
	if (!a->m.pid) {
		start(a);
	} else if (!a->now.n) {
		admin_kill(a); /* whose page was asked for at an address that is no more */
	} else if (a->m.channel >= 0) {
		timer_set(a->crew->loop, &a->follow, FOLLOW_MS);
		if (!send_in_use(a))
			admin_kill(a);
	}
}

void
admin_reap(struct admin *a, pid_t pid, int status)
{
	char how[80];

	if (a->m.pid != pid)
		return;
	timer_clear(&a->follow);
	census_ended(&a->m);
	if (!a->crew->leaving && a->now.n) {
		member_died(&a->m);
		member_tell(&a->m, died_limit, LOG_LEVEL_WARN, "%s (pid %d) %s; another one starts in %llu ms", a->m.name, (int)pid, member_end_text(status, how, sizeof how),
		    (unsigned long long)member_pause_ms(&a->m));
		timer_set(a->crew->loop, &a->m.again, member_pause_ms(&a->m));
	}
	a->m.pid = 0;
	member_close(&a->m);
}

void
admin_init(struct admin *a, struct crew *c)
{
	a->crew = c;
	c->admin = a;
	a->m = (struct member){.crew = c, .role = "admin", .name = "the admin", .channel = -1, .heard = heard};
	timer_init(&a->m.again, on_again, a);
	timer_init(&a->follow, on_follow, a);
	census_enlist(c->shared, &a->m);
	pulse_join(&c->pulse, &a->m);
}

void
admin_clear(struct admin *a)
{
	admin_forget(a);
	ports_close(&a->now, NULL);
	if (!a->crew)
		return;
	admin_kill(a);
	member_close(&a->m);
	timer_clear(&a->follow);
}
