/* SPDX-License-Identifier: MIT */
/*
 * targets: what a configuration says is to be tested, and by which ways.
 */
#include <stdlib.h>
#include <string.h>

#include "conf/probe.h"
#include "doctor/doctor.h"

const char *const doctor_issuers[] = {"Microsoft Corporation", "DigiCert Inc", "DigiCert, Inc.", "GlobalSign nv-sa", "GlobalSign", "Entrust, Inc.", "Baltimore", NULL};

struct gather {
	const struct conf    *conf;
	struct doctor_target *out;
	size_t                n, more;
};

static void
text_copy(char *out, size_t room, struct span text)
{
	size_t n = text.n < room ? text.n : room - 1;

	memcpy(out, text.p, n);
	out[n] = '\0';
}

static bool
is_known(const struct gather *g, const struct doctor_target *t)
{
	for (size_t i = 0; i < g->n; i++) {
		const struct doctor_target *o = &g->out[i];
		if (o->no_probe == t->no_probe && o->port == t->port && o->scheme == t->scheme && strcmp(t->no_probe ? o->pattern : o->host, t->no_probe ? t->pattern : t->host) == 0)
			return true;
	}
	return false;
}

/* `spec`: the host to be tested, whose scheme and port `entry` may give; null: nobody knows one. */
static void
target_add(struct gather *g, const struct conf_list *list, const struct conf_item *item, const struct host_spec *entry, const struct host_spec *spec)
{
	struct doctor_target t = {.no_probe = !spec};
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
	if (is_known(g, &t))
		return;
	if (g->n < DOCTOR_TARGETS_MAX)
		g->out[g->n++] = t;
	else
		g->more++;
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

static void
rule_add(struct gather *g, const struct conf_rule *rule)
{
	for (size_t i = 0; i < rule->hosts.n; i++) {
		const struct conf_item *item = &rule->hosts.v[i];
		const struct conf_list *list;
		if (item->negated)
			continue;
		if (item->quoted || item->text.n == 0 || item->text.p[0] != '@')
			entry_add(g, NULL, NULL, &rule->hosts, i);
		else if ((list = conf_list_find(g->conf, span_of(item->text.p + 1, item->text.n - 1))))
			list_add(g, list);
	}
}

size_t
doctor_targets(const struct conf *c, const char *const *list, size_t n_lists, struct doctor_target *out, size_t *more)
{
	struct gather           g = {.conf = c, .out = out};
	const struct conf_list *l;
	const struct conf_rule *r;

	for (size_t i = 0; i < n_lists; i++)
		if ((l = conf_list_find(c, span_str(list[i]))))
			list_add(&g, l);
	for (size_t i = 0; !n_lists && i < c->doctor.lists.n; i++)
		if ((l = conf_list_find(c, c->doctor.lists.v[i].text)))
			list_add(&g, l);
	if (!n_lists && !c->doctor.lists.n)
		TAILQ_FOREACH (r, &c->rules, link)
			if (r->has_action && r->action == ACTION_BYPASS)
				rule_add(&g, r);
	*more = g.more;
	return g.n;
}

/* --- the ways --- */

static const struct conf_parent *
parent_find(const struct conf *c, const struct conf_items *names)
{
	const struct conf_parent *p;

	for (size_t i = 0; i < names->n; i++)
		TAILQ_FOREACH (p, &c->parents, link)
			if (span_eq(p->name, names->v[i].text))
				return p;
	return NULL;
}

/* The first that a bypass rule names; where none does, the gateway's. */
static const struct conf_parent *
parent_of(const struct conf *c)
{
	const struct conf_rule   *r;
	const struct conf_parent *p;

	TAILQ_FOREACH (r, &c->rules, link) {
		if (!r->has_action || r->action != ACTION_BYPASS)
			continue;
		p = parent_find(c, r->parent.n ? &r->parent : &c->gateway.parent);
		if (p)
			return p;
	}
	return NULL;
}

static void
parent_set(const struct conf *c, struct doctor_proxy *out)
{
	const struct conf_parent *p = parent_of(c);

	if (!p || !p->host)
		return;
	out->name = p->name.p;
	out->at.port = p->port;
	if (p->auth == PARENT_AUTH_NEGOTIATE) {
		out->why = "the gateway logs on to this parent with a ticket of its own, which is not asked for here; the way through the gateway tells";
		return;
	}
	if (!addr_parse(span_str(p->host), &out->at.addr))
		out->host = p->host;
	out->present = true;
}

static void
gateway_set(const struct conf *c, struct doctor_proxy *out)
{
	const struct conf_listener *e;
	static const struct addr    any6;
	const struct addr           any4 = addr_from_v4(0);

	out->why = "no explicit listener has an address";
	TAILQ_FOREACH (e, &c->listeners, link) {
		if (e->mode != LISTENER_EXPLICIT || !e->address.n || !e->address.v[0].port)
			continue;
		out->present = true;
		out->why = NULL;
		out->name = e->name.p;
		out->at = e->address.v[0];
		out->tls = e->tls_cert != NULL;
		/* every address of this machine: this one too */
		if (addr_eq(&out->at.addr, &any4))
			out->at.addr = addr_from_v4(INADDR_LOOPBACK);
		else if (addr_eq(&out->at.addr, &any6))
			out->at.addr.b[15] = 1;
		return;
	}
}

bool
doctor_settings_of(const struct conf *c, struct doctor_settings *out, const char ***issuer)
{
	size_t n = c->doctor.issuers.n;

	*out = (struct doctor_settings){.timeout_ms = c->doctor.timeout_ms, .parallel = c->doctor.parallel};
	*issuer = calloc(n + 1, sizeof **issuer);
	if (!*issuer)
		return false;
	for (size_t i = 0; i < n; i++)
		(*issuer)[i] = c->doctor.issuers.v[i].text.p;
	out->issuer = (const char *const *)*issuer;
	out->n_issuers = n;
	parent_set(c, &out->parent);
	gateway_set(c, &out->gateway);
	return true;
}
