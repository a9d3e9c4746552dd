/* SPDX-License-Identifier: MIT */
#include "conf/probe.h"

#include <stdlib.h>

#include "base/flat.h"
#include "conf/load.h"
#include "match/host_set.h"

#define TAG_FOR     0u
#define TAG_AGAINST 1u
#define ENTRIES_MAX 64u /* that one probe may stand for; more are not asked about */

struct probe_set {
	const struct conf_list *list;
	struct flat             flat;
	struct host_set        *set;
};

struct probe_set *
probe_set_new(const struct conf_list *list)
{
	static const uint8_t     key[16]; /* who writes the list asks it: nobody to be kept from colliding names */
	struct probe_set        *p = calloc(1, sizeof *p);
	struct host_set_builder *b = p ? host_set_builder_new(key) : NULL;
	uint32_t                 off = 0;
	bool                     ok = b;
	char                     why[HOST_SPEC_WHY];

	if (p) {
		p->list = list;
		flat_init(&p->flat);
		flat_add(&p->flat, NULL, 8, 8); /* 0 is no offset */
	}
	for (size_t i = 0; ok && i < list->hosts.n; i++) {
		struct host_spec spec;
		if (host_spec_parse(list->hosts.v[i].text, &spec, why))
			ok = host_set_builder_add(b, &spec, list->hosts.v[i].negated ? TAG_AGAINST : TAG_FOR, (uint32_t)i, why) || spec.kind == SPEC_REGEX;
	}
	if (ok)
		off = host_set_builder_finish(b, &p->flat);
	if (off)
		p->set = host_set_open(p->flat.base, p->flat.used, off, false);
	host_set_builder_free(b);
	if (p && p->set)
		return p;
	probe_set_free(p);
	return NULL;
}

void
probe_set_free(struct probe_set *p)
{
	if (!p)
		return;
	host_set_close(p->set);
	flat_clear(&p->flat);
	free(p);
}

bool
probe_parse(struct span text, struct host_spec *out, char why[HOST_SPEC_WHY])
{
	if (!host_spec_parse(text, out, why))
		return false;
	if (out->kind == SPEC_EXACT || (out->kind == SPEC_ADDR && out->cidr.bits == 128))
		return true;
	snprintf(why, HOST_SPEC_WHY, "a pattern cannot be connected to; want one host, such as v10.events.data.microsoft.com");
	return false;
}

/* Scheme and port of an entry limit it; a probe that gives none takes the entry's. */
static bool
agree(const struct host_spec *probe, const struct host_spec *entry)
{
	return (probe->scheme == SCHEME_NONE || entry->scheme == SCHEME_NONE || probe->scheme == entry->scheme) &&
	       (probe->port == 0 || entry->port == 0 || probe->port == entry->port);
}

static uint32_t
origins(const struct probe_set *p, const struct host_spec *probe, uint32_t tag, uint32_t v[ENTRIES_MAX])
{
	uint32_t n = probe->kind == SPEC_ADDR ? host_set_origins_addr(p->set, &probe->cidr.addr, tag, v, ENTRIES_MAX)
					      : host_set_origins(p->set, span_of(probe->text, probe->n), tag, v, ENTRIES_MAX);
	uint32_t kept = 0;

	n = n < ENTRIES_MAX ? n : ENTRIES_MAX;
	for (uint32_t i = 0; i < n; i++) {
		struct host_spec entry;
		char             why[HOST_SPEC_WHY];
		if (host_spec_parse(p->list->hosts.v[v[i]].text, &entry, why) && agree(probe, &entry))
			v[kept++] = v[i];
	}
	return kept;
}

bool
probe_is_of(const struct probe_set *p, const struct host_spec *probe, uint32_t entry)
{
	uint32_t v[ENTRIES_MAX], n;

	if (origins(p, probe, TAG_AGAINST, v) > 0)
		return false;
	n = origins(p, probe, TAG_FOR, v);
	for (uint32_t i = 0; i < n; i++)
		if (v[i] == entry)
			return true;
	return false;
}

/* --- what is checked when all is read --- */

static void
check_probe(struct load *l, const struct probe_set *p, const struct conf_item *item)
{
	struct host_spec spec;
	uint32_t         entries[ENTRIES_MAX];
	char             why[HOST_SPEC_WHY];

	if (!probe_parse(item->text, &spec, why))
		report_error(l->r, item->at, "probe = %.*s: %s", SHOW(item->text), why);
	else if (origins(p, &spec, TAG_AGAINST, entries))
		report_error(l->r, item->at, "probe = %.*s: a `!` entry of [list %.*s] takes it out; want a host that the list holds", SHOW(item->text), SHOW(p->list->name));
	else if (!origins(p, &spec, TAG_FOR, entries))
		report_error(l->r, item->at, "probe = %.*s: no entry of [list %.*s] holds for it; want a host below one of its wildcards", SHOW(item->text), SHOW(p->list->name));
}

static const struct conf_list *
list_find(const struct conf *c, struct span name)
{
	const struct conf_list *list;

	TAILQ_FOREACH (list, &c->lists, link)
		if (span_eq(list->name, name))
			return list;
	return NULL;
}

void
check_doctor(struct load *l)
{
	const struct conf_items *names = &l->c->doctor.lists;
	const struct conf_list  *list;

	TAILQ_FOREACH (list, &l->c->lists, link) {
		struct probe_set *p = list->probes.n ? probe_set_new(list) : NULL;
		if (list->probes.n && !p)
			load_no_memory(l);
		for (size_t i = 0; p && i < list->probes.n; i++)
			check_probe(l, p, &list->probes.v[i]);
		probe_set_free(p);
	}
	for (size_t i = 0; i < names->n; i++)
		if (!list_find(l->c, names->v[i].text))
			report_error(l->r, names->v[i].at, "lists = %.*s: there is no [list %.*s]", SHOW(names->v[i].text), SHOW(names->v[i].text));
}
