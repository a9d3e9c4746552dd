/* SPDX-License-Identifier: MIT */
/*
 * ntlm: NTLM messages (MS-NLMP 2.2), read and written. Pure: no clock, no randomness, no keys; the proof is ntlm_proof's.
 * NTLMv2 only.
 */
#ifndef POSTERN_AUTH_NTLM_H
#define POSTERN_AUTH_NTLM_H

#include <stdbool.h>
#include <stdint.h>

#include "ipc/names.h"
#include "base/span.h"

/* Flags (2.2.2.5) on which the keys depend. */
#define NTLM_FLAG_SIGN     0x10u
#define NTLM_FLAG_SEAL     0x20u
#define NTLM_FLAG_128      0x20000000u
#define NTLM_FLAG_KEY_EXCH 0x40000000u
#define NTLM_FLAG_56       0x80000000u

#define NTLM_CHALLENGE_MAX 2048u
#define NTLM_NEGOTIATE_MAX 1024u /* longer ones are refused: nothing of use can stand in them */

enum ntlm_message { NTLM_NO_MESSAGE, NTLM_NEGOTIATE, NTLM_CHALLENGE, NTLM_AUTHENTICATE };
/* By signature and type alone. */
enum ntlm_message ntlm_message(struct span m);

struct ntlm_negotiate {
	uint32_t flags;
};
/* 12 bytes with flags missing, 16, 32 (no version), 40 and more are all seen in the field. False: no NEGOTIATE that can be answered. */
bool ntlm_negotiate_read(struct span m, struct ntlm_negotiate *out);

/* The CHALLENGE for it: `challenge` is 8 random bytes, `time` a FILETIME (100 ns since 1601), told as MsvAvTimestamp. Returns the length. */
size_t ntlm_challenge_write(const struct ntlm_negotiate *n, const struct ntlm_names *names, bool in_domain, const uint8_t challenge[8], uint64_t time, char out[NTLM_CHALLENGE_MAX]);

struct ntlm_authenticate {
	uint32_t    flags;                       /* agreed on: what the client says here, as far as the CHALLENGE granted it */
	struct span lm, nt;                      /* responses; nt: proof (16), then the blob */
	struct span domain, user, workstation;   /* as sent: UTF-16LE when `unicode`, else OEM */
	bool        unicode;
	struct span session_key;                 /* EncryptedRandomSessionKey */
	bool        has_mic;                     /* MsvAvFlags says so: covered by the proof */
	size_t      mic_at;                      /* offset of the MIC in the message */
	struct span binding;                     /* MsvChannelBindings, 16 bytes, or "" */
	char        domain_utf8[256], user_utf8[256], workstation_utf8[256]; /* no control bytes in them */
};
/* Refuses NTLMv1, LM and anonymous, fields out of bounds, bad text, a MIC that is promised and has no place; `*why` says which, in a few words that
 * live for ever. `challenge` is the message we sent; its use for one AUTHENTICATE only is the caller's to see to. Spans point into `m`. */
bool ntlm_authenticate_read(struct span m, struct span challenge, struct ntlm_authenticate *out, const char **why);

#endif
