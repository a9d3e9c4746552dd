/* SPDX-License-Identifier: MIT */
/*
 * explain_line: the access-log line as it would read, by the formatter that writes it. What is not known beforehand (sizes, times, numbers) is 0 or left out.
 */
#include <stdlib.h>

#include "audit/anonymise.h"
#include "audit/filter.h"
#include "audit/format.h"
#include "cli/explain.h"

/* Texts that are put together; live as long as the call. */
struct line_texts {
	char url[RECORD_URL_MAX], entry[WHERE_MAX], reported[512], groups[4096];
};

bool
answer_has_line(const struct answer *a)
{
	return a->client_allowed && a->needs != NEEDS_ADDRESS && a->needs != NEEDS_RESPONSE;
}

/* What the request named, which for the rules may have been another name. */
static const struct host *
host_asked(const struct answer *a)
{
	return a->stage == STAGE_NAMED || !a->is_transparent ? &a->q->target.host : a->facts.host;
}

static size_t
append(char *buf, size_t n, size_t room, struct span s)
{
	if (n + s.n + 1 > room)
		return n;
	if (n)
		buf[n++] = ',';
	memcpy(buf + n, s.p, s.n);
	return n + s.n;
}

static struct span
reported_text(const struct answer *a, char *buf, size_t room)
{
	size_t n = 0;

	for (uint32_t i = 0; i < a->logged->n_reported; i++)
		n = append(buf, n, room, policy_rule_name(a->snap->policy, a->logged->reported[i]));
	return span_of(buf, n);
}

static struct span
groups_text(const struct answer *a, char *buf, size_t room)
{
	size_t n = 0;

	for (size_t i = 0; i < a->q->who.n_groups; i++)
		n = append(buf, n, room, a->q->group[i]);
	return span_of(buf, n);
}

/* What the verdict adds. */
static void
fill_verdict(const struct answer *a, struct span text[RT_COUNT], struct line_texts *t)
{
	const struct policy    *p = a->snap->policy;
	const struct rule_way  *way = answer_way(a);
	const uint32_t          rule = a->logged->rule;
	const struct snapshot_parent *parent = snapshot_at(a->snap, a->snap->set->parents.off);

	if (rule != RULE_NONE)
		text[RT_RULE] = policy_rule_name(p, rule);
	text[RT_REPORTED] = reported_text(a, t->reported, sizeof t->reported);
	if (a->snap->set->log_entry && rule != RULE_NONE)
		text[RT_LIST_ENTRY] = span_of(t->entry, policy_entry_where(p, rule, host_asked(a), a->facts.scheme, a->facts.port, t->entry, sizeof t->entry));
	if (answer_is_allowed(a) && way->n_parents && a->stage == STAGE_FIRST)
		text[RT_PARENT] = snapshot_text(a->snap, parent[way->parent[0]].name);
}

static void
fill_texts(const struct answer *a, struct span text[RT_COUNT], struct line_texts *t)
{
	const struct question          *q = a->q;
	const struct snapshot_listener *l = snapshot_at(a->snap, a->snap->set->listeners.off);
	struct url                      url = q->url;

	for (unsigned i = 0; i < RT_COUNT; i++)
		text[i] = SPAN("");
	url.at = (struct authority){.host = *host_asked(a), .port = a->facts.port};
	text[RT_URL] = span_of(t->url, record_url(&url, a->connect, t->url));
	text[RT_HOST] = host_span(host_asked(a));
	text[RT_METHOD] = a->facts.method;
	if (a->facts.listener < a->snap->set->listeners.n)
		text[RT_LISTENER] = snapshot_text(a->snap, l[a->facts.listener].name);
	if (q->has_sni && (a->status == 200 || a->is_transparent) && answer_reads_hello(a))
		text[RT_SNI] = host_span(&q->sni);
	if (a->facts.known & FACT_USER && a->port_allowed) {
		text[RT_USER] = q->user;
		if (a->snap->set->log_entry)
			text[RT_GROUPS] = groups_text(a, t->groups, sizeof t->groups);
	}
	if (a->facts.known & FACT_REQUEST)
		text[RT_USER_AGENT] = q->head.user_agent;
	if (a->facts.known & FACT_RESPONSE && a->fault == FAULT_NONE)
		text[RT_CONTENT_TYPE] = a->facts.response_type;
	if (a->logged)
		fill_verdict(a, text, t);
}

static enum record_hier
hier_of(const struct answer *a)
{
	static const enum record_hier hier[] = {
		[BALANCE_FIRST] = HIER_FIRSTUP_PARENT, [BALANCE_ROUND_ROBIN] = HIER_ROUNDROBIN_PARENT, [BALANCE_CLIENT] = HIER_SOURCEHASH_PARENT};

	if (!a->has_verdict || !(answer_is_allowed(a) || a->guard == GUARD_WORD_CLOSED))
		return HIER_NONE;
	if (answer_way(a)->n_parents)
		return hier[a->snap->set->parent_balance];
	return answer_way(a)->original && a->is_transparent ? HIER_ORIGINAL_DST : HIER_DIRECT;
}

static void
fill(const struct answer *a, struct record *r)
{
	*r = (struct record){
		.end_real_us = a->q->real_us,
		.client = {.addr = a->facts.client},
		.is_connect = a->connect,
		.is_tunnel = a->connect && a->status == 200,
		.has_action = a->logged != NULL,
		.is_inner = a->stage == STAGE_INSIDE,
		.hier = (uint8_t)hier_of(a),
		.scheme = (uint8_t)a->facts.scheme,
		.action = a->logged ? (uint8_t)a->logged->action : 0,
		.guard = a->guard,
		.minor = 1,
		.fault = (uint16_t)a->fault,
		.status = a->status,
		.port = a->facts.port,
		.resolve_ms = MS_NONE,
		.connect_ms = MS_NONE,
		.tls_ms = MS_NONE,
		.first_byte_ms = MS_NONE,
		.auth_ms = MS_NONE,
		.queue_ms = MS_NONE,
	};
	r->has_address = r->hier == HIER_DIRECT && a->address;
	if (r->has_address)
		r->address = *a->address;
}

/* One log's own view. False: no memory. */
static bool
line_write(const struct snapshot *s, const struct snapshot_log *log, struct record r, const struct span text[RT_COUNT], char *buf, size_t *n)
{
	const struct flat_ref *rule = snapshot_at(s, log->rules.off);
	struct span           *rules = calloc(log->rules.n + 1, sizeof *rules), own[RT_COUNT];
	char                   why[160];
	struct log_format     *format = log_format_new(log->format, snapshot_text(s, log->custom), log->log_query, why);
	struct anonymiser     *masks = log->masks ? anonymiser_new(log->masks, s->set->log_key) : NULL;
	struct log_filter     *filter = NULL;

	for (uint32_t i = 0; rules && i < log->rules.n; i++)
		rules[i] = snapshot_text(s, rule[i]);
	if (rules)
		filter = log_filter_new(rules, log->rules.n, log->lets, 0);
	*n = 0;
	memcpy(own, text, sizeof own);
	if (filter && format && (masks || !log->masks) && log_filter_takes(filter, &r, text)) {
		if (masks)
			anonymise(masks, &r, own);
		record_size(&r, own); /* cuts what is too long */
		*n = log_format_line(format, &r, own, buf) - 1;
	}
	free(rules);
	log_format_free(format);
	anonymiser_free(masks);
	log_filter_free(filter);
	return filter && format;
}

bool
answer_lines(const struct answer *a, void (*each)(void *arg, struct span log, const char *format, struct span line), void *arg)
{
	static const char *const   name[] = {[LOG_SQUID] = "squid", [LOG_JSON] = "json", [LOG_COMBINED] = "combined", [LOG_CUSTOM] = "custom", [LOG_W3C] = "w3c",
		  [LOG_CEF] = "cef", [LOG_LEEF] = "leef"};
	const struct snapshot_log *log = snapshot_at(a->snap, a->snap->set->logs.off);
	struct line_texts         *t = malloc(sizeof *t);
	char                      *buf = malloc(LOG_LINE_MAX);
	struct span                text[RT_COUNT];
	struct record              r;
	size_t                     n;
	bool                       ok = t && buf;

	if (ok) {
		fill(a, &r);
		fill_texts(a, text, t);
		record_size(&r, text);
	}
	for (uint32_t i = 0; ok && i < a->snap->set->logs.n; i++) {
		ok = line_write(a->snap, &log[i], r, text, buf, &n);
		if (ok)
			each(arg, snapshot_text(a->snap, log[i].name), name[log[i].format], span_of(buf, n));
	}
	free(t);
	free(buf);
	return ok;
}
