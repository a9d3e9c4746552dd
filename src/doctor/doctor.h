/* SPDX-License-Identifier: MIT */
/*
 * doctor: tests the endpoints of bypass lists, all in parallel on one loop: look-up, TCP, TLS with the whole chain judged, an HTTP answer; directly, through
 * a parent and through the running gateway. Prints nothing: calls back for each result.
 * Depends on nothing that carries traffic, and is in nobody's way: no more than `parallel` at the same time.
 */
#ifndef POSTERN_DOCTOR_DOCTOR_H
#define POSTERN_DOCTOR_DOCTOR_H

#include "base/addr.h"
#include "conf/conf.h"
#include "doctor/result.h"
#include "net/loop.h"

/* A proxy on the way. */
struct doctor_proxy {
	bool            present;
	struct endpoint at;
	const char     *name; /* for people */
	const char     *authorization; /* value of Proxy-Authorization; null: none. Secret, the caller's */
};

struct doctor_settings {
	uint64_t            timeout_ms; /* of each step */
	uint32_t            parallel;
	struct doctor_proxy parent, gateway;
	const char *const  *issuer; /* organisations beside the built-in ones */
	size_t              n_issuers;
	const uint8_t      *own_ca; /* DER of the inspection CA; null: none */
	size_t              own_ca_n;
	const struct conf_resolvers *resolvers; /* as the gateway's */
};

/* What `c` says is to be tested: the host items of all bypass rules, or of the lists that are named; wildcards by the probes of their list. Returns how many
 * were written. Only ever DOCTOR_TARGETS_MAX; *more: how many did not fit. */
size_t doctor_targets(const struct conf *c, const char *const *list, size_t n_lists, struct doctor_target *out, size_t *more);

struct doctor;
/* Begin. Copies the targets; `settings` and what it points to live as long as the run. NULL: no memory, or the roots cannot be read (why says it).
 * `each`: once for each row; `done`: once, then nothing more comes. */
struct doctor *doctor_start(struct loop *l, const struct doctor_settings *settings, const struct doctor_target *target, size_t n,
    void (*each)(void *arg, const struct doctor_row *row), void (*done)(void *arg), void *arg, char why[200]);
void doctor_free(struct doctor *d); /* also in the middle: no call comes after */

#endif
