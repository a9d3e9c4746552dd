/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>

#include "auth/wire.h"
#include "block.h"

static char buf[WIRE_MAX];

static size_t
an_ask(void)
{
	struct ask a = {
		.op = ASK_NTLM,
		.wants_groups = true,
		.has_binding = true,
		.binding = {1, 2, 3},
		.client = addr_from_v4(0x0a000001),
		.handle = 0x1122334455667788u,
		.timeout_ms = 5000,
		.part = {SPAN("negotiate"), SPAN("challenge"), SPAN("authenticate"), SPAN(""), SPAN("m\0c")},
	};

	return wire_put_ask(buf, sizeof buf, 77, &a);
}

static size_t
an_answer(void)
{
	struct answer a = {.result = ASK_CONTINUE, .account = "alice", .domain = "CORP", .realm = "", .detail = "NT_STATUS_MORE", .retry_after_s = 3,
		.handle = 9, .took_us = 1234, .token = (char *)(uintptr_t) "tok\0en", .n_token = 6, .groups = (char *)(uintptr_t) "S-1-1\0A\\B", .groups_bytes = 10};

	return wire_put_answer(buf, sizeof buf, 78, &a);
}

static void
test_an_ask_comes_out_as_it_went_in(void **state)
{
	struct ask   out;
	uint64_t     id;
	size_t       n = an_ask();
	struct span  s = block_of(buf, n);

	(void)state;
	assert_true(n > 0);
	assert_true(wire_get_ask(s.p, s.n, &id, &out));
	assert_int_equal(id, 77);
	assert_int_equal(out.op, ASK_NTLM);
	assert_true(out.wants_groups && !out.wants_pac && out.has_binding);
	assert_int_equal(out.binding[2], 3);
	assert_true(out.handle == 0x1122334455667788u && out.timeout_ms == 5000);
	assert_int_equal(out.client.b[15], 1);
	assert_true(span_eq(out.part[2], SPAN("authenticate")) && out.part[3].n == 0 && span_eq(out.part[4], SPAN("m\0c")));
	assert_int_equal(wire_deadline(s.p), 0);
	wire_set_deadline((void *)(uintptr_t)s.p, 123456789012345u);
	assert_true(wire_deadline(s.p) == 123456789012345u);
	assert_true(wire_get_ask(s.p, s.n, &id, &out) && id == 77);
	block_free(s);
}

static void
test_an_answer_comes_out_as_it_went_in(void **state)
{
	struct answer out;
	uint64_t      id;
	size_t        n = an_answer();
	struct span   s = block_of(buf, n);

	(void)state;
	assert_true(n > 0);
	assert_true(wire_get_answer(s.p, s.n, &id, &out));
	assert_int_equal(id, 78);
	assert_int_equal(out.result, ASK_CONTINUE);
	assert_string_equal(out.account, "alice");
	assert_string_equal(out.domain, "CORP");
	assert_string_equal(out.realm, "");
	assert_string_equal(out.detail, "NT_STATUS_MORE");
	assert_true(out.retry_after_s == 3 && out.handle == 9 && out.took_us == 1234);
	assert_int_equal(out.n_token, 6);
	assert_memory_equal(out.token, "tok\0en", 6);
	assert_null(out.pac);
	assert_int_equal(out.groups_bytes, 10);
	answer_clear(&out);
	block_free(s);
}

static bool
takes(bool ask, struct span s)
{
	struct ask    a;
	struct answer b;
	uint64_t      id;
	bool          ok = ask ? wire_get_ask(s.p, s.n, &id, &a) : wire_get_answer(s.p, s.n, &id, &b);

	if (!ask)
		answer_clear(&b);
	return ok;
}

static void
test_no_prefix_and_nothing_longer_is_taken(void **state)
{
	(void)state;
	for (unsigned ask = 0; ask < 2; ask++) {
		size_t n = ask ? an_ask() : an_answer();
		for (size_t i = 0; i <= n + 1; i++) {
			struct span s = block_of(buf, i);
			assert_int_equal(takes(ask, s), i == n);
			block_free(s);
		}
	}
}

/* Each 32-bit word of the packet takes each of these values: nothing beyond the block is read, and a length that is not right is not taken. */
static void
test_changed_lengths_read_nothing_beyond(void **state)
{
	static const uint32_t values[] = {0, 1, 2, 0x7f, 0xff, 0x100, 0xffff, 0x10000, 0x10001, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff};
	unsigned              taken = 0, refused = 0;

	(void)state;
	for (unsigned ask = 0; ask < 2; ask++) {
		size_t n = ask ? an_ask() : an_answer();
		for (size_t at = 0; at + 4 <= n; at++)
			for (size_t v = 0; v < ROWS(values) + 3; v++) {
				uint32_t    word;
				struct span s = block_of(buf, n);
				memcpy(&word, s.p + at, sizeof word);
				word = v < ROWS(values) ? values[v] : v == ROWS(values) ? word + 1 : v == ROWS(values) + 1 ? word - 1 : word ^ 0x80;
				memcpy((char *)(uintptr_t)s.p + at, &word, sizeof word);
				if (takes(ask, s))
					taken++;
				else
					refused++;
				block_free(s);
			}
	}
	assert_true(taken > 100 && refused > 100);
}

static void
test_what_is_too_large_is_not_put(void **state)
{
	static char   big[ASK_TOKEN_MAX + 1];
	struct ask    a = {.op = ASK_KERBEROS, .part = {{big, ASK_TOKEN_MAX}}}, out;
	struct answer b = {.groups = big, .groups_bytes = GROUPS_BYTES_MAX}, back;
	static char   groups[GROUPS_BYTES_MAX];
	uint64_t      id;
	size_t        n = wire_put_ask(buf, sizeof buf, 1, &a);

	(void)state;
	assert_true(n > ASK_TOKEN_MAX);
	assert_true(wire_get_ask(buf, n, &id, &out) && out.part[0].n == ASK_TOKEN_MAX);
	assert_int_equal(wire_put_ask(buf, n - 1, 1, &a), 0);
	a.part[0].n++;
	assert_int_equal(wire_put_ask(buf, sizeof buf, 1, &a), 0);
	a.part[0].n--;
	a.part[1] = a.part[2] = a.part[0];
	assert_int_equal(wire_put_ask(buf, sizeof buf, 1, &a), 0); /* more than a packet */
	b.groups = groups;
	n = wire_put_answer(buf, sizeof buf, 1, &b);
	assert_true(n > GROUPS_BYTES_MAX);
	assert_int_equal(wire_put_answer(buf, n - 1, 1, &b), 0);
	assert_true(wire_get_answer(buf, n, &id, &back) && back.groups_bytes == GROUPS_BYTES_MAX);
	answer_clear(&back);
	b.token = big;
	b.n_token = ASK_TOKEN_MAX;
	b.pac = big;
	b.n_pac = ASK_TOKEN_MAX;
	assert_int_equal(wire_put_answer(buf, sizeof buf, 1, &b), 0);
}

static void
test_groups_without_an_end_and_texts_with_one_inside_are_damage(void **state)
{
	struct answer out;
	uint64_t      id;
	size_t        n = an_answer();

	(void)state;
	buf[n - 1] = 'x';
	assert_false(wire_get_answer(buf, n, &id, &out));
	answer_clear(&out);
	n = an_answer();
	char *name = memmem(buf, n, "alice", 5);
	assert_non_null(name);
	name[2] = '\0';
	assert_false(wire_get_answer(buf, n, &id, &out));
	answer_clear(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_ask_comes_out_as_it_went_in),
		cmocka_unit_test(test_an_answer_comes_out_as_it_went_in),
		cmocka_unit_test(test_no_prefix_and_nothing_longer_is_taken),
		cmocka_unit_test(test_changed_lengths_read_nothing_beyond),
		cmocka_unit_test(test_what_is_too_large_is_not_put),
		cmocka_unit_test(test_groups_without_an_end_and_texts_with_one_inside_are_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
