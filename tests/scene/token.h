/* SPDX-License-Identifier: MIT */
#ifndef POSTERN_TESTS_TOKEN_H
#define POSTERN_TESTS_TOKEN_H

#include "fake_net.h"

/* What stands in \{...} of a text: `bytes TEXT` (a Basic password, say), `ntlm1`, `ntlm3 DOMAIN\USER`, `spnego1` (NTLM's first message in SPNEGO's),
 * `spnego-empty` (SPNEGO that offers NTLM and brings no message), `spnego-ntlm1` (which comes then), `spnego3 DOMAIN\USER`, `ticket` (Kerberos, then NTLM). As
 * base64, added to out; `offer` and `consent` as they are: what consent_make makes for the youngest client inside a tunnel. False: none of these. */
bool token_make(struct span words, struct bytes *out);

#endif
