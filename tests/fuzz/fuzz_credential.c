/* SPDX-License-Identifier: MIT */
#include "auth/ask.h"
#include "auth/credential.h"
#include "auth/ntlm.h"
#include "fuzz.h"

static void
check_base64(struct span text)
{
	char  *out = malloc(text.n + 4), *back = malloc(text.n + 4);
	size_t n;

	CHECK(out != NULL && back != NULL);
	n = base64_decode(text, out, text.n);
	/* one spelling for each sequence of bytes */
	if (n != SIZE_MAX)
		CHECK(span_eq(span_of(back, base64_encode(span_of(out, n), back)), text));
	free(out);
	free(back);
}

static void
check_pair(const struct credential *c)
{
	CHECK(c->user.n > 0 && memchr(c->user.p, ':', c->user.n) == NULL && c->password.p == c->user.p + c->user.n + 1);
	for (const char *p = c->user.p; p < c->password.p + c->password.n; p++)
		CHECK((unsigned char)*p >= 0x20 && *p != 0x7f);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span       value = fuzz_block(data, n), scratch = fuzz_block(data, n);
	struct credential c;

	check_base64(value);
	credential_read(value, (char *)(uintptr_t)scratch.p, scratch.n, &c);
	CHECK((c.kind == CREDENTIAL_NONE) == (c.scheme == AUTH_SCHEME_NONE));
	CHECK(span_inside(c.token, scratch) && span_inside(c.user, scratch) && span_inside(c.password, scratch));
	CHECK(span_inside(c.mech_list, scratch) && span_inside(c.mic, scratch));
	CHECK(c.token.n <= ASK_TOKEN_MAX);
	switch (c.kind) {
	case CREDENTIAL_BASIC:
		CHECK(c.scheme == AUTH_SCHEME_BASIC);
		check_pair(&c);
		break;
	case CREDENTIAL_NTLM:
		CHECK(ntlm_message(c.token) == NTLM_NEGOTIATE || ntlm_message(c.token) == NTLM_AUTHENTICATE);
		CHECK(!c.wrapped || c.scheme == AUTH_SCHEME_NEGOTIATE);
		break;
	case CREDENTIAL_KERBEROS:
		CHECK(c.scheme == AUTH_SCHEME_NEGOTIATE && c.token.p == scratch.p && c.token.n > 0);
		break;
	case CREDENTIAL_NEGOTIATE:
		CHECK(c.scheme == AUTH_SCHEME_NEGOTIATE && c.offers_ntlm && c.mech_list.n > 0);
		break;
	default:
		break;
	}
	fuzz_free(value);
	fuzz_free(scratch);
	return 0;
}
