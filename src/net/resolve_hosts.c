/* SPDX-License-Identifier: MIT */
/*
 * resolve_hosts: reads the bytes of hosts(5) into a table of names. A line that cannot be read is passed over, as the C library does.
 */
#include "net/resolve_cache.h"
#include "net/resolve_conf.h"
#include "net/resolve_text.h"

/* A name may stand on several lines: its addresses add up. */
static bool
host_add(struct resolve_cache *c, struct span word, const struct addr *a)
{
	char                buf[RESOLV_NAME_MAX];
	struct cache_entry *old;
	struct resolved    *r;
	struct span         name = span_of(buf, word.n);
	bool                ok;

	if (name.n && word.p[name.n - 1] == '.')
		name.n--;
	if (name.n == 0 || name.n > sizeof buf)
		return true;
	for (size_t i = 0; i < name.n; i++)
		buf[i] = ascii_lower(word.p[i]);
	uint64_t hash = resolve_hash(c->seed, name);
	old = resolve_cache_find(c, name, hash, 0);
	r = resolved_new(old ? old->addrs->addr : NULL, old ? old->addrs->n : 0, a, 1, CACHE_FOREVER);
	ok = r && resolve_cache_put(c, name, hash, r, FAULT_NONE, CACHE_FOREVER);
	resolved_unref(r);
	return ok;
}

bool
resolve_hosts_read(struct resolve_cache *c, struct span bytes)
{
	while (bytes.n) {
		struct span line = text_line(&bytes), name;
		const char *hash;
		struct addr a;

		if (line.n && (hash = memchr(line.p, '#', line.n)))
			line.n = (size_t)(hash - line.p);
		if (!addr_parse(text_word(&line), &a)) /* a zone cannot be kept: such lines are passed over */
			continue;
		while ((name = text_word(&line)).n)
			if (!host_add(c, name, &a))
				return false;
	}
	return true;
}
