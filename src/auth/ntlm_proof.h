/* SPDX-License-Identifier: MIT */
/*
 * ntlm_proof: is the response right (MS-NLMP 3.3.2), is the MIC (3.1.5.1.2), which key comes out? For auth processes: works with secrets, which it wipes.
 * MD4, HMAC-MD5 and RC4 are nettle's.
 */
#ifndef POSTERN_AUTH_NTLM_PROOF_H
#define POSTERN_AUTH_NTLM_PROOF_H

#include "auth/ntlm.h"

/* MD4 of the password in UTF-16LE. False: not UTF-8. */
bool ntlm_hash(struct span password, uint8_t hash[16]);

/* NTLMv2 by an NT hash; the session base key comes out. Clients differ in what they hash: the domain as sent, in upper case and none are tried; of
 * names beyond ASCII also the bytes as sent, with only ASCII in upper case (curl). */
bool ntlm_response_holds(const struct ntlm_authenticate *a, const uint8_t challenge[8], const uint8_t hash[16], uint8_t base_key[16]);

/* After the response was found good (by a file or by winbindd): key exchange, MIC, channel binding. `binding` null: none is asked for, and what the
 * client sent is not looked at; else MsvChannelBindings, if the client sent them, must be equal (as with Windows' "when supported": clients that know of no
 * bindings, curl among them, send none, or zeros; nobody on the way can take them out, since the response covers them). False: `*why`. exported_key comes out (for mechListMIC). */
bool ntlm_exchange_holds(const struct ntlm_authenticate *a, struct span negotiate, struct span challenge, struct span authenticate, const uint8_t base_key[16],
    const uint8_t *binding, uint8_t exported_key[16], const char **why);

/* SPNEGO's mechListMIC over `mech_list` (RFC 4178 5; MS-NLMP 3.4.4, sequence number 0). `by_client`: which side signs; `flags` as
 * ntlm_authenticate_read gives them. Only as with extended session security, whatever the flags: without it no client's MIC will match. */
void ntlm_sign(const uint8_t exported_key[16], uint32_t flags, bool by_client, struct span mech_list, uint8_t mic[16]);

#endif
