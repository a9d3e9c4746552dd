/* SPDX-License-Identifier: MIT */
/*
 * limits: are bandwidth, max-connections and hang-timeout such as the gateway can keep?
 */
#include "conf/load.h"

#define BANDWIDTH_LEAST 1024u /* bytes a second */
#define HANG_LEAST_MS   2000u /* of a question a second, one may be late */

/* Where the key stands in the section; line 0: nowhere. */
static struct where
place(const struct section *s, const char *key)
{
	size_t               n;
	const struct option *table = option_table(&n), *o = option_find(s->kind, span_str(key));

	return s->seen[o - table];
}

static void
check_bandwidth(struct load *l, const struct section *s, const char *key, uint64_t rate)
{
	if (rate && rate < BANDWIDTH_LEAST)
		report_error(l->r, place(s, key), "%s = %llu: want at least 1k, in bytes a second, or 0 for no limit", key, (unsigned long long)rate);
}

static void
check_hang(struct load *l, const struct section *s, uint64_t ms)
{
	if (ms && ms < HANG_LEAST_MS)
		report_error(l->r, place(s, "hang-timeout"), "hang-timeout is too short: a busy process would be ended; want at least 2s, better 30s, or 0s for never");
}

static void
check_denied(struct load *l, const struct section *s, const char *key)
{
	struct where at = place(s, key);

	if (at.line)
		report_find(l->r, FINDING_NO_EFFECT, at, "%s means nothing in a rule that denies", key);
}

void
check_rates(struct load *l, const struct section *s)
{
	const struct conf_gateway *g = s->base;
	const struct conf_rule    *rule = s->base;

	if (s->kind == SECTION_GATEWAY) {
		check_bandwidth(l, s, "bandwidth-per-client", g->bandwidth_per_client);
		check_hang(l, s, g->hang_timeout_ms);
	}
	if (s->kind != SECTION_RULE)
		return;
	check_bandwidth(l, s, "bandwidth", rule->bandwidth);
	check_bandwidth(l, s, "bandwidth-per-client", rule->bandwidth_per_client);
	if (!section_gives(s, "action") || rule->action != ACTION_DENY)
		return;
	check_denied(l, s, "bandwidth");
	check_denied(l, s, "bandwidth-per-client");
	check_denied(l, s, "max-connections");
}
