/* SPDX-License-Identifier: MIT */
/*
 * reach: from a verdict to a connection: the pool, the look-up, the judging of every address, the dial; for a request inside an inspected tunnel
 * the origin's TLS as well.
 * Always true: no address is connected to that egress (and, where a rule asks for addresses, policy) has not judged; a name that policy denies is never
 * looked up unless a rule asks for its address.
 */
#include <stdio.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "net/sock.h"
#include "session/count.h"
#include "session/inspect.h"
#include "session/pass.h"
#include "session/reach.h"
#include "session/way.h"

/* A pooled connection that idled longer may be closing right now: fine for a request that can be repeated, not for one that cannot. */
#define FRESH_MS 1000u

static void on_resolved(void *arg, enum fault fault, struct resolved *res);
static void on_dialled(void *arg, enum fault fault, int fd, const struct addr *to);

uint32_t
reach_since_ms(const struct session *s, uint64_t us)
{
	return (uint32_t)((loop_now_us(s->gw->loop) - us) / 1000);
}

/* Egress and ourselves: what no rule can allow. */
static enum fault
judge_address(const struct request *r, const struct addr *a)
{
	if (snapshot_is_self(r->snap, a, r->at.port))
		return FAULT_SELF_TARGET;
	return egress_allows(egress_at(r->snap->block, r->snap->set->egress), a) ? FAULT_NONE : FAULT_EGRESS_DENIED;
}

/* Keep those of n addresses that may be connected to, in their order. When a rule looks at addresses, each is asked about by itself: the first that is let
 * through decides, and only those that the same rule holds for are kept. *needs_user: a rule must
 * know who asks before one of them is let through. */
static enum fault
judge_addresses(struct request *r, const struct addr *a, unsigned n, bool by_rule, bool *needs_user)
{
	enum fault     worst = FAULT_EGRESS_DENIED;
	struct verdict v;

	r->n_addr = 0;
	*needs_user = false;
	if (by_rule && r->identity && !request_know_user(r))
		return FAULT_NO_MEMORY;
	for (unsigned i = 0; i < n && r->n_addr < TARGET_ADDRS; i++) {
		enum fault fault = judge_address(r, &a[i]);
		if (fault != FAULT_NONE) {
			worst = fault;
			continue;
		}
		if (by_rule) {
			r->facts.address = a[i];
			r->facts.known |= FACT_ADDRESS;
			enum policy_answer answer = policy_decide(r->snap->policy, &r->facts, &v);
			if (answer == POLICY_NEED_USER && r->n_addr == 0) {
				*needs_user = true;
				r->has_verdict = false;
				r->facts.known &= ~FACT_ADDRESS;
				return FAULT_AUTH_REQUIRED;
			}
			if (answer != POLICY_VERDICT && answer != POLICY_NEED_RESPONSE) {
				worst = answer == POLICY_UNDECIDED ? FAULT_UNDECIDED : FAULT_USER_UNKNOWN;
				continue;
			}
			if (r->n_addr == 0 && (!r->has_verdict || r->verdict.action == ACTION_DENY)) {
				r->verdict = v;
				r->has_verdict = true;
				r->needs_response = answer == POLICY_NEED_RESPONSE;
			}
			if (v.action == ACTION_DENY && answer == POLICY_VERDICT && !r->snap->set->report_only) {
				worst = v.rule == RULE_NONE ? FAULT_NO_RULE : FAULT_DENIED;
				continue;
			}
			if (v.rule != r->verdict.rule)
				continue;
		}
		r->addr[r->n_addr++] = a[i];
	}
	return r->n_addr ? FAULT_NONE : worst;
}

/* A request inside an inspected tunnel. */
static bool
is_inner(const struct session *s)
{
	return s->inside && !s->req->is_connect;
}

const struct addr *
reach_original(const struct session *s)
{
	const struct request  *r = s->req;
	const struct rule_way *way;

	if (!s->original || !r->has_verdict || is_inner(s))
		return NULL;
	way = policy_rule_way(r->snap->policy, r->verdict.rule);
	return way->original && way->n_parents == 0 ? &s->original->addr : NULL;
}

/* Of connections that it may share: 0 for those in the open. Those to an address that a client chose for the name serve only who chose the same. */
static uint64_t
ground(const struct session *s)
{
	const struct addr *original;

	if (is_inner(s))
		return s->inside->ground;
	original = reach_original(s);
	return original ? XXH3_64bits(original, sizeof *original) | 1 : 0;
}

/* Inside a tunnel, what carries Authorization of whatever kind serves no other client any more: it is of a ground of this tunnel's own. 0: it carries none. */
static uint64_t
own_ground(const struct session *s)
{
	return is_inner(s) && s->req->head.seen & 1u << FIELD_AUTHORIZATION ? inside_own_ground(s->inside) : 0;
}

/* Is there a connection, kept for this client alone, that leads where the request wants to go? */
static bool
has_kept(const struct session *s)
{
	const struct request *r = s->req;
	bool                  of_ground;

	if (!s->origin || r->is_connect || s->origin->way != way_key(s) || s->origin->port != way_port(s))
		return false;
	of_ground = s->origin->ground == ground(s) || (is_inner(s) && s->origin->ground == inside_own_ground(s->inside));
	return of_ground && origin_is_for(s->origin, way_host(s), r->snap->set->generation);
}

/* Another request's connection. False: there is none. */
static bool
take_pooled(struct session *s)
{
	const struct request    *r = s->req;
	const struct origin_want want = {
		.host = way_host(s),
		.port = way_port(s),
		.way = way_key(s),
		.generation = r->snap->set->generation,
		.ground = ground(s),
		.own = own_ground(s),
		.max_idle_ms = method_is_idempotent(r->head.method_id) ? r->snap->set->keepalive_timeout_ms : FRESH_MS,
		.h2 = is_inner(s) && s->inside->h2,
		.min_version = is_inner(s) ? inside_version(s->inside) : 0,
	};

	s->origin = origin_take(s->gw, s, &want);
	return s->origin != NULL;
}

/* The place that was dialled, the parent or the origin, cannot be reached. */
static void
dial_failed(struct session *s, enum fault fault)
{
	struct request    *r = s->req;
	struct dial_source from;
	char               text[ADDR_TEXT_MAX], detail[ADDR_TEXT_MAX + 80];

	session_drop_origin(s);
	if (fault == FAULT_CONNECT_FAILED && way_source(r, &from)) {
		const struct addr *a = &from.addr[!addr_is_v4(&r->to)];
		addr_print(a, text);
		snprintf(detail, sizeof detail, "from source %s%s", text, snapshot_is_local(r->snap, a) ? "" : ", which is no address of this machine");
		request_note_tls(r, detail);
	}
	if (r->parent)
		reach_parent_failed(s, fault);
	else
		reply_fault(s, fault);
}

/* The port to dial, which with a parent is not what the connection is found by. */
static uint16_t
dial_port(const struct request *r)
{
	return r->parent ? way_parent(r)->port : r->at.port;
}

/* False: no memory. */
static bool
have_origin(struct session *s, int fd, const struct addr *to)
{
	s->origin = origin_new(s->gw, s, fd, to, way_port(s));
	if (!s->origin)
		return false;
	s->origin->way = way_key(s);
	if (s->original && !s->req->is_connect && !is_inner(s))
		s->origin->ground = ground(s);
	return true;
}

void
reach_dial(struct session *s)
{
	struct request           *r = s->req;
	struct dial_source        room;
	const struct dial_source *from = way_source(r, &room);
	uint64_t                  most = r->parent ? way_parent(r)->connect_timeout_ms : r->snap->set->connect_timeout_ms;
	enum fault                fault = FAULT_NONE;
	int                       fd;

	session_move(s, SESSION_DIAL);
	session_deadline(s, most);
	r->errand_us = loop_now_us(s->gw->loop);
	r->has_to = true;
	r->to = r->addr[0];
	if (!way_fit_addresses(r)) {
		request_note_tls(r, "it has no address of the family that source has");
		dial_failed(s, FAULT_CONNECT_UNREACHABLE);
		return;
	}
	r->to = r->addr[0];
	r->to_original = reach_original(s) != NULL;
	if (r->n_addr > 1) {
		r->dial = dial_start(s->gw->loop, r->addr, r->n_addr, dial_port(r), from, most, on_dialled, s);
		if (!r->dial)
			reply_fault(s, FAULT_NO_MEMORY);
		return;
	}
	fd = dial_now(&(struct endpoint){.addr = r->addr[0], .port = dial_port(r)}, from, &fault);
	if (fd < 0)
		dial_failed(s, fault);
	else if (!have_origin(s, fd, &r->addr[0]))
		reply_fault(s, FAULT_NO_MEMORY);
}

void
reach_connected(struct session *s)
{
	struct request *r = s->req;

	r->connect_ms = reach_since_ms(s, r->errand_us);
	count_time(s->gw, HISTOGRAM_CONNECT, loop_now_us(s->gw->loop) - r->errand_us);
	if (r->is_connect && r->status == 200)
		inspect_connected(s);
	else if (r->is_connect && s->inside)
		inspect_await_signer(s);
	else if (r->is_connect)
		reply_established(s);
	else if (s->inside)
		origin_tls_begin(s);
	else
		forward_begin(s);
}

static void
connected(struct session *s)
{
	s->origin->side.writable = true;
	if (s->req->parent)
		way_worked(s, loop_now_us(s->gw->loop) - s->req->errand_us);
	if (s->req->parent && !way_is_relayed(s))
		parent_connect(s);
	else
		reach_connected(s);
}

/* Where the way that is chosen leads; the addresses of the target are there, if it is to be reached itself. */
static void
go_out(struct session *s)
{
	if (s->req->parent)
		reach_parent(s);
	else
		reach_dial(s);
}

void
reach_use_origin(struct session *s)
{
	struct request *r = s->req;

	if (way_is_relayed(s) && pass_is_wanted(s)) {
		pass_fetch(s);
		return;
	}
	r->has_to = true;
	r->to = s->origin->addr;
	r->to_original = reach_original(s) != NULL;
	forward_begin(s);
}

/* An origin that is connected anew may show another certificate than the one that the client's leaf was made after: behind a name there are many
 * servers. It has to be good, or the very one that was let through, with nothing more wrong than then. */
static bool
is_as_good(const struct inside *in, const struct profile *p)
{
	const struct profile *was = in->profile;

	if (p->fault == FAULT_NONE)
		return true;
	return was && was->fault != FAULT_NONE && !p->refuse && !(p->kinds & ~was->kinds) && memcmp(p->print, was->print, PROFILE_PRINT) == 0;
}

void
reach_origin_known(struct session *s, struct profile *profile, enum fault fault, const char *detail)
{
	struct inside *in = s->inside;

	if (!profile || !is_as_good(in, profile)) {
		request_note_tls(s->req, profile ? profile->detail : detail);
		fault = profile ? profile->fault : fault;
		profile_unref(profile);
		reply_fault(s, fault);
		return;
	}
	profile_unref(profile);
	if (!origin_tls_take(s, own_ground(s) ? own_ground(s) : in->ground))
		reply_fault(s, FAULT_NO_MEMORY);
	else if (s->origin || take_pooled(s))
		reach_use_origin(s);
	else
		reply_fault(s, FAULT_ORIGIN_TLS_FAILED); /* it takes not even one stream */
}

void
reach_on_origin(struct session *s, unsigned what)
{
	enum fault fault;

	fault = dial_outcome(s->origin->side.fd, what);
	if (fault != FAULT_NONE)
		dial_failed(s, fault);
	else
		connected(s);
}

static void
on_dialled(void *arg, enum fault fault, int fd, const struct addr *to)
{
	struct session *s = arg;
	struct request *r = s->req;

	r->dial = NULL;
	if (to)
		r->to = *to;
	if (fault != FAULT_NONE)
		dial_failed(s, fault);
	else if (!have_origin(s, fd, to))
		reply_fault(s, FAULT_NO_MEMORY);
	else
		connected(s);
}

/* The addresses are known: judge them, by the rules as well when these asked for them. False: answered. */
static bool
addresses_pass(struct session *s, const struct addr *a, unsigned n)
{
	struct request *r = s->req;
	bool            by_rule = !r->has_verdict, needs_user;
	enum fault      fault = judge_addresses(r, a, n, by_rule, &needs_user);

	if (needs_user) {
		authenticate(s); /* and gate asks again */
		return false;
	}
	if (fault != FAULT_NONE && fault != FAULT_DENIED && fault != FAULT_NO_RULE) {
		if (by_rule && r->has_verdict)
			s->gw->count->by_action[r->verdict.action]++;
		reply_fault(s, fault);
		return false;
	}
	if (by_rule && !r->needs_response && !gate_settle(s))
		return false;
	if (request_ends_here(r)) {
		reply_trace(s);
		return false;
	}
	return !by_rule || queue_pass(s);
}

/* A CONNECT whose TLS will be taken up may need no connection now. False: it went on without. */
static bool
wants_connection(struct session *s)
{
	return !inspect_is_wanted(s->req) || s->inside || inspect_prepare(s);
}

/* The deciding rule wants the address that the client meant instead of those that were found: then it is judged as these were, and must lead to the same
 * verdict. False: answered. */
static bool
original_passes(struct session *s)
{
	const struct addr *original = reach_original(s);
	struct request    *r = s->req;
	struct verdict     v;
	bool               needs_user;
	enum fault         fault;

	if (!original)
		return true;
	r->facts.address = *original;
	r->facts.known |= FACT_ADDRESS;
	fault = judge_addresses(r, original, 1, false, &needs_user);
	if (fault == FAULT_NONE) {
		enum policy_answer answer = policy_decide(r->snap->policy, &r->facts, &v);
		if ((answer != POLICY_VERDICT && answer != POLICY_NEED_RESPONSE) || v.rule != r->verdict.rule)
			fault = FAULT_DENIED;
	}
	if (fault != FAULT_NONE)
		reply_fault(s, fault);
	return fault == FAULT_NONE;
}

static void
have_addresses(struct session *s, const struct resolved *res)
{
	if (addresses_pass(s, res->addr, res->n) && original_passes(s) && wants_connection(s) && way_choose(s))
		go_out(s);
}

static void
on_resolved(void *arg, enum fault fault, struct resolved *res)
{
	struct session *s = arg;
	struct request *r = s->req;

	r->job = NULL;
	r->resolved = res;
	r->resolve_ms = reach_since_ms(s, r->errand_us);
	count_time(s->gw, HISTOGRAM_RESOLVE, loop_now_us(s->gw->loop) - r->errand_us);
	session_move(s, SESSION_GATE);
	if (fault != FAULT_NONE)
		reply_fault(s, fault);
	else
		have_addresses(s, res);
}

void
reach_lookup(struct session *s)
{
	struct request  *r = s->req;
	enum fault       fault = FAULT_NONE;
	struct span      name = host_span(&r->at.host);

	if (has_kept(s)) { /* its address is the one that matters */
		r->pinned = s->origin->bound;
		if (!addresses_pass(s, &s->origin->addr, 1) || !way_choose(s))
			return;
		if (has_kept(s)) { /* the rule that decided now goes the same way */
			reach_use_origin(s);
			return;
		}
		r->pinned = false;
		session_drop_origin(s);
		go_out(s);
		return;
	}
	session_drop_origin(s);
	if (is_inner(s) && s->inside->is_fixed) {
		if (addresses_pass(s, &s->inside->fixed, 1) && wants_connection(s) && way_choose(s))
			go_out(s);
		return;
	}
	if (!r->resolved && (r->resolved = resolver_cached(s->gw->resolver, name, &fault)))
		r->resolve_ms = 0;
	if (r->resolved) {
		have_addresses(s, r->resolved);
		return;
	}
	if (fault != FAULT_NONE) {
		reply_fault(s, fault);
		return;
	}
	session_move(s, SESSION_LOOKUP);
	r->errand_us = loop_now_us(s->gw->loop);
	r->job = resolver_start(s->gw->resolver, name, on_resolved, s);
	if (!r->job)
		reply_fault(s, FAULT_NO_MEMORY);
}

void
reach_straight(struct session *s)
{
	struct request    *r = s->req;
	const struct addr *original = reach_original(s);
	bool               is_name = r->at.host.kind == HOST_NAME && !original && !(is_inner(s) && s->inside->is_fixed), needs_user;
	enum fault         fault;

	if (is_name) {
		if (r->parent) /* which looks it up */
			go_out(s);
		else
			reach_lookup(s);
		return;
	}
	fault = judge_addresses(r, is_inner(s) ? &s->inside->fixed : original ? original : &r->at.host.addr, 1, false, &needs_user);
	if (fault != FAULT_NONE)
		reply_fault(s, fault);
	else
		go_out(s);
}

void
reach_begin(struct session *s)
{
	struct request *r = s->req;

	if (!wants_connection(s) || !way_choose(s))
		return;
	if (has_kept(s)) {
		r->pinned = s->origin->bound;
		reach_use_origin(s);
		return;
	}
	session_drop_origin(s);
	if (!r->is_connect && !r->retried && take_pooled(s))
		reach_use_origin(s);
	else
		reach_straight(s);
}

void
reach_on_timeout(struct session *s)
{
	struct request *r = s->req;
	enum fault      fault = s->state == SESSION_LOOKUP ? FAULT_DNS_TIMEOUT : FAULT_CONNECT_TIMEOUT;

	if (!r->parent) {
		reply_fault(s, fault);
		return;
	}
	if (r->job)
		resolve_job_cancel(r->job);
	r->job = NULL;
	if (r->dial)
		dial_cancel(r->dial);
	r->dial = NULL;
	session_drop_origin(s);
	reach_parent_failed(s, fault);
}

/* The addresses that the rule was found to hold for, if it asked for them, are those that count. */
void
reach_resume(struct session *s)
{
	if (!s->req->n_addr) {
		reach_begin(s);
	} else if (!way_choose(s)) {
		return;
	} else if (has_kept(s)) {
		reach_use_origin(s);
	} else {
		session_drop_origin(s);
		if (original_passes(s) && wants_connection(s))
			go_out(s);
	}
}
