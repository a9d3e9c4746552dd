/* SPDX-License-Identifier: MIT */
#include "auth/identity.h"

#include <stdlib.h>

#include "ipc/names.h"

struct identity {
	unsigned      refs;
	enum auth_way way;
	uint64_t      since_us;
	struct who    who;        /* texts stand in `text`, but for the list of groups */
	struct span   name;       /* for logs */
	struct span   group_names; /* for logs */
	struct span  *group;      /* owned; what who.group points to */
	uint64_t     *row;        /* owned; null: nobody asked yet */
	uint64_t      generation; /* of the snapshot that row is for */
	size_t        row_words;
	char         *at;         /* end of what stands in text; only while it is made */
	char          text[];
};

/* --- making one --- */

/* A domain for the answer's realm, when it is the one that `names` are of. */
static struct span
domain_of(const struct answer *a, const struct ntlm_names *names)
{
	if (a->domain[0])
		return span_str(a->domain);
	if (a->realm[0] && names && span_eq_nocase(span_str(a->realm), span_str(names->dns_domain)))
		return span_str(names->domain);
	return SPAN("");
}

static struct span
keep(struct identity *i, struct span s)
{
	char *p = i->at;

	if (s.n)
		memcpy(p, s.p, s.n);
	i->at += s.n;
	return span_of(p, s.n);
}

static bool
is_sid(struct span group)
{
	return group.n > 4 && memcmp(group.p, "S-1-", 4) == 0;
}

/* The n texts in `list`, each ended by NUL; a last one without its NUL is no text. */
static size_t
count_groups(const char *list, size_t bytes)
{
	size_t n = 0;

	for (size_t i = 0; i < bytes; i++)
		n += list[i] == '\0';
	return n;
}

static void
keep_groups(struct identity *i, const char *list, size_t bytes)
{
	struct span all = keep(i, span_of(list, bytes));
	bool        has_names = false;

	for (size_t n = 0, k = 0; n < i->who.n_groups; n++) {
		i->group[n] = span_str(all.p + k);
		k += i->group[n].n + 1;
		has_names |= !is_sid(i->group[n]);
	}
	i->who.group = i->group;
	i->group_names.p = i->at;
	for (size_t n = 0; n < i->who.n_groups; n++) {
		if (!i->group[n].n || (has_names && is_sid(i->group[n])))
			continue;
		if (i->at != i->group_names.p)
			keep(i, SPAN(","));
		keep(i, i->group[n]);
	}
	i->group_names.n = (size_t)(i->at - i->group_names.p);
}

static void
keep_name(struct identity *i)
{
	i->name.p = i->at;
	if (i->who.domain.n) {
		keep(i, i->who.domain);
		keep(i, SPAN("\\"));
	}
	keep(i, i->who.account);
	if (!i->who.domain.n && i->who.realm.n) {
		keep(i, SPAN("@"));
		keep(i, i->who.realm);
	}
	i->name.n = (size_t)(i->at - i->name.p);
}

struct identity *
identity_new(const struct answer *a, const struct answer *groups_from, const struct ntlm_names *names, enum auth_way way, uint64_t now_us)
{
	const struct answer *g = groups_from ? groups_from : a;
	struct span          account = span_str(groups_from && groups_from->account[0] ? groups_from->account : a->account);
	struct span          domain = groups_from && groups_from->domain[0] ? span_str(groups_from->domain) : domain_of(a, names);
	struct span          realm = span_str(a->realm);
	size_t               n_groups = count_groups(g->groups, g->groups_bytes);
	/* each text twice: as it is, and as logs want it */
	struct identity     *i = calloc(1, sizeof *i + 2 * (account.n + domain.n + realm.n + 1 + g->groups_bytes));

	if (!i)
		return NULL;
	i->refs = 1;
	i->way = way;
	i->since_us = now_us;
	i->at = i->text;
	if (n_groups && !(i->group = calloc(n_groups, sizeof *i->group))) {
		free(i);
		return NULL;
	}
	i->who.n_groups = n_groups;
	i->who.account = keep(i, account);
	i->who.domain = keep(i, domain);
	i->who.realm = keep(i, realm);
	keep_name(i);
	keep_groups(i, g->groups, g->groups_bytes);
	return i;
}

struct identity *
identity_ref(struct identity *i)
{
	i->refs++;
	return i;
}

void
identity_unref(struct identity *i)
{
	if (!i || --i->refs)
		return;
	free(i->group);
	free(i->row);
	free(i);
}

/* --- what it says --- */

struct span
identity_name(const struct identity *i)
{
	return i->name;
}

enum auth_way
identity_way(const struct identity *i)
{
	return i->way;
}

uint64_t
identity_since_us(const struct identity *i)
{
	return i->since_us;
}

struct span
identity_groups(const struct identity *i)
{
	return i->group_names;
}

const uint64_t *
identity_row(struct identity *i, const struct snapshot *snap)
{
	size_t words;

	if (i->row && i->generation == snap->set->generation)
		return i->row;
	words = policy_row_words(snap->policy);
	if (!i->row || words > i->row_words) {
		uint64_t *row = realloc(i->row, (words ? words : 1) * sizeof *row);
		if (!row)
			return NULL;
		i->row = row;
		i->row_words = words;
	}
	i->generation = snap->set->generation;
	policy_user_row(snap->policy, &i->who, i->row);
	return i->row;
}
