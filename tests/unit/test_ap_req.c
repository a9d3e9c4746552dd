/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "auth/ap_req.h"
#include "block.h"

#define OID     "\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02"
#define AUTHENT "\xa4\x0d\x30\x0b\xa0\x03\x02\x01\x12\xa2\x04\x04\x02\x00\x00"
#define HEAD    "\xa0\x03\x02\x01\x05\xa1\x03\x02\x01\x0e\xa2\x07\x03\x05\x00\x00\x00\x00\x00"
#define SNAME   "\xa2\x16\x30\x14\xa0\x03\x02\x01\x02\xa1\x0d\x30\x0b\x1b\x04HTTP\x1b\x03p.x"
/* AES256, key version 2, nothing around it */
static const char bare[] = "\x60\x73" OID "\x01\x00\x6e\x64\x30\x62" HEAD "\xa3\x3e\x61\x3c\x30\x3a\xa0\x03\x02\x01\x05\xa1\x05\x1b\x03R.X" SNAME
			   "\xa3\x14\x30\x12\xa0\x03\x02\x01\x12\xa1\x03\x02\x01\x02\xa2\x06\x04\x04\x00\x00\x00\x00" AUTHENT;
/* RC4 without a version, in SPNEGO */
static const char wrapped[] = "\x60\x81\x91\x06\x06\x2b\x06\x01\x05\x05\x02\xa0\x81\x86\x30\x81\x83\xa0\x0d\x30\x0b" OID "\xa2\x72\x04\x70\x60\x6e" OID
			      "\x01\x00\x6e\x5f\x30\x5d" HEAD "\xa3\x39\x61\x37\x30\x35\xa0\x03\x02\x01\x05\xa1\x05\x1b\x03R.X" SNAME
			      "\xa3\x0f\x30\x0d\xa0\x03\x02\x01\x17\xa2\x06\x04\x04\x00\x00\x00\x00" AUTHENT;
/* a negative type, a version that needs five bytes, a control byte in the name */
static const char odd[] = OID "\x01\x00\x6e\x61\x30\x5f" HEAD "\xa3\x3b\x61\x39\x30\x37\xa0\x03\x02\x01\x05\xa1\x03\x1b\x01R"
			      "\xa2\x10\x30\x0e\xa0\x03\x02\x01\x02\xa1\x07\x30\x05\x1b\x03"
			      "a\x01"
			      "b\xa3\x19\x30\x17\xa0\x04\x02\x02\xff\x7b\xa1\x07\x02\x05\x00\x80\x00\x00\x00\xa2\x06\x04\x04\x00\x00\x00\x00" AUTHENT;

static void
test_the_ticket_says_for_whom_it_is(void **state)
{
	static const struct {
		struct span token;
		const char *server;
		int32_t     etype;
		uint32_t    kvno;
		size_t      message; /* bytes */
	} rows[] = {
		{SPAN(bare), "HTTP/p.x@R.X", 18, 2, 0x66},
		{SPAN(wrapped), "HTTP/p.x@R.X", 23, 0, 0x61},
		{SPAN(odd), "a?b@R", -133, 0x80000000u, 0x63},
	};
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct span   b = block_of(rows[i].token.p, rows[i].token.n);
		struct ap_req r;

		assert_true(ap_req_read(b, &r));
		assert_string_equal(r.server, rows[i].server);
		assert_int_equal(r.etype, rows[i].etype);
		assert_int_equal(r.kvno, rows[i].kvno);
		assert_int_equal(r.message.n, rows[i].message);
		assert_int_equal((uint8_t)r.message.p[0], 0x6e);
		block_free(b);
	}
}

static void
test_every_start_of_a_token_is_safe_to_read_and_says_nothing(void **state)
{
	static const struct span rows[] = {SPAN(bare), SPAN(wrapped), SPAN(odd)};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++)
		for (size_t n = 0; n < rows[i].n; n++) {
			struct span   b = block_of(rows[i].p, n);
			struct ap_req r;

			assert_false(ap_req_read(b, &r));
			block_free(b);
		}
}

static void
test_what_is_no_ticket_is_no_ticket(void **state)
{
	static const struct span rows[] = {
		SPAN(""), SPAN("NTLMSSP"), SPAN(OID "\x02\x00\x6f\x03\x30\x01\x00"), /* an AP-REP */
		SPAN(OID "\x01\x00"), SPAN(OID "\x01\x00\x6e\x80\x30\x80"),           /* an indefinite length */
		SPAN(OID "\x01\x00\x6e\x84\xff\xff\xff\xff\x30"), SPAN(OID "\x01\x00\x6e\x85\x00\x00\x00\x00\x00"),
		SPAN(OID "\x01\x00\x6e\x02\x30\x00"), SPAN(OID "\x01\x00\x6e\x04\x30\x02\xa3\x00"),
	};
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct span   b = block_of(rows[i].p, rows[i].n);
		struct ap_req r;

		assert_false(ap_req_read(b, &r));
		block_free(b);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_ticket_says_for_whom_it_is),
		cmocka_unit_test(test_every_start_of_a_token_is_safe_to_read_and_says_nothing),
		cmocka_unit_test(test_what_is_no_ticket_is_no_ticket),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
