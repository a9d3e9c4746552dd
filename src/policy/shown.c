/* SPDX-License-Identifier: MIT */
#include "policy/shown.h"

#include <string.h>

struct flat_ref
shown_lists(struct flat *f, const struct conf *c)
{
	const struct conf_list *l;
	uint32_t                n = 0, off;

	TAILQ_FOREACH (l, &c->lists, link)
		n += n < SNAPSHOT_LISTS;
	off = flat_add(f, NULL, n * sizeof(struct snapshot_list), 8);
	n = 0;
	TAILQ_FOREACH (l, &c->lists, link) {
		struct snapshot_list to;

		if (n == SNAPSHOT_LISTS)
			break;
		memset(&to, 0, sizeof to); /* padding too */
		to.name = flat_add_text(f, l->name);
		to.entries = l->hosts.n + l->addresses.n;
		to.oldest = (int64_t)l->oldest;
		to.max_age_s = l->max_age_ms / 1000;
		if (f->failed)
			break;
		((struct snapshot_list *)flat_at(f, off))[n++] = to;
	}
	return (struct flat_ref){off, n};
}
