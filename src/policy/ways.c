/* SPDX-License-Identifier: MIT */
/*
 * ways: where what a rule lets through goes: parents, the address that it leaves from; and what it may take.
 * Reads and checks them for the block, and hands them out of it. Going there is session's.
 */
#include <stdlib.h>

#include "policy/build.h"
#include "policy/open.h"

/* The parents that `items` names, into `way`. */
static void
parents_gather(struct build *b, const struct conf_items *items, struct rule_way *way)
{
	for (size_t i = 0; i < items->n; i++) {
		const struct conf_item   *item = &items->v[i];
		const struct conf_parent *p;
		uint16_t                  index = 0;

		if (!item->quoted && span_eq(item->text, SPAN("none"))) {
			if (items->n > 1)
				report_error(b->report, item->at, "parent = none stands alone; remove it, or the other items");
			continue;
		}
		TAILQ_FOREACH (p, &b->conf->parents, link) {
			if (span_eq(p->name, item->text))
				break;
			index++;
		}
		if (!p)
			report_error(b->report, item->at, "parent = %.*s: there is no [parent %.*s]; add it, or name one that there is, or none", SPAN_ARG(item->text),
			    SPAN_ARG(item->text));
		else if (way->n_parents == WAY_PARENTS)
			report_error(b->report, item->at, "parent names more than %u; keep the nearest ones", WAY_PARENTS);
		else
			way->parent[way->n_parents++] = index;
	}
}

static void
sources_gather(struct build *b, const struct conf_items *items, struct rule_way *way)
{
	for (size_t i = 0; i < items->n; i++) {
		const struct conf_item *item = &items->v[i];
		struct addr             a;
		unsigned                family;

		if (!addr_parse(item->text, &a)) {
			report_error(b->report, item->at, "source = %.*s: want an address of this machine such as 192.0.2.10 or 2001:db8::10", SPAN_ARG(item->text));
			continue;
		}
		family = addr_is_v4(&a) ? 0 : 1;
		if (way->has_source[family])
			report_error(b->report, item->at, "source names two addresses of one family; keep one");
		way->has_source[family] = true;
		way->source[family] = a;
	}
}

static void
way_gather(struct build *b, const struct conf_rule *r, struct rule_way *way)
{
	parents_gather(b, r->parent.n ? &r->parent : &b->conf->gateway.parent, way);
	sources_gather(b, &r->source, way);
	way->original = r->original;
	way->bandwidth = r->bandwidth;
	way->bandwidth_per_client = r->bandwidth_per_client;
	way->max_connections = r->max_connections;
	way->slot = r->slot;
}

void
ways_gather(struct build *b)
{
	b->ways = calloc((size_t)b->n_rules + 1, sizeof *b->ways);
	if (!b->ways) {
		build_oom(b);
		return;
	}
	for (uint32_t i = 0; i < b->n_rules; i++)
		way_gather(b, b->rule[i], &b->ways[i]);
}

void
ways_write(struct build *b, struct policy_head *head)
{
	/* one more: of what no rule decided */
	head->ways = flat_add(b->flat, b->ways, ((size_t)b->n_rules + 1) * sizeof *b->ways, 8);
}

const struct rule_way *
policy_rule_way(const struct policy *p, uint32_t rule)
{
	const struct rule_way *v = policy_at(p, p->head->ways);

	return &v[rule < p->head->n_rules ? rule : p->head->n_rules];
}
