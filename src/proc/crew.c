/* SPDX-License-Identifier: MIT */
#include "proc/crew.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "ipc/ring.h"
#include "proc/census.h"

#define CHANGE_MS      100u /* while the configuration changes */
#define BEHIND_MS      1000u /* until one that could not follow a reload is asked again */
#define LET_GO_MS      500u  /* by then workers have closed what they sent */

static void heard(struct member *m, const struct message *msg);
static void on_again(void *arg);
static void on_let_go(void *arg);

static void
member_init(struct member *m, struct crew *c, const char *role, uint32_t index)
{
	*m = (struct member){.crew = c, .role = role, .index = index, .channel = -1, .heard = heard};
	if (strcmp(role, "worker") == 0)
		snprintf(m->name, sizeof m->name, "worker %u", index);
	else
		snprintf(m->name, sizeof m->name, "the %s", role);
	timer_init(&m->again, on_again, m);
	census_enlist(c->shared, m);
	pulse_join(&c->pulse, m);
}

bool
crew_init(struct crew *c, struct loop *loop, uint32_t n_workers, const struct start *start, struct shared *shared, int shared_fd)
{
	*c = (struct crew){.loop = loop, .n_workers = n_workers, .start = *start, .snapshot = -1, .exe = -1, .shared = shared, .shared_fd = shared_fd, .wake_fd = -1};
	c->start.n_workers = n_workers;
	timer_init(&c->let_go_timer, on_let_go, c);
	ledger_init(&c->ledger);
	pulse_init(&c->pulse, loop, shared);
	member_init(&c->logger, c, "logger", 0);
	bureaus_init(&c->bureaus, c);
	for (uint32_t i = 0; i < n_workers; i++) {
		member_init(&c->worker[i], c, "worker", i);
		c->ring_fd[i] = -1;
	}
	for (uint32_t i = 0; i < n_workers; i++) {
		c->ring_fd[i] = ring_create(RING_BYTES, "postern-ring");
		if (c->ring_fd[i] < 0)
			return false;
	}
	c->exe = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	c->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return c->exe >= 0 && c->wake_fd >= 0;
}

static void
close_if_open(int fd)
{
	if (fd >= 0)
		close(fd);
}

void
crew_clear(struct crew *c)
{
	timer_clear(&c->let_go_timer);
	on_let_go(c);
	pulse_clear(&c->pulse);
	member_close(&c->logger);
	timer_clear(&c->logger.again);
	bureaus_clear(&c->bureaus);
	for (uint32_t i = 0; i < c->n_workers; i++) {
		member_close(&c->worker[i]);
		timer_clear(&c->worker[i].again);
		close_if_open(c->ring_fd[i]);
	}
	close_if_open(c->exe);
	close_if_open(c->wake_fd);
	ledger_clear(&c->ledger);
}

void
crew_be_patient(struct crew *c, uint64_t ms)
{
	c->logger.patience = pulse_rounds(ms);
	for (uint32_t i = 0; i < c->n_workers; i++)
		c->worker[i].patience = pulse_rounds(ms);
}

static bool
is_logger(const struct member *m)
{
	return m == &m->crew->logger;
}

/* Without it the worker serves all the same. */
static bool
send_hits(struct member *m, int snapshot, uint64_t generation)
{
	int  fd = ledger_page(&m->crew->ledger, m->index, m->starts, generation, snapshot);
	bool ok = fd < 0 || member_say(m, MSG_HITS, generation, NULL, 0, &fd, 1);

	close_if_open(fd);
	return ok;
}

/* Everything that a snapshot needs beside itself, then the snapshot. `old`: sockets that the child has already. */
static bool
send_snapshot(struct member *m, int snapshot, uint64_t generation, const struct ports *ports, const struct ports *old)
{
	bool ok = true;

	for (uint32_t i = 0; ok && !is_logger(m) && i < LISTENER_SLOTS; i++) {
		const struct port *p = &ports->slot[i];
		if (!p->used)
			continue;
		bool has = old && old->slot[i].used && old->slot[i].fd[m->index] == p->fd[m->index];
		ok = member_say(m, MSG_LISTENER, i, &p->index, sizeof p->index, &p->fd[m->index], has ? 0 : 1);
	}
	for (uint32_t i = 0; ok && !is_logger(m) && i < ports->secrets->n; i++)
		if (ports->secrets->fd[i] >= 0)
			ok = member_say(m, MSG_CREDENTIALS, i, NULL, 0, &ports->secrets->fd[i], 1);
	for (size_t i = 0; ok && !is_logger(m) && i < ports->keys->n; i++)
		ok = member_say(m, MSG_KEY, ports->keys->v[i].index, NULL, 0, &ports->keys->v[i].fd, 1);
	ok = ok && (is_logger(m) || send_hits(m, snapshot, generation));
	return ok && member_say(m, MSG_SNAPSHOT, generation, NULL, 0, &snapshot, 1);
}

static bool
send_start(struct member *m)
{
	struct crew *c = m->crew;
	struct start start = c->start;
	int          fd[3] = {c->shared_fd, c->wake_fd, is_logger(m) ? -1 : c->ring_fd[m->index]};
	bool         ok;

	start.index = m->index;
	start.has_ring = !is_logger(m);
	ok = member_say(m, MSG_START, 0, &start, sizeof start, fd, is_logger(m) ? 2 : 3);
	for (uint32_t i = 0; ok && is_logger(m) && i < c->n_workers; i++)
		ok = member_say(m, MSG_RING, i, NULL, 0, &c->ring_fd[i], 1);
	return ok && send_snapshot(m, c->snapshot, c->generation, c->ports, NULL);
}

static void
member_start(struct member *m)
{
	if (m->crew->leaving || m->pid)
		return;
	if (m->crew->changing) {
		timer_set(m->crew->loop, &m->again, CHANGE_MS);
		return;
	}
	if (member_spawn(m, m->crew->loop, m->crew->exe) && send_start(m)) {
		if (!is_logger(m))
			bureaus_worker_started(&m->crew->bureaus, m->index);
		return;
	}
	log_write_limited(&m->start_limit, LOG_LEVEL_ERROR, "cannot start %s: %s", m->name, strerror(errno));
	if (!m->pid) {
		m->deaths++;
		timer_set(m->crew->loop, &m->again, member_pause_ms(m));
	} else {
		kill(m->pid, SIGKILL); /* half set up; it is reaped and started again */
	}
}

/* It does not use what the others use. One that serves nobody yet is started anew; else it is offered the same again, and keeps its tunnels. */
static void
member_stays_behind(struct member *m)
{
	if (m->state == MEMBER_SERVING)
		timer_set(m->crew->loop, &m->again, BEHIND_MS);
	else
		kill(m->pid, SIGKILL);
}

static void
on_again(void *arg)
{
	struct member *m = arg;

	if (!m->pid)
		member_start(m);
	else if (!m->crew->leaving && m->channel >= 0 && !send_snapshot(m, m->crew->snapshot, m->crew->generation, m->crew->ports, NULL))
		member_stays_behind(m);
}

static unsigned
life_of(void *arg, uint32_t worker)
{
	struct crew *c = arg;

	return worker < c->n_workers && c->worker[worker].pid ? c->worker[worker].starts : 0;
}

void
crew_add_up(struct crew *c)
{
	ledger_tidy(&c->ledger, life_of, c);
}

void
crew_start(struct crew *c, int snapshot, uint64_t generation, const struct ports *ports)
{
	c->snapshot = snapshot;
	c->generation = generation;
	c->ports = ports;
	member_start(&c->logger);
	for (uint32_t i = 0; i < c->n_workers; i++)
		member_start(&c->worker[i]);
	bureaus_go(&c->bureaus);
	admin_go(c->admin);
	rounds_go(c->rounds);
}

/* A worker says which listener's TLS is at fault. */
static void
note_refusal(struct crew *c, const struct message *msg)
{
	size_t n = msg->n - sizeof c->refused_listener;

	if (msg->n <= sizeof c->refused_listener || n >= sizeof c->refusal)
		return;
	memcpy(&c->refused_listener, msg->data, sizeof c->refused_listener);
	memcpy(c->refusal, msg->data + sizeof c->refused_listener, n);
	c->refusal[n] = '\0';
}

static void
on_let_go(void *arg)
{
	struct crew *c = arg;

	while (c->n_let_go)
		close(c->let_go[--c->n_let_go]);
}

static void
hold_a_while(struct crew *c, const struct message *msg)
{
	int fd = msg->n_fds == 1 && c->n_let_go < LET_GO_MAX ? fcntl(msg->fd[0], F_DUPFD_CLOEXEC, 0) : -1;

	if (fd < 0)
		return;
	c->let_go[c->n_let_go++] = fd;
	timer_set(c->loop, &c->let_go_timer, LET_GO_MS);
}

static void
heard(struct member *m, const struct message *msg)
{
	switch ((enum message_type)msg->type) {
	case MSG_PREPARED:
		m->prepared = msg->number;
		m->state = m->state == MEMBER_STARTING ? MEMBER_PREPARED : m->state;
		/* one that starts in the middle goes at once to what the others use */
		if (msg->number == m->crew->generation && !member_say(m, MSG_GO, msg->number, NULL, 0, NULL, 0))
			member_stays_behind(m);
		break;
	case MSG_REFUSED:
		note_refusal(m->crew, msg);
		if (msg->number == m->crew->generation) {
			log_write_limited(&m->behind_limit, LOG_LEVEL_WARN, "%s (pid %d) cannot use the configuration yet", m->name, (int)m->pid);
			member_stays_behind(m);
		} else {
			m->refused = true;
		}
		break;
	case MSG_APPLIED:
		member_applied(m, msg->number);
		member_serves(m);
		break;
	case MSG_LET_GO:
		hold_a_while(m->crew, msg);
		return;
	case MSG_REOPEN:
		if (m->crew->on_reopened && msg->n <= CHANNEL_DATA_MAX)
			m->crew->on_reopened(m->crew->arg, msg->number, span_of(msg->data, msg->n));
		return;
	case MSG_END:
		if (m->crew->on_killed && msg->n <= CHANNEL_DATA_MAX)
			m->crew->on_killed(m->crew->arg, m->index, span_of(msg->data, msg->n));
		return;
	case MSG_SESSIONS:
		if (m->crew->on_listed)
			m->crew->on_listed(m->crew->arg, m->index, msg->number);
		return;
	default:
		return;
	}
	m->crew->on_change(m->crew->arg);
}

static void
each(struct crew *c, void (*fn)(struct member *m, void *arg), void *arg)
{
	if (c->logger.pid)
		fn(&c->logger, arg);
	for (uint32_t i = 0; i < c->n_workers; i++)
		if (c->worker[i].pid)
			fn(&c->worker[i], arg);
}

struct offer {
	int                 snapshot;
	uint64_t            generation;
	const struct ports *ports, *old;
};

/* One without a channel is on its way out; its successor begins with what is in use then. */
static void
offer(struct member *m, void *arg)
{
	struct offer *o = arg;

	if (m->channel >= 0)
		m->refused = !send_snapshot(m, o->snapshot, o->generation, o->ports, o->old);
}

void
crew_prepare(struct crew *c, int snapshot, uint64_t generation, const struct ports *ports)
{
	struct offer o = {snapshot, generation, ports, c->ports};

	c->changing = true;
	c->refusal[0] = '\0';
	each(c, offer, &o);
}

struct poll_all {
	uint64_t generation;
	bool     prepared, applied, refused;
};

static void
poll_member(struct member *m, void *arg)
{
	struct poll_all *p = arg;

	if (m->channel < 0) {
		p->applied = false;
		return;
	}
	p->prepared &= m->prepared == p->generation;
	p->applied &= m->applied == p->generation;
	p->refused |= m->refused;
}

static struct poll_all
poll_crew(const struct crew *c, uint64_t generation)
{
	struct poll_all p = {generation, true, true, false};

	each((struct crew *)(uintptr_t)c, poll_member, &p);
	return p;
}

const struct member *
crew_unprepared(const struct crew *c, uint64_t generation)
{
	if (c->logger.channel >= 0 && c->logger.prepared != generation)
		return &c->logger;
	for (uint32_t i = 0; i < c->n_workers; i++)
		if (c->worker[i].channel >= 0 && c->worker[i].prepared != generation)
			return &c->worker[i];
	return NULL;
}

bool
crew_is_prepared(const struct crew *c, uint64_t generation)
{
	return poll_crew(c, generation).prepared;
}

bool
crew_has_applied(const struct crew *c, uint64_t generation)
{
	return poll_crew(c, generation).applied;
}

bool
crew_has_refused(const struct crew *c)
{
	return poll_crew(c, 0).refused;
}

static void
say_go(struct member *m, void *arg)
{
	if (m->channel >= 0 && !member_say(m, MSG_GO, *(uint64_t *)arg, NULL, 0, NULL, 0))
		member_stays_behind(m);
}

void
crew_go(struct crew *c, int snapshot, uint64_t generation, const struct ports *ports)
{
	c->snapshot = snapshot;
	c->generation = generation;
	c->ports = ports;
	c->changing = false;
	crew_add_up(c);
	each(c, say_go, &generation);
	bureaus_go(&c->bureaus);
	admin_go(c->admin);
	rounds_go(c->rounds);
}

static void
say_forget(struct member *m, void *arg)
{
	(void)arg;
	m->refused = false;
	member_say(m, MSG_FORGET, 0, NULL, 0, NULL, 0);
}

void
crew_forget(struct crew *c)
{
	bureaus_forget(&c->bureaus);
	ledger_forget(&c->ledger);
	c->changing = false;
	each(c, say_forget, NULL);
}

bool
crew_reopen(struct crew *c)
{
	if (c->logger.channel >= 0 && member_say(&c->logger, MSG_REOPEN, 0, NULL, 0, NULL, 0))
		return true;
	member_close(&c->logger); /* its successor opens them */
	return false;
}

void
crew_drain_workers(struct crew *c, uint64_t within_ms, bool gentle)
{
	c->leaving = true;
	rounds_kill(c->rounds); /* what it finds now helps nobody */
	for (uint32_t i = 0; i < c->n_workers; i++) {
		timer_clear(&c->worker[i].again);
		if (c->worker[i].pid && !member_say(&c->worker[i], MSG_DRAIN, within_ms, "gentle", gentle, NULL, 0))
			member_close(&c->worker[i]);
	}
}

void
crew_end_logger(struct crew *c)
{
	bureaus_kill(&c->bureaus); /* nobody is left who might ask */
	admin_kill(c->admin);
	timer_clear(&c->logger.again);
	c->logger.patience = 0; /* it writes what is left, and hears nobody */
	if (c->logger.pid && !member_say(&c->logger, MSG_DRAIN, 0, NULL, 0, NULL, 0))
		member_close(&c->logger);
}

static void
kill_member(struct member *m, void *arg)
{
	(void)arg;
	kill(m->pid, SIGKILL);
}

void
crew_kill(struct crew *c)
{
	c->leaving = true;
	each(c, kill_member, NULL);
	bureaus_kill(&c->bureaus);
	admin_kill(c->admin);
	rounds_kill(c->rounds);
}

static void
kill_late(struct member *m, void *arg)
{
	if (m->applied == *(uint64_t *)arg)
		return;
	log_write_limited(&m->silent_limit, LOG_LEVEL_WARN, "%s (pid %d) takes too long to start", m->name, (int)m->pid);
	kill(m->pid, SIGKILL);
}

void
crew_kill_late(struct crew *c)
{
	each(c, kill_late, &c->generation);
}

uint32_t
crew_workers_alive(const struct crew *c)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < c->n_workers; i++)
		n += c->worker[i].pid != 0;
	return n;
}

/* Client connections that a worker had when it ended. */
static uint64_t
connections_of(const struct member *m)
{
	return is_logger(m) ? 0 : m->crew->shared->worker[m->index].counters.open;
}

static void
ended(struct member *m, int status)
{
	struct crew *c = m->crew;
	char         how[80], lost[64] = "", when[32] = "at once";
	uint64_t     n = connections_of(m);

	census_ended(m);
	member_end_text(status, how, sizeof how);
	if (n)
		snprintf(lost, sizeof lost, " with %llu connection%s", (unsigned long long)n, n == 1 ? "" : "s");
	if (c->leaving) {
		if (!(WIFEXITED(status) && WEXITSTATUS(status) == 0))
			log_warn("%s (pid %d) %s while draining%s", m->name, (int)m->pid, how, lost);
		m->pid = 0;
		member_close(m);
		return;
	}
	member_died(m);
	if (member_pause_ms(m))
		snprintf(when, sizeof when, "in %llu ms", (unsigned long long)member_pause_ms(m));
	member_tell(m, died_limit, LOG_LEVEL_WARN, "%s (pid %d) %s%s; another one starts %s", m->name, (int)m->pid, how, lost, when);
	m->pid = 0;
	member_close(m);
	timer_set(c->loop, &m->again, member_pause_ms(m));
}

void
crew_reap(struct crew *c)
{
	int   status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == c->logger.pid)
			ended(&c->logger, status);
		for (uint32_t i = 0; i < c->n_workers; i++)
			if (pid == c->worker[i].pid)
				ended(&c->worker[i], status);
		bureaus_reap(&c->bureaus, pid, status);
		admin_reap(c->admin, pid, status);
		rounds_reap(c->rounds, pid, status);
		if (c->on_ended)
			c->on_ended(c->arg, pid, status);
	}
	c->on_change(c->arg);
}
