/* SPDX-License-Identifier: MIT */
/*
 * routes: through which parents the rules of a configuration may send what they let through, and where the gateway is.
 * Always true: the same configuration gives the same parents in the same order, those of bypass rules first.
 */
#ifndef POSTERN_DOCTOR_ROUTES_H
#define POSTERN_DOCTOR_ROUTES_H

#include "doctor/doctor.h"

struct routes {
	const struct conf_parent *parent[PARENTS_MAX]; /* the first DOCTOR_PARENTS_MAX are tried */
	unsigned                  n;
};

void routes_gather(const struct conf *c, struct routes *out);
/* Adds where this rule sends to; null: where [gateway] does. Without a parent: *by_parent is false afterwards. */
void routes_of_rule(const struct routes *w, const struct conf *c, const struct conf_rule *rule, uint16_t *parents, bool *by_parent);

#endif
