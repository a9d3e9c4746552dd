/* SPDX-License-Identifier: MIT */
/*
 * host_read: the patterns of a built set, one after the other, and by which of them a look-up that ended somewhere has held.
 * For those who count by the numbers of a host_hit; slow beside a look-up. Needs no regex.
 */
#include "match/host_open.h"

enum stage { STAGE_NAMES, STAGE_LOOSE, STAGE_ALL, STAGE_ADDRS, STAGE_END };

/* The k-th pattern of one name. False: it has no more. */
static bool
own_entry(const struct host_set *h, const struct name_entry *n, uint32_t k, struct host_entry *e)
{
	const struct host_value  *v = &h->value[n->value & ~NAME_LAST];
	const struct host_origin *o = (const struct host_origin *)(h->block + h->flat->origin) + (v->kind == HOST_MANY ? n->origin : 0);
	struct host_origin        only = {v->tag, n->origin, v->kind};

	if (k >= (v->kind == HOST_MANY ? v->tag : 1))
		return false;
	if (v->kind == HOST_MANY)
		o += k;
	else
		o = &only;
	*e = (struct host_entry){.kind = (enum host_spec_kind)o->kind, .text = span_of(n->text, n->n), .tag = o->tag, .origin = o->origin};
	return true;
}

/* The k-th pattern that is every name. */
static bool
all_entry(const struct host_set *h, uint32_t k, struct host_entry *e)
{
	const struct host_origin *o = (const struct host_origin *)(h->block + h->flat->origin) + h->flat->n_origins - h->flat->n_all + k;

	if (k >= h->flat->n_all)
		return false;
	*e = (struct host_entry){.kind = SPEC_ALL, .text = SPAN(""), .tag = o->tag, .origin = o->origin};
	return true;
}

static bool
addr_entry(const struct host_set *h, uint32_t i, struct host_entry *e)
{
	*e = (struct host_entry){.kind = SPEC_ADDR, .text = SPAN("")};
	return addr_set_cidr(h->addrs, i, &e->cidr, &e->tag, &e->origin);
}

static bool
next_name(const struct host_set *h, struct host_walk *w, struct host_entry *e)
{
	while (w->i < h->flat->n_nodes) {
		const struct name_entry *n = (const struct name_entry *)(h->index.heap + w->at);
		if (own_entry(h, n, w->k, e)) {
			w->k++;
			return true;
		}
		w->i++;
		w->k = 0;
		w->at = (uint32_t)((const char *)name_entry_next(n) - h->index.heap);
	}
	return false;
}

static bool
next_loose(const struct host_set *h, struct host_walk *w, struct host_entry *e)
{
	for (; w->i < h->flat->loose.n; w->i++, w->k = 0)
		if (loose_entry(h->block, &h->flat->loose, w->i, w->k, e)) {
			w->k++;
			return true;
		}
	return false;
}

bool
host_set_next(const struct host_set *h, struct host_walk *w, struct host_entry *e)
{
	for (; w->stage < STAGE_END; *w = (struct host_walk){.stage = w->stage + 1}) {
		bool got;
		switch ((enum stage)w->stage) {
		case STAGE_NAMES:
			got = next_name(h, w, e);
			break;
		case STAGE_LOOSE:
			got = next_loose(h, w, e);
			break;
		case STAGE_ALL:
			got = all_entry(h, w->i++, e);
			break;
		default:
			got = addr_entry(h, w->i++, e);
			break;
		}
		if (got)
			return true;
	}
	return false;
}

/* The entry of a node; null: there is none of that number. */
static const struct name_entry *
node_at(const struct host_set *h, uint32_t node)
{
	const struct name_line  *line = h->index.line;
	const struct name_entry *e;
	uint32_t                 low = 0, n = h->flat->n_lines;

	if (node >= h->flat->n_nodes)
		return NULL;
	while (n > 1) {
		uint32_t half = n / 2;
		if (line[low + half].node <= node)
			low += half;
		n -= half;
	}
	e = (const struct name_entry *)(h->index.heap + line[low].heap);
	for (uint32_t i = line[low].node; i < node; i++)
		e = name_entry_next(e);
	return e;
}

const uint32_t *
host_set_node_tags(const struct host_set *h, uint32_t node, bool whole, uint32_t *n)
{
	const struct name_entry *e = node_at(h, node);
	const struct host_value *v = e ? &h->value[e->value & ~NAME_LAST] : NULL;

	return tag_sets_read(h->block, &h->flat->sets, !v ? 0 : whole ? v->exact : v->below, n);
}

bool
host_set_node_entry(const struct host_set *h, uint32_t node, bool whole, uint32_t tag, struct host_entry *e)
{
	const struct name_entry *at = node_at(h, node);
	struct name_suffix       suffix;
	struct name_words        words;
	struct name_walk         w;

	if (at) {
		w = name_search(&h->index, &words, span_of(at->text, at->n));
		while (name_search_next(&h->index, &w, &words, &suffix)) {
			uint32_t                 number;
			const struct name_entry *n = name_find(&h->index, w.p, at->n, &suffix, &number);
			for (uint32_t k = 0; n && own_entry(h, n, k, e); k++)
				if (e->tag == tag && e->kind != (whole && suffix.at == 0 ? SPEC_BELOW : SPEC_EXACT))
					return true;
		}
	}
	for (uint32_t k = 0; all_entry(h, k, e); k++)
		if (e->tag == tag)
			return true;
	return false;
}

const uint32_t *
host_set_stretch_tags(const struct host_set *h, uint32_t stretch, uint32_t *n)
{
	return addr_set_tags(h->addrs, addr_set_piece_set(h->addrs, stretch), n);
}

bool
host_set_stretch_entry(const struct host_set *h, uint32_t stretch, uint32_t tag, struct host_entry *e)
{
	return addr_entry(h, addr_set_piece_cidr(h->addrs, stretch, tag), e);
}

bool
host_set_loose_entry(const struct host_set *h, uint32_t loose, uint32_t k, struct host_entry *e)
{
	return loose_entry(h->block, &h->flat->loose, loose, k, e);
}
