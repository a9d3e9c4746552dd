/* SPDX-License-Identifier: MIT */
/*
 * auth: what [auth] needs to be whole, the schemes that its back ends allow, and what rules need of it.
 * Looks at files (there, plain, readable, closed to others) and reads none of them: they hold secrets, which only the auth processes read.
 */
#include <unistd.h>

#include "conf/load.h"
#include "conf/value.h"

/* Directories that lock accounts do so at 10 failures or fewer, as a rule. */
#define LOCK_OUT_USUAL 10

static struct where
given_at(const struct load *l, const char *key)
{
	size_t               n;
	const struct option *table = option_table(&n), *o = option_find(SECTION_AUTH, span_str(key));

	return l->auth_seen[o - table];
}

static bool
is_given(const struct load *l, const char *key)
{
	return given_at(l, key).line != 0;
}

static struct where
given_or_head(const struct load *l, const char *key)
{
	return is_given(l, key) ? given_at(l, key) : l->c->auth.at;
}

/* --- files --- */

unsigned
back_file_closed(enum back_kind kind)
{
	return kind == BACK_NTLM_FILE ? 0077 : 0027; /* a group of its own may read a keytab or crypt(3) hashes; NT hashes are passwords */
}

static void
check_files(struct load *l)
{
	const struct conf_auth *a = &l->c->auth;

	static const char secrets[] = "so that others can read or change its secrets; set it to 0640 or 0600";

	check_file(l, a->ntlm_file_at, "ntlm-file", a->ntlm_file, back_file_closed(BACK_NTLM_FILE), "so that others can read or change its secrets; set it to 0600");
	check_file(l, a->keytab_at, "keytab", a->keytab, back_file_closed(BACK_KERBEROS), secrets);
	check_file(l, a->basic_file_at, "basic-file", a->basic_file, back_file_closed(BACK_BASIC_FILE), secrets);
	check_file(l, given_at(l, "ldap-ca"), "ldap-ca", a->ldap_ca, 0022, "so that others can change whom we trust; set it to 0644");
}

/* --- LDAP --- */

static bool
ldap_url_is_fine(struct span url)
{
	size_t      n = url.n > 8 && span_eq_nocase(span_of(url.p, 8), SPAN("ldaps://")) ? 8 : url.n > 7 && span_eq_nocase(span_of(url.p, 7), SPAN("ldap://")) ? 7 : 0;
	struct span host = span_of(url.p + n, url.n - n);

	if (host.n && host.p[host.n - 1] == '/')
		host.n--;
	for (size_t i = 0; i < host.n; i++)
		if ((unsigned char)host.p[i] <= 0x20 || strchr("/?#@%,;\\\"<>", host.p[i]))
			return false;
	return n && host.n;
}

static void
check_ldap(struct load *l)
{
	const struct conf_auth *a = &l->c->auth;
	struct span             rest = span_str(a->ldap_url);
	struct conf_item        item;
	char                    why[ITEM_WHY];

	while (item_next(&rest, &item, why))
		if (item.quoted || item.negated || !ldap_url_is_fine(item.text))
			report_error(l->r, a->ldap_url_at,
			    "ldap-url: `%.*s` is none; want ldaps://HOST, or ldap://HOST for StartTLS, several separated by blanks", SHOW(item.text));
	if (why[0])
		report_error(l->r, a->ldap_url_at, "ldap-url: %s", why);
	if (a->ldap_name && !strstr(a->ldap_name, "%u"))
		report_error(l->r, given_or_head(l, "ldap-name"),
		    "ldap-name: without %%u every user would be the same; want one such as %%u@corp.example or uid=%%u,ou=people,dc=example");
	if (a->basic != BACK_LDAP)
		report_find(l->r, FINDING_NO_EFFECT, a->ldap_url_at, "ldap-url is not used; say basic = ldap");
}

/* --- PAM --- */

/* PAM would take its service `other`, which refuses everybody and says nothing. */
static void
check_pam(struct load *l)
{
	static const char *const folders[] = {"/etc/pam.d", "/usr/lib/pam.d"};
	const char              *service = l->c->auth.pam_service;
	struct where             at = given_or_head(l, "pam-service");
	char                     path[300];

	if (strchr(service, '/') || service[0] == '.' || strlen(service) > 128) {
		report_error(l->r, at, "pam-service = %s: want the name of a file in /etc/pam.d", service);
		return;
	}
	for (size_t i = 0; i < sizeof folders / sizeof *folders && !l->no_files; i++) {
		snprintf(path, sizeof path, "%s/%s", folders[i], service);
		if (access(path, R_OK) == 0)
			return;
	}
	if (!l->no_files)
		report_warn(l->r, at, "pam-service: there is no readable /etc/pam.d/%s, so that PAM refuses everybody; write one, or name another", service);
}

/* --- schemes and back ends --- */

static bool
has_ntlm(const struct conf_auth *a)
{
	return a->ntlm_file || a->domain == BACK_WINBIND;
}

static bool
has_basic(const struct conf_auth *a)
{
	return a->basic == BACK_BASIC_FILE ? a->basic_file != NULL : a->basic == BACK_LDAP ? a->ldap_url != NULL : true;
}

static bool
offers(const struct conf_auth *a, enum auth_scheme s)
{
	for (uint32_t i = 0; i < a->n_schemes; i++)
		if (a->scheme[i] == s)
			return true;
	return false;
}

static void
schemes_default(struct conf_auth *a)
{
	if (a->keytab || has_ntlm(a))
		a->scheme[a->n_schemes++] = AUTH_SCHEME_NEGOTIATE;
	if (has_ntlm(a))
		a->scheme[a->n_schemes++] = AUTH_SCHEME_NTLM;
	if (has_basic(a))
		a->scheme[a->n_schemes++] = AUTH_SCHEME_BASIC;
}

/* Can Basic be offered anywhere? Where nothing hides passwords on their way to us, only if that is allowed. */
static bool
basic_is_open(const struct conf *c)
{
	const struct conf_listener *l;

	TAILQ_FOREACH (l, &c->listeners, link)
		if (l->tls_cert && l->tls_key)
			return true;
	return c->auth.basic_without_tls;
}

static void
check_schemes(struct load *l)
{
	struct conf_auth *a = &l->c->auth;
	struct where      at = given_or_head(l, "schemes");

	if (!is_given(l, "schemes"))
		schemes_default(a);
	if (offers(a, AUTH_SCHEME_NEGOTIATE) && !a->keytab && !has_ntlm(a))
		report_error(l->r, at, "schemes has negotiate, but nobody can check it; want keytab = FILE, ntlm-file = FILE or domain = winbind");
	if (offers(a, AUTH_SCHEME_NTLM) && !has_ntlm(a))
		report_error(l->r, at, "schemes has ntlm, but nobody can check it; want ntlm-file = FILE or domain = winbind");
	if (offers(a, AUTH_SCHEME_BASIC) && !has_basic(a))
		report_error(l->r, at, "schemes has basic, but nobody can check it; want %s",
		    a->basic == BACK_LDAP ? "ldap-url = ldaps://HOST" : "basic-file = FILE, or basic = winbind, ldap or pam");
	if (!a->n_schemes && !is_given(l, "schemes"))
		report_error(l->r, a->at, "[auth] has nobody to ask; want ntlm-file, keytab, domain = winbind, basic-file, or basic = winbind, ldap or pam");
	if (a->keytab && a->n_schemes && !offers(a, AUTH_SCHEME_NEGOTIATE))
		report_find(l->r, FINDING_NO_EFFECT, a->keytab_at, "keytab is not used: negotiate is not in schemes");
	if (a->basic_file && a->basic != BACK_BASIC_FILE)
		report_find(l->r, FINDING_NO_EFFECT, a->basic_file_at, "basic-file is not used; say basic = file");
	if (a->ntlm_file && a->domain == BACK_WINBIND)
		report_error(l->r, a->ntlm_file_at, "ntlm-file and domain = winbind are both given, and only one can check NTLM; remove one");
	if (offers(a, AUTH_SCHEME_BASIC) && !basic_is_open(l->c))
		report_warn(l->r, at,
		    "basic is never offered: no listener speaks TLS; give one tls-cert and tls-key, or say basic-without-tls = yes if passwords may cross the network in the clear");
}

static void
check_built(struct load *l)
{
	const struct conf_auth *a = &l->c->auth;
	bool                    kerberos = false, ldap = false, pam = false, winbind = false;

#ifdef HAVE_KERBEROS
	kerberos = true;
#endif
#ifdef HAVE_LDAP
	ldap = true;
#endif
#ifdef HAVE_PAM
	pam = true;
#endif
#ifdef HAVE_WINBIND
	winbind = true;
#endif
	if (a->keytab && !kerberos)
		report_error(l->r, a->keytab_at, "keytab: this postern was built without Kerberos; remove the line, or build it --with-kerberos");
	if (a->basic == BACK_LDAP && !ldap)
		report_error(l->r, given_at(l, "basic"), "basic = ldap: this postern was built without LDAP; use another, or build it --with-ldap");
	if (a->basic == BACK_PAM && !pam)
		report_error(l->r, given_at(l, "basic"), "basic = pam: this postern was built without PAM; use another, or build it --with-pam");
	if (a->basic == BACK_WINBIND && !winbind)
		report_error(l->r, given_at(l, "basic"), "basic = winbind: this postern was built without winbind; use another, or build it --with-winbind");
	if (a->domain == BACK_WINBIND && !winbind)
		report_error(l->r, given_at(l, "domain"), "domain = winbind: this postern was built without winbind; use ntlm-file, or build it --with-winbind");
}

static void
check_limits(struct load *l)
{
	const struct conf_auth *a = &l->c->auth;
	bool                    directory = a->domain == BACK_WINBIND || a->basic != BACK_BASIC_FILE;

	if (directory && a->max_failures_user.count >= LOCK_OUT_USUAL)
		report_warn(l->r, given_or_head(l, "max-failures-user"),
		    "max-failures-user = %u: many directories lock an account at %d failures or fewer; keep it below their threshold", a->max_failures_user.count,
		    LOCK_OUT_USUAL);
	if (directory && !a->max_failures_user.count)
		report_warn(l->r, given_or_head(l, "max-failures-user"),
		    "max-failures-user has no limit, so that a stale password can lock an account in the directory; keep it below its threshold");
}

/* --- rules --- */

/* What of a rule needs somebody to ask, and where it says so; null: nothing. */
static const char *
rule_asks(const struct conf_rule *r, struct where *at)
{
	if (r->users.n) {
		*at = r->users.v[0].at;
		return "users";
	}
	if (r->groups.n) {
		*at = r->groups.v[0].at;
		return "groups";
	}
	if (r->auth == AUTH_REQUIRED) {
		*at = r->auth_at;
		return "auth = required";
	}
	if ((r->action == ACTION_TUNNEL || r->action == ACTION_INSPECT) && r->auth == AUTH_DEFAULT && !r->report) {
		*at = r->action_at;
		return r->action == ACTION_TUNNEL ? "action = tunnel" : "action = inspect";
	}
	return NULL;
}

static const struct conf_item *
first_plain(const struct conf_items *items, bool (*is)(struct span text))
{
	for (size_t i = 0; i < items->n; i++)
		if (!items->v[i].negated && (!is || is(items->v[i].text)))
			return &items->v[i];
	return NULL;
}

static bool
has_domain(struct span name)
{
	return memchr(name.p, '\\', name.n) != NULL;
}

static bool
groups_told(const struct conf_auth *a)
{
	return a->domain == BACK_WINBIND || a->basic == BACK_WINBIND;
}

/* Names and groups that some way of logging on never tells: a rule that refuses by them would let through. */
static void
check_people(struct load *l, const struct conf_rule *r)
{
	const struct conf_auth *a = &l->c->auth;
	const struct conf_item *group = first_plain(&r->groups, NULL), *user = first_plain(&r->users, has_domain);
	bool                    told = groups_told(a);

	if (group && !told && r->action == ACTION_DENY && !r->force)
		report_error(l->r, group->at, "[rule %.*s]: nobody tells groups, so this rule refuses nobody; want domain = winbind in [auth], or force = yes", SHOW(r->name));
	else if (r->groups.n && !told)
		report_warn(l->r, r->groups.v[0].at, "[rule %.*s]: nobody tells groups, so `groups` never finds one; want domain = winbind in [auth]", SHOW(r->name));
	if (user && a->keytab && a->domain != BACK_WINBIND)
		report_warn(l->r, user->at, "[rule %.*s]: without domain = winbind a Kerberos user has no NetBIOS domain; name alice@REALM too, beside %.*s", SHOW(r->name),
		    SHOW(user->text));
	if (user && r->action == ACTION_DENY && !r->force && offers(a, AUTH_SCHEME_BASIC) && basic_is_open(l->c) && a->basic != BACK_WINBIND)
		report_warn(l->r, user->at, "[rule %.*s]: who logs on by Basic is known by the name that was typed, often without a domain; name that too, beside %.*s",
		    SHOW(r->name), SHOW(user->text));
}

/* By what somebody can log on whose groups nobody tells; null: by nothing that is offered. `cure`: what would tell them. */
static const char *
silent_way(const struct conf *c, const char **cure)
{
	const struct conf_auth *a = &c->auth;
	bool                    basic = offers(a, AUTH_SCHEME_BASIC) && basic_is_open(c);

	*cure = "basic = winbind";
	if (basic && a->basic != BACK_WINBIND)
		return "Basic";
	*cure = "domain = winbind";
	if ((offers(a, AUTH_SCHEME_NTLM) || offers(a, AUTH_SCHEME_NEGOTIATE)) && has_ntlm(a) && a->domain != BACK_WINBIND)
		return "NTLM";
	if (offers(a, AUTH_SCHEME_NEGOTIATE) && a->keytab && a->domain != BACK_WINBIND && !offers(a, AUTH_SCHEME_BASIC))
		return "Kerberos";
	return NULL;
}

/* Where some have groups and others none, a rule that refuses by groups lets the others through, and so does one that is about those outside a group. */
static void
check_groups(struct load *l)
{
	const struct conf_auth *a = &l->c->auth;
	const char             *cure, *way = silent_way(l->c, &cure);
	const struct conf_rule *r;

	if (!way || !groups_told(a))
		return;
	TAILQ_FOREACH (r, &l->c->rules, link) {
		bool denies = r->action == ACTION_DENY;
		if (r->groups.n && !r->force && !r->report && denies == (first_plain(&r->groups, NULL) != NULL))
			report_warn(l->r, r->groups.v[0].at, "[rule %.*s]: nobody tells the groups of who logs on by %s, so this rule %s them; want %s in [auth], or force = yes",
			    SHOW(r->name), way, denies ? "does not refuse" : "lets through all of", cure);
	}
}

/* Once it is clear which schemes are offered. */
static void
check_told(struct load *l)
{
	const struct conf_rule *r;

	TAILQ_FOREACH (r, &l->c->rules, link)
		check_people(l, r);
	check_groups(l);
}

static void
check_rules(struct load *l)
{
	const struct conf_auth *a = &l->c->auth;
	const struct conf_rule *r;
	struct where            at;
	const char             *what;

	TAILQ_FOREACH (r, &l->c->rules, link) {
		what = rule_asks(r, &at);
		if (what && !a->present)
			report_error(l->r, at, "[rule %.*s]: %s needs to know who asks, but there is no [auth]; say auth = none%s, or add [auth]", SHOW(r->name), what,
			    r->users.n || r->groups.n ? " and use clients" : "");
	}
}

void
check_auth(struct load *l)
{
	struct conf_auth *a = &l->c->auth;

	if (!a->realm)
		a->realm = l->c->gateway.visible_name;
	check_rules(l);
	if (!a->present)
		return;
	check_files(l);
	if (a->ldap_url)
		check_ldap(l);
	if (a->basic == BACK_PAM)
		check_pam(l);
	else if (is_given(l, "pam-service"))
		report_find(l->r, FINDING_NO_EFFECT, given_at(l, "pam-service"), "pam-service is not used; say basic = pam");
	check_schemes(l);
	check_built(l);
	check_limits(l);
	check_told(l);
}
