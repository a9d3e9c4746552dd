/* SPDX-License-Identifier: MIT */
/* Rules that see requests: bounds of regexes, requests inside inspected tunnels, how those are inspected, and what is warned of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "conf/load.h"
#include "match/pattern.h"
#include "policy/compile.h"
#include "policy/policy.h"

#define END        "[listener l]\naddress = 127.0.0.1:0\n[log l]\nfile = -\n"
#define INSPECTION "[inspection]\nca-cert = x\nca-key = y\n"

struct site {
	struct report  r;
	struct flat    f;
	struct conf   *c;
	struct policy *p;
};

static void
site_open(struct site *s, const char *ini, bool jit)
{
	uint32_t off;

	report_init(&s->r);
	flat_init(&s->f);
	s->c = conf_load_memory("x.ini", span_str(ini), &s->r);
	assert_non_null(s->c);
	off = policy_compile(s->c, &s->f, &s->r);
	if (s->r.errors)
		report_print(&s->r, s->c, stderr);
	assert_int_equal(s->r.errors, 0);
	s->p = policy_open(s->f.base, s->f.used, off, jit);
	assert_non_null(s->p);
}

static void
site_close(struct site *s)
{
	policy_close(s->p);
	flat_clear(&s->f);
	conf_free(s->c);
	report_clear(&s->r);
}

static struct head no_fields;

static enum policy_answer
ask(const struct policy *p, struct span url, uint32_t known, struct verdict *v)
{
	struct host  host = {.kind = HOST_NAME, .n = 1, .text = "a"};
	struct facts f = {.host = &host, .port = 443, .scheme = SCHEME_HTTPS, .method = SPAN("GET"), .known = known, .url = url, .head = &no_fields,
		.origin_tls = 0x0303, .origin_strength = 112};

	return policy_decide(p, &f, v);
}

/* Each takes more than a person waits when nothing bounds it; with and without machine code. */
static void
test_a_regex_that_takes_too_long_is_given_up(void **state)
{
	static const char *const slow[] = {"(a+)+[bc]", "(a|aa)+[bc]", "a.*a.*a.*a.*[bc]", "(.*a){12}[bc]"};
	char                     ini[400], url[PATTERN_TEXT_MAX + 2];

	(void)state;
	memset(url, 'a', sizeof url);
	for (unsigned i = 0; i < 8; i++) {
		struct site    s;
		struct verdict v;
		snprintf(ini, sizeof ini, "[rule slow]\nurl = \"%s\"\naction = deny\n[rule all]\nauth = none\naction = tunnel\n" END, slow[i / 2]);
		site_open(&s, ini, i % 2);
		assert_int_equal(ask(s.p, span_of(url, 4000), FACT_REQUEST, &v), POLICY_UNDECIDED);
		/* a CONNECT does not hang on it */
		assert_int_equal(ask(s.p, SPAN(""), 0, &v), POLICY_VERDICT);
		assert_int_equal(v.rule, 1);
		site_close(&s);
	}
}

static void
test_a_long_url_is_searched_and_one_beyond_the_bound_is_refused(void **state)
{
	char url[PATTERN_TEXT_MAX + 1];

	(void)state;
	memset(url, 'a', sizeof url);
	memcpy(url + PATTERN_TEXT_MAX - 6, "/admin", 6);
	for (unsigned jit = 0; jit < 2; jit++) {
		struct site    s;
		struct verdict v;
		site_open(&s, "[rule few]\nurl = aa.*/admin$ (?:a|b)+/x$\naction = deny\n[rule all]\nauth = none\naction = tunnel\n" END, jit);
		assert_int_equal(ask(s.p, span_of(url, PATTERN_TEXT_MAX), FACT_REQUEST, &v), POLICY_VERDICT);
		assert_int_equal(v.rule, 0);
		assert_int_equal(ask(s.p, span_of(url, PATTERN_TEXT_MAX + 1), FACT_REQUEST, &v), POLICY_UNDECIDED);
		assert_int_equal(ask(s.p, SPAN(""), FACT_REQUEST, &v), POLICY_VERDICT);
		assert_int_equal(v.rule, 1);
		site_close(&s);
	}
}

/* Where the verdict does not hang on it, a regex that gave up harms nobody. */
static void
test_a_regex_that_gives_up_matters_only_where_the_verdict_hangs_on_it(void **state)
{
	static const char  ini[] = "[rule slow]\nurl = (a+)+[bc]\naction = deny\nreport = yes\n[rule no]\nurl = ^x\naction = deny\n[rule all]\nauth = none\naction = tunnel\n" END;
	static const char  two[] = "[rule slow]\nurl = (a+)+[bc]\naction = deny\n[rule slow2]\nurl = (a+)+[cd]\naction = deny\n[rule all]\naction = deny\n" END;
	static const char  text[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	struct site        s;
	struct verdict     v;

	(void)state;
	site_open(&s, ini, true);
	assert_int_equal(ask(s.p, span_str(text), FACT_REQUEST, &v), POLICY_VERDICT);
	assert_int_equal(v.rule, 2);
	site_close(&s);
	site_open(&s, two, true);
	assert_int_equal(ask(s.p, span_str(text), FACT_REQUEST, &v), POLICY_UNDECIDED);
	site_close(&s);
}

static void
test_requests_in_a_tunnel_are_decided_by_the_same_rules(void **state)
{
	static const char ini[] = "[auth]\ndomain = winbind\n" INSPECTION "[rule admin]\nurl = ^https://[^/]+/admin\nschemes = https\naction = deny\n"
	                          "[rule weak]\norigin-strength = <128\naction = deny\n[rule all]\nauth = none\naction = inspect\nset-response-header = \"X-A: b\"\n" END;
	struct site         s;
	struct verdict      v;
	struct rule_effects e;

	(void)state;
	site_open(&s, ini, true);
	assert_int_equal(s.r.warnings, 0);
	assert_int_equal(ask(s.p, SPAN(""), 0, &v), POLICY_VERDICT);
	assert_int_equal(v.action, ACTION_INSPECT);
	assert_int_equal(ask(s.p, SPAN("https://a/admin"), FACT_REQUEST, &v), POLICY_VERDICT);
	assert_int_equal(v.rule, 0);
	assert_false(policy_rule_effects(s.p, v.rule, &e));
	assert_int_equal(ask(s.p, SPAN("https://a/x"), FACT_REQUEST | FACT_ORIGIN, &v), POLICY_VERDICT);
	assert_int_equal(v.rule, 1);
	assert_int_equal(ask(s.p, SPAN("https://a/x"), FACT_REQUEST, &v), POLICY_VERDICT);
	assert_int_equal(v.rule, 2);
	assert_true(policy_rule_effects(s.p, v.rule, &e));
	assert_true(span_eq(e.set_response, SPAN("X-A: b\r\n")) && e.redirect.n == 0 && e.remove_request.n == 0);
	assert_false(policy_rule_effects(s.p, RULE_NONE, &e));
	site_close(&s);
}

static void
test_a_rule_says_how_its_tunnels_are_inspected_else_the_section(void **state)
{
	static const char ini[] = "[auth]\ndomain = winbind\n" INSPECTION "unknown-alpn = tunnel\non-bad-origin = expired:warn\n"
	                          "[rule own]\nhosts = a.net\naction = inspect\nunknown-alpn = refuse\non-bad-origin = self-signed:pass\n[rule all]\naction = inspect\n" END;
	struct site            s;
	struct rule_inspection own, all, none;

	(void)state;
	site_open(&s, ini, true);
	policy_rule_inspection(s.p, 0, &own);
	policy_rule_inspection(s.p, 1, &all);
	policy_rule_inspection(s.p, RULE_NONE, &none);
	assert_int_equal(own.unknown_alpn, ODD_REFUSE);
	assert_int_equal(all.unknown_alpn, ODD_TUNNEL);
	assert_int_equal(none.unknown_alpn, ODD_REFUSE);
	assert_int_equal(own.bad_origin[KIND_SELF_SIGNED], ORIGIN_PASS);
	assert_int_equal(all.bad_origin[KIND_SELF_SIGNED], ORIGIN_BLOCK);
	assert_int_equal(all.bad_origin[KIND_EXPIRED], ORIGIN_WARN);
	assert_int_equal(none.bad_origin[KIND_EXPIRED], ORIGIN_BLOCK);
	site_close(&s);
}

static void
test_rules_that_look_for_what_is_never_seen_are_named(void **state)
{
	static const struct {
		const char *rule;
		const char *warning;  /* without a rule that inspects; null: none */
		const char *inspects; /* with one */
	} rows[] = {
		{"url = x", NULL, NULL},
		{"url = x\nschemes = https", "the `url` of https requests is seen only by inspection", NULL},
		{"headers = X-A\nschemes = !http", "the `headers` of https requests", NULL},
		{"content-types = image/*\nschemes = HTTPS", "the `content-types` of https requests", NULL},
		{"url = ^https://a/ ^https:", "the `url` of https requests", NULL},
		{"url = ^https://a/ b", NULL, NULL},
		{"url = !^https://a/", NULL, NULL},
		{"url = x\nschemes = https http", NULL, NULL},
		{"origin-tls = 1.2", "what an origin's TLS is like is seen only by inspection", NULL},
		{"origin-strength = <128\nurl = x", "what an origin's TLS is like is seen only by inspection", NULL},
		{"url = x\nmethods = CONNECT", "a CONNECT has no `url`", "a CONNECT has no `url`"},
		{"url = x\nmethods = CONNECT GET", NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < 2 * sizeof rows / sizeof *rows; i++) {
		const char *want = i % 2 ? rows[i / 2].inspects : rows[i / 2].warning;
		char        ini[600];
		struct site s;
		snprintf(ini, sizeof ini, "[auth]\ndomain = winbind\n%s[rule x]\naction = deny\n%s\n[rule y]\naction = %s\nauth = none\n" END, i % 2 ? INSPECTION : "", rows[i / 2].rule,
		    i % 2 ? "inspect" : "tunnel");
		site_open(&s, ini, false);
		if (s.r.warnings != (want != NULL) || (want && !strstr(s.r.v[0].text, want)))
			fail_msg("%s%s: %zu warnings: %s", rows[i / 2].rule, i % 2 ? " (inspected)" : "", s.r.warnings, s.r.n ? s.r.v[0].text : "");
		site_close(&s);
	}
}

static void
test_effects_that_come_too_late_are_named(void **state)
{
	struct site s;

	(void)state;
	site_open(&s, "[rule x]\nauth = none\ncontent-types = image/*\nremove-request-header = Referer\naction = tunnel\n" END, false);
	assert_int_equal(s.r.warnings, 1);
	assert_non_null(strstr(s.r.v[0].text, "the request is sent already"));
	site_close(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_regex_that_takes_too_long_is_given_up),
		cmocka_unit_test(test_a_long_url_is_searched_and_one_beyond_the_bound_is_refused),
		cmocka_unit_test(test_a_regex_that_gives_up_matters_only_where_the_verdict_hangs_on_it),
		cmocka_unit_test(test_requests_in_a_tunnel_are_decided_by_the_same_rules),
		cmocka_unit_test(test_a_rule_says_how_its_tunnels_are_inspected_else_the_section),
		cmocka_unit_test(test_rules_that_look_for_what_is_never_seen_are_named),
		cmocka_unit_test(test_effects_that_come_too_late_are_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
