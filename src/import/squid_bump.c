/* SPDX-License-Identifier: MIT */
/*
 * squid_bump: ssl_bump, which Squid asks anew at each of three steps, as one list of what becomes of a tunnel in the end. Peeking and staring are no ends: here
 * the ClientHello is always read first, and the name in it must be the CONNECT's.
 */
#include "import/squid_inside.h"

enum { VERB_PEEK, VERB_STARE, VERB_SPLICE, VERB_BUMP, VERB_TERMINATE };

static bool
verb_find(struct span word, uint32_t *verb)
{
	static const struct {
		const char *word;
		uint32_t    verb;
	} verbs[] = {{"peek", VERB_PEEK}, {"stare", VERB_STARE}, {"splice", VERB_SPLICE}, {"bump", VERB_BUMP}, {"terminate", VERB_TERMINATE}, {"none", VERB_SPLICE},
		{"client-first", VERB_BUMP}, {"server-first", VERB_BUMP}, {"allow", VERB_BUMP}, {"deny", VERB_SPLICE}};

	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		if (span_eq(word, span_str(verbs[i].word))) {
			*verb = verbs[i].verb;
			return true;
		}
	return false;
}

/* The steps at which it counts; the literals that say so are taken out. */
static unsigned
steps_take(struct squid_lits *l)
{
	unsigned steps = 7;
	size_t   n = 0;

	for (size_t i = 0; i < l->n; i++) {
		if (l->v[i].acl->kind == ACL_STEP) {
			unsigned bits = l->v[i].acl->bits ? (unsigned)l->v[i].acl->bits[0] : 0;
			steps &= l->v[i].is_not ? ~bits : bits;
		} else if (l->v[i].acl->kind != ACL_TRUE || l->v[i].is_not) {
			l->v[n++] = l->v[i];
		}
	}
	l->n = n;
	return steps;
}

struct bump {
	struct squid        *s;
	struct squid_choices raw, out; /* raw: value is verb * 8 + steps */
};

/* What is done at `step`, when `before` was done at the one before and `held` holds. */
static void
step(struct bump *b, unsigned at, uint32_t before, const struct squid_lits *held)
{
	struct squid_choice end = {.lits = *held, .value = before == VERB_STARE ? BUMP_BUMP : BUMP_SPLICE};

	for (size_t i = 0; i < b->raw.n && !b->s->arena.failed && !b->s->why[0]; i++) {
		const struct squid_choice *c = &b->raw.v[i];
		uint32_t                   verb = c->value / 8;
		struct squid_choice        made = {.from = c->from};
		if (!(c->value & 1u << (at - 1)))
			continue;
		/* after peeking at the server a tunnel cannot be bumped, after staring not spliced */
		if (at == 3 && verb != VERB_TERMINATE && verb != (before == VERB_PEEK ? VERB_SPLICE : VERB_BUMP))
			continue;
		made.lits = squid_lits_both(b->s, held, &c->lits);
		if (verb == VERB_PEEK || verb == VERB_STARE) {
			step(b, at + 1, verb, &made.lits);
		} else {
			made.value = verb == VERB_SPLICE ? BUMP_SPLICE : verb == VERB_BUMP ? BUMP_BUMP : BUMP_TERMINATE;
			if (!squid_choice_is_covered(&b->out, &made.lits))
				squid_choice_put(b->s, &b->out, &made);
		}
		if (c->lits.n == 0)
			return;
	}
	if (!squid_choice_is_covered(&b->out, &end.lits))
		squid_choice_put(b->s, &b->out, &end);
}

struct squid_choices
squid_bump(struct squid *s)
{
	struct bump        b = {.s = s};
	struct squid_words w;
	struct squid_lits  nothing = {0};
	bool               any = false;

	for (size_t i = 0; i < s->n_lines && !s->arena.failed; i++) {
		const struct squid_line *l = &s->line[i];
		size_t                   n = b.raw.n;
		uint32_t                 verb;
		if (!span_eq(l->name, SPAN("ssl_bump")))
			continue;
		any = true;
		squid_words_begin(&w, s, l, false);
		if (!verb_find(squid_word_plain(&w), &verb)) {
			squid_note(s, SQUID_DIFFERS, l, "left out: this is no action of ssl_bump");
			continue;
		}
		squid_choices_add(s, &b.raw, l, &w, verb * 8, true, false);
		for (; n < b.raw.n; n++)
			b.raw.v[n].value += steps_take(&b.raw.v[n].lits);
	}
	if (any)
		step(&b, 1, VERB_SPLICE, &nothing);
	return b.out;
}
