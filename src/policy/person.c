/* SPDX-License-Identifier: MIT */
/*
 * person: which rules' users and groups hold for somebody. Asked once for each person and snapshot; what it costs grows with the names of the
 * person and with the items that have a '*', not with the other items.
 */
#include <string.h>

#include "match/fold.h"
#include "match/glob.h"
#include "policy/open.h"

/* A domain, a backslash and an account as back ends hand them out; what is longer is no name. */
#define SPELLING_MAX 1024

static void
name_mark(const struct policy *p, const struct block_name *n)
{
	const uint32_t *term = policy_at(p, n->terms.off);

	for (uint32_t i = 0; i < n->terms.n; i++)
		bit_set(p->held[term[i] & 1], term[i] >> 1);
}

static struct span
name_text(const struct policy *p, const struct block_name *n)
{
	return span_of(policy_at(p, n->text.off), n->text.n);
}

static void
name_look_up(const struct policy *p, const struct block_people *c, struct span folded)
{
	const struct block_name *names = policy_at(p, c->names.off);
	const uint32_t          *slot = policy_at(p, c->slots.off);

	for (uint32_t at = name_slot(folded, c->slots.n); slot[at]; at = (at + 1) & (c->slots.n - 1))
		if (span_eq(name_text(p, &names[slot[at] - 1]), folded)) {
			name_mark(p, &names[slot[at] - 1]);
			return;
		}
}

/* The byte by which a glob names a domain, 0: it does not. A group may have an '@' in its name. */
static char
glob_domain(struct span glob, enum people which)
{
	return memchr(glob.p, '\\', glob.n) ? '\\' : which == PEOPLE_USERS && memchr(glob.p, '@', glob.n) ? '@' : '\0';
}

/* `mark`: how the name at hand names its domain; globs that name one in another way, or none, are for another spelling. */
static void
globs_look_up(const struct policy *p, enum people which, struct span folded, char mark)
{
	const struct block_people *c = &p->head->people[which];
	const struct block_name   *glob = policy_at(p, c->globs.off);

	for (uint32_t i = 0; i < c->globs.n; i++)
		if (glob_domain(name_text(p, &glob[i]), which) == mark && glob_matches(name_text(p, &glob[i]), folded))
			name_mark(p, &glob[i]);
}

/* first, mark, second: folded into buf. False: too long to be a name. */
static bool
spell(char buf[SPELLING_MAX], struct span first, char mark, struct span second, struct span *out)
{
	size_t n = first.n + second.n + (mark != '\0');

	if (n > SPELLING_MAX)
		return false;
	name_fold(first, buf);
	if (mark)
		buf[first.n] = mark;
	name_fold(second, buf + n - second.n);
	*out = span_of(buf, n);
	return true;
}

static void
user_mark(const struct policy *p, const struct who *who)
{
	const struct block_people *c = &p->head->people[PEOPLE_USERS];
	struct span                account, whole;
	char                       bare[SPELLING_MAX], buf[SPELLING_MAX];

	if (!who->account.n || !spell(bare, SPAN(""), '\0', who->account, &account))
		return;
	if (account.p[account.n - 1] == '$')
		name_look_up(p, c, SPAN(NAME_COMPUTERS));
	if (who->domain.n == 0 && who->realm.n == 0)
		name_look_up(p, c, account);
	globs_look_up(p, PEOPLE_USERS, account, '\0');
	if (who->domain.n && spell(buf, who->domain, '\\', who->account, &whole)) {
		name_look_up(p, c, whole);
		globs_look_up(p, PEOPLE_USERS, whole, '\\');
	}
	if (who->realm.n && spell(buf, who->account, '@', who->realm, &whole)) {
		name_look_up(p, c, whole);
		globs_look_up(p, PEOPLE_USERS, whole, '@');
	}
}

static void
group_mark(const struct policy *p, struct span group)
{
	const struct block_people *c = &p->head->people[PEOPLE_GROUPS];
	struct span                whole, bare;
	char                       buf[SPELLING_MAX];
	const char                *slash;

	if (!group.n || !spell(buf, group, '\0', SPAN(""), &whole))
		return;
	slash = memchr(whole.p, '\\', whole.n);
	bare = slash ? span_of(slash + 1, whole.n - (size_t)(slash + 1 - whole.p)) : whole;
	name_look_up(p, c, whole);
	if (slash) {
		name_look_up(p, c, bare);
		globs_look_up(p, PEOPLE_GROUPS, whole, '\\');
	}
	globs_look_up(p, PEOPLE_GROUPS, bare, '\0');
}

void
people_narrow(const struct policy *p, enum people which, const struct who *who, uint64_t *row)
{
	const struct block_people *c = &p->head->people[which];
	const uint64_t            *has = policy_at(p, c->has), *plain = policy_at(p, c->plain);

	if (!c->used)
		return;
	memset(p->held[0], 0, p->head->words * sizeof *p->held[0]);
	memset(p->held[1], 0, p->head->words * sizeof *p->held[1]);
	if (which == PEOPLE_USERS)
		user_mark(p, who);
	for (size_t i = 0; which == PEOPLE_GROUPS && i < who->n_groups; i++)
		group_mark(p, who->group[i]);
	for (uint32_t w = 0; w < p->head->words; w++)
		row[w] &= ~has[w] | ((p->held[0][w] | ~plain[w]) & ~p->held[1][w]);
}

size_t
policy_row_words(const struct policy *p)
{
	return p->head->words;
}

void
policy_user_row(const struct policy *p, const struct who *who, uint64_t *row)
{
	memset(row, 0xff, p->head->words * sizeof *row);
	people_narrow(p, PEOPLE_USERS, who, row);
	people_narrow(p, PEOPLE_GROUPS, who, row);
}
