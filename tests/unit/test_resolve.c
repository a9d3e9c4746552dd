/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "dns_server.h"
#include "net/resolve.h"

#define WATCHDOG_MS 20000u
#define FOUR        "192.0.2.1"
#define SIX         "2001:db8::1"

static const struct dns_row rows[] = {
    {"both.test", .a = FOUR, .aaaa = SIX, .ttl = 60},
    {"four.test", .a = "192.0.2.2 192.0.2.1 192.0.2.3", .ttl = 60},
    {"six.test", .aaaa = "2001:db8::2 2001:db8::1", .ttl = 60},
    {"mapped.test", .a = FOUR, .aaaa = "::ffff:192.0.2.1 2001:db8::1 2001:db8::1", .ttl = 60},
    {"zero.test", .a = "0.0.0.0", .aaaa = "::", .ttl = 60},
    {"none.test", .soa_minimum = 20},
    {"fails.test", .a_how = DNS_RCODE, .aaaa_how = DNS_RCODE, .rcode = 2},
    {"refused.test", .a_how = DNS_RCODE, .aaaa_how = DNS_RCODE, .rcode = 5},
    {"odd.test", .a_how = DNS_RCODE, .aaaa_how = DNS_RCODE, .rcode = 9},
    {"rubbish.test", .a_how = DNS_RUBBISH, .aaaa_how = DNS_RUBBISH},
    {"halffails.test", .aaaa_how = DNS_RCODE, .rcode = 2, .a = FOUR, .ttl = 3600},
    {"halfnx.test", .aaaa_how = DNS_RCODE, .rcode = 3, .a = FOUR, .ttl = 60},
    {"halfrubbish.test", .aaaa_how = DNS_RUBBISH, .a = FOUR, .ttl = 60},
    {"strangers.test", .a_how = DNS_STRANGERS, .aaaa_how = DNS_STRANGERS, .a = FOUR, .ttl = 60},
    {"truncated.test", .a_how = DNS_TRUNCATED, .aaaa_how = DNS_TRUNCATED, .a = FOUR, .aaaa = SIX, .ttl = 60},
    {"plain.test", .a_how = DNS_NO_EDNS, .aaaa_how = DNS_NO_EDNS, .a = FOUR, .aaaa = SIX, .ttl = 60},
    {"*.old.test", .a_how = DNS_NO_EDNS, .aaaa_how = DNS_NO_EDNS, .a = FOUR, .aaaa = SIX, .ttl = 60},
    {"notimp.test", .a_how = DNS_NO_EDNS, .aaaa_how = DNS_NO_EDNS, .rcode = 4, .a = FOUR, .aaaa = SIX, .ttl = 60},
    {"large.test", .a_how = DNS_LARGE, .aaaa_how = DNS_LARGE, .count = 100, .ttl = 60},
    {"huge.test", .a_how = DNS_LARGE, .aaaa_how = DNS_LARGE, .count = 1000, .ttl = 60},
    {"partial.test", .a_how = DNS_PARTIAL, .aaaa_how = DNS_PARTIAL, .a = FOUR, .aaaa = SIX, .ttl = 60},
    {"closing.test", .a_how = DNS_PARTIAL, .aaaa_how = DNS_PARTIAL},
    {"*.hanging.test", .a_how = DNS_HANGING, .aaaa_how = DNS_HANGING},
    {"flood.test", .a_how = DNS_FLOOD, .a = FOUR, .ttl = 60},
    {"*.silent.test", .a_how = DNS_SILENT, .aaaa_how = DNS_SILENT},
    {"many.test", .a_how = DNS_MANY, .count = 2000, .aaaa = SIX, .ttl = 60},
    {"c0.test", .a_how = DNS_CHAIN, .count = 3, .a = FOUR, .ttl = 100},
    {"c0.back.test", .a_how = DNS_CHAIN, .count = 3, .a = FOUR, .ttl = 100, .backwards = true},
    {"long.test", .a_how = DNS_CHAIN, .aaaa_how = DNS_CHAIN, .count = 20, .a = FOUR, .aaaa = SIX, .ttl = 100},
    {"circle.test", .a_how = DNS_LOOP, .aaaa_how = DNS_LOOP},
    {"foreign.test", .a_how = DNS_FOREIGN, .aaaa_how = DNS_FOREIGN, .a = FOUR, .aaaa = SIX},
    {"silent.test", .a_how = DNS_SILENT, .aaaa_how = DNS_SILENT},
    {"halfsilent.test", .a_how = DNS_SILENT, .aaaa = SIX, .ttl = 3600},
    {"held.test", .a = FOUR, .aaaa = SIX, .aaaa_how = DNS_HELD, .ttl = 3600},
    {"allheld.test", .a_how = DNS_HELD, .aaaa_how = DNS_HELD, .a = FOUR, .aaaa = SIX, .ttl = 60},
    {"instant.test", .a = FOUR, .aaaa = SIX, .ttl = 0},
    {"forever.test", .a = FOUR, .aaaa = SIX, .ttl = 0x7fffffff},
    {"negative.test", .a = FOUR, .aaaa = SIX, .ttl = 0x80000001},
    {"*.wild.test", .a = FOUR, .aaaa = SIX, .ttl = 60},
    {"intranet.corp.test", .a = "192.0.2.7", .ttl = 60},
    {"a.b.corp.test", .a = "192.0.2.8", .ttl = 60},
    {"none.corp.test", .soa_minimum = 20},
    {"fails.corp.test", .a_how = DNS_RCODE, .aaaa_how = DNS_RCODE, .rcode = 2},
    {"late.lab.test", .a = "192.0.2.9", .ttl = 60},
    {"none.lab.test", .soa_minimum = 20},
    {"fails.lab.test", .soa_minimum = 20},
    {"tld", .a = "192.0.2.10", .ttl = 60},
    {0},
};

struct bench {
	struct loop           *loop;
	struct dns_server      server;
	struct resolver_config config;
	struct resolver       *resolver;
	struct timer           watchdog;
	unsigned               waiting; /* for callbacks; the loop stops at none */
};

/* What one job came to. */
struct outcome {
	struct bench       *bench;
	struct resolve_job *job;
	unsigned            calls;
	enum fault          fault;
	struct resolved    *addrs;
};

static void
on_watchdog(void *arg)
{
	(void)arg;
	fail_msg("nothing came for %u ms", WATCHDOG_MS);
}

static void
bench_run(struct bench *b)
{
	timer_set(b->loop, &b->watchdog, WATCHDOG_MS);
	loop_run(b->loop);
	timer_clear(&b->watchdog);
}

static void
on_resolved(void *arg, enum fault fault, struct resolved *r)
{
	struct outcome *o = arg;

	o->calls++;
	o->fault = fault;
	o->addrs = r;
	assert_int_equal(fault == FAULT_NONE, r != NULL);
	if (--o->bench->waiting == 0)
		loop_stop(o->bench->loop);
}

static void
ask(struct bench *b, struct outcome *o, const char *name)
{
	*o = (struct outcome){.bench = b};
	b->waiting++;
	o->job = resolver_start(b->resolver, span_str(name), on_resolved, o);
	assert_non_null(o->job);
	assert_int_equal(o->calls, 0);
}

static void
bench_open(struct bench *b, const char *resolv_conf, const char *hosts)
{
	memset(b, 0, sizeof *b);
	b->loop = loop_new();
	assert_non_null(b->loop);
	dns_server_open(&b->server, b->loop, rows);
	timer_init(&b->watchdog, on_watchdog, b);
	b->config = (struct resolver_config){
	    .servers = &b->server.at,
	    .n_servers = 1,
	    .resolv_conf = span_str(resolv_conf),
	    .hosts = span_str(hosts),
	    .timeout_ms = 5000,
	    .cache_names = 100,
	};
	b->resolver = resolver_new(b->loop, &b->config);
	assert_non_null(b->resolver);
}

static void
bench_close(struct bench *b)
{
	resolver_free(b->resolver);
	dns_server_close(&b->server);
	loop_free(b->loop);
}

static int
setup(void **state)
{
	struct bench *b = malloc(sizeof *b);

	assert_non_null(b);
	bench_open(b, "search corp.test lab.test\n", "");
	*state = b;
	return 0;
}

static int
teardown(void **state)
{
	bench_close(*state);
	free(*state);
	return 0;
}

/* The addresses, blanks between; or the word of the fault. Lets go of them. */
static const char *
outcome_text(struct outcome *o)
{
	static char text[4096];
	size_t      n = 0;

	assert_int_equal(o->calls, 1);
	if (!o->addrs)
		return fault_row(o->fault)->word;
	text[0] = '\0';
	for (unsigned i = 0; i < o->addrs->n; i++) {
		if (i)
			text[n++] = ' ';
		n += addr_print(&o->addrs->addr[i], text + n);
	}
	resolved_unref(o->addrs);
	o->addrs = NULL;
	return text;
}

static void
test_a_name_gets_what_the_server_says_or_a_reason(void **state)
{
	static const struct {
		const char *name, *want;
	} cases[] = {
	    {"both.test", SIX " " FOUR}, {"four.test", "192.0.2.2 192.0.2.1 192.0.2.3"}, {"six.test", "2001:db8::2 2001:db8::1"},
	    {"mapped.test", SIX " " FOUR}, {"zero.test", ":: 0.0.0.0"}, {"none.test", "dns-no-address"}, {"unknown.test", "dns-nxdomain"},
	    {"fails.test", "dns-error"}, {"refused.test", "dns-refused"}, {"odd.test", "dns-error"}, {"rubbish.test", "dns-error"},
	    {"halffails.test", FOUR}, {"halfnx.test", FOUR}, {"halfrubbish.test", FOUR}, {"strangers.test", FOUR}, {"flood.test", FOUR},
	    {"truncated.test", SIX " " FOUR}, {"plain.test", SIX " " FOUR}, {"notimp.test", SIX " " FOUR},
	    {"partial.test", SIX " " FOUR}, {"closing.test", "dns-unreachable"}, {"c0.test", FOUR}, {"c0.back.test", FOUR}, {"long.test", "dns-error"},
	    {"circle.test", "dns-error"}, {"foreign.test", "dns-no-address"}, {"x.onion", "dns-nxdomain"}, {"both.test.", SIX " " FOUR},
	    {"halfsilent.test", SIX}, {"instant.test", SIX " " FOUR}, {"", "dns-nxdomain"}, {".", "dns-nxdomain"}, {"a..test", "dns-nxdomain"},
	    {"back\\slash.test", "dns-nxdomain"},
	};
	struct bench *b = *state;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct outcome o;
		ask(b, &o, cases[i].name);
		bench_run(b);
		const char *got = outcome_text(&o);
		if (strcmp(got, cases[i].want) != 0)
			fail_msg("%s: got %s, not %s", cases[i].name, got, cases[i].want);
	}
	assert_int_equal(dns_server_asked(&b->server, "A x.onion"), 0);
}

static void
test_two_thousand_addresses_come_down_to_a_fair_share_of_both_families(void **state)
{
	struct bench  *b = *state;
	struct outcome o;
	struct addr    six;

	ask(b, &o, "many.test");
	bench_run(b);
	assert_int_equal(dns_server_asked(&b->server, "A/tcp many.test"), 1);
	assert_int_equal(o.addrs->n, DNS_ADDRS_MAX);
	assert_true(addr_parse(SPAN(SIX), &six));
	assert_true(addr_eq(&o.addrs->addr[0], &six));
	assert_true(addr_is_v4(&o.addrs->addr[1]));
	resolved_unref(o.addrs);
}

static void
test_time_to_live_is_the_least_of_the_chain_and_held_within_bounds(void **state)
{
	static const struct {
		const char *name;
		unsigned    want_s;
	} cases[] = {
	    {"both.test", 60}, {"instant.test", 1}, {"negative.test", 1}, {"forever.test", 3600}, {"c0.test", 105}, {"c0.back.test", 100},
	    {"halffails.test", 60},
	};
	struct bench *b = *state;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct outcome o;
		uint64_t       before = clock_mono_us(), after;
		ask(b, &o, cases[i].name);
		bench_run(b);
		after = clock_mono_us();
		assert_in_range(o.addrs->expires_us, before + cases[i].want_s * UINT64_C(1000000), after + cases[i].want_s * UINT64_C(1000000));
		resolved_unref(o.addrs);
	}
}

static void
test_a_name_once_learnt_is_not_asked_for_again(void **state)
{
	static const struct {
		const char *name, *want;
	} cases[] = {{"both.test", SIX " " FOUR}, {"none.test.", "dns-no-address"}, {"unknown.test.", "dns-nxdomain"}};
	struct bench         *b = *state;
	enum fault            fault;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct outcome o;
		struct span    name = span_str(cases[i].name);
		assert_null(resolver_cached(b->resolver, name, &fault));
		assert_int_equal(fault, FAULT_NONE);
		ask(b, &o, cases[i].name);
		bench_run(b);
		assert_string_equal(outcome_text(&o), cases[i].want);
		unsigned        asked = b->server.n_log;
		struct outcome  again = {.calls = 1};
		again.addrs = resolver_cached(b->resolver, name, &again.fault);
		assert_string_equal(outcome_text(&again), cases[i].want);
		ask(b, &o, cases[i].name);
		bench_run(b);
		assert_string_equal(outcome_text(&o), cases[i].want);
		assert_int_equal(b->server.n_log, asked);
	}
}

static void
test_the_search_list_is_followed_as_resolv_conf_says(void **state)
{
	static const struct {
		const char *conf, *name, *want, *asked; /* asked: by A, in order */
	} cases[] = {
	    {"search corp.test lab.test\n", "intranet", "192.0.2.7", "intranet.corp.test"},
	    {"search corp.test lab.test\n", "late", "192.0.2.9", "late.corp.test late.lab.test"},
	    {"search corp.test lab.test\n", "tld", "192.0.2.10", "tld.corp.test tld.lab.test tld"},
	    {"search corp.test lab.test\noptions no-tld-query\n", "tld", "dns-nxdomain", "tld.corp.test tld.lab.test"},
	    {"search corp.test\n", "a.b", "dns-nxdomain", "a.b"}, /* a name with a dot is never looked for below another */
	    {"search corp.test\noptions ndots:2\n", "a.b", "dns-nxdomain", "a.b"},
	    {"search corp.test\noptions ndots:2\n", "both.test", SIX " " FOUR, "both.test"},
	    {"search corp.test\n", "a.b.", "dns-nxdomain", "a.b"},
	    {"search corp.test\n", "both.test", SIX " " FOUR, "both.test"},
	    {"search corp.test lab.test\n", "none", "dns-no-address", "none.corp.test none.lab.test none"},
	    {"search corp.test\n", "fails", "dns-error", "fails.corp.test fails.corp.test fails"}, /* a server that fails is tried twice */
	    {"search corp.test lab.test\n", "fails", "dns-no-address", "fails.corp.test fails.corp.test fails.lab.test fails"},
	    {"search .\n", "intranet", "dns-nxdomain", "intranet"},
	    {"search corp.test\noptions ndots:0\n", "intranet", "192.0.2.7", "intranet intranet.corp.test"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct bench  *b = malloc(sizeof *b);
		struct outcome o;
		char           asked[1024] = "";
		assert_non_null(b);
		bench_open(b, cases[i].conf, "");
		ask(b, &o, cases[i].name);
		bench_run(b);
		for (unsigned k = 0; k < b->server.n_log; k++)
			if (b->server.log[k][1] == ' ')
				snprintf(asked + strlen(asked), sizeof asked - strlen(asked), "%s%s", *asked ? " " : "", b->server.log[k] + 2);
		const char *got = outcome_text(&o);
		if (strcmp(got, cases[i].want) != 0 || strcmp(asked, cases[i].asked) != 0)
			fail_msg("row %zu: %s by asking for %s", i, got, asked);
		bench_close(b);
		free(b);
	}
}

static void
test_hosts_come_before_the_dns(void **state)
{
	static const char hosts[] = "# both.test is ours\n127.0.0.1\tlocalhost\n::1 localhost ip6-localhost\n10.0.0.1 Both.Test. alias # other.test\n"
				    "10.0.0.2 both.test\nnonsense both.test\nfe80::1%lo both.test\n10.0.0.3";
	static const struct {
		const char *name, *want;
	} cases[] = {{"both.test", "10.0.0.1 10.0.0.2"}, {"alias", "10.0.0.1"}, {"localhost", "::1 127.0.0.1"}, {"ip6-localhost", "::1"}};
	struct bench *b = malloc(sizeof *b);

	(void)state;
	assert_non_null(b);
	bench_open(b, "", hosts);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct outcome o = {.calls = 1};
		o.addrs = resolver_cached(b->resolver, span_str(cases[i].name), &o.fault);
		assert_string_equal(outcome_text(&o), cases[i].want);
		ask(b, &o, cases[i].name);
		bench_run(b);
		assert_string_equal(outcome_text(&o), cases[i].want);
	}
	assert_int_equal(b->server.n_log, 0);
	bench_close(b);
	free(b);
}

static void
test_a_silent_server_ends_in_a_timeout(void **state)
{
	struct bench         *b = *state;
	struct outcome        o;
	enum fault            fault;
	uint64_t              before = clock_mono_us();

	b->config.timeout_ms = 300;
	assert_true(resolver_reconfigure(b->resolver, &b->config));
	ask(b, &o, "silent.test");
	bench_run(b);
	assert_int_equal(o.calls, 1);
	assert_int_equal(o.fault, FAULT_DNS_TIMEOUT);
	assert_true(clock_mono_us() - before >= 200000);
	assert_true(dns_server_asked(&b->server, "A silent.test") >= 2);
	/* not remembered: the next caller may be luckier */
	assert_null(resolver_cached(b->resolver, SPAN("silent.test"), &fault));
	assert_int_equal(fault, FAULT_NONE);
}

static void
test_a_second_server_answers_for_a_silent_failing_or_absent_first(void **state)
{
	static const struct dns_row silent[] = {{"*.wild.test", .a_how = DNS_SILENT, .aaaa_how = DNS_SILENT}, {0}};
	static const struct dns_row failing[] = {{"*.wild.test", .a_how = DNS_RCODE, .aaaa_how = DNS_RCODE, .rcode = 2}, {0}};
	const struct dns_row *const kinds[] = {silent, failing, NULL}; /* NULL: nobody there */
	struct bench              *b = *state;
	struct dns_server         *other = malloc(sizeof *other);

	assert_non_null(other);
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		struct outcome  o;
		struct endpoint both[2];
		dns_server_open(other, b->loop, kinds[i]);
		if (!kinds[i])
			dns_server_leave(other);
		both[0] = other->at;
		both[1] = b->server.at;
		b->config.servers = both;
		b->config.n_servers = 2;
		b->config.timeout_ms = 1200;
		assert_true(resolver_reconfigure(b->resolver, &b->config));
		ask(b, &o, "x.wild.test");
		bench_run(b);
		assert_string_equal(outcome_text(&o), SIX " " FOUR);
		assert_int_equal(dns_server_asked(other, "A x.wild.test"), kinds[i] != NULL);
		dns_server_close(other);
	}
	free(other);
}

/* Runs until `arg`'s server has been asked n times. */
struct until {
	struct loop_hook   hook;
	struct dns_server *server;
	unsigned           n;
	struct loop       *loop;
};

static void
on_turn(void *arg)
{
	struct until *u = arg;

	if (u->server->n_log >= u->n)
		loop_stop(u->loop);
}

static void
test_equal_names_under_way_share_one_query(void **state)
{
	struct bench  *b = *state;
	struct outcome o[100];

	for (int i = 0; i < 100; i++)
		ask(b, &o[i], "both.test");
	bench_run(b);
	assert_int_equal(b->server.n_log, 2);
	for (int i = 1; i < 100; i++) {
		assert_ptr_equal(o[i].addrs, o[0].addrs);
		resolved_unref(o[i].addrs);
	}
	assert_string_equal(outcome_text(&o[0]), SIX " " FOUR);
}

static void
test_a_cancelled_job_is_never_called_and_the_others_are(void **state)
{
	struct bench  *b = *state;
	struct outcome o[4];

	ask(b, &o[0], "both.test");
	ask(b, &o[1], "both.test");
	ask(b, &o[2], "x.onion"); /* its answer is ready already */
	ask(b, &o[3], "four.test");
	resolve_job_cancel(o[0].job);
	resolve_job_cancel(o[2].job);
	resolve_job_cancel(NULL);
	b->waiting -= 2;
	bench_run(b);
	assert_int_equal(o[0].calls, 0);
	assert_int_equal(o[2].calls, 0);
	assert_string_equal(outcome_text(&o[1]), SIX " " FOUR);
	assert_string_equal(outcome_text(&o[3]), "192.0.2.2 192.0.2.1 192.0.2.3");
}

static void
test_one_family_waits_for_the_other_only_for_a_moment_and_the_late_one_is_kept(void **state)
{
	struct bench    *b = *state;
	struct outcome   o;
	struct resolved *r = NULL;
	enum fault       fault;
	uint64_t         before = clock_mono_us();

	ask(b, &o, "held.test");
	bench_run(b);
	assert_true(clock_mono_us() - before >= 50000);
	assert_true(o.addrs->expires_us <= clock_mono_us() + 60000000); /* half an answer is not kept for long */
	assert_string_equal(outcome_text(&o), FOUR);
	r = resolver_cached(b->resolver, SPAN("held.test"), &fault);
	assert_int_equal(r->n, 1);
	resolved_unref(r);
	dns_server_release(&b->server);
	/* a later question is answered after it, by the same server on the same loop */
	for (r = NULL; !r || r->n < 2;) {
		static unsigned n;
		char            name[32];
		resolved_unref(r);
		snprintf(name, sizeof name, "n%u.wild.test", n++);
		ask(b, &o, name);
		bench_run(b);
		assert_string_equal(outcome_text(&o), SIX " " FOUR);
		r = resolver_cached(b->resolver, SPAN("held.test"), &fault);
		assert_true(n < 50);
	}
	assert_true(r->expires_us > clock_mono_us() + 3500000000u);
	resolved_unref(r);
	assert_int_equal(dns_server_asked(&b->server, "A held.test"), 1);
}

static void
test_the_cache_keeps_no_more_names_than_it_may(void **state)
{
	struct bench         *b = *state;
	enum fault            fault;
	char                  name[32];

	for (int i = 0; i < 300; i++) {
		struct outcome o;
		snprintf(name, sizeof name, "n%d.wild.test", i);
		ask(b, &o, name);
		bench_run(b);
		resolved_unref(o.addrs);
		/* used again and again: stays */
		resolved_unref(resolver_cached(b->resolver, SPAN("n0.wild.test"), &fault));
	}
	for (int i = 0; i < 300; i++) {
		struct resolved *r;
		snprintf(name, sizeof name, "n%d.wild.test", i);
		r = resolver_cached(b->resolver, span_str(name), &fault);
		assert_int_equal(r != NULL, i == 0 || i >= 201);
		resolved_unref(r);
	}
}

struct stream {
	struct bench *bench;
	unsigned      next, done, total;
};

static void
on_stream(void *arg, enum fault fault, struct resolved *r)
{
	struct stream *s = arg;
	char           name[32];

	assert_int_equal(fault, FAULT_NONE);
	resolved_unref(r);
	if (++s->done == s->total)
		loop_stop(s->bench->loop);
	if (s->next == s->total)
		return;
	snprintf(name, sizeof name, "s%u.wild.test", s->next++);
	assert_non_null(resolver_start(s->bench->resolver, span_str(name), on_stream, s));
}

static void
test_source_port_and_ids_change_under_constant_load_and_no_query_is_lost(void **state)
{
	struct bench *b = *state;
	struct stream s = {.bench = b, .total = 1000};
	unsigned      same = 0;
	char          name[32];

	while (s.next < 8) { /* always some under way, so that no channel ever rests by itself */
		snprintf(name, sizeof name, "s%u.wild.test", s.next++);
		assert_non_null(resolver_start(b->resolver, span_str(name), on_stream, &s));
	}
	bench_run(b);
	assert_int_equal(s.done, 1000);
	assert_in_range(b->server.n_log, 2000, 2010);
	assert_true(b->server.n_ports >= 4);
	for (unsigned i = 1; i < b->server.n_log; i++)
		same += b->server.id[i] == (uint16_t)(b->server.id[i - 1] + 1) || b->server.id[i] == b->server.id[i - 1];
	assert_true(same < 10);
}

static unsigned
plain_asked(const struct bench *b)
{
	unsigned n = 0;

	for (unsigned i = 0; i < b->server.n_log; i++)
		n += !b->server.edns[i];
	return n;
}

/* Ask for n names below `below`, one after the other. */
static void
ask_many(struct bench *b, unsigned n, const char *below)
{
	static unsigned serial;

	while (n--) {
		struct outcome o;
		char           name[64];
		snprintf(name, sizeof name, "n%u.%s", serial++, below);
		ask(b, &o, name);
		bench_run(b);
		assert_string_equal(outcome_text(&o), SIX " " FOUR);
	}
}

static void
test_a_server_without_edns_is_asked_without_and_now_and_then_with(void **state)
{
	struct bench *b = *state;

	ask_many(b, 4, "old.test");
	assert_int_equal(b->server.n_log, 16);
	assert_int_equal(plain_asked(b), 8);
	ask_many(b, 64, "old.test");
	assert_int_equal(b->server.n_log, 16 + 128 + 2); /* two of these questions tried EDNS */
	/* it has learnt it: the first that tries it is enough */
	ask_many(b, 64, "wild.test");
	unsigned plain = plain_asked(b);
	ask_many(b, 10, "wild.test");
	assert_int_equal(plain_asked(b), plain);
}

static void
test_edns_is_not_given_up_for_the_sake_of_some_names(void **state)
{
	struct bench *b = *state;

	for (unsigned i = 0; i < 20; i++) {
		ask_many(b, 3, "old.test");
		ask_many(b, 1, "wild.test");
	}
	assert_int_equal(plain_asked(b), 20 * 6);
	assert_int_equal(b->server.n_log, 20 * 14);
}

static void
test_an_answer_larger_than_allowed_is_read_if_it_is_whole(void **state)
{
	static const struct {
		const char *name, *by_tcp;
		unsigned    want;
	} cases[] = {{"large.test", "A/tcp large.test", 0}, {"huge.test", "A/tcp huge.test", 1} /* bytes of its datagram are lost */};
	struct bench *b = *state;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct outcome o;
		ask(b, &o, cases[i].name);
		bench_run(b);
		assert_int_equal(o.fault, FAULT_NONE);
		assert_int_equal(o.addrs->n, DNS_ADDRS_MAX);
		resolved_unref(o.addrs);
		assert_int_equal(dns_server_asked(&b->server, cases[i].by_tcp), cases[i].want);
	}
}

static void
test_answers_that_hang_over_tcp_keep_no_other_from_tcp(void **state)
{
	struct bench  *b = *state;
	struct outcome hanging[40], o;
	unsigned       gave_way = 0;
	char           name[32];

	b->config.timeout_ms = 15000; /* none of them ends for itself */
	assert_true(resolver_reconfigure(b->resolver, &b->config));
	for (unsigned i = 0; i < 40; i++) {
		snprintf(name, sizeof name, "h%u.hanging.test", i);
		ask(b, &hanging[i], name);
	}
	ask(b, &o, "truncated.test");
	while (!o.calls) {
		b->waiting = 1;
		bench_run(b);
	}
	assert_string_equal(outcome_text(&o), SIX " " FOUR);
	for (unsigned i = 0; i < 40; i++)
		if (hanging[i].calls) {
			assert_int_equal(hanging[i].fault, FAULT_DNS_TIMEOUT);
			gave_way++;
		}
	assert_in_range(gave_way, 1, 18); /* 82 questions for 64 streams */
}

static void
test_look_ups_that_hang_are_limited_and_others_go_on_when_they_end(void **state)
{
	static struct outcome o[16385];
	struct bench         *b = *state;
	char                  name[32];

	b->server.deaf = true;
	b->config.timeout_ms = 4000; /* all are asked by then, on a busy machine too */
	assert_true(resolver_reconfigure(b->resolver, &b->config));
	for (unsigned i = 0; i < 16385; i++) {
		snprintf(name, sizeof name, "s%u.silent.test", i);
		ask(b, &o[i], name);
	}
	b->waiting = 1;
	bench_run(b);
	assert_int_equal(o[16384].calls, 1); /* at once, before all others */
	assert_int_equal(o[16384].fault, FAULT_DNS_TIMEOUT);
	assert_int_equal(o[0].calls, 0);
	b->waiting = 16384;
	bench_run(b);
	for (unsigned i = 0; i < 16384; i++)
		assert_int_equal(o[i].fault, FAULT_DNS_TIMEOUT);
	b->server.deaf = false;
	uint64_t end_us = clock_mono_us() + UINT64_C(5000000);
	do { /* c-ares lets go of them with its next tick */
		assert_true(clock_mono_us() < end_us);
		ask(b, &o[0], "both.test");
		bench_run(b);
	} while (o[0].fault == FAULT_DNS_TIMEOUT);
	assert_string_equal(outcome_text(&o[0]), SIX " " FOUR);
}

static void
test_a_connection_that_all_share_is_not_closed_upon_one_question_twice(void **state)
{
	struct bench  *b = *state;
	struct outcome closing, o;

	b->config.resolv_conf = SPAN("options use-vc\n");
	assert_true(resolver_reconfigure(b->resolver, &b->config));
	ask(b, &closing, "closing.test");
	ask(b, &o, "both.test");
	bench_run(b);
	assert_string_equal(outcome_text(&o), SIX " " FOUR);
	assert_string_equal(outcome_text(&closing), "dns-unreachable");
	assert_int_equal(dns_server_asked(&b->server, "A both.test"), 0); /* by UDP */
}

static void
on_return(void *arg)
{
	dns_server_return(arg);
}

static void
test_a_name_server_that_is_started_anew_is_waited_for(void **state)
{
	struct bench  *b = *state;
	struct outcome o[50];
	struct timer   back;
	char           name[32];

	ask(b, &o[0], "allheld.test"); /* in flight when the server goes, and lost with it */
	ask(b, &o[1], "both.test");
	b->waiting = 1;
	bench_run(b);
	assert_string_equal(outcome_text(&o[1]), SIX " " FOUR);
	dns_server_leave(&b->server);
	b->server.released = true;
	for (unsigned i = 1; i < 50; i++) {
		snprintf(name, sizeof name, "r%u.wild.test", i);
		ask(b, &o[i], name);
	}
	timer_init(&back, on_return, &b->server);
	timer_set(b->loop, &back, 300);
	b->waiting = 50;
	bench_run(b);
	for (unsigned i = 0; i < 50; i++) {
		assert_int_equal(o[i].fault, FAULT_NONE);
		resolved_unref(o[i].addrs);
	}
}

static void
test_a_name_server_that_stays_away_is_waited_for_no_longer_than_a_second(void **state)
{
	struct bench         *b = *state;
	struct outcome        o;
	uint64_t              before = clock_mono_us();
	enum fault            fault;

	dns_server_leave(&b->server);
	ask(b, &o, "both.test");
	bench_run(b);
	assert_string_equal(outcome_text(&o), "dns-unreachable");
	assert_true(clock_mono_us() - before >= 900000);
	assert_null(resolver_cached(b->resolver, SPAN("both.test"), &fault));
	assert_int_equal(fault, FAULT_DNS_UNREACHABLE);
	dns_server_return(&b->server);
}

static void
test_reconfiguring_empties_the_cache_and_lets_old_jobs_end(void **state)
{
	static const struct dns_row other_rows[] = {{"*.test", .a = "192.0.2.99", .ttl = 60}, {0}};
	struct bench      *b = *state;
	struct dns_server *other = malloc(sizeof *other);
	struct outcome     held, o;
	enum fault         fault;
	struct until       until = {.hook.fn = on_turn, .hook.arg = &until, .server = &b->server, .n = 2, .loop = b->loop};

	assert_non_null(other);
	dns_server_open(other, b->loop, other_rows);
	ask(b, &held, "allheld.test");
	loop_hook_add(b->loop, &until.hook);
	bench_run(b);
	until.n = UINT32_MAX;
	b->config.servers = &other->at;
	b->config.hosts = SPAN("10.1.1.1 new.test\n");
	assert_true(resolver_reconfigure(b->resolver, &b->config));
	b->waiting = 0;
	ask(b, &o, "allheld.test"); /* does not join the old one */
	bench_run(b);
	assert_string_equal(outcome_text(&o), "192.0.2.99");
	assert_int_equal(held.calls, 0);
	dns_server_release(&b->server);
	b->waiting = 1;
	bench_run(b);
	assert_string_equal(outcome_text(&held), SIX " " FOUR);
	/* and does not put what it learnt into the new cache */
	o = (struct outcome){.calls = 1};
	o.addrs = resolver_cached(b->resolver, SPAN("allheld.test"), &fault);
	assert_string_equal(outcome_text(&o), "192.0.2.99");
	o = (struct outcome){.calls = 1};
	o.addrs = resolver_cached(b->resolver, SPAN("new.test"), &fault);
	assert_string_equal(outcome_text(&o), "10.1.1.1");
	dns_server_close(other);
	free(other);
}

static void
on_resolved_free(void *arg, enum fault fault, struct resolved *r)
{
	struct bench *b = arg;

	assert_int_equal(fault, FAULT_NONE);
	resolved_unref(r);
	resolver_free(b->resolver);
	b->resolver = NULL;
	loop_stop(b->loop);
}

static void
test_the_resolver_may_be_freed_from_a_callback_with_jobs_under_way(void **state)
{
	struct bench  *b = *state;
	struct outcome others[3];

	ask(b, &others[0], "silent.test");
	ask(b, &others[1], "held.test");
	assert_non_null(resolver_start(b->resolver, SPAN("both.test"), on_resolved_free, b));
	ask(b, &others[2], "both.test"); /* ready in the same moment */
	bench_run(b);
	for (int i = 0; i < 3; i++)
		assert_int_equal(others[i].calls, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_a_name_gets_what_the_server_says_or_a_reason, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_two_thousand_addresses_come_down_to_a_fair_share_of_both_families, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_time_to_live_is_the_least_of_the_chain_and_held_within_bounds, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_a_name_once_learnt_is_not_asked_for_again, setup, teardown),
	    cmocka_unit_test(test_the_search_list_is_followed_as_resolv_conf_says),
	    cmocka_unit_test(test_hosts_come_before_the_dns),
	    cmocka_unit_test_setup_teardown(test_a_silent_server_ends_in_a_timeout, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_a_second_server_answers_for_a_silent_failing_or_absent_first, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_equal_names_under_way_share_one_query, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_a_cancelled_job_is_never_called_and_the_others_are, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_one_family_waits_for_the_other_only_for_a_moment_and_the_late_one_is_kept, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_the_cache_keeps_no_more_names_than_it_may, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_source_port_and_ids_change_under_constant_load_and_no_query_is_lost, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_a_server_without_edns_is_asked_without_and_now_and_then_with, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_edns_is_not_given_up_for_the_sake_of_some_names, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_an_answer_larger_than_allowed_is_read_if_it_is_whole, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_answers_that_hang_over_tcp_keep_no_other_from_tcp, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_look_ups_that_hang_are_limited_and_others_go_on_when_they_end, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_a_connection_that_all_share_is_not_closed_upon_one_question_twice, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_a_name_server_that_is_started_anew_is_waited_for, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_a_name_server_that_stays_away_is_waited_for_no_longer_than_a_second, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_reconfiguring_empties_the_cache_and_lets_old_jobs_end, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_the_resolver_may_be_freed_from_a_callback_with_jobs_under_way, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
