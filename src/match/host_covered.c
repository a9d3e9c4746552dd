/* SPDX-License-Identifier: MIT */
/*
 * host_covered: finds patterns that another of the same tag, or of one that counts for it, makes superfluous.
 */
#include <stdlib.h>

#include "match/host_builder.h"

#define GLOB_WORK 20000000u /* most comparisons of names with globs: this is for advice, and must not take seconds */

struct cover {
	uint32_t tag, origin, by;
};

struct covers {
	struct cover *cover;
	uint32_t      n, room;
	bool          failed; /* out of memory */
	host_within_fn *within;
	void         *arg;
};

static bool
pattern_within(const struct covers *c, const struct added *a, const struct added *wide)
{
	if (!c->within)
		return a->tag == wide->tag;
	return c->within(c->arg, a->tag, a->origin, wide->tag, wide->origin, a->kind == SPEC_EXACT && wide->kind != SPEC_EXACT);
}

static void
put(void *arg, uint32_t tag, uint32_t origin, uint32_t by)
{
	struct covers *c = arg;

	if (c->failed || !tag_grow(&c->cover, &c->room, (size_t)c->n + 1, sizeof *c->cover))
		c->failed = true;
	else
		c->cover[c->n++] = (struct cover){tag, origin, by};
}

static int
cover_compare(const void *a, const void *b)
{
	const struct cover *x = a, *y = b;

	if (x->origin != y->origin)
		return x->origin < y->origin ? -1 : 1;
	return (x->tag > y->tag) - (x->tag < y->tag);
}

/* The first `*` of the tag. */
static const struct host_origin *
all_of(const struct host_set_builder *b, uint32_t tag)
{
	for (uint32_t i = 0; i < b->n_all; i++)
		if (b->all[i].tag == tag)
			return &b->all[i];
	return NULL;
}

/* What covers pattern k of node n among that node's own: a `.x` of x and *.x, or an equal one that came before. */
static const struct added *
own_cover(const struct host_set_builder *b, const struct node *n, uint32_t k, const struct covers *c)
{
	const struct added *a = host_builder_added(b, n, k);

	for (uint32_t i = 0; i < n->n; i++) {
		const struct added *o = host_builder_added(b, n, i);
		bool                tree = o->kind == SPEC_TREE && a->kind != SPEC_TREE;
		if (i == k || (o->kind != a->kind && !tree) || !pattern_within(c, a, o))
			continue;
		/* of two that say the same, the first stays */
		if (tree || i < k || !pattern_within(c, o, a))
			return o;
	}
	return NULL;
}

static const struct added *
parent_cover(const struct host_set_builder *b, const struct node *n, const struct added *a, const struct covers *c)
{
	for (uint32_t up = n->parent; up != UINT32_MAX; up = b->node[up].parent)
		for (uint32_t i = 0; i < b->node[up].n; i++) {
			const struct added *o = host_builder_added(b, &b->node[up], i);
			if (o->kind != SPEC_EXACT && pattern_within(c, a, o))
				return o;
		}
	return NULL;
}

static void
cover_names(const struct host_set_builder *b, bool globs, struct covers *c)
{
	for (uint32_t i = 0; i < b->n_nodes; i++) {
		const struct node *n = &b->node[i];
		for (uint32_t k = 0; k < n->n; k++) {
			const struct added       *a = host_builder_added(b, n, k), *by = n->n > 1 ? own_cover(b, n, k, c) : NULL;
			const struct host_origin *all = b->n_all ? all_of(b, a->tag) : NULL;
			uint32_t                  glob;
			if (!by)
				by = parent_cover(b, n, a, c);
			if (by)
				put(c, a->tag, a->origin, by->origin);
			else if (all)
				put(c, a->tag, a->origin, all->origin);
			else if (globs && a->kind == SPEC_EXACT && loose_builder_glob_covers(b->loose, span_of(b->text + a->text, a->n), a->tag, &glob))
				put(c, a->tag, a->origin, glob);
		}
	}
}

struct loose_covers {
	const struct host_set_builder *b;
	struct covers                 *c;
};

static void
on_loose(void *arg, uint32_t tag, uint32_t origin)
{
	struct loose_covers      *l = arg;
	const struct host_origin *all = all_of(l->b, tag);

	if (all)
		put(l->c, tag, origin, all->origin);
}

static void
on_loose_repeat(void *arg, uint32_t tag, uint32_t origin, uint32_t by)
{
	struct loose_covers *l = arg;

	if (!all_of(l->b, tag)) /* else said already */
		put(l->c, tag, origin, by);
}

void
host_set_builder_covered(struct host_set_builder *b, host_within_fn *within,
    void (*each)(void *arg, uint32_t tag, uint32_t origin, uint32_t by_origin), void *arg)
{
	struct covers       c = {.within = within, .arg = arg};
	struct loose_covers l = {b, &c};
	uint64_t            globs = loose_builder_globs(b->loose);

	if (!host_builder_settle(b))
		return;
	cover_names(b, globs && globs * b->n_added <= GLOB_WORK, &c);
	for (uint32_t i = 1; i < b->n_all; i++)
		if (all_of(b, b->all[i].tag) != &b->all[i])
			put(&c, b->all[i].tag, b->all[i].origin, all_of(b, b->all[i].tag)->origin);
	if (b->n_all)
		loose_builder_each(b->loose, on_loose, &l);
	c.failed |= !loose_builder_repeats(b->loose, on_loose_repeat, &l) || !addr_set_builder_covered(b->addrs, put, &c);
	if (!c.failed && c.n)
		qsort(c.cover, c.n, sizeof *c.cover, cover_compare);
	for (uint32_t i = 0; !c.failed && i < c.n; i++)
		each(arg, c.cover[i].tag, c.cover[i].origin, c.cover[i].by);
	free(c.cover);
}
