/* SPDX-License-Identifier: MIT */
#include "session/effects.h"

bool
effects_of(const struct request *r, struct rule_effects *e)
{
	*e = (struct rule_effects){0};
	return r->has_verdict && !r->reported_only && !r->is_connect && r->verdict.rule != RULE_NONE && policy_rule_effects(r->snap->policy, r->verdict.rule, e);
}

/* Does `list` hold the name: at the start of a piece that `end` ends, up to `stop`? */
static bool
names(struct span list, char stop, char end, struct span name)
{
	while (list.n) {
		const char *next = memchr(list.p, end, list.n);
		size_t      n = next ? (size_t)(next - list.p) + 1 : list.n;

		if (n > name.n && list.p[name.n] == stop && span_eq_nocase(span_of(list.p, name.n), name))
			return true;
		list = span_of(list.p + n, list.n - n);
	}
	return false;
}

bool
effects_drop(struct span set, struct span removed, struct span name)
{
	return names(set, ':', '\n', name) || names(removed, ',', ',', name);
}
