/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "auth/spnego.h"
#include "block.h"

#define OID_SPNEGO "\x06\x06\x2b\x06\x01\x05\x05\x02"
#define OID_NTLM   "\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a"
#define OID_NEGOEX "\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x1e"
#define OID_KRB5   "\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02"
#define OID_MSKRB5 "\x06\x09\x2a\x86\x48\x82\xf7\x12\x01\x02\x02"
#define TWO_MECHS  "\x30\x17" OID_MSKRB5 OID_NTLM
#define WINDOWS    "\x30\x2e" OID_MSKRB5 OID_KRB5 OID_NEGOEX OID_NTLM

static const struct row {
	struct span      bytes;
	bool             good, is_init;
	enum spnego_mech first;
	bool             ntlm, kerberos;
	struct span      token, mic;
} rows[] = {
    /* NegTokenInit: with nothing but a list, with flags, with token and MIC */
    {TEXT("\x60\x1c" OID_SPNEGO "\xa0\x12\x30\x10\xa0\x0e\x30\x0c" OID_NTLM), true, true, SPNEGO_NTLM, true, false, TEXT(""), TEXT("")},
    {TEXT("\x60\x2d" OID_SPNEGO "\xa0\x23\x30\x21\xa0\x19" TWO_MECHS "\xa1\x04\x03\x02\x01\x06"), true, true, SPNEGO_KERBEROS, true, true, TEXT(""), TEXT("")},
    {TEXT("\x60\x2e" OID_SPNEGO "\xa0\x24\x30\x22\xa0\x0e\x30\x0c" OID_NTLM "\xa2\x07\x04\x05token\xa3\x07\x04\x05MICma"), true, true, SPNEGO_NTLM, true, false,
     TEXT("token"), TEXT("MICma")},
    /* as Windows has them, with NEGOEX, and NegTokenInit2's hints */
    {TEXT("\x60\x47" OID_SPNEGO "\xa0\x3d\x30\x3b\xa0\x30" WINDOWS "\xa2\x07\x04\x05token"), true, true, SPNEGO_KERBEROS, true, true, TEXT("token"), TEXT("")},
    {TEXT("\x60\x31" OID_SPNEGO "\xa0\x27\x30\x25\xa0\x0e\x30\x0c" OID_NTLM "\xa3\x0a\x30\x08\xa0\x06\x1b\x04hint\xa4\x07\x04\x05MICma"), true, true, SPNEGO_NTLM,
     true, false, TEXT(""), TEXT("MICma")},
    /* lengths in the long form, needed or not */
    {TEXT("\x60\x81\x1f" OID_SPNEGO "\xa0\x82\x00\x13\x30\x81\x10\xa0\x0e\x30\x0c" OID_NTLM), true, true, SPNEGO_NTLM, true, false, TEXT(""), TEXT("")},
    {TEXT("\x60\x81\x1f" OID_SPNEGO "\xa0\x82\x00\x13\x30\x81\x10\xa0\x0e\x30\x0c" OID_NTLM "\0"), false, true, SPNEGO_NO_MECH, false, false, TEXT(""), TEXT("")},
    {TEXT("\x60\x84\x00\x00\x00\x1d" OID_SPNEGO "\xa0\x13\x30\x81\x10\xa0\x0e\x30\x0c" OID_NTLM), true, true, SPNEGO_NTLM, true, false, TEXT(""), TEXT("")},
    /* without the outer frame */
    {TEXT("\xa0\x12\x30\x10\xa0\x0e\x30\x0c" OID_NTLM), true, true, SPNEGO_NTLM, true, false, TEXT(""), TEXT("")},
    /* NegTokenResp */
    {TEXT("\xa1\x02\x30\x00"), true, false, SPNEGO_NO_MECH, false, false, TEXT(""), TEXT("")},
    {TEXT("\xa1\x0b\x30\x09\xa2\x07\x04\x05token"), true, false, SPNEGO_NO_MECH, false, false, TEXT("token"), TEXT("")},
    {TEXT("\xa1\x19\x30\x17\xa0\x03\x0a\x01\x01\xa2\x07\x04\x05token\xa3\x07\x04\x05MICma"), true, false, SPNEGO_NO_MECH, false, false, TEXT("token"), TEXT("MICma")},
    {TEXT("\xa1\x12\x30\x10\xa1\x0c" OID_NTLM "\xa2\x00"), false, false, SPNEGO_NO_MECH, false, false, TEXT(""), TEXT("")},
    {TEXT("\xa1\x10\x30\x0e\xa1\x0c" OID_NTLM), true, false, SPNEGO_NO_MECH, false, false, TEXT(""), TEXT("")},
    /* damaged: no list, an empty one, no OID in it, bytes behind, fields out of order or twice, an unknown one, indefinite lengths */
    {TEXT("\x60\x0c" OID_SPNEGO "\xa0\x02\x30\x00"), false, true, SPNEGO_NO_MECH, false, false, TEXT(""), TEXT("")},
    {TEXT("\x60\x10" OID_SPNEGO "\xa0\x06\x30\x04\xa0\x02\x30\x00"), false, true, SPNEGO_NO_MECH, false, false, TEXT(""), TEXT("")},
    {TEXT("\x60\x13" OID_SPNEGO "\xa0\x09\x30\x07\xa0\x05\x30\x03\x04\x01x"), false, true, SPNEGO_NO_MECH, false, false, TEXT(""), TEXT("")},
    {TEXT("\x60\x1c" OID_SPNEGO "\xa0\x12\x30\x10\xa0\x0e\x30\x0c" OID_NTLM "\0"), false, true, SPNEGO_NO_MECH, false, false, TEXT(""), TEXT("")},
    {TEXT("\xa0\x1b\x30\x19\xa2\x07\x04\x05token\xa0\x0e\x30\x0c" OID_NTLM), false, true, SPNEGO_NO_MECH, false, false, TEXT(""), TEXT("")},
    {TEXT("\xa1\x14\x30\x12\xa2\x07\x04\x05token\xa2\x07\x04\x05token"), false, false, SPNEGO_NO_MECH, false, false, TEXT(""), TEXT("")},
    {TEXT("\xa1\x0b\x30\x09\xa4\x07\x04\x05token"), false, false, SPNEGO_NO_MECH, false, false, TEXT(""), TEXT("")},
    {TEXT("\xa1\x80\x30\x09\xa2\x07\x04\x05token\0\0"), false, false, SPNEGO_NO_MECH, false, false, TEXT(""), TEXT("")},
    {TEXT("\xa1\x85\x00\x00\x00\x00\x0b\x30\x09\xa2\x07\x04\x05token"), false, false, SPNEGO_NO_MECH, false, false, TEXT(""), TEXT("")},
    {TEXT("\xa1\x84\xff\xff\xff\xff\x30\x09\xa2\x07\x04\x05token"), false, false, SPNEGO_NO_MECH, false, false, TEXT(""), TEXT("")},
    {TEXT("\x60\x0f" OID_KRB5 "\1\0\0\0"), false, false, SPNEGO_NO_MECH, false, false, TEXT(""), TEXT("")},
};

static bool
read_block(struct span bytes, struct spnego *out)
{
	struct span in = block_of(bytes.p, bytes.n);
	bool        good = spnego_read(in, out);

	if (good) {
		const struct span parts[] = {out->token, out->mic, out->mech_list};
		for (size_t i = 0; i < ROWS(parts); i++)
			assert_true(parts[i].n == 0 || (parts[i].p >= in.p && parts[i].p + parts[i].n <= in.p + in.n));
	}
	(void)spnego_is_kerberos(in);
	block_free(in);
	return good;
}

static void
test_tokens_are_read_as_they_stand(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct spnego s;
		if (spnego_read(rows[i].bytes, &s) != rows[i].good)
			fail_msg("row %zu", i);
		if (!rows[i].good)
			continue;
		assert_int_equal(s.is_init, rows[i].is_init);
		assert_int_equal(s.first, rows[i].first);
		assert_int_equal(s.offers_ntlm, rows[i].ntlm);
		assert_int_equal(s.offers_kerberos, rows[i].kerberos);
		assert_true(span_eq(s.token, rows[i].token));
		assert_true(span_eq(s.mic, rows[i].mic));
		assert_int_equal(s.mech_list.n > 0, s.is_init);
		assert_true(s.mech_list.n == 0 || s.mech_list.p[0] == 0x30);
	}
}

static void
test_no_prefix_and_no_changed_byte_is_read_beyond(void **state)
{
	struct spnego s;

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		char *changed = malloc(rows[i].bytes.n);
		for (size_t n = 0; n < rows[i].bytes.n; n++)
			assert_false(read_block(span_of(rows[i].bytes.p, n), &s) && rows[i].good);
		for (size_t at = 0; at < rows[i].bytes.n; at++)
			for (unsigned b = 0; b < 256; b++) {
				memcpy(changed, rows[i].bytes.p, rows[i].bytes.n);
				changed[at] = (char)b;
				(void)read_block(span_of(changed, rows[i].bytes.n), &s);
			}
		free(changed);
	}
}

static void
test_bare_kerberos_is_told_by_its_mechanism(void **state)
{
	(void)state;
	assert_true(spnego_is_kerberos(SPAN("\x60\x0f" OID_KRB5 "\1\0\0\0")));
	assert_true(spnego_is_kerberos(SPAN("\x60\x81\x0f" OID_MSKRB5 "\1\0\0\0")));
	assert_false(spnego_is_kerberos(SPAN("\x60\x10" OID_NTLM "\1\0\0\0")));
	assert_false(spnego_is_kerberos(SPAN("\x60\x0f" OID_KRB5 "\1\0\0\0\0")));
	assert_false(spnego_is_kerberos(SPAN("\x60\x0f" OID_KRB5 "\1\0\0")));
	assert_false(spnego_is_kerberos(SPAN("")));
}

static void
test_answers_are_what_the_standard_shows(void **state)
{
	char out[64];

	(void)state;
	assert_true(span_eq(span_of(out, spnego_write(SPNEGO_COMPLETED, false, SPAN(""), SPAN(""), out, sizeof out)), SPAN("\xa1\x07\x30\x05\xa0\x03\x0a\x01\x00")));
	assert_true(span_eq(span_of(out, spnego_write(SPNEGO_REQUEST_MIC, true, SPAN(""), SPAN(""), out, sizeof out)),
	    SPAN("\xa1\x15\x30\x13\xa0\x03\x0a\x01\x03\xa1\x0c" OID_NTLM)));
	assert_true(span_eq(span_of(out, spnego_write(SPNEGO_COMPLETED, false, SPAN(""), SPAN("MICma"), out, sizeof out)),
	    SPAN("\xa1\x10\x30\x0e\xa0\x03\x0a\x01\x00\xa3\x07\x04\x05MICma")));
}

static void
test_answers_of_every_length_can_be_read(void **state)
{
	static char token[70000];

	(void)state;
	memset(token, 't', sizeof token);
	for (size_t n = 1; n < sizeof token; n += n < 700 ? 1 : 997) {
		size_t        need, room = SPNEGO_ROOM(n);
		char         *out = malloc(room), *tight;
		struct spnego s;
		need = spnego_write(SPNEGO_INCOMPLETE, true, span_of(token, n), SPAN("0123456789abcdef"), out, room);
		assert_true(need > n);
		assert_true(read_block(span_of(out, need), &s));
		assert_false(s.is_init);
		assert_int_equal(s.token.n, n);
		assert_int_equal(s.mic.n, 16);
		free(out);
		tight = malloc(need);
		assert_int_equal(spnego_write(SPNEGO_INCOMPLETE, true, span_of(token, n), SPAN("0123456789abcdef"), tight, need - 1), 0);
		assert_int_equal(spnego_write(SPNEGO_INCOMPLETE, true, span_of(token, n), SPAN("0123456789abcdef"), tight, need), need);
		free(tight);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_tokens_are_read_as_they_stand),
	    cmocka_unit_test(test_no_prefix_and_no_changed_byte_is_read_beyond),
	    cmocka_unit_test(test_bare_kerberos_is_told_by_its_mechanism),
	    cmocka_unit_test(test_answers_are_what_the_standard_shows),
	    cmocka_unit_test(test_answers_of_every_length_can_be_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
