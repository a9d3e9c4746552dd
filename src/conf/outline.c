/* SPDX-License-Identifier: MIT */
#include "conf/outline.h"

#include <stdlib.h>

#include "conf/option.h"
#include "conf/outline_lines.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

/* --- digests --- */

static uint64_t
mix(uint64_t h, const void *p, size_t n)
{
	return XXH3_64bits_withSeed(p, n, h);
}

static uint64_t
text_digest(uint64_t h, struct span s)
{
	h = mix(h, &s.n, sizeof s.n);
	return s.n ? mix(h, s.p, s.n) : h;
}

/* One hash, since lists have a million of these. */
static uint64_t
item_digest(uint64_t h, const struct conf_item *i)
{
	uint64_t shape = (uint64_t)i->text.n << 2 | (i->negated ? 1u : 0u) | (i->quoted ? 2u : 0u);

	return XXH3_64bits_withSeed(i->text.p, i->text.n, (h ^ shape) * UINT64_C(0x9e3779b97f4a7c15));
}

static uint64_t
items_digest(const struct conf_items *items)
{
	uint64_t h = items->n;

	for (size_t i = 0; i < items->n; i++)
		h = item_digest(h, &items->v[i]);
	return h;
}

static uint64_t
endpoints_digest(const struct conf_endpoints *e)
{
	uint64_t h = e->n;

	for (size_t i = 0; i < e->n; i++) {
		h = mix(h, &e->v[i].addr, sizeof e->v[i].addr);
		h = mix(h, &e->v[i].scope, sizeof e->v[i].scope);
		h = mix(h, &e->v[i].port, sizeof e->v[i].port);
	}
	return h;
}

static uint64_t
cidrs_digest(const struct conf_cidrs *c)
{
	uint64_t h = c->n;

	for (size_t i = 0; i < c->n; i++) {
		h = mix(h, &c->v[i].addr, sizeof c->v[i].addr);
		h = mix(h, &c->v[i].bits, sizeof c->v[i].bits);
	}
	return h;
}

static uint64_t
ports_digest(const struct conf_ports *p)
{
	uint64_t h = p->n;

	for (size_t i = 0; i < p->n; i++) {
		h = mix(h, &p->v[i].first, sizeof p->v[i].first);
		h = mix(h, &p->v[i].last, sizeof p->v[i].last);
	}
	return h;
}

/* Of one option's value, wherever its kind is stored (option.h). `base`: the section's struct. */
static uint64_t
value_digest(const struct option *o, const void *base)
{
	const void                   *at = (const char *)base + o->off;
	const struct conf_auth       *auth = base;
	const struct conf_gateway    *gateway = base;
	const struct conf_listener   *listener = base;
	const struct conf_log        *log = base;
	const struct conf_bad_origin *bad;

	switch (o->type) {
	case OPTION_NUMBER:
	case OPTION_MODE:
		return mix(1, at, sizeof(uint32_t));
	case OPTION_SIZE:
	case OPTION_TIME:
		return mix(1, at, sizeof(uint64_t));
	case OPTION_BOOL:
		return mix(1, at, sizeof(bool));
	case OPTION_WORD:
		return mix(1, at, sizeof(int));
	case OPTION_VERSION:
		return mix(1, at, sizeof(uint16_t));
	case OPTION_TEXT:
	case OPTION_TOKEN:
	case OPTION_DIR:
	case OPTION_LOGFILE:
	case OPTION_PATH:
		return text_digest(1, span_str(*(char *const *)at));
	case OPTION_REASON:
		return text_digest(1, *(const struct span *)at);
	case OPTION_FORMAT:
		return text_digest(1 + (uint64_t)log->format, log->custom);
	case OPTION_RATE:
		return mix(1 + ((const struct conf_rate *)at)->count, &((const struct conf_rate *)at)->per_ms, sizeof(uint64_t));
	case OPTION_PORTS:
		return ports_digest(at);
	case OPTION_CIDRS:
		return cidrs_digest(at);
	case OPTION_ENDPOINTS:
		return endpoints_digest(at);
	case OPTION_PLACES:
		return endpoints_digest(&listener->address) ^ items_digest(&listener->paths);
	case OPTION_RESOLVERS:
		return endpoints_digest(&gateway->resolvers) + gateway->resolver_system;
	case OPTION_SCHEMES:
		return mix(auth->n_schemes, auth->scheme, auth->n_schemes);
	case OPTION_BAD_ORIGIN:
		bad = at;
		return mix(bad->given + 2u * bad->all + 4u * (uint64_t)bad->named, bad->answer, sizeof bad->answer);
	case OPTION_ITEMS:
	case OPTION_NETWORKS:
	case OPTION_FILES:
	case OPTION_NAMES:
	case OPTION_PATHS:
		return items_digest(at);
	case OPTION_INCLUDE:
		break;
	}
	return 0;
}

/* What is told of lists is how many entries came and went. */
static bool
is_entries(const struct option *o)
{
	return o->section == SECTION_LIST && (o->type == OPTION_ITEMS || o->type == OPTION_NETWORKS);
}

/* --- making one --- */

static struct outline_section *
add_section(struct outline *o, const struct conf *c, enum section_kind kind, struct span name, struct where at, const void *base)
{
	size_t                  n_options;
	const struct option    *table = option_table(&n_options);
	struct outline_section *s;
	char                    where[512];

	if (!ARRAY_ADD(o, ((struct outline_section){.kind = kind})))
		return NULL;
	s = &o->v[o->n - 1];
	s->name = strndup(name.n ? name.p : "", name.n);
	s->where = strdup(where_print(c, at, where, sizeof where));
	s->digest = calloc(n_options, sizeof *s->digest);
	if (!s->name || !s->where || !s->digest)
		return NULL;
	for (size_t i = 0; i < n_options; i++)
		if (table[i].section == kind && table[i].off != OPTION_NOWHERE && !is_entries(&table[i]))
			s->digest[i] = value_digest(&table[i], base);
	return s;
}

static bool
add_facts(struct outline_section *s, const struct conf *c, const struct conf_list *l)
{
	s->facts = list_facts_new(c, l);
	return s->facts != NULL;
}

static bool
add_entries(struct outline_section *s, const struct conf_list *l)
{
	s->n_entries = l->hosts.n + l->addresses.n;
	s->entry = malloc((s->n_entries ? s->n_entries : 1) * sizeof *s->entry);
	if (!s->entry)
		return false;
	for (size_t i = 0; i < l->hosts.n; i++)
		s->sum += s->entry[i] = item_digest(1, &l->hosts.v[i]);
	for (size_t i = 0; i < l->addresses.n; i++)
		s->sum += s->entry[l->hosts.n + i] = item_digest(2, &l->addresses.v[i]);
	return true;
}

static bool
add_rule(struct outline *o, const struct conf *c, const struct conf_rule *r)
{
	struct outline_section *s = add_section(o, c, SECTION_RULE, r->name, r->at, r);

	if (!s)
		return false;
	s->action = r->action;
	s->slot = r->slot;
	return true;
}

#define ADD_ALL(type, head, kind) \
	do { \
		const struct type *e_; \
		TAILQ_FOREACH(e_, head, link) \
			ok = ok && add_section(o, c, kind, e_->name, e_->at, e_); \
	} while (0)

struct outline *
outline_new(const struct conf *c)
{
	const struct where     none = {0, 0};
	struct outline        *o = calloc(1, sizeof *o);
	const struct conf_list *l;
	const struct conf_rule *r;
	bool                   ok = o != NULL;

	ok = ok && add_section(o, c, SECTION_GATEWAY, SPAN(""), none, &c->gateway);
	ok = ok && (!c->auth.present || add_section(o, c, SECTION_AUTH, SPAN(""), c->auth.at, &c->auth));
	ok = ok && (!c->inspection.present || add_section(o, c, SECTION_INSPECTION, SPAN(""), c->inspection.at, &c->inspection));
	ok = ok && (!c->pac.present || add_section(o, c, SECTION_PAC, SPAN(""), c->pac.at, &c->pac));
	ok = ok && (!c->doctor.present || add_section(o, c, SECTION_DOCTOR, SPAN(""), c->doctor.at, &c->doctor));
	ADD_ALL(conf_listener, &c->listeners, SECTION_LISTENER);
	ADD_ALL(conf_parent, &c->parents, SECTION_PARENT);
	TAILQ_FOREACH(l, &c->lists, link)
		ok = ok && add_section(o, c, SECTION_LIST, l->name, l->at, l) && add_facts(&o->v[o->n - 1], c, l) && add_entries(&o->v[o->n - 1], l);
	TAILQ_FOREACH(r, &c->rules, link)
		ok = ok && add_rule(o, c, r);
	ADD_ALL(conf_log, &c->logs, SECTION_LOG);
	if (ok)
		return o;
	outline_free(o);
	return NULL;
}

void
outline_free(struct outline *o)
{
	if (!o)
		return;
	for (size_t i = 0; i < o->n; i++) {
		free(o->v[i].name);
		free(o->v[i].where);
		free(o->v[i].digest);
		free(o->v[i].entry);
		list_facts_free(o->v[i].facts);
	}
	free(o->v);
	free(o);
}

static const struct outline_section *
nth(const struct outline *o, enum section_kind kind, size_t i)
{
	for (size_t k = 0; o && k < o->n; k++)
		if (o->v[k].kind == kind && i-- == 0)
			return &o->v[k];
	return NULL;
}

bool
outline_rule_at(const struct outline *o, size_t i, struct outline_rule *out)
{
	const struct outline_section *s = nth(o, SECTION_RULE, i);

	if (s)
		*out = (struct outline_rule){span_str(s->name), s->where, s->action, s->slot};
	return s != NULL;
}

bool
outline_parent_at(const struct outline *o, size_t i, struct span *name)
{
	const struct outline_section *s = nth(o, SECTION_PARENT, i);

	if (s)
		*name = span_str(s->name);
	return s != NULL;
}

bool
outline_list_at(const struct outline *o, size_t i, struct outline_list *out)
{
	const struct outline_section *s = nth(o, SECTION_LIST, i);

	if (!s)
		return false;
	*out = s->facts->told;
	out->name = span_str(s->name);
	out->where = s->where;
	return true;
}
