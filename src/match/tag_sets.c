/* SPDX-License-Identifier: MIT */
#include "match/tag_sets.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define FIRST_SLOTS 64

bool
tag_grow(void *array, uint32_t *room, size_t need, size_t size)
{
	void  *old, *p;
	size_t n = *room ? *room : 16;

	if (need <= *room)
		return true;
	while (n < need)
		n *= 2;
	if (n > UINT32_MAX)
		return false;
	memcpy(&old, array, sizeof old);
	p = reallocarray(old, n, size);
	if (!p)
		return false;
	memcpy(array, &p, sizeof p);
	*room = (uint32_t)n;
	return true;
}

static int
tag_compare(const void *a, const void *b)
{
	uint32_t x, y;

	memcpy(&x, a, sizeof x);
	memcpy(&y, b, sizeof y);
	return (x > y) - (x < y);
}

uint32_t
tag_sort_unique(uint32_t *tag, uint32_t n)
{
	uint32_t kept = 0;

	if (n > 1)
		qsort(tag, n, sizeof *tag, tag_compare);
	for (uint32_t i = 0; i < n; i++)
		if (!kept || tag[kept - 1] != tag[i])
			tag[kept++] = tag[i];
	return kept;
}

void
tag_sets_init(struct tag_sets *t)
{
	*t = (struct tag_sets){0};
}

void
tag_sets_clear(struct tag_sets *t)
{
	free(t->tag);
	free(t->edge);
	free(t->slot);
	free(t->mixed);
	*t = (struct tag_sets){0};
}

static uint32_t *
find_slot(const struct tag_sets *t, const uint32_t *tag, uint32_t n)
{
	uint32_t mask = t->n_slots - 1;

	for (uint32_t i = (uint32_t)XXH3_64bits(tag, n * sizeof *tag) & mask;; i = (i + 1) & mask) {
		uint32_t set = t->slot[i] - 1;
		if (!t->slot[i] || (t->edge[set + 1] - t->edge[set] == n && (!n || memcmp(t->tag + t->edge[set], tag, n * sizeof *tag) == 0)))
			return &t->slot[i];
	}
}

static bool
grow_slots(struct tag_sets *t)
{
	uint32_t *old = t->slot, n_old = t->n_slots;

	if (t->n_slots > t->n * 2)
		return true;
	t->n_slots = n_old ? n_old * 2 : FIRST_SLOTS;
	t->slot = calloc(t->n_slots, sizeof *t->slot);
	if (!t->slot) {
		t->slot = old;
		t->n_slots = n_old;
		return false;
	}
	for (uint32_t i = 0; i < n_old; i++)
		if (old[i])
			*find_slot(t, t->tag + t->edge[old[i] - 1], t->edge[old[i]] - t->edge[old[i] - 1]) = old[i];
	free(old);
	return true;
}

bool
tag_sets_push(struct tag_sets *t, const uint32_t *tag, uint32_t n, uint32_t *set)
{
	uint32_t *slot;

	if (!grow_slots(t) || !tag_grow(&t->edge, &t->room, (size_t)t->n + 2, sizeof *t->edge) ||
	    !tag_grow(&t->tag, &t->room_tags, (size_t)t->n_tags + n + 1, sizeof *t->tag))
		return false;
	slot = find_slot(t, tag, n);
	if (n)
		memcpy(t->tag + t->n_tags, tag, n * sizeof *tag);
	t->edge[t->n] = t->n_tags;
	t->n_tags += n;
	t->edge[t->n + 1] = t->n_tags;
	*set = t->n++;
	if (!*slot)
		*slot = *set + 1;
	return true;
}

bool
tag_sets_add(struct tag_sets *t, uint32_t base, const uint32_t *tag, uint32_t n, uint32_t *set)
{
	uint32_t n_base = t->edge[base + 1] - t->edge[base], n_mixed;

	assert(base < t->n);
	*set = base;
	if (!n)
		return true;
	if (!tag_grow(&t->mixed, &t->room_mixed, (size_t)n_base + n, sizeof *t->mixed))
		return false;
	if (n_base)
		memcpy(t->mixed, t->tag + t->edge[base], n_base * sizeof *tag);
	memcpy(t->mixed + n_base, tag, n * sizeof *tag);
	n_mixed = tag_sort_unique(t->mixed, n_base + n);
	*set = *find_slot(t, t->mixed, n_mixed);
	if (!*set)
		return tag_sets_push(t, t->mixed, n_mixed, set);
	--*set;
	return true;
}

bool
tag_sets_write(const struct tag_sets *t, struct flat *f, struct tag_sets_flat *out)
{
	out->n = t->n;
	out->edge = flat_add(f, t->edge, ((size_t)t->n + 1) * sizeof *t->edge, 4);
	out->tag = flat_add(f, t->tag, (size_t)t->n_tags * sizeof *t->tag, 4);
	return out->edge && out->tag;
}
