/* SPDX-License-Identifier: MIT */
#include "policy/guard.h"

enum fault
guard_judge(const struct policy *p, uint32_t rule, const struct facts *f, const struct host *sni)
{
	struct facts   named = *f;
	struct verdict v;

	if (f->host->kind == HOST_NAME && policy_rule_has_hosts(p, rule)) {
		if (!sni)
			return FAULT_GUARD_NO_SNI;
		return policy_rule_host_holds(p, rule, sni, SCHEME_HTTPS, f->port) ? FAULT_NONE : FAULT_GUARD_BAD_SNI;
	}
	if (!sni)
		return FAULT_NONE;
	named.host = sni;
	return policy_decide(p, &named, &v) == POLICY_VERDICT && v.rule == rule ? FAULT_NONE : FAULT_GUARD_BAD_SNI;
}

enum fault
guard_judge_inspected(const struct inspection_settings *set, const struct host *target, const struct host *sni, enum odd_answer *answer)
{
	*answer = ODD_INSPECT;
	if (!sni) {
		*answer = set->missing_sni;
		return FAULT_INSPECT_NO_SNI;
	}
	if (span_eq(host_span(sni), host_span(target)))
		return FAULT_NONE;
	*answer = set->foreign_sni;
	return FAULT_INSPECT_FOREIGN_SNI;
}
