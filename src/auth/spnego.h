/* SPDX-License-Identifier: MIT */
/*
 * spnego: RFC 4178, read just far enough to see whether NTLM or Kerberos is meant; and the few answers that NTLM inside it needs. Pure.
 */
#ifndef POSTERN_AUTH_SPNEGO_H
#define POSTERN_AUTH_SPNEGO_H

#include <stdbool.h>

#include "base/span.h"

enum spnego_mech { SPNEGO_NO_MECH, SPNEGO_NTLM, SPNEGO_KERBEROS };

struct spnego {
	bool             is_init;     /* NegTokenInit; else NegTokenResp */
	enum spnego_mech first;       /* the one that mechToken belongs to */
	bool             offers_ntlm, offers_kerberos;
	struct span      mech_list;   /* DER of MechTypeList */
	struct span      token;       /* mechToken or responseToken; "" none */
	struct span      mic;         /* mechListMIC; "" none */
};
/* False: no SPNEGO token. */
bool spnego_read(struct span bytes, struct spnego *out);
/* Is it a bare Kerberos token (RFC 2743 3.1 with the Kerberos mechanism)? */
bool spnego_is_kerberos(struct span bytes);

enum spnego_state { SPNEGO_COMPLETED = 0, SPNEGO_INCOMPLETE = 1, SPNEGO_REJECT = 2, SPNEGO_REQUEST_MIC = 3 };
#define SPNEGO_ROOM(token) ((token) + 128u)
/* A NegTokenResp: supportedMech NTLM only when `names_mech` (the first answer of an exchange). Returns the length, 0: no room.
 *   client brought NTLM's first message:  INCOMPLETE, names_mech, the CHALLENGE
 *   client means NTLM, has not begun:     INCOMPLETE, names_mech, nothing else; the CHALLENGE then goes without names_mech
 *   NTLM found good:                      COMPLETED; with a MIC of ours when the client sent one, which must hold (RFC 4178 5) */
size_t spnego_write(enum spnego_state state, bool names_mech, struct span token, struct span mic, char *out, size_t room);

#endif
