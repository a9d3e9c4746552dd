/* SPDX-License-Identifier: MIT */
/*
 * signer_ca: how the signer comes by the CA: the certificate out of a snapshot, the key out of the file that the parent has opened.
 * Or the key out of a token (tls/token), whose PIN is what the file holds.
 * Always true: the bytes of the file are wiped as soon as they have been used.
 */
#ifndef POSTERN_PROC_SIGNER_CA_H
#define POSTERN_PROC_SIGNER_CA_H

#include "policy/snapshot.h"
#include "tls/mint.h"

#define SIGNER_WHY 256u

/* By this snapshot, with the key in this file (-1: there is none). NULL: why, for "ca-key: %s". */
struct mint *signer_mint(const struct snapshot *s, int file, int64_t now, char why[SIGNER_WHY]);
/* Is that key in a token? Then the file is its PIN's, or -1: it has none. */
bool signer_in_token(const struct snapshot *s);
/* The token did not take the PIN the last time that it was asked. */
bool signer_pin_is_bad(void);
/* What goes along with leaves of this snapshot's CA, as LEAF_HELLO has it: its certificates but for those that sign themselves. Bytes; more than `room` are
 * left out. */
size_t signer_chain(const struct snapshot *s, uint8_t *out, size_t room);
/* The same of one certificate. 0: it does not fit. */
size_t signer_chain_of(const X509 *cert, uint8_t *out, size_t room);

#endif
