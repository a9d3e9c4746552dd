/* SPDX-License-Identifier: MIT */
/* What building and opening a snapshot agree on: where its head stands, and how it begins. */
#ifndef POSTERN_POLICY_SNAPSHOT_INSIDE_H
#define POSTERN_POLICY_SNAPSHOT_INSIDE_H

#include "policy/snapshot.h"

#define SNAPSHOT_MAGIC UINT64_C(0x31306e6574736f70) /* "postrn01", as memory shows it */
#define HEAD_AT        8u                           /* the first offset that flat gives at this alignment */

#endif
