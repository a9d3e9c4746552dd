/* SPDX-License-Identifier: MIT */
#include "proc/bureaus.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <unistd.h>

#include "auth/back.h"
#include "base/log.h"
#include "conf/key_uri.h"
#include "proc/census.h"
#include "proc/crew.h"

#define FOLLOW_MS       2000u
#define FIRST_FOLLOW_MS 10000u /* at its start: libraries, large files */
#define LAST_ASKS_MS    10000u /* one that is needed no more answers what it has */
#define PAIR_AGAIN_MS   1000u
#define PATIENCE_MS     2000u /* of a reload, with the signer */
#define SETTLE_MS       50u /* an editor's several steps are one change */
#define PEER_BUFFER     (1 << 20) /* some asks of WIRE_MAX; where the kernel gives less, one fits and the rest wait at the desk */

/* --- the plan --- */

bool
bureau_plan_init(struct bureau_plan *p, const struct conf *c, int snapshot)
{
	const struct conf_inspection *i = &c->inspection;
	bool                          in_token = i->ca_key && key_uri_is(i->ca_key);
	const char *const             files[BUREAUS] = {[BACK_NTLM_FILE] = c->auth.ntlm_file, [BACK_BASIC_FILE] = c->auth.basic_file, [BACK_KERBEROS] = c->auth.keytab,
		[PEER_SIGNER] = in_token ? i->ca_pin : i->ca_key};
	struct snapshot              *s = snapshot_open(snapshot, false);
	bool                          ok = s != NULL;

	*p = (struct bureau_plan){0};
	if (s)
		p->wanted = (s->set->auth.kinds & ((1u << BACK_KINDS) - 1)) | (s->set->inspection.present ? 1u << PEER_SIGNER : 0) |
		    (snapshot_negotiates(s) ? 1u << BACK_INITIATOR : 0);
	snapshot_unref(s);
	for (unsigned k = 0; k < BUREAUS; k++)
		if (p->wanted & 1u << k && files[k])
			ok &= (p->file[k] = strdup(files[k])) != NULL;
	if (p->wanted & 1u << BACK_INITIATOR)
		ok &= keytabs_init(&p->keytabs, c);
	if (p->wanted & 1u << PEER_SIGNER && in_token)
		ok &= (p->module = strdup(i->ca_module ? i->ca_module : "")) != NULL;
	if (!ok)
		bureau_plan_clear(p);
	return ok;
}

void
bureau_plan_clear(struct bureau_plan *p)
{
	for (unsigned k = 0; k < BUREAUS; k++)
		free(p->file[k]);
	free(p->module);
	keytabs_clear(&p->keytabs);
	*p = (struct bureau_plan){0};
}

static bool
is_wanted(const struct bureau *b)
{
	return b->all->plan.wanted & 1u << b->number;
}

/* --- files --- */

static void
look_at(const char *path, struct stat *st)
{
	if (stat(path, st) != 0)
		*st = (struct stat){0};
}

static const char *
file_fault(unsigned number, int fd)
{
	struct stat st;

	if (number != PEER_SIGNER)
		return back_file_fault((enum back_kind)number, fd);
	if (fstat(fd, &st) != 0)
		return "cannot be looked at";
	if (!S_ISREG(st.st_mode))
		return "is no plain file";
	if (st.st_mode & CA_KEY_CLOSED)
		return "others can read it, or its group can write it, and who has the CA's key can pose as anybody; chmod 600 makes it right";
	return NULL;
}

/* -1: said why, once for each change. A link is followed: administrators put them there. No wait for a FIFO. */
static int
file_open(struct bureau *b, const char *path, const char *otherwise)
{
	const char *fault;
	int         fd;

	look_at(path, &b->seen);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	fault = fd < 0 ? strerror(errno) : file_fault(b->number, fd);
	if (!fault)
		return fd;
	log_warn("%s: %s; %s", path, fault, otherwise);
	if (fd >= 0)
		close(fd);
	return -1;
}

static void
watch_directory(struct bureau *b)
{
	const char *path = b->all->plan.file[b->number], *slash = path ? strrchr(path, '/') : NULL;
	char        dir[PATH_MAX];

	if (!path || b->all->inotify < 0)
		return;
	snprintf(dir, sizeof dir, "%.*s", slash == path ? 1 : slash ? (int)(slash - path) : 1, slash ? path : ".");
	b->watched = inotify_add_watch(b->all->inotify, dir, IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_ATTRIB | IN_ONLYDIR);
}

/* One that cannot be told something: its successor starts with what is in use then. */
static void
bureau_kill(struct bureau *b)
{
	if (b->m.pid)
		kill(b->m.pid, SIGKILL);
}

/* The keytabs of parents, all anew when one of them has changed. */
static void
look_keytabs(struct bureau *b)
{
	struct keytabs *k = &b->all->plan.keytabs;
	int             fd;

	if (b->m.channel < 0 || !keytabs_differ(k) || (fd = keytabs_open(k)) < 0)
		return;
	if (!member_say(&b->m, MSG_FILE, 0, NULL, 0, &fd, 1))
		bureau_kill(b);
	close(fd);
}

void
bureaus_look(struct bureaus *a)
{
	look_keytabs(&a->bureau[BACK_INITIATOR]);
	for (unsigned k = 0; k < BUREAUS; k++) {
		struct bureau *b = &a->bureau[k];
		struct stat    now;
		int            fd;
		if (!a->plan.file[k] || b->m.channel < 0 || b->offered > a->crew->generation)
			continue; /* while another one is offered: later */
		look_at(a->plan.file[k], &now);
		if (keytabs_same_file(&now, &b->seen))
			continue;
		fd = file_open(b, a->plan.file[k], "what was read of it before stays in use");
		if (fd >= 0 && !member_say(&b->m, MSG_FILE, 0, NULL, 0, &fd, 1))
			bureau_kill(b);
		if (fd >= 0)
			close(fd);
	}
}

static void
on_look(void *arg)
{
	bureaus_look(arg);
}

static void
on_inotify(void *arg, unsigned what)
{
	struct bureaus *a = arg;
	_Alignas(struct inotify_event) char buf[4096];

	(void)what;
	while (read(a->inotify, buf, sizeof buf) > 0)
		;
	timer_set(a->crew->loop, &a->look, SETTLE_MS);
}

/* --- sockets between workers and bureaus --- */

static void
grow(int fd)
{
	const int options[2][2] = {{SO_SNDBUFFORCE, SO_SNDBUF}, {SO_RCVBUFFORCE, SO_RCVBUF}};
	int       n = PEER_BUFFER;

	for (unsigned i = 0; i < 2; i++)
		if (setsockopt(fd, SOL_SOCKET, options[i][0], &n, sizeof n) != 0)
			(void)setsockopt(fd, SOL_SOCKET, options[i][1], &n, sizeof n);
}

static void
pair(struct bureau *b, uint32_t worker)
{
	struct member *w = &b->all->crew->worker[worker];
	int            end[2];

	b->unpaired[worker] = false;
	if (b->m.channel < 0 || w->channel < 0)
		return; /* when it comes it is paired */
	if (!channel_open(end)) {
		b->unpaired[worker] = true;
		timer_set(b->all->crew->loop, &b->all->pair_again, PAIR_AGAIN_MS);
		return;
	}
	grow(end[0]);
	grow(end[1]);
	if (!member_say(&b->m, MSG_PEER, worker, NULL, 0, &end[0], 1)) {
		bureau_kill(b);
	} else if (!member_say(w, MSG_PEER, b->number, NULL, 0, &end[1], 1)) {
		b->unpaired[worker] = true;
		timer_set(b->all->crew->loop, &b->all->pair_again, PAIR_AGAIN_MS);
	}
	close(end[0]);
	close(end[1]);
}

static void
on_pair_again(void *arg)
{
	struct bureaus *a = arg;

	for (unsigned k = 0; k < BUREAUS; k++)
		for (uint32_t i = 0; i < a->crew->n_workers; i++)
			if (a->bureau[k].unpaired[i])
				pair(&a->bureau[k], i);
}

void
bureaus_worker_started(struct bureaus *a, uint32_t worker)
{
	for (unsigned k = 0; k < BUREAUS; k++)
		pair(&a->bureau[k], worker);
}

/* --- starting, following --- */

static const char *
without_file(const struct bureau *b)
{
	return b->number == PEER_SIGNER ? "no tunnel can be inspected until it can be read" : "nobody can be asked by it until it can be read";
}

/* Its file and a snapshot; MSG_GO follows when it has prepared, and the crew uses that one. */
static bool
send_snapshot(struct bureau *b, const char *path, int snapshot, uint64_t generation, bool may_refuse)
{
	int  fd = b->number == BACK_INITIATOR ? keytabs_open(&b->all->plan.keytabs) : path ? file_open(b, path, without_file(b)) : -1;
	bool ok = member_say(&b->m, MSG_FILE, generation, NULL, 0, &fd, fd >= 0) && member_say(&b->m, MSG_SNAPSHOT, generation, "?", may_refuse, &snapshot, 1);

	if (fd >= 0)
		close(fd);
	b->offered = generation;
	return ok;
}

static bool
send_in_use(struct bureau *b)
{
	const struct crew *c = b->all->crew;

	return send_snapshot(b, b->all->plan.file[b->number], c->snapshot, c->generation, false);
}

static bool
send_start(struct bureau *b)
{
	struct crew *c = b->all->crew;
	struct start start = c->start;
	int          fd[2] = {c->shared_fd, c->wake_fd};

	start.index = b->number;
	start.deaths = b->m.deaths;
	start.open = b->number == PEER_SIGNER && b->all->plan.module;
	return member_say(&b->m, MSG_START, 0, &start, sizeof start, fd, 2) && send_in_use(b);
}

static void
bureau_start(struct bureau *b)
{
	struct crew *c = b->all->crew;

	if (c->leaving || b->m.pid || !is_wanted(b))
		return;
	if (!member_spawn(&b->m, c->loop, c->exe) || !send_start(b)) {
		log_write_limited(&b->m.start_limit, LOG_LEVEL_ERROR, "cannot start %s: %s", b->m.name, strerror(errno));
		if (b->m.pid) {
			bureau_kill(b);
		} else {
			b->m.deaths++;
			timer_set(c->loop, &b->m.again, member_pause_ms(&b->m));
		}
		return;
	}
	b->m.patience = 0; /* it has a deadline for its start */
	timer_set(c->loop, &b->follow, FIRST_FOLLOW_MS);
	for (uint32_t i = 0; i < c->n_workers; i++)
		pair(b, i);
}

static void
on_again(void *arg)
{
	bureau_start(arg);
}

static void
on_follow(void *arg)
{
	struct bureau *b = arg;

	if (!b->m.pid)
		return;
	if (is_wanted(b))
		log_write_limited(&b->m.behind_limit, LOG_LEVEL_WARN, "%s (pid %d) does not follow; it is ended", b->m.name, (int)b->m.pid);
	bureau_kill(b);
}

/* What comes is not for it, as it says. */
static void
note_refusal(struct bureau *b, const struct message *msg)
{
	snprintf(b->all->refusal, sizeof b->all->refusal, "%.*s", (int)(msg->n ? msg->n : 13), msg->n ? msg->data : "out of memory");
	b->m.crew->on_change(b->m.crew->arg);
}

static void
heard(struct member *m, const struct message *msg)
{
	struct bureau *b = (struct bureau *)(void *)((char *)m - offsetof(struct bureau, m));

	switch ((enum message_type)msg->type) {
	case MSG_PREPARED:
		m->prepared = msg->number;
		/* an older one is not worth a word: the next is on its way */
		if (b->offered > m->crew->generation)
			m->crew->on_change(m->crew->arg); /* the last that was waited for may hear MSG_GO at once, and only once: bureaus_go */
		else if (msg->number == m->crew->generation && !member_say(m, MSG_GO, msg->number, NULL, 0, NULL, 0))
			bureau_kill(b);
		break;
	case MSG_REFUSED:
		if (msg->number == m->crew->generation)
			bureau_kill(b);
		else if (msg->number == b->offered)
			note_refusal(b, msg);
		break;
	case MSG_PEER:
		/* soon, not now: most often that worker is ending, and its successor is paired when it starts */
		if (msg->number < m->crew->n_workers) {
			b->unpaired[msg->number] = true;
			timer_set(m->crew->loop, &b->all->pair_again, PAIR_AGAIN_MS);
		}
		break;
	case MSG_APPLIED:
		member_applied(m, msg->number);
		if (msg->number != m->crew->generation)
			break;
		timer_clear(&b->follow);
		member_serves(m);
		m->patience = PULSE_ROUNDS;
		break;
	default:
		break;
	}
}

/* A library that was loaded stays, and so does a filter: a signer is for one library, or for files. */
static bool
same_module(const struct bureau_plan *a, const struct bureau_plan *b)
{
	return a->module && b->module ? strcmp(a->module, b->module) == 0 : !a->module && !b->module;
}

void
bureaus_plan(struct bureaus *a, struct bureau_plan *plan)
{
	a->signer_differs = !same_module(&a->plan, plan);
	bureau_plan_clear(&a->plan);
	a->plan = *plan;
	*plan = (struct bureau_plan){0};
}

/* Has it got what the crew now uses, before the crew did? */
static bool
bureau_go(struct bureau *b)
{
	const struct crew *c = b->all->crew;

	if (b->offered != c->generation)
		return send_in_use(b);
	return b->m.prepared != c->generation || member_say(&b->m, MSG_GO, c->generation, NULL, 0, NULL, 0);
}

/* Only one that serves is asked: one that starts is told in its turn. */
static bool
signer_is_asked(const struct bureaus *a)
{
	const struct bureau *b = &a->bureau[PEER_SIGNER];

	return is_wanted(b) && b->m.state == MEMBER_SERVING && b->m.channel >= 0;
}

static void
on_patience(void *arg)
{
	struct bureaus *a = arg;

	log_warn("%s (pid %d) does not say whether it can use the new configuration", a->bureau[PEER_SIGNER].m.name, (int)a->bureau[PEER_SIGNER].m.pid);
	a->crew->on_change(a->crew->arg);
}

void
bureaus_prepare(struct bureaus *a, const struct bureau_plan *next, int snapshot, uint64_t generation)
{
	struct bureau *b = &a->bureau[PEER_SIGNER];

	a->refusal[0] = '\0';
	if (!signer_is_asked(a) || !(next->wanted & 1u << PEER_SIGNER) || !same_module(&a->plan, next))
		return;
	b->kept = b->seen;
	if (send_snapshot(b, next->file[PEER_SIGNER], snapshot, generation, true))
		timer_set(a->crew->loop, &a->patience, PATIENCE_MS);
	else
		bureau_kill(b);
}

bool
bureaus_is_prepared(const struct bureaus *a, uint64_t generation)
{
	const struct bureau *b = &a->bureau[PEER_SIGNER];

	return b->offered != generation || !signer_is_asked(a) || b->m.prepared == generation || a->patience.at_tick == 0;
}

void
bureaus_forget(struct bureaus *a)
{
	struct bureau *b = &a->bureau[PEER_SIGNER];

	timer_clear(&a->patience);
	a->refusal[0] = '\0';
	if (b->offered <= a->crew->generation)
		return;
	b->seen = b->kept;
	b->offered = 0;
	if (b->m.channel >= 0 && !member_say(&b->m, MSG_FORGET, 0, NULL, 0, NULL, 0))
		bureau_kill(b);
}

void
bureaus_go(struct bureaus *a)
{
	timer_clear(&a->patience);
	for (unsigned k = 0; k < BUREAUS; k++) {
		struct bureau *b = &a->bureau[k];
		if (b->watched >= 0)
			inotify_rm_watch(a->inotify, b->watched);
		b->watched = -1;
	}
	for (unsigned k = 0; k < BUREAUS; k++) {
		struct bureau *b = &a->bureau[k];
		watch_directory(b);
		if (!b->m.pid) {
			timer_clear(&b->m.again);
			bureau_start(b);
			continue;
		}
		if (k == PEER_SIGNER && is_wanted(b) && a->signer_differs) {
			bureau_kill(b); /* reaped, and started as it is to be */
			continue;
		}
		timer_set(a->crew->loop, &b->follow, is_wanted(b) ? FOLLOW_MS : LAST_ASKS_MS);
		if (!is_wanted(b))
			b->m.patience = 0; /* that is its deadline */
		if (b->m.channel >= 0 && !(is_wanted(b) ? bureau_go(b) : member_say(&b->m, MSG_DRAIN, 0, NULL, 0, NULL, 0)))
			bureau_kill(b);
	}
	a->signer_differs = false;
}

/* --- the end --- */

void
bureaus_reap(struct bureaus *a, pid_t pid, int status)
{
	char how[80];

	for (unsigned k = 0; k < BUREAUS; k++) {
		struct bureau *b = &a->bureau[k];
		if (b->m.pid != pid)
			continue;
		timer_clear(&b->follow);
		b->offered = 0;
		census_ended(&b->m);
		if (!a->crew->leaving && is_wanted(b)) {
			member_died(&b->m);
			member_tell(&b->m, died_limit, LOG_LEVEL_WARN, "%s (pid %d) %s; another one starts in %llu ms", b->m.name, (int)pid, member_end_text(status, how, sizeof how),
			    (unsigned long long)member_pause_ms(&b->m));
			timer_set(a->crew->loop, &b->m.again, member_pause_ms(&b->m));
		}
		b->m.pid = 0;
		member_close(&b->m);
		/* a worker that cannot be told now notices that the socket is shut, and never asks by the new configuration */
		for (uint32_t i = 0; !a->crew->leaving && !is_wanted(b) && i < a->crew->n_workers; i++)
			if (a->crew->worker[i].channel >= 0)
				member_say(&a->crew->worker[i], MSG_PEER, k, NULL, 0, NULL, 0);
	}
}

void
bureaus_kill(struct bureaus *a)
{
	for (unsigned k = 0; k < BUREAUS; k++) {
		timer_clear(&a->bureau[k].m.again);
		bureau_kill(&a->bureau[k]);
	}
}

void
bureaus_init(struct bureaus *a, struct crew *c)
{
	*a = (struct bureaus){.crew = c, .inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK)};
	timer_init(&a->pair_again, on_pair_again, a);
	timer_init(&a->look, on_look, a);
	timer_init(&a->patience, on_patience, a);
	for (unsigned k = 0; k < BUREAUS; k++) {
		struct bureau *b = &a->bureau[k];
		b->all = a;
		b->number = k;
		b->watched = -1;
		b->m = (struct member){.crew = c, .role = k == PEER_SIGNER ? "signer" : "auth", .index = k, .channel = -1, .heard = heard};
		snprintf(b->m.name, sizeof b->m.name, k == PEER_SIGNER ? "the signer" : "auth %s", back_word((enum back_kind)k));
		timer_init(&b->m.again, on_again, b);
		census_enlist(c->shared, &b->m);
		pulse_join(&c->pulse, &b->m);
		timer_init(&b->follow, on_follow, b);
	}
	if (a->inotify >= 0 && !watch_init_level(&a->watch, c->loop, a->inotify, WATCH_READ, on_inotify, a)) {
		close(a->inotify);
		a->inotify = -1;
	}
}

void
bureaus_clear(struct bureaus *a)
{
	if (!a->crew)
		return;
	bureaus_kill(a);
	for (unsigned k = 0; k < BUREAUS; k++) {
		member_close(&a->bureau[k].m);
		timer_clear(&a->bureau[k].follow);
	}
	timer_clear(&a->pair_again);
	timer_clear(&a->look);
	timer_clear(&a->patience);
	watch_clear(&a->watch);
	if (a->inotify >= 0)
		close(a->inotify);
	bureau_plan_clear(&a->plan);
}
