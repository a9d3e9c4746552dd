/* SPDX-License-Identifier: MIT */
/* What [auth] says, as it comes out of a snapshot that was built, sealed and mapped. */
#include "conf_dir.h"

#include "conf/load.h"
#include "policy/snapshot.h"

#define N(a) (sizeof(a) / sizeof *(a))
#define END "[listener a]\naddress = 127.0.0.1:0\n"
#define BIT(kind) (1u << (kind))

static struct snapshot *
snapshot_of(const char *ini)
{
	struct snapshot_inputs in = {.generation = 1};
	struct report          r;
	struct conf           *c;
	struct snapshot       *s;
	int                    fd;

	dir_write("postern.ini", ini);
	report_init(&r);
	c = conf_load("postern.ini", &r);
	assert_non_null(c);
	fd = snapshot_build(c, &in, &r);
	if (fd < 0)
		report_print(&r, c, stderr);
	assert_true(fd >= 0);
	s = snapshot_open(fd, true);
	assert_non_null(s);
	close(fd);
	conf_free(c);
	report_clear(&r);
	return s;
}

static void
test_only_the_back_ends_that_something_asks_run(void **state)
{
	static const struct {
		const char *ini;
		uint32_t    n_schemes, kinds, ntlm, basic;
		bool        groups;
	} rows[] = {
		{"", 0, 0, BACK_KINDS, BACK_KINDS, false},
		{"[auth]\nntlm-file = f\n", 2, BIT(BACK_NTLM_FILE), BACK_NTLM_FILE, BACK_KINDS, false},
		{"[auth]\nntlm-file = f\nkeytab = f\nbasic-file = f\n", 3, BIT(BACK_NTLM_FILE) | BIT(BACK_KERBEROS) | BIT(BACK_BASIC_FILE), BACK_NTLM_FILE,
		    BACK_BASIC_FILE, false},
		{"[auth]\nkeytab = f\n", 1, BIT(BACK_KERBEROS), BACK_KINDS, BACK_KINDS, false},
		{"[auth]\nkeytab = f\nbasic-file = f\nschemes = basic\n", 1, BIT(BACK_BASIC_FILE), BACK_KINDS, BACK_BASIC_FILE, false},
		{"[auth]\ndomain = winbind\n[rule r]\ngroups = x\naction = deny\n", 2, BIT(BACK_WINBIND), BACK_WINBIND, BACK_KINDS, true},
		{"[auth]\ndomain = winbind\nbasic = pam\n", 3, BIT(BACK_WINBIND) | BIT(BACK_PAM), BACK_WINBIND, BACK_PAM, false},
		{"[auth]\nbasic = ldap\nldap-url = ldaps://d\n", 1, BIT(BACK_LDAP), BACK_KINDS, BACK_LDAP, false},
		/* for the groups of a ticket, and the names of the domain */
		{"[auth]\nkeytab = f\ndomain = winbind\nbasic-file = f\nschemes = basic\n", 1, BIT(BACK_WINBIND) | BIT(BACK_BASIC_FILE), BACK_KINDS, BACK_BASIC_FILE, false},
	};

	(void)state;
	dir_write("f", "x");
	chmod("f", 0600);
	for (size_t i = 0; i < N(rows); i++) {
		char                        ini[600];
		struct snapshot            *s;
		const struct auth_settings *a;
		snprintf(ini, sizeof ini, "%s" END, rows[i].ini);
		s = snapshot_of(ini);
		a = &s->set->auth;
		if (a->n_schemes != rows[i].n_schemes || a->kinds != rows[i].kinds || a->ntlm != rows[i].ntlm || a->basic != rows[i].basic ||
		    a->wants_groups != rows[i].groups)
			fail_msg("row %zu: %u schemes, kinds %x, ntlm %u, basic %u", i, a->n_schemes, a->kinds, a->ntlm, a->basic);
		snapshot_unref(s);
	}
}

static void
test_texts_times_and_limits_come_along(void **state)
{
	struct snapshot            *s;
	const struct auth_settings *a;

	(void)state;
	dir_write("ca.pem", "-----BEGIN\n");
	s = snapshot_of("[auth]\nrealm = Example Corp\nbasic = ldap\nldap-url = ldaps://a ldap://b\nldap-name = %u@x\nldap-ca = ca.pem\nsuccess-ttl = 1s\n"
	                "max-age = 2s\ntimeout = 3s\nqueue = 4\nmax-failures = 5 per 6s\nmax-failures-user = none\nbasic-without-tls = yes\npam-service = p\n" END);
	a = &s->set->auth;
	assert_true(span_eq(snapshot_text(s, a->realm), SPAN("Example Corp")));
	assert_true(span_eq(snapshot_text(s, a->ldap_url), SPAN("ldaps://a ldap://b")));
	assert_true(span_eq(snapshot_text(s, a->ldap_name), SPAN("%u@x")));
	assert_true(span_eq(snapshot_text(s, a->ldap_ca), SPAN("-----BEGIN\n")));
	assert_true(span_eq(snapshot_text(s, a->pam_service), SPAN("p")));
	assert_true(a->success_ttl_ms == 1000 && a->max_age_ms == 2000 && a->timeout_ms == 3000 && a->queue == 4 && a->basic_without_tls);
	assert_true(a->max_failures.count == 5 && a->max_failures.per_ms == 6000 && a->max_failures_user.count == 0);
	assert_true(a->scheme[0] == AUTH_SCHEME_BASIC);
	snapshot_unref(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_only_the_back_ends_that_something_asks_run, dir_setup, dir_teardown),
		cmocka_unit_test_setup_teardown(test_texts_times_and_limits_come_along, dir_setup, dir_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
