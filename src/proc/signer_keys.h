/* SPDX-License-Identifier: MIT */
/*
 * signer_keys: what the signer makes for the workers besides leaves: one key for all leaves of a kind, the keys of session tickets. When they are renewed is
 * the signer's to say.
 * Always true: a renewal that fails leaves those before in use; what goes out of use is wiped.
 */
#ifndef POSTERN_PROC_SIGNER_KEYS_H
#define POSTERN_PROC_SIGNER_KEYS_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stdint.h>

#include "tls/leaf.h"
#include "tls/leaf_wire.h"

#define SIGNER_TICKETS  3u
#define SIGNER_KEY_ROOM 4096u

struct signer_keys {
	EVP_PKEY *leaf[LEAF_KEYS];
	uint64_t  id; /* of those in `leaf`: another one after each renewal */
	uint8_t   ticket[SIGNER_TICKETS][LEAF_TICKET]; /* newest first */
	unsigned  n_tickets;
};

/* New keys of leaves. False: no memory, or no random bytes. */
bool signer_keys_renew(struct signer_keys *k);
/* One more key of tickets; the oldest falls out. False: no random bytes. */
bool signer_keys_add_ticket(struct signer_keys *k);
/* The keys of leaves as a hello has them. They lie in `room`, which the caller wipes; one that cannot be written is empty. */
void signer_keys_tell(const struct signer_keys *k, struct leaf_hello *h, uint8_t room[LEAF_KEYS][SIGNER_KEY_ROOM]);
/* Of keys that were set to zero too. */
void signer_keys_clear(struct signer_keys *k);

#endif
