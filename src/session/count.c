/* SPDX-License-Identifier: MIT */
#include "session/count.h"

#include "base/clock.h"
#include "ipc/hits.h"
#include "session/session.h"

static struct rule_counters *
of_rule(struct gateway *gw, uint16_t rule)
{
	return &gw->shared->worker[gw->worker].rule[rule];
}

uint16_t
count_listener(const struct gateway *gw, uint16_t slot)
{
	const struct snapshot_listener *l = snapshot_at(gw->snap, gw->snap->set->listeners.off);
	uint16_t                        index = gateway_listener(gw, slot);

	return index < gw->snap->set->listeners.n ? (uint16_t)(l[index].slot % LISTENER_COUNTS) : 0;
}

void
count_decided(struct gateway *gw, struct request *r)
{
	struct rule_counters *c;
	uint64_t              key = r->snap->counts ? policy_hit_key(r->snap->policy, &r->verdict, r->facts.scheme, r->facts.port) : HIT_NONE;

	count_ended(gw, &r->open_at); /* decided before, by less */
	r->rule_slot = (uint16_t)(policy_rule_way(r->snap->policy, r->verdict.rule)->slot % RULE_SLOTS);
	c = of_rule(gw, r->rule_slot);
	c->open++;
	c->last_real_us = clock_real_us();
	r->open_at = (uint16_t)(r->rule_slot + 1);
	if (key != HIT_NONE)
		hits_count(r->snap->counts, key, c->last_real_us);
}

void
count_ended(struct gateway *gw, uint16_t *open_at)
{
	struct rule_counters *c;

	if (*open_at == 0)
		return;
	c = of_rule(gw, (uint16_t)(*open_at - 1));
	/* the number may have gone to another rule meanwhile, and been set to 0 */
	if (c->open)
		c->open--;
	*open_at = 0;
}

void
count_line(struct gateway *gw, const struct record *rec, uint16_t rule, uint16_t listener)
{
	struct worker_counters *all = gw->count;
	struct rule_counters   *c = of_rule(gw, rule);

	all->requests++;
	all->by_fault[rec->fault]++;
	if (rec->has_action)
		all->failed[rec->action % 4][fault_failure((enum fault)rec->fault)]++; /* [FAILURE_NONE] is what ended well, and nobody reads it */
	all->bytes_in += rec->bytes_in;
	all->bytes_out += rec->bytes_out;
	c->requests++;
	c->bytes_in += rec->bytes_in;
	c->bytes_out += rec->bytes_out;
	count_of_listener(gw, listener)->requests++;
	if (!rec->is_tunnel)
		count_time(gw, HISTOGRAM_REQUEST, rec->duration_us);
}

void
count_time(struct gateway *gw, enum histogram_kind kind, uint64_t us)
{
	histogram_add(&gw->shared->worker[gw->worker].time[kind], us);
}
