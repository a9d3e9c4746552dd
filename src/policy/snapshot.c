/* SPDX-License-Identifier: MIT */
#include "policy/snapshot_inside.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "policy/outward.h"

/* Map a block, and nothing more. */
static struct snapshot *
map_block(int fd)
{
	struct snapshot *s = calloc(1, sizeof *s);
	size_t           n = 0;
	const char      *p = flat_map(fd, &n);

	if (!s || !p || n < HEAD_AT + sizeof(struct settings))
		goto fail;
	s->refs = 1;
	s->block = p;
	s->size = n;
	s->set = (const void *)(p + HEAD_AT);
	if (s->set->magic == SNAPSHOT_MAGIC && s->set->size == n)
		return s;
fail:
	flat_unmap(p, n);
	free(s);
	return NULL;
}

struct snapshot *
snapshot_open(int fd, bool with_policy)
{
	struct snapshot *s = map_block(fd);

	if (!s || !with_policy || (s->policy = policy_open(s->block, s->size, s->set->policy, s->set->jit)))
		return s;
	snapshot_unref(s);
	return NULL;
}

struct snapshot *
snapshot_open_cold(int fd)
{
	struct snapshot *s = map_block(fd);

	if (!s || (s->policy = policy_open(s->block, s->size, s->set->policy, false)))
		return s;
	snapshot_unref(s);
	return NULL;
}

bool
snapshot_warm(struct snapshot *s, uint32_t n)
{
	return snapshot_is_warm(s) || policy_warm(s->policy, n);
}

bool
snapshot_is_warm(const struct snapshot *s)
{
	return !s->set->jit || policy_is_warm(s->policy);
}

void
snapshot_keep_file(struct snapshot *s, int file, void (*let_go)(int file))
{
	s->file = file;
	s->let_go = let_go;
}

struct snapshot *
snapshot_open_names(int fd)
{
	struct snapshot *s = map_block(fd);

	if (!s || (s->policy = policy_open_names(s->block, s->size, s->set->policy)))
		return s;
	snapshot_unref(s);
	return NULL;
}

struct snapshot *
snapshot_open_entries(int fd)
{
	struct snapshot *s = map_block(fd);

	if (!s || (s->policy = policy_open_entries(s->block, s->size, s->set->policy)))
		return s;
	snapshot_unref(s);
	return NULL;
}

void
snapshot_count_with(struct snapshot *s, void *counts, void (*free_counts)(void *counts))
{
	s->counts = counts;
	s->free_counts = free_counts;
}

struct snapshot *
snapshot_ref(struct snapshot *s)
{
	s->refs++;
	return s;
}

void
snapshot_unref(struct snapshot *s)
{
	if (!s || --s->refs)
		return;
	if (s->counts)
		s->free_counts(s->counts);
	outward_forget(s);
	policy_close(s->policy);
	flat_unmap(s->block, s->size);
	if (s->let_go)
		s->let_go(s->file);
	free(s);
}

static bool
is_unspecified(const struct addr *a)
{
	static const struct addr v6 = {{0}};
	struct addr              v4 = addr_from_v4(0);

	return addr_eq(a, &v6) || addr_eq(a, &v4);
}

static bool
is_local(const struct snapshot *s, const struct addr *a)
{
	const struct addr *local = snapshot_at(s, s->set->local.off);

	/* connecting to 0.0.0.0 or :: reaches this machine */
	if (is_unspecified(a) || (addr_is_v4(a) && a->b[12] == 127))
		return true;
	for (uint32_t i = 0; i < s->set->local.n; i++)
		if (addr_eq(a, &local[i]))
			return true;
	return false;
}

bool
snapshot_is_local(const struct snapshot *s, const struct addr *a)
{
	return is_local(s, a);
}

static bool
is_self(const struct snapshot *s, const struct addr *a, uint16_t port)
{
	const struct endpoint *own = snapshot_at(s, s->set->own.off);

	for (uint32_t i = 0; i < s->set->own.n; i++) {
		if (own[i].port != port)
			continue;
		if (addr_eq(a, &own[i].addr) || ((is_unspecified(&own[i].addr) || is_unspecified(a)) && is_local(s, a)))
			return true;
	}
	return false;
}

bool
snapshot_is_self(const struct snapshot *s, const struct addr *a, uint16_t port)
{
	struct addr inner;

	return is_self(s, a, port) || (addr_embedded_v4(a, &inner) && is_self(s, &inner, port));
}
