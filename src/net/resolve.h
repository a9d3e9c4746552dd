/* SPDX-License-Identifier: MIT */
/*
 * resolve: names to addresses, by DNS (c-ares), with a bounded cache that honours TTLs.
 * One for each worker. Reads no file: hosts and resolv.conf come as bytes. NSS is not consulted. Single-label names follow the search list
 * and ndots as resolv.conf(5) says; a name with a dot is asked for as it stands. Judges nothing: egress is the caller's.
 */
#ifndef POSTERN_NET_RESOLVE_H
#define POSTERN_NET_RESOLVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/fault.h"
#include "base/span.h"

struct loop;
struct resolver;
struct resolve_job;

struct resolver_config {
	const struct endpoint *servers; /* n_servers 0: as resolv_conf says (127.0.0.1 when it names none) */
	unsigned               n_servers;
	struct span            resolv_conf;
	struct span            hosts;
	uint64_t               timeout_ms;  /* of one look-up, all tries included */
	uint32_t               cache_names; /* most names kept */
};

/* Addresses of one name; counted, shared by the cache and by callers. */
struct resolved {
	unsigned refs;
	unsigned n;
	uint64_t expires_us; /* monotonic */
	/* in RFC 6724 spirit: AAAA first when both are there; each family in the order of the answer, rotated by caller */
	struct addr addr[];
};
void             resolved_unref(struct resolved *r);
struct resolved *resolved_ref(struct resolved *r);

typedef void resolve_fn(void *arg, enum fault fault, struct resolved *r); /* FAULT_NONE: r is the callee's, to unref */

struct resolver *resolver_new(struct loop *loop, const struct resolver_config *c);
void             resolver_free(struct resolver *r); /* jobs under way are cancelled */
/* Take new hosts, servers, limits; the cache is emptied; jobs under way end by the old ones. */
bool resolver_reconfigure(struct resolver *r, const struct resolver_config *c);

/* From the cache or hosts at once: the answer, with a reference for the caller; NULL: ask resolver_start. *fault: a cached failure (NULL
 * returned, *fault not FAULT_NONE). */
struct resolved *resolver_cached(struct resolver *r, struct span name, enum fault *fault);
/* Ask; the callback comes later, exactly once, never from inside this call, unless cancelled. Equal names under way share one query.
 * `name` is canonical (parse/hostname), lower case; a trailing dot makes it absolute. NULL: out of memory. A and AAAA are asked together; the
 * callback comes when both have answered, or when one has addresses and the other has not come within 50 ms (RFC 8305 section 3: resolution
 * delay); late addresses still enter the cache. While thousands of look-ups hang, FAULT_DNS_TIMEOUT comes for further names without a question. */
struct resolve_job *resolver_start(struct resolver *r, struct span name, resolve_fn *done, void *arg);
void                resolve_job_cancel(struct resolve_job *j);

#endif
