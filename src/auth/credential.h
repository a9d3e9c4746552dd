/* SPDX-License-Identifier: MIT */
/*
 * credential: reads the value of a Proxy-Authorization field (RFC 9110 11.7.2; RFC 7617; RFC 4559).
 */
#ifndef POSTERN_AUTH_CREDENTIAL_H
#define POSTERN_AUTH_CREDENTIAL_H

#include <stdbool.h>

#include "base/span.h"
#include "conf/conf.h"

enum credential_kind {
	CREDENTIAL_NONE,      /* a scheme that we do not know */
	CREDENTIAL_BAD,       /* broken base64, no token, too long, no colon, no name, NUL or control bytes in a name or password */
	CREDENTIAL_BASIC,     /* user, password */
	CREDENTIAL_NTLM,      /* token: an NTLMSSP message; scheme says under which word it came; wrapped: inside SPNEGO */
	CREDENTIAL_KERBEROS,  /* token: whole, as it came */
	CREDENTIAL_NEGOTIATE, /* SPNEGO that means NTLM but brings no NTLM message yet: answer that NTLM is chosen */
};

struct credential {
	enum credential_kind kind;
	enum auth_scheme     scheme;
	struct span          token;     /* into the scratch buffer */
	struct span          user, password;
	bool                 wrapped;
	bool                 offers_ntlm; /* SPNEGO: NTLM is in the list; where Kerberos cannot be taken, a KERBEROS may be answered as NEGOTIATE is */
	struct span          mech_list; /* SPNEGO: DER of the MechTypeList of its NegTokenInit (RFC 4178 4.2.1), "" in later tokens: to be kept, since
	                                 * the MIC that comes with an AUTHENTICATE covers it */
	struct span          mic;       /* SPNEGO: mechListMIC, "" none */
};

/* Decodes into scratch, which must be as long as the value; spans point there. Wipe it after use: a password may lie there. Names and
 * passwords are the client's bytes, UTF-8 or not. */
void credential_read(struct span value, char *scratch, size_t room, struct credential *out);

/* base64 with padding as RFC 4648 4 has it, nothing else let through. Returns bytes written, or SIZE_MAX. */
size_t base64_decode(struct span text, char *out, size_t room);
/* Room of 4 * ((n + 2) / 3); returns the length. */
size_t base64_encode(struct span bytes, char *out);

#endif
