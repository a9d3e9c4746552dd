/* SPDX-License-Identifier: MIT */
/*
 * inside: what the requests inside one inspected tunnel share: whose CONNECT it was, where it leads, how its origin was found.
 * Counted: over HTTP/2 each stream is a session of its own and holds it; the CONNECT's session writes the CONNECT's log line when the connection ends.
 */
#ifndef POSTERN_SESSION_INSIDE_H
#define POSTERN_SESSION_INSIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "auth/identity.h"
#include "parse/authority.h"
#include "policy/policy.h"
#include "tls/profile.h"

struct inside {
	unsigned         refs;
	struct authority at;        /* the CONNECT's; for a CONNECT to an address the name that the ClientHello tells, if it tells one: requests must agree with it */
	struct addr      fixed;     /* the address that such a CONNECT named; requests go there, nothing is looked up */
	bool             is_fixed;
	bool             is_original; /* that one is where a transparent client was going, as the rule wants */
	uint64_t         session;   /* its id, for the log */
	/* Of origin connections, verifications and sessions that may be shared: a hash of the rule's name and its answers to bad origins; the snapshot's
	 * generation comes beside it; never 0 */
	uint64_t         ground;
	struct profile  *profile;   /* a reference: the origin as it was found; null: it never showed a certificate */
	enum fault       fault;     /* else every request is answered with this page, and no byte goes to the origin */
	char             detail[192]; /* what exactly is or was wrong; "" nothing */
	struct identity *identity;  /* a reference: who opened the tunnel; null: nobody was asked */
	struct rule_inspection how;
	enum bad_origin  bad;       /* with profile->fault: ORIGIN_PASS and _WARN: let through, by a leaf that nobody trusts; ORIGIN_BLOCK: `fault` says so too */
	char             tls_client[64]; /* for the log; "" until that handshake is done */
	bool             h2;        /* client's side */
	uint64_t         requests;  /* that came inside */
};

struct inside *inside_new(void); /* one reference; NULL: no memory */
struct inside *inside_ref(struct inside *in);
void           inside_unref(struct inside *in);
/* Its ground under the snapshot of this generation. */
uint64_t       inside_ground(const struct inside *in, uint64_t generation);
/* The ground of what serves this tunnel alone. */
uint64_t       inside_own_ground(const struct inside *in);
/* The version of TLS that the origin was found to speak before the client was shown a leaf: no later connection may fall below it. 0: not known. */
uint16_t       inside_version(const struct inside *in);

#endif
