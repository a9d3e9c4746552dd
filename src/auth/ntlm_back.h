/* SPDX-License-Identifier: MIT */
/*
 * ntlm_back: what both back ends of NTLM, the file and winbind, do before and after the response itself is judged.
 */
#ifndef POSTERN_AUTH_NTLM_BACK_H
#define POSTERN_AUTH_NTLM_BACK_H

#include "auth/ask.h"
#include "auth/ntlm.h"

/* Parts of an ASK_NTLM. */
enum { NTLM_PART_NEGOTIATE, NTLM_PART_CHALLENGE, NTLM_PART_AUTHENTICATE, NTLM_PART_MECH_LIST, NTLM_PART_MIC };

/* Reads the AUTHENTICATE message and finds the 8 bytes that it answers. False: `out` says why. */
bool ntlm_back_read(const struct ask *ask, struct ntlm_authenticate *a, uint8_t challenge[8], struct answer *out);
/* The response was found good: now the exchange, and SPNEGO's MIC; ours goes to out->token. Sets out->result. */
void ntlm_back_finish(const struct ask *ask, const struct ntlm_authenticate *a, const uint8_t base_key[16], struct answer *out);

#endif
