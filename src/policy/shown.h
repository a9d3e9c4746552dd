/* SPDX-License-Identifier: MIT */
/*
 * shown: what a snapshot says only for those who show it.
 */
#ifndef POSTERN_POLICY_SHOWN_H
#define POSTERN_POLICY_SHOWN_H

#include "policy/snapshot.h"

/* Append the lists, as struct snapshot_list. */
struct flat_ref shown_lists(struct flat *f, const struct conf *c);

#endif
