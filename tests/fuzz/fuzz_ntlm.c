/* SPDX-License-Identifier: MIT */
#include "auth/ntlm_proof.h"
#include "auth/ntlm_text.h"
#include "fuzz.h"

static void
check_text(const char *s, size_t room)
{
	struct span rest = span_str(s);
	uint32_t    c;

	CHECK(memchr(s, 0, room) != NULL);
	while (rest.n > 0) {
		CHECK(ntlm_text_take(&rest, &c));
		CHECK(c >= 0x20 && (c < 0x7f || c >= 0xa0));
	}
}

static void
check_authenticate(const struct ntlm_authenticate *a, struct span m, struct span challenge)
{
	static const uint8_t hash[16];
	uint8_t              base[16], key[16], mic[16];
	const char          *why;

	CHECK(span_inside(a->lm, m) && span_inside(a->nt, m) && span_inside(a->domain, m) && span_inside(a->user, m));
	CHECK(span_inside(a->workstation, m) && span_inside(a->session_key, m) && span_inside(a->binding, a->nt));
	CHECK(a->nt.n >= 44 && a->user.n > 0);
	CHECK(!a->has_mic || a->mic_at + 16 <= m.n);
	CHECK(a->binding.n == 0 || a->binding.n == 16);
	CHECK(a->session_key.n == 0 || a->session_key.n == 16);
	check_text(a->user_utf8, sizeof a->user_utf8);
	check_text(a->domain_utf8, sizeof a->domain_utf8);
	check_text(a->workstation_utf8, sizeof a->workstation_utf8);
	if (!ntlm_response_holds(a, (const uint8_t *)challenge.p + 24, hash, base))
		memset(base, 0, sizeof base);
	if (ntlm_exchange_holds(a, SPAN("negotiate"), challenge, m, base, NULL, key, &why))
		ntlm_sign(key, a->flags, true, a->nt, mic);
	else
		CHECK(why != NULL);
}

/* The first four bytes: what NEGOTIATE asked for. The rest: a message of either kind. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const struct ntlm_names names = {"CORP", "PX1", "corp.example", "px1.corp.example"};
	struct ntlm_negotiate          asked = {0}, read;
	struct ntlm_authenticate       a;
	char                           out[NTLM_CHALLENGE_MAX];
	struct span                    m, challenge;
	const char                    *why;

	if (n < 4)
		return 0;
	memcpy(&asked.flags, data, 4);
	m = fuzz_block(data + 4, n - 4);
	if (ntlm_negotiate_read(m, &read)) {
		CHECK(ntlm_message(m) == NTLM_NEGOTIATE);
		asked = read;
	}
	challenge = fuzz_block(out, ntlm_challenge_write(&asked, &names, data[0] & 1, (const uint8_t *)"challeng", 1, out));
	CHECK(ntlm_message(challenge) == NTLM_CHALLENGE);
	if (ntlm_authenticate_read(m, challenge, &a, &why))
		check_authenticate(&a, m, challenge);
	else
		CHECK(why != NULL);
	fuzz_free(challenge);
	fuzz_free(m);
	return 0;
}
