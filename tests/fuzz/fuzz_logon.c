/* SPDX-License-Identifier: MIT */
/* From the bytes of a request to what a back end is asked: head, credential, SPNEGO, NTLM, the wire, the name that failures count under. The first byte
 * says whether the rest is a whole head, or a token under one of the schemes, which goes into a head of ours. */
#include "auth/credential.h"
#include "auth/handshake.h"
#include "auth/lockout.h"
#include "auth/ntlm_back.h"
#include "auth/ntlm_text.h"
#include "auth/spnego.h"
#include "auth/wire.h"
#include "fuzz.h"
#include "parse/head.h"

static const struct ntlm_names names = {"CORP", "PROXY", "corp.example", "proxy.corp.example"};
static char                    challenge[NTLM_CHALLENGE_MAX];
static size_t                  n_challenge;

static void
answer_negotiate(const struct credential *c)
{
	struct ntlm_negotiate  n;
	char                   out[NTLM_CHALLENGE_MAX], wrapped[SPNEGO_ROOM(NTLM_CHALLENGE_MAX)];
	const uint8_t          random[8] = "12345678";
	struct handshake_parts p = {.scheme = c->scheme, .wrapped = c->wrapped, .negotiate = c->token, .mech_list = c->mech_list};
	struct handshake      *h;

	if (!ntlm_negotiate_read(c->token, &n))
		return;
	p.challenge = span_of(out, ntlm_challenge_write(&n, &names, true, random, 0, out));
	CHECK(p.challenge.n <= sizeof out && ntlm_message(p.challenge) == NTLM_CHALLENGE);
	CHECK(spnego_write(SPNEGO_INCOMPLETE, true, p.challenge, SPAN(""), wrapped, sizeof wrapped) > 0);
	h = handshake_new(&p);
	CHECK((h != NULL) == (c->mech_list.n <= HANDSHAKE_MECH_LIST_MAX));
	if (h)
		CHECK(span_eq(handshake_negotiate(h), c->token) && span_eq(handshake_challenge(h), p.challenge) && span_eq(handshake_mech_list(h), c->mech_list));
	handshake_free(h);
}

/* What was asked arrives as it was asked, and the auth process reads the same name in it. */
static void
send_ask(const struct ask *a)
{
	static char               packet[WIRE_MAX];
	static struct shared_auth shared;
	size_t                    n = wire_put_ask(packet, sizeof packet, 7, a);
	struct span               copy;
	struct ask                got;
	struct lockout            keys;
	char                      folded[LOCKOUT_USER_MAX], again[LOCKOUT_USER_MAX];
	uint64_t                  id;

	CHECK(n > 0);
	copy = fuzz_block(packet, n);
	CHECK(wire_get_ask(copy.p, copy.n, &id, &got) && id == 7 && got.op == a->op);
	for (unsigned i = 0; i < ASK_PARTS; i++)
		CHECK(span_eq(got.part[i], a->part[i]));
	lockout_keys(&shared, BACK_WINBIND, &got, &keys);
	CHECK(keys.counted);
	if (a->op == ASK_BASIC) {
		size_t m = lockout_fold(a->part[0], folded, sizeof folded), k = lockout_fold(span_of(folded, m), again, sizeof again);
		CHECK(m <= sizeof folded && k <= m);
	}
	fuzz_free(copy);
}

static void
finish_ntlm(const struct credential *c)
{
	struct ntlm_authenticate m;
	const char              *why;
	struct ask               a = {.op = ASK_NTLM};
	struct answer            out = {0};
	uint8_t                  eight[8], key[16] = {0};

	if (!ntlm_authenticate_read(c->token, span_of(challenge, n_challenge), &m, &why)) {
		CHECK(why != NULL);
		return;
	}
	CHECK(m.user_utf8[0]);
	a.part[NTLM_PART_NEGOTIATE] = SPAN("NTLMSSP\0\1\0\0\0");
	a.part[NTLM_PART_CHALLENGE] = span_of(challenge, n_challenge);
	a.part[NTLM_PART_AUTHENTICATE] = c->token;
	a.part[NTLM_PART_MECH_LIST] = c->mech_list;
	a.part[NTLM_PART_MIC] = c->mic;
	send_ask(&a);
	CHECK(ntlm_back_read(&a, &m, eight, &out));
	ntlm_back_finish(&a, &m, key, &out);
	answer_clear(&out);
}

static void
judge(struct span value)
{
	struct span       scratch = fuzz_block(value.p, value.n);
	struct credential c;
	struct ask        a;

	credential_read(value, (char *)(uintptr_t)scratch.p, scratch.n, &c);
	if (c.kind == CREDENTIAL_BASIC) {
		a = (struct ask){.op = ASK_BASIC, .part = {c.user, c.password}};
		send_ask(&a);
	} else if (c.kind == CREDENTIAL_NTLM && ntlm_message(c.token) == NTLM_NEGOTIATE) {
		answer_negotiate(&c);
	} else if (c.kind == CREDENTIAL_NTLM) {
		finish_ntlm(&c);
	}
	fuzz_free(scratch);
}

static void
read_head(struct span bytes)
{
	struct head head;
	size_t      used;
	enum fault  fault;

	if (head_parse_request(bytes, 0, &head, &used, &fault) == PARSE_OK && head.n_proxy_authorization == 1) {
		CHECK(span_inside(head.proxy_authorization, bytes));
		judge(head.proxy_authorization);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const char *const scheme[] = {"Basic", "NTLM", "Negotiate"};
	struct ntlm_negotiate    all = {.flags = 0xa2088207};
	struct span              block;
	char                    *text;
	size_t                   at;

	if (n == 0 || n > ASK_TOKEN_MAX)
		return 0;
	n_challenge = ntlm_challenge_write(&all, &names, true, (const uint8_t *)"12345678", 0, challenge);
	if (data[0] % 4 == 3) {
		block = fuzz_block(data + 1, n - 1);
		read_head(block);
		fuzz_free(block);
		return 0;
	}
	text = malloc(128 + n / 3 * 4 + 8);
	CHECK(text != NULL);
	at = (size_t)sprintf(text, "GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\nProxy-Authorization: %s ", scheme[data[0] % 4]);
	at += base64_encode(fuzz_input(data + 1, n - 1), text + at);
	memcpy(text + at, "\r\n\r\n", 4);
	block = fuzz_block(text, at + 4);
	free(text);
	read_head(block);
	fuzz_free(block);
	return 0;
}
