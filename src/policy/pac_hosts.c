/* SPDX-License-Identifier: MIT */
/*
 * pac_hosts: which hosts of bypass rules are so for sure, whoever asks and whenever: what no earlier rule can decide otherwise.
 * A bypass rule with no condition but hosts is published; whatever an earlier rule of another kind, or a negated item, may hold for is left out.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/array.h"
#include "policy/pac.h"

/* More would be more than some PAC engines take. */
#define HOSTS_MOST 20000u

/* Every name above an entry, and its own, to the entry. */
struct place {
	struct span name;
	uint32_t    entry;
	uint32_t    next; /* of the same hash, + 1; 0: none */
	bool        own;
};

struct places {
	struct place *v;
	size_t        n, room;
	uint32_t     *head; /* by hash: index + 1 */
	size_t        mask;
};

struct gathering {
	const struct conf *c;
	struct report     *r;
	struct pac_hosts  *out;
	struct places      places;
	bool               no_memory, too_many;
};

void
pac_hosts_clear(struct pac_hosts *h)
{
	for (size_t i = 0; i < h->n; i++)
		free(h->v[i].text);
	free(h->v);
	*h = (struct pac_hosts){0};
}

static void
entry_add(struct gathering *g, const char *text, enum host_spec_kind kind, uint8_t bits, uint32_t rule)
{
	struct pac_hosts *h = g->out;
	void             *v;

	if (h->n >= HOSTS_MOST) {
		g->too_many = true;
		return;
	}
	v = array_grow(h->v, h->n, &h->room, sizeof *h->v);
	if (!v) {
		g->no_memory = true;
		return;
	}
	h->v = v;
	h->v[h->n] = (struct pac_entry){.text = strdup(text), .kind = kind, .bits = bits, .rule = rule};
	if (h->v[h->n].text)
		h->n++;
	else
		g->no_memory = true;
}

/* --- items --- */

static bool
is_list(const struct conf_item *item)
{
	return !item->quoted && item->text.n && item->text.p[0] == '@';
}

typedef void spec_fn(struct gathering *g, uint32_t rule, const struct host_spec *spec);

static void
each_item(struct gathering *g, uint32_t rule, const struct conf_items *items, bool negated, spec_fn *fn)
{
	struct host_spec spec;
	char             why[HOST_SPEC_WHY];

	for (size_t i = 0; i < items->n; i++)
		if (items->v[i].negated == negated && !is_list(&items->v[i]) && host_spec_parse(items->v[i].text, &spec, why))
			fn(g, rule, &spec);
}

/* The items of a rule's hosts that are meant so, those of its lists among them. */
static void
each_host(struct gathering *g, uint32_t rule, const struct conf_items *hosts, bool negated, spec_fn *fn)
{
	const struct conf_list *l;

	each_item(g, rule, hosts, negated, fn);
	for (size_t i = 0; i < hosts->n; i++) {
		const struct conf_item *item = &hosts->v[i];
		if (!is_list(item))
			continue;
		TAILQ_FOREACH (l, &g->c->lists, link) {
			if (!span_eq(l->name, span_of(item->text.p + 1, item->text.n - 1)))
				continue;
			/* a list that is negated takes out what it holds; of one that is not, its own '!' do */
			if (item->negated == negated)
				each_item(g, rule, &l->hosts, false, fn);
			if (negated && !item->negated)
				each_item(g, rule, &l->hosts, true, fn);
		}
	}
}

/* --- first: what may be published --- */

static bool
has_port(const struct conf_ports *ports, uint16_t port)
{
	for (size_t i = 0; i < ports->n; i++)
		if (port >= ports->v[i].first && port <= ports->v[i].last)
			return true;
	return false;
}

static void
publish(struct gathering *g, uint32_t rule, const struct host_spec *s)
{
	const struct conf_gateway *gw = &g->c->gateway;
	uint8_t                    bits = 0;

	if (s->kind != SPEC_EXACT && s->kind != SPEC_BELOW && s->kind != SPEC_TREE && s->kind != SPEC_GLOB)
		return;
	if (s->scheme != SCHEME_HTTPS && (s->port == 0 || s->port == 80) && has_port(&gw->http_ports, 80))
		bits |= PAC_HTTP;
	if (s->scheme != SCHEME_HTTP && (s->port == 0 || s->port == 443) && has_port(&gw->connect_ports, 443))
		bits |= PAC_HTTPS;
	if (bits)
		entry_add(g, s->text, s->kind, bits, rule);
}

/* A rule that holds by the host alone, and lets pass. */
static bool
is_plain_bypass(const struct conf_rule *r)
{
	const struct conf_items *other[] = {&r->ports, &r->schemes, &r->methods, &r->clients, &r->listeners, &r->addresses, &r->users, &r->groups, &r->times, &r->url,
		&r->headers, &r->content_types, &r->origin_tls, &r->origin_strength};

	for (size_t i = 0; i < sizeof other / sizeof *other; i++)
		if (other[i]->n)
			return false;
	return r->action == ACTION_BYPASS && r->hosts.n;
}

static bool
has_positive(const struct conf_items *items)
{
	for (size_t i = 0; i < items->n; i++)
		if (!items->v[i].negated)
			return true;
	return false;
}

static bool
has_negated(const struct gathering *g, const struct conf_items *items)
{
	const struct conf_list *l;

	for (size_t i = 0; i < items->n; i++) {
		if (items->v[i].negated)
			return true;
		if (!is_list(&items->v[i]))
			continue;
		TAILQ_FOREACH (l, &g->c->lists, link)
			if (span_eq(l->name, span_of(items->v[i].text.p + 1, items->v[i].text.n - 1)))
				for (size_t k = 0; k < l->hosts.n; k++)
					if (l->hosts.v[k].negated)
						return true;
	}
	return false;
}

/* --- then: what others may decide is taken out again --- */

static uint64_t
hash(struct span s)
{
	return XXH3_64bits(s.p, s.n);
}

static void
place_add(struct gathering *g, struct span name, uint32_t entry, bool own)
{
	struct places *p = &g->places;
	void          *v = array_grow(p->v, p->n, &p->room, sizeof *p->v);

	if (!v) {
		g->no_memory = true;
		return;
	}
	p->v = v;
	p->v[p->n++] = (struct place){.name = name, .entry = entry, .own = own};
}

/* The name one label above; empty at the top. */
static struct span
above(struct span name)
{
	const char *dot = memchr(name.p, '.', name.n);

	return dot ? span_of(dot + 1, name.n - (size_t)(dot + 1 - name.p)) : span_of(name.p + name.n, 0);
}

/* The name that all its hosts are, or lie below; empty: they may be anywhere. */
static struct span
region(const struct pac_entry *e)
{
	const char *star = e->kind == SPEC_GLOB ? strrchr(e->text, '*') : NULL, *dot = star ? strchr(star, '.') : NULL;

	return e->kind != SPEC_GLOB ? span_str(e->text) : dot ? span_str(dot + 1) : SPAN("");
}

static void
places_make(struct gathering *g)
{
	struct places *p = &g->places;
	size_t         room = 1024;

	for (uint32_t i = 0; i < g->out->n; i++)
		for (struct span own = region(&g->out->v[i]), at = own; at.n; at = above(at))
			place_add(g, at, i, at.p == own.p);
	while (room < p->n * 2)
		room *= 2;
	p->mask = room - 1;
	p->head = calloc(room, sizeof *p->head);
	if (!p->head) {
		g->no_memory = true;
		return;
	}
	for (uint32_t i = 0; i < p->n; i++) {
		uint32_t *head = &p->head[hash(p->v[i].name) & p->mask];
		p->v[i].next = *head;
		*head = i + 1;
	}
}

/* Entries of rules from `rule` on whose own name is `name`, or all that have it above them. */
static void
drop_named(struct gathering *g, uint32_t rule, struct span name, bool only_own, bool also_exact)
{
	const struct places *p = &g->places;

	for (uint32_t i = p->head[hash(name) & p->mask]; i; i = p->v[i - 1].next) {
		const struct place *at = &p->v[i - 1];
		struct pac_entry   *e = &g->out->v[at->entry];
		if (e->rule >= rule && span_eq(at->name, name) && (at->own || !only_own) && (also_exact || e->kind != SPEC_EXACT))
			e->dropped = true;
	}
}

/* All, or those that may be anywhere. */
static void
drop_loose(struct gathering *g, uint32_t rule, bool all)
{
	for (size_t i = 0; i < g->out->n; i++)
		if (g->out->v[i].rule >= rule && (all || region(&g->out->v[i]).n == 0))
			g->out->v[i].dropped = true;
}

/* Something that rule `rule` may hold for: no entry of this rule or a later one may overlap with it. */
static void
obstruct(struct gathering *g, uint32_t rule, const struct host_spec *s)
{
	struct span name = span_str(s->text);

	if (s->kind == SPEC_ADDR)
		return; /* literals only */
	drop_loose(g, rule, s->kind == SPEC_ALL || s->kind == SPEC_GLOB || s->kind == SPEC_REGEX);
	if (s->kind != SPEC_EXACT && s->kind != SPEC_BELOW && s->kind != SPEC_TREE)
		return;
	drop_named(g, rule, name, s->kind == SPEC_EXACT, true);
	for (struct span at = above(name); at.n; at = above(at))
		drop_named(g, rule, at, true, false);
}

static void
obstruct_all(struct gathering *g)
{
	const struct conf_rule *r;
	uint32_t                rule = 0;

	TAILQ_FOREACH (r, &g->c->rules, link) {
		rule++;
		if (r->report)
			continue;
		if (is_plain_bypass(r) && has_positive(&r->hosts)) {
			if (has_negated(g, &r->hosts))
				each_host(g, rule, &r->hosts, true, obstruct);
		} else if (!has_positive(&r->hosts)) {
			drop_loose(g, rule, true); /* it may hold for any name */
		} else {
			each_host(g, rule, &r->hosts, false, obstruct);
		}
	}
}

/* --- [pac] direct --- */

static void
direct_network(struct gathering *g, const struct conf_item *item, const struct cidr *net)
{
	char     text[64];
	uint32_t mask;

	if (!addr_is_v4(&net->addr)) {
		report_error(g->r, item->at, "direct = %.*s: not every client can tell IPv6 networks apart; say names, or IPv4 networks", SPAN_ARG(item->text));
		return;
	}
	mask = net->bits <= 96 ? 0 : ~(uint32_t)0 << (128 - net->bits);
	snprintf(text, sizeof text, "\"%u.%u.%u.%u\", \"%u.%u.%u.%u\"", net->addr.b[12], net->addr.b[13], net->addr.b[14], net->addr.b[15], mask >> 24, mask >> 16 & 255,
	    mask >> 8 & 255, mask & 255);
	entry_add(g, text, SPEC_ADDR, PAC_ANY, 0);
}

static void
direct_gather(struct gathering *g)
{
	const struct conf_items *items = &g->c->pac.direct;

	for (size_t i = 0; i < items->n; i++) {
		const struct conf_item *item = &items->v[i];
		struct host_spec        spec;
		char                    why[HOST_SPEC_WHY];

		if (!host_spec_parse(item->text, &spec, why))
			report_error(g->r, item->at, "direct = %.*s: %s", SPAN_ARG(item->text), why);
		else if (spec.kind == SPEC_REGEX || spec.kind == SPEC_ALL)
			report_error(g->r, item->at, "direct = %.*s: want names such as .intranet.example, or IPv4 networks", SPAN_ARG(item->text));
		else if (spec.kind == SPEC_ADDR)
			direct_network(g, item, &spec.cidr);
		else
			entry_add(g, spec.text, spec.kind, PAC_ANY, 0);
	}
}

static void
warn_dropped(const struct gathering *g)
{
	size_t n = 0;

	for (size_t i = 0; i < g->out->n; i++)
		n += g->out->v[i].dropped;
	if (n)
		report_warn(g->r, g->c->pac.at,
		    "[pac]: %zu host%s of bypass rules stay%s with the gateway, since another rule above may decide them, or an item takes names out of them", n,
		    n == 1 ? "" : "s", n == 1 ? "s" : "");
}

bool
pac_hosts_gather(const struct conf *c, struct pac_hosts *out, struct report *r)
{
	struct gathering        g = {.c = c, .r = r, .out = out};
	const struct conf_rule *rule;
	uint32_t                number = 0;

	*out = (struct pac_hosts){0};
	if (c->pac.bypass == PAC_BYPASS_DIRECT) {
		TAILQ_FOREACH (rule, &c->rules, link) {
			number++;
			if (is_plain_bypass(rule) && !rule->report)
				each_host(&g, number, &rule->hosts, false, publish);
		}
		if (!g.no_memory)
			places_make(&g);
		if (!g.no_memory)
			obstruct_all(&g);
		warn_dropped(&g);
	}
	direct_gather(&g);
	if (g.too_many)
		report_error(r, c->pac.at, "[pac] would publish more than %u hosts, which not every client takes; say bypass = proxy, or bypass fewer of them", HOSTS_MOST);
	free(g.places.v);
	free(g.places.head);
	return !g.no_memory;
}
