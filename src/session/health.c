/* SPDX-License-Identifier: MIT */
#include "session/health.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "net/sock.h"
#include "session/compose.h"
#include "session/pass.h"
#include "session/way.h"

#define TICK_LEAST_MS 50u
#define ANSWER_MOST   4096u /* bytes of its head */

struct look {
	struct grave            grave;
	LIST_ENTRY(look)        link;
	struct health          *health;
	struct snapshot        *snap; /* a reference */
	uint32_t                index;
	struct desk_job        *pass_job;
	struct answer           pass; /* of a parent that wants Negotiate */
	struct resolve_job     *job;
	struct dial            *dial;
	struct watch            watch;
	int                     fd; /* -1: not connected */
	struct timer            deadline; /* of the answer; name and dial have their own */
	uint64_t                begun_us;
	size_t                  n;
	char                    in[ANSWER_MOST];
};

struct health {
	struct gateway *gw;
	struct timer    tick;
	LIST_HEAD(, look) looks;
};

static void on_tick(void *arg);
static void on_deadline(void *arg);

struct health *
health_new(struct gateway *gw)
{
	struct health *h = calloc(1, sizeof *h);

	if (!h)
		return NULL;
	h->gw = gw;
	LIST_INIT(&h->looks);
	timer_init(&h->tick, on_tick, h);
	return h;
}

static void
drop_pass(struct look *k)
{
	if (k->pass.token)
		explicit_bzero(k->pass.token, k->pass.n_token);
	answer_clear(&k->pass);
}

static void
look_end(struct look *k)
{
	if (k->pass_job)
		desk_cancel(k->pass_job);
	drop_pass(k);
	if (k->job)
		resolve_job_cancel(k->job);
	dial_cancel(k->dial);
	timer_clear(&k->deadline);
	if (k->fd >= 0) {
		watch_clear(&k->watch);
		sock_close(k->fd);
	}
	LIST_REMOVE(k, link);
	snapshot_unref(k->snap);
	loop_bury(k->health->gw->loop, &k->grave);
}

void
health_free(struct health *h)
{
	struct look *k;

	if (!h)
		return;
	while ((k = LIST_FIRST(&h->looks)))
		look_end(k);
	timer_clear(&h->tick);
	free(h);
}

static const struct snapshot_parent *
parent_of(const struct look *k)
{
	const struct snapshot_parent *v = snapshot_at(k->snap, k->snap->set->parents.off);

	return &v[k->index];
}

/* What was found. Under another snapshot the slot may be somebody else's by now. */
static void
tell(struct look *k, enum fault fault)
{
	struct gateway               *gw = k->health->gw;
	const struct snapshot_parent *p = parent_of(k);
	struct parent_health         *state = way_health(gw, p);

	if (k->snap == gw->snap) {
		if (fault == FAULT_PARENT_AUTH)
			gw->passes_refused |= (uint64_t)1 << k->index;
		if (fault == FAULT_NONE)
			parents_worked(state, loop_now_us(gw->loop) - k->begun_us, clock_real_us());
		else if (fault != FAULT_NO_SOCKET && fault != FAULT_NO_MEMORY)
			parents_failed(state, p->fail_after, fault, clock_real_us());
		way_say(gw, k->snap, p); /* also what could not be said when it happened */
	}
	look_end(k);
}

static void
on_deadline(void *arg)
{
	tell(arg, FAULT_PARENT_TIMEOUT);
}

/* --- the CONNECT --- */

static enum fault
judge(const struct head *h)
{
	if (h->status == 407)
		return FAULT_PARENT_AUTH;
	return h->status >= 200 && h->status < 300 ? FAULT_NONE : FAULT_PARENT_REFUSED;
}

static void
on_answer(void *arg, unsigned what)
{
	struct look *k = arg;

	if (!(what & (WATCH_READ | WATCH_CLOSED)))
		return;
	for (;;) {
		struct head h;
		size_t      used = 0;
		enum fault  fault = FAULT_NONE;
		ssize_t     n = sock_read(k->fd, k->in + k->n, sizeof k->in - k->n);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) { /* or its head is too long */
			tell(k, n == 0 && k->n < sizeof k->in ? FAULT_ORIGIN_CLOSED : n < 0 ? FAULT_ORIGIN_RESET : FAULT_PARENT_BAD);
			return;
		}
		switch (head_parse_response(span_of(k->in, k->n + (size_t)n), k->n, &h, &used, &fault)) {
		case PARSE_OK:
			tell(k, judge(&h));
			return;
		case PARSE_BAD:
			tell(k, FAULT_PARENT_BAD);
			return;
		case PARSE_MORE:
			k->n += (size_t)n;
			break;
		}
	}
}

static void
ask(struct look *k)
{
	const struct snapshot_parent *p = parent_of(k);
	struct compose                o = {.p = k->health->gw->compose, .room = k->health->gw->compose_size};
	struct authority              at = {.port = p->health_port};
	bool                          sent;

	at.host.kind = addr_parse(snapshot_text(k->snap, p->health_host), &at.host.addr) ? HOST_ADDR : HOST_NAME;
	at.host.n = (uint8_t)p->health_host.n;
	memcpy(at.host.text, snapshot_text(k->snap, p->health_host).p, p->health_host.n);
	put(&o, SPAN("CONNECT "));
	put_authority(&o, &at, 0);
	put(&o, SPAN(" HTTP/1.1\r\nHost: "));
	put_authority(&o, &at, 0);
	put(&o, SPAN("\r\n"));
	if (k->pass.token) {
		put(&o, SPAN("Proxy-Authorization: "));
		put(&o, span_of(k->pass.token, k->pass.n_token));
		put(&o, SPAN("\r\n"));
	} else {
		way_put_authorization(&o, k->snap, k->index);
	}
	put(&o, SPAN("\r\n"));
	drop_pass(k);
	/* a new connection takes so little whole */
	sent = !o.full && sock_write(k->fd, compose_span(&o)) == (ssize_t)o.n;
	explicit_bzero(o.p, o.n);
	if (!sent) {
		tell(k, FAULT_ORIGIN_RESET);
		return;
	}
	timer_set(k->health->gw->loop, &k->deadline, p->connect_timeout_ms);
	if (!watch_init(&k->watch, k->health->gw->loop, k->fd, WATCH_READ | WATCH_CLOSED, on_answer, k))
		tell(k, FAULT_NO_MEMORY);
}

/* --- the connection --- */

static void
on_dialled(void *arg, enum fault fault, int fd, const struct addr *to)
{
	struct look *k = arg;

	(void)to;
	k->dial = NULL;
	k->fd = fd;
	if (fault != FAULT_NONE || !parent_of(k)->health_host.n)
		tell(k, fault);
	else
		ask(k);
}

static void
dial(struct look *k, const struct addr *a, unsigned n)
{
	const struct snapshot_parent *p = parent_of(k);
	struct addr                   fine[DIAL_ADDRS_MAX];
	unsigned                      n_fine = 0;

	for (unsigned i = 0; i < n && n_fine < DIAL_ADDRS_MAX; i++)
		if (!snapshot_is_self(k->snap, &a[i], p->port))
			fine[n_fine++] = a[i];
	if (!n_fine)
		tell(k, FAULT_SELF_TARGET);
	else if (!(k->dial = dial_start(k->health->gw->loop, fine, n_fine, p->port, NULL, p->connect_timeout_ms, on_dialled, k)))
		tell(k, FAULT_NO_MEMORY);
}

static void
on_resolved(void *arg, enum fault fault, struct resolved *res)
{
	struct look *k = arg;

	k->job = NULL;
	if (fault != FAULT_NONE)
		tell(k, fault);
	else
		dial(k, res->addr, res->n);
	resolved_unref(res);
}

static void
reach(struct look *k)
{
	struct span host = snapshot_text(k->snap, parent_of(k)->host);
	struct addr a;

	if (addr_parse(host, &a))
		dial(k, &a, 1);
	else if (!(k->job = resolver_start(k->health->gw->resolver, host, on_resolved, k)))
		tell(k, FAULT_NO_MEMORY);
}

/* Without a token the CONNECT would find out nothing. */
static void
on_pass(void *arg, const struct answer *a)
{
	struct look *k = arg;

	k->pass_job = NULL;
	if (!pass_is_clean(a) || !answer_token(&k->pass, span_of(a->token, a->n_token))) {
		tell(k, FAULT_NO_MEMORY); /* which says nothing of the parent */
		return;
	}
	k->begun_us = loop_now_us(k->health->gw->loop); /* the way to the KDC is none to the parent */
	reach(k);
}

static void
look_begin(struct health *h, uint32_t index)
{
	struct look *k = calloc(1, sizeof *k);

	if (!k)
		return; /* another time */
	k->health = h;
	k->snap = snapshot_ref(h->gw->snap);
	k->index = index;
	k->fd = -1;
	k->begun_us = loop_now_us(h->gw->loop);
	timer_init(&k->deadline, on_deadline, k);
	LIST_INSERT_HEAD(&h->looks, k, link);
	if (!parent_of(k)->health_host.n || parent_of(k)->auth != PARENT_AUTH_NEGOTIATE)
		reach(k);
	else if (!(k->pass_job = pass_ask(h->gw, k->snap, index, on_pass, k)))
		tell(k, FAULT_NO_MEMORY);
}

/* --- when --- */

static void
on_tick(void *arg)
{
	struct health                *h = arg;
	struct gateway               *gw = h->gw;
	const struct snapshot_parent *v = snapshot_at(gw->snap, gw->snap->set->parents.off);
	uint64_t                      next_ms = 0;

	if (gw->draining)
		return;
	for (uint32_t i = 0; i < gw->snap->set->parents.n; i++) {
		if (!v[i].health_interval_ms)
			continue;
		if (!next_ms || v[i].health_interval_ms < next_ms)
			next_ms = v[i].health_interval_ms;
		if (parents_claim(way_health(gw, &v[i]), loop_now_us(gw->loop), v[i].health_interval_ms * 1000))
			look_begin(h, i);
	}
	if (next_ms)
		timer_set(gw->loop, &h->tick, next_ms > TICK_LEAST_MS ? next_ms : TICK_LEAST_MS);
}

void
health_begin(struct health *h)
{
	timer_set(h->gw->loop, &h->tick, 0);
}
