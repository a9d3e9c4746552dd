/* SPDX-License-Identifier: MIT */
/*
 * host_finish: works out what each name says, its ancestors included, and writes a settled builder into a flat block.
 */
#include <stdlib.h>

#include "match/host_builder.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#define FIRST_SLOTS 64

/* All the memory of one host_set_builder_finish. */
struct finish {
	struct tag_sets     sets;
	struct host_value  *value;
	uint32_t            n_values, room_values;
	uint32_t           *slot; /* hash table of values: number + 1, 0 free */
	uint32_t            n_slots;
	struct host_origin *origin;
	uint32_t            n_origins, room_origins;
	uint32_t           *exact, *below; /* scratch: a node's own tags */
	uint32_t            room_exact, room_below;
	uint32_t           *below_set; /* for each node: the set of a name below it */
	uint32_t           *by_depth;  /* nodes, fewest labels first */
};

static void
finish_clear(struct finish *w)
{
	tag_sets_clear(&w->sets);
	free(w->value);
	free(w->slot);
	free(w->origin);
	free(w->exact);
	free(w->below);
	free(w->below_set);
	free(w->by_depth);
}

static uint32_t *
find_slot(const struct finish *w, const struct host_value *v)
{
	uint32_t mask = w->n_slots - 1;

	for (uint32_t i = (uint32_t)XXH3_64bits(v, sizeof *v) & mask;; i = (i + 1) & mask)
		if (!w->slot[i] || memcmp(&w->value[w->slot[i] - 1], v, sizeof *v) == 0)
			return &w->slot[i];
}

static bool
grow_slots(struct finish *w)
{
	free(w->slot);
	w->n_slots = w->n_slots ? w->n_slots * 2 : FIRST_SLOTS;
	w->slot = calloc(w->n_slots, sizeof *w->slot);
	for (uint32_t i = 0; w->slot && i < w->n_values; i++)
		*find_slot(w, &w->value[i]) = i + 1;
	return w->slot;
}

static bool
intern_value(struct finish *w, const struct host_value *v, uint32_t *number)
{
	uint32_t *slot;

	if (w->n_slots <= w->n_values * 2 && !grow_slots(w))
		return false;
	slot = find_slot(w, v);
	if (!*slot) {
		if (w->n_values >= NAME_LAST || !tag_grow(&w->value, &w->room_values, (size_t)w->n_values + 1, sizeof *w->value))
			return false;
		w->value[w->n_values++] = *v;
		*slot = w->n_values;
	}
	*number = *slot - 1;
	return true;
}

static bool
push_origin(struct finish *w, uint32_t tag, uint32_t origin, uint32_t kind)
{
	if (!tag_grow(&w->origin, &w->room_origins, (size_t)w->n_origins + 1, sizeof *w->origin))
		return false;
	w->origin[w->n_origins++] = (struct host_origin){.tag = tag, .origin = origin, .kind = kind};
	return true;
}

/* Fewest labels first, so that a parent's set is there before its children ask for it. */
static bool
sort_by_depth(const struct host_set_builder *b, struct finish *w)
{
	uint32_t count[NAME_LABELS_MAX + 1] = {0}, at = 0;

	w->by_depth = calloc((size_t)b->n_nodes + 1, sizeof *w->by_depth);
	w->below_set = calloc((size_t)b->n_nodes + 1, sizeof *w->below_set);
	if (!w->by_depth || !w->below_set)
		return false;
	for (uint32_t i = 0; i < b->n_nodes; i++)
		count[host_builder_added(b, &b->node[i], 0)->depth]++;
	for (unsigned d = 0; d <= NAME_LABELS_MAX; d++) {
		uint32_t here = count[d];
		count[d] = at;
		at += here;
	}
	for (uint32_t i = 0; i < b->n_nodes; i++)
		w->by_depth[count[host_builder_added(b, &b->node[i], 0)->depth]++] = i;
	return true;
}

/* What node `i` says; writes it into its entry. */
static bool
value_node(struct host_set_builder *b, struct finish *w, uint32_t i)
{
	const struct node  *n = &b->node[i];
	const struct added *a = host_builder_added(b, n, 0);
	struct name_entry  *e = (struct name_entry *)(b->heap + n->entry);
	uint32_t            base = n->parent == UINT32_MAX ? 0 : w->below_set[n->parent], n_exact = 0, n_below = 0, number;
	struct host_value   v = {.kind = a->kind, .tag = a->tag};

	if (!tag_grow(&w->exact, &w->room_exact, n->n, sizeof *w->exact) || !tag_grow(&w->below, &w->room_below, n->n, sizeof *w->below))
		return false;
	if (n->n > 1) {
		v.kind = HOST_MANY;
		v.tag = n->n;
		e->origin = w->n_origins;
	} else {
		e->origin = a->origin;
	}
	for (uint32_t k = 0; k < n->n; k++) {
		a = host_builder_added(b, n, k);
		if (a->kind != SPEC_BELOW)
			w->exact[n_exact++] = a->tag;
		if (a->kind != SPEC_EXACT)
			w->below[n_below++] = a->tag;
		if (n->n > 1 && !push_origin(w, a->tag, a->origin, a->kind))
			return false;
	}
	if (!tag_sets_add(&w->sets, base, w->exact, n_exact, &v.exact) || !tag_sets_add(&w->sets, base, w->below, n_below, &v.below) ||
	    !intern_value(w, &v, &number))
		return false;
	w->below_set[i] = v.below;
	e->value |= number;
	return true;
}

/* Sets 0 and 1: of a name and of an address that nothing is known of. */
static bool
first_sets(const struct host_set_builder *b, struct finish *w)
{
	uint32_t *tag = calloc((size_t)b->n_all + 1, sizeof *tag), set;
	bool      ok = tag;

	for (uint32_t i = 0; ok && i < b->n_all; i++)
		tag[i] = b->all[i].tag;
	ok = ok && tag_sets_push(&w->sets, tag, tag_sort_unique(tag, b->n_all), &set) && tag_sets_push(&w->sets, NULL, 0, &set);
	free(tag);
	return ok;
}

static uint32_t
write_set(struct host_set_builder *b, struct finish *w, struct flat *f)
{
	uint32_t             off = flat_add(f, NULL, sizeof(struct host_set_flat), 8);
	struct host_set_flat h = {.magic = HOST_SET_MAGIC,
		.key = b->key,
		.depths = {b->index.depths[0], b->index.depths[1]},
		.max_depth = b->index.max_depth,
		.n_nodes = b->n_nodes,
		.n_lines = (uint32_t)b->index.n_lines,
		.n_family = (uint32_t)b->index.n_family,
		.n_heap = (uint32_t)b->n_heap,
		.n_values = w->n_values,
		.n_origins = w->n_origins,
		.n_all = b->n_all};

	h.line = flat_add(f, b->line, b->index.n_lines * sizeof *b->line, 64);
	h.family = flat_add(f, b->family, b->index.n_family * sizeof *b->family, 64);
	h.heap = flat_add(f, b->heap, b->n_heap, 1);
	h.value = flat_add(f, w->value, w->n_values * sizeof *w->value, 4);
	h.origin = flat_add(f, w->origin, w->n_origins * sizeof *w->origin, 4);
	h.addrs = addr_set_builder_finish(b->addrs, f);
	if (!off || !h.line || !h.family || !h.heap || !h.value || !h.origin || !h.addrs || !tag_sets_write(&w->sets, f, &h.sets) || !loose_builder_write(b->loose, f, &h.loose))
		return 0;
	h.size = (uint32_t)(f->used - off);
	memcpy(flat_at(f, off), &h, sizeof h);
	return off;
}

uint32_t
host_set_builder_finish(struct host_set_builder *b, struct flat *f)
{
	struct finish w = {0};
	uint32_t      off = 0;

	tag_sets_init(&w.sets);
	if (!host_builder_settle(b) || !first_sets(b, &w) || !sort_by_depth(b, &w))
		goto out;
	for (uint32_t i = 0; i < b->n_nodes; i++)
		if (!value_node(b, &w, w.by_depth[i]))
			goto out;
	for (uint32_t i = 0; i < b->n_all; i++)
		if (!push_origin(&w, b->all[i].tag, b->all[i].origin, SPEC_ALL))
			goto out;
	off = write_set(b, &w, f);
out:
	finish_clear(&w);
	return off;
}
