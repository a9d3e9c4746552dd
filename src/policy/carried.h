/* SPDX-License-Identifier: MIT */
/*
 * carried: the files whose bytes travel in a snapshot, since workers open none: hosts, resolv.conf, and for inspection the roots, CRLs and the CA's own
 * certificate. Private to snapshot.
 * Always true: certificates and CRLs lie in the block as DER that has been decoded once; what cannot be used any more never takes the place of what could.
 */
#ifndef POSTERN_POLICY_CARRIED_H
#define POSTERN_POLICY_CARRIED_H

#include "policy/snapshot.h"

/* Read the files that `c` names, and the system's, to the end of the block. What is wrong goes to `r`; conf has looked at them before. False: no memory. */
bool carried_add(struct flat *f, const struct conf *c, struct settings *set, struct report *r);
/* The same files read anew; `block` carries what they were. False: no memory. */
bool carried_again(struct flat *f, const void *block, const struct settings *old, struct settings *set, struct report *r);
/* As snapshot_changed. */
uint64_t carried_changed(const void *block, const struct settings *set, char *name, size_t n);

/* The chain in `ca-cert`, and its first certificate's print. */
void carried_ca(struct flat *f, const struct conf_inspection *i, struct inspection_settings *to, struct report *r);

#endif
