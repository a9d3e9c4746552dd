/* SPDX-License-Identifier: MIT */
/*
 * host_set: looks names and addresses up in a built set. Reads the block in place; owns only what loose patterns need beside it.
 */
#include "match/host_set.h"

#include <stdlib.h>

#include "match/host_open.h"

/* Does a piece of n elements of `size` bytes lie inside the set? Catches a wrong offset or a torn block, not a forger: it is sealed and ours. */
static bool
is_inside(const struct host_set_flat *f, uint32_t off, uint32_t piece, uint64_t n, size_t size)
{
	return piece > off && piece - off <= f->size && n * size <= f->size - (piece - off);
}

static bool
is_sound(const struct host_set_flat *f, size_t size, uint32_t off)
{
	return f->magic == HOST_SET_MAGIC && f->size >= sizeof *f && f->size <= size - off && f->n_lines > 0 && f->sets.n >= 2 &&
	       f->max_depth <= NAME_LABELS_MAX && is_inside(f, off, f->line, f->n_lines, sizeof(struct name_line)) && f->line % 64 == 0 &&
	       f->n_family > 0 && f->family % 8 == 0 && is_inside(f, off, f->family, f->n_family, sizeof(uint64_t)) &&
	       is_inside(f, off, f->heap, f->n_heap, 1) && is_inside(f, off, f->value, f->n_values, sizeof(struct host_value)) &&
	       is_inside(f, off, f->origin, f->n_origins, sizeof(struct host_origin)) && f->n_all <= f->n_origins &&
	       is_inside(f, off, f->sets.edge, (uint64_t)f->sets.n + 1, sizeof(uint32_t)) && is_inside(f, off, f->sets.tag, 0, 1) &&
	       is_inside(f, off, f->addrs, 0, 1) && is_inside(f, off, f->loose.pattern, f->loose.n, sizeof(uint32_t)) &&
	       is_inside(f, off, f->loose.tag, f->loose.n_tags, sizeof(uint32_t)) && is_inside(f, off, f->loose.codes, f->loose.n_code_bytes, 1);
}

struct host_set *
host_set_open_names(const void *block, size_t size, uint32_t off)
{
	const struct host_set_flat *f = (const struct host_set_flat *)((const char *)block + off);
	struct host_set            *h;

	if (off == 0 || off % 8 || off > size || size - off < sizeof *f || !is_sound(f, size, off))
		return NULL;
	h = aligned_alloc(64, (sizeof *h + 63) & ~(size_t)63);
	if (!h)
		return NULL;
	*h = (struct host_set){.flat = f, .block = block, .value = (const void *)((const char *)block + f->value), .addrs = addr_set_at(block, f->addrs)};
	h->index = (struct name_index){.line = (const void *)(h->block + f->line),
		.heap = h->block + f->heap,
		.n_lines = f->n_lines,
		.family = (const void *)(h->block + f->family),
		.n_family = f->n_family,
		.depths = {f->depths[0], f->depths[1]},
		.max_depth = f->max_depth,
		.key = f->key};
	h->n_loose_tags = f->loose.n_tags;
	return h;
}

struct host_set *
host_set_open(const void *block, size_t size, uint32_t off, bool jit)
{
	struct host_set *h = host_set_open_names(block, size, off);

	if (!h || !h->flat->loose.n)
		return h;
	h->loose = loose_open(block, &h->flat->loose, jit);
	if (h->loose)
		return h;
	host_set_close(h);
	return NULL;
}

void
host_set_close(struct host_set *h)
{
	if (!h)
		return;
	loose_close(h->loose);
	free(h);
}

bool
host_set_has_jit(const struct host_set *h)
{
	return !h->loose || loose_has_jit(h->loose);
}

bool
host_set_warm(struct host_set *h, uint32_t *n)
{
	return !h->loose || loose_warm(h->loose, n);
}

bool
host_set_is_warm(const struct host_set *h)
{
	return !h->loose || loose_is_warm(h->loose);
}

void
host_set_assume(struct host_set *h, bool match)
{
	if (h->loose)
		loose_assume(h->loose, match);
}

uint32_t
host_set_count(const struct host_set *h)
{
	return h->flat->sets.n + addr_set_count(h->addrs) - 1;
}

const uint32_t *
host_set_tags(const struct host_set *h, uint32_t set, uint32_t *n)
{
	if (set < h->flat->sets.n)
		return tag_sets_read(h->block, &h->flat->sets, set, n);
	return addr_set_tags(h->addrs, set - h->flat->sets.n + 1, n);
}

uint32_t
host_set_loose_tags(const struct host_set *h)
{
	return h->n_loose_tags;
}

uint32_t
host_set_nodes(const struct host_set *h)
{
	return h->flat->n_nodes;
}

uint32_t
host_set_places(const struct host_set *h)
{
	return h->flat->n_nodes + h->flat->loose.n + addr_set_pieces(h->addrs);
}

uint32_t
host_set_loose_by(const struct host_set *h, uint32_t tag)
{
	return h->loose ? loose_by(h->loose, tag) : UINT32_MAX;
}

void
host_set_find(const struct host_set *h, struct span name, struct host_hit *hit)
{
	const struct name_index *x = &h->index;
	struct name_suffix       suffix;
	struct name_words        words;
	struct name_walk         w;

	hit->set = 0;
	hit->node = UINT32_MAX;
	hit->whole = false;
	hit->n_loose = 0;
	hit->given_up = 0;
	if (name.n == 0 || name.n > HOSTNAME_MAX)
		return;
	w = name_search(x, &words, name);
	while (name_search_next(x, &w, &words, &suffix)) {
		const struct name_entry *e = name_find(x, w.p, name.n, &suffix, &hit->node);
		if (e) {
			const struct host_value *v = &h->value[e->value & ~NAME_LAST];
			hit->whole = suffix.at == 0;
			hit->set = hit->whole ? v->exact : v->below;
			break;
		}
	}
	if (h->loose) {
		uint32_t        n_set;
		const uint32_t *set = tag_sets_read(h->block, &h->flat->sets, hit->set, &n_set);
		hit->given_up = loose_limit_hits(h->loose);
		hit->n_loose = loose_find(h->loose, name, set, n_set, hit->loose);
		hit->given_up = loose_limit_hits(h->loose) - hit->given_up;
	}
}

void
host_set_find_addr(const struct host_set *h, const struct addr *a, struct host_hit *hit)
{
	uint32_t set = addr_set_find_piece(h->addrs, a, &hit->stretch);

	hit->set = set ? h->flat->sets.n + set - 1 : 1;
	hit->node = UINT32_MAX;
	hit->whole = false;
	hit->n_loose = 0;
	hit->given_up = 0;
}

static void
give(uint32_t origin, uint32_t *out, uint32_t room, uint32_t *n)
{
	if (*n < room)
		out[*n] = origin;
	++*n;
}

/* The origins of one name's own patterns. */
static void
give_entry(const struct host_set *h, const struct name_entry *e, bool whole, uint32_t tag, uint32_t *out, uint32_t room, uint32_t *n)
{
	const struct host_value  *v = &h->value[e->value & ~NAME_LAST];
	const struct host_origin *o = (const struct host_origin *)(h->block + h->flat->origin) + (v->kind == HOST_MANY ? e->origin : 0);
	struct host_origin        only = {v->tag, e->origin, v->kind};
	uint32_t                  n_own = 1;

	if (v->kind == HOST_MANY)
		n_own = v->tag;
	else
		o = &only;
	for (; n_own--; o++)
		if (o->tag == tag && o->kind != (whole ? SPEC_BELOW : SPEC_EXACT))
			give(o->origin, out, room, n);
}

uint32_t
host_set_origins(const struct host_set *h, struct span name, uint32_t tag, uint32_t *origin, uint32_t room)
{
	const struct name_index  *x = &h->index;
	const struct host_origin *all = (const struct host_origin *)(h->block + h->flat->origin) + h->flat->n_origins - h->flat->n_all;
	struct name_suffix        suffix;
	struct name_words         words;
	struct name_walk          w;
	uint32_t                  n = 0, node;

	if (name.n == 0 || name.n > HOSTNAME_MAX)
		return 0;
	w = name_search(x, &words, name);
	while (name_search_next(x, &w, &words, &suffix)) {
		const struct name_entry *e = name_find(x, w.p, name.n, &suffix, &node);
		if (e)
			give_entry(h, e, suffix.at == 0, tag, origin, room, &n);
	}
	if (h->loose)
		n += loose_origins(h->loose, name, tag, origin + (n < room ? n : room), n < room ? room - n : 0);
	for (uint32_t i = 0; i < h->flat->n_all; i++)
		if (all[i].tag == tag)
			give(all[i].origin, origin, room, &n);
	return n;
}

uint32_t
host_set_origins_addr(const struct host_set *h, const struct addr *a, uint32_t tag, uint32_t *origin, uint32_t room)
{
	return addr_set_origins(h->addrs, a, tag, origin, room);
}
