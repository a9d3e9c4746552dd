/* SPDX-License-Identifier: MIT */
/*
 * leaf_ask: from what somebody wants to the ask that goes to the signer. What is asked decides what is made, so that the digest of the ask is the name of
 * the leaf in every cache.
 */
#ifndef POSTERN_TLS_LEAF_ASK_H
#define POSTERN_TLS_LEAF_ASK_H

#include <stdint.h>

#include "tls/leaf.h"
#include "tls/leaf_wire.h"

/* The packet of this ask, as number 0. Bytes; 0: there is no such leaf. */
size_t leaf_ask_pack(const struct leaf_want *want, uint8_t *out, size_t room);
/* Put the number in. */
void   leaf_ask_number(uint8_t *packet, uint64_t number);
/* SHA-256 of a packet but for its number. False: no memory. */
bool   leaf_ask_digest(struct span packet, uint8_t out[32]);
/* How long a cache hands out a leaf of these dates: not to its last minute, since clocks of clients are ahead. */
static inline int64_t
leaf_use_until(int64_t not_before, int64_t not_after)
{
	return not_after - (not_after - not_before) / 10;
}

#endif
