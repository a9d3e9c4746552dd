/* SPDX-License-Identifier: MIT */
/*
 * fake_errand: the resolver, the dialling of several addresses, and the ring of fake_net. Answers when the script says so, in a later turn, never after
 * a cancel.
 */
#include "fake_desk.h"
#include "fake_tls.h"
#include "fake_net.h"

#include <stdio.h>
#include <stdlib.h>

#include "ipc/ring.h"
#include "net/dial.h"
#include "net/resolve.h"

struct resolver {
	int unused;
};

struct resolve_job {
	TAILQ_ENTRY(resolve_job) link;
	struct happening event;
	char             name[256];
	struct resolved *answer; /* a reference; null: failed */
	enum fault       fault;
	bool             answered;
	resolve_fn      *done;
	void            *arg;
};

struct known {
	TAILQ_ENTRY(known) link;
	char             name[256];
	struct resolved *answer;
	enum fault       fault;
};

struct dial {
	TAILQ_ENTRY(dial) link;
	struct happening event;
	struct addr      addr[DIAL_ADDRS_MAX], to;
	unsigned         n;
	uint16_t         port;
	enum fault       fault;
	bool             answered;
	dial_fn         *done;
	void            *arg;
};

static TAILQ_HEAD(, resolve_job) jobs = TAILQ_HEAD_INITIALIZER(jobs);
static TAILQ_HEAD(, known) knowns = TAILQ_HEAD_INITIALIZER(knowns);
static TAILQ_HEAD(, dial) dials = TAILQ_HEAD_INITIALIZER(dials);

/* --- net/resolve.h --- */

struct resolved *
resolved_ref(struct resolved *r)
{
	r->refs++;
	return r;
}

void
resolved_unref(struct resolved *r)
{
	if (r && --r->refs == 0)
		free(r);
}

static struct resolved *
resolved_new(const struct addr *a, unsigned n)
{
	struct resolved *r;

	if (!n)
		return NULL;
	r = fake_alloc(NULL, sizeof *r + n * sizeof *a);
	*r = (struct resolved){.refs = 1, .n = n};
	memcpy(r->addr, a, n * sizeof *a);
	return r;
}

struct resolver *
resolver_new(struct loop *loop, const struct resolver_config *c)
{
	(void)loop, (void)c;
	return calloc(1, sizeof(struct resolver));
}

static void
forget_all(void)
{
	struct known *k;

	while ((k = TAILQ_FIRST(&knowns))) {
		TAILQ_REMOVE(&knowns, k, link);
		resolved_unref(k->answer);
		free(k);
	}
}

void
resolver_free(struct resolver *r)
{
	forget_all();
	free(r);
}

bool
resolver_reconfigure(struct resolver *r, const struct resolver_config *c)
{
	(void)r, (void)c;
	forget_all();
	return true;
}

struct resolved *
resolver_cached(struct resolver *r, struct span name, enum fault *fault)
{
	struct known *k;

	(void)r;
	*fault = FAULT_NONE;
	TAILQ_FOREACH (k, &knowns, link)
		if (span_eq(span_str(k->name), name)) {
			*fault = k->fault;
			return k->answer ? resolved_ref(k->answer) : NULL;
		}
	return NULL;
}

static void
job_tell(void *arg)
{
	struct resolve_job *j = arg, was = *j;

	TAILQ_REMOVE(&jobs, j, link);
	free(j);
	was.done(was.arg, was.fault, was.answer);
}

struct resolve_job *
resolver_start(struct resolver *r, struct span name, resolve_fn *done, void *arg)
{
	struct resolve_job *j = calloc(1, sizeof *j);

	(void)r;
	if (!j)
		return NULL;
	j->event = (struct happening){.fn = job_tell, .arg = j};
	snprintf(j->name, sizeof j->name, "%.*s", SPAN_ARG(name));
	j->done = done;
	j->arg = arg;
	TAILQ_INSERT_TAIL(&jobs, j, link);
	fake_errand("lookup %s", j->name);
	return j;
}

void
resolve_job_cancel(struct resolve_job *j)
{
	fake_errand("lookup of %s cancelled", j->name);
	happening_drop(&j->event);
	TAILQ_REMOVE(&jobs, j, link);
	resolved_unref(j->answer);
	free(j);
}

bool
fake_answer(const char *name, const struct addr *a, unsigned n, enum fault fault)
{
	struct resolve_job *j;

	TAILQ_FOREACH (j, &jobs, link)
		if (!j->answered && (!name || strcmp(name, j->name) == 0))
			break;
	if (!j)
		return false;
	j->answered = true;
	j->fault = fault;
	j->answer = resolved_new(a, n);
	happening_queue(&j->event);
	return true;
}

void
fake_know(const char *name, const struct addr *a, unsigned n, enum fault fault)
{
	struct known *k = fake_alloc(NULL, sizeof *k);

	*k = (struct known){0};
	snprintf(k->name, sizeof k->name, "%s", name);
	k->answer = resolved_new(a, n);
	k->fault = fault;
	TAILQ_INSERT_HEAD(&knowns, k, link);
}

/* --- net/dial.h: several addresses --- */

static void
dial_tell(void *arg)
{
	struct dial      *d = arg, was = *d;
	struct fake_sock *s = NULL;

	TAILQ_REMOVE(&dials, d, link);
	free(d);
	if (was.fault == FAULT_NONE)
		s = fake_origin(&(struct endpoint){.addr = was.to, .port = was.port}, false);
	was.done(was.arg, was.fault, s ? s->fd : -1, &was.to);
}

struct dial *
dial_start(struct loop *l, const struct addr *addrs, unsigned n, uint16_t port, const struct dial_source *from, uint64_t timeout_ms, dial_fn *done, void *arg)
{
	struct dial *d = calloc(1, sizeof *d);
	char         text[DIAL_ADDRS_MAX * ADDR_TEXT_MAX] = "", one[ADDR_TEXT_MAX];
	size_t       at = 0;

	(void)l, (void)from, (void)timeout_ms; /* the session's own deadline is as long */
	if (!d)
		return NULL;
	d->event = (struct happening){.fn = dial_tell, .arg = d};
	for (unsigned i = 0; i < n && i < DIAL_ADDRS_MAX; i++) {
		d->addr[d->n++] = addrs[i];
		addr_print(&addrs[i], one);
		at += (size_t)snprintf(text + at, sizeof text - at, "%s%s", i ? "," : "", one);
	}
	d->port = port;
	d->done = done;
	d->arg = arg;
	TAILQ_INSERT_TAIL(&dials, d, link);
	fake_errand("dial %s:%u", text, port);
	return d;
}

void
dial_cancel(struct dial *d)
{
	if (!d)
		return;
	fake_errand("dial cancelled");
	happening_drop(&d->event);
	TAILQ_REMOVE(&dials, d, link);
	free(d);
}

bool
fake_dialled(const struct addr *to, enum fault fault)
{
	struct fake_sock *s;
	struct dial      *d;

	TAILQ_FOREACH (d, &dials, link)
		if (!d->answered) {
			d->answered = true;
			d->fault = fault;
			d->to = to ? *to : d->addr[0];
			happening_queue(&d->event);
			return true;
		}
	TAILQ_FOREACH (s, &fake.socks, link)
		if (s->connecting && !s->closed) {
			s->connecting = false;
			s->outcome = fault;
			if (fault != FAULT_NONE)
				fake_reset(s);
			happening_queue(&s->event);
			return true;
		}
	return false;
}

bool
fake_errands_left(void)
{
	return !TAILQ_EMPTY(&jobs) || !TAILQ_EMPTY(&dials) || fake_desk_waits() || fake_tls_left();
}

void
fake_errands_clear(void)
{
	struct resolve_job *j;
	struct dial        *d;

	while ((j = TAILQ_FIRST(&jobs)))
		resolve_job_cancel(j);
	while ((d = TAILQ_FIRST(&dials)))
		dial_cancel(d);
	fake_desk_clear();
	fake_tls_clear();
	forget_all();
}

/* --- ipc/ring.h, the writing side --- */

struct ring {
	int unused;
};

static struct fake_record *reserved;

struct ring *
ring_open(int fd)
{
	static struct ring one;

	(void)fd;
	return &one;
}

void *
ring_reserve(struct ring *r, size_t n)
{
	(void)r;
	if (fake.log_full)
		return NULL;
	if (reserved)
		fake_wrong("room for a record was reserved twice");
	reserved = fake_alloc(NULL, sizeof *reserved + n);
	reserved->n = n;
	return reserved->bytes;
}

void
ring_commit(struct ring *r, size_t n)
{
	const struct record *rec = (const void *)reserved->bytes;

	(void)r;
	if (n > reserved->n)
		fake_wrong("a record is longer than its room");
	reserved->n = n;
	TAILQ_INSERT_TAIL(&fake.records, reserved, link);
	fake.n_records++;
	fake.sum_in += rec->bytes_in;
	fake.sum_out += rec->bytes_out;
	reserved = NULL;
}

uint64_t
ring_written(const struct ring *r)
{
	(void)r;
	return 0;
}

bool
ring_wants_wake(struct ring *r)
{
	(void)r;
	return false;
}
