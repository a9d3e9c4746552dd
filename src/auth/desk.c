/* SPDX-License-Identifier: MIT */
#include "auth/desk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "auth/back.h"
#include "auth/wire.h"
#include "base/clock.h"

#define BYTES_MOST  (64u << 20) /* of asks under way; a credential may be long */
#define READS_A_GO  64u /* then others get their turn */
#define GRACE_MOST_MS 250u
#define SILENT_ASKS   3u       /* in a row without a word: it is not alive, and nobody else need wait to find that out */
#define TRY_AGAIN_US  1000000u /* then one ask may try, now and then */

enum job_state { JOB_WAITING, JOB_SENT, JOB_SPARED };

struct desk_job {
	TAILQ_ENTRY(desk_job) link; /* of its route */
	struct desk      *desk;
	struct route     *route;
	struct timer      timer;
	uint64_t          id; /* serial << 16 | place in the desk's table */
	enum job_state    state; /* SPARED: not asked, since nobody would answer; on no list */
	uint64_t          since_us;
	desk_done         done;
	void             *arg;
	char             *packet; /* owned; kept for as long as it may have to be sent again */
	size_t            n;
};
TAILQ_HEAD(job_list, desk_job);

struct route {
	struct desk    *desk;
	int             fd; /* -1: none */
	bool            gone; /* there will be none: nobody waits */
	struct watch    watch;
	bool            may_repeat;
	unsigned        silent; /* asks in a row that ran out of time without a packet of the process since they came */
	uint64_t        heard_us, try_us; /* the last packet came; silent: nobody else is asked before */
	struct job_list waiting, sent;
};

struct desk {
	struct loop     *loop;
	struct route     route[BACK_KINDS];
	struct desk_job *job[DESK_JOBS_MAX];
	uint32_t         free_place[DESK_JOBS_MAX], n_free;
	uint64_t         serial;
	size_t           bytes;
	char             buf[WIRE_MAX];
};

static void on_time(void *arg);

struct desk *
desk_new(struct loop *loop)
{
	struct desk *d = calloc(1, sizeof *d);

	if (!d)
		return NULL;
	d->loop = loop;
	for (uint32_t i = 0; i < DESK_JOBS_MAX; i++)
		d->free_place[i] = DESK_JOBS_MAX - 1 - i;
	d->n_free = DESK_JOBS_MAX;
	for (unsigned k = 0; k < BACK_KINDS; k++) {
		const struct back_ops *ops = back_ops((enum back_kind)k);
		d->route[k] = (struct route){.desk = d, .fd = -1, .may_repeat = ops && ops->may_repeat};
		TAILQ_INIT(&d->route[k].waiting);
		TAILQ_INIT(&d->route[k].sent);
	}
	return d;
}

static struct job_list *
list_of(struct desk_job *j)
{
	return j->state == JOB_SENT ? &j->route->sent : &j->route->waiting;
}

/* Its packet may hold a password. */
static void
packet_drop(struct desk_job *j)
{
	if (!j->packet)
		return;
	explicit_bzero(j->packet, j->n);
	free(j->packet);
	j->packet = NULL;
	j->desk->bytes -= j->n;
}

static void
job_free(struct desk_job *j)
{
	struct desk *d = j->desk;
	uint32_t     place = (uint32_t)(j->id & (DESK_JOBS_MAX - 1));

	if (j->state != JOB_SPARED)
		TAILQ_REMOVE(list_of(j), j, link);
	timer_clear(&j->timer);
	packet_drop(j);
	d->job[place] = NULL;
	d->free_place[d->n_free++] = place;
	free(j);
}

void
desk_free(struct desk *d)
{
	if (!d)
		return;
	for (uint32_t i = 0; i < DESK_JOBS_MAX; i++)
		if (d->job[i])
			job_free(d->job[i]);
	for (unsigned k = 0; k < BACK_KINDS; k++) {
		watch_clear(&d->route[k].watch);
		if (d->route[k].fd >= 0)
			close(d->route[k].fd);
	}
	explicit_bzero(d->buf, sizeof d->buf);
	free(d);
}

/* The callback, as the last thing that happens to a job. It may ask again, or cancel others. */
static void
job_end(struct desk_job *j, const struct answer *a)
{
	desk_done done = j->done;
	void     *arg = j->arg;

	job_free(j);
	done(arg, a);
}

static void
job_fail(struct desk_job *j, const char *why)
{
	struct answer a = {.result = ASK_UNAVAILABLE};

	answer_detail(&a, "%s", why);
	job_end(j, &a);
	answer_clear(&a);
}

static void
on_time(void *arg)
{
	struct desk_job *j = arg;
	struct route    *r = j->route;

	if (j->state != JOB_SPARED && !r->gone && r->heard_us <= j->since_us)
		r->silent++;
	job_fail(j, r->fd < 0 ? "the authentication process is not there" :
	         j->state == JOB_SPARED ? "the authentication process does not answer" : "the authentication process did not answer in time");
}

/* What was under way there is asked again where that harms nobody; else it ends with the next turn. No callback comes out of this. */
static void
route_close(struct route *r)
{
	struct desk_job *j;

	watch_clear(&r->watch);
	if (r->fd >= 0)
		close(r->fd);
	r->fd = -1;
	r->heard_us = clock_mono_us(); /* its end is a word too: whoever waited for it did not wait in vain for the next one */
	if (r->may_repeat) {
		TAILQ_FOREACH(j, &r->sent, link)
			j->state = JOB_WAITING;
		TAILQ_CONCAT(&r->sent, &r->waiting, link); /* these came first */
		TAILQ_CONCAT(&r->waiting, &r->sent, link);
		return;
	}
	TAILQ_FOREACH(j, &r->sent, link)
		timer_set(r->desk->loop, &j->timer, 0);
}

/* Sends what waits, until the socket is full. The process may have died just now: then its successor gets it. */
static void
route_send(struct route *r)
{
	struct desk_job *j;

	while (r->fd >= 0 && (j = TAILQ_FIRST(&r->waiting))) {
		ssize_t w = send(r->fd, j->packet, j->n, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0 && (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM))
			return; /* on_route comes when there is room; the job's own timer if there never is */
		if (w < 0 && errno == EMSGSIZE) {
			timer_set(r->desk->loop, &j->timer, 0); /* no socket of ours is that small */
		} else if (w < 0) {
			route_close(r);
			return;
		}
		TAILQ_REMOVE(&r->waiting, j, link);
		j->state = JOB_SENT;
		TAILQ_INSERT_TAIL(&r->sent, j, link);
		if (!r->may_repeat)
			packet_drop(j);
	}
}

static void
route_answer(struct route *r, const char *buf, size_t n)
{
	struct desk     *d = r->desk;
	struct answer    a;
	uint64_t         id = 0;
	bool             ok = wire_get_answer(buf, n, &id, &a);
	struct desk_job *j = d->job[id & (DESK_JOBS_MAX - 1)];

	/* one that was cancelled, or had waited long enough */
	if (ok && j && j->id == id && j->route == r && j->state == JOB_SENT)
		job_end(j, &a);
	answer_clear(&a);
}

static void
on_route(void *arg, unsigned what)
{
	struct route *r = arg;
	struct desk  *d = r->desk;
	int           fd = r->fd;

	(void)what;
	for (unsigned i = 0; r->fd == fd && fd >= 0; i++) {
		ssize_t got;
		if (i == READS_A_GO) {
			watch_again(&r->watch, WATCH_READ);
			break;
		}
		got = recv(fd, d->buf, sizeof d->buf, MSG_DONTWAIT);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && (errno == EAGAIN || errno == ENOMEM || errno == ENOBUFS))
			break;
		if (got <= 0) {
			route_close(r);
			return;
		}
		r->silent = 0;
		r->heard_us = clock_mono_us();
		route_answer(r, d->buf, (size_t)got);
	}
	route_send(r);
}

void
desk_connect(struct desk *d, enum back_kind kind, int fd)
{
	struct route    *r = &d->route[kind];
	struct desk_job *j;

	if (r->fd >= 0)
		route_close(r);
	r->gone = fd < 0;
	r->silent = 0;
	if (fd < 0) {
		TAILQ_FOREACH(j, &r->waiting, link)
			timer_set(d->loop, &j->timer, 0);
		return;
	}
	r->fd = fd;
	if (!watch_init(&r->watch, d->loop, fd, WATCH_READ | WATCH_WRITE | WATCH_CLOSED, on_route, r))
		route_close(r);
	else
		route_send(r);
}

static bool
job_pack(struct desk_job *j, const struct ask *ask)
{
	struct desk *d = j->desk;
	size_t       n = wire_put_ask(d->buf, sizeof d->buf, j->id, ask);

	if (n == 0 || d->bytes + n > BYTES_MOST)
		return false;
	wire_set_deadline(d->buf, clock_mono_us() + ask->timeout_ms * 1000ull);
	j->packet = malloc(n);
	if (j->packet) {
		memcpy(j->packet, d->buf, n);
		j->n = n;
		d->bytes += n;
	}
	explicit_bzero(d->buf, n);
	return j->packet != NULL;
}

/* Would it only wait in vain? Then one in a while tries. */
static bool
route_is_silent(struct route *r, uint64_t now_us)
{
	if (r->silent < SILENT_ASKS || r->gone)
		return false;
	if (now_us < r->try_us)
		return true;
	r->try_us = now_us + TRY_AGAIN_US;
	return false;
}

struct desk_job *
desk_ask(struct desk *d, enum back_kind kind, const struct ask *ask, desk_done done, void *arg)
{
	struct route    *r = kind < BACK_KINDS ? &d->route[kind] : NULL;
	struct desk_job *j;
	uint64_t         grace_ms = ask->timeout_ms / 20 < GRACE_MOST_MS ? ask->timeout_ms / 20 : GRACE_MOST_MS;
	struct ask       told = *ask;

	if (!r || d->n_free == 0 || !(j = calloc(1, sizeof *j)))
		return NULL;
	j->desk = d;
	j->route = r;
	j->done = done;
	j->arg = arg;
	j->id = ++d->serial << 16 | d->free_place[d->n_free - 1];
	/* the process knows better why: it is to speak first */
	told.timeout_ms -= (uint32_t)grace_ms;
	if (!job_pack(j, &told)) {
		free(j);
		return NULL;
	}
	d->job[d->free_place[--d->n_free]] = j;
	timer_init(&j->timer, on_time, j);
	j->since_us = clock_mono_us();
	if (route_is_silent(r, j->since_us)) {
		j->state = JOB_SPARED;
		packet_drop(j);
		timer_set(d->loop, &j->timer, 0);
		return j;
	}
	timer_set(d->loop, &j->timer, r->gone ? 0 : ask->timeout_ms);
	TAILQ_INSERT_TAIL(&r->waiting, j, link);
	if (TAILQ_FIRST(&r->waiting) == j)
		route_send(r);
	return j;
}

void
desk_cancel(struct desk_job *j)
{
	if (j)
		job_free(j);
}
