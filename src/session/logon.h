/* SPDX-License-Identifier: MIT */
/*
 * logon: what a request whose credentials were read keeps until its end: the errand to the back end, what the client shall be sent, what the log says.
 * Holds a password only while a back end looks at it, and wipes it.
 */
#ifndef POSTERN_SESSION_LOGON_H
#define POSTERN_SESSION_LOGON_H

#include "auth/ask.h"
#include "auth/desk.h"
#include "net/loop.h"

struct logon {
	struct desk_job *job;      /* under way; null: none */
	struct timer     names;    /* set: waits for the names that a challenge must have */
	uint64_t         asked_us; /* when that began */
	uint64_t         ground;   /* what its answer will rest on, as it was then */
	uint32_t         ms;       /* all waits together; MS_NONE: there was none */
	uint32_t         retry_after_s;
	unsigned         withheld; /* bit 1 << enum auth_scheme: led nowhere for this client, not offered again now */
	bool             chosen;   /* for that challenge: SPNEGO has settled on NTLM before */
	bool             wrapped;  /* NTLM came inside SPNEGO, and so goes back */
	uint8_t          way;      /* enum auth_way that was tried */
	uint8_t          scheme;   /* enum auth_scheme under which it came */
	uint32_t         n_token;
	char            *token;    /* owned; for the client */
	struct answer   *ticket;   /* owned; Kerberos said yes, now the PAC is asked about */
	char            *basic;    /* owned; user, then password */
	size_t           n_user, n_password;
	char            *claimed;  /* owned; who the client says it is; null: it does not say */
	char            *detail;   /* owned; for the log; null: none */
};

struct logon *logon_new(void); /* NULL: no memory */
void          logon_free(struct logon *l);
void          logon_cancel(struct logon *l);

/* Each copies. False: no memory. */
bool logon_keep_token(struct logon *l, struct span token);
bool logon_keep_basic(struct logon *l, struct span user, struct span password);
bool logon_keep_ticket(struct logon *l, const struct answer *a);
void logon_forget_basic(struct logon *l);
/* For the log alone, so without a word when memory is short. Control bytes become '?'. */
void logon_claim(struct logon *l, struct span domain, struct span account);
void logon_explain(struct logon *l, const char *detail); /* the claimed name goes before it */

static inline struct span
logon_user(const struct logon *l)
{
	return span_of(l->basic, l->n_user);
}
static inline struct span
logon_password(const struct logon *l)
{
	return span_of(l->basic + l->n_user, l->n_password);
}

#endif
