/* SPDX-License-Identifier: MIT */
/*
 * suggest_remedy: what would have to be written where, so that a host is let through. Asks the rules as live traffic does (policy_trace) for each host: which
 * one catches it, and which bypass rule before that one would hold but for its hosts.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/suggest.h"
#include "match/host_spec.h"

/* --- what the rules say --- */

struct look {
	const struct suggestions *s;
	const struct conf_rule   *at;     /* the rule that comes next */
	const struct conf_rule   *caught; /* the first that holds, or may */
	const struct conf_rule   *bypass; /* the last one before it that would hold but for its hosts, and can be added to */
	enum remedy               how;    /* of bypass */
	const struct conf_list   *list;
	uint32_t                  rule;
};

/* The text of a list's file; "": entries of that number stand in the ini. */
static struct span
file_text(const struct conf *c, uint32_t file)
{
	return file < c->n_files && c->files[file].bytes ? span_of(c->files[file].bytes, c->files[file].n) : SPAN("");
}

/* Does it come from somewhere, so that what one adds is lost when it is fetched anew? Those of Microsoft that are shipped do too. */
static bool
is_foreign(const struct conf *c, const struct conf_list *l)
{
	if (l->source || (l->name.n >= 9 && memcmp(l->name.p, "microsoft", 9) == 0))
		return true;
	for (size_t i = 0; i < l->hosts.n; i++)
		if (l->hosts.v[i].at.file < c->n_files && c->files[l->hosts.v[i].at.file].head.source.n)
			return true;
	return false;
}

/* How a host could be added to this rule: to one of its lists, or to itself. */
static enum remedy
way_into(const struct conf *c, const struct conf_rule *r, const struct conf_list **list)
{
	bool any = false, own = false;

	*list = NULL;
	for (size_t i = 0; i < r->hosts.n; i++) {
		const struct conf_item *item = &r->hosts.v[i];
		const struct conf_list *l;
		any = true;
		if (item->negated)
			continue;
		if (item->text.n == 0 || item->text.p[0] != '@' || item->quoted) {
			own = true;
			continue;
		}
		l = conf_list_find(c, span_of(item->text.p + 1, item->text.n - 1));
		if (l && !is_foreign(c, l))
			*list = l;
	}
	if (*list)
		return (*list)->hosts.n && file_text(c, (*list)->hosts.v[(*list)->hosts.n - 1].at.file).n ? REMEDY_LIST_FILE : REMEDY_LIST;
	return any && own ? REMEDY_RULE : REMEDY_NONE;
}

/* Would it hold if the host were among its hosts? */
static bool
fails_by_host_alone(const struct trace_rule *t)
{
	for (unsigned c = 0; c < COND_COUNT; c++)
		if (c == COND_HOSTS ? t->cond[c] != TRACE_FAILED : t->cond[c] != TRACE_ABSENT && t->cond[c] != TRACE_HELD)
			return false;
	return true;
}

static void
on_rule(void *arg, const struct trace_rule *t)
{
	struct look            *l = arg;
	const struct conf_rule *r = l->at;
	const struct conf_list *list;
	enum remedy             how;

	l->at = r ? TAILQ_NEXT(r, link) : NULL;
	if (!r || l->caught)
		return;
	if (t->decided || t->needs_user || t->needs_address || t->needs_response) {
		l->caught = r;
		l->rule = t->rule;
	} else if (t->action == ACTION_BYPASS && r->auth != AUTH_REQUIRED && !r->report && fails_by_host_alone(t)) {
		how = way_into(l->s->conf, r, &list);
		if (how != REMEDY_NONE) {
			l->bypass = r;
			l->how = how;
			l->list = list;
		}
	}
}

/* --- the entry --- */

/* The host alone, and no more of it than was seen: one scheme, one port. */
static void
entry_print(struct suggestion *g)
{
	char        entry[SUGGEST_ENTRY_MAX];
	const char *host = g->at.host.text;

	if (g->at.host.kind == HOST_ADDR)
		snprintf(entry, sizeof entry, "%s", host);
	else if (g->row->https && g->at.port == 443)
		snprintf(entry, sizeof entry, "https://%s", host);
	else if (!g->row->https && g->at.port == 80)
		snprintf(entry, sizeof entry, "http://%s", host);
	else
		snprintf(entry, sizeof entry, "%s:%u", host, g->at.port);
	memcpy(g->entry, entry, sizeof entry);
}

static bool
is_suffix(const char *entry)
{
	struct host_spec spec;
	char             why[HOST_SPEC_WHY];

	return !host_spec_parse(span_str(entry), &spec, why) || host_spec_is_public_suffix(&spec);
}

/* --- one host --- */

static struct where
end_of(const struct conf *c, const struct conf_list *l)
{
	uint32_t file = l->hosts.v[l->hosts.n - 1].at.file;

	return (struct where){file, (uint32_t)c->files[file].lines};
}

static void
settle(struct suggestion *g, const struct look *l, enum policy_answer answer, const struct verdict *v)
{
	const struct conf *c = l->s->conf;
	bool               passes = answer == POLICY_VERDICT && v->action != ACTION_INSPECT; /* or is refused, which nobody is asked about */

	g->rule = l->caught ? l->rule : RULE_NONE;
	g->asks = answer == POLICY_NEED_USER;
	if (g->row->kind == EVIDENCE_LOOP ? answer == POLICY_VERDICT : passes) {
		g->remedy = REMEDY_NONE;
	} else if (is_suffix(g->entry)) {
		g->remedy = REMEDY_SUFFIX;
	} else if (l->bypass) {
		g->remedy = l->how;
		g->name = l->list ? l->list->name : l->bypass->name;
		g->place = l->how == REMEDY_LIST_FILE ? end_of(c, l->list) : l->list ? l->list->at : l->bypass->at;
	} else {
		g->remedy = l->caught ? REMEDY_NEW : REMEDY_NEW_LAST;
		g->place = l->caught ? l->caught->at : (struct where){0, 0};
		g->name = l->caught ? l->caught->name : SPAN("");
	}
}

static void
look_up(const struct suggestions *s, struct suggestion *g)
{
	struct facts f = {
		.host = &g->at.host,
		.port = g->at.port,
		.scheme = g->row->https ? SCHEME_HTTPS : SCHEME_HTTP,
		.method = g->row->https ? SPAN("CONNECT") : SPAN("GET"),
		.client = g->row->n_who ? g->row->who[0].client : addr_from_v4(0x7f000001),
		.week_minute = policy_week_minute(clock_real_us()),
		.bare = g->row->kind == EVIDENCE_LOOP,
	};
	struct look        l = {.s = s, .at = TAILQ_FIRST(&s->conf->rules)};
	struct verdict     v;
	enum policy_answer answer;

	entry_print(g);
	answer = policy_trace(s->policy, &f, &v, on_rule, &l);
	settle(g, &l, answer, &v);
}

/* --- blocks --- */

static bool
name_is_taken(const struct suggestions *s, const char *name)
{
	const struct conf_rule *r;

	TAILQ_FOREACH (r, &s->conf->rules, link)
		if (span_eq(r->name, span_str(name)))
			return true;
	for (unsigned i = 0; i < s->n_blocks; i++)
		if (strcmp(s->block[i].fresh, name) == 0)
			return true;
	return conf_list_find(s->conf, span_str(name)) != NULL;
}

static void
name_fresh(const struct suggestions *s, const char *base, char name[SUGGEST_NAME_MAX])
{
	snprintf(name, SUGGEST_NAME_MAX, "%s", base);
	for (unsigned i = 2; name_is_taken(s, name); i++)
		snprintf(name, SUGGEST_NAME_MAX, "%s-%u", base, i);
}

static bool
needs_lines(const struct suggestion *g)
{
	return g->remedy >= REMEDY_LIST_FILE;
}

static void
block_find(struct suggestions *s, struct suggestion *g)
{
	bool                  is_new = g->remedy >= REMEDY_NEW, loop = is_new && g->row->kind == EVIDENCE_LOOP;
	struct suggest_block *b = s->block;
	char                  fresh[SUGGEST_NAME_MAX] = "";

	for (; b < s->block + s->n_blocks; b++)
		if (b->remedy == g->remedy && b->loop == loop && b->place.file == g->place.file && b->place.line == g->place.line && span_eq(b->name, g->name))
			break;
	g->block = (unsigned)(b - s->block);
	if (g->block < s->n_blocks)
		return;
	if (is_new)
		name_fresh(s, loop ? "no-logon" : "pinned", fresh);
	*b = (struct suggest_block){.remedy = g->remedy, .loop = loop, .place = g->place, .name = g->name};
	memcpy(b->fresh, fresh, sizeof b->fresh);
	s->n_blocks++;
}

/* --- wildcards --- */

/* The registrable domain of a host: the last part of it that is no public suffix. */
static const char *
domain_of(const char *host)
{
	char below[SUGGEST_ENTRY_MAX];

	for (const char *dot; (dot = strchr(host, '.')); host = dot + 1) {
		snprintf(below, sizeof below, "*.%s", dot + 1);
		if (is_suffix(below))
			break;
	}
	return host;
}

static void
wildcard_add(struct suggestions *s, const struct suggestion *g)
{
	char        entry[SUGGEST_ENTRY_MAX];
	const char *domain = domain_of(g->at.host.text);
	unsigned    i, hosts = 0;
	bool        self = false;

	for (const struct suggestion *o = s->v; o < s->v + s->n; o++) {
		if (!needs_lines(o) || o->at.host.kind == HOST_ADDR || strcmp(domain_of(o->at.host.text), domain) != 0)
			continue;
		hosts++;
		self |= strcmp(o->at.host.text, domain) == 0;
		for (const struct suggestion *p = s->v; p < o; p++) /* the same host once more, for another reason or port */
			if (needs_lines(p) && strcmp(p->at.host.text, o->at.host.text) == 0) {
				hosts--;
				break;
			}
	}
	snprintf(entry, sizeof entry, "%s%s", self ? "." : "*.", domain);
	if (hosts < 2 || is_suffix(entry))
		return;
	for (i = 0; i < s->n_wildcards; i++)
		if (strcmp(s->wildcard[i].entry, entry) == 0)
			return;
	s->wildcard[i].hosts = hosts;
	memcpy(s->wildcard[i].entry, entry, sizeof entry);
	s->n_wildcards++;
}

/* Certificates first, then loops; most often first. */
static int
order(const void *a, const void *b)
{
	const struct suggestion *x = a, *y = b;

	if (x->row->kind != y->row->kind)
		return x->row->kind < y->row->kind ? -1 : 1;
	if (x->row->count != y->row->count)
		return x->row->count > y->row->count ? -1 : 1;
	return strcmp(x->row->host, y->row->host);
}

/* As records have it: an address of IPv6 without its brackets. */
static bool
host_read(const char *text, struct host *out)
{
	char bracketed[SUGGEST_ENTRY_MAX];

	snprintf(bracketed, sizeof bracketed, strchr(text, ':') ? "[%s]" : "%s", text);
	return host_parse(span_str(bracketed), out);
}

void
suggest_find(struct suggestions *s)
{
	size_t n = 0;

	qsort(s->v, s->n, sizeof *s->v, order);
	for (size_t i = 0; i < s->n; i++) {
		const struct evidence_row *row = s->v[i].row;
		struct suggestion          g = {.row = row};
		if (!host_read(row->host, &g.at.host) || !row->port || row->port > UINT16_MAX)
			continue;
		g.at.port = (uint16_t)row->port;
		s->v[n] = g;
		look_up(s, &s->v[n]);
		n++;
	}
	s->n = n;
	for (size_t i = 0; i < s->n; i++)
		if (needs_lines(&s->v[i]))
			block_find(s, &s->v[i]);
	for (size_t i = 0; i < s->n; i++)
		if (needs_lines(&s->v[i]) && s->v[i].at.host.kind != HOST_ADDR)
			wildcard_add(s, &s->v[i]);
}

size_t
suggest_open(const struct suggestions *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++)
		n += s->v[i].remedy != REMEDY_NONE;
	return n;
}
