/* SPDX-License-Identifier: MIT */
/*
 * entries: by which entry of a list, or item of a rule, a verdict came about. What is noted with a verdict costs nothing; whoever reads the counts finds out here
 * which entry that was, as the trace would (policy_entry_where).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/open.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

/* A key: the place, then port and scheme as host items tell them apart, the rule, and what kind of place it is. */
#define KEY_KIND_BITS 2
#define KEY_RULE_BITS 17
#define KEY_PORT_BITS 13
#define KEY_RULES     (1u << KEY_RULE_BITS) /* rules beyond these are not counted by entry */

bool
tag_concerns(const struct policy *p, enum side side, uint32_t rule, const struct block_tag *t, bool against)
{
	const struct flat_ref terms = p->rules[rule].terms[side];
	const uint32_t       *term = policy_at(p, terms.off);

	for (uint32_t i = 0; i < terms.n; i++)
		if (term[i] >> 1 == t->owner && ((term[i] & 1) ^ t->negated) == against)
			return true;
	return false;
}

size_t
policy_line_print(const struct policy *p, uint32_t line, char *buf, size_t n)
{
	const struct block_file *file = policy_at(p, p->head->files.off);
	uint32_t                 at = p->head->files.n;
	int                      used;

	while (at > 0 && file[at - 1].first > line)
		at--;
	if (at == 0)
		return 0;
	file += at - 1;
	used = snprintf(buf, n, "%.*s:%u", (int)file->path.n, (const char *)policy_at(p, file->path.off), line - file->first);
	return used < 0 ? 0 : (size_t)used < n ? (size_t)used : n - 1;
}

static const struct block_tag *
host_tag(const struct policy *p, uint32_t tag)
{
	return (const struct block_tag *)policy_at(p, p->head->side[SIDE_HOSTS].tags.off) + tag;
}

/* May an entry with this tag be why the rule holds in this place? */
static bool
tag_decides(const struct policy *p, uint32_t tag, uint32_t rule, enum url_scheme scheme, uint16_t port)
{
	const struct block_tag *t = host_tag(p, tag);

	return !t->negated && tag_applies(t, scheme, port) && tag_concerns(p, SIDE_HOSTS, rule, t, false);
}

void
verdict_place_loose(const struct policy *p, const struct facts *f, const struct host_hit *hit, struct verdict *v)
{
	uint32_t        n;
	const uint32_t *tag = host_set_tags(p->hosts, hit->set, &n);

	for (uint32_t i = 0; i < n; i++)
		if (tag_decides(p, tag[i], v->rule, f->scheme, f->port))
			return;
	for (int bare = 0; bare < 2; bare++)
		for (uint32_t i = 0; i < hit->n_loose; i++) {
			const struct block_tag *t = host_tag(p, hit->loose[i]);
			if ((t->port == 0 && t->scheme == SCHEME_NONE) != bare || !tag_decides(p, hit->loose[i], v->rule, f->scheme, f->port))
				continue;
			v->place = host_set_loose_by(p->hosts, hit->loose[i]);
			v->place_kind = PLACE_LOOSE;
			return;
		}
}

uint64_t
policy_hit_key(const struct policy *p, const struct verdict *v, enum url_scheme scheme, uint16_t port)
{
	uint32_t where;

	if (v->rule >= KEY_RULES || v->rule >= p->head->n_rules || !(p->rules[v->rule].has & HAS_ENTRIES))
		return HIT_NONE;
	where = place_number(p->places, scheme, port);
	return (uint64_t)v->place << 32 | (uint64_t)where << (KEY_RULE_BITS + KEY_KIND_BITS) | (uint64_t)v->rule << KEY_KIND_BITS | v->place_kind;
}

struct policy *
policy_open_entries(const void *block, size_t size, uint32_t off)
{
	struct policy *p = policy_open_names(block, size, off);

	if (!p)
		return NULL;
	p->places = policy_at(p, p->head->places);
	p->place_port = calloc(1u << KEY_PORT_BITS, sizeof *p->place_port);
	for (uint32_t port = 65535; p->place_port && port; port--)
		p->place_port[number_map_find(p->places, port) & ((1u << KEY_PORT_BITS) - 1)] = (uint16_t)port;
	p->hosts = host_set_open_names(block, size, p->head->hosts);
	if (p->hosts && p->place_port)
		return p;
	policy_close(p);
	return NULL;
}

uint32_t
policy_hit_room(const struct policy *p)
{
	return host_set_places(p->hosts);
}

static uint64_t
entry_id(const struct policy_entry *e)
{
	struct {
		uint64_t owner, text;
		uint32_t kind, is_list, scheme, port, bits, spare;
		struct addr addr;
	} all;

	memset(&all, 0, sizeof all);
	all.owner = XXH3_64bits(e->owner.p, e->owner.n);
	all.text = XXH3_64bits(e->what.text.p, e->what.text.n);
	all.kind = e->what.kind;
	all.is_list = e->is_list;
	all.scheme = e->scheme;
	all.port = e->port;
	if (e->what.kind == SPEC_ADDR) {
		all.addr = e->what.cidr.addr;
		all.bits = e->what.cidr.bits;
	}
	return XXH3_64bits(&all, sizeof all);
}

/* Fills in what does not come from match/. False: no rule decides by it. */
static bool
entry_fill(const struct policy *p, struct policy_entry *e)
{
	const struct block_tag   *t = host_tag(p, e->what.tag);
	const struct block_owner *o = (const struct block_owner *)policy_at(p, p->head->side[SIDE_HOSTS].owners.off) + t->owner;
	const uint32_t           *rule = policy_at(p, o->rules.off);
	bool                      decides = false;

	for (uint32_t i = 0; !t->negated && i < o->rules.n && !decides; i++)
		decides = tag_concerns(p, SIDE_HOSTS, rule[i], t, false);
	if (!decides)
		return false;
	e->is_list = o->list.n > 0;
	e->owner = e->is_list ? span_of(policy_at(p, o->list.off), o->list.n) : policy_rule_name(p, rule[0]);
	e->scheme = (enum url_scheme)t->scheme;
	e->port = t->port;
	e->id = entry_id(e);
	return true;
}

/* One of these tags that concerns the rule; those that name a port or scheme say more, so they come first. */
static bool
entry_of_tags(const struct policy *p, uint64_t key, uint32_t rule, enum url_scheme scheme, uint16_t port, struct policy_entry *e)
{
	enum place_kind kind = (enum place_kind)(key & ((1u << KEY_KIND_BITS) - 1));
	uint32_t        place = (uint32_t)(key >> 32), n;
	const uint32_t *tag = kind == PLACE_STRETCH ? host_set_stretch_tags(p->hosts, place, &n) : host_set_node_tags(p->hosts, place, kind == PLACE_WHOLE, &n);

	for (int bare = 0; bare < 2; bare++)
		for (uint32_t i = 0; i < n; i++) {
			const struct block_tag *t = host_tag(p, tag[i]);
			if ((t->port == 0 && t->scheme == SCHEME_NONE) != bare || !tag_decides(p, tag[i], rule, scheme, port))
				continue;
			if (kind == PLACE_STRETCH ? host_set_stretch_entry(p->hosts, place, tag[i], &e->what) :
			                            host_set_node_entry(p->hosts, place, kind == PLACE_WHOLE, tag[i], &e->what))
				return true;
		}
	return false;
}

bool
policy_hit_entry(const struct policy *p, uint64_t key, struct policy_entry *e)
{
	uint32_t        rule = (uint32_t)(key >> KEY_KIND_BITS) & (KEY_RULES - 1);
	uint32_t        where = (uint32_t)(key >> (KEY_RULE_BITS + KEY_KIND_BITS)) & ((1u << KEY_PORT_BITS) - 1);
	uint16_t        port = where / 4 ? p->place_port[where / 4] : 0; /* 0: one of those that no item names */
	enum url_scheme scheme = (enum url_scheme)(where & 3);

	if (rule >= p->head->n_rules)
		return false;
	if ((key & ((1u << KEY_KIND_BITS) - 1)) != PLACE_LOOSE)
		return entry_of_tags(p, key, rule, scheme, port, e) && entry_fill(p, e);
	for (uint32_t k = 0; host_set_loose_entry(p->hosts, (uint32_t)(key >> 32), k, &e->what); k++)
		if (tag_decides(p, e->what.tag, rule, scheme, port))
			return entry_fill(p, e);
	return false;
}

bool
policy_entry_next(const struct policy *p, struct host_walk *w, struct policy_entry *e)
{
	while (host_set_next(p->hosts, w, &e->what))
		if (entry_fill(p, e))
			return true;
	return false;
}

const char *
policy_entry_text(const struct policy_entry *e, char buf[ENTRY_TEXT_MAX])
{
	static const char *const before[] = {[SPEC_EXACT] = "", [SPEC_BELOW] = "*.", [SPEC_TREE] = ".", [SPEC_ALL] = "*", [SPEC_GLOB] = "", [SPEC_REGEX] = "re:", [SPEC_ADDR] = ""};
	char        addr[ADDR_TEXT_MAX + 8] = "", port[8] = "";
	const char *scheme = e->scheme == SCHEME_HTTP ? "http://" : e->scheme == SCHEME_HTTPS ? "https://" : "";
	uint16_t    usual = e->scheme == SCHEME_HTTP ? 80 : e->scheme == SCHEME_HTTPS ? 443 : 0;

	if (e->what.kind == SPEC_ADDR) {
		const struct cidr *c = &e->what.cidr;
		bool               v4 = addr_is_v4(&c->addr) && c->bits >= 96;
		unsigned           bits = v4 ? c->bits - 96u : c->bits;
		addr_print(&c->addr, addr);
		if (bits != (v4 ? 32 : 128))
			snprintf(addr + strlen(addr), sizeof addr - strlen(addr), "/%u", bits);
	}
	if (e->port && e->port != usual)
		snprintf(port, sizeof port, ":%u", e->port);
	snprintf(buf, ENTRY_TEXT_MAX, "%s%s%s%.*s%s", scheme, before[e->what.kind], addr, (int)e->what.text.n, e->what.text.p, port);
	return buf;
}
