/* SPDX-License-Identifier: MIT */
/*
 * plan: what the doctor process is to do, as one sealed block of bytes: targets, ways, limits, roots. The parent makes it of a configuration; the process,
 * which opens no file, maps it. Resolvers, the hosts file and the inspection CA are in the snapshot beside it; a parent's credentials come by a descriptor.
 */
#ifndef POSTERN_DOCTOR_PLAN_H
#define POSTERN_DOCTOR_PLAN_H

#include "base/flat.h"
#include "doctor/doctor.h"

#define DOCTOR_NO_PARENT UINT32_MAX

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
	uint32_t          parent_number; /* of the [parent] that `parent` is, in the order of the configuration; DOCTOR_NO_PARENT: none */
	uint32_t          padding;
	struct plan_proxy parent, gateway;
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
/* `issuer`: room for issuers.n; `authorization`: null, or the caller's. What is filled in lies in the block. */
void doctor_plan_settings(const struct doctor_plan *p, const struct snapshot *snap, const char *authorization, const char **issuer, struct doctor_settings *out);
const struct doctor_target *doctor_plan_targets(const struct doctor_plan *p);

#endif
