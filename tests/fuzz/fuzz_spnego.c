/* SPDX-License-Identifier: MIT */
#include "auth/spnego.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span   in = fuzz_block(data, n);
	struct spnego s, again;
	bool          is_kerberos = spnego_is_kerberos(in);

	if (spnego_read(in, &s)) {
		size_t      room = SPNEGO_ROOM(s.token.n) + s.mic.n;
		char       *out = malloc(room);
		struct span answer;
		CHECK(out != NULL && !is_kerberos);
		CHECK(span_inside(s.token, in) && span_inside(s.mic, in) && span_inside(s.mech_list, in));
		CHECK(s.is_init == (s.mech_list.n > 0));
		CHECK(s.first != SPNEGO_NTLM || s.offers_ntlm);
		CHECK(s.first != SPNEGO_KERBEROS || s.offers_kerberos);
		/* what we write of it can be read back */
		answer = span_of(out, spnego_write(SPNEGO_INCOMPLETE, s.is_init, s.token, s.mic, out, room));
		CHECK(answer.n > 0 && spnego_read(answer, &again) && !again.is_init);
		CHECK(span_eq(again.token, s.token) && span_eq(again.mic, s.mic));
		free(out);
	}
	fuzz_free(in);
	return 0;
}
