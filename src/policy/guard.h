/* SPDX-License-Identifier: MIT */
/*
 * guard: judges the server name that a ClientHello gives against the rule that let its CONNECT through. Live traffic and explain ask the same functions.
 * No I/O, no parsing. A null name: the ClientHello gives none.
 */
#ifndef POSTERN_POLICY_GUARD_H
#define POSTERN_POLICY_GUARD_H

#include "base/fault.h"
#include "policy/snapshot.h"

/* A bypass rule: would it have let this name through as well? `f`: the facts of the CONNECT; its address, where that is known, is the tunnel's own. */
enum fault guard_judge(const struct policy *p, uint32_t rule, const struct facts *f, const struct host *sni);
/* A tunnel to the name `target` that is to be inspected. FAULT_NONE: nothing is odd. Else *answer says what becomes of it. ECH is the caller's. */
enum fault guard_judge_inspected(const struct inspection_settings *set, const struct host *target, const struct host *sni, enum odd_answer *answer);

#endif
