/* SPDX-License-Identifier: MIT */
/*
 * outward: what a snapshot says of the proxies behind us and of the addresses that connections leave from; and our secrets for these proxies, which lie beside
 * the block, in processes that talk to them, and nowhere else.
 */
#ifndef POSTERN_POLICY_OUTWARD_H
#define POSTERN_POLICY_OUTWARD_H

#include "policy/snapshot.h"

/* Append each [parent], as struct snapshot_parent. */
struct flat_ref outward_parents(struct flat *f, const struct conf *c);
/* Warn of sources that this machine does not have; it may get them later. */
void outward_check_sources(struct flat *f, const struct conf *c, const struct settings *set, struct report *r);
/* Wipe the secrets. */
void outward_forget(struct snapshot *s);

#endif
