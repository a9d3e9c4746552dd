/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "block.h"
#include "parse/hostname.h"
#include "tls/leaf_wire.h"
#include "tls/profile.h"

static const char names[] = "dwww.example.com\0d*.example.com\0a0123456789abcdef";

static struct leaf_ask
sample(void)
{
	struct leaf_ask a = {.number = 0x0123456789abcdef, .key = 1, .ca = 1, .not_before = -5, .not_after = 1900000000,
		.common_name = SPAN("www.example.com"), .names = {names, sizeof names - 1}};

	memset(a.ca_print, 0xaa, sizeof a.ca_print);
	memset(a.print, 0xbb, sizeof a.print);
	return a;
}

/* Every prefix, and one byte more, is refused; the whole is read again as it was. */
static size_t
each_prefix(const uint8_t *packet, size_t n, bool (*read)(struct span packet))
{
	size_t good = 0;

	for (size_t i = 0; i <= n; i++) {
		struct span in = block_of(packet, i);
		bool        is = read(in);
		block_free(in);
		assert_true(is == (i == n));
		good += is;
	}
	char        *more = calloc(1, n + 1);
	struct span  in;
	memcpy(more, packet, n);
	in = block_of(more, n + 1);
	assert_false(read(in));
	block_free(in);
	free(more);
	return good;
}

static bool
read_ask(struct span p)
{
	struct leaf_ask a;

	return leaf_ask_read(p, &a);
}

static void
test_an_ask_arrives_as_it_was_sent(void **state)
{
	uint8_t         buf[LEAF_PACKET_MAX];
	struct leaf_ask a = sample(), b;
	size_t          n = leaf_ask_write(&a, buf, sizeof buf);

	(void)state;
	assert_true(n > 0);
	assert_int_equal(each_prefix(buf, n, read_ask), 1);
	assert_true(leaf_ask_read(span_of((const char *)buf, n), &b));
	assert_true(b.number == a.number && b.key == 1 && b.ca == 1 && !b.page && b.not_before == -5 && b.not_after == 1900000000);
	assert_memory_equal(b.ca_print, a.ca_print, 32);
	assert_memory_equal(b.print, a.print, 32);
	assert_true(span_eq(a.names, b.names) && span_eq(a.common_name, b.common_name));
	for (size_t room = 0; room < n; room++)
		assert_int_equal(leaf_ask_write(&a, buf, room), 0);
}

static void
test_damaged_names_are_refused(void **state)
{
	static const struct {
		const char *p;
		size_t      n;
	} rows[] = {TEXT("d"), TEXT("d\0"), TEXT("dx"), TEXT("a0123456789abcde"), TEXT("x\0"), TEXT("dx\0d\0"), TEXT("dx\0\0")};
	uint8_t buf[LEAF_PACKET_MAX];
	char    many[3 * (PROFILE_NAMES_MAX + 1)], longest[HOSTNAME_MAX + 3];

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct leaf_ask a = sample();
		a.names = span_of(rows[i].p, rows[i].n);
		assert_int_equal(leaf_ask_write(&a, buf, sizeof buf), 0);
	}
	for (size_t i = 0; i < sizeof many; i += 3)
		memcpy(many + i, "dx", 3);
	struct leaf_ask a = sample();
	a.names = span_of(many, sizeof many);
	assert_int_equal(leaf_ask_write(&a, buf, sizeof buf), 0);
	a.names.n -= 3;
	assert_true(leaf_ask_write(&a, buf, sizeof buf) > 0);
	memset(longest, 'd', sizeof longest);
	longest[sizeof longest - 1] = '\0';
	a.names = span_of(longest, sizeof longest); /* 254 bytes of name */
	assert_int_equal(leaf_ask_write(&a, buf, sizeof buf), 0);
	a.names = span_of(longest + 1, sizeof longest - 1);
	assert_true(leaf_ask_write(&a, buf, sizeof buf) > 0);
	a = sample();
	a.key = LEAF_KEYS;
	assert_int_equal(leaf_ask_write(&a, buf, sizeof buf), 0);
}

static bool
read_made(struct span p)
{
	struct leaf_made m;

	return leaf_made_read(p, &m);
}

static void
test_answers_arrive_as_they_were_sent(void **state)
{
	static const struct leaf_made rows[] = {
		{.number = 7, .der = {"certificate", 11}},
		{.number = 8, .refused = true, .der = {"no", 2}},
		{.number = 9, .refused = true},
		{.number = 10, .refused = true, .foreign = true},
	};
	uint8_t buf[64];

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct leaf_made m;
		size_t           n = leaf_made_write(&rows[i], buf, sizeof buf);
		assert_true(n > 0);
		assert_int_equal(each_prefix(buf, n, read_made), 1);
		assert_true(leaf_made_read(span_of((const char *)buf, n), &m));
		assert_true(m.number == rows[i].number && m.refused == rows[i].refused && m.foreign == rows[i].foreign && span_eq(m.der, rows[i].der));
		assert_false(read_ask(span_of((const char *)buf, n)));
	}
}

static bool
read_hello(struct span p)
{
	struct leaf_hello h;

	return leaf_hello_read(p, &h);
}

static void
test_a_hello_arrives_as_it_was_sent(void **state)
{
	static const char chain[] = "\0\0\0\3abc\0\0\0\1d";
	struct leaf_hello h = {.ca_print = {1, 2, 3}, .key = {{1, SPAN("p256")}, {2, SPAN("rsa")}}, .chain = {{chain, sizeof chain - 1}, {NULL, 0}}}, g;
	uint8_t           buf[256];
	size_t            n = leaf_hello_write(&h, buf, sizeof buf), at = 0;
	struct span       der;

	(void)state;
	assert_true(n > 0);
	assert_int_equal(each_prefix(buf, n, read_hello), 1);
	assert_true(leaf_hello_read(span_of((const char *)buf, n), &g));
	assert_true(g.key[0].id == 1 && span_eq(g.key[1].pkcs8, SPAN("rsa")) && g.chain[1].n == 0);
	assert_true(leaf_chain_next(g.chain[0], &at, &der) && span_eq(der, SPAN("abc")));
	assert_true(leaf_chain_next(g.chain[0], &at, &der) && span_eq(der, SPAN("d")));
	assert_false(leaf_chain_next(g.chain[0], &at, &der));
	h.chain[0].n--;
	assert_int_equal(leaf_hello_write(&h, buf, sizeof buf), 0);
}

static bool
read_tickets(struct span p)
{
	const uint8_t(*key)[LEAF_TICKET];
	unsigned n;

	return leaf_tickets_read(p, &key, &n);
}

static void
test_ticket_keys_arrive_as_they_were_sent(void **state)
{
	uint8_t keys[3][LEAF_TICKET], buf[1024];
	const uint8_t(*got)[LEAF_TICKET];
	unsigned n;
	size_t   size;

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		memset(keys[i], (int)i + 1, LEAF_TICKET);
	size = leaf_tickets_write((const uint8_t(*)[LEAF_TICKET])keys, 3, buf, sizeof buf);
	assert_int_equal(each_prefix(buf, size, read_tickets), 1);
	assert_true(leaf_tickets_read(span_of((const char *)buf, size), &got, &n));
	assert_int_equal(n, 3);
	assert_memory_equal(got, keys, sizeof keys);
	assert_int_equal(leaf_tickets_write((const uint8_t(*)[LEAF_TICKET])keys, LEAF_TICKETS_MAX + 1, buf, sizeof buf), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_ask_arrives_as_it_was_sent),
		cmocka_unit_test(test_damaged_names_are_refused),
		cmocka_unit_test(test_answers_arrive_as_they_were_sent),
		cmocka_unit_test(test_a_hello_arrives_as_it_was_sent),
		cmocka_unit_test(test_ticket_keys_arrive_as_they_were_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
