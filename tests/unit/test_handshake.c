/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <malloc.h>

#include "auth/handshake.h"
#include "auth/ntlm.h"

static char bytes[4096];

static void
test_parts_come_back_as_they_went_in(void **state)
{
	static const struct {
		size_t negotiate, challenge, mech_list;
		bool   fits;
	} rows[] = {
		{40, 180, 30, true}, {0, 0, 0, true}, {0, 0, 14, true}, {NTLM_NEGOTIATE_MAX, NTLM_CHALLENGE_MAX, HANDSHAKE_MECH_LIST_MAX, true},
		{NTLM_NEGOTIATE_MAX + 1, 1, 1, false}, {1, NTLM_CHALLENGE_MAX + 1, 1, false}, {1, 1, HANDSHAKE_MECH_LIST_MAX + 1, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (char)(i * 7 + i / 256);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct handshake_parts p = {
			.scheme = AUTH_SCHEME_NEGOTIATE, .wrapped = true, .handle = 77, .begun_us = 5, .negotiate = span_of(bytes, rows[i].negotiate),
			.challenge = span_of(bytes + 1000, rows[i].challenge), .mech_list = span_of(bytes + 3000, rows[i].mech_list)};
		struct handshake *h = handshake_new(&p);
		assert_true((h != NULL) == rows[i].fits);
		if (!h)
			continue;
		assert_true(span_eq(handshake_negotiate(h), p.negotiate) && span_eq(handshake_challenge(h), p.challenge) && span_eq(handshake_mech_list(h), p.mech_list));
		assert_true(h->scheme == AUTH_SCHEME_NEGOTIATE && h->wrapped && h->handle == 77 && h->begun_us == 5);
		handshake_free(h);
	}
	handshake_free(NULL);
}

static void
test_block_is_no_larger_than_what_it_holds(void **state)
{
	struct handshake *h = handshake_new(&(struct handshake_parts){.negotiate = span_of(bytes, 40), .challenge = span_of(bytes, 180)});

	(void)state;
	assert_true(malloc_usable_size(h) <= sizeof *h + 40 + 180 + 24);
	handshake_free(h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parts_come_back_as_they_went_in),
		cmocka_unit_test(test_block_is_no_larger_than_what_it_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
