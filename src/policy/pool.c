/* SPDX-License-Identifier: MIT */
#include "policy/pool.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"

void
pool_clear(struct pool *p)
{
	free(p->bytes);
	free(p->v);
	free(p->slot);
	*p = (struct pool){0};
}

/* What goes in is ours, from a file that the operator wrote: no key is needed. */
static uint64_t
hash_of(const unsigned char *d, size_t n)
{
	uint64_t h = 0xcbf29ce484222325u ^ n, w;

	for (; n >= 8; d += 8, n -= 8) {
		memcpy(&w, d, 8);
		h = (h ^ w) * 0x9e3779b97f4a7c15u;
		h ^= h >> 29;
	}
	for (; n; d++, n--)
		h = (h ^ *d) * 0x100000001b3u;
	return h ^ h >> 32;
}

static bool
slots_grow(struct pool *p)
{
	uint32_t  room = p->mask ? (p->mask + 1) * 2 : 64;
	uint32_t *slot = calloc(room, sizeof *slot);

	if (!slot)
		return false;
	for (uint32_t i = 0; i < p->n; i++) {
		uint32_t at = (uint32_t)p->v[i].hash & (room - 1);
		while (slot[at])
			at = (at + 1) & (room - 1);
		slot[at] = i + 1;
	}
	free(p->slot);
	p->slot = slot;
	p->mask = room - 1;
	return true;
}

static bool
blob_add(struct pool *p, const void *data, size_t n, uint64_t hash)
{
	void *v = array_grow(p->v, p->n, &p->v_room, sizeof *p->v);

	if (!v)
		return false;
	p->v = v;
	if (n > p->room - p->used) {
		size_t room = p->room ? p->room : 4096;
		while (room - p->used < n)
			room *= 2;
		char *bytes = realloc(p->bytes, room);
		if (!bytes)
			return false;
		p->bytes = bytes;
		p->room = room;
	}
	if (n)
		memcpy(p->bytes + p->used, data, n);
	p->v[p->n++] = (struct pool_blob){p->used, n, hash};
	p->used += n;
	return true;
}

bool
pool_intern(struct pool *p, const void *data, size_t n, uint32_t *index)
{
	uint64_t hash = hash_of(data, n);
	uint32_t at;

	if (!p->mask || p->n >= p->mask / 4 * 3)
		if (!slots_grow(p))
			return false;
	for (at = (uint32_t)hash & p->mask; p->slot[at]; at = (at + 1) & p->mask) {
		const struct pool_blob *b = &p->v[p->slot[at] - 1];
		if (b->hash == hash && b->n == n && (n == 0 || memcmp(p->bytes + b->off, data, n) == 0)) {
			*index = p->slot[at] - 1;
			return true;
		}
	}
	if (!blob_add(p, data, n, hash))
		return false;
	p->slot[at] = p->n;
	*index = p->n - 1;
	return true;
}

bool
pool_append(struct pool *p, const void *data, size_t n, uint32_t *index)
{
	*index = p->n;
	return blob_add(p, data, n, 0);
}
