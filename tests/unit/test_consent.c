/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "session/consent.h"

#define NOW 1700000000u

static const uint8_t    key[32] = "0123456789abcdef0123456789abcde", other_key[32] = "x";
static const uint8_t    print[PROFILE_PRINT] = {1}, other_print[PROFILE_PRINT] = {2};
static struct addr      client, other_client;
static struct authority at, other_port, other_host;

static int
set_up(void **state)
{
	(void)state;
	client = addr_from_v4(0x0a000001);
	other_client = addr_from_v4(0x0a000002);
	return !authority_parse_connect(SPAN("a.example:443"), &at) || !authority_parse_connect(SPAN("a.example:444"), &other_port) ||
	    !authority_parse_connect(SPAN("b.example:443"), &other_host);
}

static struct consent
usual(void)
{
	return (struct consent){CONSENT_GIVEN, &client, &at, FAULT_CERT_EXPIRED, 1, print};
}

static void
test_a_consent_holds_for_ten_minutes_and_not_longer(void **state)
{
	static const struct {
		int64_t later;
		bool    holds;
	} rows[] = {{0, true}, {1, true}, {CONSENT_SECONDS - 1, true}, {CONSENT_SECONDS, false}, {100000, false}, {-1, false}, {-1000, false}};
	struct consent c = usual();
	char           text[CONSENT_TEXT];

	(void)state;
	consent_make(key, &c, NOW, text);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(consent_holds(key, &c, (uint64_t)((int64_t)NOW + rows[i].later), span_of(text, sizeof text)), rows[i].holds);
}

static void
test_a_consent_is_to_one_thing(void **state)
{
	const struct consent others[] = {
		{CONSENT_OFFER, &client, &at, FAULT_CERT_EXPIRED, 1, print}, {CONSENT_GIVEN, &other_client, &at, FAULT_CERT_EXPIRED, 1, print},
		{CONSENT_GIVEN, &client, &other_port, FAULT_CERT_EXPIRED, 1, print}, {CONSENT_GIVEN, &client, &other_host, FAULT_CERT_EXPIRED, 1, print},
		{CONSENT_GIVEN, &client, &at, FAULT_CERT_WRONG_HOST, 1, print}, {CONSENT_GIVEN, &client, &at, FAULT_CERT_EXPIRED, 1, other_print},
		{CONSENT_GIVEN, &client, &at, FAULT_CERT_EXPIRED, 3, print},
	};
	struct consent c = usual();
	char           text[CONSENT_TEXT];

	(void)state;
	consent_make(key, &c, NOW, text);
	assert_false(consent_holds(other_key, &c, NOW, span_of(text, sizeof text)));
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		assert_false(consent_holds(key, &others[i], NOW, span_of(text, sizeof text)));
}

static void
test_whatever_is_changed_or_cut_off_it_holds_no_longer(void **state)
{
	struct consent c = usual();
	char           text[CONSENT_TEXT];

	(void)state;
	consent_make(key, &c, NOW, text);
	for (size_t n = 0; n < sizeof text; n++) {
		char *cut = malloc(n ? n : 1);
		memcpy(cut, text, n);
		assert_false(consent_holds(key, &c, NOW, span_of(cut, n)));
		free(cut);
	}
	for (size_t i = 0; i < sizeof text; i++) {
		for (const char *to = "0f Zz\xff"; *to; to++) {
			char was = text[i];
			if (*to == was)
				continue;
			text[i] = *to;
			assert_false(consent_holds(key, &c, NOW, span_of(text, sizeof text)));
			text[i] = was;
		}
	}
	assert_true(consent_holds(key, &c, NOW, span_of(text, sizeof text)));
}

static void
test_our_cookie_is_left_out_and_no_other(void **state)
{
	static const struct {
		const char *in, *out; /* pairs, each followed by | */
	} rows[] = {
		{"", ""}, {"a=b", "a=b|"}, {"a=b; c=d", "a=b|c=d|"}, {" ;; a=b ;\t", "a=b|"}, {CONSENT_COOKIE "=x", ""},
		{"a=b; " CONSENT_COOKIE "=x; c=d", "a=b|c=d|"}, {CONSENT_COOKIE "=x;a=b;" CONSENT_COOKIE "=", "a=b|"}, {CONSENT_COOKIE, CONSENT_COOKIE "|"},
		{CONSENT_COOKIE "s=x", CONSENT_COOKIE "s=x|"}, {"x" CONSENT_COOKIE "=x", "x" CONSENT_COOKIE "=x|"}, {"a=\"q;r\"", "a=\"q|r\"|"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		size_t      n = strlen(rows[i].in), in = 0;
		char       *copy = malloc(n ? n : 1), out[256] = "";
		struct span pair;
		memcpy(copy, rows[i].in, n);
		while (consent_cookie_next(span_of(copy, n), &in, &pair)) {
			strncat(out, pair.p, pair.n);
			strcat(out, "|");
		}
		assert_string_equal(out, rows[i].out);
		free(copy);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_consent_holds_for_ten_minutes_and_not_longer),
		cmocka_unit_test(test_a_consent_is_to_one_thing),
		cmocka_unit_test(test_whatever_is_changed_or_cut_off_it_holds_no_longer),
		cmocka_unit_test(test_our_cookie_is_left_out_and_no_other),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
