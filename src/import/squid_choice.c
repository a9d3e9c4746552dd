/* SPDX-License-Identifier: MIT */
/*
 * squid_choice: lines that name ACLs, as lists of choices: each a set of literals that must all hold, and a value. The first that holds decides.
 * any-of, all-of and what asks other things of a CONNECT are written out as several choices. Leaves what a literal means to squid_terms.
 */
#include "import/squid_inside.h"

#define COVERED_MOST 256u

/* Ways to hold, one of which must. */
struct ways {
	struct squid_lits *v;
	size_t             n, room;
	bool               too_many;
};

bool
squid_lits_put(struct squid *s, struct squid_lits *to, struct squid_lit l)
{
	for (size_t i = 0; i < to->n; i++)
		if (to->v[i].acl == l.acl && to->v[i].is_not == l.is_not && to->v[i].connect == l.connect)
			return true;
	to->v = arena_grow(&s->arena, to->v, to->n, &to->room, sizeof *to->v);
	if (s->arena.failed)
		return false;
	to->v[to->n++] = l;
	return true;
}

struct squid_lits
squid_lits_both(struct squid *s, const struct squid_lits *a, const struct squid_lits *b)
{
	struct squid_lits both = {0};
	bool              ok = true;

	for (size_t i = 0; ok && i < a->n; i++)
		ok = squid_lits_put(s, &both, a->v[i]);
	for (size_t i = 0; ok && i < b->n; i++)
		ok = squid_lits_put(s, &both, b->v[i]);
	return both;
}

static void
ways_put(struct squid *s, struct ways *to, struct squid_lits l)
{
	if (to->n == SQUID_SPLIT_MOST) {
		to->too_many = true;
		return;
	}
	to->v = arena_grow(&s->arena, to->v, to->n, &to->room, sizeof *to->v);
	if (!s->arena.failed)
		to->v[to->n++] = l;
}

static struct ways
ways_both(struct squid *s, const struct ways *a, const struct ways *b)
{
	struct ways out = {.too_many = a->too_many || b->too_many};

	for (size_t i = 0; i < a->n && !out.too_many; i++)
		for (size_t k = 0; k < b->n && !out.too_many && !s->arena.failed; k++)
			ways_put(s, &out, squid_lits_both(s, &a->v[i], &b->v[k]));
	return out;
}

static void
ways_one(struct squid *s, struct ways *to, struct squid_lit l)
{
	struct squid_lits one = {0};

	if (squid_lits_put(s, &one, l))
		ways_put(s, to, one);
}

static struct ways ways_of(struct squid *s, struct squid_acl *a, bool is_not, unsigned depth);

/* any-of, and all-of that is negated: one of them; else all of them. The lines of one ACL: one of them, or, negated, none. */
static struct ways
ways_group(struct squid *s, struct squid_acl *a, bool is_not, unsigned depth)
{
	struct ways out = {0}, none = {0};

	ways_put(s, &none, (struct squid_lits){0});
	if (is_not)
		out = none;
	for (size_t i = 0; i < a->n_lines && !out.too_many && !s->arena.failed; i++) {
		const struct squid_lits *l = &a->line[i];
		struct ways              line = {0};
		bool                     one = (a->kind == ACL_ANY) != is_not;
		if (!one)
			line = none;
		for (size_t k = 0; k < l->n && !line.too_many && !s->arena.failed; k++) {
			struct ways w = ways_of(s, l->v[k].acl, l->v[k].is_not != is_not, depth + 1);
			if (one) {
				for (size_t m = 0; m < w.n; m++)
					ways_put(s, &line, w.v[m]);
				line.too_many = line.too_many || w.too_many;
			} else {
				line = ways_both(s, &line, &w);
			}
		}
		if (is_not) {
			out = ways_both(s, &out, &line);
		} else {
			for (size_t m = 0; m < line.n; m++)
				ways_put(s, &out, line.v[m]);
			out.too_many = out.too_many || line.too_many;
		}
	}
	return out;
}

static struct ways
ways_of(struct squid *s, struct squid_acl *a, bool is_not, unsigned depth)
{
	struct ways out = {0};

	if (depth > SQUID_NEST_MOST) {
		out.too_many = true;
		return out;
	}
	if (a->kind == ACL_ANY || a->kind == ACL_ALL)
		return ways_group(s, a, is_not, depth);
	ways_one(s, &out, (struct squid_lit){a, is_not, false});
	if (a->kind == ACL_URL || a->kind == ACL_HEADER || (a->kind == ACL_SCHEME && is_not))
		ways_one(s, &out, (struct squid_lit){a, is_not, true});
	return out;
}

bool
squid_choice_put(struct squid *s, struct squid_choices *out, const struct squid_choice *c)
{
	if (out->n == SQUID_CHOICES_MOST) {
		squid_fail(s, "one list of lines comes to more than %u choices", SQUID_CHOICES_MOST);
		return false;
	}
	out->v = arena_grow(&s->arena, out->v, out->n, &out->room, sizeof *out->v);
	if (s->arena.failed)
		return false;
	out->v[out->n++] = *c;
	return true;
}

/* Does everything for which `lits` holds meet an earlier choice? Looked for among the last ones. */
bool
squid_choice_is_covered(const struct squid_choices *list, const struct squid_lits *lits)
{
	for (size_t i = list->n > COVERED_MOST ? list->n - COVERED_MOST : 0; i < list->n; i++) {
		const struct squid_lits *e = &list->v[i].lits;
		size_t                   found = 0;
		for (size_t k = 0; k < e->n; k++)
			for (size_t m = 0; m < lits->n; m++)
				if (e->v[k].acl == lits->v[m].acl && e->v[k].is_not == lits->v[m].is_not && e->v[k].connect == lits->v[m].connect) {
					found++;
					break;
				}
		if (found == e->n)
			return true;
	}
	return false;
}

static bool
is_asking(const struct squid_acl *a)
{
	return a->kind == ACL_USER || a->kind == ACL_GROUP;
}

/* Squid asks for a user as soon as it comes to the first ACL that needs one, whatever stands behind it. */
static void
ask_first(struct squid *s, struct squid_choices *out, const struct squid_line *line, const struct ways *before, struct squid_acl *asked)
{
	struct squid_acl *anyone = squid_acl_find(s, SPAN(" anyone")); /* no name of a user's: it has a blank */
	if (!anyone) {
		anyone = squid_acl_new(s, SPAN(" anyone"), asked->at);
		if (!anyone)
			return;
		anyone->kind = ACL_USER;
		anyone->required = true;
	}
	for (size_t i = 0; i < before->n && !s->arena.failed; i++) {
		struct squid_choice c = {.lits = squid_lits_both(s, &before->v[i], &(struct squid_lits){0}), .value = ACCESS_ASK, .from = line};
		if (!squid_lits_put(s, &c.lits, (struct squid_lit){anyone, true, false}) || !squid_choice_put(s, out, &c))
			return;
	}
}

void
squid_choices_add(struct squid *s, struct squid_choices *out, const struct squid_line *line, struct squid_words *w, uint32_t value, bool permits, bool asks)
{
	struct ways       all = {0}, before = {0};
	struct squid_acl *asked = NULL, *last = NULL;
	bool              late = false, last_not = false;
	struct span       word;

	ways_put(s, &all, (struct squid_lits){0});
	while (squid_word(w, &word) == TOKEN_WORD && !s->arena.failed) {
		bool              is_not = word.p[0] == '!';
		struct squid_acl *a = squid_acl_find(s, span_of(word.p + is_not, word.n - is_not));
		struct ways       one;
		if (!a) {
			a = squid_acl_new(s, span_of(word.p + is_not, word.n - is_not), line->at);
			if (!a)
				return;
			a->why = SPAN("there is no acl of this name");
		}
		if (!asked && is_asking(a)) {
			asked = a;
			before = all;
		} else if (asked && !is_asking(a) && (a->kind != ACL_TRUE || is_not)) {
			late = true;
		}
		one = ways_of(s, a, is_not, 0);
		all = ways_both(s, &all, &one);
		last = a;
		last_not = is_not;
	}
	if (all.too_many) {
		squid_note(s, permits ? SQUID_NARROWER : SQUID_WIDER, line, "left out: its groups of ACLs come to more than %u combinations; write it as several lines", SQUID_SPLIT_MOST);
		return;
	}
	if (asks && late)
		ask_first(s, out, line, &before, asked);
	for (size_t i = 0; i < all.n && !s->arena.failed; i++)
		if (!squid_choice_put(s, out, &(struct squid_choice){all.v[i], value, line, last, last_not}))
			return;
}

struct squid_choices
squid_choices_join(struct squid *s, const struct squid_choices *a, const struct squid_choices *b, uint32_t (*join)(uint32_t a, uint32_t b))
{
	struct squid_choices out = {0};

	for (size_t i = 0; i < a->n; i++)
		for (size_t k = 0; k < b->n && !s->why[0] && !s->arena.failed; k++) {
			struct squid_choice c = a->v[i];
			c.lits = squid_lits_both(s, &a->v[i].lits, &b->v[k].lits);
			c.value = join(a->v[i].value, b->v[k].value);
			if (!squid_choice_is_covered(&out, &c.lits))
				squid_choice_put(s, &out, &c);
		}
	return out;
}
