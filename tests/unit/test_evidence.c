/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "ipc/evidence.h"

#define ROWS(a) (sizeof(a) / sizeof *(a))
#define SECOND  UINT64_C(1000000)

static void
note(struct evidence *e, const char *host, const char *client, const char *agent, enum fault fault, unsigned status, uint64_t at_s)
{
	struct evidence_event ev = {
		.host = span_str(host), .agent = span_str(agent), .when_us = at_s * SECOND, .port = 443, .status = (uint16_t)status, .fault = fault,
		.https = true, .is_connect = true, .is_decided = status != 407,
	};

	assert_true(addr_parse(span_str(client), &ev.client));
	evidence_note(e, &ev);
}

static const struct evidence_row *
only(const struct evidence *e)
{
	const struct evidence_row *row[EVIDENCE_HOSTS];
	size_t                     n = evidence_rows(e, row);

	assert_int_equal(n, 1);
	return row[0];
}

static size_t
how_many(const struct evidence *e)
{
	const struct evidence_row *row[EVIDENCE_HOSTS];

	return evidence_rows(e, row);
}

static void
test_rejections_are_counted_by_host_client_and_agent(void **state)
{
	struct evidence           *e = evidence_new(7, NULL);
	const struct evidence_row *r;

	(void)state;
	assert_non_null(e);
	note(e, "a.example", "10.0.0.1", "App/1", FAULT_CLIENT_REJECTED_CERTIFICATE, 200, 100);
	note(e, "a.example", "10.0.0.2", "App/1", FAULT_CLIENT_REJECTED_CERTIFICATE, 200, 90);
	note(e, "a.example", "10.0.0.1", "App/1", FAULT_CLIENT_REJECTED_CERTIFICATE, 200, 120);
	note(e, "a.example", "10.0.0.1", "", FAULT_CLIENT_REJECTED_CERTIFICATE, 200, 110);
	note(e, "a.example", "10.0.0.1", "App/1", FAULT_NONE, 200, 110);
	note(e, "a.example", "10.0.0.1", "App/1", FAULT_CLIENT_TLS_FAILED, 200, 110);
	r = only(e);
	assert_int_equal(r->kind, EVIDENCE_REJECTED);
	assert_int_equal(r->count, 4);
	assert_int_equal(r->first_us, 90 * SECOND);
	assert_int_equal(r->last_us, 120 * SECOND);
	assert_int_equal(r->n_who, 3);
	assert_int_equal(r->n_agents, 2);
	assert_string_equal(r->agent[0], "App/1");
	assert_int_equal(r->who[0].count, 2);
	for (unsigned i = 0; i < 20; i++) {
		char client[32], agent[32];
		snprintf(client, sizeof client, "10.1.0.%u", i);
		snprintf(agent, sizeof agent, "Other/%u", i);
		note(e, "a.example", client, agent, FAULT_CLIENT_REJECTED_CERTIFICATE, 200, 130);
	}
	r = only(e);
	assert_int_equal(r->count, 24);
	assert_int_equal(r->n_who, EVIDENCE_WHO);
	assert_int_equal(r->n_agents, EVIDENCE_AGENTS);
	assert_int_equal(r->more, 15);
	evidence_free(e);
}

static void
test_what_was_not_seen_for_longest_is_forgotten(void **state)
{
	struct evidence           *e = evidence_new(7, NULL);
	const struct evidence_row *row[EVIDENCE_HOSTS];
	char                       host[64];

	(void)state;
	assert_non_null(e);
	for (unsigned i = 0; i < EVIDENCE_HOSTS + 10; i++) {
		snprintf(host, sizeof host, "h%u.example", i);
		note(e, host, "10.0.0.1", "", FAULT_CLIENT_REJECTED_CERTIFICATE, 200, 100 + i);
		note(e, "kept.example", "10.0.0.1", "", FAULT_CLIENT_REJECTED_CERTIFICATE, 200, 100 + i);
	}
	assert_int_equal(evidence_rows(e, row), EVIDENCE_HOSTS);
	for (unsigned i = 0; i < EVIDENCE_HOSTS; i++)
		if (strcmp(row[i]->host, "kept.example") == 0)
			assert_int_equal(row[i]->count, EVIDENCE_HOSTS + 10);
		else
			assert_true(row[i]->last_us >= 111 * SECOND);
	evidence_free(e);
}

static void
test_a_machine_that_never_gets_through_is_a_loop_and_a_handshake_is_none(void **state)
{
	/* what each of the events is: '4' a 407, 'n' the next leg, 'k' a good end, 'd' refused by a rule, 'l' limited, 'u' back end away, 'a' broken off */
	static const struct {
		const char *events;
		const char *agent;
		unsigned    apart_s;
		uint64_t    loops; /* 0: none */
	} rows[] = {
		{"4444444444", "Microsoft-WNS/10.0", 1, 10},
		{"444444444", "Microsoft-WNS/10.0", 1, 0},
		{"4444444444444", "", 1, 13},
		{"4444444444", "Microsoft-CryptoAPI/10.0", 400, 10},
		{"4444444444", "Microsoft-CryptoAPI/10.0", 410, 0},
		{"444444444444", "Mozilla/5.0 (Windows NT 10.0) Firefox/130.0", 1, 0},
		{"4444444444", "Mozilla/4.0 (compatible; Win32; WinHttp.WinHttpRequest.5)", 1, 10},
		{"4k4k4k4k4k4k4k4k4k4k4k4k", "curl/8", 1, 0},
		{"44444k44444k44444k", "curl/8", 1, 0},
		{"4n4n4n4n4n4n4n4n4n4n4n4n4n4n", "curl/8", 1, 0},
		{"444444444444k", "curl/8", 1, 0}, /* found, and then it got through */
		{"444444444444d", "curl/8", 1, 0},
		{"4444444444ua", "curl/8", 1, 10},
		{"44444lllll", "curl/8", 1, 10},
		{"44444444444444444444k4444444444", "curl/8", 1, 10},
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct evidence *e = evidence_new(7, NULL);
		uint64_t         at = 1000;
		assert_non_null(e);
		for (const char *p = rows[i].events; *p; p++, at += rows[i].apart_s) {
			enum fault f = *p == '4' ? FAULT_AUTH_REQUIRED : *p == 'n' ? FAULT_AUTH_CONTINUES : *p == 'd' ? FAULT_DENIED : *p == 'l' ? FAULT_AUTH_LIMITED :
			    *p == 'u' ? FAULT_AUTH_UNAVAILABLE : *p == 'a' ? FAULT_CLIENT_ABORTED : FAULT_NONE;
			unsigned status = *p == '4' || *p == 'n' ? 407 : *p == 'k' ? 200 : *p == 'd' ? 403 : *p == 'l' ? 429 : *p == 'u' ? 503 : 0;
			note(e, "wns.example", "10.0.0.1", rows[i].agent, f, status, at);
			note(e, "wns.example", "10.0.0.2", rows[i].agent, FAULT_NONE, 200, at); /* somebody else can */
		}
		if (how_many(e) != (rows[i].loops != 0))
			fail_msg("row %zu: %zu hosts", i, how_many(e));
		if (rows[i].loops) {
			assert_int_equal(only(e)->count, rows[i].loops);
			assert_int_equal(only(e)->first_us, (at - rows[i].loops * rows[i].apart_s) * SECOND - (strpbrk(rows[i].events, "ua") ? 2 * SECOND : 0));
		}
		evidence_free(e);
	}
}

static void
test_a_server_that_wants_a_certificate_is_counted_once(void **state)
{
	struct evidence      *e = evidence_new(7, NULL);
	struct evidence_event ev = {.host = SPAN("wants.example"), .when_us = SECOND, .port = 443, .status = 502, .fault = FAULT_ORIGIN_WANTS_CERTIFICATE, .https = true, .is_decided = true};

	(void)state;
	assert_non_null(e);
	evidence_note(e, &ev);
	assert_int_equal(how_many(e), 0);
	ev.is_connect = true;
	evidence_note(e, &ev);
	assert_int_equal(only(e)->kind, EVIDENCE_WANTS);
	assert_int_equal(only(e)->count, 1);
	ev = (struct evidence_event){.host = SPAN("wants.example"), .detail = SPAN(EVIDENCE_WANTED ", which ..."), .when_us = SECOND, .port = 443, .status = 400, .https = true, .is_decided = true};
	evidence_note(e, &ev);
	assert_int_equal(only(e)->count, 2);
	assert_int_equal(only(e)->n_details, 1);
	ev.status = 403; /* may mean anything */
	evidence_note(e, &ev);
	assert_int_equal(only(e)->count, 2);
	evidence_free(e);
}

static void
test_a_successor_goes_on_and_a_damaged_table_is_bounded(void **state)
{
	struct shared_evidence *s = calloc(1, sizeof *s);
	struct evidence        *e = evidence_new(7, s);
	struct evidence_row     r;

	(void)state;
	assert_non_null(s);
	assert_non_null(e);
	note(e, "a.example", "10.0.0.1", "App/1", FAULT_CLIENT_REJECTED_CERTIFICATE, 200, 100);
	note(e, "b.example", "10.0.0.1", "App/1", FAULT_CLIENT_REJECTED_CERTIFICATE, 200, 101);
	evidence_free(e);
	s->slot[1].number |= 1; /* it died while it wrote */
	e = evidence_new(8, s);
	assert_non_null(e);
	assert_int_equal(s->hosts[EVIDENCE_REJECTED], 1);
	note(e, "a.example", "10.0.0.1", "App/1", FAULT_CLIENT_REJECTED_CERTIFICATE, 200, 102);
	note(e, "b.example", "10.0.0.1", "App/1", FAULT_CLIENT_REJECTED_CERTIFICATE, 200, 103);
	assert_int_equal(s->hosts[EVIDENCE_REJECTED], 2);
	assert_int_equal(s->times[EVIDENCE_REJECTED], 4);
	assert_true(evidence_read(s, 0, &r));
	assert_string_equal(r.host, "a.example");
	assert_int_equal(r.count, 2);
	assert_true(evidence_read(s, 1, &r));
	assert_int_equal(r.count, 1);
	evidence_free(e);
	memset((void *)&s->slot[0].row, 0xff, sizeof s->slot[0].row);
	assert_false(evidence_read(s, 0, &r));
	s->slot[0].row.kind = EVIDENCE_LOOP;
	assert_true(evidence_read(s, 0, &r));
	assert_int_equal(r.n_who, EVIDENCE_WHO);
	assert_int_equal(strlen(r.host), 255);
	assert_int_equal(strlen(r.agent[3]), EVIDENCE_AGENT_MAX - 1);
	e = evidence_new(8, s);
	assert_non_null(e);
	note(e, "c.example", "10.0.0.1", "App/1", FAULT_CLIENT_REJECTED_CERTIFICATE, 200, 104);
	evidence_free(e);
	free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rejections_are_counted_by_host_client_and_agent),
		cmocka_unit_test(test_what_was_not_seen_for_longest_is_forgotten),
		cmocka_unit_test(test_a_machine_that_never_gets_through_is_a_loop_and_a_handshake_is_none),
		cmocka_unit_test(test_a_server_that_wants_a_certificate_is_counted_once),
		cmocka_unit_test(test_a_successor_goes_on_and_a_damaged_table_is_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
