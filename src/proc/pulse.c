/* SPDX-License-Identifier: MIT */
#include "proc/pulse.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "proc/census.h"
#include "proc/member.h"

#define LATE_US     (2 * PULSE_MS * 1000u) /* a round that comes later than this was none */
#define STATUS_HEAD 1024u /* bytes of /proc/PID/status in which all that is wanted stands */

/* What the kernel says of a process. */
struct sight {
	char state[24]; /* "R (running)"; "": it does not say, as where processes are hidden from each other */
	int  tracer;    /* 0: none, or not known */
};

static void
look_at(pid_t pid, struct sight *s)
{
	char        path[40], text[STATUS_HEAD];
	const char *state, *tracer;
	ssize_t     n = -1;
	int         fd;

	*s = (struct sight){0};
	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, text, sizeof text - 1);
		close(fd);
	}
	if (n <= 0)
		return;
	text[n] = '\0';
	state = strstr(text, "\nState:\t");
	tracer = strstr(text, "\nTracerPid:\t");
	if (state)
		snprintf(s->state, sizeof s->state, "%.*s", (int)strcspn(state + 8, "\n"), state + 8);
	if (tracer)
		s->tracer = atoi(tracer + 12);
}

/* It has been silent for longer than it may. */
static void
end(struct member *m)
{
	struct sight s;

	look_at(m->pid, &s);
	if (m->ended) {
		log_write_limited(&m->silent_limit, LOG_LEVEL_WARN, "%s (pid %d) was ended for its silence, but is still there; state: %s", m->name, (int)m->pid,
		    *s.state ? s.state : "not known");
		return;
	}
	if (s.tracer) {
		log_write_limited(&m->silent_limit, LOG_LEVEL_WARN, "%s (pid %d) has not answered for %u s, and is left alone: process %d traces it", m->name, (int)m->pid,
		    m->patience * PULSE_MS / 1000, s.tracer);
		return;
	}
	log_write_limited(&m->silent_limit, LOG_LEVEL_WARN, "%s (pid %d) has not answered for %u s; it is ended%s%s", m->name, (int)m->pid, m->patience * PULSE_MS / 1000,
	    *s.state ? "; state: " : "", s.state);
	m->ended = true; /* one that the kernel holds takes a while to go */
	census_hung(m);
	kill(m->pid, SIGKILL);
}

void
pulse_heard(struct member *m)
{
	if (m->silent > 1)
		census_silent(m, 0);
	m->silent = 0;
}

static void
ask(struct member *m)
{
	if (!m->pid || m->channel < 0 || !m->patience) {
		pulse_heard(m);
		return;
	}
	/* again now and then: an answer may get lost where memory is short; after 1, 2, 4, 8 ... rounds, so that a silent one has not many to read */
	if ((m->silent & (m->silent - 1)) == 0)
		member_say(m, MSG_ALIVE, 0, NULL, 0, NULL, 0);
	census_silent(m, m->silent > 1 ? m->silent * PULSE_MS / 1000 : 0);
	if (++m->silent > m->patience)
		end(m);
}

void
pulse_round(struct pulse *p, uint64_t now_us)
{
	bool           late = now_us - p->last_us > LATE_US;
	struct member *m;

	p->last_us = now_us;
	census_turns(p->shared, now_us);
	if (late)
		return;
	LIST_FOREACH(m, &p->members, pulse)
	ask(m);
}

/* What children have said by now was read before: the loop calls timers last. */
static void
on_timer(void *arg)
{
	struct pulse *p = arg;

	pulse_round(p, clock_mono_us());
	timer_set(p->loop, &p->timer, PULSE_MS);
}

unsigned
pulse_rounds(uint64_t ms)
{
	return (unsigned)((ms + PULSE_MS - 1) / PULSE_MS);
}

void
pulse_join(struct pulse *p, struct member *m)
{
	LIST_INSERT_HEAD(&p->members, m, pulse);
}

void
pulse_init(struct pulse *p, struct loop *loop, struct shared *shared)
{
	*p = (struct pulse){.loop = loop, .shared = shared, .last_us = clock_mono_us()};
	LIST_INIT(&p->members);
	timer_init(&p->timer, on_timer, p);
	timer_set(loop, &p->timer, PULSE_MS);
}

void
pulse_clear(struct pulse *p)
{
	timer_clear(&p->timer);
}
