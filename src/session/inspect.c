/* SPDX-License-Identifier: MIT */
/*
 * inspect: takes up the TLS of a CONNECT: waits for the signer, and, once odd has judged the ClientHello, has the origin verified, a leaf made after its
 * certificate, and the client shaken hands with. From there on the session reads requests, as it does in the open.
 * Always true: the client is shown a leaf only for a name that the origin was verified to own, unless a page is all that it gets; an origin that was found bad
 * gets no byte of the client's.
 */
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "session/inspect.h"
#include "session/unserved.h"

static void on_leaf(void *arg, struct leaf *leaf, enum fault fault);
static void want_leaf(struct session *s);

bool
inspect_is_wanted(const struct request *r)
{
	return r->is_connect && r->has_verdict && r->verdict.action == ACTION_INSPECT && !r->reported_only && !r->snap->set->report_only;
}

void
inspection_free(struct inspection *p)
{
	free(p);
}

void
inspect_take_rule(struct session *s)
{
	const struct request *r = s->req;
	struct inside        *in = s->inside;
	struct span           name = policy_rule_name(r->snap->policy, r->verdict.rule);

	policy_rule_inspection(r->snap->policy, r->verdict.rule, &in->how);
	in->ground = XXH3_64bits_withSeed(&in->how, sizeof in->how, XXH3_64bits(name.p, name.n));
	if (in->is_fixed)
		in->ground = XXH3_64bits_withSeed(&in->fixed, sizeof in->fixed, in->ground);
	in->ground |= 1;
}

/* Was this origin verified not long ago? */
static struct profile *
remembered(const struct session *s)
{
	const struct inside  *in = s->inside;
	const struct gateway *gw = s->gw;

	return origin_memory_find(gw->verified, host_span(&in->at.host), in->at.port, inside_ground(in, gw->snap->set->generation), loop_now_us(gw->loop));
}

bool
inspect_prepare(struct session *s)
{
	struct request    *r = s->req;
	const struct addr *original = reach_original(s);
	struct inside     *in;

	if (!s->gw->tls || !s->gw->leaves) {
		reply_fault(s, FAULT_SIGNER_UNAVAILABLE);
		return false;
	}
	if (!(in = inside_new())) {
		reply_fault(s, FAULT_NO_MEMORY);
		return false;
	}
	s->inside = in;
	in->at = r->at;
	in->session = s->id;
	in->identity = r->identity ? identity_ref(r->identity) : NULL;
	in->is_original = original != NULL;
	in->is_fixed = original || r->at.host.kind == HOST_ADDR;
	in->fixed = original ? *original : r->at.host.addr;
	inspect_take_rule(s);
	/* of an address the ClientHello may tell more */
	if (in->is_fixed || !(in->profile = remembered(s)))
		return true;
	s->gw->count->origins_remembered++;
	inspect_await_signer(s);
	return false;
}

/* --- the signer is there, before the 200 --- */

static void
on_signer(void *arg, struct leaf *leaf, enum fault fault)
{
	struct session *s = arg;

	(void)leaf;
	s->req->leaf_job = NULL;
	if (fault == FAULT_NONE)
		reply_established(s);
	else
		reply_fault(s, fault);
}

/* Of an origin that is known there may be a leaf, and who asks for that one does not need the signer. Which key the client takes is not known yet: nearly every one
 * takes this, and another waits for the signer after the 200. */
static bool
has_leaf(const struct session *s)
{
	const struct inside   *in = s->inside;
	const struct leaf_want want = {.profile = in->profile, .host = &in->at.host, .key = LEAF_P256, .ca = LEAF_TRUSTED, .ca_print = s->gw->snap->set->inspection.ca_print};
	struct leaf           *leaf = in->profile && in->profile->fault == FAULT_NONE ? leaf_find(s->gw->leaves, &want) : NULL;

	leaf_unref(leaf);
	return leaf != NULL;
}

void
inspect_await_signer(struct session *s)
{
	struct request *r = s->req;

	if (leaf_desk_is_up(s->gw->leaves) || has_leaf(s)) {
		reply_established(s);
		return;
	}
	session_move(s, SESSION_LEAF);
	r->leaf_job = leaf_await(s->gw->leaves, r->snap->set->inspection.signer_timeout_ms, on_signer, s);
	if (!r->leaf_job)
		reply_fault(s, FAULT_NO_MEMORY);
}

/* --- the origin --- */

void
inspect_go(struct session *s)
{
	struct request    *r = s->req;
	struct inside     *in = s->inside;
	struct inspection *p = r->inspection;

	if (p->plan == PLAN_FALLBACK && in->profile) { /* what is remembered does not tell whose the outer name is */
		profile_unref(in->profile);
		in->profile = NULL;
	}
	if (p->plan == PLAN_INSPECT && in->profile) {
		want_leaf(s);
	} else if (s->origin) {
		inspect_connected(s);
	} else {
		session_move(s, SESSION_GATE);
		reach_begin(s);
	}
}

void
inspect_connected(struct session *s)
{
	if (s->req->inspection->plan == PLAN_TUNNEL)
		tunnel_begin(s);
	else
		origin_tls_begin(s);
}

/* No byte will go there: what is asked inside is answered with the page. */
static void
block_origin(struct session *s, enum fault fault, const char *detail)
{
	struct inside *in = s->inside;

	in->fault = fault;
	snprintf(in->detail, sizeof in->detail, "%s", detail ? detail : "");
	request_note_tls(s->req, in->detail);
	session_cancel_errands(s);
	session_drop_origin(s);
	if (s->req->inspection->plan == PLAN_FALLBACK)
		odd_refuse(s, fault, ALERT_UNRECOGNIZED_NAME);
	else
		want_leaf(s);
}

/* ECH: the origin was asked by the outer name. If that is its own the client is shown so, and nobody needs the connection. */
static void
fall_back(struct session *s)
{
	if (s->inside->profile->fault != FAULT_NONE) {
		odd_refuse(s, FAULT_INSPECT_ECH, ALERT_UNRECOGNIZED_NAME);
		return;
	}
	session_cancel_errands(s);
	session_drop_origin(s);
	want_leaf(s);
}

/* Let through though it is bad: what is shared of it is shared with those only who were warned of the same. */
static void
tolerate(struct inside *in, enum bad_origin answer)
{
	in->bad = answer;
	in->ground = XXH3_64bits_withSeed(in->profile->print, PROFILE_PRINT, in->ground) | 1;
}

void
inspect_origin_known(struct session *s, struct profile *profile, enum fault fault, const char *detail)
{
	struct request *r = s->req;
	struct inside  *in = s->inside;
	enum bad_origin answer = ORIGIN_PASS;

	if (!profile) {
		block_origin(s, fault, detail);
		return;
	}
	in->profile = profile;
	if (r->inspection->plan == PLAN_FALLBACK) {
		request_note_tls(r, profile->detail);
		fall_back(s);
		return;
	}
	if (profile->fault != FAULT_NONE && (answer = profile_answer(profile, in->how.bad_origin)) == ORIGIN_BLOCK) {
		block_origin(s, profile->fault, profile->detail);
		return;
	}
	if (profile->fault != FAULT_NONE)
		tolerate(in, answer);
	request_note_tls(r, profile->detail);
	origin_tls_take(s, in->ground); /* if it cannot be kept the first request connects anew */
	want_leaf(s);
}

/* --- the leaf --- */

/* What a resumed session must agree with: one that was begun when the origin was another, or under another CA, is not gone on with. */
static void
ticket_ground(const struct session *s, uint8_t ground[SHA256_DIGEST_SIZE])
{
	static const uint8_t     nothing[PROFILE_PRINT];
	const struct request    *r = s->req;
	const struct inside     *in = s->inside;
	const struct profile    *p = in->fault == FAULT_NONE ? in->profile : NULL;
	const struct settings   *set = r->snap->set;
	const struct inspection *plan = r->inspection;
	struct span              name = host_span(plan->plan == PLAN_FALLBACK ? &plan->outer : &in->at.host), listener = SPAN("");
	struct sha256_ctx        h;

	if (r->listener < set->listeners.n) {
		const struct snapshot_listener *l = snapshot_at(r->snap, set->listeners.off);
		listener = snapshot_text(r->snap, l[r->listener].name);
	}
	sha256_init(&h);
	sha256_update(&h, name.n + 1, (const uint8_t *)name.p); /* hosts end with a NUL */
	sha256_update(&h, sizeof in->ground, (const uint8_t *)&in->ground);
	sha256_update(&h, sizeof set->inspection.ca_print, set->inspection.ca_print);
	sha256_update(&h, PROFILE_PRINT, p ? p->print : nothing);
	sha256_update(&h, sizeof in->bad, (const uint8_t *)&in->bad);
	sha256_update(&h, listener.n, (const uint8_t *)listener.p);
	sha256_digest(&h, SHA256_DIGEST_SIZE, ground);
}

static void
answer_client(struct session *s, struct leaf *leaf)
{
	struct request          *r = s->req;
	const struct inside     *in = s->inside;
	const struct inspection *p = r->inspection;
	uint8_t                  ground[SHA256_DIGEST_SIZE];
	struct tls_offer         offer = {
		.leaf = leaf,
		.max_version = in->fault == FAULT_NONE ? in->profile->version : 0,
		.h2 = p->h2,
		.http11 = p->http11,
		.ground = ground,
	};

	ticket_ground(s, ground);
	session_move(s, SESSION_CLIENT_TLS);
	r->shake = tls_answer(s->gw->tls, &s->client, buf_span(&s->in), &offer);
	if (!r->shake) {
		session_finish(s, FAULT_NO_MEMORY);
		return;
	}
	buf_release(&s->in, &s->gw->bufs);
	inspect_on_client(s);
}

static struct leaf_want
describe_leaf(const struct session *s)
{
	const struct inspection *p = s->req->inspection;
	const struct inside     *in = s->inside;
	struct leaf_want         want = {
		.host = p->plan == PLAN_FALLBACK ? &p->outer : &in->at.host,
		.ca = LEAF_TRUSTED,
		.key = p->ecdsa ? LEAF_P256 : LEAF_RSA,
		.ca_print = s->gw->snap->set->inspection.ca_print,
	};

	if (in->fault != FAULT_NONE)
		return want;
	want.profile = in->profile;
	if (want.profile->fault != FAULT_NONE)
		want.ca = LEAF_UNTRUSTED; /* whatever passes, the browser warns; where consent is wanted, our page does so as well */
	if (want.profile->version < 0x0304 && !p->ecdsa_12)
		want.key = LEAF_RSA;
	return want;
}

static void
want_leaf(struct session *s)
{
	struct request  *r = s->req;
	struct leaf_want want;
	struct leaf     *leaf;

	if (!s->gw->tls || !s->gw->leaves) { /* inspection has gone from the configuration meanwhile */
		odd_refuse(s, FAULT_SIGNER_UNAVAILABLE, ALERT_INTERNAL_ERROR);
		return;
	}
	want = describe_leaf(s);
	if ((leaf = leaf_find(s->gw->leaves, &want))) {
		s->gw->count->leaves_cached++;
		answer_client(s, leaf);
		leaf_unref(leaf);
		return;
	}
	s->gw->count->leaves_asked++;
	session_move(s, SESSION_LEAF);
	r->leaf_job = leaf_ask(s->gw->leaves, &want, r->snap->set->inspection.signer_timeout_ms, on_leaf, s);
	if (!r->leaf_job)
		odd_refuse(s, FAULT_NO_MEMORY, ALERT_INTERNAL_ERROR);
}

static void
on_leaf(void *arg, struct leaf *leaf, enum fault fault)
{
	struct session *s = arg;

	s->req->leaf_job = NULL;
	if (leaf)
		answer_client(s, leaf);
	else
		odd_refuse(s, fault, ALERT_INTERNAL_ERROR);
}

/* --- the client --- */

void
inspect_note_unserved(struct session *s, enum fault fault)
{
	struct gateway *gw = s->gw;

	if (fault != FAULT_CLIENT_REJECTED_CERTIFICATE && fault != FAULT_ORIGIN_WANTS_CERTIFICATE)
		return;
	if (!gw->unserved)
		gw->unserved = unserved_new();
	if (gw->unserved)
		unserved_note(gw->unserved, &s->inside->at, fault, &s->peer.addr, loop_now_us(gw->loop));
}

/* ECH: it has seen the outer name's leaf, and comes back without. */
static void
end_fallback(struct session *s)
{
	request_note_tls(s->req, "encrypted ClientHello answered under its outer name");
	record_request(s, FAULT_NONE);
	linger_begin(s);
}

/* The connection to the origin waits where the first request finds it. */
static void
park_origin(struct session *s)
{
	if (!s->origin)
		return;
	origin_give(s->origin, host_span(&s->inside->at.host), s->req->snap->set->generation);
	s->origin = NULL;
}

/* The client's TLS stands. */
static void
begin_inside(struct session *s)
{
	struct request *r = s->req;
	struct inside  *in = s->inside;

	tls_print(r->shake, in->tls_client, sizeof in->tls_client);
	in->h2 = tls_is_h2(r->shake);
	side_carry(&s->client, tls_carrier(r->shake));
	s->client_tls = r->shake;
	r->shake = NULL;
	s->gw->count->inspected++;
	if (r->inspection->plan == PLAN_FALLBACK) {
		end_fallback(s);
		return;
	}
	if (!(s->connect = memo_new(s))) {
		session_finish(s, FAULT_NO_MEMORY);
		return;
	}
	park_origin(s);
	request_free(s);
	authenticate_forget(s); /* who that was stands in `inside` */
	if (in->h2)
		streams_begin(s);
	else
		session_next_request(s);
}

void
inspect_on_client(struct session *s)
{
	struct request *r = s->req;
	const char     *detail = NULL;
	enum fault      fault;

	switch (outbox_flush(&s->down.kept, &s->client)) { /* the answer to the CONNECT comes first */
	case OUTBOX_SENT:
		break;
	case OUTBOX_KEPT:
		return;
	case OUTBOX_BROKEN:
		session_finish(s, FAULT_CLIENT_ABORTED);
		return;
	}
	switch (tls_shake(r->shake)) {
	case TLS_SHAKEN:
		begin_inside(s);
		break;
	case TLS_WAITS:
		break;
	case TLS_BROKE:
		fault = tls_why(r->shake, &detail);
		request_note_tls(r, detail);
		if (r->inspection->plan == PLAN_FALLBACK)
			fault = FAULT_INSPECT_ECH; /* it was not to get further: what it thinks of the outer name's leaf says nothing of this host */
		inspect_note_unserved(s, fault);
		session_finish(s, fault);
		break;
	}
}

void
inspect_on_timeout(struct session *s)
{
	if (s->state == SESSION_CLIENT_TLS)
		session_finish(s, FAULT_INSPECT_TIMEOUT);
	else if (s->req->status == 200)
		odd_refuse(s, FAULT_SIGNER_UNAVAILABLE, ALERT_INTERNAL_ERROR);
	else
		reply_fault(s, FAULT_SIGNER_UNAVAILABLE);
}

void
inspect_end(struct session *s, enum fault fault)
{
	struct inside *in = s->inside;
	const char    *detail = NULL;
	enum fault     late = in->requests == 0 ? tls_late_why(s->client_tls, &detail) : FAULT_NONE;

	if (late != FAULT_NONE) {
		fault = late;
		inspect_note_unserved(s, late);
	} else if (in->fault != FAULT_NONE) {
		fault = in->fault;
	}
	memo_record(s, s->connect, fault, detail ? span_str(detail) : SPAN(""));
	memo_free(s->connect);
	s->connect = NULL;
}
