/* SPDX-License-Identifier: MIT */
/*
 * people: reads the items of users and groups, and writes them into the block: names in a hash table, those with a '*' in a list.
 * What a person is held against is person's.
 */
#include "policy/build.h"

#include <stdlib.h>
#include <string.h>

#include "match/fold.h"

#define NAME_ITEM_MAX 512

/* What is wrong with a name as such; null: nothing. */
static const char *
name_judge(struct span s)
{
	if (s.n > NAME_ITEM_MAX)
		return "is longer than 512 bytes";
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return "has a control byte";
	return NULL;
}

static size_t
count_of(struct span s, char c)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += s.p[i] == c;
	return n;
}

/* DOMAIN\name: both are there, and no second backslash. */
static bool
parts_are_fine(struct span s, char between)
{
	return count_of(s, between) <= 1 && s.p[0] != between && s.p[s.n - 1] != between;
}

static bool
user_is_fine(struct build *b, const struct conf_item *item)
{
	struct span s = item->text;

	if (memchr(s.p, '/', s.n) && !memchr(s.p, '\\', s.n)) {
		report_error(b->report, item->at, "`%.*s` is no user; a domain stands before a backslash, as in CORP\\alice", SPAN_ARG(s));
		return false;
	}
	if (parts_are_fine(s, '\\') && (memchr(s.p, '\\', s.n) || parts_are_fine(s, '@')))
		return true;
	report_error(b->report, item->at, "`%.*s` is no user; say one such as CORP\\alice, alice@CORP.EXAMPLE, CORP\\WS01$, alice, computers or nobody", SPAN_ARG(s));
	return false;
}

static bool
sid_is_fine(struct span s)
{
	for (size_t i = 4; i < s.n; i++)
		if ((s.p[i] < '0' || s.p[i] > '9') && (s.p[i] != '-' || s.p[i - 1] == '-'))
			return false;
	return s.n > 4 && s.p[s.n - 1] != '-' && s.p[4] != '-' && memchr(s.p + 4, '-', s.n - 4);
}

static bool
group_is_fine(struct build *b, const struct conf_item *item)
{
	struct span s = item->text;

	if (s.n >= 4 && span_eq_nocase(span_of(s.p, 4), SPAN("S-1-"))) {
		if (!sid_is_fine(s))
			report_error(b->report, item->at, "`%.*s` is no SID; say one such as S-1-5-21-1004336348-1177238915-682003330-512", SPAN_ARG(s));
		return sid_is_fine(s);
	}
	if (parts_are_fine(s, '\\') && (!memchr(s.p, '/', s.n) || memchr(s.p, '\\', s.n)))
		return true;
	report_error(b->report, item->at, "`%.*s` is no group; say one such as CORP\\Proxy Users, Proxy Users or a SID", SPAN_ARG(s));
	return false;
}

static void
name_add(struct build *b, enum people which, struct span name, bool glob, uint32_t term)
{
	struct people_build *p = &b->people[which];
	char                 folded[NAME_ITEM_MAX];
	uint32_t             index;

	name_fold(name, folded);
	if (!pool_intern(glob ? &p->globs : &p->names, folded, name.n, &index) || !numbers_add(&p->items, glob) || !numbers_add(&p->items, index) ||
	    !numbers_add(&p->items, term))
		build_oom(b);
}

/* True: the item is a word, and dealt with. */
static bool
word_read(struct build *b, uint32_t rule, const struct conf_item *item)
{
	const struct conf_rule *r = b->rule[rule];

	if (item->quoted)
		return false;
	if (span_eq_nocase(item->text, SPAN("computers"))) {
		name_add(b, PEOPLE_USERS, SPAN(NAME_COMPUTERS), false, rule << 1 | item->negated);
		return true;
	}
	if (!span_eq_nocase(item->text, SPAN("nobody")))
		return false;
	if (!item->negated)
		bit_set(b->nobody, rule);
	if (!item->negated && rule_needs_user(r))
		report_error(b->report, item->at, "rule `%.*s` holds for nobody, but needs to know who asks; say auth = none there, and add rules for those who are known",
		    SPAN_ARG(r->name));
	return true;
}

static void
items_gather(struct build *b, enum people which, uint32_t rule, const struct conf_items *items)
{
	for (size_t i = 0; i < items->n && !b->oom; i++) {
		const struct conf_item *item = &items->v[i];
		const char             *wrong = name_judge(item->text);
		if (wrong)
			report_error(b->report, item->at, "`%.*s` %s", (int)(item->text.n > 80 ? 80 : item->text.n), item->text.p, wrong);
		if (wrong || (which == PEOPLE_USERS && word_read(b, rule, item)))
			continue;
		if (which == PEOPLE_USERS ? user_is_fine(b, item) : group_is_fine(b, item))
			name_add(b, which, item->text, !item->quoted && memchr(item->text.p, '*', item->text.n), rule << 1 | item->negated);
	}
}

static bool
has_item(const struct conf_items *items, bool negated)
{
	for (size_t i = 0; i < items->n; i++)
		if (items->v[i].negated == negated)
			return true;
	return false;
}

static bool
names_nobody(const struct conf_items *items, bool negated)
{
	for (size_t i = 0; i < items->n; i++)
		if (!items->v[i].quoted && items->v[i].negated == negated && span_eq_nocase(items->v[i].text, SPAN("nobody")))
			return true;
	return false;
}

void
people_gather(struct build *b, uint32_t rule)
{
	const struct conf_rule *r = b->rule[rule];

	items_gather(b, PEOPLE_USERS, rule, &r->users);
	items_gather(b, PEOPLE_GROUPS, rule, &r->groups);
	/* nobody is in no group */
	if (names_nobody(&r->users, true) || has_item(&r->groups, false))
		b->nobody[rule >> 6] &= ~((uint64_t)1 << (rule & 63));
}

/* The names of one pool, each with its terms. */
static struct flat_ref
names_write(struct build *b, const struct pool *names, const struct numbers *items, bool globs)
{
	struct block_name *v = calloc((size_t)names->n + 1, sizeof *v);
	uint32_t          *terms = calloc((size_t)items->n / 3 + 1, sizeof *terms), at = 0, off;
	struct flat_ref    ref = {0, names->n};

	if (!v || !terms) {
		build_oom(b);
		goto out;
	}
	for (uint32_t i = 0; i < items->n; i += 3)
		if (items->v[i] == globs)
			v[items->v[i + 1]].terms.off++;
	for (uint32_t i = 0; i < names->n; i++) {
		uint32_t n = v[i].terms.off;
		v[i].terms.off = at;
		at += n;
		v[i].text = flat_add_text(b->flat, span_of(names->bytes + names->v[i].off, names->v[i].n));
	}
	for (uint32_t i = 0; i < items->n; i += 3) {
		struct flat_ref *t = &v[items->v[i + 1]].terms;
		if (items->v[i] == globs)
			terms[t->off + t->n++] = items->v[i + 2];
	}
	off = flat_add(b->flat, terms, at * sizeof *terms, 8);
	for (uint32_t i = 0; i < names->n; i++)
		v[i].terms.off = off + v[i].terms.off * (uint32_t)sizeof *terms;
	ref.off = flat_add(b->flat, v, names->n * sizeof *v, 8);
out:
	free(v);
	free(terms);
	return ref;
}

/* At most half of the slots are taken. */
static struct flat_ref
slots_write(struct build *b, const struct pool *names)
{
	uint32_t        n = 4, *slot;
	struct flat_ref ref;

	while (n < names->n * 2)
		n *= 2;
	slot = calloc(n, sizeof *slot);
	if (!slot) {
		build_oom(b);
		return (struct flat_ref){0};
	}
	for (uint32_t i = 0; i < names->n; i++) {
		uint32_t at = name_slot(span_of(names->bytes + names->v[i].off, names->v[i].n), n);
		while (slot[at])
			at = (at + 1) & (n - 1);
		slot[at] = i + 1;
	}
	ref = (struct flat_ref){flat_add(b->flat, slot, n * sizeof *slot, 64), n};
	free(slot);
	return ref;
}

void
people_write(struct build *b, struct policy_head *head)
{
	uint64_t *has = calloc(b->words, sizeof *has), *plain = calloc(b->words, sizeof *plain);

	for (unsigned c = 0; c < PEOPLE_COUNT && has && plain; c++) {
		struct block_people *out = &head->people[c];
		memset(has, 0, b->words * sizeof *has);
		memset(plain, 0, b->words * sizeof *plain);
		for (uint32_t i = 0; i < b->n_rules; i++) {
			const struct conf_items *items = c == PEOPLE_USERS ? &b->rule[i]->users : &b->rule[i]->groups;
			if (items->n)
				bit_set(has, i);
			if (has_item(items, false))
				bit_set(plain, i);
			out->used |= items->n > 0;
		}
		out->names = names_write(b, &b->people[c].names, &b->people[c].items, false);
		out->globs = names_write(b, &b->people[c].globs, &b->people[c].items, true);
		out->slots = slots_write(b, &b->people[c].names);
		out->has = flat_add(b->flat, has, b->words * sizeof *has, 8);
		out->plain = flat_add(b->flat, plain, b->words * sizeof *plain, 8);
	}
	head->nobody = flat_add(b->flat, b->nobody, b->words * sizeof *b->nobody, 8);
	if (!has || !plain)
		build_oom(b);
	free(has);
	free(plain);
}
