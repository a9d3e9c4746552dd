/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>

#include "match/addr_set.h"

#define TAGS  6
#define CIDRS 40

static uint64_t seed = 4711;

static uint32_t
below(uint32_t n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((seed >> 33) % n);
}

/* Few distinct bytes, so that prefixes meet. */
static struct addr
random_addr(void)
{
	static const uint8_t byte[] = {0, 1, 0x7f, 0x80, 0xff};
	struct addr          a = {{0}};

	if (below(2)) {
		a.b[10] = a.b[11] = 0xff;
		for (unsigned i = 12; i < 16; i++)
			a.b[i] = byte[below(5)];
	} else {
		for (unsigned i = 0; i < 16; i++)
			a.b[i] = byte[below(i % 5 ? 2 : 5)];
	}
	return a;
}

static bool
bits_agree(const struct addr *a, const struct addr *b, unsigned bits)
{
	for (unsigned i = 0; i < bits; i++)
		if ((a->b[i / 8] ^ b->b[i / 8]) >> (7 - i % 8) & 1)
			return false;
	return true;
}

static void
check_addr(const struct addr_set *s, const struct cidr *c, const uint32_t *tag, uint32_t n, const struct addr *a)
{
	uint64_t        want = 0, got = 0;
	uint32_t        set = addr_set_find(s, a), n_tags;
	const uint32_t *t = addr_set_tags(s, set, &n_tags);

	assert_in_range(set, 0, addr_set_count(s) - 1);
	for (uint32_t i = 0; i < n; i++)
		if (bits_agree(&c[i].addr, a, c[i].bits))
			want |= (uint64_t)1 << tag[i];
	for (uint32_t i = 0; i < n_tags; i++) {
		assert_true(i == 0 || t[i] > t[i - 1]);
		got |= (uint64_t)1 << t[i];
	}
	assert_int_equal(got, want);
	assert_int_equal(addr_set_has(s, a), want != 0);
	for (uint32_t k = 0; k < TAGS; k++) {
		uint32_t origin[CIDRS], m = addr_set_origins(s, a, k, origin, CIDRS), count = 0;
		for (uint32_t i = 0; i < n; i++)
			count += tag[i] == k && bits_agree(&c[i].addr, a, c[i].bits);
		assert_int_equal(m, count);
		for (uint32_t i = 0; i < m; i++) {
			assert_int_equal(tag[origin[i]], k);
			assert_true(bits_agree(&c[origin[i]].addr, a, c[origin[i]].bits));
			assert_true(i == 0 || c[origin[i]].bits <= c[origin[i - 1]].bits);
		}
	}
}

static void
test_addresses_match_as_the_obvious_version_does(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 400; round++) {
		struct addr_set_builder *b = addr_set_builder_new();
		struct cidr              c[CIDRS];
		uint32_t                 tag[CIDRS], n = below(CIDRS + 1), off;
		struct flat              f;
		char                    *block;
		flat_init(&f);
		for (uint32_t i = 0; i < n; i++) {
			c[i].addr = random_addr();
			c[i].bits = (uint8_t)(below(8) ? addr_is_v4(&c[i].addr) ? 96 + below(33) : below(129) : below(2) * 128);
			for (unsigned k = c[i].bits; k < 128; k++)
				c[i].addr.b[k / 8] &= (uint8_t)~(0x80u >> k % 8);
			tag[i] = below(TAGS);
			assert_true(addr_set_builder_add(b, &c[i], tag[i], i));
		}
		off = addr_set_builder_finish(b, &f);
		addr_set_builder_free(b);
		assert_int_not_equal(off, 0);
		block = malloc(f.used); /* exact size */
		memcpy(block, f.base, f.used);
		flat_clear(&f);
		for (unsigned i = 0; i < 200; i++) {
			struct addr a = random_addr(), first, last;
			check_addr(addr_set_at(block, off), c, tag, n, &a);
			if (i >= n)
				continue;
			/* the edges, and one step beyond each */
			cidr_range(&c[i], &first, &last);
			check_addr(addr_set_at(block, off), c, tag, n, &first);
			check_addr(addr_set_at(block, off), c, tag, n, &last);
			for (unsigned k = 16; k-- && first.b[k]-- == 0;)
				;
			for (unsigned k = 16; k-- && ++last.b[k] == 0;)
				;
			check_addr(addr_set_at(block, off), c, tag, n, &first);
			check_addr(addr_set_at(block, off), c, tag, n, &last);
		}
		free(block);
	}
}

static bool
group_has(const char *group, const char *text)
{
	const struct cidr *list;
	size_t             n;
	struct addr        a;

	assert_true(addr_group(span_str(group), &list, &n));
	assert_true(addr_parse(span_str(text), &a));
	for (size_t i = 0; i < n; i++)
		if (bits_agree(&list[i].addr, &a, list[i].bits))
			return true;
	return false;
}

static void
test_groups_hold_what_their_names_say(void **state)
{
	static const char *const not_global[] = {"0.0.0.0", "0.255.255.255", "10.0.0.0", "10.255.255.255", "100.64.0.0", "100.127.255.255", "127.0.0.1",
		"127.255.255.255", "169.254.169.254", "172.16.0.0", "172.31.255.255", "192.0.0.1", "192.0.0.170", "192.0.2.1", "192.88.99.1", "192.168.0.0",
		"192.168.255.255", "198.18.0.0", "198.19.255.255", "198.51.100.1", "203.0.113.255", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
		"::", "::1", "64:ff9b:1::1", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", "100::1", "100:0:0:1::1", "2001::1", "2001:1ff:ffff::", "2001:db8::1",
		"3fff::1", "3fff:fff::1", "5f00::1", "fc00::1", "fd12::1", "fe80::1", "febf::1", "fec0::1", "feff::1", "ff02::1", "::ffff:10.1.2.3"};
	static const char *const global[] = {"1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0",
		"169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "191.255.255.255", "192.0.1.0", "192.0.3.0", "192.88.98.255", "192.88.100.0",
		"192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "198.51.99.255", "198.51.101.0", "203.0.112.255", "203.0.114.0", "223.255.255.255",
		"2001:200::1", "2001:db7::1", "2001:db9::1", "2606:4700::1", "2a00::1", "3ffe::1", "4000::1", "5eff::1", "5f01::1", "64:ff9b::1", "101::1", "fbff::1"};

	(void)state;
	for (size_t i = 0; i < sizeof not_global / sizeof *not_global; i++)
		if (!group_has("private", not_global[i]))
			fail_msg("%s is not private", not_global[i]);
	for (size_t i = 0; i < sizeof global / sizeof *global; i++)
		if (group_has("private", global[i]))
			fail_msg("%s is private", global[i]);
	assert_true(group_has("loopback", "127.1.2.3") && group_has("loopback", "::1"));
	assert_false(group_has("loopback", "126.255.255.255") || group_has("loopback", "128.0.0.0") || group_has("loopback", "::2") || group_has("loopback", "::"));
	assert_true(group_has("any", "1.2.3.4") && group_has("any", "::") && group_has("any", "ffff::"));
}

static void
test_groups_are_cidrs_without_host_bits(void **state)
{
	static const char *const group[] = {"private", "loopback", "any"};

	(void)state;
	for (size_t g = 0; g < 3; g++) {
		const struct cidr *list;
		size_t             n;
		assert_true(addr_group(span_str(group[g]), &list, &n));
		for (size_t i = 0; i < n; i++) {
			struct addr first, last;
			cidr_range(&list[i], &first, &last);
			assert_true(addr_eq(&first, &list[i].addr));
		}
	}
}

static void
test_an_unknown_group_is_none(void **state)
{
	const struct cidr *list;
	size_t             n;

	(void)state;
	assert_false(addr_group(SPAN("Private"), &list, &n));
	assert_false(addr_group(SPAN(""), &list, &n));
	assert_false(addr_group(SPAN("privat"), &list, &n));
	assert_false(addr_group(SPAN("private "), &list, &n));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses_match_as_the_obvious_version_does),
		cmocka_unit_test(test_groups_hold_what_their_names_say),
		cmocka_unit_test(test_groups_are_cidrs_without_host_bits),
		cmocka_unit_test(test_an_unknown_group_is_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
