/* SPDX-License-Identifier: MIT */
/* lists: wildcards of bypass rules below which no host is known, so that the doctor cannot test them. */
#include <string.h>

#include "lint/parts.h"

static bool
is_list(const struct conf_item *item)
{
	return !item->quoted && item->text.n > 0 && item->text.p[0] == '@';
}

static bool
is_wildcard(const struct conf_item *item)
{
	struct span s = item->text;

	return !item->negated && s.n > 0 && (s.p[0] == '.' || memchr(s.p, '*', s.n) || (s.n > 3 && memcmp(s.p, "re:", 3) == 0));
}

static const struct conf_item *
wildcard_find(const struct conf_items *items)
{
	for (size_t i = 0; i < items->n; i++)
		if (!is_list(&items->v[i]) && is_wildcard(&items->v[i]))
			return &items->v[i];
	return NULL;
}

static bool
is_bypassed(const struct conf *c, const struct conf_list *list)
{
	const struct conf_rule *rule;

	TAILQ_FOREACH (rule, &c->rules, link)
		for (size_t i = 0; i < rule->hosts.n && rule->action == ACTION_BYPASS; i++) {
			const struct conf_item *item = &rule->hosts.v[i];
			if (!item->negated && is_list(item) && span_eq(span_of(item->text.p + 1, item->text.n - 1), list->name))
				return true;
		}
	return false;
}

void
lint_lists_untested(const struct conf *c, struct report *r)
{
	const struct conf_list *list;
	const struct conf_rule *rule;
	const struct conf_item *item;

	TAILQ_FOREACH (list, &c->lists, link) {
		item = list->probes.n == 0 && is_bypassed(c, list) ? wildcard_find(&list->hosts) : NULL;
		if (item)
			report_find(r, FINDING_LIST_UNTESTED, list->at,
			    "list `%.*s` holds wildcards such as `%.*s`, which `postern doctor` cannot test; name known hosts below them with "
			    "probe = HOST", SPAN_ARG(list->name), SPAN_ARG(item->text));
	}
	TAILQ_FOREACH (rule, &c->rules, link) {
		item = rule->action == ACTION_BYPASS ? wildcard_find(&rule->hosts) : NULL;
		if (item)
			report_find(r, FINDING_LIST_UNTESTED, item->at,
			    "`%.*s` is a wildcard, which `postern doctor` cannot test; put it into a list, with probe = HOST for a known host below it",
			    SPAN_ARG(item->text));
	}
}
