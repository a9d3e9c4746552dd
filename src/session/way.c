/* SPDX-License-Identifier: MIT */
#include "session/way.h"

#include <stdio.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/clock.h"
#include "base/log.h"
#include "session/compose.h"

/* A parent without health checks that is down is tried again by a request, one in so long. */
#define AGAIN_US 10000000u
#define HASHES   8u

const struct rule_way *
way_of(const struct request *r)
{
	return policy_rule_way(r->snap->policy, r->has_verdict ? r->verdict.rule : RULE_NONE);
}

static const struct snapshot_parent *
parent_at(const struct snapshot *snap, uint32_t index)
{
	const struct snapshot_parent *v = snapshot_at(snap, snap->set->parents.off);

	return &v[index];
}

const struct snapshot_parent *
way_parent(const struct request *r)
{
	return r->parent ? parent_at(r->snap, r->parent - 1u) : NULL;
}

struct parent_health *
way_health(const struct gateway *gw, const struct snapshot_parent *p)
{
	return &gw->shared->parents.v[p->slot < PARENT_SLOTS ? p->slot : 0];
}

bool
way_is_relayed(const struct session *s)
{
	return s->req->parent && !s->req->is_connect && !s->inside;
}

/* What a connection's way is told apart by. */
struct way_mark {
	uint32_t           parent;
	uint32_t           relayed;
	struct dial_source from;
};

static uint64_t
key_of(const struct session *s, uint16_t parent)
{
	struct way_mark    m;
	struct dial_source from;

	memset(&m, 0, sizeof m); /* padding too */
	m.parent = parent;
	m.relayed = parent && !s->req->is_connect && !s->inside;
	if (way_source(s->req, &from))
		m.from = from;
	else if (!parent)
		return 0;
	return XXH3_64bits(&m, sizeof m) | 1;
}

uint64_t
way_key(const struct session *s)
{
	return key_of(s, s->req->parent);
}

struct span
way_host(const struct session *s)
{
	const struct request *r = s->req;

	return way_is_relayed(s) ? snapshot_text(r->snap, way_parent(r)->host) : host_span(&r->at.host);
}

uint16_t
way_port(const struct session *s)
{
	return way_is_relayed(s) ? way_parent(s->req)->port : s->req->at.port;
}

const struct dial_source *
way_source(const struct request *r, struct dial_source *room)
{
	const struct rule_way *way = way_of(r);

	if (!way->has_source[0] && !way->has_source[1])
		return NULL;
	memset(room, 0, sizeof *room); /* it is hashed */
	for (unsigned i = 0; i < 2; i++) {
		room->has[i] = way->has_source[i];
		if (way->has_source[i])
			room->addr[i] = way->source[i];
	}
	return room;
}

bool
way_fit_addresses(struct request *r)
{
	const struct rule_way *way = way_of(r);
	unsigned               n = 0;

	if (!way->has_source[0] && !way->has_source[1])
		return r->n_addr > 0;
	for (unsigned i = 0; i < r->n_addr; i++)
		if (way->has_source[!addr_is_v4(&r->addr[i])])
			r->addr[n++] = r->addr[i];
	r->n_addr = n;
	return n > 0;
}

enum record_hier
way_hier(const struct request *r, bool original)
{
	static const enum record_hier hier[] = {
		[BALANCE_FIRST] = HIER_FIRSTUP_PARENT, [BALANCE_ROUND_ROBIN] = HIER_ROUNDROBIN_PARENT, [BALANCE_CLIENT] = HIER_SOURCEHASH_PARENT};

	if (!r->has_to)
		return HIER_NONE;
	if (r->parent)
		return hier[r->snap->set->parent_balance];
	return r->to_original || original ? HIER_ORIGINAL_DST : HIER_DIRECT;
}

void
way_put_authorization(struct compose *to, const struct snapshot *snap, uint32_t parent)
{
	struct span value = snapshot_secret_of(snap, parent);

	if (!value.n)
		return;
	put(to, SPAN("Proxy-Authorization: "));
	put(to, value);
	put(to, SPAN("\r\n"));
}

/* --- which one --- */

/* May it be chosen? */
static bool
serves(const struct session *s, const struct rule_way *way, unsigned i)
{
	return !(s->req->tried & 1u << i) && !atomic_load_explicit(&way_health(s->gw, parent_at(s->req->snap, way->parent[i]))->down, memory_order_relaxed);
}

/* The n-th unit of weight, of all parents or of those that serve. -1: that is none's. */
static int
by_weight(const struct session *s, const struct rule_way *way, uint64_t n, bool all)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < way->n_parents; i++)
		sum += all || serves(s, way, i) ? parent_at(s->req->snap, way->parent[i])->weight : 0;
	if (!sum)
		return -1;
	n %= sum;
	for (unsigned i = 0; i < way->n_parents; i++) {
		uint32_t weight = all || serves(s, way, i) ? parent_at(s->req->snap, way->parent[i])->weight : 0;
		if (n < weight)
			return (int)i;
		n -= weight;
	}
	return -1;
}

/* Over all of them first: who has one that serves keeps it while others come and go. */
static int
by_client(const struct session *s, const struct rule_way *way)
{
	for (uint64_t seed = 0; seed < HASHES; seed++) {
		int i = by_weight(s, way, XXH3_64bits_withSeed(s->peer.addr.b, sizeof s->peer.addr.b, seed), true);
		if (i >= 0 && serves(s, way, (unsigned)i))
			return i;
	}
	return by_weight(s, way, XXH3_64bits(s->peer.addr.b, sizeof s->peer.addr.b), false);
}

/* The first that serves: of those with a weight, or of all. */
static int
by_order(const struct session *s, const struct rule_way *way, bool weighty)
{
	for (unsigned i = 0; i < way->n_parents; i++)
		if ((!weighty || parent_at(s->req->snap, way->parent[i])->weight) && serves(s, way, i))
			return (int)i;
	return -1;
}

/* One that is down, and that nobody checks, may have come back unseen: now and then a request finds out, and goes on to the next if it has not. */
static int
by_chance(const struct session *s, const struct rule_way *way, bool weighty)
{
	for (unsigned i = 0; i < way->n_parents; i++) {
		const struct snapshot_parent *p = parent_at(s->req->snap, way->parent[i]);
		struct parent_health         *state = way_health(s->gw, p);
		if (p->health_interval_ms || (weighty && !p->weight) || s->req->tried & 1u << i || !atomic_load_explicit(&state->down, memory_order_relaxed))
			continue;
		if (parents_claim(state, loop_now_us(s->gw->loop), AGAIN_US))
			return (int)i;
	}
	return -1;
}

static int
choose(struct session *s, const struct rule_way *way)
{
	int i = -1;

	/* a connection that is this client's alone */
	for (unsigned k = 0; s->origin && s->origin->way && k < way->n_parents; k++)
		if (serves(s, way, k) && key_of(s, (uint16_t)(way->parent[k] + 1)) == s->origin->way)
			return (int)k;
	if ((i = by_chance(s, way, true)) >= 0)
		return i;
	if (s->req->snap->set->parent_balance == BALANCE_ROUND_ROBIN)
		i = by_weight(s, way, s->gw->parent_turn++, false);
	else if (s->req->snap->set->parent_balance == BALANCE_CLIENT)
		i = by_client(s, way);
	else
		i = by_order(s, way, true);
	if (i < 0)
		i = by_order(s, way, false);
	return i < 0 ? by_chance(s, way, false) : i;
}

bool
way_choose(struct session *s)
{
	struct request        *r = s->req;
	const struct rule_way *way = way_of(r);
	int                    i;

	if (!way->n_parents || r->parent || r->straight)
		return true;
	i = choose(s, way);
	if (i >= 0) {
		r->parent = (uint16_t)(way->parent[i] + 1);
		r->parent_at = (uint8_t)i;
		return true;
	}
	if (r->snap->set->parents_down == PARENTS_DOWN_DIRECT) {
		r->straight = true;
		return true;
	}
	reply_fault(s, r->no_pass ? FAULT_PARENT_AUTH : FAULT_PARENT_DOWN);
	return false;
}

/* --- how it went --- */

void
way_say(struct gateway *gw, const struct snapshot *snap, const struct snapshot_parent *p)
{
	struct parent_health *state = way_health(gw, p);
	bool                  down;

	if (!parents_claim_word(state, clock_mono_us(), &down))
		return;
	if (down)
		log_warn("parent %.*s is down: %s, %u times in a row", SPAN_ARG(snapshot_text(snap, p->name)), fault_row((enum fault)atomic_load(&state->fault))->word,
		    p->fail_after);
	else
		log_info("parent %.*s is up again", SPAN_ARG(snapshot_text(snap, p->name)));
}

void
way_failed(struct session *s, enum fault fault)
{
	struct request               *r = s->req;
	const struct snapshot_parent *p = way_parent(r);
	const struct rule_way        *way = way_of(r);
	/* no socket, no token, or none that source lets go there: no fault of the parent's */
	bool ours = fault == FAULT_NO_SOCKET || fault == FAULT_PARENT_AUTH || ((way->has_source[0] || way->has_source[1]) && (fault == FAULT_CONNECT_FAILED || fault == FAULT_CONNECT_UNREACHABLE));
	char                          detail[160];

	if (!ours || !r->detail) {
		snprintf(detail, sizeof detail, "parent %.*s: %s", SPAN_ARG(snapshot_text(r->snap, p->name)), fault_row(fault)->word);
		request_note_tls(r, detail);
	}
	r->no_pass |= fault == FAULT_PARENT_AUTH;
	r->tried |= (uint8_t)(1u << r->parent_at);
	r->parent = 0;
	if (!ours && parents_failed(way_health(s->gw, p), p->fail_after, fault, clock_real_us()))
		way_say(s->gw, r->snap, p);
}

void
way_worked(struct session *s, uint64_t us)
{
	const struct snapshot_parent *p = way_parent(s->req);
	struct parent_health          *state = way_health(s->gw, p);

	atomic_fetch_add_explicit(&state->used, 1, memory_order_relaxed);
	if (parents_worked(state, us, clock_real_us()))
		way_say(s->gw, s->req->snap, p);
}
