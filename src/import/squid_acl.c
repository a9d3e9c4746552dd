/* SPDX-License-Identifier: MIT */
/*
 * squid_acl: `acl` and `external_acl_type`: what a name stands for. Leaves the values to squid_value.
 */
#include "import/squid_inside.h"

static const struct {
	const char     *type;
	enum squid_kind kind;
	bool            regex;
} types[] = {
	{"dstdomain", ACL_HOST, false}, {"ssl::server_name", ACL_HOST, false}, {"dstdom_regex", ACL_HOST, true}, {"ssl::server_name_regex", ACL_HOST, true},
	{"src", ACL_CLIENT, false}, {"dst", ACL_ADDRESS, false}, {"port", ACL_PORT, false}, {"method", ACL_METHOD, false}, {"proto", ACL_SCHEME, false},
	{"time", ACL_TIME, false}, {"proxy_auth", ACL_USER, false}, {"external", ACL_GROUP, false}, {"myportname", ACL_LISTENER, false},
	{"localport", ACL_LISTENER, false}, {"myport", ACL_LISTENER, false}, {"url_regex", ACL_URL, true}, {"urlpath_regex", ACL_URL, true},
	{"browser", ACL_HEADER, true}, {"referer_regex", ACL_HEADER, true}, {"req_header", ACL_HEADER, true}, {"req_mime_type", ACL_HEADER, true},
	{"at_step", ACL_STEP, false}, {"any-of", ACL_ANY, false}, {"all-of", ACL_ALL, false},
};

/* What to do instead, for types that cannot be said. */
static const struct {
	const char *type, *why;
} unknown[] = {
	{"arp", "network cards are not known here; say addresses, by src"},
	{"eui64", "network cards are not known here; say addresses, by src"},
	{"srcdomain", "clients are not looked up by name; say addresses, by src"},
	{"srcdom_regex", "clients are not looked up by name; say addresses, by src"},
	{"dst_as", "autonomous systems are not known; say their networks, by dst"},
	{"src_as", "autonomous systems are not known; say their networks, by src"},
	{"ident", "ident is not asked; have users log on"},
	{"ident_regex", "ident is not asked; have users log on"},
	{"proxy_auth_regex", "users are named, or with *: users = CORP\\adm-*"},
	{"maxconn", "it counts connections; max-connections-per-client of [gateway] limits them"},
	{"max_user_ip", "nobody counts from how many addresses a user comes"},
	{"random", "nothing is left to chance here"},
	{"rep_mime_type", "content-types of a rule are the media types of answers; write that rule"},
	{"rep_header", "headers of answers are no condition here"},
	{"http_status", "the status of an answer is no condition here"},
	{"ext_user", "names that a helper gives are not known here"},
	{"ext_user_regex", "names that a helper gives are not known here"},
	{"urllogin", "users in URLs are removed here, and no condition"},
	{"localip", "listeners are named: give the listener an address of its own, and the rule listeners = NAME"},
	{"snmp_community", "there is no SNMP here"},
	{"peername", "peers are no condition here"},
	{"peername_regex", "peers are no condition here"},
	{"tag", "helpers set no tags here"},
	{"note", "helpers leave no notes here"},
	{"annotate_client", "nothing is annotated here"},
	{"annotate_transaction", "nothing is annotated here"},
	{"clientside_mark", "marks of connections are not read"},
	{"client_connection_mark", "marks of connections are not read"},
	{"dstdomain_regex", "there is no such type; dstdom_regex was meant"},
	{"ssl_error", "on-bad-origin of [inspection] says what happens with which certificate"},
	{"server_cert_fingerprint", "certificates are not known by fingerprint"},
	{"ca_cert", "certificates are not known by issuer"},
	{"user_cert", "clients show no certificates here"},
	{"hier_code", "it is no condition here"},
	{"adaptation_service", "there is no ICAP or eCAP here"},
	{"has", "it is no condition here"},
	{"connections_encrypted", "give listeners with tls-cert a name, and the rule listeners = NAME"},
	{"transaction_initiator", "all requests here are clients'"},
};

static size_t
bucket_of(struct span name)
{
	size_t h = 5381;

	for (size_t i = 0; i < name.n; i++)
		h = h * 33 + (unsigned char)ascii_lower(name.p[i]);
	return h % 1024;
}

struct squid_acl *
squid_acl_find(const struct squid *s, struct span name)
{
	struct squid_acl *a = s->bucket[bucket_of(name)];

	while (a && !span_eq_nocase(a->name, name))
		a = a->next;
	return a;
}

struct squid_acl *
squid_acl_new(struct squid *s, struct span name, struct squid_where at)
{
	struct squid_acl **bucket = &s->bucket[bucket_of(name)], *a;

	if (s->n_acls == SQUID_ACLS_MOST) {
		squid_fail(s, "more than %u ACLs", SQUID_ACLS_MOST);
		return NULL;
	}
	a = arena_take(&s->arena, sizeof *a);
	s->acl = arena_grow(&s->arena, s->acl, s->n_acls, &s->acls_room, sizeof *s->acl);
	if (s->arena.failed)
		return NULL;
	a->name = name;
	a->at = at;
	a->next = *bucket;
	*bucket = a;
	s->acl[s->n_acls++] = a;
	return a;
}

/* Those that Squid has by itself. */
void
squid_acls_built_in(struct squid *s)
{
	static const struct {
		const char *name, *type, *values;
	} built_in[] = {
		{"localhost", "src", "127.0.0.1/32 ::1"},
		{"to_localhost", "dst", "127.0.0.0/8 0.0.0.0/32 ::1/128 ::/128"},
		{"to_linklocal", "dst", "169.254.0.0/16 fe80::/10"},
		{"CONNECT", "method", "CONNECT"},
	};
	struct squid_acl *a = squid_acl_new(s, SPAN("all"), (struct squid_where){0});

	if (a)
		a->kind = ACL_TRUE;
	a = squid_acl_new(s, SPAN("manager"), (struct squid_where){0});
	if (a)
		a->kind = ACL_FALSE;
	for (size_t i = 0; i < sizeof built_in / sizeof *built_in && !s->arena.failed; i++) {
		struct squid_line l = {.name = SPAN("acl"), .rest = arena_printf(&s->arena, "%s %s %s", built_in[i].name, built_in[i].type, built_in[i].values)};
		squid_acl_read(s, &l);
	}
}

/* --- groups of ACLs --- */

static void
group_read(struct squid *s, struct squid_acl *a, struct squid_words *w)
{
	struct squid_lits *l;
	struct span        word;

	a->line = arena_grow(&s->arena, a->line, a->n_lines, &a->lines_room, sizeof *a->line);
	if (s->arena.failed)
		return;
	l = &a->line[a->n_lines++];
	*l = (struct squid_lits){0};
	while (squid_word(w, &word) == TOKEN_WORD) {
		bool              is_not = word.p[0] == '!';
		struct squid_acl *child = squid_acl_find(s, span_of(word.p + is_not, word.n - is_not));
		if (!child) {
			child = squid_acl_new(s, span_of(word.p + is_not, word.n - is_not), a->at);
			if (!child)
				return;
			child->why = SPAN("no acl of this name stands before it");
		}
		if (child->kind == ACL_USER || child->kind == ACL_GROUP) {
			/* who is asked, and when, hangs on the order within */
			a->kind = ACL_UNKNOWN;
			a->why = SPAN("it asks for users inside a group of ACLs; write the lines out");
		}
		if (!squid_lits_put(s, l, (struct squid_lit){child, is_not, false}))
			return;
	}
}

/* --- values --- */

static void
value_missing(struct squid_values *v, struct span value, const char *why)
{
	v->a->partial = true;
	squid_note_file(v->s, SQUID_NARROWER, v->at, value, "acl %.*s: left out: %s", SPAN_ARG(v->a->name), why);
}

static void
value_one(struct squid_values *v, struct span value)
{
	const char *why = "";

	if (++v->s->n_items > SQUID_ITEMS_MOST) {
		squid_fail(v->s, "more than %u values of ACLs", SQUID_ITEMS_MOST);
		return;
	}
	if (value.n > SQUID_LINE_MOST - 1)
		value_missing(v, span_of(value.p, 64), "the value is too long");
	else if (!squid_value_add(v, value, &why))
		value_missing(v, value, why);
}

static void
values_file(struct squid_values *v, struct span path)
{
	struct squid *s = v->s;
	struct span   bytes, full, value;
	const char   *why;
	uint32_t      line = 0, file;

	if (!squid_file_bytes(s, path, &bytes, &why, &full)) {
		v->a->partial = true;
		squid_note(s, SQUID_NARROWER, v->line, "acl %.*s: %.*s: %s; its values are missing", SPAN_ARG(v->a->name), SPAN_ARG(path), why);
		return;
	}
	if (!squid_file_add(s, full.p, &file))
		return;
	v->a->from_file = true;
	v->a->source = full;
	while (squid_value_line(&bytes, &line, &value) && !s->arena.failed && !s->why[0]) {
		v->at = (struct squid_where){file, line};
		value_one(v, value);
	}
	v->at = v->line->at;
}

/* -i, +i, -n ...: before the values, and for regular expressions between them. False: no option. */
static bool
option_read(struct squid_values *v, struct span word, bool regex)
{
	bool host = v->a->kind == ACL_HOST || v->a->kind == ACL_ADDRESS;

	if (span_eq(word, SPAN("-i")) && (regex || v->a->kind == ACL_USER))
		v->any_case = true;
	else if (span_eq(word, SPAN("+i")) && regex)
		v->any_case = false;
	else if (span_eq(word, SPAN("-n")) && host)
		v->a->no_lookup = true; /* no look-ups */
	else if (v->a->kind == ACL_HOST && word.n > 2 && memcmp(word.p, "--", 2) == 0)
		return true; /* --consensus and its like: which names of a certificate; the client's counts here */
	else
		return false;
	return true;
}

static void
values_read(struct squid *s, struct squid_acl *a, const struct squid_line *line, struct squid_words *w, bool regex)
{
	struct squid_values v = {.s = s, .a = a, .line = line, .at = line->at};
	struct span         word;
	enum squid_token    t;
	bool                may_be_option = true;

	v.scratch = squid_values_scratch(s);
	if (span_eq(a->type, SPAN("browser")))
		v.header = SPAN("User-Agent");
	else if (span_eq(a->type, SPAN("referer_regex")))
		v.header = SPAN("Referer");
	else if (span_eq(a->type, SPAN("req_mime_type")))
		v.header = SPAN("Content-Type");
	else if (span_eq(a->type, SPAN("req_header")))
		v.header = squid_word_plain(w);
	while (v.scratch && (t = squid_word(w, &word)) != TOKEN_END && !s->arena.failed && !s->why[0]) {
		if (t == TOKEN_BAD)
			value_missing(&v, word, "a quote is not closed");
		else if (t == TOKEN_FILE)
			values_file(&v, word);
		else if (t == TOKEN_WORD && may_be_option && span_eq(word, SPAN("--")))
			may_be_option = false;
		else if (t != TOKEN_WORD || !may_be_option || !option_read(&v, word, regex)) {
			may_be_option = regex;
			value_one(&v, word);
		}
	}
	if (!s->arena.failed)
		squid_values_end(&v);
}

/* --- groups by a helper --- */

static void
external_read(struct squid *s, struct squid_acl *a, const struct squid_line *line, struct squid_words *w)
{
	struct span          name = squid_word_plain(w);
	struct squid_helper *h = s->helpers;

	while (h && !span_eq(h->name, name))
		h = h->next;
	if (!h || !h->groups) {
		a->kind = ACL_UNKNOWN;
		a->why = arena_printf(&s->arena, h ? "its helper, %.*s, is not known to tell groups; say users, groups or addresses" : "external_acl_type %.*s is missing",
		    SPAN_ARG(h ? h->program : name));
		return;
	}
	for (size_t i = 0; i < h->own.n; i++)
		squid_item_add(s, &a->items, h->own.v[i].text, line->at);
	values_read(s, a, line, w, false);
	if (a->items.n == 0) {
		a->kind = ACL_UNKNOWN;
		a->why = SPAN("it names no group");
	}
}

void
squid_helper_read(struct squid *s, const struct squid_line *line)
{
	static const char *const known[] = {"ext_wbinfo_group_acl", "wbinfo_group.pl", "ext_kerberos_ldap_group_acl", "squid_kerb_ldap", "ext_ldap_group_acl", "squid_ldap_group"};
	struct squid_helper *h = arena_take(&s->arena, sizeof *h);
	struct squid_words   w;
	struct span          word, at;
	bool                 login = false;

	squid_words_begin(&w, s, line, false);
	if (!h)
		return;
	h->name = squid_word_plain(&w);
	h->program = SPAN("none");
	while (squid_word(&w, &word) == TOKEN_WORD && word.p[0] != '/')
		login = login || span_eq(word, SPAN("%LOGIN")) || span_eq(word, SPAN("%un")) || span_eq(word, SPAN("%ul"));
	if (word.n > 0) {
		const char *slash = memrchr(word.p, '/', word.n);
		h->program = slash ? span_of(slash + 1, word.n - (size_t)(slash + 1 - word.p)) : word;
	}
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		h->groups = h->groups || (login && span_eq(h->program, span_str(known[i])));
	while (h->groups && (word = squid_word_plain(&w)).n > 0)
		if (span_eq(word, SPAN("-g"))) {
			/* GROUP@DOMAIN, several with : between them */
			struct span all = squid_word_plain(&w);
			while (all.n > 0) {
				const char *colon = memchr(all.p, ':', all.n);
				struct span one = span_of(all.p, colon ? (size_t)(colon - all.p) : all.n);
				all = span_of(all.p + one.n + (colon != NULL), all.n - one.n - (colon != NULL));
				at = one;
				for (size_t i = 0; i < one.n; i++)
					if (one.p[i] == '@') {
						at.n = i;
						break;
					}
				if (squid_is_plain(at))
					squid_item_add(s, &h->own, at, line->at);
			}
		}
	h->next = s->helpers;
	s->helpers = h;
}

/* --- acl NAME TYPE ... --- */

static enum squid_kind
type_find(struct squid *s, struct squid_acl *a, bool *regex)
{
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (span_eq(a->type, span_str(types[i].type))) {
			*regex = types[i].regex;
			return types[i].kind;
		}
	a->why = arena_printf(&s->arena, "the type %.*s is not known", SPAN_ARG(a->type));
	for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
		if (span_eq(a->type, span_str(unknown[i].type)))
			a->why = span_str(unknown[i].why);
	return ACL_UNKNOWN;
}

void
squid_acl_read(struct squid *s, const struct squid_line *line)
{
	struct squid_words w;
	struct span        name, type;
	struct squid_acl  *a;
	bool               regex = false, is_new;

	squid_words_begin(&w, s, line, false);
	name = squid_word_plain(&w);
	type = squid_word_plain(&w);
	if (!name.n || !type.n) {
		squid_note(s, SQUID_WIDER, line, "an acl needs a name and a type; lines that name it are left out");
		return;
	}
	a = squid_acl_find(s, name);
	is_new = !a;
	if (!a)
		a = squid_acl_new(s, name, line->at);
	if (!a)
		return;
	if (is_new) {
		a->type = type;
		a->kind = type_find(s, a, &regex);
	} else if (a->kind == ACL_TRUE || a->kind == ACL_FALSE) {
		return; /* `acl all src all`, of old, and `acl manager proto cache_object` */
	} else if (a->kind == ACL_UNKNOWN) {
		return;
	} else if (!span_eq(a->type, type)) {
		a->kind = ACL_UNKNOWN;
		a->why = SPAN("it stands with two types");
		return;
	} else {
		type_find(s, a, &regex);
	}
	w.pairs = regex;
	if (a->kind == ACL_ANY || a->kind == ACL_ALL)
		group_read(s, a, &w);
	else if (a->kind == ACL_GROUP)
		external_read(s, a, line, &w);
	else if (a->kind != ACL_UNKNOWN)
		values_read(s, a, line, &w, regex);
}
