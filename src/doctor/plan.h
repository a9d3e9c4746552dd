/* SPDX-License-Identifier: MIT */
/*
 * plan: what the doctor process is to do, as one sealed block of bytes: targets, ways, limits, roots. The parent makes it of a configuration; the process,
 * which opens no file, maps it. Resolvers, the hosts file and the inspection CA are in the snapshot beside it; a parent's credentials come by a descriptor.
 */
#ifndef POSTERN_DOCTOR_PLAN_H
#define POSTERN_DOCTOR_PLAN_H

#include "base/flat.h"
#include "doctor/doctor.h"

struct plan_proxy {
	struct endpoint at;
	struct flat_ref host, name, why; /* with their NUL; n 0: null */
	uint32_t        present, tls;
};

/* The head of the block. */
struct doctor_plan {
	uint64_t          magic, size;
	uint64_t          interval_ms, timeout_ms;
	uint32_t          parallel, more;
	uint32_t          n_parents, padding;
	uint32_t          parent_number[DOCTOR_PARENTS_MAX]; /* of the [parent] that each is, in the order of the configuration */
	struct plan_proxy parent[DOCTOR_PARENTS_MAX], gateway;
	struct flat_ref   issuers; /* struct flat_ref: texts with their NUL */
	struct flat_ref   targets; /* struct doctor_target */
	struct flat_ref   roots;   /* as doctor_settings.roots */
};

/* A sealed memfd; -1: reported. The system's roots are read for it. */
int doctor_plan_make(const struct conf *c, struct report *r);
/* NULL: damaged, or no memory. */
const struct doctor_plan *doctor_plan_map(int fd);
void doctor_plan_unmap(const struct doctor_plan *p);
bool doctor_plan_same(const struct doctor_plan *a, const struct doctor_plan *b);
/* `issuer`: room for issuers.n; `secret`: by parent, the caller's; n 0: none. What is filled in lies in the block. */
void doctor_plan_settings(const struct doctor_plan *p, const struct snapshot *snap, const struct snapshot_secret *secret, const char **issuer, struct doctor_settings *out);
const struct doctor_target *doctor_plan_targets(const struct doctor_plan *p);
const char *doctor_plan_parent(const struct doctor_plan *p, uint32_t i); /* its name */

#endif
