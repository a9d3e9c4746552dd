/* SPDX-License-Identifier: MIT */
/*
 * leaf: the certificates that a worker shows to clients: its cache of them, and its errands to the signer, which alone has the CA's key.
 * Always true: each job's callback comes exactly once, from the loop, or never after a cancel; asks for one leaf that are under way at once go to the signer once;
 * a signer that is down, full or silent gives FAULT_SIGNER_UNAVAILABLE at the deadline at the latest.
 */
#ifndef POSTERN_TLS_LEAF_H
#define POSTERN_TLS_LEAF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"
#include "net/loop.h"
#include "parse/hostname.h"
#include "tls/profile.h"

enum leaf_key { LEAF_P256, LEAF_RSA };
enum leaf_ca {
	LEAF_TRUSTED,  /* by the CA that clients trust */
	LEAF_UNTRUSTED /* by one that nobody trusts, so that browsers warn */
};

/* Which leaf. */
struct leaf_want {
	const struct profile *profile; /* made after this origin's certificate; null: for `host` alone, to show a page under (short-lived, LEAF_TRUSTED) */
	const struct host    *host;    /* always among its names when LEAF_TRUSTED: the caller has verified that the origin owns it */
	enum leaf_key         key;
	enum leaf_ca          ca;
	const uint8_t        *ca_print; /* SHA-256 of the CA certificate of the snapshot: a signer that has another one (a reload is under way) is asked again */
};

struct leaf; /* certificate, key and chain, ready for a handshake; counted */
struct leaf *leaf_ref(struct leaf *l);
void         leaf_unref(struct leaf *l);

struct leaf_desk;
struct leaf_job;

/* `most` leaves are kept; the one used longest ago goes first. on_tickets: new keys have come (tls_context_set_tickets). */
struct leaf_desk *leaf_desk_new(struct loop *loop, uint32_t most, void (*on_tickets)(void *arg, const uint8_t (*key)[80], unsigned n), void *arg);
void leaf_desk_free(struct leaf_desk *d); /* jobs under way are forgotten */
void leaf_desk_fit(struct leaf_desk *d, uint32_t most);
/* The way to the signer: a SEQPACKET socket, owned from here on; replaces the one before, whose asks go again. -1: there is none any more. */
void leaf_desk_connect(struct leaf_desk *d, int fd);
/* Has the signer said hello on its way? */
bool leaf_desk_is_up(const struct leaf_desk *d);

/* In the cache: a reference; else null. */
struct leaf *leaf_find(struct leaf_desk *d, const struct leaf_want *want);
/* `leaf` null: fault says why; else the callee takes its own reference. NULL: no memory. */
typedef void leaf_done(void *arg, struct leaf *leaf, enum fault fault);
struct leaf_job *leaf_ask(struct leaf_desk *d, const struct leaf_want *want, uint64_t timeout_ms, leaf_done *done, void *arg);
void             leaf_cancel(struct leaf_job *j);
/* Wait until the signer is up (FAULT_NONE, leaf null) or the time is over: before a tunnel is opened that would need it. */
struct leaf_job *leaf_await(struct leaf_desk *d, uint64_t timeout_ms, leaf_done *done, void *arg);

#endif
