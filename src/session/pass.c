/* SPDX-License-Identifier: MIT */
#include "session/pass.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "session/compose.h"
#include "session/way.h"

static const struct snapshot_parent *
parent_at(const struct snapshot *snap, uint32_t parent)
{
	const struct snapshot_parent *v = snapshot_at(snap, snap->set->parents.off);

	return &v[parent];
}

struct desk_job *
pass_ask(struct gateway *gw, const struct snapshot *snap, uint32_t parent, desk_done done, void *arg)
{
	const struct snapshot_parent *p = parent_at(snap, parent);
	uint64_t                      bit = (uint64_t)1 << parent;
	struct ask                    a = {
	                       .op = ASK_INITIATE,
	                       .handle = (gw->passes_refused & bit) != 0,
	                       .timeout_ms = (uint32_t)p->connect_timeout_ms,
	                       .part = {snapshot_text(snap, p->name), snapshot_text(snap, p->host)},
	};

	gw->passes_refused &= ~bit;
	return gw->desk ? desk_ask(gw->desk, BACK_INITIATOR, &a, done, arg) : NULL;
}

bool
pass_is_clean(const struct answer *a)
{
	if (a->result != ASK_OK || !a->n_token || a->n_token > PASS_MAX)
		return false;
	for (uint32_t i = 0; i < a->n_token; i++)
		if (a->token[i] < 0x20 || a->token[i] > 0x7e)
			return false;
	return true;
}

/* --- of a request --- */

bool
pass_is_wanted(const struct session *s)
{
	const struct request *r = s->req;

	return r->parent && way_parent(r)->auth == PARENT_AUTH_NEGOTIATE && !r->pass;
}

void
pass_drop(struct request *r)
{
	if (r->pass)
		explicit_bzero(r->pass, r->n_pass);
	free(r->pass);
	r->pass = NULL;
	r->n_pass = 0;
}

void
pass_cancel(struct request *r)
{
	if (r->pass_job)
		desk_cancel(r->pass_job);
	r->pass_job = NULL;
}

/* The next parent, if there is one. */
static void
failed(struct session *s, const char *why)
{
	static struct log_limit limit;
	struct request         *r = s->req;
	struct span             name = snapshot_text(r->snap, way_parent(r)->name);
	char                    detail[ASK_DETAIL_MAX + 80];

	snprintf(detail, sizeof detail, "parent %.*s: %s", SPAN_ARG(name), why);
	log_write_limited(&limit, LOG_LEVEL_WARN, "no token for parent %.*s: %s", SPAN_ARG(name), why);
	request_note_tls(r, detail);
	session_drop_origin(s);
	reach_parent_failed(s, FAULT_PARENT_AUTH);
}

static void
on_pass(void *arg, const struct answer *a)
{
	struct session *s = arg;
	struct request *r = s->req;

	r->pass_job = NULL;
	session_move(s, SESSION_GATE);
	if (!pass_is_clean(a)) {
		failed(s, a->result == ASK_OK ? "what came is no token" : a->detail);
	} else if (!(r->pass = malloc(a->n_token))) {
		reply_fault(s, FAULT_NO_MEMORY);
	} else {
		memcpy(r->pass, a->token, a->n_token);
		r->n_pass = a->n_token;
		explicit_bzero(a->token, a->n_token);
		reach_with_pass(s);
	}
}

void
pass_fetch(struct session *s)
{
	struct request *r = s->req;

	if (s->state != SESSION_GATE)
		session_move(s, SESSION_GATE);
	r->pass_job = pass_ask(s->gw, r->snap, r->parent - 1u, on_pass, s);
	if (!r->pass_job) {
		failed(s, "too many log-ons are under way, or memory is short");
		return;
	}
	session_move(s, SESSION_AUTH);
	session_deadline(s, way_parent(r)->connect_timeout_ms + 1000); /* the desk has its own */
}

void
pass_on_timeout(struct session *s)
{
	pass_cancel(s->req);
	session_move(s, SESSION_GATE);
	failed(s, "no answer");
}

void
pass_put(struct compose *to, const struct session *s)
{
	const struct request *r = s->req;

	if (!r->pass) {
		way_put_authorization(to, r->snap, r->parent - 1u);
		return;
	}
	put(to, SPAN("Proxy-Authorization: "));
	put(to, span_of(r->pass, r->n_pass));
	put(to, SPAN("\r\n"));
}

void
pass_refused(const struct session *s)
{
	static struct log_limit       limit;
	const struct request         *r = s->req;
	const struct snapshot_parent *p = way_parent(r);
	bool                          shown = p->auth == PARENT_AUTH_NEGOTIATE || snapshot_secret_of(r->snap, r->parent - 1u).n;

	if (p->auth == PARENT_AUTH_NEGOTIATE)
		s->gw->passes_refused |= (uint64_t)1 << (r->parent - 1u);
	log_write_limited(&limit, LOG_LEVEL_WARN, "parent %.*s does not accept our credentials: %s", SPAN_ARG(snapshot_text(r->snap, p->name)),
	    shown ? "it refused them" : "it wants some, and there are none");
}
