/* SPDX-License-Identifier: MIT */
/*
 * squid_auth: auth_param: the programs that Squid asks, as back ends.
 */
#include <stdlib.h>

#include "import/squid_inside.h"

static struct span
base_name(struct span path)
{
	const char *slash = memrchr(path.p, '/', path.n);

	return slash ? span_of(slash + 1, path.n - (size_t)(slash + 1 - path.p)) : path;
}

static bool
has_word(struct span line, const char *word)
{
	return memmem(line.p, line.n, word, strlen(word)) != NULL;
}

static struct span
plain_or_none(struct squid *s, const struct squid_line *line, struct span in)
{
	if (squid_is_plain(in) && in.n < 150 && !memchr(in.p, ';', in.n))
		return in;
	squid_note(s, SQUID_TODO, line, "left out: its words have quotes or semicolons");
	return (struct span){0};
}

static void
keytab_read(struct squid *s, const struct squid_line *line, struct squid_words *w)
{
	struct span word;

	s->auth.negotiate = true;
	s->auth.keytab = SPAN("/etc/krb5.keytab");
	while ((word = squid_word_plain(w)).n > 0) {
		if (span_eq(word, SPAN("-k")))
			s->auth.keytab = plain_or_none(s, line, squid_word_plain(w));
		if (span_eq(word, SPAN("-r")))
			squid_note(s, SQUID_TODO, line, "-r takes the realm off names; here users are alice@REALM: add it to the names in users");
	}
	if (s->auth.keytab.n > 5 && memcmp(s->auth.keytab.p, "FILE:", 5) == 0)
		s->auth.keytab = span_of(s->auth.keytab.p + 5, s->auth.keytab.n - 5);
}

/* -b BASE -u ATTRIBUTE, as long as a name is made of these; a search needs a bind of its own. */
static void
ldap_read(struct squid *s, const struct squid_line *line, struct squid_words *w)
{
	struct span word, base = {0}, attribute = SPAN("uid"), url = {0};
	bool        search = false;

	while ((word = squid_word_plain(w)).n > 0) {
		if (span_eq(word, SPAN("-b")))
			base = squid_word_plain(w);
		else if (span_eq(word, SPAN("-u")))
			attribute = squid_word_plain(w);
		else if (span_eq(word, SPAN("-h")) || span_eq(word, SPAN("-H")))
			url = squid_word_plain(w);
		else if (span_eq(word, SPAN("-f")) || span_eq(word, SPAN("-D")))
			search = true, squid_word_plain(w);
		else if (word.p[0] != '-')
			url = word;
	}
	s->auth.basic = s->auth.basic_ldap = true;
	url = plain_or_none(s, line, url);
	if (url.n && !memmem(url.p, url.n, "://", 3))
		url = arena_printf(&s->arena, "ldap://%.*s", SPAN_ARG(url));
	s->auth.ldap_url = url;
	if (search || !squid_is_plain(base) || !squid_is_plain(attribute))
		squid_note(s, SQUID_TODO, line, "users are not searched for: say in ldap-name what to bind as, such as %%u@corp.example or uid=%%u,ou=people,dc=example");
	else
		s->auth.ldap_name = plain_or_none(s, line, arena_printf(&s->arena, "%.*s=%%u,%.*s", SPAN_ARG(attribute), SPAN_ARG(base)));
}

static void
basic_read(struct squid *s, const struct squid_line *line, struct span program, struct squid_words *w)
{
	struct span word;

	if (span_eq(program, SPAN("basic_ncsa_auth")) || span_eq(program, SPAN("ncsa_auth"))) {
		s->auth.basic = true;
		s->auth.basic_file = plain_or_none(s, line, squid_word_plain(w));
		squid_note(s, SQUID_TODO, line, "basic-file takes bcrypt, yescrypt, SHA-512 and SHA-256; users with MD5 or DES need new passwords (postern passwd); and the file must be closed to others");
	} else if (span_eq(program, SPAN("basic_ldap_auth")) || span_eq(program, SPAN("squid_ldap_auth"))) {
		ldap_read(s, line, w);
	} else if (span_eq(program, SPAN("basic_pam_auth")) || span_eq(program, SPAN("pam_auth"))) {
		s->auth.basic = s->auth.basic_pam = true;
		s->auth.pam_service = SPAN("squid");
		while ((word = squid_word_plain(w)).n > 0)
			if (span_eq(word, SPAN("-n")))
				s->auth.pam_service = plain_or_none(s, line, squid_word_plain(w));
	} else if (span_eq(program, SPAN("ntlm_auth"))) {
		s->auth.basic = s->auth.basic_winbind = true;
	} else {
		squid_note(s, SQUID_TODO, line, "this program has no counterpart; Basic can ask a file, winbind, LDAP or PAM: see AUTHENTICATION in postern.ini(5)");
	}
}

static void
program_read(struct squid *s, const struct squid_line *line, struct span scheme, struct squid_words *w)
{
	struct span all = w->rest, program = base_name(squid_word_plain(w));

	if (span_eq(scheme, SPAN("basic"))) {
		basic_read(s, line, program, w);
	} else if (span_eq(scheme, SPAN("ntlm"))) {
		s->auth.ntlm = s->auth.winbind = true;
		if (!span_eq(program, SPAN("ntlm_auth")))
			squid_note(s, SQUID_TODO, line, "NTLM is checked by winbindd, or against ntlm-file");
	} else if (span_eq(scheme, SPAN("negotiate"))) {
		s->auth.negotiate = true;
		if (has_word(all, "ntlm_auth"))
			s->auth.winbind = true;
		if (has_word(all, "kerberos_auth"))
			keytab_read(s, line, w);
	} else {
		squid_note(s, SQUID_TODO, line, "%.*s is not offered here: there are negotiate, ntlm and basic", scheme.n < 32 ? (int)scheme.n : 32, scheme.p);
	}
}

void
squid_auth_read(struct squid *s, const struct squid_line *line)
{
	struct squid_words w;
	struct span        scheme, what;

	squid_words_begin(&w, s, line, false);
	scheme = squid_word_plain(&w);
	what = squid_word_plain(&w);
	s->auth.any = true;
	if (span_eq(what, SPAN("program")))
		program_read(s, line, scheme, &w);
	else if (span_eq(what, SPAN("realm")) && squid_is_plain(w.rest) && !memchr(w.rest.p, ';', w.rest.n) && w.rest.n < 120)
		s->auth.realm = span_of(w.rest.p + 1, w.rest.n - 1); /* a blank stands before it */
	else if (span_eq(what, SPAN("casesensitive")) && span_eq(squid_word_plain(&w), SPAN("on")))
		squid_note(s, SQUID_DIFFERS, line, "names are compared without regard to case");
}

/* What follows from all of it together. */
void
squid_auth_end(struct squid *s, bool asks)
{
	if (asks && !s->auth.any)
		squid_note(s, SQUID_TODO, NULL, "rules ask for users, but there is no auth_param: add [auth]");
	if (!s->auth.groups_used)
		return;
	if (!s->auth.winbind && (s->auth.negotiate || s->auth.ntlm))
		squid_note(s, SQUID_TODO, NULL, "groups are told by winbindd: domain = winbind was added, and this machine must be a member of the domain");
	if (s->auth.basic && !s->auth.basic_winbind)
		squid_note(s, SQUID_WIDER, NULL, "who logs on by Basic is in no group here: refusals by group do not hold for them; say basic = winbind");
	s->auth.winbind = s->auth.winbind || s->auth.negotiate || s->auth.ntlm;
}
