/* SPDX-License-Identifier: MIT */
/*
 * ask: one question to a back end, and its answer, as plain values. Travels as wire.h says.
 */
#ifndef POSTERN_AUTH_ASK_H
#define POSTERN_AUTH_ASK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/span.h"
#include "conf/conf.h"

enum ask_op {
	ASK_NTLM,     /* part: negotiate, challenge, authenticate, mech_list ("" without SPNEGO), mic ("" none) */
	ASK_KERBEROS, /* part: token, binding ("tls-server-end-point:...", whole, when has_binding); handle: 0, or of the answer that said to continue */
	ASK_BASIC,    /* part: user, password */
	ASK_PAC,      /* part: the PAC of a ticket that Kerberos found good: who is that, in which groups? */
	ASK_INITIATE, /* part: the name of a [parent], its host; handle: 0, or 1 when it refused what it got, so that new tickets may be due. token: the field's value */
	ASK_OPS
};

#define ASK_PARTS     5
#define ASK_TOKEN_MAX 65536u /* a credential that is longer, decoded, is refused unasked */

#define PASS_MAX      60000u /* bytes of what a parent is shown (ASK_INITIATE), as text */

struct ask {
	enum ask_op    op;
	bool           wants_groups; /* some rule names groups */
	bool           wants_pac;    /* Kerberos: hand out the PAC, for an ASK_PAC */
	bool           has_binding;  /* channel bindings are to be checked: TLS listeners */
	uint8_t        binding[16];  /* MD5 of the gss_channel_bindings_struct (MS-NLMP 2.2.2.1) */
	struct addr    client;
	uint64_t       handle;
	uint32_t       timeout_ms;   /* left to the asker; an answer that comes later is not read */
	struct span    part[ASK_PARTS];
};

enum ask_result {
	ASK_OK,          /* account and so on are set */
	ASK_CONTINUE,    /* token goes to the client, who answers; handle names the state */
	ASK_REFUSED,     /* wrong password, unknown user, locked, expired: detail says */
	ASK_BAD_TOKEN,   /* no such message, or a forged one: detail says */
	ASK_LIMITED,     /* too many failures lately: the back end was not asked; retry_after_s is set */
	ASK_UNAVAILABLE, /* the back end cannot be asked now: detail says */
	ASK_RESULTS
};

#define ASK_NAME_MAX   256u
#define ASK_DETAIL_MAX 200u

struct answer {
	enum ask_result result;
	char            account[ASK_NAME_MAX]; /* "alice", "WS01$": as the directory spells it; UTF-8, no control bytes */
	char            domain[ASK_NAME_MAX];  /* NetBIOS: "CORP"; "": not known, or none */
	char            realm[ASK_NAME_MAX];   /* Kerberos, DNS: "CORP.EXAMPLE"; "": likewise */
	char            detail[ASK_DETAIL_MAX]; /* for the log: NT_STATUS_ACCOUNT_LOCKED_OUT, "clock skew too great"; names no secret */
	uint32_t        retry_after_s;
	uint64_t        handle;
	uint32_t        took_us; /* in the back end */
	/* owned, null when empty; answer_clear frees */
	char           *token;  /* for the client: bytes */
	uint32_t        n_token;
	char           *pac;
	uint32_t        n_pac;
	char           *groups; /* texts, each ended by NUL: SIDs "S-1-5-21-..." and names "CORP\\Proxy Users" */
	uint32_t        groups_bytes;
};

void answer_clear(struct answer *a);
/* Cut to what fits, at a UTF-8 boundary; control bytes become '?'. */
void answer_name(char out[ASK_NAME_MAX], struct span name);
void answer_detail(struct answer *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Copies; false: no memory. */
bool answer_token(struct answer *a, struct span token);
bool answer_pac(struct answer *a, struct span pac);
/* Adds one; beyond GROUPS_BYTES_MAX nothing is added and false returned. */
#define GROUPS_BYTES_MAX (96u << 10)
bool answer_group(struct answer *a, struct span group);

#endif
