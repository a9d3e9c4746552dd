/* SPDX-License-Identifier: MIT */
/*
 * gather: reads the items of all rules and lists into the builders of match/ and into stretches of numbers.
 * Finds everything that is wrong with a single item or a single rule; leaves what two rules do to each other to lint.
 */
#include "base/array.h"
#include "parse/octet.h"
#include "policy/build.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

const enum condition side_condition[SIDE_COUNT] = {COND_HOSTS, COND_CLIENTS, COND_ADDRESSES};

#define NO_KEY UINT32_MAX

static uint32_t
owner_new(struct build *b, struct side_build *s, const struct conf_list *list)
{
	void *v = array_grow(s->owner, s->n_owners, &s->owner_room, sizeof *s->owner);

	if (!v) {
		build_oom(b);
		return 0;
	}
	s->owner = v;
	s->owner[s->n_owners] = (struct owner){.list = list, .last_key = NO_KEY};
	return s->n_owners++;
}

static bool
tag_for(struct build *b, struct side_build *s, uint32_t owner, bool negated, enum url_scheme scheme, uint16_t port, uint32_t *tag)
{
	struct owner *o = &s->owner[owner];
	uint32_t      key = (uint32_t)port << 8 | (uint32_t)scheme << 1 | negated, unused;

	if (o->last_key != key) {
		struct block_tag t;
		memset(&t, 0, sizeof t);
		t = (struct block_tag){owner, port, (uint8_t)scheme, negated};
		if (!pool_intern(&s->tags, &t, sizeof t, &o->last_tag) || (port && !pool_intern(&b->ports, &port, sizeof port, &unused))) {
			build_oom(b);
			return false;
		}
		o->last_key = key;
	}
	*tag = o->last_tag;
	return true;
}

/* One that takes in a whole public suffix. What is wrong with it otherwise is said where it is added. */
static void
regex_check_bypass(struct build *b, const struct conf_item *item, const struct host_spec *spec, const struct conf_rule *rule)
{
	char            why[HOST_SPEC_WHY];
	struct pattern *p = pattern_new(PATTERN_NAME, spec->regex, why);
	const char     *name = p ? pattern_stranger(p) : NULL;

	if (name)
		report_find(b->report, FINDING_BYPASS_UNSAFE, item->at,
		    "`%.*s` holds for names that anyone can have, such as %s, in bypass rule `%.*s`; end it in the domain that is meant, or say force = yes there",
		    SPAN_ARG(item->text), name, SPAN_ARG(rule->name));
	pattern_free(p);
}

/* What a bypass rule may not hold: names that strangers can have. */
static void
host_check_bypass(struct build *b, const struct conf_item *item, const struct host_spec *spec, const struct conf_rule *rule)
{
	if (spec->kind == SPEC_EXACT || spec->kind == SPEC_ADDR)
		return;
	if (spec->kind == SPEC_REGEX)
		regex_check_bypass(b, item, spec, rule);
	else if (spec->kind == SPEC_ALL)
		report_find(b->report, FINDING_BYPASS_UNSAFE, item->at, "`%.*s` would let every name pass unseen by bypass rule `%.*s`; name the hosts, or say force = yes there",
		    SPAN_ARG(item->text), SPAN_ARG(rule->name));
	else if (!host_spec_is_anchored(spec))
		report_find(b->report, FINDING_BYPASS_UNSAFE, item->at,
		    "`%.*s` may begin inside a label, so that strangers can register a name that bypass rule `%.*s` lets pass; begin it with *. or end it "
		    "in a whole domain, or say force = yes there",
		    SPAN_ARG(item->text), SPAN_ARG(rule->name));
	else if (host_spec_is_public_suffix(spec))
		report_find(b->report, FINDING_BYPASS_UNSAFE, item->at,
		    "`%.*s` is a whole public suffix, where anyone can have a name, in bypass rule `%.*s`; name the hosts below it, or say force = yes there",
		    SPAN_ARG(item->text), SPAN_ARG(rule->name));
}

/* What match/ has against an item; it may name it already. */
static void
host_error(struct build *b, const struct conf_item *item, const char *why)
{
	if (memmem(why, strlen(why), item->text.p, item->text.n))
		report_error(b->report, item->at, "%s", why);
	else
		report_error(b->report, item->at, "`%.*s`: %s", SPAN_ARG(item->text), why);
}

static void
host_entry_add(struct build *b, const struct conf_item *item, uint32_t owner, bool negated, const struct conf_rule *bypass)
{
	struct side_build *s = &b->side[SIDE_HOSTS];
	struct host_spec   spec;
	char               why[HOST_SPEC_WHY];
	uint32_t           tag;

	if (!host_spec_parse(item->text, &spec, why)) {
		host_error(b, item, why);
		return;
	}
	if (bypass && !item->negated)
		host_check_bypass(b, item, &spec, bypass);
	if (owner == NO_KEY || !tag_for(b, s, owner, negated, spec.scheme, spec.port, &tag))
		return;
	if (spec.kind == SPEC_GLOB || spec.kind == SPEC_REGEX) {
		if (negated)
			s->owner[owner].loose_negated = true;
		else
			s->owner[owner].loose_plain = true;
	}
	why[0] = '\0';
	if (!host_set_builder_add(b->hosts, &spec, tag, build_line(b, item->at), why)) {
		if (why[0])
			host_error(b, item, why);
		else
			build_oom(b);
	}
}

static bool
cidr_entries_add(struct cidr_entries *s, struct cidr_entry e)
{
	void *v = array_grow(s->v, s->n, &s->room, sizeof *s->v);

	if (!v)
		return false;
	s->v = v;
	s->v[s->n++] = e;
	return true;
}

static void
addr_entry_add(struct build *b, enum side side, const struct conf_item *item, uint32_t owner, bool negated)
{
	const struct cidr *list;
	struct cidr        one;
	char               text[ADDR_TEXT_MAX];
	size_t             n;
	uint32_t           tag;

	if (!addr_group(item->text, &list, &n)) {
		enum cidr_fault fault = cidr_parse(item->text, &one);
		if (fault == CIDR_HOST_BITS) {
			addr_print(&one.addr, text);
			report_error(b->report, item->at, "`%.*s` has bits set beyond its prefix; say %s/%u, or the address alone", SPAN_ARG(item->text),
			    text, addr_is_v4(&one.addr) && one.bits >= 96 ? one.bits - 96u : one.bits);
			return;
		}
		if (fault != CIDR_FINE) {
			report_error(b->report, item->at,
			    "`%.*s` is no address; say one such as 10.0.0.0/8, 192.0.2.1 or 2001:db8::/32, or private, loopback, any, or @LIST",
			    SPAN_ARG(item->text));
			return;
		}
		list = &one;
		n = 1;
	}
	if (owner == NO_KEY || !tag_for(b, &b->side[side], owner, negated, SCHEME_NONE, 0, &tag))
		return;
	for (size_t i = 0; i < n && !b->oom; i++)
		if (!addr_set_builder_add(b->addrs[side], &list[i], tag, build_line(b, item->at)) ||
		    !cidr_entries_add(&b->cidrs[side], (struct cidr_entry){list[i], tag, build_line(b, item->at)}))
			build_oom(b);
}

static void
entry_add(struct build *b, enum side side, const struct conf_item *item, uint32_t owner, bool negated, const struct conf_rule *bypass)
{
	struct owner *o;

	if (owner != NO_KEY) {
		o = &b->side[side].owner[owner];
		if (negated)
			o->n_negated++;
		else
			o->n_plain++;
	}
	if (side == SIDE_HOSTS)
		host_entry_add(b, item, owner, negated, bypass);
	else
		addr_entry_add(b, side, item, owner, negated);
}

/* All entries of a list; owner NO_KEY: only to see whether they are right. */
static void
list_gather(struct build *b, enum side side, const struct list_use *use, uint32_t owner)
{
	const struct conf_items *items = side == SIDE_HOSTS ? &use->list->hosts : &use->list->addresses;

	for (size_t i = 0; i < items->n && !b->oom; i++) {
		const struct conf_item *item = &items->v[i];
		if (!item->quoted && item->text.n > 0 && item->text.p[0] == '@')
			report_error(b->report, item->at, "`%.*s`: a list cannot hold another list; name both in the rule", SPAN_ARG(item->text));
		else
			entry_add(b, side, item, owner, item->negated, use->bypass);
	}
}

static struct list_use *
list_find(struct build *b, struct span name)
{
	for (uint32_t i = 0; i < b->n_lists; i++)
		if (span_eq(b->list[i].list->name, name))
			return &b->list[i];
	return NULL;
}

static bool
item_is_list(const struct conf_item *item)
{
	return !item->quoted && item->text.n > 0 && item->text.p[0] == '@';
}

static bool
list_item_read(struct build *b, enum side side, const struct conf_item *item, uint32_t *owner)
{
	struct span        name = span_of(item->text.p + 1, item->text.n - 1);
	struct list_use   *use = list_find(b, name);
	struct side_build *s = &b->side[side];
	uint32_t           i;

	if (!use) {
		report_error(b->report, item->at, "there is no list `%.*s`; write a section [list %.*s]", SPAN_ARG(name), SPAN_ARG(name));
		return false;
	}
	use->used = true;
	if (side == SIDE_HOSTS && use->list->hosts.n == 0 && use->list->addresses.n > 0) {
		report_error(b->report, item->at, "list `%.*s` has addresses but no hosts; use it in clients or addresses", SPAN_ARG(name));
		return false;
	}
	if (side != SIDE_HOSTS && use->list->addresses.n == 0 && use->list->hosts.n > 0) {
		report_error(b->report, item->at, "list `%.*s` has hosts but no `address` lines; use it in hosts", SPAN_ARG(name));
		return false;
	}
	i = (uint32_t)(use - b->list);
	if (!s->list_owner[i]) {
		*owner = owner_new(b, s, use->list);
		s->list_owner[i] = *owner + 1;
		if (!b->oom)
			list_gather(b, side, use, *owner);
	}
	*owner = s->list_owner[i] - 1;
	return !b->oom;
}

/* hosts, clients or addresses of one rule. */
static void
side_gather(struct build *b, enum side side, uint32_t rule, const struct conf_items *items)
{
	const struct conf_rule *cr = b->rule[rule];
	struct side_build      *s = &b->side[side];
	uint32_t                own[2] = {NO_KEY, NO_KEY}, owner;

	s->rule_terms[rule].at = s->terms.n;
	for (size_t i = 0; i < items->n && !b->oom; i++) {
		const struct conf_item *item = &items->v[i];
		if (item_is_list(item)) {
			if (!list_item_read(b, side, item, &owner))
				continue;
		} else {
			bool fresh = own[item->negated] == NO_KEY;
			if (fresh)
				own[item->negated] = owner_new(b, s, NULL);
			owner = own[item->negated];
			if (b->oom)
				return;
			entry_add(b, side, item, owner, false, cr->action == ACTION_BYPASS && !cr->force ? cr : NULL);
			if (!fresh)
				continue;
		}
		if (!numbers_add(&s->terms, owner << 1 | item->negated))
			build_oom(b);
	}
	s->rule_terms[rule].n = s->terms.n - s->rule_terms[rule].at;
}

static bool
listener_read(struct build *b, const struct conf_item *item, uint32_t *number)
{
	const struct conf_listener *l;

	*number = 0;
	TAILQ_FOREACH (l, &b->conf->listeners, link) {
		if (span_eq(l->name, item->text))
			return true;
		++*number;
	}
	report_error(b->report, item->at, "there is no listener `%.*s`; write a section [listener %.*s]", SPAN_ARG(item->text), SPAN_ARG(item->text));
	return false;
}

static bool
method_read(struct build *b, const struct conf_item *item, uint32_t *number)
{
	static const char *const usual[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"};

	if (!octet_is_token(item->text)) {
		report_error(b->report, item->at, "`%.*s` is no method; say one such as GET or POST", SPAN_ARG(item->text));
		return false;
	}
	for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
		if (span_eq_nocase(span_str(usual[i]), item->text) && !span_eq(span_str(usual[i]), item->text))
			report_find(b->report, FINDING_PATTERN_DOUBTFUL, item->at, "methods are case-sensitive: `%.*s` is not %s", SPAN_ARG(item->text), usual[i]);
	if (!pool_intern(&b->methods, item->text.p, item->text.n, number)) {
		build_oom(b);
		return false;
	}
	++*number;
	return true;
}

static bool
number_read(struct build *b, enum condition cond, const struct conf_item *item, uint32_t *first, uint32_t *last)
{
	switch (cond) {
	case COND_PORTS:
		if (port_item_read(item->text, first, last))
			return true;
		report_error(b->report, item->at, "`%.*s` is no port; say a number from 1 to 65535 or a range such as 1025-65535", SPAN_ARG(item->text));
		return false;
	case COND_SCHEMES:
		if (!scheme_item_read(item->text, first)) {
			report_error(b->report, item->at, "`%.*s` is no scheme; say http or https (a CONNECT counts as https)", SPAN_ARG(item->text));
			return false;
		}
		break;
	case COND_METHODS:
		if (!method_read(b, item, first))
			return false;
		break;
	default:
		if (!listener_read(b, item, first))
			return false;
	}
	*last = *first;
	return true;
}

static void
numbers_gather(struct build *b, enum condition cond, uint32_t rule, const struct conf_items *items)
{
	for (size_t i = 0; i < items->n && !b->oom; i++) {
		struct stretch x = {.rule = rule, .negated = items->v[i].negated};
		if (number_read(b, cond, &items->v[i], &x.first, &x.last) && !stretches_add(&b->numbers[cond], x))
			build_oom(b);
	}
}

/* conf has seen to it that the action is there and goes with auth. */
static void
rule_check(struct build *b, const struct conf_rule *r, uint32_t has)
{
	if (r->action == ACTION_BYPASS && !r->force && !has)
		report_find(b->report, FINDING_BYPASS_EVERYTHING, r->action_at, "rule `%.*s` has no condition and lets everything pass unseen; name the hosts, or say force = yes",
		    SPAN_ARG(r->name));
}

/* A list is held to a bypass rule's standard when one names it, so those rules are found before any list is read. */
static void
mark_bypass_lists(struct build *b)
{
	for (uint32_t i = 0; i < b->n_rules; i++) {
		const struct conf_rule *r = b->rule[i];
		if (r->action != ACTION_BYPASS || r->force)
			continue;
		for (size_t k = 0; k < r->hosts.n; k++) {
			const struct conf_item *item = &r->hosts.v[k];
			struct list_use        *use;
			if (item->negated || !item_is_list(item))
				continue;
			use = list_find(b, span_of(item->text.p + 1, item->text.n - 1));
			if (use && !use->bypass)
				use->bypass = r;
		}
	}
}

/* For each owner the rules that name it, ascending, each once. */
static void
owners_index(struct build *b, struct side_build *s)
{
	uint32_t *at = calloc((size_t)s->n_owners + 1, sizeof *at), total = 0;

	if (!at) {
		build_oom(b);
		return;
	}
	for (uint32_t i = 0; i < s->terms.n; i++)
		s->owner[s->terms.v[i] >> 1].n_rules++;
	for (uint32_t o = 0; o < s->n_owners; o++) {
		s->owner[o].rules_at = at[o] = total;
		total += s->owner[o].n_rules;
		s->owner[o].n_rules = 0;
	}
	s->rules.v = calloc((size_t)total + 1, sizeof *s->rules.v);
	s->rules.n = total;
	if (!s->rules.v)
		build_oom(b);
	for (uint32_t r = 0; r < b->n_rules && !b->oom; r++)
		for (uint32_t k = 0; k < s->rule_terms[r].n; k++) {
			struct owner *o = &s->owner[s->terms.v[s->rule_terms[r].at + k] >> 1];
			if (o->n_rules == 0 || s->rules.v[o->rules_at + o->n_rules - 1] != r)
				s->rules.v[o->rules_at + o->n_rules++] = r;
		}
	free(at);
}

void
gather(struct build *b)
{
	mark_bypass_lists(b);
	for (uint32_t i = 0; i < b->n_rules && !b->oom; i++) {
		const struct conf_rule  *r = b->rule[i];
		const struct conf_items *const items[COND_COUNT] = {
			[COND_HOSTS] = &r->hosts, [COND_PORTS] = &r->ports, [COND_SCHEMES] = &r->schemes, [COND_METHODS] = &r->methods,
			[COND_CLIENTS] = &r->clients, [COND_LISTENERS] = &r->listeners, [COND_ADDRESSES] = &r->addresses, [COND_TIMES] = &r->times,
			[COND_USERS] = &r->users, [COND_GROUPS] = &r->groups, [COND_URL] = &r->url, [COND_HEADERS] = &r->headers,
			[COND_CONTENT_TYPES] = &r->content_types, [COND_ORIGIN_TLS] = &r->origin_tls, [COND_ORIGIN_STRENGTH] = &r->origin_strength,
		};
		for (unsigned c = 0; c < COND_COUNT; c++)
			b->has[i] |= items[c] && items[c]->n > 0 ? 1u << c : 0;
		rule_check(b, r, b->has[i]);
		side_gather(b, SIDE_HOSTS, i, &r->hosts);
		side_gather(b, SIDE_CLIENTS, i, &r->clients);
		side_gather(b, SIDE_ADDRESSES, i, &r->addresses);
		people_gather(b, i);
		request_gather(b, i);
		effects_gather(b, i);
		numbers_gather(b, COND_PORTS, i, &r->ports);
		numbers_gather(b, COND_SCHEMES, i, &r->schemes);
		numbers_gather(b, COND_METHODS, i, &r->methods);
		numbers_gather(b, COND_LISTENERS, i, &r->listeners);
		if (!times_read(&r->times, i, &b->numbers[COND_TIMES], b->report))
			build_oom(b);
	}
	for (uint32_t i = 0; i < b->n_lists && !b->oom; i++) {
		if (!b->side[SIDE_HOSTS].list_owner[i])
			list_gather(b, SIDE_HOSTS, &b->list[i], NO_KEY);
		if (!b->side[SIDE_CLIENTS].list_owner[i] && !b->side[SIDE_ADDRESSES].list_owner[i])
			list_gather(b, SIDE_CLIENTS, &b->list[i], NO_KEY);
	}
	for (unsigned s = 0; s < SIDE_COUNT && !b->oom; s++)
		owners_index(b, &b->side[s]);
	if (b->ports.n > BUILD_PORTS_MAX) {
		struct where at = b->n_rules ? b->rule[0]->at : (struct where){0};
		report_error(b->report, at, "host items name %" PRIu32 " different ports; at most %d can be told apart: use a rule's `ports` condition", b->ports.n,
		    BUILD_PORTS_MAX);
	}
}
