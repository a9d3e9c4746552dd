/* SPDX-License-Identifier: MIT */
/*
 * origin_tls: the TLS handshake with an origin that is connected, and the judging of what it shows; for an inspected CONNECT and for the requests inside.
 * Leaves to others what follows from it.
 * Always true: not a byte of anybody's goes to the origin before it is judged and accepted.
 */
#include "session/count.h"
#include "session/inspect.h"

#define FETCHES 4u /* issuers that one chain may lack */

/* ECH with a foreign outer name: who owns that is what counts, and a server that ECH is meant for answers to it. */
static bool
is_fallback(const struct session *s)
{
	return s->req->is_connect && s->req->inspection->plan == PLAN_FALLBACK;
}

static const struct host *
name_of(const struct session *s)
{
	return is_fallback(s) ? &s->req->inspection->outer : &s->inside->at.host;
}

static void
done(struct session *s, struct profile *profile, enum fault fault, const char *detail)
{
	struct request *r = s->req;

	r->tls_ms = (uint32_t)((loop_now_us(s->gw->loop) - r->tls_us) / 1000);
	count_time(s->gw, HISTOGRAM_TLS, loop_now_us(s->gw->loop) - r->tls_us);
	if (fault != FAULT_NO_MEMORY && !is_fallback(s) && r->tls && r->tls == s->gw->tls) { /* found so under the snapshot in use */
		struct inside *in = s->inside;
		uint64_t       ground = inside_ground(in, s->gw->snap->set->generation);
		if (profile && profile->fault == FAULT_NONE)
			origin_memory_keep(s->gw->verified, host_span(&in->at.host), in->at.port, ground, profile);
		else
			origin_memory_drop(s->gw->verified, host_span(&in->at.host), in->at.port, ground);
	}
	if (r->is_connect)
		inspect_origin_known(s, profile, fault, detail);
	else
		reach_origin_known(s, profile, fault, detail);
}

static void on_fetched(void *arg, struct span der);

/* The handshake is done: what is it worth? */
static void
judge(struct session *s, bool may_fetch)
{
	struct request *r = s->req;
	struct profile *profile = NULL;
	const char     *url = NULL;

	may_fetch = may_fetch && r->snap->set->inspection.aia && s->gw->aia && r->fetches < FETCHES;
	switch (verify_origin(r->tls, r->shake, name_of(s), may_fetch, &profile, &url)) {
	case VERIFY_DONE:
		done(s, profile, FAULT_NONE, NULL);
		return;
	case VERIFY_NEEDS:
		break;
	case VERIFY_NO_MEMORY:
		done(s, NULL, FAULT_NO_MEMORY, NULL);
		return;
	}
	r->fetches++;
	r->wants = url;
	r->fetch = aia_fetch(s->gw->aia, s->gw->resolver, r->snap, url, on_fetched, s);
	session_deadline(s, r->snap->set->connect_timeout_ms);
	if (!r->fetch)
		judge(s, false); /* too many at once: as if it were not to be had, but not remembered so */
}

static void
on_fetched(void *arg, struct span der)
{
	struct session *s = arg;
	struct request *r = s->req;

	r->fetch = NULL;
	if (der.p)
		verify_learn(r->tls, r->wants, der);
	else
		verify_missed(r->tls, r->wants);
	judge(s, true);
}

void
origin_tls_begin(struct session *s)
{
	struct request *r = s->req;
	struct inside  *in = s->inside;
	struct tls_want want = {.name = name_of(s), .port = in->at.port, .h2 = r->is_connect ? r->inspection->h2 : in->h2};

	session_move(s, SESSION_ORIGIN_TLS);
	r->tls_us = loop_now_us(s->gw->loop);
	r->fetches = 0;
	tls_context_unref(r->tls);
	r->tls = s->gw->tls ? tls_context_ref(s->gw->tls) : NULL;
	if (!r->tls) { /* inspection has gone from the configuration meanwhile */
		done(s, NULL, FAULT_SIGNER_UNAVAILABLE, NULL);
		return;
	}
	if (!r->is_connect)
		want.min_version = inside_version(in); /* behind a name there are many servers: none may be weaker than what the client was told */
	want.key = inside_ground(in, s->gw->snap->set->generation);
	r->shake = tls_connect(r->tls, &s->origin->side, &want);
	if (r->shake)
		origin_tls_on_event(s);
	else
		done(s, NULL, FAULT_NO_MEMORY, NULL);
}

void
origin_tls_on_event(struct session *s)
{
	struct request *r = s->req;
	const char     *detail = NULL;
	enum fault      fault;

	if (r->fetches)
		return; /* shaken; an issuer is being fetched */
	switch (tls_shake(r->shake)) {
	case TLS_SHAKEN:
		judge(s, true);
		break;
	case TLS_WAITS:
		break;
	case TLS_BROKE:
		fault = tls_why(r->shake, &detail);
		inspect_note_unserved(s, fault);
		done(s, NULL, fault, detail);
		break;
	}
}

void
origin_tls_on_timeout(struct session *s)
{
	struct request *r = s->req;

	if (!r->fetch) {
		done(s, NULL, FAULT_ORIGIN_TLS_TIMEOUT, NULL);
		return;
	}
	aia_cancel(r->fetch);
	r->fetch = NULL;
	judge(s, false);
}

bool
origin_tls_take(struct session *s, uint64_t ground)
{
	struct request *r = s->req;
	struct origin  *o = s->origin;
	bool            h2 = tls_is_h2(r->shake);

	side_carry(&o->side, tls_carrier(r->shake));
	o->tls = r->shake;
	r->shake = NULL;
	r->wants = NULL;
	o->ground = ground;
	if (!h2)
		return true;
	s->origin = NULL;
	return origin_make_trunk(o, host_span(&s->inside->at.host), r->snap->set->generation, (uint32_t)r->snap->set->max_head);
}
