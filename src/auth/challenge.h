/* SPDX-License-Identifier: MIT */
/*
 * challenge: the Proxy-Authenticate lines of a 407 (RFC 9110 11.7.1), and the Proxy-Authentication-Info of what was let through.
 */
#ifndef POSTERN_AUTH_CHALLENGE_H
#define POSTERN_AUTH_CHALLENGE_H

#include "conf/conf.h"
#include "policy/snapshot.h"

/* Bit 1 << enum auth_scheme for each that can be offered here. `bound`: schemes that bind to the connection may be (not behind another proxy). */
unsigned challenge_schemes(const struct snapshot *snap, bool bound, bool tls);
/* One line for each scheme of `schemes`, in the order of the configuration. Returns the length, without a NUL; cut to whole lines. */
size_t challenge_write(const struct snapshot *snap, unsigned schemes, char *out, size_t room);
/* "Proxy-Authenticate: NTLM <base64>\r\n" (or Negotiate). 0: does not fit. */
size_t challenge_write_token(enum auth_scheme scheme, struct span token, char *out, size_t room);
/* "Proxy-Authentication-Info: Negotiate <base64>\r\n" */
size_t challenge_write_info(struct span token, char *out, size_t room);

#endif
