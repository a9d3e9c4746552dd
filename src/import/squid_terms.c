/* SPDX-License-Identifier: MIT */
/*
 * squid_terms: literals that must all hold, as the conditions of one rule. Ports, methods and times are computed; lists of hosts and addresses are named, and
 * where two must hold, the second stands as `not its complement`, since the items of a condition are alternatives.
 */
#include <stdarg.h>
#include <stdlib.h>

#include "import/squid_inside.h"

#define LITS_MOST 64u

struct terms {
	struct squid            *s;
	const struct squid_lits *lits;
	bool                     never, connect, no_connect, required, anonymous;
	uint32_t                 schemes; /* 1: http, 2: https; 0: whatever */
	uint64_t                 listeners;
	uint64_t                *ports, *times; /* null: all */
	const char              *why;
	char                    *at, *end, *line; /* of the text; where its last line begins */
};

/* --- text --- */

static void
add(struct terms *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void
add(struct terms *t, const char *fmt, ...)
{
	va_list ap;
	int     n;

	va_start(ap, fmt);
	n = vsnprintf(t->at, (size_t)(t->end - t->at), fmt, ap);
	va_end(ap);
	if (n < 0 || n >= t->end - t->at) {
		t->why = t->why ? t->why : "its conditions are too long for one rule";
		return;
	}
	t->at += n;
}

static void
key(struct terms *t, const char *name)
{
	t->line = t->at;
	add(t, "%s =", name);
}

static void
item(struct terms *t, const char *before, struct span text)
{
	if (t->at - t->line + (long)text.n + 3 > 170) {
		add(t, "\n  ");
		t->line = t->at - 2;
	}
	add(t, " %s%.*s", before, SPAN_ARG(text));
}

/* --- one dimension of lists --- */

static bool
is_host(const struct squid_acl *a)
{
	return a->kind == ACL_HOST || (a->kind == ACL_ADDRESS && a->no_lookup);
}

static bool
is_in(const struct squid_acl *a, enum squid_kind kind)
{
	return kind == ACL_HOST ? is_host(a) : a->kind == kind && !is_host(a);
}

static void
list_name(struct terms *t, struct squid_acl *a)
{
	char made[SQUID_NAME + 1];

	if (a->list[0])
		return;
	squid_name_make(made, a->name);
	snprintf(a->list, sizeof a->list, "%s", made);
	/* names that were cut or cleaned may meet; `not-` is ours */
	for (size_t i = 0; i < t->s->n_acls; i++)
		if (t->s->acl[i] != a && strcmp(t->s->acl[i]->list, a->list) == 0) {
			snprintf(a->list, sizeof a->list, "%s.%u-%u", made, a->at.file, a->at.line);
			break;
		}
	if (strncmp(a->list, "not-", 4) == 0) {
		memmove(a->list + 1, a->list, strlen(a->list) < sizeof a->list - 1 ? strlen(a->list) + 1 : sizeof a->list - 1);
		a->list[0] = '_';
	}
}

static void
lists(struct terms *t, enum squid_kind kind, const char *name)
{
	bool any = false, plain = false;

	for (size_t i = 0; i < t->lits->n; i++) {
		const struct squid_lit *l = &t->lits->v[i];
		struct span             text;
		bool                    on_connect = kind == ACL_HOST && l->acl->kind == ACL_URL && l->connect && l->acl->on_connect.n;
		if (!is_in(l->acl, kind) && !on_connect)
			continue;
		if (!l->is_not && l->acl->items.n == 0)
			t->never = true;
		if (l->acl->items.n == 0)
			continue;
		if (!any)
			key(t, name);
		any = true;
		if (on_connect) {
			if (!l->is_not && plain)
				t->why = "two conditions on the URL of a CONNECT";
			for (size_t k = 0; k < l->acl->on_connect.n; k++)
				item(t, l->is_not ? "!" : "", squid_quote(t->s, l->acl->on_connect.v[k].text));
			plain = plain || !l->is_not;
			continue;
		}
		list_name(t, l->acl);
		text = span_str(l->acl->list);
		if (l->is_not || !plain) {
			item(t, l->is_not ? "!@" : "@", text);
			l->acl->wanted = true;
		} else {
			item(t, "!@not-", text);
			l->acl->wanted_not = true;
		}
		plain = plain || !l->is_not;
	}
	/* the items of the URL stand first or not at all: a list before them would be one more way to hold */
	if (any)
		add(t, "\n");
}

/* --- what is computed --- */

static uint64_t *
bits_and(struct terms *t, uint64_t *all, const struct squid_lit *l, size_t n)
{
	bool first = !all;

	if (first)
		all = arena_take(&t->s->arena, 1024 * sizeof *all);
	for (size_t i = 0; all && i < n; i++) {
		uint64_t word = l->acl->bits ? l->acl->bits[i] : 0;
		word = l->is_not ? ~word : word;
		all[i] = first ? word : all[i] & word;
	}
	return all;
}

static bool
bit(const uint64_t *bits, unsigned i)
{
	return bits[i / 64] >> i % 64 & 1;
}

static void
ports(struct terms *t)
{
	bool any = false, gap = false;

	if (!t->ports)
		return;
	t->ports[0] &= ~UINT64_C(1);
	for (unsigned p = 1; p < 65536; p++) {
		any = any || bit(t->ports, p);
		gap = gap || !bit(t->ports, p);
	}
	t->never = t->never || !any;
	if (!any || !gap)
		return;
	key(t, "ports");
	for (unsigned p = 1, to; p < 65536; p = to + 1) {
		char text[16];
		to = p;
		if (!bit(t->ports, p))
			continue;
		while (to < 65535 && bit(t->ports, to + 1))
			to++;
		snprintf(text, sizeof text, to > p ? "%u-%u" : "%u", p, to);
		item(t, "", span_str(text));
	}
	add(t, "\n");
}

static bool
same_day(const uint64_t *times, unsigned a, unsigned b)
{
	for (unsigned m = 0; m < 1440; m++)
		if (bit(times, a * 1440 + m) != bit(times, b * 1440 + m))
			return false;
	return true;
}

static void
times(struct terms *t)
{
	static const char *const names[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	bool                     any = false, gap = false;

	if (!t->times)
		return;
	for (unsigned m = 0; m < WEEK_MINUTES; m++) {
		any = any || bit(t->times, m);
		gap = gap || !bit(t->times, m);
	}
	t->never = t->never || !any;
	if (!any || !gap)
		return;
	key(t, "times");
	for (unsigned from = 1, to; from <= 7; from = to + 1) {
		char days[16];
		to = from;
		while (to < 7 && same_day(t->times, from % 7, (to + 1) % 7))
			to++;
		snprintf(days, sizeof days, to > from ? "%s-%s" : "%s", names[from % 7], names[to % 7]);
		for (unsigned m = 0, e; m < 1440; m = e + 1) {
			char text[48];
			e = m;
			if (!bit(t->times, from % 7 * 1440 + m))
				continue;
			while (e < 1440 && bit(t->times, from % 7 * 1440 + e))
				e++;
			snprintf(text, sizeof text, "\"%s %02u:%02u-%02u:%02u\"", days, m / 60, m % 60, e / 60, e % 60);
			item(t, "", span_str(text));
		}
	}
	add(t, "\n");
}

static int
text_order(const void *a, const void *b)
{
	const struct span *x = *(const struct span *const *)a, *y = *(const struct span *const *)b;

	if (x->n != y->n)
		return x->n < y->n ? -1 : 1;
	for (size_t i = 0; i < x->n; i++) {
		int d = (unsigned char)ascii_lower(x->p[i]) - (unsigned char)ascii_lower(y->p[i]);
		if (d != 0)
			return d;
	}
	return 0;
}

/* Files of users are long, and each of one is looked for in the other: all values are there by now. */
static bool
sort(struct squid *s, struct squid_acl *a)
{
	a->sorted = arena_take(&s->arena, a->items.n * sizeof(const struct span *));
	if (!a->sorted)
		return false;
	for (size_t i = 0; i < a->items.n; i++)
		a->sorted[i] = &a->items.v[i].text;
	qsort(a->sorted, a->items.n, sizeof *a->sorted, text_order);
	return true;
}

static bool
has(const struct terms *t, struct squid_acl *a, struct span text)
{
	const struct span *wanted = &text;

	if (a->items.n > 32 && (a->sorted || sort(t->s, a)))
		return bsearch(&wanted, a->sorted, a->items.n, sizeof *a->sorted, text_order) != NULL;
	for (size_t i = 0; i < a->items.n; i++)
		if (span_eq_nocase(a->items.v[i].text, text))
			return true;
	return false;
}

/* Is `text` in all plain ACLs of this kind, and in no negated one? */
static bool
survives(const struct terms *t, enum squid_kind kind, struct span text)
{
	for (size_t i = 0; i < t->lits->n; i++) {
		const struct squid_lit *l = &t->lits->v[i];
		if (l->acl->kind == kind && !l->acl->required && has(t, l->acl, text) == l->is_not)
			return false;
	}
	return true;
}

/* Plain words, of which alternatives are: methods, users. */
static void
words(struct terms *t, enum squid_kind kind, const char *name, const char *separator)
{
	const struct squid_acl *plain = NULL;
	const char             *sep = "";
	size_t                  n = 0;

	for (size_t i = 0; i < t->lits->n && !plain; i++)
		if (t->lits->v[i].acl->kind == kind && !t->lits->v[i].is_not && !t->lits->v[i].acl->required)
			plain = t->lits->v[i].acl;
	for (size_t i = 0; i < t->lits->n; i++) {
		const struct squid_acl *a = t->lits->v[i].acl;
		if (a->kind != kind || a->required || (plain ? a != plain : !t->lits->v[i].is_not))
			continue;
		for (size_t k = 0; k < a->items.n; k++) {
			char before[8];
			if (plain && (!survives(t, kind, a->items.v[k].text) || (kind == ACL_METHOD && t->no_connect && span_eq(a->items.v[k].text, SPAN("CONNECT")))))
				continue;
			if (n++ == 0)
				key(t, name);
			snprintf(before, sizeof before, "%s", plain ? "" : "!");
			add(t, "%s", sep);
			item(t, before, a->items.v[k].text);
			sep = separator;
		}
		if (plain)
			break;
	}
	if (n)
		add(t, "\n");
	t->never = t->never || (plain && !n);
}

static void
methods(struct terms *t, bool said_elsewhere)
{
	bool method = false;

	for (size_t i = 0; i < t->lits->n; i++)
		method = method || t->lits->v[i].acl->kind == ACL_METHOD;
	if (t->connect)
		add(t, "methods = CONNECT\n");
	else if (method)
		words(t, ACL_METHOD, "methods", "");
	else if (t->no_connect && !said_elsewhere)
		add(t, "methods = !CONNECT\n");
}

/* Several lists of groups cannot be cut with each other: who is in which the directory knows. */
static void
groups(struct terms *t)
{
	unsigned plain = 0, n = 0;

	for (unsigned pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < t->lits->n; i++) {
			const struct squid_lit *l = &t->lits->v[i];
			if (l->acl->kind != ACL_GROUP || l->is_not != (pass == 1))
				continue;
			plain += !l->is_not;
			t->s->auth.groups_used = true;
			for (size_t k = 0; k < l->acl->items.n; k++) {
				if (n++ == 0)
					key(t, "groups");
				else
					add(t, ",");
				item(t, l->is_not ? "!" : "", l->acl->items.v[k].text);
			}
		}
	if (n)
		add(t, "\n");
	if (plain > 1)
		t->why = "two groups of users at once are no condition here; make a group of those who are in both";
}

/* url, headers: regular expressions of requests. Returns whether there are any. */
static bool
requests(struct terms *t, enum squid_kind kind, const char *name)
{
	unsigned plain = 0, n = 0;

	for (size_t i = 0; i < t->lits->n; i++) {
		const struct squid_lit *l = &t->lits->v[i];
		if (l->acl->kind != kind || l->connect)
			continue;
		plain += !l->is_not;
		t->never = t->never || (!l->is_not && l->acl->items.n == 0);
		for (size_t k = 0; k < l->acl->items.n; k++) {
			if (n++ == 0)
				key(t, name);
			item(t, l->is_not ? "!" : "", l->acl->items.v[k].text);
		}
	}
	if (n)
		add(t, "\n");
	if (plain > 1)
		t->why = "two conditions on URLs, or on headers, of which both must hold, are no condition here";
	return n > 0;
}

static void
people(struct terms *t, struct squid_spelt *out)
{
	bool named = false, group = false;

	for (size_t i = 0; i < t->lits->n; i++) {
		const struct squid_acl *a = t->lits->v[i].acl;
		named = named || (a->kind == ACL_USER && !a->required);
		group = group || a->kind == ACL_GROUP;
	}
	out->asks = named || group || t->required || t->anonymous;
	if (t->anonymous)
		add(t, "users = !*\n"); /* all who are known are *: so it only asks */
	else if (named)
		words(t, ACL_USER, "users", ",");
	else if (t->required && !group)
		add(t, "users = *\n");
	if (group && !t->anonymous)
		groups(t);
}

/* --- all --- */

/* A CONNECT is of no scheme that Squid tells by proto. */
static void
schemes(struct terms *t, const struct squid_lit *l)
{
	uint32_t bits = l->acl->bits ? (uint32_t)l->acl->bits[0] : 0;

	t->connect = t->connect || l->connect;
	t->no_connect = t->no_connect || !l->connect;
	if (l->connect)
		return;
	bits = l->is_not ? ~bits & 3 : bits;
	t->schemes = t->schemes ? t->schemes & bits : bits;
	t->never = t->never || !t->schemes;
}

/* Sums up what does not stand in lists. */
static void
gather(struct terms *t)
{
	for (size_t i = 0; i < t->lits->n; i++) {
		const struct squid_lit *l = &t->lits->v[i];
		struct squid_acl       *a = l->acl;
		bool                    connect = a->kind == ACL_METHOD && a->items.n == 1 && has(t, a, SPAN("CONNECT"));
		for (size_t k = 0; k < i; k++)
			t->never = t->never || (t->lits->v[k].acl == a && t->lits->v[k].is_not != l->is_not && t->lits->v[k].connect == l->connect);
		t->never = t->never || (a->kind == ACL_TRUE && l->is_not) || (a->kind == ACL_FALSE && !l->is_not);
		if (a->kind == ACL_UNKNOWN || a->kind == ACL_STEP)
			t->why = a->kind == ACL_STEP ? "at_step is of ssl_bump alone" : a->why.p;
		if (a->kind == ACL_URL || a->kind == ACL_HEADER) {
			t->connect = t->connect || l->connect;
			t->no_connect = t->no_connect || !l->connect;
			if (l->connect && !a->on_connect.n && !l->is_not && !a->connect_open)
				t->never = true;
			if (l->connect && a->connect_open && (l->is_not || !a->on_connect.n))
				t->why = a->kind == ACL_URL ? "what this regular expression finds in the host and port of a CONNECT is not clear; say hosts, by dstdom_regex"
				                            : "header fields of a CONNECT are no condition here";
		}
		t->connect = t->connect || (connect && !l->is_not);
		t->no_connect = t->no_connect || (a->kind == ACL_METHOD && (l->is_not ? has(t, a, SPAN("CONNECT")) : !has(t, a, SPAN("CONNECT"))));
		if (a->kind == ACL_SCHEME)
			schemes(t, l);
		if (a->kind == ACL_PORT)
			t->ports = bits_and(t, t->ports, l, 1024);
		if (a->kind == ACL_TIME)
			t->times = bits_and(t, t->times, l, (WEEK_MINUTES + 63) / 64);
		if (a->kind == ACL_LISTENER)
			t->listeners &= l->is_not ? ~(a->bits ? a->bits[0] : 0) : a->bits ? a->bits[0] : 0;
		if (a->kind == ACL_USER && a->required) {
			t->required = t->required || !l->is_not;
			t->anonymous = t->anonymous || l->is_not;
		}
	}
	t->never = t->never || (t->connect && t->no_connect);
}

static void
listeners(struct terms *t)
{
	uint64_t all = t->s->n_ports < 64 ? (UINT64_C(1) << t->s->n_ports) - 1 : UINT64_MAX;

	if ((t->listeners & all) == all)
		return;
	if (!(t->listeners & all)) {
		t->never = true;
		return;
	}
	key(t, "listeners");
	for (size_t i = 0; i < t->s->n_ports; i++)
		if (t->listeners >> i & 1)
			item(t, "", span_str(t->s->port[i].name));
	add(t, "\n");
}

enum squid_terms
squid_terms(struct squid *s, const struct squid_lits *lits, struct squid_spelt *out, const char **why)
{
	enum { TEXT = 65536 };
	struct terms t = {.s = s, .lits = lits, .listeners = UINT64_MAX};
	char        *text;
	bool         of_requests;

	*out = (struct squid_spelt){0};
	if (lits->n > LITS_MOST)
		t.why = "it has too many conditions";
	gather(&t);
	out->connect = t.connect;
	out->no_connect = t.no_connect;
	if (t.never || s->arena.failed)
		return TERMS_NEVER;
	text = malloc(TEXT);
	if (!text) {
		s->arena.failed = true;
		return TERMS_NEVER;
	}
	t.at = t.line = text;
	t.end = text + TEXT;
	lists(&t, ACL_HOST, "hosts");
	ports(&t);
	if (t.schemes == 1 || t.schemes == 2)
		add(&t, "schemes = %s\n", t.schemes == 1 ? "http" : "https");
	lists(&t, ACL_CLIENT, "clients");
	listeners(&t);
	lists(&t, ACL_ADDRESS, "addresses");
	times(&t);
	of_requests = requests(&t, ACL_URL, "url");
	of_requests = requests(&t, ACL_HEADER, "headers") || of_requests;
	methods(&t, of_requests || t.schemes == 1);
	people(&t, out);
	out->always = t.at == text;
	out->conditions = arena_copy(&s->arena, span_of(text, (size_t)(t.at - text)));
	free(text);
	*why = t.why;
	return t.never ? TERMS_NEVER : t.why ? TERMS_OPEN : TERMS_FINE;
}
