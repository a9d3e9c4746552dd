/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "auth/challenge.h"
#include "block.h"

/* A block with nothing in it but what [auth] says. */
struct fake {
	struct settings set;
	char            text[64];
};

static struct snapshot
snapshot_of(struct fake *f, struct span realm)
{
	struct snapshot s;

	memset(&s, 0, sizeof s);
	memcpy(f->text, realm.p, realm.n);
	f->set.auth.realm.off = offsetof(struct fake, text);
	f->set.auth.realm.n = (uint32_t)realm.n;
	s.block = f;
	s.size = sizeof *f;
	s.set = &f->set;
	return s;
}

static void
set_schemes(struct fake *f)
{
	memset(f, 0, sizeof *f);
	f->set.auth.scheme[0] = AUTH_SCHEME_NEGOTIATE;
	f->set.auth.scheme[1] = AUTH_SCHEME_NTLM;
	f->set.auth.scheme[2] = AUTH_SCHEME_BASIC;
	f->set.auth.n_schemes = 3;
	f->set.auth.ntlm = BACK_NTLM_FILE;
	f->set.auth.basic = BACK_BASIC_FILE;
	f->set.auth.kinds = 1u << BACK_NTLM_FILE | 1u << BACK_BASIC_FILE;
}

#define BIT(scheme) (1u << AUTH_SCHEME_##scheme)
#define EVERY       (BIT(BASIC) | BIT(NTLM) | BIT(NEGOTIATE))

static void
test_schemes_are_offered_where_they_can_be_answered(void **state)
{
	static const struct {
		bool     bound, tls, without_tls, kerberos, ntlm, basic;
		unsigned want;
	} rows[] = {
	    {true, true, false, true, true, true, EVERY},
	    {true, false, false, true, true, true, BIT(NTLM) | BIT(NEGOTIATE)},
	    {true, false, true, true, true, true, EVERY},
	    {false, true, false, true, true, true, BIT(BASIC) | BIT(NEGOTIATE)},
	    {false, true, false, false, true, true, BIT(BASIC)},
	    {false, false, false, false, true, true, 0},
	    {true, true, false, false, true, true, EVERY},
	    {true, true, false, false, false, true, BIT(BASIC)},
	    {true, true, false, true, false, true, BIT(BASIC) | BIT(NEGOTIATE)},
	    {true, true, true, false, true, false, BIT(NTLM) | BIT(NEGOTIATE)},
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct fake     f;
		struct snapshot s;
		set_schemes(&f);
		s = snapshot_of(&f, SPAN("x"));
		f.set.auth.basic_without_tls = rows[i].without_tls;
		f.set.auth.kinds |= rows[i].kerberos ? 1u << BACK_KERBEROS : 0;
		f.set.auth.ntlm = rows[i].ntlm ? BACK_NTLM_FILE : BACK_KINDS;
		f.set.auth.basic = rows[i].basic ? BACK_BASIC_FILE : BACK_KINDS;
		assert_int_equal(challenge_schemes(&s, rows[i].bound, rows[i].tls), rows[i].want);
	}
}

static void
test_lines_come_in_the_configured_order_and_whole(void **state)
{
	static const char want[] = "Proxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM\r\n"
	                           "Proxy-Authenticate: Basic realm=\"a \\\"b\\\" \\\\ \xc3\xa4\", charset=\"UTF-8\"\r\n";
	struct fake       f;
	struct snapshot   s;

	(void)state;
	set_schemes(&f);
	s = snapshot_of(&f, SPAN("a \"b\" \\\r\n \xc3\xa4"));
	for (size_t room = 0; room <= sizeof want; room++) {
		char  *out = malloc(room ? room : 1);
		size_t n = challenge_write(&s, EVERY, out, room);
		assert_true(n <= room && memcmp(out, want, n) == 0);
		assert_true(n == 0 || out[n - 1] == '\n');
		assert_true(room + 1 < sizeof want ? n < sizeof want - 1 : n == sizeof want - 1);
		free(out);
	}
	f.set.auth.scheme[0] = AUTH_SCHEME_BASIC;
	f.set.auth.n_schemes = 2;
	{
		char   out[200];
		size_t n = challenge_write(&s, BIT(NTLM), out, sizeof out);
		assert_true(span_eq(span_of(out, n), SPAN("Proxy-Authenticate: NTLM\r\n")));
	}
}

static void
test_tokens_fit_or_are_not_written(void **state)
{
	char out[100];

	(void)state;
	assert_true(span_eq(span_of(out, challenge_write_token(AUTH_SCHEME_NTLM, SPAN("abcd"), out, sizeof out)), SPAN("Proxy-Authenticate: NTLM YWJjZA==\r\n")));
	assert_true(span_eq(span_of(out, challenge_write_token(AUTH_SCHEME_NEGOTIATE, SPAN("abc"), out, sizeof out)), SPAN("Proxy-Authenticate: Negotiate YWJj\r\n")));
	assert_true(span_eq(span_of(out, challenge_write_info(SPAN("ab"), out, sizeof out)), SPAN("Proxy-Authentication-Info: Negotiate YWI=\r\n")));
	for (size_t room = 0; room <= 35; room++) {
		char *exact = malloc(room ? room : 1);
		assert_int_equal(challenge_write_token(AUTH_SCHEME_NTLM, SPAN("abcd"), exact, room), room < 35 ? 0 : 35);
		free(exact);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_schemes_are_offered_where_they_can_be_answered),
	    cmocka_unit_test(test_lines_come_in_the_configured_order_and_whole),
	    cmocka_unit_test(test_tokens_fit_or_are_not_written),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
