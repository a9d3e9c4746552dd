/* SPDX-License-Identifier: MIT */
/*
 * doctor: tests the endpoints of bypass lists, all in parallel on one loop: look-up, TCP, TLS with the whole chain judged, an HTTP answer; directly, through
 * each parent and through the running gateway. Prints nothing: calls back for each result.
 * Depends on nothing that carries traffic, and is in nobody's way: no more than `parallel` at the same time.
 */
#ifndef POSTERN_DOCTOR_DOCTOR_H
#define POSTERN_DOCTOR_DOCTOR_H

#include "base/addr.h"
#include "conf/conf.h"
#include "doctor/result.h"
#include "net/loop.h"
#include "policy/snapshot.h"

/* A proxy on the way. */
struct doctor_proxy {
	bool            present;
	struct endpoint at;
	const char     *host; /* a name that each try looks up, for which only the port of `at` counts; null: `at` is the place */
	const char     *name; /* for people; null: not named */
	const char     *authorization; /* value of Proxy-Authorization; null: none. Secret, the caller's */
	/* A value for one request, where none may be used again; must not wait long. Whoever gets it wipes and frees it; NULL: why. null: none is needed */
	char *(*token)(void *arg, char *why, size_t n);
	void           *token_arg;
	bool            tls;  /* it is spoken to over TLS; its certificate is not judged: clients do that */
	const char     *why;  /* not present: why it is not tried, for people; null: it is not configured */
};

struct doctor_settings {
	uint64_t            timeout_ms; /* of each step */
	uint32_t            parallel;   /* targets at the same time, each by all its ways */
	struct doctor_proxy parent[DOCTOR_PARENTS_MAX], gateway;
	unsigned            n_parents, parents_more; /* more: too many to be tried */
	const char *const  *issuer; /* organisations beside the built-in ones; "*": any that leads to a root of the system */
	size_t              n_issuers;
	const struct snapshot *snap; /* resolvers, hosts file, egress rule and inspection CA are the gateway's own */
	struct span         roots;   /* DER as conf/certificate's der_list has it; empty: the system's file is read by doctor_start. Microsoft's own is added */
};

/* What `c` says of timeout, parallel, parents (all that a rule may send something through; what they want to know of us is left to the caller; those that want Negotiate are not present) and gateway (the first
 * address of its first explicit listener). Issuers: *issuer gets an array to free, whose texts are the configuration's. False: no memory. */
bool doctor_settings_of(const struct conf *c, struct doctor_settings *out, const char ***issuer);

/* What `c` says is to be tested: the host items of all bypass rules, or of the lists that are named; wildcards by the probes of their list; each with
 * the parents of the rules that name it. Returns how many were written, `room` at most; *more: how many did not fit. */
size_t doctor_targets(const struct conf *c, const char *const *list, size_t n_lists, struct doctor_target *out, size_t room, size_t *more);
/* Who issues certificates for these endpoints, as Microsoft's documents say; ends with null. */
extern const char *const doctor_issuers[];

struct doctor;
/* Begin. Copies the targets; `settings` and what it points to live as long as the run. NULL: no memory, or the roots cannot be read (why says it).
 * `each`: once for each target and way of its own (in the order of doctor_lane, the gateway last, as targets are done with); `done`: once, then nothing more comes. None of
 * them from inside this call. SIGPIPE must be ignored. */
struct doctor *doctor_start(struct loop *l, const struct doctor_settings *settings, const struct doctor_target *target, size_t n,
    void (*each)(void *arg, const struct doctor_row *row), void (*done)(void *arg), void *arg, char why[200]);
void doctor_free(struct doctor *d); /* also in the middle, and from `done`, but not from `each`: no call comes after */

#endif
