/* SPDX-License-Identifier: MIT */
/*
 * lint: warns of entries that others cover, of lists that nobody names, and of rules that look for what is never seen: not wrong, but hardly meant.
 * Dead rules are graves's.
 */
#include "match/glob.h"
#include "policy/build.h"

#include <stdlib.h>
#include <string.h>

/* Warnings of one kind for each list or rule; the rest is counted. */
#define LINT_MAX 20
/* Lists of which it is asked whether they stand beside one another: this is for advice, and must not take seconds. */
#define WITHIN_MOST 10000000u

/* Counts what is said of one side's owners. */
struct covered {
	struct build *b;
	enum side     side;
	uint32_t     *count; /* by owner */
	struct where *last;  /* by owner: where the last one stood */
	size_t        asked; /* whether one tag counts for another */
	struct where  at;    /* what was named last of a line with several entries */
	size_t        next;  /* and the item behind it */
};

/* Is it an entry of its own, at this place? */
static bool
is_at(const struct conf_item *item, struct where at)
{
	bool list = !item->quoted && item->text.n > 0 && item->text.p[0] == '@';

	return !list && item->at.file == at.file && item->at.line == at.line;
}

static bool
is_below(const struct host_spec *name, const struct host_spec *of)
{
	return name->n > of->n + 1 && name->text[name->n - of->n - 1] == '.' && memcmp(name->text + name->n - of->n, of->text, of->n) == 0;
}

static bool
cidr_holds(const struct cidr *wide, const struct cidr *narrow)
{
	struct addr first[2], last[2];

	cidr_range(wide, &first[0], &last[0]);
	cidr_range(narrow, &first[1], &last[1]);
	return memcmp(first[0].b, first[1].b, sizeof first[0].b) <= 0 && memcmp(last[1].b, last[0].b, sizeof last[0].b) <= 0;
}

/* Does `wide` look like what makes `narrow` superfluous? Where several stand on a line, this tells which is meant; that one is, is known already. */
static bool
spec_covers(const struct host_spec *wide, const struct host_spec *narrow)
{
	bool same = wide->n == narrow->n && memcmp(wide->text, narrow->text, wide->n) == 0, name = narrow->kind == SPEC_EXACT;

	if ((wide->port && wide->port != narrow->port) || (wide->scheme != SCHEME_NONE && wide->scheme != narrow->scheme))
		return false;
	switch (wide->kind) {
	case SPEC_ALL:
		return narrow->kind != SPEC_ADDR;
	case SPEC_TREE:
		return (name || narrow->kind == SPEC_BELOW || narrow->kind == SPEC_TREE) && (same || is_below(narrow, wide));
	case SPEC_BELOW:
		return (same && narrow->kind == SPEC_BELOW) || ((name || narrow->kind == SPEC_BELOW || narrow->kind == SPEC_TREE) && is_below(narrow, wide));
	case SPEC_EXACT:
		return same && name;
	case SPEC_GLOB:
		return (same && narrow->kind == SPEC_GLOB) || (name && glob_matches(span_of(wide->text, wide->n), span_of(narrow->text, narrow->n)));
	case SPEC_ADDR:
		return narrow->kind == SPEC_ADDR && cidr_holds(&wide->cidr, &narrow->cidr);
	case SPEC_REGEX:
		break;
	}
	return false;
}

static bool
item_covers(const struct conf_item *wide, const struct conf_item *narrow)
{
	struct host_spec w, n;
	char             why[HOST_SPEC_WHY];

	return wide != narrow && wide->negated == narrow->negated && host_spec_parse(wide->text, &w, why) && host_spec_parse(narrow->text, &n, why) && spec_covers(&w, &n);
}

static bool
some_covers(const struct conf_items *items, struct where by, const struct conf_item *narrow)
{
	for (size_t i = 0; i < items->n; i++)
		if (is_at(&items->v[i], by) && item_covers(&items->v[i], narrow))
			return true;
	return false;
}

/* The text of the entry at a place: the only one there, or the next of several that one at `by` covers. Empty: that cannot be told. */
static struct span
entry_text(struct covered *c, const struct conf_items *items, struct where at, struct where by)
{
	struct span only = {NULL, 0};
	size_t      n = 0, i = at.file == c->at.file && at.line == c->at.line ? c->next : 0;

	for (size_t k = 0; k < items->n; k++)
		if (is_at(&items->v[k], at)) {
			only = items->v[k].text;
			n++;
		}
	if (n < 2)
		return only;
	for (; i < items->n; i++)
		if (is_at(&items->v[i], at) && some_covers(items, by, &items->v[i])) {
			c->at = at;
			c->next = i + 1;
			return items->v[i].text;
		}
	return (struct span){NULL, 0};
}

/* Where the entries of an owner stand: a list's, or a rule's own. */
static const struct conf_items *
owner_items(const struct covered *c, uint32_t o)
{
	const struct build      *b = c->b;
	const struct side_build *s = &b->side[c->side];
	const struct conf_list  *list = s->owner[o].list;
	const struct conf_rule  *rule = s->owner[o].n_rules ? b->rule[s->rules.v[s->owner[o].rules_at]] : NULL;

	if (list)
		return c->side == SIDE_HOSTS ? &list->hosts : &list->addresses;
	if (!rule)
		return NULL;
	return c->side == SIDE_HOSTS ? &rule->hosts : c->side == SIDE_CLIENTS ? &rule->clients : &rule->addresses;
}

static void
on_covered(void *arg, uint32_t tag, uint32_t origin, uint32_t by_origin)
{
	struct covered         *c = arg;
	struct build           *b = c->b;
	const struct block_tag *tags = (const void *)b->side[c->side].tags.bytes;
	uint32_t                o = tags[tag].owner;
	const struct conf_items *items = owner_items(c, o);
	struct where            at = build_where(b, origin);
	struct span             text = {NULL, 0};
	char                    by[4200];

	c->last[o] = at;
	if (c->count[o]++ >= LINT_MAX)
		return;
	if (items)
		text = entry_text(c, items, at, build_where(b, by_origin));
	where_print(b->conf, build_where(b, by_origin), by, sizeof by);
	if (text.n > 0)
		report_find(b->report, FINDING_ENTRY_COVERED, at, "`%.*s` adds nothing: the entry at %s holds for it already", SPAN_ARG(text), by);
	else
		report_find(b->report, FINDING_ENTRY_COVERED, at, "an entry on this line adds nothing: the one at %s holds for it already", by);
}

/* Does every rule that names owner `o` name `wide` in the same way? */
static bool
owner_within(const struct build *b, uint32_t o, uint32_t wide)
{
	const struct side_build *s = &b->side[SIDE_HOSTS];
	const struct owner      *at = &s->owner[o];

	if (at->n_negated || s->owner[wide].n_negated || at->n_rules == 0)
		return false;
	for (uint32_t i = 0; i < at->n_rules; i++)
		for (uint32_t sign = 0; sign < 2; sign++) {
			uint32_t rule = s->rules.v[at->rules_at + i];
			if (build_has_term(b, rule, o << 1 | sign) && !build_has_term(b, rule, wide << 1 | sign))
				return false;
		}
	return true;
}

static bool
is_of_file(const struct owner *o)
{
	return o->list && o->list->files.n > 0;
}

/* Do both stand in files of this list, and not in the same? */
static bool
in_two_files(const struct build *b, const struct conf_list *list, uint32_t origin, uint32_t other)
{
	uint32_t one = build_where(b, origin).file, two = build_where(b, other).file;

	return one != two && one != list->at.file && two != list->at.file;
}

/* Whatever an entry of tag `wide` holds for counts for `tag`: the same list, or one that stands beside it wherever it is named; any port, any scheme. The
 * single names of one file stay beside the wildcards of another: they are what the doctor tests, and either file comes and goes by itself. */
static bool
on_within(void *arg, uint32_t tag, uint32_t origin, uint32_t wide, uint32_t wide_origin, bool below)
{
	struct covered         *c = arg;
	const struct build     *b = c->b;
	const struct block_tag *tags = (const void *)b->side[SIDE_HOSTS].tags.bytes, *t = &tags[tag], *w = &tags[wide];
	const struct owner     *owner = &b->side[SIDE_HOSTS].owner[t->owner];

	if (!b->report->thorough && tag != wide)
		return false;
	if ((w->port && w->port != t->port) || (w->scheme != SCHEME_NONE && w->scheme != t->scheme))
		return false;
	if (t->owner == w->owner)
		return t->negated == w->negated && !(below && is_of_file(owner) && owner->list->files.n > 1 && in_two_files(b, owner->list, origin, wide_origin));
	if (below && is_of_file(owner) && is_of_file(&b->side[SIDE_HOSTS].owner[w->owner]))
		return false;
	return !t->negated && !w->negated && c->asked++ < WITHIN_MOST && owner_within(b, t->owner, w->owner);
}

/* By tag, then by first address, wider ones first, so that what covers an entry is the last one that nothing covers. */
static int
cidr_order(const void *a, const void *b)
{
	const struct cidr_entry *x = a, *y = b;
	int                      d = memcmp(x->cidr.addr.b, y->cidr.addr.b, sizeof x->cidr.addr.b);

	if (x->tag != y->tag)
		return x->tag < y->tag ? -1 : 1;
	if (d == 0)
		d = x->cidr.bits - y->cidr.bits;
	return d ? d : x->line < y->line ? -1 : x->line > y->line;
}

static bool
list_is_on(const struct build *b, enum side side, const struct conf_list *list)
{
	for (uint32_t i = 0; i < b->n_lists; i++)
		if (b->list[i].list == list)
			return b->side[side].list_owner[i] != 0;
	return false;
}

static void
cidrs_covered(struct covered *c)
{
	struct build            *b = c->b;
	struct cidr_entries     *s = &b->cidrs[c->side];
	const struct block_tag  *tags = (const void *)b->side[c->side].tags.bytes;
	const struct cidr_entry *wide = NULL;

	if (s->n == 0)
		return;
	qsort(s->v, s->n, sizeof *s->v, cidr_order);
	for (size_t i = 0; i < s->n; i++) {
		const struct conf_list *list = b->side[c->side].owner[tags[s->v[i].tag].owner].list;
		struct addr             first, last;
		if (wide && wide->tag == s->v[i].tag) {
			cidr_range(&wide->cidr, &first, &last);
			if (memcmp(s->v[i].cidr.addr.b, last.b, sizeof last.b) <= 0) {
				/* groups such as private hold some of their own parts; a list on both sides was looked at on the first */
				if (wide->line != s->v[i].line && !(list && c->side == SIDE_ADDRESSES && list_is_on(b, SIDE_CLIENTS, list)))
					on_covered(c, s->v[i].tag, s->v[i].line, wide->line);
				continue;
			}
		}
		wide = &s->v[i];
	}
}

static void
side_lint(struct build *b, enum side side)
{
	const struct side_build *s = &b->side[side];
	struct covered           c = {.b = b, .side = side, .count = calloc((size_t)s->n_owners + 1, sizeof *c.count), .last = calloc((size_t)s->n_owners + 1, sizeof *c.last)};

	if (!c.count || !c.last)
		build_oom(b);
	else if (side == SIDE_HOSTS)
		host_set_builder_covered(b->hosts, on_within, on_covered, &c);
	else
		cidrs_covered(&c);
	for (uint32_t o = 0; o < s->n_owners && !b->oom; o++)
		if (c.count[o] > LINT_MAX)
			report_find(b->report, FINDING_ENTRY_COVERED, c.last[o], "and %u more entries of the same list or rule add nothing", c.count[o] - LINT_MAX);
	free(c.count);
	free(c.last);
}

void
lint_lists(struct build *b)
{
	for (unsigned s = 0; s < SIDE_COUNT && !b->oom; s++)
		side_lint(b, s);
	for (uint32_t i = 0; i < b->n_lists && !b->oom; i++)
		if (!b->list[i].used)
			report_find(b->report, FINDING_UNUSED, b->list[i].list->at, "list `%.*s` is used by no rule; name it with @%.*s", SPAN_ARG(b->list[i].list->name),
			    SPAN_ARG(b->list[i].list->name));
}

/* Does some plain item say so, or none say otherwise? `word` is a scheme or a method. */
static bool
items_allow(const struct conf_items *items, struct span word)
{
	bool asked = false, held = false;

	for (size_t i = 0; i < items->n; i++) {
		bool same = span_eq_nocase(items->v[i].text, word);
		if (same && items->v[i].negated)
			return false;
		asked |= !items->v[i].negated;
		held |= same;
	}
	return held || !asked;
}

static bool
allows_only(const struct conf_items *items, struct span word)
{
	bool only = items->n > 0;

	for (size_t i = 0; i < items->n; i++)
		only &= !items->v[i].negated && span_eq_nocase(items->v[i].text, word);
	return only;
}

/* All that the rule's url can match begins with https. */
static bool
urls_are_https(const struct conf_items *items)
{
	bool any = false;

	for (size_t i = 0; i < items->n; i++) {
		struct span s = items->v[i].text;
		if (items->v[i].negated)
			continue;
		if (s.n < 7 || memcmp(s.p, "^https:", 7) != 0)
			return false;
		any = true;
	}
	return any;
}

/* What a rule reads of requests is there in plain HTTP, and for https only where some rule inspects. */
static void
lint_request(struct build *b, uint32_t rule, bool inspects)
{
	const struct conf_rule *r = b->rule[rule];
	enum condition          c = COND_URL;
	bool                    readable = b->has[rule] & (1u << COND_URL | 1u << COND_HEADERS | 1u << COND_CONTENT_TYPES);

	while (!(b->has[rule] >> c & 1))
		c++;
	if (readable && allows_only(&r->methods, SPAN("CONNECT")))
		report_find(b->report, FINDING_RULE_NEVER, r->at,
		    "rule `%.*s` can never hold: a CONNECT has no `%s`; remove methods = CONNECT", SPAN_ARG(r->name), condition_name(c));
	else if (!inspects && b->has[rule] & (1u << COND_ORIGIN_TLS | 1u << COND_ORIGIN_STRENGTH))
		report_find(b->report, FINDING_RULE_NEVER, r->at,
		    "rule `%.*s` can never hold: what an origin's TLS is like is seen only by inspection, and no rule says action = inspect",
		    SPAN_ARG(r->name));
	else if (!inspects && (!items_allow(&r->schemes, SPAN("http")) || urls_are_https(&r->url)))
		report_find(b->report, FINDING_RULE_NEVER, r->at,
		    "rule `%.*s` can never hold: the `%s` of https requests is seen only by inspection, and no rule says action = inspect",
		    SPAN_ARG(r->name), condition_name(c));
}

/* A CONNECT is https, and without inspection nothing else is. */
static void
lint_method(struct build *b, uint32_t rule, bool inspects)
{
	const struct conf_rule *r = b->rule[rule];

	if (allows_only(&r->methods, SPAN("CONNECT")) && !items_allow(&r->schemes, SPAN("https")))
		report_find(b->report, FINDING_RULE_NEVER, r->at, "rule `%.*s` can never hold: a CONNECT is https, which its `schemes` leave out; remove one of them",
		    SPAN_ARG(r->name));
	else if (!inspects && !items_allow(&r->methods, SPAN("CONNECT")) && !items_allow(&r->schemes, SPAN("http")))
		report_find(b->report, FINDING_RULE_NEVER, r->at,
		    "rule `%.*s` can never hold: of https requests only the CONNECT is seen without inspection, no rule says action = inspect, and its `methods` leave CONNECT out; "
		    "add CONNECT, or a rule that inspects", SPAN_ARG(r->name));
}

/* Effects on what is sent on, where the rule may have to wait for the answer. */
static void
lint_late(struct build *b, uint32_t rule)
{
	const struct conf_rule  *r = b->rule[rule];
	const struct conf_items *late = r->set_request_header.n ? &r->set_request_header : &r->remove_request_header;

	if (b->has[rule] >> COND_CONTENT_TYPES & 1 && late->n)
		report_find(b->report, FINDING_NO_EFFECT, late->v[0].at, "where rule `%.*s` holds by the response's type, the request is sent already: its fields are changed only where the "
		    "request's own type lets the rule hold", SPAN_ARG(r->name));
}

void
lint_requests(struct build *b)
{
	bool inspects = false;

	for (uint32_t i = 0; i < b->n_rules; i++)
		inspects |= b->rule[i]->action == ACTION_INSPECT && !b->rule[i]->report;
	for (uint32_t i = 0; i < b->n_rules; i++) {
		if (b->has[i] & COND_READ)
			lint_request(b, i, inspects);
		else
			lint_method(b, i, inspects);
		lint_late(b, i);
	}
}
