/* SPDX-License-Identifier: MIT */
/*
 * authd: an auth process: the sockets around one back end (auth/office). Takes its file and snapshots from the parent, asks from the workers.
 * A back end that cannot be opened does not end the process: asks are refused with the reason, and it is tried again.
 */
#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/office.h"
#include "auth/wire.h"
#include "base/log.h"
#include "proc/child.h"
#include "proc/roles.h"
#include "proc/sandbox.h"

#define READS_A_GO    32u        /* of one worker, then the others get their turn */
#define REPLIES_MOST  (4u << 20) /* bytes that a worker who does not read may leave; more are dropped, since it waits for them no longer */
#define OPEN_FIRST_MS 1000u
#define OPEN_LAST_MS  30000u
#define NAMES_SOON_MS 200u
#define NAMES_MS      60000u
#define DRAIN_LOOK_MS 50u

struct reply {
	STAILQ_ENTRY(reply) link;
	size_t n;
	char   packet[];
};

struct peer {
	struct authd *all;
	uint32_t      worker;
	int           fd; /* -1: none */
	uint32_t      serial; /* of the socket: what was asked over an older one is not answered over this one */
	struct watch  watch;
	size_t        bytes;
	STAILQ_HEAD(, reply) replies; /* that did not fit */
};

struct authd {
	struct child           child;
	enum back_kind         kind;
	const struct back_ops *ops;
	struct office         *office;
	struct snapshot       *snap, *next;
	int                    file, next_file; /* -1: none */
	bool                   behind; /* `file` is newer than what is in use, and only memory was short: it is tried again */
	struct timer           open_again, names, drain;
	uint64_t               open_pause_ms;
	struct log_limit       slow;
	struct peer            peer[SHARED_WORKERS_MAX];
	char                   buf[WIRE_MAX];
};

/* --- the workers --- */

static void
peer_close(struct peer *p)
{
	struct reply *r;

	watch_clear(&p->watch);
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
	while ((r = STAILQ_FIRST(&p->replies))) {
		STAILQ_REMOVE_HEAD(&p->replies, link);
		free(r);
	}
	p->bytes = 0;
}

/* False: it did not go, and may later. */
static bool
peer_put(struct peer *p, const char *packet, size_t n)
{
	ssize_t w;

	do
		w = send(p->fd, packet, n, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (w < 0 && errno == EINTR);
	if (w >= 0 || errno == EMSGSIZE)
		return true;
	if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM)
		return false;
	return true; /* the worker is gone: on_peer closes */
}

static void
peer_flush(struct peer *p)
{
	struct reply *r;

	while (p->fd >= 0 && (r = STAILQ_FIRST(&p->replies)) && peer_put(p, r->packet, r->n)) {
		STAILQ_REMOVE_HEAD(&p->replies, link);
		p->bytes -= r->n;
		free(r);
	}
}

static uint32_t
from_of(const struct peer *p)
{
	return p->serial << 8 | p->worker;
}

static void
on_answer(void *arg, uint32_t from, uint64_t id, const struct answer *a)
{
	struct authd *d = arg;
	struct peer  *p = &d->peer[from & 0xff];
	struct reply *r;
	size_t        n;

	if (p->fd < 0 || from_of(p) != from)
		return;
	n = wire_put_answer(d->buf, sizeof d->buf, id, a);
	if (n == 0) {
		struct answer large = {.result = ASK_UNAVAILABLE};
		answer_detail(&large, "the answer is too large: tokens and groups of more than %u KiB", WIRE_MAX >> 10);
		n = wire_put_answer(d->buf, sizeof d->buf, id, &large);
	}
	if (STAILQ_EMPTY(&p->replies) && peer_put(p, d->buf, n))
		return;
	if (p->bytes + n > REPLIES_MOST || !(r = malloc(sizeof *r + n))) {
		log_write_limited(&d->slow, LOG_LEVEL_WARN, "worker %u does not read its answers: they are dropped", p->worker);
		return;
	}
	r->n = n;
	memcpy(r->packet, d->buf, n);
	p->bytes += n;
	STAILQ_INSERT_TAIL(&p->replies, r, link);
}

static void
on_peer(void *arg, unsigned what)
{
	struct peer  *p = arg;
	struct authd *d = p->all;
	static char   in[WIRE_MAX]; /* apart from d->buf: answers may come out of office_ask */

	(void)what;
	for (unsigned i = 0; p->fd >= 0; i++) {
		ssize_t n;
		if (i == READS_A_GO) {
			watch_again(&p->watch, WATCH_READ);
			break;
		}
		n = recv(p->fd, in, sizeof in, MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == ENOMEM || errno == ENOBUFS))
			break;
		if (n <= 0) {
			peer_close(p);
			child_say(MSG_PEER, p->worker);
			break;
		}
		if (!office_ask(d->office, from_of(p), in, (size_t)n))
			log_write_limited(&d->slow, LOG_LEVEL_WARN, "worker %u sends damaged packets", p->worker);
		explicit_bzero(in, (size_t)n);
	}
	peer_flush(p);
}

static void
take_peer(struct authd *d, struct message *m)
{
	struct peer *p = m->number < SHARED_WORKERS_MAX ? &d->peer[m->number] : NULL;

	if (!p || m->n_fds != 1)
		return;
	peer_close(p);
	p->fd = m->fd[0];
	p->serial = (p->serial + 1) & 0xffffff;
	m->n_fds = 0;
	if (!watch_init(&p->watch, d->child.loop, p->fd, WATCH_READ | WATCH_WRITE | WATCH_CLOSED, on_peer, p)) {
		peer_close(p);
		child_say(MSG_PEER, p->worker);
	}
}

/* --- the back end --- */

static void
close_file(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* What workers remember of the file before is void. Which one that was a process that died has left behind. */
static void
note_file(struct authd *d, int fd)
{
	struct shared_auth *shared = &d->child.shared->auth;
	struct stat         st;
	uint64_t            h = 0xcbf29ce484222325u, before;

	if (fd < 0 || fstat(fd, &st) != 0)
		return;
	const uint64_t what[] = {st.st_dev, st.st_ino, (uint64_t)st.st_size, (uint64_t)st.st_mtim.tv_sec, (uint64_t)st.st_mtim.tv_nsec};
	for (size_t i = 0; i < sizeof what / sizeof *what; i++) {
		h = (h ^ what[i]) * 0x9e3779b97f4a7c15u;
		h ^= h >> 29;
	}
	before = atomic_exchange(&shared->file[d->kind], h | 1);
	if (before && before != (h | 1))
		shared->epoch[d->kind]++;
}

/* Opens with `fd`, which becomes the file in use when that goes well. */
static bool
open_with(struct authd *d, int fd)
{
	char why[BACK_WHY_MAX];
	bool had = office_is_open(d->office);

	errno = 0;
	d->behind = false;
	if (!office_open(d->office, d->snap, fd, why)) {
		d->behind = had && errno == ENOMEM;
		log_warn("the back end cannot be opened: %s; %s", why, had ? "the one before stays in use" : "whoever needs it is refused (503) until it can");
		return false;
	}
	if (!had && d->open_pause_ms > OPEN_FIRST_MS)
		log_info("the back end is open now");
	note_file(d, fd);
	d->open_pause_ms = OPEN_FIRST_MS;
	timer_clear(&d->open_again);
	timer_set(d->child.loop, &d->names, 0);
	return true;
}

static void
try_later(struct authd *d)
{
	timer_set(d->child.loop, &d->open_again, d->open_pause_ms);
	d->open_pause_ms = d->open_pause_ms * 2 < OPEN_LAST_MS ? d->open_pause_ms * 2 : OPEN_LAST_MS;
}

/* Only while there is none, or for want of memory: a file that turned bad is tried when it changes again. */
static void
on_open_again(void *arg)
{
	struct authd *d = arg;
	bool          behind = d->behind, opened;

	if (!d->snap || (!behind && office_is_open(d->office)))
		return;
	opened = open_with(d, d->file);
	if (opened && behind)
		log_info("the file has changed, and is in use");
	if (!opened && (d->behind || !office_is_open(d->office)))
		try_later(d);
}

static void
on_names(void *arg)
{
	struct authd *d = arg;

	if (d->ops->names && !office_find_names(d->office))
		timer_set(d->child.loop, &d->names, NAMES_SOON_MS);
}

static void
on_names_found(void *arg, const struct ntlm_names *names)
{
	struct authd *d = arg;

	if (names)
		names_publish(&d->child.shared->auth.names, names);
	timer_set(d->child.loop, &d->names, names ? NAMES_MS : NAMES_SOON_MS);
}

/* --- the parent --- */

static void
take_file(struct authd *d, struct message *m)
{
	int fd = m->n_fds == 1 ? m->fd[0] : -1;

	m->n_fds = 0;
	if (m->number != 0 || (d->next && fd >= 0)) { /* belongs to the snapshot to come, or is newer than what came with that */
		close_file(&d->next_file);
		d->next_file = fd;
		return;
	}
	if (!d->snap || fd < 0) {
		close_file(&fd);
		return;
	}
	if (open_with(d, fd))
		log_info("the file has changed, and is in use");
	else if (d->behind)
		try_later(d);
	else if (office_is_open(d->office)) {
		close_file(&fd);
		return;
	}
	close_file(&d->file);
	d->file = fd;
}

static void
take_snapshot(struct authd *d, struct message *m)
{
	snapshot_unref(d->next);
	d->next = m->n_fds == 1 ? snapshot_open(m->fd[0], false) : NULL;
	child_say(d->next ? MSG_PREPARED : MSG_REFUSED, m->number);
}

static void
apply(struct authd *d, uint64_t number)
{
	if (!d->next || d->next->set->generation != number) {
		child_say(MSG_REFUSED, number);
		return;
	}
	snapshot_unref(d->snap);
	d->snap = d->next;
	d->next = NULL;
	log_threshold((enum log_level)d->snap->set->log_level);
	if (open_with(d, d->next_file) || d->behind || !office_is_open(d->office)) {
		close_file(&d->file);
		d->file = d->next_file;
		d->next_file = -1;
	}
	close_file(&d->next_file);
	if (d->behind || !office_is_open(d->office))
		try_later(d);
	child_say(MSG_APPLIED, number);
}

static void
on_drain(void *arg)
{
	struct authd *d = arg;

	if (office_is_idle(d->office))
		loop_stop(d->child.loop);
	else
		timer_set(d->child.loop, &d->drain, DRAIN_LOOK_MS);
}

static void
on_message(void *arg, struct message *m)
{
	struct authd *d = arg;

	switch ((enum message_type)m->type) {
	case MSG_PEER:
		take_peer(d, m);
		break;
	case MSG_FILE:
		take_file(d, m);
		break;
	case MSG_SNAPSHOT:
		take_snapshot(d, m);
		break;
	case MSG_GO:
		apply(d, m->number);
		break;
	case MSG_DRAIN:
		timer_set(d->child.loop, &d->drain, 0);
		break;
	default:
		break;
	}
}

/* Workers drain by themselves, and may still ask; what they have asked ends with its own deadlines. */
static void
on_orphaned(void *arg)
{
	struct authd *d = arg;

	timer_set(d->child.loop, &d->drain, d->snap ? d->snap->set->drain_timeout_ms : 0);
}

/* --- beginning and end --- */

/* winbindd's pipe for privileged questions is its group's; PAM's modules may need what the administrator gave the user (shadow). Looked up here, not in
 * the parent: where the machine takes its groups from a directory this may hang. */
static size_t
find_groups(enum back_kind kind, uid_t uid, gid_t group[GROUPS_MAX])
{
	const struct group *g = kind == BACK_WINBIND ? getgrnam("winbindd_priv") : NULL;

	if (g) {
		group[0] = g->gr_gid;
		return 1;
	}
	if (kind == BACK_WINBIND)
		log_warn("there is no group winbindd_priv here: winbindd will answer no NTLM; is winbind installed?");
	return kind == BACK_PAM ? sandbox_groups(uid, group) : 0;
}

static bool
give_up_privileges(struct authd *d)
{
	const struct start *s = &d->child.start;
	const struct rlimit none = {0, 0};
	gid_t               group[GROUPS_MAX];

	setrlimit(RLIMIT_CORE, &none); /* a core would hold passwords; sandbox_enter forbids it as well */
	if (s->drop_user && !sandbox_drop_user_but(s->uid, s->gid, group, find_groups(d->kind, s->uid, group)))
		return false;
	return sandbox_enter(d->kind == BACK_PAM ? ROLE_AUTH_OPEN : ROLE_AUTH, true);
}

static bool
authd_begin(struct authd *d)
{
	struct child        *c = &d->child;
	struct office_config config = {.answer = on_answer, .names = on_names_found, .arg = d};
	char                 why[BACK_WHY_MAX] = "";

	if (!child_begin(c, "auth"))
		return false;
	d->kind = config.kind = (enum back_kind)c->start.index;
	d->ops = config.ops = c->start.index < BACK_KINDS ? back_ops(d->kind) : NULL;
	config.shared = &c->shared->auth;
	if (!d->ops) {
		log_error("this postern was built without this back end");
		return false;
	}
	timer_init(&d->open_again, on_open_again, d);
	timer_init(&d->names, on_names, d);
	timer_init(&d->drain, on_drain, d);
	c->on_message = on_message;
	c->on_orphaned = on_orphaned;
	c->arg = d;
	if (d->ops->load && !d->ops->load(why)) {
		log_error("cannot start: %s", why);
		return false;
	}
	/* threads take over the filter of the one that starts them: not before */
	if (!give_up_privileges(d))
		return false;
	d->office = office_new(c->loop, &config);
	if (!d->office)
		log_error("cannot start: %s", strerror(errno));
	return d->office && child_listen(c);
}

int
authd_main(void)
{
	struct authd *d = calloc(1, sizeof *d);
	int           rc = 1;

	if (!d)
		return rc;
	d->file = d->next_file = -1;
	d->open_pause_ms = OPEN_FIRST_MS;
	for (uint32_t i = 0; i < SHARED_WORKERS_MAX; i++) {
		d->peer[i] = (struct peer){.all = d, .worker = i, .fd = -1};
		STAILQ_INIT(&d->peer[i].replies);
	}
	if (authd_begin(d)) {
		loop_run(d->child.loop);
		rc = 0;
	}
	if (office_is_busy(d->office) || (d->ops && d->ops->lingers))
		_exit(rc); /* a thread is in the back end: nothing may be freed under its feet */
	for (uint32_t i = 0; i < SHARED_WORKERS_MAX; i++)
		peer_close(&d->peer[i]);
	if (d->child.loop) {
		timer_clear(&d->open_again);
		timer_clear(&d->names);
		timer_clear(&d->drain);
	}
	office_free(d->office);
	snapshot_unref(d->snap);
	snapshot_unref(d->next);
	close_file(&d->file);
	close_file(&d->next_file);
	child_end(&d->child);
	free(d);
	return rc;
}
