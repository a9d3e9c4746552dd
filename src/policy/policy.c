/* SPDX-License-Identifier: MIT */
/*
 * policy: decides. One host look-up names the few rules that the host makes a difference for; they are walked in rule order, each tested by one
 * bit of a row to which all other conditions were folded, together with those rules without hosts that hold by that row.
 */
#include "policy/open.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "policy/rule.h"

static struct host_hit
host_look_up(const struct policy *p, const struct host *host)
{
	struct host_hit hit = {.loose = p->loose};

	if (host->kind == HOST_ADDR)
		host_set_find_addr(p->hosts, &host->addr, &hit);
	else
		host_set_find(p->hosts, host_span(host), &hit);
	return hit;
}

/* The list of a host that globs or regexes match: that of its set, with the rules that those concern judged anew. */
static const struct candidate *
candidates_merge(const struct policy *p, const struct candidate *own, const struct host_hit *hit, enum url_scheme scheme, uint16_t port)
{
	const struct block_tag   *tag = policy_at(p, p->head->side[SIDE_HOSTS].tags.off);
	const struct block_owner *owner = policy_at(p, p->head->side[SIDE_HOSTS].owners.off);
	struct candidate         *out = p->merged;
	uint32_t                  n_set;
	const uint32_t           *set = host_set_tags(p->hosts, hit->set, &n_set);

	for (uint32_t i = 0; i < n_set; i++)
		if (tag_applies(&tag[set[i]], scheme, port))
			owner_mark(p->on, &tag[set[i]]);
	for (uint32_t i = 0; i < hit->n_loose; i++) {
		const struct block_tag *t = &tag[hit->loose[i]];
		const struct flat_ref   rules = owner[t->owner].rules;
		const uint32_t         *rule = policy_at(p, rules.off);
		if (tag_applies(t, scheme, port))
			owner_mark(p->on, t);
		for (uint32_t k = 0; k < rules.n; k++)
			bit_set(p->touched, rule[k]);
	}
	for (uint32_t w = 0; w < p->head->words; w++) {
		for (uint64_t bits = p->touched[w]; bits; bits &= bits - 1) {
			uint32_t              rule = w * 64 + (uint32_t)__builtin_ctzll(bits);
			const struct flat_ref terms = p->rules[rule].terms[SIDE_HOSTS];
			bool                  holds = terms_hold(policy_at(p, terms.off), terms.n, owner, p->on);
			while (own->rule < rule)
				*out++ = *own++;
			own += own->rule == rule;
			*out++ = (struct candidate){rule, holds ? PROG_ALWAYS : PROG_NEVER};
		}
		p->touched[w] = 0;
	}
	while (own->rule != RULE_NONE)
		*out++ = *own++;
	*out = *own;
	for (uint32_t i = 0; i < n_set; i++)
		p->on[tag[set[i]].owner] = 0;
	for (uint32_t i = 0; i < hit->n_loose; i++)
		p->on[tag[hit->loose[i]].owner] = 0;
	return p->merged;
}

const struct candidate *
candidates_find(const struct policy *p, const struct host *host, enum url_scheme scheme, uint16_t port, struct host_hit *hit)
{
	const struct candidate *own;

	*hit = host_look_up(p, host);
	own = policy_at(p, p->lists[hit->set]);
	return hit->n_loose ? candidates_merge(p, own, hit, scheme, port) : own;
}

static uint32_t
method_number(const struct policy *p, struct span method)
{
	const struct flat_ref *m = policy_at(p, p->head->methods.off);

	for (uint32_t i = 0; i < p->head->methods.n; i++)
		if (m[i].n == method.n && memcmp(policy_at(p, m[i].off), method.p, method.n) == 0)
			return i + 1;
	return 0;
}

static uint32_t
fact_number(const struct policy *p, const struct facts *f, enum condition c)
{
	switch (c) {
	case COND_PORTS:
		return f->port;
	case COND_SCHEMES:
		return f->scheme;
	case COND_METHODS:
		return method_number(p, f->method);
	case COND_LISTENERS:
		return f->listener;
	default:
		return f->week_minute;
	}
}

static inline uint32_t
fact_class(const struct policy *p, const struct facts *f, enum condition c, const struct addr *address)
{
	const void *where = policy_at(p, p->head->dim[c].where);

	if (c == COND_CLIENTS)
		return addr_set_find(where, &f->client);
	if (c == COND_ADDRESSES)
		return addr_set_find(where, address);
	return number_map_find(where, fact_number(p, f, c));
}

void
view_init(const struct policy *p, const struct facts *f, struct view *v)
{
	const struct addr *address = f->host->kind == HOST_ADDR ? &f->host->addr : f->known & FACT_ADDRESS ? &f->address : NULL;

	v->own = candidates_find(p, f->host, f->scheme, f->port, &v->hit);
	v->given_up = v->hit.given_up;
	v->has_address = address != NULL;
	v->place = p->head->n_progs ? place_number(p->places, f->scheme, f->port) : 0;
	v->n_rows = 0;
	v->waits = v->may_pass = false;
	for (unsigned i = 0; i < p->n_active; i++) {
		const struct block_dim *d = &p->head->dim[p->active[i]];
		if (p->active[i] == COND_ADDRESSES && !address)
			break;
		v->row[v->n_rows++] = (const uint64_t *)policy_at(p, d->rows) + (size_t)fact_class(p, f, p->active[i], address) * p->head->words;
	}
	v->row[v->n_rows] = NULL; /* there is room: hosts have no row */
}

static void
fold_make(const struct policy *p, const struct view *v, struct fold *fold)
{
	uint32_t *base = fold->base;

	memcpy(fold->key, v->row, (v->n_rows + 1) * sizeof *v->row);
	fold->used = true;
	for (uint32_t w = 0; w < p->head->words; w++) {
		uint64_t bits = UINT64_MAX;
		for (unsigned i = 0; i < v->n_rows; i++)
			bits &= v->row[i][w];
		fold->bits[w] = bits;
		for (bits &= p->base_bits[w]; bits; bits &= bits - 1)
			*base++ = w * 64 + (uint32_t)__builtin_ctzll(bits);
	}
	*base = RULE_NONE;
}

static const struct fold *
fold_find(const struct policy *p, const struct view *v)
{
	struct fold *fold;
	uint64_t     hash = 0;

	for (unsigned i = 0; i < v->n_rows; i++)
		hash = (hash + (uintptr_t)v->row[i]) * 0x9e3779b97f4a7c15u;
	fold = &p->folds[hash >> 32 & (FOLDS - 1)];
	if (!fold->used || memcmp(fold->key, v->row, (v->n_rows + 1) * sizeof *v->row) != 0)
		fold_make(p, v, fold);
	return fold;
}

/* The next rule all of whose known conditions hold; RULE_NONE at the end. */
static inline uint32_t
view_next(const struct policy *p, struct view *v, const uint32_t **base, const uint64_t *bits)
{
	for (;;) {
		const struct candidate *c = v->own;

		if (**base < c->rule)
			return *(*base)++;
		if (c->rule == RULE_NONE)
			return RULE_NONE;
		*base += **base == c->rule;
		v->own++;
		if (bit_has(bits, c->rule) && prog_holds(p, c->prog, v->place))
			return c->rule;
	}
}

void
verdict_init(struct verdict *v)
{
	v->rule = RULE_NONE;
	v->action = ACTION_DENY;
	v->guard = GUARD_OFF;
	v->auth = AUTH_NONE;
	v->n_reported = 0;
}

void
verdict_report(struct verdict *v, uint32_t rule)
{
	if (v->n_reported < VERDICT_REPORTS)
		v->reported[v->n_reported++] = rule;
}

void
verdict_decide(const struct policy *p, struct verdict *v, uint32_t rule)
{
	const struct block_rule *r = &p->rules[rule];

	v->rule = rule;
	v->action = r->action;
	v->guard = r->action == ACTION_BYPASS ? r->guard : GUARD_OFF;
	v->auth = r->auth;
}

/* Where the host was found, for those who count by it. */
static inline void
verdict_place(const struct policy *p, const struct facts *f, const struct view *view, struct verdict *v)
{
	v->place = f->host->kind == HOST_ADDR ? view->hit.stretch : view->hit.node;
	v->place_kind = f->host->kind == HOST_ADDR ? PLACE_STRETCH : view->hit.whole ? PLACE_WHOLE : PLACE_BELOW;
	if (view->hit.n_loose)
		verdict_place_loose(p, f, &view->hit, v);
}

static enum policy_answer
decide(const struct policy *p, const struct facts *f, struct verdict *v, struct view *view)
{
	const struct fold *fold;
	const uint32_t    *base;
	uint32_t           rule;

	verdict_init(v);
	view_init(p, f, view);
	fold = fold_find(p, view);
	base = fold->base;
	while ((rule = view_next(p, view, &base, fold->bits)) != RULE_NONE) {
		switch (rule_settle(p, f, view, rule)) {
		case SETTLE_NEXT:
			break;
		case SETTLE_REPORT:
			verdict_report(v, rule);
			break;
		case SETTLE_ADDRESS:
			return POLICY_NEED_ADDRESS;
		case SETTLE_USER:
			return POLICY_NEED_USER;
		case SETTLE_RESPONSE:
			view_wait(p, view, rule);
			break;
		case SETTLE_DECIDE:
			verdict_decide(p, v, rule);
			verdict_place(p, f, view, v);
			return view_answer(view, v);
		}
	}
	return view_answer(view, v);
}

/* What a regex that hits its limit counts as. */
static void
limits_assume(const struct policy *p, bool match)
{
	host_set_assume(p->hosts, match);
	if (p->texts)
		pattern_set_assume(p->texts, match);
}

bool
verdict_is_sure(const struct policy *p, const struct facts *f, const struct verdict *v, enum policy_answer answer, uint64_t given_up)
{
	struct verdict other;
	struct view    view;
	bool           same;

	if (given_up != 1)
		return given_up == 0; /* two could differ from one another: nobody tries all ways */
	limits_assume(p, true);
	same = decide(p, f, &other, &view) == answer && other.rule == v->rule && view.given_up <= 1;
	limits_assume(p, false);
	return same;
}

enum policy_answer
policy_decide(const struct policy *p, const struct facts *f, struct verdict *v)
{
	struct view        view;
	enum policy_answer answer = decide(p, f, v, &view);

	if (!view.given_up || verdict_is_sure(p, f, v, answer, view.given_up))
		return answer;
	verdict_init(v);
	return POLICY_UNDECIDED;
}

bool
policy_rule_has_hosts(const struct policy *p, uint32_t rule)
{
	assert(rule < p->head->n_rules);
	return p->rules[rule].has >> COND_HOSTS & 1;
}

bool
policy_rule_host_holds(const struct policy *p, uint32_t rule, const struct host *host, enum url_scheme scheme, uint16_t port)
{
	struct host_hit         hit;
	const struct candidate *own = candidates_find(p, host, scheme, port, &hit);

	assert(rule < p->head->n_rules);
	return !hit.given_up && candidates_hold(p, &own, rule, place_number(p->places, scheme, port));
}

uint32_t
policy_rule_count(const struct policy *p)
{
	return p->head->n_rules;
}

static struct span
text_at(const struct policy *p, struct flat_ref t)
{
	return span_of(policy_at(p, t.off), t.n);
}

struct span
policy_rule_name(const struct policy *p, uint32_t rule)
{
	return rule < p->head->n_rules ? text_at(p, p->rules[rule].name) : SPAN("-");
}

struct span
policy_rule_reason(const struct policy *p, uint32_t rule)
{
	return rule < p->head->n_rules ? text_at(p, p->rules[rule].reason) : SPAN("");
}

struct span
policy_rule_where(const struct policy *p, uint32_t rule)
{
	return rule < p->head->n_rules ? text_at(p, p->rules[rule].where) : SPAN("");
}

static bool
scratch_new(struct policy *p)
{
	uint32_t n_loose = host_set_loose_tags(p->hosts), n_base = 1;

	for (uint32_t w = 0; w < p->head->words; w++)
		n_base += (uint32_t)__builtin_popcountll(p->base_bits[w]);
	p->folds = calloc(FOLDS, sizeof *p->folds);
	p->fold_bits = calloc(p->head->words, FOLDS * sizeof *p->fold_bits);
	p->fold_base = calloc(n_base, FOLDS * sizeof *p->fold_base);
	if (!p->folds || !p->fold_bits || !p->fold_base)
		return false;
	for (uint32_t i = 0; i < FOLDS; i++) {
		p->folds[i].bits = p->fold_bits + (size_t)i * p->head->words;
		p->folds[i].base = p->fold_base + (size_t)i * n_base;
	}
	p->loose = calloc((size_t)n_loose + 1, sizeof *p->loose);
	p->on = calloc((size_t)p->head->side[SIDE_HOSTS].owners.n + 1, 1);
	p->touched = calloc(p->head->words, sizeof *p->touched);
	p->merged = calloc((size_t)p->head->n_rules + 1, sizeof *p->merged);
	p->held[0] = calloc(p->head->words, sizeof *p->held[0]);
	p->held[1] = calloc(p->head->words, sizeof *p->held[1]);
	return p->held[0] && p->held[1] && p->loose && p->on && p->touched && p->merged;
}

struct policy *
policy_open_names(const void *block, size_t size, uint32_t off)
{
	const struct policy_head *head = (const void *)((const char *)block + off);
	struct policy            *p;

	if (off == 0 || off > size || size - off < sizeof *head || head->magic != POLICY_MAGIC)
		return NULL;
	p = calloc(1, sizeof *p);
	if (!p)
		return NULL;
	p->block = block;
	p->head = head;
	p->rules = policy_at(p, head->rules.off);
	return p;
}

struct policy *
policy_open(const void *block, size_t size, uint32_t off, bool jit)
{
	static const enum condition order[] = {COND_PORTS, COND_SCHEMES, COND_METHODS, COND_CLIENTS, COND_LISTENERS, COND_TIMES, COND_ADDRESSES};
	struct policy              *p = policy_open_names(block, size, off);
	const struct policy_head   *head;

	if (!p)
		return NULL;
	head = p->head;
	p->base_bits = policy_at(p, head->base_bits);
	p->lists = policy_at(p, head->lists.off);
	p->progs = policy_at(p, head->progs);
	p->places = policy_at(p, head->places);
	p->nobody = policy_at(p, head->nobody);
	for (size_t i = 0; i < sizeof order / sizeof *order; i++)
		if (head->dim[order[i]].used)
			p->active[p->n_active++] = order[i];
	p->hosts = host_set_open(block, size, head->hosts, jit);
	p->texts = head->n_texts ? pattern_set_open(PATTERN_TEXT, policy_at(p, head->texts), head->n_texts, jit) : NULL;
	if (p->hosts && (p->texts || !head->n_texts) && scratch_new(p))
		return p;
	policy_close(p);
	return NULL;
}

bool
policy_warm(struct policy *p, uint32_t n)
{
	return host_set_warm(p->hosts, &n) && (!p->texts || pattern_set_warm(p->texts, &n));
}

bool
policy_is_warm(const struct policy *p)
{
	return host_set_is_warm(p->hosts) && (!p->texts || pattern_set_is_warm(p->texts));
}

void
policy_close(struct policy *p)
{
	if (!p)
		return;
	host_set_close(p->hosts);
	pattern_set_close(p->texts);
	free(p->place_port);
	free(p->folds);
	free(p->fold_bits);
	free(p->fold_base);
	free(p->loose);
	free(p->on);
	free(p->touched);
	free(p->merged);
	free(p->held[0]);
	free(p->held[1]);
	free(p);
}

const struct host_set *
policy_hosts(const struct policy *p)
{
	return p->hosts;
}

uint32_t
policy_week_minute(uint64_t real_us)
{
	/* asked for each request: the calendar is looked at once a minute (one thread in each process) */
	static uint64_t last = UINT64_MAX;
	static uint32_t answer;
	time_t          t = (time_t)(real_us / 1000000);
	struct tm       tm;

	if (real_us / 60000000 == last)
		return answer;
	if (!localtime_r(&t, &tm))
		return 0;
	last = real_us / 60000000;
	answer = (uint32_t)((tm.tm_wday + 6) % 7) * DAY_MINUTES + (uint32_t)tm.tm_hour * 60 + (uint32_t)tm.tm_min;
	return answer;
}
