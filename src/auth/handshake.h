/* SPDX-License-Identifier: MIT */
/*
 * handshake: what a client connection keeps between two legs of a log-on that takes several requests. One block of the exact size, since thousands may wait.
 * Used once: whoever takes it to finish the log-on frees it, whatever comes of it.
 */
#ifndef POSTERN_AUTH_HANDSHAKE_H
#define POSTERN_AUTH_HANDSHAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "conf/conf.h"

#define HANDSHAKE_MECH_LIST_MAX 512u /* longer lists of mechanisms are refused: five or six of 12 bytes are seen */

struct handshake {
	uint64_t handle;   /* of a Kerberos exchange that goes on in its process; 0: none */
	uint64_t begun_us;
	uint16_t n_negotiate, n_challenge, n_mech_list;
	uint8_t  scheme;   /* enum auth_scheme */
	bool     wrapped;  /* the messages travel inside SPNEGO */
	char     bytes[];  /* the three texts, one after the other */
};

/* What to remember. negotiate and challenge are empty when SPNEGO has only settled on NTLM so far, and for Kerberos. */
struct handshake_parts {
	enum auth_scheme scheme;
	bool             wrapped;
	uint64_t         handle, begun_us;
	struct span      negotiate, challenge, mech_list;
};

/* Copies. NULL: no memory, or a part longer than NTLM_NEGOTIATE_MAX, NTLM_CHALLENGE_MAX, HANDSHAKE_MECH_LIST_MAX. */
struct handshake *handshake_new(const struct handshake_parts *p);
void              handshake_free(struct handshake *h);

static inline struct span
handshake_negotiate(const struct handshake *h)
{
	return span_of(h->bytes, h->n_negotiate);
}
static inline struct span
handshake_challenge(const struct handshake *h)
{
	return span_of(h->bytes + h->n_negotiate, h->n_challenge);
}
static inline struct span
handshake_mech_list(const struct handshake *h)
{
	return span_of(h->bytes + h->n_negotiate + h->n_challenge, h->n_mech_list);
}

#endif
