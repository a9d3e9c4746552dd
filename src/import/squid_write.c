/* SPDX-License-Identifier: MIT */
/*
 * squid_write: the ini and the list files. Nothing is decided here.
 * Always true: what is outside text stands in comments, every byte of it printable ASCII, or was judged where it was read.
 */
#include "import/squid_inside.h"

#define COMMENT_MOST 180u

static void
comment(FILE *to, struct span s)
{
	for (size_t i = 0; i < s.n && i < COMMENT_MOST; i++)
		putc(s.p[i] >= 0x20 && s.p[i] <= 0x7e ? s.p[i] : s.p[i] == '\t' ? ' ' : '?', to);
	if (s.n > COMMENT_MOST)
		fputs("...", to);
}

static void
comment_line(const struct squid *s, FILE *to, const struct squid_line *l)
{
	fputs("; ", to);
	comment(to, span_str(s->file[l->at.file]));
	fprintf(to, ":%u: ", l->at.line);
	comment(to, l->name);
	putc(' ', to);
	comment(to, l->rest);
	putc('\n', to);
}

static void
date(const struct squid *s, FILE *to)
{
	struct tm tm;
	char      text[32];

	gmtime_r(&s->now, &tm);
	strftime(text, sizeof text, "%Y-%m-%d", &tm);
	fputs(text, to);
}

/* --- lists --- */

static bool
is_hosts(const struct squid_acl *a)
{
	return a->kind == ACL_HOST || a->no_lookup;
}

static bool
in_file(const struct squid_acl *a)
{
	return a->from_file && is_hosts(a);
}

/* Each list of an ACL, and its complement; returns how many there are up to and with the wanted one. */
static size_t
list_walk(const struct squid *s, bool files, size_t want, const struct squid_acl **acl, bool *is_not)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n_acls; i++)
		for (unsigned neg = 0; neg < 2; neg++) {
			const struct squid_acl *a = s->acl[i];
			if (!(neg ? a->wanted_not : a->wanted) || (files && !in_file(a)))
				continue;
			*acl = a;
			*is_not = neg;
			if (n++ == want)
				return n;
		}
	return n;
}

size_t
squid_list_files(const struct squid *s)
{
	const struct squid_acl *a;
	bool                    is_not;

	return list_walk(s, true, SIZE_MAX, &a, &is_not);
}

const char *
squid_list_name(const struct squid *s, size_t i)
{
	static char             name[SQUID_NAME + 32];
	const struct squid_acl *a = NULL;
	bool                    is_not = false;

	list_walk(s, true, i, &a, &is_not);
	snprintf(name, sizeof name, "%s%s", is_not ? "not-" : "", a->list);
	return name;
}

void
squid_write_list(struct squid *s, size_t i, FILE *to)
{
	const struct squid_acl *a = NULL;
	bool                    is_not = false;

	list_walk(s, true, i, &a, &is_not);
	fputs("# source: ", to);
	comment(to, a->source);
	fputs("\n# fetched: ", to);
	date(s, to);
	fprintf(to, "\n# imported from Squid: acl %s %.*s%s\n\n", a->list, SPAN_ARG(a->type), is_not ? "; this is all that it does not hold" : "");
	for (size_t k = 0; k < a->items.n; k++)
		fprintf(to, "%s%.*s\n", is_not ? "!" : "", SPAN_ARG(a->items.v[k].text));
}

static void
list_section(const struct squid *s, FILE *to, const struct squid_acl *a, bool is_not, const char *folder)
{
	const char *key = is_hosts(a) ? "host" : "address";

	fputs("\n; ", to);
	if (a->at.line) {
		comment(to, span_str(s->file[a->at.file]));
		fprintf(to, ":%u: ", a->at.line);
	}
	fputs("acl ", to);
	comment(to, a->name);
	putc(' ', to);
	comment(to, a->type);
	fprintf(to, "%s\n[list %s%s]\n", is_not ? ": all that it does not hold" : "", is_not ? "not-" : "", a->list);
	if (folder && in_file(a)) {
		fprintf(to, "file = %s/%s%s.list\n", folder, is_not ? "not-" : "", a->list);
		fputs("source = ", to);
		fprintf(to, "Squid, acl %s\n", a->list);
		return;
	}
	for (size_t k = 0; k < a->items.n; k++) {
		struct span text = squid_quote((struct squid *)(uintptr_t)s, a->items.v[k].text);
		fprintf(to, "%s%s%.*s\n", k == 0 ? key : "  ", k == 0 ? (is_not ? " = !" : " = ") : is_not ? " !" : " ", SPAN_ARG(text));
	}
}

static void
lists(const struct squid *s, FILE *to, const char *folder)
{
	const struct squid_acl *a;
	bool                    is_not;

	for (size_t i = 0; list_walk(s, false, i, &a, &is_not) == i + 1; i++)
		list_section(s, to, a, is_not, folder);
}

/* --- sections --- */

static void
ports(FILE *to, const char *key, const uint64_t *bits)
{
	unsigned column = 0, n = 0;

	fprintf(to, "%s =", key);
	for (unsigned p = 1, e; p < 65536; p = e + 1) {
		e = p;
		if (!(bits[p / 64] >> p % 64 & 1))
			continue;
		while (e < 65535 && bits[(e + 1) / 64] >> (e + 1) % 64 & 1)
			e++;
		column += (unsigned)fprintf(to, e > p ? " %u-%u" : " %u", p, e);
		n++;
		if (column > 120) {
			fputs("\n  ", to);
			column = 0;
		}
	}
	fputs(n ? "\n" : " none\n", to);
}

static void
gateway(const struct squid *s, FILE *to)
{
	fputs("\n[gateway]\n", to);
	for (size_t i = 0; i < s->gateway.n; i++)
		fprintf(to, "%.*s\n", SPAN_ARG(s->gateway.v[i].text));
	ports(to, "connect-ports", s->connect_ports);
	ports(to, "http-ports", s->http_ports);
	if (s->egress_deny.n == 0)
		fputs("; Squid reaches private addresses too. Where nothing inside is reached through the proxy, say private, or take this line out.\negress-deny = none\n", to);
	for (size_t i = 0; i < s->egress_deny.n; i++)
		fprintf(to, "egress-deny = %.*s\n", SPAN_ARG(s->egress_deny.v[i].text));
}

static void
listeners(const struct squid *s, FILE *to)
{
	if (s->n_ports == 0)
		fputs("\n[listener main]\naddress = *:3128\nclients = any\n", to);
	for (size_t i = 0; i < s->n_ports; i++) {
		const struct squid_port *p = &s->port[i];
		putc('\n', to);
		comment_line(s, to, p->from);
		fprintf(to, "[listener %s]\naddress = %.*s\n; as Squid does: who may do what, the rules say. Say networks here to close others unread.\nclients = any\n", p->name, SPAN_ARG(p->address));
		if (p->transparent)
			fputs("mode = transparent\n", to);
		if (p->is_tls && !p->transparent && p->cert.n)
			fprintf(to, "tls-cert = %.*s\ntls-key = %.*s\n", SPAN_ARG(p->cert), SPAN_ARG(p->key.n ? p->key : p->cert));
	}
}

static void
auth(const struct squid *s, FILE *to)
{
	const struct squid_auth *a = &s->auth;

	if (!a->negotiate && !a->ntlm && !a->basic)
		return;
	fprintf(to, "\n[auth]\nschemes =%s%s%s\n", a->negotiate ? " negotiate" : "", a->ntlm ? " ntlm" : "", a->basic ? " basic" : "");
	if (a->realm.n)
		fprintf(to, "realm = %.*s\n", SPAN_ARG(a->realm));
	if (a->winbind)
		fputs("domain = winbind\n", to);
	if (a->keytab.n)
		fprintf(to, "keytab = %.*s\n", SPAN_ARG(a->keytab));
	if (!a->basic)
		return;
	if (a->basic_winbind)
		fputs("basic = winbind\n", to);
	else if (a->basic_ldap)
		fputs("basic = ldap\n", to);
	else if (a->basic_pam)
		fputs("basic = pam\n", to);
	if (a->basic_ldap && a->ldap_url.n)
		fprintf(to, "ldap-url = %.*s\n", SPAN_ARG(a->ldap_url));
	if (a->basic_ldap && a->ldap_name.n)
		fprintf(to, "ldap-name = %.*s\n", SPAN_ARG(a->ldap_name));
	if (a->basic_pam && a->pam_service.n)
		fprintf(to, "pam-service = %.*s\n", SPAN_ARG(a->pam_service));
	if (!a->basic_winbind && !a->basic_ldap && !a->basic_pam && a->basic_file.n)
		fprintf(to, "basic-file = %.*s\n", SPAN_ARG(a->basic_file));
	fputs("; as Squid does: passwords cross the network in the clear, unless the listener has tls-cert.\nbasic-without-tls = yes\n", to);
}

static void
inspection(const struct squid *s, FILE *to)
{
	const struct squid_port *p = NULL;

	for (size_t i = 0; i < s->n_ports && !p; i++)
		p = s->port[i].bump && s->port[i].cert.n ? &s->port[i] : NULL;
	if (!s->inspects)
		return;
	fputs("\n[inspection]\n", to);
	if (p)
		fprintf(to, "ca-cert = %.*s\nca-key = %.*s\n", SPAN_ARG(p->cert), SPAN_ARG(p->key.n ? p->key : p->cert));
	else
		fputs("; none was named; make one by: postern ca init --cert ca.pem --key ca.key\nca-cert = ca.pem\nca-key = ca.key\n", to);
}

static void
parents(const struct squid *s, FILE *to)
{
	for (size_t i = 0; i < s->n_peers; i++) {
		const struct squid_peer *p = &s->peer[i];
		putc('\n', to);
		/* not its line, which may hold a password */
		fprintf(to, "; cache_peer, line %u\n[parent %s]\naddress = %.*s:%u\n", p->from->at.line, p->name, SPAN_ARG(p->host), p->port);
		if (p->weight != 1 && p->weight <= 1000)
			fprintf(to, "weight = %u\n", p->weight);
	}
}

static void
rule(const struct squid *s, FILE *to, const struct squid_rule *r)
{
	putc('\n', to);
	if (r->from)
		comment_line(s, to, r->from);
	else
		fputs("; no line holds: the opposite of the last one\n", to);
	if (r->comment.p) {
		fprintf(to, "; ^ %.*s; the report says why\n", SPAN_ARG(r->comment));
		return;
	}
	fprintf(to, "[rule %s]\n%.*saction = %s\n", r->name, SPAN_ARG(r->conditions), r->action);
	/* as Squid does, for Microsoft's diagnostic endpoints too: the check would call it an error */
	if (r->action[0] != 't' || !r->auth_none)
		fputs("force = yes\n", to);
	if (r->redirect.n && r->action[0] == 'd')
		fprintf(to, "redirect = %.*s\n", SPAN_ARG(r->redirect));
	if (r->action[0] == 'd')
		return;
	if (r->auth_none)
		fputs("auth = none\n", to);
	if (r->parents != UINT32_MAX) {
		fputs("parent =", to);
		for (size_t i = 0; i < s->n_peers; i++)
			if (r->parents >> i & 1)
				fprintf(to, " %s", s->peer[i].name);
		fputs(r->parents ? "\n" : " none\n", to);
	}
	if (r->source.n)
		fprintf(to, "source = %.*s\n", SPAN_ARG(r->source));
}

static void
logs(const struct squid *s, FILE *to)
{
	fputs("\n[log access]\nfile = access.log\n", to);
	fprintf(to, "format = %.*s\n", SPAN_ARG(s->logs.n ? s->logs.v[0].text : SPAN("squid")));
	for (size_t i = 1; i < s->logs.n; i++)
		fprintf(to, "\n[log access-%zu]\nfile = access-%zu.log\nformat = %.*s\n", i + 1, i + 1, SPAN_ARG(s->logs.v[i].text));
}

static void
head(const struct squid *s, FILE *to)
{
	fputs("; Imported from Squid by postern import squid\n; source: ", to);
	comment(to, span_str(s->file[0]));
	fputs("\n; fetched: ", to);
	date(s, to);
	putc('\n', to);
	for (size_t i = 0; i < s->n_notes; i++)
		if (s->note[i].kind == SQUID_WIDER) {
			fputs(";\n; !!! MORE IS LET THROUGH THAN BY SQUID until these are settled:\n", to);
			break;
		}
	for (unsigned kind = 0; kind < SQUID_UNNEEDED; kind++)
		for (size_t i = 0; i < s->n_notes; i++) {
			const struct squid_note *n = &s->note[i];
			if (n->kind != kind)
				continue;
			fprintf(to, "; %s: ", squid_note_word(n->kind));
			comment(to, span_str(n->file));
			if (n->line)
				fprintf(to, ":%u: ", n->line);
			comment(to, n->text);
			putc('\n', to);
		}
}

void
squid_write_ini(struct squid *s, FILE *to, const char *list_folder)
{
	head(s, to);
	if (s->bare) {
		lists(s, to, list_folder);
		fprintf(to, "\n;[rule %s]\n;hosts = @%s\n;action = deny\n", s->acl[0]->list, s->acl[0]->list);
		return;
	}
	gateway(s, to);
	listeners(s, to);
	auth(s, to);
	inspection(s, to);
	parents(s, to);
	lists(s, to, list_folder);
	for (size_t i = 0; i < s->n_rules; i++)
		rule(s, to, &s->rule[i]);
	logs(s, to);
}

struct squid_totals
squid_count(const struct squid *s)
{
	struct squid_totals     t = {.files = s->n_files, .lines = s->n_lines, .accesses = s->n_accesses};
	const struct squid_acl *a;
	bool                    is_not;

	for (size_t i = 0; i < s->n_rules; i++)
		t.rules += !s->rule[i].comment.p;
	for (size_t i = 0; i < s->n_acls; i++)
		t.acls += s->acl[i]->at.line > 0;
	for (; list_walk(s, false, t.lists, &a, &is_not) == t.lists + 1; t.lists++)
		t.entries += a->items.n;
	return t;
}
