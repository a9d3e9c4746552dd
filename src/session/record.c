/* SPDX-License-Identifier: MIT */
/*
 * record: what a session hands to the access log, once, when a request or tunnel ends.
 * The ring takes it or counts a drop; nothing here waits.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "session/count.h"
#include "session/inside.h"
#include "session/listener_tls.h"
#include "session/logon.h"
#include "session/session.h"
#include "session/way.h"

#define ENTRY_MAX 512u

struct memo {
	struct record rec;
	uint64_t      start_us;
	uint16_t      rule;    /* the number that it counts under */
	uint16_t      open_at; /* as request.open_at */
	char          text[]; /* all texts, one after the other; rec.len says how long each is */
};

/* Texts that are put together for the line; live as long as the call. */
struct scratch_texts {
	char url[RECORD_URL_MAX], entry[ENTRY_MAX], reported[ENTRY_MAX], tls[80];
};

static struct span
url_text(const struct request *r, char buf[RECORD_URL_MAX])
{
	struct url url = {.scheme = r->url.scheme, .at = r->at, .path = r->url.path, .query = r->url.query, .has_query = r->url.has_query};

	return r->has_target ? span_of(buf, record_url(&url, r->is_connect, buf)) : SPAN("");
}

static struct span
reported_text(const struct request *r, char *buf, size_t room)
{
	size_t   n = 0;
	uint32_t all = r->verdict.n_reported + r->reported_only;

	for (uint32_t i = 0; i < all; i++) {
		/* with --report-only, the rule that would have refused stands last */
		struct span name = policy_rule_name(r->snap->policy, i < r->verdict.n_reported ? r->verdict.reported[i] : r->verdict.rule);
		if (n + name.n + 1 > room)
			break;
		if (n)
			buf[n++] = ',';
		memcpy(buf + n, name.p, name.n);
		n += name.n;
	}
	return span_of(buf, n);
}

/* Of an inspected tunnel: of its CONNECT's line and of those of the requests inside. */
static void
fill_tls(const struct inside *in, struct span text[RT_COUNT], struct scratch_texts *t)
{
	const struct profile *p = in->profile;

	if (in->tls_client[0])
		text[RT_TLS_CLIENT] = span_str(in->tls_client);
	text[RT_TLS_DETAIL] = span_str(in->detail);
	if (!p)
		return;
	text[RT_TLS_ORIGIN] = span_of(t->tls, (size_t)snprintf(t->tls, sizeof t->tls, "TLSv1.%u/%s", p->version >= 0x0304 ? 3u : 2u, p->cipher));
	text[RT_ORIGIN_ISSUER] = span_str(p->issuer);
	if (!in->detail[0])
		text[RT_TLS_DETAIL] = span_str(p->detail);
}

static void
fill_texts(const struct session *s, const struct request *r, struct span text[RT_COUNT], struct scratch_texts *t)
{
	const struct snapshot *snap = r->snap ? r->snap : s->gw->snap;
	uint16_t               listener = r->snap ? r->listener : gateway_listener(s->gw, s->slot); /* of that snapshot */
	size_t                 at = 0;
	struct field           f;

	for (unsigned i = 0; i < RT_COUNT; i++)
		text[i] = SPAN("");
	if (listener < snap->set->listeners.n) {
		const struct snapshot_listener *l = snapshot_at(snap, snap->set->listeners.off);
		text[RT_LISTENER] = snapshot_text(snap, l[listener].name);
	}
	if (!r->snap)
		return; /* no whole head came */
	text[RT_METHOD] = r->head.method;
	text[RT_USER_AGENT] = r->head.user_agent;
	text[RT_CONTENT_TYPE] = span_of(r->content_type, r->n_content_type);
	text[RT_SNI] = span_str(r->sni);
	text[RT_ALPN] = span_str(r->alpn);
	text[RT_URL] = url_text(r, t->url);
	if (s->outer)
		text[RT_TLS_CLIENT] = span_str(s->outer->tls);
	if (s->inside)
		fill_tls(s->inside, text, t);
	if (r->tls_detail)
		text[RT_TLS_DETAIL] = span_str(r->tls_detail);
	if (r->identity) {
		text[RT_USER] = identity_name(r->identity);
		if (snap->set->log_entry) /* they are many: only for a log that may tell them */
			text[RT_GROUPS] = identity_groups(r->identity);
	}
	if (r->parent)
		text[RT_PARENT] = snapshot_text(snap, way_parent(r)->name);
	if (r->logon && r->logon->detail)
		text[RT_AUTH_DETAIL] = span_str(r->logon->detail);
	if (r->has_target)
		text[RT_HOST] = host_span(&r->at.host);
	while (snap->set->log_referer && head_field_next(&r->head, &at, &f))
		if (span_eq_nocase(f.name, SPAN("referer")))
			text[RT_REFERER] = f.value;
	if (!r->has_verdict)
		return;
	text[RT_RULE] = r->verdict.rule == RULE_NONE ? SPAN("") : policy_rule_name(snap->policy, r->verdict.rule);
	text[RT_REPORTED] = reported_text(r, t->reported, sizeof t->reported);
	if (snap->set->log_entry && r->verdict.rule != RULE_NONE)
		text[RT_LIST_ENTRY] = span_of(t->entry, policy_entry_where(snap->policy, r->verdict.rule, &r->at.host, r->facts.scheme, r->at.port, t->entry, sizeof t->entry));
}

static void
fill(const struct session *s, const struct request *r, struct record *rec)
{
	const struct inside *in = r->is_connect ? NULL : s->inside;

	*rec = (struct record){
		.id = r->id,
		.session = in ? in->session : s->id,
		.bytes_in = r->bytes_in,
		.bytes_out = r->bytes_out,
		.client = s->peer,
		.address = r->to,
		.has_address = r->has_to,
		.is_connect = r->is_connect,
		.is_tunnel = r->is_connect && r->status == 200,
		.has_action = r->has_verdict,
		.ech = r->ech,
		.is_inner = in != NULL,
		.hier = r->snap ? way_hier(r, in && in->is_original) : HIER_NONE,
		.scheme = (uint8_t)(r->has_target ? r->url.scheme : SCHEME_NONE),
		.action = (uint8_t)(r->reported_only ? ACTION_TUNNEL : r->verdict.action),
		.guard = (uint8_t)r->guard,
		.auth_way = (uint8_t)(r->identity ? identity_way(r->identity) : r->logon ? r->logon->way : AUTH_WAY_NONE),
		.minor = (uint8_t)(!r->snap ? 255 : (in ? in->h2 : s->is_stream) ? RECORD_HTTP2 : r->head.minor),
		.fault = (uint16_t)r->fault,
		.status = r->status,
		.port = r->has_target ? r->at.port : 0,
		.worker = (uint16_t)s->gw->worker,
		.resolve_ms = r->resolve_ms,
		.connect_ms = r->connect_ms,
		.tls_ms = r->tls_ms,
		.first_byte_ms = r->first_byte_ms,
		.queue_ms = r->queue_ms,
		.auth_ms = r->logon ? r->logon->ms : MS_NONE,
	};
}

static void
commit(struct gateway *gw, struct record *rec, const struct span text[RT_COUNT], uint64_t start_us, uint16_t rule, uint16_t listener)
{
	size_t n;
	void  *room;

	rec->end_real_us = clock_real_us();
	rec->duration_us = loop_now_us(gw->loop) - start_us;
	count_line(gw, rec, rule, listener);
	if (!gw->ring || !gw->snap->set->records)
		return;
	n = record_size(rec, text);
	room = ring_reserve(gw->ring, n);
	if (!room)
		return; /* counted by the ring */
	record_write(room, rec, text);
	ring_commit(gw->ring, n);
}

void
record_request(struct session *s, enum fault fault)
{
	struct request      *r = s->req;
	struct record        rec;
	struct span          text[RT_COUNT];
	struct scratch_texts t;

	r->fault = fault;
	fill(s, r, &rec);
	/* under report bytes pass before the tunnel has begun */
	rec.bytes_in += s->up.bytes;
	rec.bytes_out += s->down.bytes;
	fill_texts(s, r, text, &t);
	commit(s->gw, &rec, text, r->start_us, r->rule_slot, s->counted_at);
	count_ended(s->gw, &r->open_at);
}

void
record_refusal(struct gateway *gw, uint16_t slot, const struct endpoint *peer, enum fault fault, size_t bytes_out)
{
	const struct snapshot_listener *l = gateway_listener_row(gw, slot);
	struct span                     text[RT_COUNT];
	struct record                   rec = {
		.id = gw->next_id++,
		.bytes_out = bytes_out,
		.client = *peer,
		.minor = 255,
		.fault = (uint16_t)fault,
		.status = bytes_out ? fault_row(fault)->status : 0,
		.worker = (uint16_t)gw->worker,
		.resolve_ms = MS_NONE,
		.connect_ms = MS_NONE,
		.tls_ms = MS_NONE,
		.first_byte_ms = MS_NONE,
		.auth_ms = MS_NONE,
		.queue_ms = MS_NONE,
	};

	rec.session = rec.id;
	for (unsigned i = 0; i < RT_COUNT; i++)
		text[i] = SPAN("");
	if (l)
		text[RT_LISTENER] = snapshot_text(gw->snap, l->name);
	commit(gw, &rec, text, loop_now_us(gw->loop), 0, count_listener(gw, slot));
}

struct memo *
memo_new(struct session *s)
{
	struct request      *r = s->req;
	struct record        rec;
	struct span          text[RT_COUNT];
	struct scratch_texts t;
	struct memo         *m;
	size_t               n = 0;

	fill(s, r, &rec);
	rec.is_tunnel = true;
	fill_texts(s, r, text, &t);
	record_size(&rec, text);
	for (unsigned i = 0; i < RT_COUNT; i++)
		n += rec.len[i];
	m = malloc(sizeof *m + n);
	if (!m)
		return NULL;
	m->rec = rec;
	m->start_us = r->start_us;
	m->rule = r->rule_slot;
	m->open_at = r->open_at;
	r->open_at = 0;
	count_time(s->gw, HISTOGRAM_REQUEST, loop_now_us(s->gw->loop) - r->start_us);
	n = 0;
	for (unsigned i = 0; i < RT_COUNT; i++) {
		if (rec.len[i])
			memcpy(m->text + n, text[i].p, rec.len[i]);
		n += rec.len[i];
	}
	return m;
}

uint64_t
memo_start_us(const struct memo *m)
{
	return m->start_us;
}

void
memo_look(const struct memo *m, const struct record **rec, struct span text[RT_COUNT])
{
	size_t n = 0;

	for (unsigned i = 0; i < RT_COUNT; i++) {
		text[i] = span_of(m->text + n, m->rec.len[i]);
		n += m->rec.len[i];
	}
	*rec = &m->rec;
}

void
memo_record(struct session *s, struct memo *m, enum fault fault, struct span detail)
{
	const struct record *rec;
	struct span          text[RT_COUNT];

	memo_look(m, &rec, text);
	if (detail.n)
		text[RT_TLS_DETAIL] = detail;
	m->rec.fault = (uint16_t)fault;
	if (m == s->memo) { /* the lanes are this tunnel's */
		m->rec.bytes_in += s->up.bytes;
		m->rec.bytes_out += s->down.bytes;
	}
	commit(s->gw, &m->rec, text, m->start_us, m->rule, s->counted_at);
	count_ended(s->gw, &m->open_at);
}

void
memo_free(struct memo *m)
{
	free(m);
}
