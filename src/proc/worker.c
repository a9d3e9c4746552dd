/* SPDX-License-Identifier: MIT */
/*
 * worker: a process that carries traffic. Prepares snapshots when the parent sends them, uses them when it says go; drains when told, or when the
 * parent is gone.
 * Owns its gateway; needs nobody else for what is under way.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auth/desk.h"
#include "auth/parent_secret.h"
#include "base/log.h"
#include "ipc/hits.h"
#include "proc/child.h"
#include "proc/roles.h"
#include "proc/sandbox.h"
#include "session/gateway.h"
#include "session/list.h"
#include "tls/context.h"
#include "tls/leaf.h"
#include "tls/server.h"

#define WARM_A_TURN 64u /* regexes compiled before traffic has its turn: less than a millisecond */

/* What has been prepared for the snapshot to come. */
struct pending {
	struct snapshot *snap;
	uint64_t         number;   /* of its message */
	bool             prepared; /* the parent was told */
	struct {
		bool     named;
		uint16_t index;
		int      fd; /* -1: the slot keeps its socket */
	} slot[LISTENER_SLOTS];
	struct snapshot_secret secret[PARENTS_MAX]; /* n 0: none came */
	int                key[LISTENER_SLOTS];    /* by listener: its file; -1: none came */
	struct hits       *hits; /* owned; null: none came */
	uint64_t           hits_number; /* the snapshot that they are for */
	struct tls_server *server[LISTENER_SLOTS]; /* references; made of chains and keys */
};

struct worker {
	struct child   child;
	struct gateway gw;
	struct pending next;
	bool           running; /* a first snapshot is in use */
	struct watch   warm;    /* the next snapshot has regexes left to compile */
};

static void
drop_key(struct pending *p, unsigned i)
{
	if (p->key[i] >= 0)
		close(p->key[i]);
	p->key[i] = -1;
}

static void
pending_clear(struct pending *p)
{
	snapshot_unref(p->snap);
	p->snap = NULL;
	p->prepared = false;
	hits_close(p->hits);
	p->hits = NULL;
	explicit_bzero(p->secret, sizeof p->secret);
	for (unsigned i = 0; i < LISTENER_SLOTS; i++) {
		if (p->slot[i].named && p->slot[i].fd >= 0)
			close(p->slot[i].fd);
		p->slot[i].named = false;
		p->slot[i].fd = -1;
		drop_key(p, i);
		tls_server_unref(p->server[i]);
		p->server[i] = NULL;
	}
}

static void
take_key(struct worker *w, struct message *m)
{
	if (m->number >= LISTENER_SLOTS || m->n_fds != 1)
		return;
	drop_key(&w->next, (unsigned)m->number);
	w->next.key[m->number] = m->fd[0];
	m->n_fds = 0;
}

static void
name_slot(struct worker *w, struct message *m)
{
	uint16_t index;

	if (m->number >= LISTENER_SLOTS || m->n != sizeof index)
		return;
	memcpy(&index, m->data, sizeof index);
	if (w->next.slot[m->number].fd >= 0)
		close(w->next.slot[m->number].fd); /* of a snapshot that never came */
	w->next.slot[m->number].named = true;
	w->next.slot[m->number].index = index;
	w->next.slot[m->number].fd = -1;
	if (m->n_fds == 1) {
		w->next.slot[m->number].fd = m->fd[0];
		m->n_fds = 0;
	}
}

/* Traffic does not hang on it: without credentials that parent refuses us, and that is said. */
static void
take_credentials(struct worker *w, struct message *m)
{
	const char *why;

	if (m->number >= PARENTS_MAX || m->n_fds != 1)
		return;
	if (!parent_secret_read(m->fd[0], &w->next.secret[m->number], &why) && w->child.start.index == 0)
		log_warn("the file of credentials for parent number %u of the configuration %s", (unsigned)m->number + 1, why);
}

/* The parent has the time to be the last that holds it. */
static void
let_go(int file)
{
	channel_send(CHILD_CHANNEL, &(struct message){.type = MSG_LET_GO, .n_fds = 1, .fd = {file}});
	close(file);
}

/* Where nothing can be counted, traffic goes on all the same. */
static void
take_hits(struct worker *w, struct message *m)
{
	if (m->n_fds != 1)
		return;
	hits_close(w->next.hits);
	w->next.hits = hits_open(m->fd[0]);
	w->next.hits_number = m->number;
}

static void
free_hits(void *counts)
{
	hits_close(counts);
}

static struct snapshot *
open_snapshot(struct worker *w, struct message *m)
{
	struct snapshot *s = m->n_fds == 1 ? snapshot_open_cold(m->fd[0]) : NULL;

	if (s) {
		snapshot_keep_file(s, m->fd[0], let_go);
		m->n_fds = 0;
	}
	if (s && s->set->parents.n && !snapshot_keep_secrets(s, w->next.secret, s->set->parents.n)) {
		snapshot_unref(s);
		s = NULL;
	}
	explicit_bzero(w->next.secret, sizeof w->next.secret);
	if (s && w->next.hits && w->next.hits_number == m->number) {
		snapshot_count_with(s, w->next.hits, free_hits);
		w->next.hits = NULL;
	}
	return s;
}

static void
refuse_listener(uint64_t number, uint16_t index, const char *why)
{
	struct message m = {.type = MSG_REFUSED, .number = number, .n = (uint32_t)(sizeof index + strlen(why))};

	memcpy(m.data, &index, sizeof index);
	memcpy(m.data + sizeof index, why, strlen(why));
	channel_send(CHILD_CHANNEL, &m);
}

/* The keys are read here, and their files let go. False: the parent was told which one cannot be used. */
static bool
make_servers(struct pending *p, uint64_t number)
{
	const struct snapshot_listener *l = snapshot_at(p->snap, p->snap->set->listeners.off);
	char                            why[TLS_SERVER_WHY];

	for (uint16_t i = 0; i < p->snap->set->listeners.n && i < LISTENER_SLOTS; i++) {
		if (l[i].tls)
			p->server[i] = tls_server_new(snapshot_text(p->snap, l[i].chain), p->key[i], snapshot_text(p->snap, l[i].name), why);
		drop_key(p, i);
		if (l[i].tls && !p->server[i]) {
			refuse_listener(number, i, why);
			return false;
		}
	}
	return true;
}

/* In turns, for traffic goes on meanwhile. */
static void
on_warm(void *arg, unsigned what)
{
	struct worker *w = arg;

	(void)what;
	if (!w->next.snap || w->next.prepared)
		return;
	if (!snapshot_warm(w->next.snap, WARM_A_TURN)) {
		child_say(MSG_REFUSED, w->next.number);
		pending_clear(&w->next);
		return;
	}
	if (!snapshot_is_warm(w->next.snap)) {
		watch_again(&w->warm, WATCH_READ);
		return;
	}
	w->next.prepared = true;
	if (make_servers(&w->next, w->next.number))
		child_say(MSG_PREPARED, w->next.number);
	else
		pending_clear(&w->next);
}

static void
prepare(struct worker *w, struct message *m)
{
	snapshot_unref(w->next.snap);
	w->next.snap = open_snapshot(w, m);
	w->next.number = m->number;
	w->next.prepared = false;
	if (w->next.snap) {
		on_warm(w, WATCH_READ);
		return;
	}
	child_say(MSG_REFUSED, m->number);
	pending_clear(&w->next);
}

/* Executable memory may be forbidden here (kernel hardening): said once, by one worker. */
static void
note_jit(const struct worker *w)
{
	static bool            said;
	const struct snapshot *s = w->gw.snap;

	if (said || w->child.start.index != 0 || !s->set->jit || host_set_has_jit(policy_hosts(s->policy)))
		return;
	said = true;
	log_info("regular expressions are interpreted, which is slower: this system allows no executable memory; regex-jit = no is quiet about it");
}

/* From here on new requests are decided by the new snapshot; nothing under way is touched. */
static void
apply(struct worker *w, uint64_t number)
{
	struct pending *p = &w->next;

	if (!p->snap || !p->prepared || p->snap->set->generation != number) {
		child_say(MSG_REFUSED, number);
		return;
	}
	if (!gateway_use(&w->gw, p->snap)) {
		log_error("cannot use the new configuration: out of memory; the old one stays");
		child_say(MSG_REFUSED, number);
		pending_clear(p);
		return;
	}
	p->snap = NULL; /* the gateway's now */
	gateway_use_servers(&w->gw, p->server);
	note_jit(w);
	for (uint32_t i = 0; i < LISTENER_SLOTS; i++) {
		if (!p->slot[i].named) {
			gateway_remove(&w->gw, i);
			continue;
		}
		if (p->slot[i].fd >= 0 && !w->gw.draining)
			gateway_listen(&w->gw, i, p->slot[i].fd, p->slot[i].index);
		else
			w->gw.slot[i].index = p->slot[i].index;
		p->slot[i].named = false;
		p->slot[i].fd = -1;
	}
	w->running = true;
	log_threshold((enum log_level)w->gw.snap->set->log_level);
	child_say(MSG_APPLIED, number);
}

/* A new way to an auth process or the signer, or none any more. */
static void
connect_peer(struct worker *w, struct message *m)
{
	int fd = m->n_fds ? m->fd[0] : -1;

	if (m->number > PEER_SIGNER || m->n_fds > 1)
		return;
	if (m->number == PEER_SIGNER)
		leaf_desk_connect(w->gw.leaves, fd);
	else
		desk_connect(w->gw.desk, (enum back_kind)m->number, fd);
	m->n_fds = 0;
}

static void
on_listed(void *arg, uint64_t number, bool whole)
{
	(void)arg;
	(void)whole; /* the parent sees by the file how far it goes */
	child_say(MSG_SESSIONS, number);
}

/* Somebody who may command wants it gone. */
static void
end_session(struct worker *w, const struct message *m)
{
	struct message answer = {.type = MSG_END, .number = m->number, .n = m->n + 1};

	if (m->n != sizeof(uint32_t))
		return;
	memcpy(answer.data, m->data, m->n);
	answer.data[m->n] = w->running && gateway_end(&w->gw, m->number);
	channel_send(CHILD_CHANNEL, &answer);
}

static void
on_message(void *arg, struct message *m)
{
	struct worker *w = arg;

	switch ((enum message_type)m->type) {
	case MSG_LISTENER:
		name_slot(w, m);
		break;
	case MSG_CREDENTIALS:
		take_credentials(w, m);
		break;
	case MSG_KEY:
		take_key(w, m);
		break;
	case MSG_HITS:
		take_hits(w, m);
		break;
	case MSG_SNAPSHOT:
		prepare(w, m);
		break;
	case MSG_GO:
		apply(w, m->number);
		break;
	case MSG_FORGET:
		pending_clear(&w->next);
		break;
	case MSG_PEER:
		connect_peer(w, m);
		break;
	case MSG_END:
		end_session(w, m);
		break;
	case MSG_SESSIONS:
		if (m->n_fds == 1 && w->running) {
			session_list_begin(&w->gw, m->fd[0], m->number, on_listed, w);
			m->n_fds = 0;
		}
		break;
	case MSG_DRAIN:
		if (!w->running)
			loop_stop(w->child.loop);
		else
			gateway_drain(&w->gw, m->number, m->n == 1); /* a second one may be in more of a hurry */
		break;
	default:
		break;
	}
}

static void
on_orphaned(void *arg)
{
	struct worker *w = arg;

	log_warn("the parent is gone: no new connections; those under way get %llu ms",
	    w->running ? (unsigned long long)w->gw.snap->set->drain_timeout_ms : 0ull);
	if (!w->running)
		loop_stop(w->child.loop);
	else if (!w->gw.draining)
		gateway_drain(&w->gw, w->gw.snap->set->drain_timeout_ms, false);
}

static void
on_drained(void *arg)
{
	struct worker *w = arg;

	loop_stop(w->child.loop);
}

static bool
worker_begin(struct worker *w)
{
	struct child *c = &w->child;

	if (!child_begin(c, "worker") || c->start.index >= c->shared->n_workers || c->ring_fd < 0 || !gateway_init(&w->gw, c->loop, c->start.index))
		return false;
	w->gw.desk = desk_new(c->loop);
	w->gw.leaves = leaf_desk_new(c->loop, 0, gateway_on_tickets, &w->gw);
	if (!w->gw.desk || !w->gw.leaves) {
		log_error("cannot start: out of memory");
		return false;
	}
	w->gw.shared = c->shared;
	w->gw.count = &c->shared->worker[c->start.index].counters;
	w->gw.wake_fd = c->wake_fd;
	w->gw.ring = ring_open(c->ring_fd);
	w->gw.on_drained = on_drained;
	w->gw.arg = w;
	c->on_message = on_message;
	c->on_orphaned = on_orphaned;
	c->arg = w;
	watch_init_idle(&w->warm, c->loop, on_warm, w);
	shared_worker_reset(c->shared, c->start.index);
	if (!tls_library_begin())
		return false;
	if (c->start.drop_user && !sandbox_drop_user(c->start.uid, c->start.gid))
		return false;
	return w->gw.ring && sandbox_enter(ROLE_WORKER, c->start.jit) && child_listen(c);
}

int
worker_main(void)
{
	struct worker *w = calloc(1, sizeof *w);
	int            rc = 1;

	for (unsigned i = 0; w && i < LISTENER_SLOTS; i++)
		w->next.slot[i].fd = w->next.key[i] = -1;
	if (w && worker_begin(w)) {
		loop_run(w->child.loop);
		rc = 0;
	}
	if (w) {
		watch_clear(&w->warm);
		pending_clear(&w->next);
		if (w->child.loop)
			gateway_clear(&w->gw);
		desk_free(w->gw.desk);
		leaf_desk_free(w->gw.leaves);
		ring_close(w->gw.ring);
		child_end(&w->child);
	}
	free(w);
	return rc;
}
