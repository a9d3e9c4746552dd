/* SPDX-License-Identifier: MIT */
/* What [auth] says, as it comes out of a snapshot that was built, sealed and mapped. */
#include "built.h"
#include "conf_dir.h"

#include "cert_files.h"
#include "conf/certificate.h"
#include "conf/load.h"
#include "policy/snapshot.h"

#define N(a) (sizeof(a) / sizeof *(a))
#define END "[listener a]\naddress = 127.0.0.1:0\n"
#define BIT(kind) (1u << (kind))

static int
block_of(const char *ini, bool report_only)
{
	struct snapshot_inputs in = {.generation = 1, .report_only = report_only};
	struct report          r;

	dir_write("postern.ini", ini);
	report_init(&r);
	return block_built(conf_load("postern.ini", &r), &r, &in);
}

static struct snapshot *
snapshot_of(const char *ini)
{
	int              fd = block_of(ini, false);
	struct snapshot *s = snapshot_open(fd, true);

	assert_non_null(s);
	close(fd);
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

#define INSPECTION "[inspection]\nca-cert = ca.pem\nca-key = ca.key\n"
#define INSPECT    "[rule i]\naction = inspect\nauth = none\n" END

/* Pieces of a list in a block, each looked at to see that it is DER. */
static unsigned
pieces(const struct snapshot *s, struct flat_ref ref)
{
	struct span rest = snapshot_text(s, ref), der;
	unsigned    n = 0;

	for (; der_next(&rest, &der); n++)
		assert_true(der.n > 100 && der.p[0] == 0x30);
	assert_int_equal(rest.n, 0);
	return n;
}

static void
inspection_files(void)
{
	certs_new("ca.pem", "ca.key", (struct cert_want){0});
	certs_new("root.pem", NULL, (struct cert_want){.name = "Root"});
	certs_crl("one.crl", "One", (int64_t)time(NULL) + 86400);
}

static void
test_inspection_comes_along_with_its_certificates(void **state)
{
	struct snapshot                  *s;
	const struct inspection_settings *i;
	struct span                       rest, der;
	uint8_t                           print[32];

	(void)state;
	inspection_files();
	s = snapshot_of(INSPECTION "trust = root.pem\ncrl = one.crl\nmin-tls = 1.3\naia = off\nh2 = no\nnon-tls = tunnel\nmissing-sni = inspect\nech = refuse\n"
	                           "leaf-cache = 7\nleaf-validity = 24h\nsigner-timeout = 1s\n" INSPECT);
	i = &s->set->inspection;
	assert_true(i->present && !i->aia && !i->h2 && i->min_tls == 0x0304);
	assert_true(i->non_tls == ODD_TUNNEL && i->missing_sni == ODD_INSPECT && i->foreign_sni == ODD_REFUSE && i->ech == ECH_REFUSE);
	assert_true(i->leaf_cache == 7 && i->leaf_validity_ms == 86400000 && i->signer_timeout_ms == 1000);
	assert_int_equal(pieces(s, i->ca), 1);
	assert_int_equal(pieces(s, i->roots), 1);
	assert_int_equal(pieces(s, i->crls), 1);
	rest = snapshot_text(s, i->ca);
	assert_true(der_next(&rest, &der) && certificate_print(der, print));
	assert_memory_equal(print, i->ca_print, sizeof print);
	snapshot_unref(s);
}

static void
test_odd_answers_have_defaults_and_the_system_is_trusted(void **state)
{
	struct snapshot                  *s;
	const struct inspection_settings *i;

	(void)state;
	inspection_files();
	if (access(SYSTEM_ROOTS, R_OK) != 0)
		skip();
	s = snapshot_of(INSPECTION INSPECT);
	i = &s->set->inspection;
	assert_true(i->present && i->aia && i->h2 && i->min_tls == 0x0303);
	assert_true(i->non_tls == ODD_REFUSE && i->missing_sni == ODD_REFUSE && i->foreign_sni == ODD_REFUSE && i->ech == ECH_FALLBACK);
	assert_true(pieces(s, i->roots) > 50);
	assert_int_equal(pieces(s, i->crls), 0);
	snapshot_unref(s);
}

static void
test_without_inspection_nothing_of_it_is_carried(void **state)
{
	struct snapshot *s = snapshot_of(END);
	int              fd;

	(void)state;
	assert_true(!s->set->inspection.present && s->set->inspection.roots.n == 0 && s->set->files.n == 2);
	snapshot_unref(s);
	inspection_files();
	/* what would be inspected is tunnelled under --report-only */
	fd = block_of(INSPECTION "trust = root.pem\n" INSPECT, true);
	s = snapshot_open(fd, true);
	assert_true(s && !s->set->inspection.present && s->set->files.n == 2);
	snapshot_unref(s);
	close(fd);
}

#define COLD "[listener l]\naddress = 127.0.0.1:3128\n"

static int let_go_of;

static void
let_go(int file)
{
	let_go_of = file;
}

static void
test_a_block_is_opened_cold_and_its_file_let_go_last(void **state)
{
	int              fd = block_of(COLD "[rule r]\nhosts = re:a+ re:b+ re:c+\naction = deny\n[rule s]\nurl = x.*y z\nmethods = GET\naction = deny\n", false);
	struct snapshot *s = snapshot_open_cold(fd), *same;
	unsigned         turns = 0;

	(void)state;
	assert_non_null(s);
	for (; !snapshot_is_warm(s); turns++)
		assert_true(snapshot_warm(s, 2));
	if (host_set_has_jit(policy_hosts(s->policy)))
		assert_int_equal(turns, 3); /* of five regexes */
	let_go_of = -1;
	snapshot_keep_file(s, fd, let_go);
	same = snapshot_ref(s);
	snapshot_unref(s);
	assert_int_equal(let_go_of, -1);
	snapshot_unref(same);
	assert_int_equal(let_go_of, fd);
	close(fd);
	/* where regexes are not to be compiled there is nothing to wait for */
	fd = block_of(COLD "[gateway]\nregex-jit = no\n[rule r]\nhosts = re:a+\naction = deny\n", false);
	s = snapshot_open_cold(fd);
	assert_true(s && snapshot_is_warm(s));
	snapshot_unref(s);
	close(fd);
}

/* Refreshes `*fd`; what was warned of. */
static size_t
refresh(int *fd, uint64_t generation)
{
	struct report r;
	size_t        warnings;
	int           next;

	report_init(&r);
	next = snapshot_refresh(*fd, generation, &r);
	assert_true(next >= 0 && r.errors == 0);
	warnings = r.warnings;
	report_clear(&r);
	close(*fd);
	*fd = next;
	return warnings;
}

static void
test_a_changed_file_is_noticed_and_taken_on(void **state)
{
	int              fd;
	char             name[200];
	struct snapshot *s;
	size_t           size;

	(void)state;
	inspection_files();
	certs_crl("two.crl", "Two", (int64_t)time(NULL) + 86400);
	fd = block_of(INSPECTION "trust = root.pem\ncrl = one.crl\n" INSPECT, false);
	assert_true(snapshot_changed(fd, name, sizeof name) == 0);
	assert_int_equal(system("cat two.crl >> one.crl && cat ca.pem ca.pem >> root.pem"), 0);
	assert_true(snapshot_changed(fd, name, sizeof name) != 0);
	assert_string_equal(name, "root.pem");
	assert_int_equal(refresh(&fd, 2), 0);
	assert_true(snapshot_changed(fd, name, sizeof name) == 0);
	s = snapshot_open(fd, true);
	assert_true(s && s->set->generation == 2);
	assert_int_equal(pieces(s, s->set->inspection.roots), 3);
	assert_int_equal(pieces(s, s->set->inspection.crls), 2);
	assert_int_equal(pieces(s, s->set->inspection.ca), 1);
	assert_int_equal(policy_rule_count(s->policy), 1);
	size = s->size;
	snapshot_unref(s);
	/* however often: a block does not grow by what it held before */
	for (uint64_t k = 3; k < 10; k++)
		refresh(&fd, k);
	s = snapshot_open(fd, true);
	assert_true(s && s->size == size);
	snapshot_unref(s);
	close(fd);
}

static void
test_a_file_that_is_half_written_leaves_what_was(void **state)
{
	int              fd;
	char             name[200];
	uint64_t         first;
	struct snapshot *s;

	(void)state;
	inspection_files();
	fd = block_of(INSPECTION "trust = root.pem\ncrl = one.crl\n" INSPECT, false);
	assert_int_equal(truncate("root.pem", 200), 0);
	first = snapshot_changed(fd, name, sizeof name);
	assert_true(first != 0 && first == snapshot_changed(fd, name, sizeof name));
	assert_int_equal(unlink("one.crl"), 0);
	assert_true(snapshot_changed(fd, name, sizeof name) != first);
	assert_int_equal(refresh(&fd, 2), 2);
	s = snapshot_open(fd, true);
	assert_int_equal(pieces(s, s->set->inspection.roots), 1);
	assert_int_equal(pieces(s, s->set->inspection.crls), 1);
	snapshot_unref(s);
	/* said once, not with each look */
	assert_true(snapshot_changed(fd, name, sizeof name) == 0);
	certs_crl("one.crl", "One", (int64_t)time(NULL) + 86400);
	assert_true(snapshot_changed(fd, name, sizeof name) != 0);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_only_the_back_ends_that_something_asks_run, dir_setup, dir_teardown),
		cmocka_unit_test_setup_teardown(test_texts_times_and_limits_come_along, dir_setup, dir_teardown),
		cmocka_unit_test_setup_teardown(test_inspection_comes_along_with_its_certificates, dir_setup, dir_teardown),
		cmocka_unit_test_setup_teardown(test_odd_answers_have_defaults_and_the_system_is_trusted, dir_setup, dir_teardown),
		cmocka_unit_test_setup_teardown(test_without_inspection_nothing_of_it_is_carried, dir_setup, dir_teardown),
		cmocka_unit_test_setup_teardown(test_a_block_is_opened_cold_and_its_file_let_go_last, dir_setup, dir_teardown),
		cmocka_unit_test_setup_teardown(test_a_changed_file_is_noticed_and_taken_on, dir_setup, dir_teardown),
		cmocka_unit_test_setup_teardown(test_a_file_that_is_half_written_leaves_what_was, dir_setup, dir_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
