/* SPDX-License-Identifier: MIT */
/*
 * squid_access: http_access as rules, each with what ssl_bump, peers and outgoing addresses say of it.
 * Always true: rules stand in the order of the lines; a permission that cannot be said whole is left out whole, a refusal that cannot be said is noted as
 * SQUID_WIDER and stands as a comment.
 */
#include "import/squid_inside.h"

struct access {
	struct squid        *s;
	struct squid_choices lines, bump, parents, sources;
	struct span         *source;
	struct squid_acl    *connect;
	const struct squid_line *said; /* the line whose part that could not be said was noted */
	bool                 over; /* a rule without conditions stands: nothing comes behind it */
};

/* --- rules --- */

static void
rule_name(struct squid *s, struct squid_rule *r, const char *verb)
{
	char   text[SQUID_NAME + 1], made[SQUID_NAME + 1];
	size_t n = 0, same = 0;
	struct span rest = r->from ? r->from->rest : SPAN(" all");

	for (size_t i = 0; i < rest.n && rest.p[i] != ' ' && rest.p[i] != '\t'; i++)
		n = i + 1;
	rest = span_of(rest.p + n, rest.n - n);
	n = (size_t)snprintf(text, sizeof text, "%s", verb);
	for (size_t i = 0; i < rest.n && rest.p[i] != '#' && n + 6 < 36; i++) {
		char c = rest.p[i];
		if (c == '!')
			n += (size_t)snprintf(text + n, sizeof text - n, "not-");
		else if (c != ' ' && c != '\t')
			text[n++] = c;
		else if (text[n - 1] != '-' && i + 1 < rest.n)
			text[n++] = '-';
	}
	squid_name_make(made, span_of(text, n));
	if (!r->from)
		snprintf(r->name, sizeof r->name, "%s-by-default", made);
	else if (r->from->at.file)
		snprintf(r->name, sizeof r->name, "%.36s-%u.%u", made, r->from->at.file, r->from->at.line);
	else
		snprintf(r->name, sizeof r->name, "%.36s-%u", made, r->from->at.line);
	for (size_t i = s->n_rules; i > 0 && s->rule[i - 1].from == r->from; i--)
		same += s->rule[i - 1].name[0] != '\0';
	if (same) {
		n = strlen(r->name);
		snprintf(r->name + n, sizeof r->name - n, ".%zu", same + 1);
	}
}

static void
rule_put(struct squid *s, struct squid_rule r, const char *verb)
{
	if (s->n_rules == SQUID_RULES_MOST) {
		squid_fail(s, "more than %u rules", SQUID_RULES_MOST);
		return;
	}
	/* one before it, of the same line or right before, decides all of it already */
	for (size_t i = s->n_rules; !r.comment.p && i > 0; i--) {
		const struct squid_rule *e = &s->rule[i - 1];
		if (!e->comment.p && span_eq(e->conditions, r.conditions))
			return;
		if (!r.from || e->from != r.from)
			break;
	}
	s->rule = arena_grow(&s->arena, s->rule, s->n_rules, &s->rules_room, sizeof *s->rule);
	if (s->arena.failed)
		return;
	if (!r.comment.p)
		rule_name(s, &r, verb);
	s->rule[s->n_rules++] = r;
}

static void
rule_comment(struct squid *s, const struct squid_line *from, const char *text)
{
	rule_put(s, (struct squid_rule){.from = from, .comment = span_str(text)}, "");
}

/* deny_info URL ACL, for lines whose last ACL it is: the place to send the client to. */
static struct span
redirect_find(struct squid *s, const struct squid_choice *c)
{
	struct squid_words w;

	for (size_t i = 0; c->last && i < s->n_lines; i++) {
		struct span url, name;
		bool        fits = true;
		if (!span_eq(s->line[i].name, SPAN("deny_info")))
			continue;
		squid_words_begin(&w, s, &s->line[i], false);
		url = squid_word_plain(&w);
		while ((name = squid_word_plain(&w)).n > 0 && !span_eq_nocase(name, c->last->name))
			;
		if (name.n == 0)
			continue;
		if (url.n > 4 && url.n < 160 && url.p[0] == '3' && url.p[3] == ':')
			url = span_of(url.p + 4, url.n - 4); /* 302:URL */
		for (size_t k = 0; k < url.n; k++)
			fits = fits && url.p[k] > 0x20 && url.p[k] < 0x7f && !memchr("%\";'<>\\", url.p[k], 7);
		if (fits && url.n > 11 && url.n < 160 && (memcmp(url.p, "http://", 7) == 0 || memcmp(url.p, "https://", 8) == 0))
			return url;
	}
	return (struct span){0};
}

/* --- lines that are permissions --- */

static void
allow_one(struct access *a, const struct squid_choice *line, const struct squid_lits *lits, uint32_t bump, uint32_t parents, uint32_t source,
    const struct squid_line *why_from)
{
	struct squid_rule  r = {.from = line->from, .parents = parents};
	struct squid_spelt spelt;
	const char        *why = NULL;
	enum squid_terms   t = squid_terms(a->s, lits, &spelt, &why);

	if (t == TERMS_NEVER)
		return;
	if (t == TERMS_OPEN) {
		if (why_from && a->said != why_from)
			squid_note(a->s, bump == BUMP_TERMINATE ? SQUID_WIDER : SQUID_DIFFERS, why_from, "left out: %s", why);
		a->said = why_from;
		return;
	}
	if (source)
		r.source = a->source[source];
	r.conditions = spelt.conditions;
	r.auth_none = !spelt.asks;
	a->s->asks = a->s->asks || spelt.asks;
	r.action = bump == BUMP_TERMINATE ? "deny" : bump == BUMP_BUMP && !spelt.no_connect ? "inspect" : "tunnel";
	a->s->inspects = a->s->inspects || r.action[0] == 'i';
	a->over = a->over || spelt.always;
	rule_put(a->s, r, bump == BUMP_TERMINATE ? "terminate" : "allow");
}

/* `line` with each of what ssl_bump, peers and addresses say. */
static void
allow(struct access *a, const struct squid_choice *line, bool no_connect)
{
	static const struct squid_choice nothing = {0};
	struct squid_choices             done = {0};
	const struct squid_choices      *list[3] = {no_connect ? NULL : &a->bump, &a->parents, &a->sources};
	size_t                           n[3];

	for (unsigned i = 0; i < 3; i++)
		n[i] = list[i] && list[i]->n ? list[i]->n : 1;
	for (size_t b = 0; b < n[0] && !a->over; b++)
		for (size_t p = 0; p < n[1] && !a->over; p++)
			for (size_t o = 0; o < n[2] && !a->over && !a->s->why[0] && !a->s->arena.failed; o++) {
				const struct squid_choice *cb = list[0] && list[0]->n ? &list[0]->v[b] : &nothing;
				const struct squid_choice *cp = list[1]->n ? &list[1]->v[p] : &nothing, *co = list[2]->n ? &list[2]->v[o] : &nothing;
				struct squid_lits          lits = squid_lits_both(a->s, &line->lits, &cb->lits);
				lits = squid_lits_both(a->s, &lits, &cp->lits);
				lits = squid_lits_both(a->s, &lits, &co->lits);
				if (cb->value == BUMP_TERMINATE && a->connect)
					squid_lits_put(a->s, &lits, (struct squid_lit){a->connect, false, false});
				if (squid_choice_is_covered(&done, &lits))
					continue;
				squid_choice_put(a->s, &done, &(struct squid_choice){.lits = lits});
				allow_one(a, line, &lits, cb->value, list[1]->n ? cp->value : UINT32_MAX, co->value, cb->from ? cb->from : cp->from ? cp->from : co->from);
			}
}

/* --- one line --- */

static bool
line_asks(const struct squid_lits *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].acl->kind == ACL_USER || l->v[i].acl->kind == ACL_GROUP)
			return true;
	return false;
}

static void
left_out(struct access *a, const struct squid_choice *c, const char *why)
{
	bool wider = c->value != ACCESS_ALLOW || line_asks(&c->lits);

	if (a->said != c->from) {
		squid_note(a->s, wider ? SQUID_WIDER : SQUID_NARROWER, c->from, "%s: %s%s",
		    c->value == ACCESS_ALLOW ? "this permission, or a part of it, is left out" : "THIS REFUSAL, OR A PART OF IT, IS MISSING", why,
		    c->value == ACCESS_ALLOW && wider ? "; whom it would have asked to log on may be let through by a later line" : "");
		rule_comment(a->s, c->from, c->value == ACCESS_ALLOW ? "left out, nothing is let through by it" : "MISSING: what this line refuses is not refused here");
	}
	a->said = c->from;
}

/* Values of an ACL are missing: does that make the line hold for more than in Squid (then it is left out), or for less? */
static bool
missing(struct access *a, const struct squid_choice *c, bool never)
{
	for (size_t i = 0; i < c->lits.n; i++) {
		const struct squid_lit *l = &c->lits.v[i];
		if (!l->acl->partial && !(l->acl->connect_open && l->connect))
			continue;
		if (never && (!l->acl->partial || l->acl->items.n > 0 || l->acl->bits))
			continue; /* it is for another reason that it never holds */
		if (c->value == ACCESS_ALLOW && l->is_not) {
			left_out(a, c, "values of an ACL with ! are missing");
			return true;
		}
		if (c->value != ACCESS_ALLOW && !l->is_not && a->said != c->from) {
			squid_note(a->s, SQUID_WIDER, c->from, "THIS REFUSAL IS NOT WHOLE: values of acl %.*s are missing", SPAN_ARG(l->acl->name));
			a->said = c->from;
		}
	}
	return false;
}

/* Somebody who has said who they are: whom `!REQUIRED` refuses has not. */
static bool
is_asked_again(const struct squid_choice *c)
{
	if (!c->last || (c->last->kind != ACL_USER && c->last->kind != ACL_GROUP))
		return false;
	return !(c->last_not && c->last->required);
}

static void
line_rules(struct access *a, const struct squid_choice *c)
{
	struct squid_rule  r = {.from = c->from, .action = "deny"};
	struct squid_spelt spelt;
	const char        *why = NULL;
	enum squid_terms   t = squid_terms(a->s, &c->lits, &spelt, &why);

	if (t == TERMS_OPEN)
		left_out(a, c, why);
	if (missing(a, c, t == TERMS_NEVER) || t != TERMS_FINE)
		return;
	if (c->value == ACCESS_ALLOW) {
		allow(a, c, spelt.no_connect);
		return;
	}
	if (c->value == ACCESS_DENY && is_asked_again(c) && c->from && a->said != c->from)
		squid_note(a->s, SQUID_DIFFERS, c->from, "whom this refuses Squid asks to log on as somebody else (407); here it is a plain refusal (403)");
	r.conditions = spelt.conditions;
	r.redirect = redirect_find(a->s, c);
	a->s->asks = a->s->asks || spelt.asks;
	a->over = a->over || spelt.always;
	rule_put(a->s, r, c->value == ACCESS_ASK ? "ask" : "deny");
}

/* --- what every request must pass first --- */

static void
ports_cut(uint64_t *to, const struct squid_lit *l)
{
	for (size_t i = 0; i < 1024; i++) {
		uint64_t word = l->acl->bits ? l->acl->bits[i] : 0;
		to[i] &= l->is_not ? word : ~word;
	}
}

/* Would the cut leave out a port that diagnostic data needs? Then a rule says it, which can say force = yes, or stand below one that lets them through. */
static bool
ports_needed(const struct squid_lit *l, bool connect)
{
	for (unsigned i = 0; i < 2; i++) {
		unsigned p = i ? 443 : 80;
		bool     held = l->acl->bits && (l->acl->bits[p / 64] >> p % 64 & 1);
		if (held != l->is_not && (p == 443 || !connect))
			return true;
	}
	return false;
}

/* A refusal by port or address before any permission is what connect-ports, http-ports and egress-deny are for. */
static bool
settings_take(struct access *a, const struct squid_choice *c)
{
	const struct squid_lit *port = NULL, *address = NULL;
	bool                    connect = false, other = false;

	for (size_t i = 0; i < c->lits.n; i++) {
		const struct squid_lit *l = &c->lits.v[i];
		if (l->acl->kind == ACL_PORT && !port && !l->acl->partial)
			port = l;
		else if (l->acl == a->connect && !l->is_not)
			connect = true;
		else if (l->acl->kind == ACL_ADDRESS && !l->is_not && !l->acl->no_lookup && !l->acl->partial && !address)
			address = l;
		else if (l->acl->kind != ACL_TRUE || l->is_not)
			other = true;
	}
	if (c->value != ACCESS_DENY || other || !port == !address || (address && connect))
		return false;
	if (address) {
		for (size_t i = 0; i < address->acl->items.n; i++)
			squid_item_add(a->s, &a->s->egress_deny, address->acl->items.v[i].text, c->from->at);
		return true;
	}
	if (ports_needed(port, connect))
		return false;
	ports_cut(a->s->connect_ports, port);
	if (!connect)
		ports_cut(a->s->http_ports, port);
	return true;
}

/* --- all --- */

/* A permission for the cache manager, of which there is none. */
static bool
never_holds(const struct squid_lits *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].acl->kind == ACL_FALSE && !l->v[i].is_not)
			return true;
	return false;
}

static void
ports_resolve(struct squid *s)
{
	for (size_t i = 0; i < s->n_acls; i++) {
		struct squid_acl *a = s->acl[i];
		for (size_t k = 0; a->kind == ACL_LISTENER && a->bits && k < a->items.n; k++)
			for (size_t p = 0; p < s->n_ports; p++) {
				char port[8];
				snprintf(port, sizeof port, "%u", s->port[p].port);
				if (span_eq(a->type, SPAN("myportname")) ? span_eq(a->items.v[k].text, s->port[p].named) : span_eq(a->items.v[k].text, span_str(port)))
					a->bits[0] |= UINT64_C(1) << p;
			}
	}
}

/* Tunnels of listeners without ssl-bump are not bumped, whatever ssl_bump says. */
static void
bump_read(struct access *a)
{
	struct squid        *s = a->s;
	struct squid_acl    *without;
	struct squid_choices out = {0};
	uint64_t             plain = 0;

	for (size_t i = 0; i < s->n_ports; i++)
		plain |= (uint64_t)!s->port[i].bump << i;
	a->bump = squid_bump(s);
	if (a->bump.n == 0 || plain == 0)
		return;
	without = squid_acl_new(s, SPAN(" without ssl-bump"), (struct squid_where){0});
	if (!without)
		return;
	without->kind = ACL_LISTENER;
	without->bits = arena_take(&s->arena, sizeof *without->bits);
	if (!without->bits)
		return;
	without->bits[0] = plain;
	struct squid_choice c = {.value = BUMP_SPLICE};
	if (squid_lits_put(s, &c.lits, (struct squid_lit){without, false, false}))
		squid_choice_put(s, &out, &c);
	for (size_t i = 0; i < a->bump.n && !s->why[0]; i++)
		squid_choice_put(s, &out, &a->bump.v[i]);
	a->bump = out;
}

static void
lines_read(struct access *a)
{
	struct squid      *s = a->s;
	struct squid_words w;
	uint32_t           last = ACCESS_ALLOW;

	for (size_t i = 0; i < s->n_lines && !s->arena.failed && !s->why[0]; i++) {
		const struct squid_line *l = &s->line[i];
		struct span              verb;
		if (!span_eq(l->name, SPAN("http_access")))
			continue;
		squid_words_begin(&w, s, l, false);
		verb = squid_word_plain(&w);
		if (!span_eq(verb, SPAN("allow")) && !span_eq(verb, SPAN("deny"))) {
			squid_note(s, SQUID_WIDER, l, "left out: neither allow nor deny");
			continue;
		}
		s->n_accesses++;
		last = span_eq(verb, SPAN("allow")) ? ACCESS_ALLOW : ACCESS_DENY;
		squid_choices_add(s, &a->lines, l, &w, last, last == ACCESS_ALLOW, true);
	}
	/* none holds: the opposite of the last */
	squid_choice_put(s, &a->lines, &(struct squid_choice){.value = s->n_accesses && last == ACCESS_DENY ? ACCESS_ALLOW : ACCESS_DENY});
}

void
squid_access(struct squid *s)
{
	struct access a = {.s = s, .connect = squid_acl_find(s, SPAN("CONNECT"))};
	bool          first = true;

	memset(s->http_ports, 0xff, sizeof s->http_ports);
	memset(s->connect_ports, 0xff, sizeof s->connect_ports);
	ports_resolve(s);
	lines_read(&a);
	bump_read(&a);
	a.parents = squid_parents(s);
	a.sources = squid_sources(s, &a.source);
	for (size_t i = 0; i < a.lines.n && !a.over && !s->why[0] && !s->arena.failed; i++) {
		const struct squid_choice *c = &a.lines.v[i];
		first = first && (c->value == ACCESS_DENY || never_holds(&c->lits));
		if (!first || !c->from || !settings_take(&a, c))
			line_rules(&a, c);
	}
	if (s->n_ports == 0)
		squid_note(s, SQUID_TODO, NULL, "there is no http_port: the listener is at *:3128; say where it is to be");
	squid_auth_end(s, s->asks);
	squid_note(s, SQUID_TODO, NULL, "rules that refuse, ask or inspect say force = yes, as they do so to Microsoft's diagnostic endpoints too: put a bypass rule for these first, "
	    "take it out, and run postern check");
}
