/* SPDX-License-Identifier: MIT */
#include "auth/ntlm_back.h"

#include <nettle/memops.h>
#include <string.h>

#include "auth/ntlm_proof.h"

#define CHALLENGE_AT 24 /* ServerChallenge (MS-NLMP 2.2.1.2) */

bool
ntlm_back_read(const struct ask *ask, struct ntlm_authenticate *a, uint8_t challenge[8], struct answer *out)
{
	struct span sent = ask->part[NTLM_PART_CHALLENGE];
	const char *why = "it cannot be read";

	out->result = ASK_BAD_TOKEN;
	if (sent.n < CHALLENGE_AT + 8) {
		answer_detail(out, "NTLM: there is no CHALLENGE that it could answer");
		return false;
	}
	if (!ntlm_authenticate_read(ask->part[NTLM_PART_AUTHENTICATE], sent, a, &why)) {
		answer_detail(out, "NTLM: %s", why);
		return false;
	}
	memcpy(challenge, sent.p + CHALLENGE_AT, 8);
	return true;
}

/* RFC 4178 5: a MIC that came must be right, and is answered by one. */
static bool
mech_list_holds(const struct ask *ask, const struct ntlm_authenticate *a, const uint8_t key[16], struct answer *out)
{
	struct span list = ask->part[NTLM_PART_MECH_LIST], mic = ask->part[NTLM_PART_MIC];
	uint8_t     right[16];

	if (list.n == 0 || mic.n == 0)
		return true;
	ntlm_sign(key, a->flags, true, list, right);
	if (mic.n != sizeof right || !nettle_memeql_sec(right, mic.p, sizeof right)) {
		out->result = ASK_BAD_TOKEN;
		answer_detail(out, "SPNEGO: mechListMIC is wrong: the offer of mechanisms was changed on the way");
		return false;
	}
	ntlm_sign(key, a->flags, false, list, right);
	if (!answer_token(out, span_of((const char *)right, sizeof right))) {
		out->result = ASK_UNAVAILABLE;
		answer_detail(out, "out of memory");
		return false;
	}
	return true;
}

void
ntlm_back_finish(const struct ask *ask, const struct ntlm_authenticate *a, const uint8_t base_key[16], struct answer *out)
{
	uint8_t     key[16] = {0};
	const char *why = "the exchange does not hold";

	if (!ntlm_exchange_holds(a, ask->part[NTLM_PART_NEGOTIATE], ask->part[NTLM_PART_CHALLENGE], ask->part[NTLM_PART_AUTHENTICATE], base_key,
		ask->has_binding ? ask->binding : NULL, key, &why)) {
		out->result = ASK_BAD_TOKEN;
		answer_detail(out, "NTLM: %s", why);
	} else if (mech_list_holds(ask, a, key, out)) {
		out->result = ASK_OK;
	}
	explicit_bzero(key, sizeof key);
}
