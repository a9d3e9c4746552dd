/* SPDX-License-Identifier: MIT */
/*
 * gate: settles one request.
 * Owns no sockets. Reads where the request wants to go, refuses what no rule may allow, then gives policy the facts at hand; when policy wants one
 * more, has it fetched and asks again. Leaves connecting to reach and refusing to reply.
 * Always true: facts only grow; a verdict is final; the destination judged here is the one that is resolved, connected to and logged.
 */
#include "base/clock.h"
#include "session/session.h"

/* RFC 9112 3.2: Host must name the target; one that names another place is refused or replaced, as host-mismatch says. */
static enum fault
judge_host(const struct request *r, const struct settings *set)
{
	struct authority host;
	uint16_t         implied = r->is_connect ? r->at.port : 80;

	if (set->host_mismatch == MISMATCH_REPLACE || !(r->head.seen & 1u << FIELD_HOST) || !r->head.host.n)
		return FAULT_NONE;
	if (!authority_parse(r->head.host, &host))
		return FAULT_BAD_HOST;
	if (span_eq(host_span(&host.host), host_span(&r->at.host)) && (host.port ? host.port : implied) == r->at.port)
		return FAULT_NONE;
	return FAULT_HOST_MISMATCH;
}

/* Has our own name been put into Via before (RFC 9110 7.6.3)? */
static bool
has_passed_here(const struct request *r, struct span name)
{
	struct field f;
	size_t       at = 0, in_list;
	struct span  item;

	if (!(r->head.seen & 1u << FIELD_VIA))
		return false;
	while (head_field_next(&r->head, &at, &f)) {
		if (f.id != FIELD_VIA)
			continue;
		in_list = 0;
		while (field_list_next(f.value, &in_list, &item)) {
			/* received-protocol RWS received-by [RWS comment] */
			const char *by = memchr(item.p, ' ', item.n);
			if (!by)
				continue;
			struct span rest = span_of(by + 1, item.n - (size_t)(by + 1 - item.p));
			const char *end = memchr(rest.p, ' ', rest.n);
			if (end)
				rest.n = (size_t)(end - rest.p);
			if (span_eq_nocase(rest, name))
				return true;
		}
	}
	return false;
}

static enum fault
read_target(struct request *r)
{
	struct url url;

	r->is_connect = r->head.method_id == METHOD_CONNECT;
	if (r->is_connect) {
		if (!authority_parse_connect(r->head.target, &r->at))
			return FAULT_BAD_TARGET;
		r->url = (struct target){.scheme = SCHEME_HTTPS};
		r->has_target = true;
		/* what follows the head is the tunnel's: a head that says otherwise is bad framing; a length of 0, as WinINet, WinHTTP and cntlm say, does not */
		r->head.body = BODY_NONE;
		return FAULT_NONE;
	}
	if (r->head.target.n && (r->head.target.p[0] == '/' || span_eq(r->head.target, SPAN("*"))))
		return FAULT_NOT_A_PROXY_REQUEST;
	if (!url_parse(r->head.target, &url))
		return FAULT_BAD_TARGET;
	r->at = url.at;
	r->url = (struct target){.scheme = url.scheme, .path = url.path, .query = url.query, .has_query = url.has_query};
	r->has_target = true;
	return r->url.scheme == SCHEME_HTTP ? FAULT_NONE : FAULT_BAD_SCHEME;
}

/* Max-Forwards of a TRACE or OPTIONS (RFC 9110 7.6.2). */
static enum fault
read_hops(struct request *r)
{
	struct span text = r->head.max_forwards;

	if (!(r->head.seen & 1u << FIELD_MAX_FORWARDS) || (r->head.method_id != METHOD_TRACE && r->head.method_id != METHOD_OPTIONS))
		return FAULT_NONE;
	if (text.n == 0 || text.n > 9)
		return FAULT_BAD_FIELD;
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return FAULT_BAD_FIELD;
		r->hops = r->hops * 10 + (uint32_t)(text.p[i] - '0');
	}
	r->has_hops = true;
	return FAULT_NONE;
}

/* What is refused whatever the rules say. */
static enum fault
judge_request(const struct request *r)
{
	const struct snapshot *snap = r->snap;
	const struct settings *set = snap->set;
	enum fault             fault = judge_host(r, set);

	if (fault != FAULT_NONE)
		return fault;
	if (r->head.expect_other)
		return FAULT_BAD_EXPECTATION;
	if (has_passed_here(r, snapshot_text(snap, set->visible_name)))
		return FAULT_VIA_LOOP;
	if (!egress_port_allowed(egress_at(snap->block, set->egress), r->is_connect, r->at.port))
		return FAULT_PORT_DENIED;
	if (set->max_request_body && r->head.has_length && r->head.length > set->max_request_body)
		return FAULT_BODY_TOO_LARGE;
	return FAULT_NONE;
}

/* A server may ignore an Upgrade (RFC 9110 7.8). To another HTTP it must not get through: its requests would pass no rule. */
static bool
names_http(struct span protocols)
{
	struct span item;

	for (size_t at = 0; field_list_next(protocols, &at, &item);)
		if ((item.n >= 3 && span_eq_nocase(span_of(item.p, 3), SPAN("h2c"))) || (item.n >= 4 && span_eq_nocase(span_of(item.p, 4), SPAN("http"))))
			return true;
	return false;
}

void
gate_enter(struct session *s)
{
	struct request *r = s->req;
	enum fault      fault;

	session_move(s, SESSION_GATE);
	r->snap = snapshot_ref(s->gw->snap);
	r->listener = gateway_listener(s->gw, s->slot);
	r->head.upgrade = r->head.upgrade && !names_http(r->head.upgrade_to);
	s->keep = r->head.keep_alive && !s->gw->draining;
	body_init(&r->body, r->head.body, r->head.length);
	fault = read_target(r);
	if (fault == FAULT_NONE)
		fault = read_hops(r);
	if (fault == FAULT_NONE)
		fault = judge_request(r);
	if (fault != FAULT_NONE) {
		reply_fault(s, fault);
		return;
	}
	r->facts = (struct facts){
		.host = &r->at.host,
		.port = r->at.port,
		.scheme = r->is_connect ? SCHEME_HTTPS : SCHEME_HTTP,
		.method = r->head.method,
		.client = s->peer.addr,
		.listener = r->listener,
		.week_minute = policy_week_minute(clock_real_us()),
		.bare = r->head.n_proxy_authorization == 0,
	};
	if ((!s->identity && !s->handshake) || authenticate_recall(s))
		gate_decide(s);
}

void
gate_decide(struct session *s)
{
	struct request *r = s->req;

	if (r->identity && !request_know_user(r)) {
		reply_fault(s, FAULT_NO_MEMORY);
		return;
	}
	switch (policy_decide(r->snap->policy, &r->facts, &r->verdict)) {
	case POLICY_NEED_ADDRESS:
		reach_lookup(s);
		return;
	case POLICY_NEED_USER:
		authenticate(s);
		return;
	case POLICY_NEED_RESPONSE:
		/* nobody can be asked here: never as if the rule did not hold */
		reply_fault(s, FAULT_USER_UNKNOWN);
		return;
	case POLICY_UNDECIDED:
		reply_fault(s, FAULT_UNDECIDED);
		return;
	case POLICY_VERDICT:
		break;
	}
	r->has_verdict = true;
	if (s->handshake)
		authenticate_break_off(s); /* decided without it: this request does not go on with it */
	if (r->verdict.action == ACTION_DENY) {
		if (!r->snap->set->report_only) {
			s->gw->count->by_action[ACTION_DENY]++;
			reply_fault(s, r->verdict.rule == RULE_NONE ? FAULT_NO_RULE : FAULT_DENIED);
			return;
		}
		r->reported_only = true;
	}
	s->gw->count->by_action[r->reported_only ? ACTION_TUNNEL : r->verdict.action]++;
	if (request_ends_here(r))
		reply_trace(s);
	else
		reach_begin(s);
}
