/* SPDX-License-Identifier: MIT */
/*
 * trace: why. Asks the rows that policy_decide asks, one condition at a time, and finds the entry by which a condition held or failed.
 * Slow; for explain and for logs that name the entry.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/open.h"

/* One row for users, one for groups. */
struct people_rows {
	uint64_t *row[PEOPLE_COUNT];
};

const char *
condition_name(enum condition c)
{
	static const char *const name[COND_COUNT] = {
		[COND_HOSTS] = "hosts",
		[COND_PORTS] = "ports",
		[COND_SCHEMES] = "schemes",
		[COND_METHODS] = "methods",
		[COND_CLIENTS] = "clients",
		[COND_LISTENERS] = "listeners",
		[COND_ADDRESSES] = "addresses",
		[COND_TIMES] = "times",
		[COND_USERS] = "users",
		[COND_GROUPS] = "groups",
		[COND_URL] = "url",
		[COND_HEADERS] = "headers",
		[COND_CONTENT_TYPES] = "content-types",
		[COND_ORIGIN_TLS] = "origin-tls",
		[COND_ORIGIN_STRENGTH] = "origin-strength",
	};

	assert((unsigned)c < COND_COUNT);
	return name[c];
}

/* Where who asks is known, users and groups can be told apart only with `who`. */
static void
people_trace(const struct policy *p, const struct facts *f, const struct people_rows *rows, uint32_t rule, struct trace_rule *t)
{
	for (unsigned i = 0; i < PEOPLE_COUNT; i++) {
		enum condition c = i == PEOPLE_USERS ? COND_USERS : COND_GROUPS;
		if (!(p->rules[rule].has >> c & 1))
			continue;
		t->cond[c] = people_state(p, f, rule);
		if (rows->row[i] && (f->known & FACT_USER))
			t->cond[c] = bit_has(rows->row[i], rule) ? TRACE_HELD : TRACE_FAILED;
		t->held &= t->cond[c] == TRACE_HELD;
	}
}

static void
rule_trace(const struct policy *p, struct view *v, uint32_t rule, struct trace_rule *t)
{
	uint32_t has = p->rules[rule].has;
	bool     host = candidates_hold(p, &v->own, rule, v->place);

	*t = (struct trace_rule){.rule = rule, .action = p->rules[rule].action, .held = host};
	if (has >> COND_HOSTS & 1)
		t->cond[COND_HOSTS] = host ? TRACE_HELD : TRACE_FAILED;
	for (unsigned i = 0; i < p->n_active; i++) {
		enum condition c = p->active[i];
		if (!(has >> c & 1))
			continue;
		if (i >= v->n_rows)
			t->cond[c] = TRACE_UNKNOWN;
		else
			t->cond[c] = bit_has(v->row[i], rule) ? TRACE_HELD : TRACE_FAILED;
		t->held &= t->cond[c] == TRACE_HELD;
	}
}

static void
request_trace(const struct policy *p, const struct facts *f, uint32_t rule, struct trace_rule *t)
{
	uint64_t given_up = 0; /* counted where the rule is settled */

	for (unsigned c = COND_URL; c <= COND_ORIGIN_STRENGTH; c++) {
		if (!(p->rules[rule].has >> c & 1))
			continue;
		t->cond[c] = request_state(p, f, rule, c, &given_up);
		t->held &= t->cond[c] == TRACE_HELD;
	}
}

/* Null rows where nobody is known, or memory is out. */
static void
people_rows_init(struct people_rows *rows, const struct policy *p, const struct facts *f)
{
	for (unsigned i = 0; i < PEOPLE_COUNT; i++) {
		rows->row[i] = f->who && (f->known & FACT_USER) ? malloc(p->head->words * sizeof *rows->row[i]) : NULL;
		if (!rows->row[i])
			continue;
		memset(rows->row[i], 0xff, p->head->words * sizeof *rows->row[i]);
		people_narrow(p, i, f->who, rows->row[i]);
	}
}

/* Did the host or a dimension fail? Then policy_decide does not come to the rule, and settles nothing. */
static bool
trace_failed(const struct trace_rule *t)
{
	for (unsigned c = 0; c < COND_COUNT; c++)
		if (t->cond[c] == TRACE_FAILED && !(1u << c & (COND_PEOPLE | COND_READ)))
			return true;
	return false;
}

/* How each condition of a rule stands. */
static void
conditions_trace(const struct policy *p, const struct facts *f, struct view *view, const struct people_rows *people, uint32_t rule, struct trace_rule *t)
{
	rule_trace(p, view, rule, t);
	people_trace(p, f, people, rule, t);
	request_trace(p, f, rule, t);
}

/* The rules after the one that decided, or that wants a fact. */
static void
rest_trace(const struct policy *p, const struct facts *f, struct view *view, const struct people_rows *people, uint32_t rule,
    void (*each)(void *arg, const struct trace_rule *t), void *arg)
{
	for (struct trace_rule t; rule < p->head->n_rules; rule++) {
		conditions_trace(p, f, view, people, rule, &t);
		t.not_asked = true;
		each(arg, &t);
	}
}

static enum policy_answer
trace(const struct policy *p, const struct facts *f, struct verdict *v, bool all, void (*each)(void *arg, const struct trace_rule *t), void *arg)
{
	struct view        view;
	struct people_rows people;
	enum policy_answer answer = POLICY_VERDICT;

	verdict_init(v);
	view_init(p, f, &view);
	people_rows_init(&people, p, f);
	for (uint32_t rule = 0; rule < p->head->n_rules; rule++) {
		struct trace_rule t;
		enum settle       settle = SETTLE_NEXT;

		conditions_trace(p, f, &view, &people, rule, &t);
		if (!trace_failed(&t)) {
			settle = rule_settle(p, f, &view, rule);
			t.needs_user = settle == SETTLE_USER;
			t.needs_address = settle == SETTLE_ADDRESS;
			t.needs_response = settle == SETTLE_RESPONSE;
		}
		t.decided = settle == SETTLE_DECIDE;
		t.reported = settle == SETTLE_REPORT;
		if (t.reported)
			verdict_report(v, rule);
		if (t.needs_response)
			view_wait(p, &view, rule);
		if (t.decided)
			verdict_decide(p, v, rule);
		each(arg, &t);
		if (settle == SETTLE_ADDRESS)
			answer = POLICY_NEED_ADDRESS;
		if (settle == SETTLE_USER)
			answer = POLICY_NEED_USER;
		if (settle == SETTLE_ADDRESS || settle == SETTLE_USER || t.decided) {
			if (all)
				rest_trace(p, f, &view, &people, rule + 1, each, arg);
			break;
		}
	}
	for (unsigned i = 0; i < PEOPLE_COUNT; i++)
		free(people.row[i]);
	if (answer == POLICY_VERDICT)
		answer = view_answer(&view, v);
	if (verdict_is_sure(p, f, v, answer, view.given_up))
		return answer;
	verdict_init(v);
	return POLICY_UNDECIDED;
}

enum policy_answer
policy_trace(const struct policy *p, const struct facts *f, struct verdict *v, void (*each)(void *arg, const struct trace_rule *t), void *arg)
{
	return trace(p, f, v, false, each, arg);
}

enum policy_answer
policy_trace_all(const struct policy *p, const struct facts *f, struct verdict *v, void (*each)(void *arg, const struct trace_rule *t), void *arg)
{
	return trace(p, f, v, true, each, arg);
}

/* The entry of one of these tags that concerns the rule; those that name a port or scheme say more, so they come first. */
static bool
tags_origin(const struct policy *p, enum side side, uint32_t rule, const struct facts *f, const uint32_t *tags, uint32_t n, bool against, uint32_t *line)
{
	const struct block_tag *tag = policy_at(p, p->head->side[side].tags.off);
	const struct addr      *address = side == SIDE_CLIENTS ? &f->client : f->host->kind == HOST_ADDR ? &f->host->addr : &f->address;

	for (int bare = 0; bare < 2; bare++)
		for (uint32_t i = 0; i < n; i++) {
			const struct block_tag *t = &tag[tags[i]];
			uint32_t                found;
			if ((t->port == 0 && t->scheme == SCHEME_NONE) != bare || !tag_applies(t, f->scheme, f->port) || !tag_concerns(p, side, rule, t, against))
				continue;
			if (side != SIDE_HOSTS)
				found = addr_set_origins(policy_at(p, p->head->dim[side == SIDE_CLIENTS ? COND_CLIENTS : COND_ADDRESSES].where), address,
				    tags[i], line, 1);
			else if (f->host->kind == HOST_ADDR)
				found = host_set_origins_addr(p->hosts, address, tags[i], line, 1);
			else
				found = host_set_origins(p->hosts, host_span(f->host), tags[i], line, 1);
			if (found > 0)
				return true;
		}
	return false;
}

size_t
policy_condition_where(const struct policy *p, uint32_t rule, enum condition c, const struct facts *f, bool against, char *buf, size_t n)
{
	struct host_hit hit = {.loose = p->loose};
	uint32_t        n_tags, line;
	const uint32_t *tags;
	enum side       side = c == COND_HOSTS ? SIDE_HOSTS : c == COND_CLIENTS ? SIDE_CLIENTS : SIDE_ADDRESSES;

	assert(n > 0 && rule < p->head->n_rules);
	buf[0] = '\0';
	if (request_origin(p, f, rule, c, against, &line))
		return policy_line_print(p, line, buf, n);
	if (!(p->rules[rule].has >> c & 1) || (c != COND_HOSTS && c != COND_CLIENTS && c != COND_ADDRESSES))
		return 0;
	if (c == COND_HOSTS) {
		if (f->host->kind == HOST_ADDR)
			host_set_find_addr(p->hosts, &f->host->addr, &hit);
		else
			host_set_find(p->hosts, host_span(f->host), &hit);
		tags = host_set_tags(p->hosts, hit.set, &n_tags);
	} else {
		const struct addr_set *set = policy_at(p, p->head->dim[c].where);
		if (c == COND_ADDRESSES && f->host->kind != HOST_ADDR && !(f->known & FACT_ADDRESS))
			return 0;
		tags = addr_set_tags(set, addr_set_find(set, c == COND_CLIENTS ? &f->client : f->host->kind == HOST_ADDR ? &f->host->addr : &f->address), &n_tags);
	}
	if (!tags_origin(p, side, rule, f, tags, n_tags, against, &line) && !tags_origin(p, side, rule, f, hit.loose, hit.n_loose, against, &line))
		return 0;
	return policy_line_print(p, line, buf, n);
}

size_t
policy_entry_where(const struct policy *p, uint32_t rule, const struct host *host, enum url_scheme scheme, uint16_t port, char *buf, size_t n)
{
	struct facts f = {.host = host, .scheme = scheme, .port = port};

	if (rule >= p->head->n_rules) {
		buf[0] = '\0';
		return 0;
	}
	return policy_condition_where(p, rule, COND_HOSTS, &f, false, buf, n);
}
