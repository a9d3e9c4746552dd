/* SPDX-License-Identifier: MIT */
/*
 * What the doctor tests, what it advises, and how it tells Prometheus. The tests themselves are in the flow tests: they need servers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "conf/certificate.h"
#include "conf/load.h"
#include "doctor/advice.h"
#include "doctor/chain.h"
#include "doctor/metrics.h"
#include "parse/authority.h"

#define N(a) (sizeof(a) / sizeof *(a))
#define TAIL "[listener l]\naddress = 0.0.0.0:3128\n"

static void
test_every_fault_has_a_word_and_every_bad_one_advice(void **state)
{
	(void)state;
	for (unsigned f = 0; f < DOCTOR_FAULTS; f++) {
		for (unsigned other = 0; other < f; other++)
			assert_string_not_equal(doctor_fault_word(f), doctor_fault_word(other));
		for (unsigned w = 0; w < DOCTOR_WAYS; w++)
			assert_int_equal(*doctor_advice(f, w) != '\0', doctor_is_bad(f));
		assert_int_equal(doctor_side_of(f) != DOCTOR_SIDE_NONE, doctor_is_bad(f));
	}
	assert_string_equal(doctor_fault_word(DOCTOR_FAULTS), "unknown");
	assert_string_equal(doctor_way_word(DOCTOR_WAYS), "unknown");
	assert_string_equal(doctor_step_word(DOCTOR_STEP_DONE + 1), "unknown");
	assert_string_equal(doctor_step_word(DOCTOR_STEP_DONE), "done");
}

static void
test_where_a_parent_carries_the_traffic_the_direct_way_does_not_count(void **state)
{
	struct doctor_target t = {.parents = 1}, by_parent = {.parents = 1, .by_parent = true};
	struct doctor_row    r = {.way = DOCTOR_DIRECT, .fault = DOCTOR_TIMEOUT};

	(void)state;
	assert_true(doctor_counts(&r, &t));
	assert_false(doctor_counts(&r, &by_parent));
	r.way = DOCTOR_PARENT;
	assert_true(doctor_counts(&r, &by_parent));
	r.way = DOCTOR_GATEWAY;
	assert_true(doctor_counts(&r, &by_parent));
	r.fault = DOCTOR_SLOW;
	assert_false(doctor_counts(&r, &t));
}

static void
test_each_way_has_its_place(void **state)
{
	const struct doctor_target t = {.parents = 1u << 2};

	(void)state;
	for (unsigned n = 0; n <= DOCTOR_PARENTS_MAX; n++)
		for (unsigned lane = 0; lane < n + 2; lane++) {
			enum doctor_way   way = doctor_lane_way(lane, n);
			struct doctor_row r = {.way = (uint8_t)way, .parent = way == DOCTOR_PARENT ? (uint8_t)(lane - 1) : 0};
			assert_int_equal(way, lane == 0 ? DOCTOR_DIRECT : lane == n + 1 ? DOCTOR_GATEWAY : DOCTOR_PARENT);
			assert_int_equal(doctor_lane(&r, n), lane);
			assert_int_equal(doctor_lane_is_of(lane, n, &t), way != DOCTOR_PARENT || lane == 3);
		}
}

static void
test_the_root_that_is_built_in_is_microsofts(void **state)
{
	static const char want[] = "847df6a78497943f27fc72eb93f9a637320a02b561d0a91b09e87a7807ed7c61";
	struct der_list   list = {0};
	struct span       rest, der;
	char              why[DER_WHY], got[65];
	uint8_t           print[32];

	(void)state;
	assert_true(der_list_add(&list, DER_CERTIFICATE, span_str(doctor_microsoft_root), why));
	assert_int_equal(list.count, 1);
	rest = span_of(list.v, list.n);
	assert_true(der_next(&rest, &der));
	assert_true(certificate_print(der, print));
	for (size_t i = 0; i < sizeof print; i++)
		snprintf(got + 2 * i, 3, "%02x", print[i]);
	assert_string_equal(got, want);
	der_list_clear(&list);
}

static void
test_symptoms_go_by_the_end_of_the_name(void **state)
{
	static const struct {
		const char *host, *word; /* null: none */
	} cases[] = {{"aka.ms", "11488"}, {"xaka.ms", NULL}, {"a.aka.ms", NULL}, {"fef.x.manage.microsoft.com", "Intune"}, {"v10.events.data.microsoft.com", "48 hours"},
	    {"umwatsonc.events.data.microsoft.com", "crash"}, {"manage.microsoft.com", NULL}, {"", NULL}};

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		struct doctor_target t = {0};
		const char          *said;
		snprintf(t.host, sizeof t.host, "%s", cases[i].host);
		said = doctor_symptom(&t);
		if ((said != NULL) != (cases[i].word != NULL) || (said && !strstr(said, cases[i].word)))
			fail_msg("%s: %s", cases[i].host, said ? said : "nothing");
	}
}

/* --- what is tested --- */

/* "scheme://host:port<pattern" for each; '?' for a wildcard without a known host. */
static void
targets_print(const char *ini, const char *const *list, size_t n_lists, char *out, size_t room)
{
	static struct doctor_target target[DOCTOR_TARGETS_MAX];
	struct report               r;
	struct conf                *c;
	size_t                      n, more, at = 0;

	report_init(&r);
	c = conf_load_memory("doctor.ini", span_str(ini), &r);
	assert_non_null(c);
	if (r.errors)
		fail_msg("%s: %s", ini, r.v[0].text);
	n = doctor_targets(c, list, n_lists, target, DOCTOR_TARGETS_MAX, &more);
	out[0] = '\0';
	for (size_t i = 0; i < n; i++)
		at += (size_t)snprintf(out + at, room - at, "%s%s://%s:%u<%s", i ? " " : "", target[i].scheme == SCHEME_HTTP ? "http" : "https",
		    target[i].no_probe ? "?" : target[i].host, target[i].port, target[i].pattern);
	if (more)
		snprintf(out + at, room - at, " and %zu", more);
	report_clear(&r);
	conf_free(c);
}

static void
test_what_is_tested_are_the_hosts_of_bypass_rules(void **state)
{
	static const struct {
		const char *ini, *list, *want;
	} cases[] = {
	    {TAIL "[list a]\nhost = a.example\n[list b]\nhost = b.example\n[rule r]\nhosts = @a\naction = bypass\n[rule s]\nhosts = @b\naction = tunnel\nauth = none\n", NULL,
		"https://a.example:443<a.example"},
	    {TAIL "[list b]\nhost = b.example\n[rule r]\naction = deny\n", "b", "https://b.example:443<b.example"},
	    {TAIL "[list b]\nhost = b.example\n[doctor]\nlists = b\n[rule r]\nhosts = c.example\naction = bypass\n", NULL, "https://b.example:443<b.example"},
	    {TAIL "[rule r]\nhosts = http://a.example https://b.example:8443 c.example:81 !d.example 192.0.2.1 .t.example *.w.example\naction = bypass\n", NULL,
		"http://a.example:80<http://a.example https://b.example:8443<https://b.example:8443 https://c.example:81<c.example:81 https://192.0.2.1:443<192.0.2.1 "
		"https://t.example:443<.t.example https://?:443<*.w.example"},
	    {TAIL "[list a]\nhost = *.a.example http://*.b.example .t.example *.none.example x.a.example 192.0.2.0/24\nprobe = x.a.example y.a.example:444 z.b.example u.t.example "
		  "192.0.2.7\n[rule r]\nhosts = @a\naction = bypass\n", NULL,
		"https://x.a.example:443<*.a.example https://y.a.example:444<*.a.example http://z.b.example:80<http://*.b.example https://u.t.example:443<.t.example "
		"https://?:443<*.none.example https://192.0.2.7:443<192.0.2.0/24"},
	    {TAIL "[rule r]\naction = bypass\nhosts = a.example\n[rule s]\naction = bypass\nhosts = a.example b.example\n", NULL,
		"https://a.example:443<a.example https://b.example:443<b.example"},
	};
	char got[4096];

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		targets_print(cases[i].ini, &cases[i].list, cases[i].list != NULL, got, sizeof got);
		assert_string_equal(got, cases[i].want);
	}
}

static void
test_more_endpoints_than_fit_are_counted(void **state)
{
	static char          ini[40000], got[80000];
	size_t               at = (size_t)snprintf(ini, sizeof ini, TAIL "[rule r]\naction = bypass\nhosts = x.example\n");

	(void)state;
	for (unsigned i = 0; i < DOCTOR_TARGETS_MAX + 9; i++)
		at += (size_t)snprintf(ini + at, sizeof ini - at, "  h%u.example\n", i);
	targets_print(ini, NULL, 0, got, sizeof got);
	assert_non_null(strstr(got, " and 10"));
}

#define RULE(name, rest) "[rule " name "]\naction = bypass\n" rest
#define PARENT(name, place) "[parent " name "]\naddress = " place "\n"
#define FOUR PARENT("p", "192.0.2.9:3128") PARENT("q", "proxy.example:8080") PARENT("r", "192.0.2.7:1") PARENT("s", "192.0.2.8:2")

/* "name=place ..." of the settings, then for each target "host:" and its parents, '!' when all of its traffic goes through them. */
static void
ways_print(const struct conf *c, const struct doctor_settings *set, const char *list, char *out, size_t room)
{
	static struct doctor_target target[64];
	char                        text[ENDPOINT_TEXT_MAX];
	size_t                      more, at = 0, n = doctor_targets(c, &list, list != NULL, target, N(target), &more);

	out[0] = '\0';
	for (unsigned i = 0; i < set->n_parents; i++) {
		endpoint_print(&set->parent[i].at, text);
		at += (size_t)snprintf(out + at, room - at, "%s=%s%s%s ", set->parent[i].name, set->parent[i].host ? set->parent[i].host : text,
		    set->parent[i].present ? "" : "?", set->parent[i].host ? strrchr(text, ':') : "");
	}
	if (set->parents_more)
		at += (size_t)snprintf(out + at, room - at, "+%u ", set->parents_more);
	for (size_t i = 0; i < n; i++)
		at += (size_t)snprintf(out + at, room - at, "%s%s:%x%s", i ? " " : "", target[i].host, target[i].parents, target[i].by_parent ? "!" : "");
}

static void
test_the_ways_are_those_of_the_rules(void **state)
{
	static const struct {
		const char *ini, *list, *want;
	} cases[] = {
	    {TAIL RULE("r", "hosts = a.example\n"), NULL, "a.example:0"},
	    {"[gateway]\nparent = q p\n" FOUR TAIL RULE("x", "hosts = a.example\n"), NULL, "q=proxy.example:8080 p=192.0.2.9:3128 a.example:3!"},
	    {"[gateway]\nparent = q\n" FOUR TAIL RULE("x", "hosts = a.example\nparent = p\n"), NULL, "p=192.0.2.9:3128 q=proxy.example:8080 a.example:1!"},
	    {"[gateway]\nparent = q\n" FOUR TAIL RULE("x", "hosts = a.example\nparent = none\n"), NULL, "q=proxy.example:8080 a.example:0"},
	    /* each endpoint by the parents of its own rules only; two rules that name it both count */
	    {FOUR TAIL RULE("x", "hosts = a.example b.example\nparent = p r\n") RULE("y", "hosts = b.example c.example\nparent = s\n") RULE("z", "hosts = c.example d.example\n"), NULL,
		"p=192.0.2.9:3128 r=192.0.2.7:1 s=192.0.2.8:2 a.example:3! b.example:7! c.example:4 d.example:0"},
	    /* a list that is asked for: its bypass rules, else other rules, else [gateway] */
	    {"[gateway]\nparent = p\n" FOUR TAIL "[list l]\nhost = a.example\n" RULE("x", "hosts = @l\nparent = r\n") "[rule y]\nhosts = @l\naction = tunnel\nauth = none\nparent = s\n", "l",
		"r=192.0.2.7:1 s=192.0.2.8:2 p=192.0.2.9:3128 a.example:1!"},
	    {"[gateway]\nparent = p\n" FOUR TAIL "[list l]\nhost = a.example\n[rule y]\nhosts = @l\naction = tunnel\nauth = none\nparent = s\n", "l",
		"s=192.0.2.8:2 p=192.0.2.9:3128 a.example:1!"},
	    {"[gateway]\nparent = p\n" FOUR TAIL "[list l]\nhost = a.example\n[rule y]\nhosts = @l\naction = deny\n", "l", "p=192.0.2.9:3128 a.example:1!"},
	    {"[gateway]\nparent = p\n" PARENT("p", "proxy.example:3128") "auth = negotiate\nkeytab = /k\n" TAIL RULE("x", "hosts = a.example\n"), NULL,
		"p=proxy.example?:3128 a.example:1!"},
	    {PARENT("a", "192.0.2.1:1") PARENT("b", "192.0.2.1:2") PARENT("c", "192.0.2.1:3") PARENT("d", "192.0.2.1:4") PARENT("e", "192.0.2.1:5") PARENT("f", "192.0.2.1:6")
		PARENT("g", "192.0.2.1:7") PARENT("h", "192.0.2.1:8") PARENT("i", "192.0.2.1:9") TAIL RULE("x", "hosts = a.example\nparent = a b c d e f g\n")
		RULE("y", "hosts = b.example\nparent = a h i\n") RULE("z", "hosts = c.example\nparent = i\n"), NULL,
		"a=192.0.2.1:1 b=192.0.2.1:2 c=192.0.2.1:3 d=192.0.2.1:4 e=192.0.2.1:5 f=192.0.2.1:6 g=192.0.2.1:7 h=192.0.2.1:8 +1 a.example:7f! b.example:81! c.example:0!"},
	};

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		struct report          r;
		struct doctor_settings set;
		const char           **issuer;
		char                   got[2000];
		report_init(&r);
		struct conf *c = conf_load_memory("doctor.ini", span_str(cases[i].ini), &r);
		assert_non_null(c);
		if (r.errors)
			fail_msg("%s: %s", cases[i].ini, r.v[0].text);
		assert_true(doctor_settings_of(c, &set, &issuer));
		ways_print(c, &set, cases[i].list, got, sizeof got);
		assert_string_equal(got, cases[i].want);
		free(issuer);
		report_clear(&r);
		conf_free(c);
	}
}

static void
test_the_gateway_is_at_its_first_explicit_listener(void **state)
{
	static const struct {
		const char *ini, *want; /* null: none */
	} cases[] = {
	    {TAIL "[rule r]\naction = deny\n", "127.0.0.1:3128"},
	    {"[listener u]\naddress = unix:/run/x\n[listener t]\naddress = 192.0.2.1:1\nmode = transparent\n[listener l]\naddress = [::]:8080\n[rule r]\naction = deny\n", "[::1]:8080"},
	    {"[listener t]\naddress = 192.0.2.1:1\nmode = transparent\n[rule r]\naction = deny\n", NULL},
	};

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		struct report          r;
		struct doctor_settings set;
		const char           **issuer;
		char                   text[ENDPOINT_TEXT_MAX] = "";
		report_init(&r);
		struct conf *c = conf_load_memory("doctor.ini", span_str(cases[i].ini), &r);
		assert_non_null(c);
		assert_true(doctor_settings_of(c, &set, &issuer));
		assert_int_equal(set.gateway.present, cases[i].want != NULL);
		assert_int_equal(set.gateway.why == NULL, cases[i].want != NULL);
		endpoint_print(&set.gateway.at, text);
		if (cases[i].want)
			assert_string_equal(text, cases[i].want);
		assert_false(set.gateway.tls);
		free(issuer);
		report_clear(&r);
		conf_free(c);
	}
}

/* --- Prometheus --- */

static void
test_metrics_escape_what_lists_hold(void **state)
{
	struct doctor_target t = {.host = "a\"b\\c\n", .list = "l", .port = 443, .scheme = SCHEME_HTTPS};
	struct doctor_row    r[2] = {{.way = DOCTOR_DIRECT, .fault = DOCTOR_TIMEOUT, .dns_ms = 1500, .tcp_ms = UINT32_MAX, .proxy_ms = UINT32_MAX, .tls_ms = UINT32_MAX,
					 .http_ms = UINT32_MAX},
	    {.way = DOCTOR_GATEWAY, .fault = DOCTOR_NOT_TRIED, .target = 7}};
	struct text          text = {0};
	char                 got[8000];

	(void)state;
	doctor_metrics(&text, &(struct doctor_found){.target = &t, .n = 1, .row = r, .n_rows = N(r), .when = 1795000000, .took_ms = 2500});
	assert_false(text.failed);
	snprintf(got, sizeof got, "%.*s", (int)text.n, text.p);
	assert_non_null(strstr(got, "postern_doctor_endpoint_up{host=\"a\\\"b\\\\c?\",port=\"443\",scheme=\"https\",list=\"l\",way=\"direct\"} 0\n"));
	assert_non_null(strstr(got, "way=\"direct\",step=\"dns\"} 1.500\n"));
	assert_non_null(strstr(got, "postern_doctor_failing 1\n"));
	assert_non_null(strstr(got, "postern_doctor_run_duration_seconds 2.500\n"));
	assert_null(strstr(got, "gateway\""));
	text_clear(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_fault_has_a_word_and_every_bad_one_advice),
	    cmocka_unit_test(test_where_a_parent_carries_the_traffic_the_direct_way_does_not_count),
	    cmocka_unit_test(test_the_root_that_is_built_in_is_microsofts),
	    cmocka_unit_test(test_symptoms_go_by_the_end_of_the_name),
	    cmocka_unit_test(test_what_is_tested_are_the_hosts_of_bypass_rules),
	    cmocka_unit_test(test_more_endpoints_than_fit_are_counted),
	    cmocka_unit_test(test_each_way_has_its_place),
	    cmocka_unit_test(test_the_ways_are_those_of_the_rules),
	    cmocka_unit_test(test_the_gateway_is_at_its_first_explicit_listener),
	    cmocka_unit_test(test_metrics_escape_what_lists_hold),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
