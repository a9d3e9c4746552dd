/* SPDX-License-Identifier: MIT */
/*
 * ntlm_client: the client's half of NTLMv2 (MS-NLMP 3.1.5), just enough for `postern auth test` and for tests: Unicode, MIC, no key exchange.
 */
#ifndef POSTERN_AUTH_NTLM_CLIENT_H
#define POSTERN_AUTH_NTLM_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

#define NTLM_CLIENT_NEGOTIATE 40u
#define NTLM_CLIENT_MAX       4096u

void ntlm_client_negotiate(char out[NTLM_CLIENT_NEGOTIATE]);
/* AUTHENTICATE; returns its length. 0: the challenge is none, names are too long or not UTF-8, or the password is not. The session key comes out. */
size_t ntlm_client_authenticate(struct span negotiate, struct span challenge, struct span domain, struct span user, struct span password,
    const uint8_t nonce[8], char out[NTLM_CLIENT_MAX], uint8_t key[16]);

#endif
