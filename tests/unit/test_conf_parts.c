/* SPDX-License-Identifier: MIT */
/* What [inspection], [auth] and [log] are without options, and what in them is said in vain. */
#include "conf_report.h"

static void
test_inspection_without_options_is_at_its_defaults(void **state)
{
	struct report                 r;
	struct conf                  *c;
	const struct conf_inspection *i;

	(void)state;
	certificates_write();
	mkdir("sub", 0755);
	dir_write("sub/more.ini", "[inspection]\nca-cert = ../ca.pem\nca-key = ../ca.key\ntrust = ../ca.pem\n[rule i]\naction = inspect\nauth = none\n");
	c = load_good("include = sub/more.ini\n" GOOD, &r);
	i = &c->inspection;
	assert_true(i->present && i->min_tls == 0x0303 && i->aia && i->h2);
	assert_true(i->non_tls == ODD_REFUSE && i->missing_sni == ODD_REFUSE && i->foreign_sni == ODD_REFUSE && i->unknown_alpn == ODD_REFUSE && i->ech == ECH_FALLBACK);
	assert_true(i->leaf_cache == 10000 && i->leaf_validity_ms == 30 * UINT64_C(86400000) && i->signer_timeout_ms == 5000);
	assert_string_equal(i->ca_cert, "sub/../ca.pem");
	assert_string_equal(i->ca_key, "sub/../ca.key");
	assert_int_equal(i->trust.n, 1);
	assert_string_equal(i->trust.v[0].text.p, "sub/../ca.pem");
	assert_int_equal(i->crl.n, 0);
	assert_int_equal(TAILQ_FIRST(&c->rules)->unknown_alpn, ODD_DEFAULT);
	assert_int_equal(r.warnings, 0);
	report_clear(&r);
	conf_free(c);
}

/* The answers to each kind, one letter each: block, warn, pass. */
static void
test_a_kind_goes_before_all_and_a_rule_before_the_section(void **state)
{
	static const struct {
		const char *section, *rule; /* "": no such line */
		const char *whole, *own;
	} rows[] = {
		{"", "", "bbbbbbbbbbbb", "............"},
		{"on-bad-origin = warn\n", "", "wwwwwwwwwwww", "............"},
		{"on-bad-origin = expired:pass\n", "", "pbbbbbbbbbbb", "............"},
		{"on-bad-origin = expired:pass warn\n", "", "pwwwwwwwwwww", "............"},
		{"on-bad-origin = warn, expired:pass\n  invalid:block revoked:block\n", "", "pwwwwwwwwwwb", "............"},
		{"on-bad-origin = warn\n[inspection]\non-bad-origin = untrusted:pass\n", "", "wwwwpwwwwwww", "............"},
		{"on-bad-origin = warn\n", "on-bad-origin = not-yet-valid:pass\n", "wwwwwwwwwwww", "wpwwwwwwwwww"},
		{"on-bad-origin = warn\n", "on-bad-origin = block not-yet-valid:pass\n", "wwwwwwwwwwww", "bpbbbbbbbbbb"},
		{"", "on-bad-origin = wrong-host:warn self-signed:pass incomplete:warn weak-signature:pass weak-key:warn bad-usage:pass\n  constrained:warn bad-chain:pass\n",
		    "bbbbbbbbbbbb", "bbwpbwpwpwpb"},
	};

	(void)state;
	certificates_write();
	for (size_t i = 0; i < N(rows); i++) {
		char                   ini[2000], whole[CERT_KINDS + 1] = "", own[CERT_KINDS + 1] = "";
		struct report          r;
		struct conf           *c;
		const struct conf_rule *rule;
		snprintf(ini, sizeof ini, INSPECTION "trust = ca.pem\n%s[rule i]\naction = inspect\nauth = none\n%s" GOOD, rows[i].section, rows[i].rule);
		c = load_good(ini, &r);
		rule = TAILQ_FIRST(&c->rules);
		for (unsigned k = 0; k < CERT_KINDS; k++) {
			whole[k] = "bwp"[c->inspection.bad_origin.answer[k]];
			own[k] = rule->bad_origin.given ? "bwp"[rule->bad_origin.answer[k]] : '.';
		}
		if (strcmp(whole, rows[i].whole) != 0 || strcmp(own, rows[i].own) != 0 || r.warnings)
			fail_msg("row %zu: %s %s, %zu warnings", i, whole, own, r.warnings);
		report_clear(&r);
		conf_free(c);
	}
}

static void
test_what_of_inspection_is_not_used_is_warned_of(void **state)
{
	static const struct {
		const char *ini, *words;
	} rows[] = {
		{INSPECTION "trust = ca.pem\n", "postern.ini:1: warning: [inspection] is not used: no rule has action = inspect"},
		{"[rule a]\naction = deny\non-bad-origin = pass\n", "postern.ini:1: warning: [rule a] has on-bad-origin, but only inspect rules look at that"},
		{"[rule a]\naction = bypass\nhosts = x.example.com\nunknown-alpn = tunnel\n", "postern.ini:1: warning: [rule a] has unknown-alpn, but only"},
		{INSPECTION "trust = ca.pem\ncrl = old.crl\n", "postern.ini:5: warning: crl: old.crl is out of date (CN=Somebody, 2001-09-09 01:46:40 UTC): what was revoked since"},
	};

	(void)state;
	certificates_write();
	certs_crl("old.crl", "Somebody", 1000000000);
	for (size_t i = 0; i < N(rows); i++)
		warning_check(rows[i].ini, rows[i].words);
}

static void
test_what_of_a_log_is_not_used_is_warned_of(void **state)
{
	static const struct {
		const char *ini, *words;
	} rows[] = {
		{"[log a]\nfile = a\nspool = s\n", "postern.ini:3: warning: [log a] has spool, which only a log with syslog uses"},
		{"[log a]\nfile = a\nsyslog-name = s\n", "postern.ini:3: warning: [log a] has syslog-name, which only a log with syslog or journald uses"},
		{"[log a]\njournald = yes\nsyslog-ca = s\n", "postern.ini:3: warning: [log a] has syslog-ca, which only a log with syslog uses"},
		{"[log a]\nsyslog = udp:h\nkeep = 3\n", "postern.ini:3: warning: [log a] has keep, which only a log with file uses"},
		{"[log a]\nsyslog = tcp:h\nsyslog-ca = s\n", "postern.ini:3: warning: [log a] has syslog-ca, which only syslog = tls:HOST:PORT uses"},
		{"[log a]\nsyslog = tcp:h\nspool-size = 1m\n", "postern.ini:3: warning: [log a] has spool-size, but no spool"},
	};

	(void)state;
	for (size_t i = 0; i < N(rows); i++)
		warning_check(rows[i].ini, rows[i].words);
}

static void
test_auth_is_stored_where_it_says_and_the_rest_stands_at_its_default(void **state)
{
	struct report           r;
	struct conf            *c;
	const struct conf_auth *a;

	(void)state;
	c = load_good("[gateway]\nvisible-name = p.example\n" GOOD, &r);
	assert_false(c->auth.present);
	assert_int_equal(c->auth.n_schemes, 0);
	report_clear(&r);
	conf_free(c);
	c = load_good("[gateway]\nvisible-name = p.example\n[auth]\ndomain = winbind\n" GOOD, &r);
	a = &c->auth;
	assert_true(a->present && a->at.line == 3 && a->domain == BACK_WINBIND && a->basic == BACK_BASIC_FILE && !a->basic_without_tls);
	assert_int_equal(a->n_schemes, 2);
	assert_int_equal(a->scheme[0], AUTH_SCHEME_NEGOTIATE);
	assert_int_equal(a->scheme[1], AUTH_SCHEME_NTLM);
	assert_string_equal(a->realm, "p.example");
	assert_string_equal(a->pam_service, "postern");
	assert_string_equal(a->ldap_name, "%u");
	assert_true(a->success_ttl_ms == 300000 && a->max_age_ms == 3600000 && a->timeout_ms == 5000 && a->queue == 1000);
	assert_true(a->max_failures.count == 4 && a->max_failures.per_ms == 1800000 && a->max_failures_user.count == 8);
	report_clear(&r);
	conf_free(c);
	dir_write("u", "");
	dir_write("k", "");
	chmod("u", 0600);
	chmod("k", 0640);
	c = load_good("[auth]\nschemes = basic, negotiate\nrealm = \"Example Corp\"\nbasic-file = u\n[rule r]\nusers = CORP\\alice, Jane Q. Public ,\"!x, y\",\n"
	              "  !CORP\\bob , !\"*\"\ngroups = CORP\\Proxy Users\nauth = required\naction = bypass\n[auth]\nkeytab = k\nbasic-without-tls = yes\n"
	              "max-failures = none\nmax-failures-user = 0\nldap-name = uid=%u\nqueue = 7\ntimeout = 1s\nmax-age = 2h\nsuccess-ttl = 1m\npam-service = p\n"
	              GOOD, &r);
	a = &c->auth;
	assert_true(a->n_schemes == 2 && a->scheme[0] == AUTH_SCHEME_BASIC && a->scheme[1] == AUTH_SCHEME_NEGOTIATE && a->basic_without_tls);
	assert_string_equal(a->realm, "Example Corp");
	assert_string_equal(a->basic_file, "u");
	assert_string_equal(a->keytab, "k");
	assert_int_equal(a->keytab_at.line, 12);
	assert_true(a->max_failures.count == 0 && a->max_failures_user.count == 0 && a->queue == 7 && a->timeout_ms == 1000);
	const struct conf_rule *rule = TAILQ_FIRST(&c->rules);
	static const struct {
		const char *text;
		bool        negated, quoted;
	} users[] = {{"CORP\\alice", false, false}, {"Jane Q. Public", false, false}, {"!x, y", false, true}, {"CORP\\bob", true, false}, {"*", true, true}};
	assert_int_equal(rule->users.n, N(users));
	for (size_t i = 0; i < N(users); i++)
		assert_true(span_eq(rule->users.v[i].text, span_str(users[i].text)) && rule->users.v[i].negated == users[i].negated &&
		    rule->users.v[i].quoted == users[i].quoted);
	assert_int_equal(rule->groups.n, 1);
	assert_int_equal(rule->auth_at.line, 9);
	report_clear(&r);
	conf_free(c);
}

static void
test_files_of_secrets_that_others_can_read_are_refused(void **state)
{
	static const struct {
		const char *key;
		mode_t      mode;
		bool        fine;
	} rows[] = {
		{"ntlm-file", 0600, true}, {"ntlm-file", 0400, true}, {"ntlm-file", 0640, false}, {"ntlm-file", 0604, false}, {"ntlm-file", 0620, false},
		{"keytab", 0600, true}, {"keytab", 0640, true}, {"keytab", 0660, false}, {"keytab", 0644, false}, {"keytab", 0602, false},
		{"basic-file", 0640, true}, {"basic-file", 0644, false}, {"basic-file", 0601, false},
	};
	char ini[300];

	(void)state;
	dir_write("secret", "x");
	for (size_t i = 0; i < N(rows); i++) {
		chmod("secret", rows[i].mode);
		snprintf(ini, sizeof ini, "[auth]\nbasic-without-tls = yes\n%s = secret\n" GOOD, rows[i].key);
		words_check(ini, rows[i].fine ? "" : "postern.ini:3: |secret has mode |set it to 06", !rows[i].fine, 0);
	}
	chmod("secret", 0646);
	words_check("[auth]\ndomain = winbind\nldap-ca = secret\n" GOOD, "postern.ini:3: ldap-ca: secret has mode 0646|set it to 0644", 1, 0);
}

static void
test_what_of_auth_is_not_used_or_not_wise_is_warned_of(void **state)
{
	(void)state;
	dir_write("f", "x");
	chmod("f", 0600);
	words_check("[auth]\nbasic-file = f\n" GOOD, "basic is never offered: no listener speaks TLS", 0, 1);
	words_check("[auth]\ndomain = winbind\nbasic = ldap\nbasic-file = f\nschemes = ntlm\nkeytab = f\n" GOOD,
	    "postern.ini:4: warning: basic-file is not used|postern.ini:6: warning: keytab is not used: negotiate is not in schemes", 0, 2);
	words_check("[auth]\nntlm-file = f\ndomain = winbind\n" GOOD, "postern.ini:2: ntlm-file and domain = winbind are both given", 1, 0);
	words_check("[auth]\ndomain = winbind\nmax-failures-user = 10 per 30m\n" GOOD, "postern.ini:3: warning: max-failures-user = 10: many directories lock", 0, 1);
	words_check("[auth]\ndomain = winbind\nmax-failures-user = none\n" GOOD, "postern.ini:3: warning: max-failures-user has no limit", 0, 1);
	words_check("[auth]\nntlm-file = f\nmax-failures-user = none\nldap-url = ldaps://x\n" GOOD, "postern.ini:4: warning: ldap-url is not used; say basic = ldap", 0, 1);
	words_check("[auth]\nntlm-file = f\n[rule a]\naction = tunnel\ngroups = x\n" GOOD, "postern.ini:5: warning: [rule a]: nobody tells groups", 0, 1);
	words_check("[auth]\nntlm-file = f\n[rule a]\naction = deny\nforce = yes\ngroups = x\n" GOOD, "postern.ini:6: warning: [rule a]: nobody tells groups", 0, 1);
	words_check("[auth]\nntlm-file = f\n[rule a]\naction = deny\ngroups = x\n" GOOD, "postern.ini:5: [rule a]: nobody tells groups, so this rule refuses nobody", 1, 0);
	words_check("[auth]\ndomain = winbind\nbasic-file = f\nbasic-without-tls = yes\n[rule a]\naction = deny\ngroups = x, !y\n" GOOD,
	    "postern.ini:7: warning: [rule a]: nobody tells the groups of who logs on by Basic, so this rule does not refuse them; want basic = winbind in [auth]", 0, 1);
	words_check("[auth]\nntlm-file = f\nbasic = winbind\nbasic-without-tls = yes\n[rule a]\naction = tunnel\ngroups = !x\n" GOOD,
	    "postern.ini:7: warning: [rule a]: nobody tells the groups of who logs on by NTLM, so this rule lets through all of them; want domain = winbind", 0, 1);
	words_check("[auth]\nkeytab = f\nbasic = winbind\nschemes = negotiate\n[rule a]\naction = deny\ngroups = x\n" GOOD,
	    "postern.ini:7: warning: [rule a]: nobody tells the groups of who logs on by Kerberos", 0, 1);
	words_check("[auth]\ndomain = winbind\nbasic-file = f\nbasic-without-tls = yes\n[rule a]\naction = deny\ngroups = x\nforce = yes\n"
	            "[rule b]\naction = deny\ngroups = !x\n[rule c]\naction = tunnel\ngroups = x\n[rule d]\naction = deny\nreport = yes\ngroups = x\n" GOOD,
	    "", 0, 0);
	words_check("[auth]\nkeytab = f\nbasic = winbind\nbasic-without-tls = yes\n[rule a]\naction = deny\ngroups = x\n" GOOD, "", 0, 0);
	words_check("[auth]\nkeytab = f\n[rule a]\naction = deny\nusers = C\\x\n" GOOD, "postern.ini:5: warning: [rule a]: without domain = winbind", 0, 1);
	words_check("[auth]\nkeytab = f\ndomain = winbind\n[rule a]\naction = deny\nusers = C\\x\n" GOOD, "", 0, 0);
	words_check("[auth]\nbasic-file = f\nbasic-without-tls = yes\n[rule a]\naction = deny\nusers = C\\x\n" GOOD, "postern.ini:6: warning: [rule a]: who logs on by Basic", 0, 1);
	words_check("[auth]\nbasic-file = f\nbasic-without-tls = yes\n[rule a]\naction = deny\nusers = C\\x, x\nforce = yes\n" GOOD, "", 0, 0);
	words_check("[rule a]\naction = deny\nauth = none\n[rule b]\naction = tunnel\nreport = yes\n" GOOD, "", 0, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, dir_setup, dir_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_inspection_without_options_is_at_its_defaults),
		TEST(test_a_kind_goes_before_all_and_a_rule_before_the_section),
		TEST(test_what_of_inspection_is_not_used_is_warned_of),
		TEST(test_what_of_a_log_is_not_used_is_warned_of),
		TEST(test_auth_is_stored_where_it_says_and_the_rest_stands_at_its_default),
		TEST(test_files_of_secrets_that_others_can_read_are_refused),
		TEST(test_what_of_auth_is_not_used_or_not_wise_is_warned_of),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
