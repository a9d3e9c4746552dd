/* SPDX-License-Identifier: MIT */
/*
 * The pure parts of the resolver: what a response, resolv.conf and hosts say, and what the cache keeps.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/resolve_answer.h"
#include "net/resolve_cache.h"
#include "net/resolve_conf.h"

/* --- responses --- */

#define HEAD(rcode, an, ns, ar) "\x12\x34\x81" rcode "\x00\x01\x00" an "\x00" ns "\x00" ar
#define QUESTION(type)          "\x01" "a" "\x04" "test\x00\x00" type "\x00\x01"
#define RR(type, ttl, len)      "\xc0\x0c\x00" type "\x00\x01" ttl "\x00" len
#define T60                     "\x00\x00\x00\x3c"
#define T30                     "\x00\x00\x00\x1e"
#define SOA_DATA                "\x00\x00" "1111222233334444"
#define OPT                     "\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00"

static const struct {
	const char *what;
	unsigned    type;
	const char *bytes;
	size_t      n;
	bool        ok;
	unsigned    rcode, addrs;
	uint32_t    ttl, negative_ttl;
	bool        has_opt;
} responses[] = {
#define BYTES(b) b, sizeof(b) - 1
    {"one address", 1, BYTES(HEAD("\x80", "\x01", "\x00", "\x00") QUESTION("\x01") RR("\x01", T60, "\x04") "\x01\x02\x03\x04"), true, 0, 1, 60, DNS_NO_TTL, false},
    {"the same twice", 1, BYTES(HEAD("\x80", "\x02", "\x00", "\x00") QUESTION("\x01") RR("\x01", T60, "\x04") "\x01\x02\x03\x04" RR("\x01", T30, "\x04") "\x01\x02\x03\x04"), true, 0, 1, 30, DNS_NO_TTL, false},
    {"an IPv6 address", 28, BYTES(HEAD("\x80", "\x01", "\x00", "\x00") QUESTION("\x1c") RR("\x1c", T60, "\x10") "0123456789abcdef"), true, 0, 1, 60, DNS_NO_TTL, false},
    {"another type beside it", 28, BYTES(HEAD("\x80", "\x02", "\x00", "\x00") QUESTION("\x1c") RR("\x01", T30, "\x04") "\x01\x02\x03\x04" RR("\x1c", T60, "\x10") "0123456789abcdef"), true, 0, 1, 60, DNS_NO_TTL, false},
    {"a chain of one", 1, BYTES(HEAD("\x80", "\x02", "\x00", "\x00") QUESTION("\x01") RR("\x05", T30, "\x04") "\x01" "b\xc0\x0e" "\x01" "B\xc0\x0e\x00\x01\x00\x01" T60 "\x00\x04" "\x01\x02\x03\x04"), true, 0, 1, 30, DNS_NO_TTL, false},
    {"no data, SOA minimum", 1, BYTES(HEAD("\x80", "\x00", "\x01", "\x00") QUESTION("\x01") RR("\x06", T60, "\x16") SOA_DATA T30), true, 0, 0, DNS_NO_TTL, 30, false},
    {"no data, SOA shorter than its minimum", 1, BYTES(HEAD("\x80", "\x00", "\x01", "\x00") QUESTION("\x01") RR("\x06", T30, "\x16") SOA_DATA T60), true, 0, 0, DNS_NO_TTL, 30, false},
    {"no such name", 1, BYTES(HEAD("\x83", "\x00", "\x01", "\x00") QUESTION("\x01") RR("\x06", T60, "\x16") SOA_DATA T60), true, 3, 0, DNS_NO_TTL, 60, false},
    {"an address with no such name", 1, BYTES(HEAD("\x83", "\x01", "\x00", "\x00") QUESTION("\x01") RR("\x01", T60, "\x04") "\x01\x02\x03\x04"), true, 3, 0, DNS_NO_TTL, DNS_NO_TTL, false},
    {"refused", 1, BYTES(HEAD("\x85", "\x00", "\x00", "\x00") QUESTION("\x01")), true, 5, 0, DNS_NO_TTL, DNS_NO_TTL, false},
    {"EDNS not understood", 1, BYTES(HEAD("\x81", "\x00", "\x00", "\x00") QUESTION("\x01")), true, 1, 0, DNS_NO_TTL, DNS_NO_TTL, false},
    {"EDNS understood, question not", 1, BYTES(HEAD("\x81", "\x00", "\x00", "\x01") QUESTION("\x01") OPT), true, 1, 0, DNS_NO_TTL, DNS_NO_TTL, true},
    {"not a response", 1, BYTES("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" QUESTION("\x01")), false, 0, 0, 0, 0, false},
    {"another question", 28, BYTES(HEAD("\x80", "\x00", "\x00", "\x00") QUESTION("\x01")), false, 0, 0, 0, 0, false},
    {"two questions", 1, BYTES("\x12\x34\x81\x80\x00\x02\x00\x00\x00\x00\x00\x00" QUESTION("\x01") QUESTION("\x01")), false, 0, 0, 0, 0, false},
    {"an address of three bytes", 1, BYTES(HEAD("\x80", "\x01", "\x00", "\x00") QUESTION("\x01") RR("\x01", T60, "\x03") "\x01\x02\x03"), false, 0, 0, 0, 0, false},
    {"a record that is not there", 1, BYTES(HEAD("\x80", "\x01", "\x00", "\x00") QUESTION("\x01")), false, 0, 0, 0, 0, false},
    {"a pointer to itself", 1, BYTES(HEAD("\x80", "\x01", "\x00", "\x00") QUESTION("\x01") "\xc0\x18\x00\x01\x00\x01" T60 "\x00\x04" "\x01\x02\x03\x04"), false, 0, 0, 0, 0, false},
    {"a pointer ahead", 1, BYTES(HEAD("\x80", "\x01", "\x00", "\x00") QUESTION("\x01") "\xc0\x1a\x00\x01\x00\x01" T60 "\x00\x04" "\x01\x02\x03\x04"), false, 0, 0, 0, 0, false},
    {"a label of an unknown kind", 1, BYTES(HEAD("\x80", "\x01", "\x00", "\x00") QUESTION("\x01") "\x80\x0c\x00\x01\x00\x01" T60 "\x00\x04" "\x01\x02\x03\x04"), false, 0, 0, 0, 0, false},
    {"a name that is its own alias", 1, BYTES(HEAD("\x80", "\x01", "\x00", "\x00") QUESTION("\x01") RR("\x05", T60, "\x02") "\xc0\x0c"), false, 0, 0, 0, 0, false},
    {"an alias longer than its record", 1, BYTES(HEAD("\x80", "\x02", "\x00", "\x00") QUESTION("\x01") RR("\x05", T60, "\x01") "\x01" "b\xc0\x0c\x00\x01\x00\x01" T60 "\x00\x00"), false, 0, 0, 0, 0, false},
#undef BYTES
};

static void
test_a_response_is_read_as_it_stands_and_no_prefix_of_it_is_overread(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof responses / sizeof *responses; i++) {
		struct dns_answer a;
		const uint8_t    *whole = (const uint8_t *)responses[i].bytes;
		if (dns_answer_read(whole, responses[i].n, responses[i].type, &a) != responses[i].ok)
			fail_msg("%s: %s", responses[i].what, responses[i].ok ? "refused" : "taken");
		if (responses[i].ok && (a.rcode != responses[i].rcode || a.n != responses[i].addrs || a.ttl != responses[i].ttl ||
					   a.negative_ttl != responses[i].negative_ttl || a.has_opt != responses[i].has_opt))
			fail_msg("%s: rcode %u, %u addresses, ttl %u, negative %u, opt %d", responses[i].what, a.rcode, a.n, a.ttl, a.negative_ttl, a.has_opt);
		for (size_t n = 0; n < responses[i].n; n++) {
			uint8_t *part = malloc(n ? n : 1);
			assert_non_null(part);
			memcpy(part, whole, n);
			/* a record that breaks off is never half believed */
			if (dns_answer_read(part, n, responses[i].type, &a) && (a.n || a.has_opt))
				fail_msg("%s: taken at %zu of %zu bytes", responses[i].what, n, responses[i].n);
			free(part);
		}
	}
}

/* Where its CNAMEs lead to, for those who want to show it. */
static void
test_the_end_of_a_chain_is_told_as_text(void **state)
{
	static const struct {
		const char *bytes;
		size_t      n;
		const char *want;
	} cases[] = {
#define BYTES(b) b, sizeof(b) - 1
	    {BYTES(HEAD("\x80", "\x01", "\x00", "\x00") QUESTION("\x01") RR("\x01", T60, "\x04") "\x01\x02\x03\x04"), ""},
	    {BYTES(HEAD("\x80", "\x02", "\x00", "\x00") QUESTION("\x01") RR("\x05", T30, "\x04") "\x01" "b\xc0\x0e" "\x01" "B\xc0\x0e\x00\x01\x00\x01" T60 "\x00\x04" "\x01\x02\x03\x04"), "b.test"},
	    {BYTES(HEAD("\x83", "\x01", "\x00", "\x00") QUESTION("\x01") RR("\x05", T30, "\x04") "\x01" "b\xc0\x0e"), "b.test"},
	    {BYTES(HEAD("\x80", "\x01", "\x00", "\x00") QUESTION("\x01") RR("\x05", T30, "\x07") "\x04" "\x1b.\xff" "B" "\xc0\x0e"), "???b.test"},
	    {BYTES(HEAD("\x80", "\x01", "\x00", "\x00") QUESTION("\x01") RR("\x05", T60, "\x02") "\xc0\x0c"), ""},
#undef BYTES
	};
	char got[DNS_NAME_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		dns_chain_end((const uint8_t *)cases[i].bytes, cases[i].n, got);
		assert_string_equal(got, cases[i].want);
		for (size_t n = 0; n < cases[i].n; n++) {
			uint8_t *part = malloc(n ? n : 1);
			assert_non_null(part);
			memcpy(part, cases[i].bytes, n);
			dns_chain_end(part, n, got);
			assert_string_equal(got, "");
			free(part);
		}
	}
}

static void
test_no_change_of_bytes_makes_a_response_dangerous(void **state)
{
	uint32_t seed = 1;

	(void)state;
	for (int round = 0; round < 200000; round++) {
		size_t            i = (size_t)round % (sizeof responses / sizeof *responses), n = responses[i].n;
		uint8_t          *copy = malloc(n);
		struct dns_answer a;
		char              end[DNS_NAME_TEXT];
		assert_non_null(copy);
		memcpy(copy, responses[i].bytes, n);
		for (int k = 0; k < 4; k++) {
			seed = seed * 1664525 + 1013904223;
			copy[(seed >> 8) % n] = (uint8_t)(seed >> 24);
		}
		dns_chain_end(copy, n, end);
		assert_true(strlen(end) < DNS_NAME_TEXT);
		if (dns_answer_read(copy, n, responses[i].type, &a)) {
			assert_true(a.n <= DNS_ADDRS_MAX);
			assert_true(a.n == 0 || a.ttl != DNS_NO_TTL);
			assert_true(a.n == 0 || a.rcode == DNS_RCODE_OK);
		}
		free(copy);
	}
}

/* Each name of thousands of records would be a long walk, for each step of a chain. */
static void
test_a_response_full_of_records_for_other_names_is_refused_before_long(void **state)
{
	static const uint8_t types[] = {5, DNS_TYPE_A};
	static uint8_t       p[65535];

	(void)state;
	for (size_t i = 0; i < sizeof types; i++) {
		size_t            at = sizeof HEAD("\x80", "\x00", "\x00", "\x00") QUESTION("\x01") - 1;
		unsigned          n = 0;
		struct dns_answer a;
		memcpy(p, HEAD("\x80", "\x00", "\x00", "\x00") QUESTION("\x01"), at);
		for (; at + 16 <= sizeof p; at += 16, n++)
			memcpy(p + at, (uint8_t[16]){0xc0, 0x0e, 0, types[i], 0, 1, 0, 0, 0, 60, 0, 4, 1, 'b', 0xc0, 0x0e}, 16);
		for (unsigned k = 100; k <= n; k += n - 100) {
			p[6] = (uint8_t)(k >> 8);
			p[7] = (uint8_t)k;
			assert_int_equal(dns_answer_read(p, sizeof p, DNS_TYPE_A, &a), k == 100);
		}
	}
}

/* --- resolv.conf --- */

static void
conf_text(const struct resolv_conf *c, char *out, size_t n)
{
	char   text[ENDPOINT_TEXT_MAX];
	size_t at = 0;

	for (unsigned i = 0; i < c->n_servers; i++) {
		endpoint_print(&c->servers[i], text);
		at += (size_t)snprintf(out + at, n - at, "%s ", text);
	}
	at += (size_t)snprintf(out + at, n - at, "|");
	for (unsigned i = 0; i < c->n_search; i++)
		at += (size_t)snprintf(out + at, n - at, " %.*s", SPAN_ARG(c->search[i]));
	snprintf(out + at, n - at, " | %u %u %u%s%s%s", c->ndots, c->timeout_s, c->attempts, c->rotate ? " rotate" : "", c->use_vc ? " vc" : "",
	    c->no_tld_query ? " notld" : "");
}

static void
test_resolv_conf_is_read_as_its_manual_says(void **state)
{
	static const struct {
		const char *bytes, *host, *want;
	} cases[] = {
	    {"", "", "127.0.0.1:53 | | 1 5 2"},
	    {"", "box.corp.test", "127.0.0.1:53 | corp.test | 1 5 2"},
	    {"", "box", "127.0.0.1:53 | | 1 5 2"},
	    {"nameserver 192.0.2.1\nnameserver 2001:db8::1\n", "", "192.0.2.1:53 [2001:db8::1]:53 | | 1 5 2"},
	    {"nameserver 192.0.2.1", "", "192.0.2.1:53 | | 1 5 2"},
	    {"nameserver\t192.0.2.1 junk\r\n", "", "192.0.2.1:53 | | 1 5 2"},
	    {"nameserver fe80::1%7\n", "", "[fe80::1%7]:53 | | 1 5 2"},
	    {"nameserver fe80::1%lo\n", "", "[fe80::1%1]:53 | | 1 5 2"},
	    {"nameserver fe80::1%nosuchdevice\nnameserver fe80::1%\nnameserver fe80::1%99999999999\n", "", "127.0.0.1:53 | | 1 5 2"},
	    {"nameserver nonsense\nnameserver\n#nameserver 192.0.2.1\n;nameserver 192.0.2.1\n nameserver 192.0.2.1\nnameservers 192.0.2.1\n", "", "127.0.0.1:53 | | 1 5 2"},
	    {"search Corp.Test. lab.test\n", "box.other.test", "127.0.0.1:53 | corp.test lab.test | 1 5 2"},
	    {"search a.test\ndomain b.test c.test\n", "", "127.0.0.1:53 | b.test | 1 5 2"},
	    {"domain b.test\nsearch a.test c.test\n", "", "127.0.0.1:53 | a.test c.test | 1 5 2"},
	    {"search .\n", "box.corp.test", "127.0.0.1:53 | | 1 5 2"},
	    {"search a..test .b.test ok.test bad\\name.test\n", "", "127.0.0.1:53 | ok.test | 1 5 2"},
	    {"options ndots:3 timeout:2 attempts:4 rotate use-vc no-tld-query edns0 unknown:9\n", "", "127.0.0.1:53 | | 3 2 4 rotate vc notld"},
	    {"options ndots:99\noptions timeout:99 attempts:0\n", "", "127.0.0.1:53 | | 15 30 1"},
	    {"options ndots: timeout:x attempts:1x ndots:99999999999999\n", "", "127.0.0.1:53 | | 15 5 2"},
	};
	char got[512];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct resolv_conf c;
		resolv_conf_read(&c, span_str(cases[i].bytes), span_str(cases[i].host));
		conf_text(&c, got, sizeof got);
		assert_string_equal(got, cases[i].want);
		for (size_t n = 0; n < strlen(cases[i].bytes); n++) {
			char *part = malloc(n ? n : 1);
			assert_non_null(part);
			memcpy(part, cases[i].bytes, n);
			resolv_conf_read(&c, span_of(part, n), (struct span){0});
			assert_in_range(c.n_servers, 1, RESOLV_SERVERS_MAX);
			free(part);
		}
	}
}

static void
test_long_lists_in_resolv_conf_are_cut(void **state)
{
	struct resolv_conf c;
	char               bytes[20000], label[64];
	size_t             n = 0;

	(void)state;
	memset(label, 'a', 63);
	label[63] = '\0';
	for (int i = 0; i < 20; i++)
		n += (size_t)snprintf(bytes + n, sizeof bytes - n, "nameserver 192.0.2.%d\n", i);
	n += (size_t)snprintf(bytes + n, sizeof bytes - n, "search");
	for (int i = 0; i < 60; i++)
		n += (size_t)snprintf(bytes + n, sizeof bytes - n, " %s.%s.%s.%.61s", label, label, label, label);
	resolv_conf_read(&c, span_of(bytes, n), (struct span){0});
	assert_int_equal(c.n_servers, RESOLV_SERVERS_MAX);
	assert_int_equal(c.n_search, RESOLV_SEARCH_MAX);
	assert_int_equal(c.search[RESOLV_SEARCH_MAX - 1].n, RESOLV_NAME_MAX);
}

static void
test_a_candidate_too_long_for_the_dns_comes_out_empty(void **state)
{
	struct resolv_conf c;
	char               name[RESOLV_NAME_MAX + 2], buf[RESOLV_NAME_MAX + 1];
	bool               as_is;

	(void)state;
	memset(name, 'a', sizeof name);
	resolv_conf_read(&c, SPAN("search x\noptions ndots:0"), (struct span){0});
	assert_true(resolv_conf_candidate(&c, span_of(name, RESOLV_NAME_MAX), 0, buf, &as_is));
	assert_true(as_is);
	assert_int_equal(strlen(buf), RESOLV_NAME_MAX);
	assert_true(resolv_conf_candidate(&c, span_of(name, RESOLV_NAME_MAX), 1, buf, &as_is));
	assert_string_equal(buf, "");
	assert_true(resolv_conf_candidate(&c, span_of(name, RESOLV_NAME_MAX - 2), 1, buf, &as_is));
	assert_int_equal(strlen(buf), RESOLV_NAME_MAX);
	assert_true(resolv_conf_candidate(&c, span_of(name, RESOLV_NAME_MAX + 1), 0, buf, &as_is));
	assert_string_equal(buf, "");
	assert_false(resolv_conf_candidate(&c, span_of(name, 5), 2, buf, &as_is));
}

/* --- the cache --- */

static struct span
numbered(char buf[32], unsigned i)
{
	return span_of(buf, (size_t)snprintf(buf, 32, "name%u.test", i));
}

static bool
is_kept(struct resolve_cache *c, unsigned i, uint64_t now_us)
{
	char        buf[32];
	struct span name = numbered(buf, i);

	return resolve_cache_find(c, name, resolve_hash(c->seed, name), now_us) != NULL;
}

static void
keep(struct resolve_cache *c, unsigned i, uint64_t expires_us)
{
	char        buf[32];
	struct span name = numbered(buf, i);

	assert_true(resolve_cache_put(c, name, resolve_hash(c->seed, name), NULL, FAULT_DNS_NXDOMAIN, expires_us));
}

static void
test_a_kept_name_is_gone_when_its_time_is_over(void **state)
{
	struct resolve_cache c;

	(void)state;
	resolve_cache_init(&c, 10, 7);
	assert_false(is_kept(&c, 1, 0));
	keep(&c, 1, 1000);
	keep(&c, 2, 2000);
	assert_true(is_kept(&c, 1, 999));
	assert_false(is_kept(&c, 1, 1000));
	assert_int_equal(c.names, 1); /* the room is given back at once */
	assert_true(is_kept(&c, 2, 1000));
	keep(&c, 2, 5000); /* put again: the new time holds */
	assert_int_equal(c.names, 1);
	assert_true(is_kept(&c, 2, 4999));
	resolve_cache_clear(&c);
	assert_false(is_kept(&c, 2, 0));
	keep(&c, 3, 1);
	resolve_cache_clear(&c);
}

static void
test_the_least_recently_used_name_goes_first_at_any_size(void **state)
{
	static const unsigned sizes[] = {1, 2, 64, 65, 1000};

	(void)state;
	for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
		struct resolve_cache c;
		unsigned             most = sizes[k];
		resolve_cache_init(&c, most, 7);
		for (unsigned i = 0; i < 3 * most; i++) {
			keep(&c, i, CACHE_FOREVER);
			assert_true(c.names <= most);
			assert_true(is_kept(&c, i, 0));
			if (most > 1)
				assert_true(is_kept(&c, 0, 0)); /* used each time: stays */
		}
		assert_int_equal(c.names, most);
		for (unsigned i = 1; i < 3 * most; i++)
			assert_int_equal(is_kept(&c, i, 0), i > 2 * most || (most == 1 && i == 2));
		resolve_cache_clear(&c);
	}
}

static void
test_a_cache_of_no_names_keeps_none(void **state)
{
	struct resolve_cache c;

	(void)state;
	resolve_cache_init(&c, 0, 7);
	assert_false(resolve_cache_put(&c, SPAN("a"), 1, NULL, FAULT_DNS_NXDOMAIN, CACHE_FOREVER));
	assert_null(resolve_cache_find(&c, SPAN("a"), 1, 0));
	resolve_cache_clear(&c);
}

static void
test_names_with_one_hash_are_told_apart(void **state)
{
	struct resolve_cache c;
	struct cache_entry  *e;

	(void)state;
	resolve_cache_init(&c, 10, 7);
	assert_true(resolve_cache_put(&c, SPAN("one"), 42, NULL, FAULT_DNS_NXDOMAIN, CACHE_FOREVER));
	assert_true(resolve_cache_put(&c, SPAN("two"), 42, NULL, FAULT_DNS_ERROR, CACHE_FOREVER));
	e = resolve_cache_find(&c, SPAN("one"), 42, 0);
	assert_non_null(e);
	assert_int_equal(e->fault, FAULT_DNS_NXDOMAIN);
	e = resolve_cache_find(&c, SPAN("two"), 42, 0);
	assert_non_null(e);
	assert_int_equal(e->fault, FAULT_DNS_ERROR);
	assert_null(resolve_cache_find(&c, SPAN("three"), 42, 0));
	assert_int_not_equal(resolve_hash(1, SPAN("one")), resolve_hash(2, SPAN("one")));
	resolve_cache_clear(&c);
}

static void
test_a_long_hosts_file_is_all_read_and_every_prefix_too(void **state)
{
	static const char    small[] = "127.0.0.1 localhost\n::1\tlocalhost six # x\n\n10.0.0.1 A.Test. b";
	struct resolve_cache c;
	const unsigned       lines = 20000;
	char                *bytes = malloc(lines * 40);
	size_t               n = 0;

	(void)state;
	assert_non_null(bytes);
	for (unsigned i = 0; i < lines; i++)
		n += (size_t)sprintf(bytes + n, "10.%u.%u.1 name%u.test all.test\n", i >> 8, i & 255, i);
	resolve_cache_init(&c, UINT32_MAX, 7);
	assert_true(resolve_hosts_read(&c, span_of(bytes, n)));
	free(bytes);
	assert_int_equal(c.names, lines + 1);
	assert_true(is_kept(&c, 0, 0) && is_kept(&c, lines - 1, 0));
	struct cache_entry *all = resolve_cache_find(&c, SPAN("all.test"), resolve_hash(7, SPAN("all.test")), 0);
	assert_int_equal(all->addrs->n, DNS_ADDRS_MAX);
	resolve_cache_clear(&c);
	for (n = 0; n < sizeof small; n++) {
		char *part = malloc(n ? n : 1);
		assert_non_null(part);
		memcpy(part, small, n);
		resolve_cache_init(&c, UINT32_MAX, 7);
		assert_true(resolve_hosts_read(&c, span_of(part, n)));
		free(part);
		resolve_cache_clear(&c);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_response_is_read_as_it_stands_and_no_prefix_of_it_is_overread),
	    cmocka_unit_test(test_the_end_of_a_chain_is_told_as_text),
	    cmocka_unit_test(test_no_change_of_bytes_makes_a_response_dangerous),
	    cmocka_unit_test(test_a_response_full_of_records_for_other_names_is_refused_before_long),
	    cmocka_unit_test(test_resolv_conf_is_read_as_its_manual_says),
	    cmocka_unit_test(test_long_lists_in_resolv_conf_are_cut),
	    cmocka_unit_test(test_a_candidate_too_long_for_the_dns_comes_out_empty),
	    cmocka_unit_test(test_a_kept_name_is_gone_when_its_time_is_over),
	    cmocka_unit_test(test_the_least_recently_used_name_goes_first_at_any_size),
	    cmocka_unit_test(test_a_cache_of_no_names_keeps_none),
	    cmocka_unit_test(test_names_with_one_hash_are_told_apart),
	    cmocka_unit_test(test_a_long_hosts_file_is_all_read_and_every_prefix_too),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
