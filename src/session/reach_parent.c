/* SPDX-License-Identifier: MIT */
/*
 * reach_parent: the way to a parent: what to show it, its look-up, the dial; and on to the next when that does not lead there.
 * Which one is way's to choose; asking it to CONNECT is parent's.
 */
#include "session/pass.h"
#include "session/reach.h"
#include "session/way.h"

/* Its addresses: whatever egress says of them, but not ourselves. */
static void
dial_parent(struct session *s, const struct addr *a, unsigned n)
{
	struct request *r = s->req;

	r->n_addr = 0;
	for (unsigned i = 0; i < n && r->n_addr < TARGET_ADDRS; i++)
		if (!snapshot_is_self(r->snap, &a[i], way_parent(r)->port))
			r->addr[r->n_addr++] = a[i];
	if (r->n_addr)
		reach_dial(s);
	else
		reach_parent_failed(s, FAULT_SELF_TARGET);
}

static void
on_parent_resolved(void *arg, enum fault fault, struct resolved *res)
{
	struct session *s = arg;
	struct request *r = s->req;

	r->job = NULL;
	r->resolve_ms = reach_since_ms(s, r->errand_us);
	session_move(s, SESSION_GATE);
	if (fault != FAULT_NONE)
		reach_parent_failed(s, fault);
	else
		dial_parent(s, res->addr, res->n);
	resolved_unref(res);
}

void
reach_parent(struct session *s)
{
	struct request  *r = s->req;
	struct span      host = snapshot_text(r->snap, way_parent(r)->host);
	enum fault       fault = FAULT_NONE;
	struct resolved *known;
	struct addr      a;

	if (pass_is_wanted(s)) {
		pass_fetch(s);
	} else if (addr_parse(host, &a)) {
		dial_parent(s, &a, 1);
	} else if ((known = resolver_cached(s->gw->resolver, host, &fault))) {
		dial_parent(s, known->addr, known->n);
		resolved_unref(known);
	} else if (fault != FAULT_NONE) {
		reach_parent_failed(s, fault);
	} else {
		session_move(s, SESSION_LOOKUP);
		r->errand_us = loop_now_us(s->gw->loop);
		r->job = resolver_start(s->gw->resolver, host, on_parent_resolved, s);
		if (!r->job)
			reply_fault(s, FAULT_NO_MEMORY);
	}
}

void
reach_parent_failed(struct session *s, enum fault fault)
{
	struct request *r = s->req;

	pass_drop(r);
	way_failed(s, fault);
	r->has_to = false;
	if (s->state != SESSION_GATE)
		session_move(s, SESSION_GATE);
	if (!way_choose(s))
		return;
	if (r->parent)
		reach_parent(s);
	else
		reach_straight(s);
}

/* What to show it is there. The connection that it was meant for may have ended meanwhile. */
void
reach_with_pass(struct session *s)
{
	if (s->origin)
		reach_use_origin(s);
	else
		reach_parent(s);
}
