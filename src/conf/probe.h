/* SPDX-License-Identifier: MIT */
/*
 * probe: which entries of a list each of its probes stands for: a probe is a host that is known to be there, below a wildcard of the list.
 * Asks the matcher that rules are decided by; tests nothing over the network (doctor/).
 */
#ifndef POSTERN_CONF_PROBE_H
#define POSTERN_CONF_PROBE_H

#include "conf/conf.h"
#include "match/host_spec.h"

/* The entries of one list, ready to be asked. */
struct probe_set;

/* NULL: no memory. Entries that cannot be read are passed over: the policy says so of them. */
struct probe_set *probe_set_new(const struct conf_list *list);
void              probe_set_free(struct probe_set *p);

/* Read one probe: a name or an address, perhaps with port, or a URL. False: why. */
bool probe_parse(struct span text, struct host_spec *out, char why[HOST_SPEC_WHY]);
/* Does it stand for this entry, by its number in list->hosts? */
bool probe_is_of(const struct probe_set *p, const struct host_spec *probe, uint32_t entry);

#endif
