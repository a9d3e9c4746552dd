/* SPDX-License-Identifier: MIT */
/*
 * targets: what a configuration says is to be tested, and through which parents its rules may send that.
 */
#include <stdlib.h>
#include <string.h>

#include "conf/probe.h"
#include "doctor/doctor.h"
#include "doctor/routes.h"

const char *const doctor_issuers[] = {"Microsoft Corporation", "DigiCert Inc", "DigiCert, Inc.", "GlobalSign nv-sa", "GlobalSign", "Entrust, Inc.", "Baltimore", NULL};

struct gather {
	const struct conf    *conf;
	struct routes         routes;
	struct doctor_target *out;
	size_t                n, room, more;
	uint16_t              parents; /* of the rules whose entries are added now */
	bool                  by_parent;
};

static void
text_copy(char *out, size_t room, struct span text)
{
	size_t n = text.n < room ? text.n : room - 1;

	memcpy(out, text.p, n);
	out[n] = '\0';
}

static struct doctor_target *
known_find(const struct gather *g, const struct doctor_target *t)
{
	for (size_t i = 0; i < g->n; i++) {
		struct doctor_target *o = &g->out[i];
		if (o->no_probe == t->no_probe && o->port == t->port && o->scheme == t->scheme && strcmp(t->no_probe ? o->pattern : o->host, t->no_probe ? t->pattern : t->host) == 0)
			return o;
	}
	return NULL;
}

/* `spec`: the host to be tested, whose scheme and port `entry` may give; null: nobody knows one. */
static void
target_add(struct gather *g, const struct conf_list *list, const struct conf_item *item, const struct host_spec *entry, const struct host_spec *spec)
{
	struct doctor_target t = {.no_probe = !spec, .parents = g->parents, .by_parent = g->by_parent}, *known;
	uint8_t              scheme = spec && spec->scheme != SCHEME_NONE ? spec->scheme : entry->scheme;

	t.scheme = scheme == SCHEME_HTTP ? SCHEME_HTTP : SCHEME_HTTPS;
	t.port = spec && spec->port ? spec->port : entry->port ? entry->port : t.scheme == SCHEME_HTTP ? 80 : 443;
	text_copy(t.pattern, sizeof t.pattern, item->text);
	text_copy(t.list, sizeof t.list, list ? list->name : SPAN(""));
	where_print(g->conf, item->at, t.where, sizeof t.where);
	if (spec && spec->kind == SPEC_ADDR)
		addr_print(&spec->cidr.addr, t.host);
	else if (spec)
		text_copy(t.host, sizeof t.host, span_of(spec->text, spec->n));
	known = known_find(g, &t);
	if (known) {
		known->parents |= t.parents;
		known->by_parent &= t.by_parent;
	} else if (g->n < g->room) {
		g->out[g->n++] = t;
	} else {
		g->more++;
	}
}

/* No host below this one is known; but `.x` is x too. */
static void
unknown_add(struct gather *g, const struct conf_list *list, const struct conf_item *item, const struct host_spec *entry)
{
	struct host_spec x = *entry;

	x.kind = SPEC_EXACT;
	target_add(g, list, item, entry, entry->kind == SPEC_TREE ? &x : NULL);
}

/* Hosts below a wildcard, as far as the list knows any. */
static void
probes_add(struct gather *g, const struct conf_list *list, const struct probe_set *set, size_t number, const struct host_spec *entry)
{
	const struct conf_item *item = &list->hosts.v[number];
	bool                    any = false;
	char                    why[HOST_SPEC_WHY];

	for (size_t i = 0; set && i < list->probes.n; i++) {
		struct host_spec spec;
		if (!probe_parse(list->probes.v[i].text, &spec, why) || !probe_is_of(set, &spec, (uint32_t)number))
			continue;
		target_add(g, list, item, entry, &spec);
		any = true;
	}
	if (!any)
		unknown_add(g, list, item, entry);
}

static void
entry_add(struct gather *g, const struct conf_list *list, const struct probe_set *set, const struct conf_items *items, size_t number)
{
	const struct conf_item *item = &items->v[number];
	struct host_spec        spec;
	char                    why[HOST_SPEC_WHY];

	if (item->negated || !host_spec_parse(item->text, &spec, why))
		return;
	if (spec.kind == SPEC_EXACT || (spec.kind == SPEC_ADDR && spec.cidr.bits == 128))
		target_add(g, list, item, &spec, &spec);
	else if (list)
		probes_add(g, list, set, number, &spec);
	else
		unknown_add(g, NULL, item, &spec);
}

static bool
list_add(struct gather *g, const struct conf_list *list)
{
	struct probe_set *set = list->probes.n ? probe_set_new(list) : NULL;

	for (size_t i = 0; i < list->hosts.n; i++)
		entry_add(g, list, set, &list->hosts, i);
	probe_set_free(set);
	return !list->probes.n || set;
}

/* The list that an item of a rule names; null: it names none. */
static const struct conf_list *
list_of(const struct conf *c, const struct conf_item *item)
{
	if (item->quoted || item->text.n == 0 || item->text.p[0] != '@')
		return NULL;
	return conf_list_find(c, span_of(item->text.p + 1, item->text.n - 1));
}

static void
rule_add(struct gather *g, const struct conf_rule *rule)
{
	g->parents = 0;
	g->by_parent = true;
	routes_of_rule(&g->routes, g->conf, rule, &g->parents, &g->by_parent);
	for (size_t i = 0; i < rule->hosts.n; i++) {
		const struct conf_item *item = &rule->hosts.v[i];
		const struct conf_list *list = list_of(g->conf, item);
		if (list && !item->negated)
			list_add(g, list);
		else if (!item->negated && (item->quoted || item->text.n == 0 || item->text.p[0] != '@'))
			entry_add(g, NULL, NULL, &rule->hosts, i);
	}
}

/* Where do rules of this kind that name the list send it? False: there is none. */
static bool
routes_of_list(struct gather *g, const struct conf_list *list, bool bypass)
{
	const struct conf_rule *r;
	bool                    any = false;

	TAILQ_FOREACH (r, &g->conf->rules, link) {
		bool names = false;
		if (!r->has_action || r->action == ACTION_DENY || (r->action == ACTION_BYPASS) != bypass)
			continue;
		for (size_t i = 0; i < r->hosts.n; i++)
			names |= !r->hosts.v[i].negated && list_of(g->conf, &r->hosts.v[i]) == list;
		if (names)
			routes_of_rule(&g->routes, g->conf, r, &g->parents, &g->by_parent);
		any |= names;
	}
	return any;
}

/* One that is asked for by its name: by the ways of bypass rules, else of others that let it through, else as [gateway] says. */
static void
named_add(struct gather *g, struct span name)
{
	const struct conf_list *l = conf_list_find(g->conf, name);

	g->parents = 0;
	g->by_parent = true;
	if (!l)
		return;
	if (!routes_of_list(g, l, true) && !routes_of_list(g, l, false))
		routes_of_rule(&g->routes, g->conf, NULL, &g->parents, &g->by_parent);
	list_add(g, l);
}

size_t
doctor_targets(const struct conf *c, const char *const *list, size_t n_lists, struct doctor_target *out, size_t room, size_t *more)
{
	struct gather           g = {.conf = c, .out = out, .room = room};
	const struct conf_rule *r;

	routes_gather(c, &g.routes);
	for (size_t i = 0; i < n_lists; i++)
		named_add(&g, span_str(list[i]));
	for (size_t i = 0; !n_lists && i < c->doctor.lists.n; i++)
		named_add(&g, c->doctor.lists.v[i].text);
	if (!n_lists && !c->doctor.lists.n)
		TAILQ_FOREACH (r, &c->rules, link)
			if (r->has_action && r->action == ACTION_BYPASS)
				rule_add(&g, r);
	*more = g.more;
	return g.n;
}
