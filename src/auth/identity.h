/* SPDX-License-Identifier: MIT */
/*
 * identity: somebody whom a back end has found good: names, groups, in which way, since when. Counted references; never changes, but for what it
 * remembers of a policy.
 */
#ifndef POSTERN_AUTH_IDENTITY_H
#define POSTERN_AUTH_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "auth/ask.h"
#include "conf/conf.h"
#include "policy/policy.h"
#include "policy/snapshot.h"

struct identity;

/* `domain` may be empty in the answer while the realm is known: `names` (may be null) tells which domain that realm is. NULL: no memory. */
struct ntlm_names;
struct identity *identity_new(const struct answer *a, const struct answer *groups_from, const struct ntlm_names *names, enum auth_way way, uint64_t now_us);
struct identity *identity_ref(struct identity *i);
void             identity_unref(struct identity *i);

/* Canonical, for logs: CORP\alice; alice@CORP.EXAMPLE when the domain is not known; alice for a local file's user. */
struct span      identity_name(const struct identity *i);
enum auth_way    identity_way(const struct identity *i);
uint64_t         identity_since_us(const struct identity *i);
/* Groups for the log: names where known, else SIDs, separated by commas; lives as long as the identity. */
struct span      identity_groups(const struct identity *i);
/* Which users and groups conditions hold: policy_user_row for this snapshot, remembered until another one asks. NULL: no memory. */
const uint64_t  *identity_row(struct identity *i, const struct snapshot *snap);

#endif
