/* SPDX-License-Identifier: MIT */
/*
 * open: an opened policy, and one question laid out before its rules (a view). Private to policy and trace, so that the verdict and its
 * explanation come from the same rows.
 */
#ifndef POSTERN_POLICY_OPEN_H
#define POSTERN_POLICY_OPEN_H

#include "match/addr_set.h"
#include "match/host_set.h"
#include "policy/block.h"

/* All conditions but hosts, folded to one row, for one combination of classes. Requests come in few such combinations, so some are kept: what a
 * decision costs then does not grow with the rules that look at no host. */
struct fold {
	const uint64_t *key[COND_COUNT]; /* the rows that were folded, then null */
	bool            used;
	uint64_t       *bits;
	uint32_t       *base; /* rules of the base (block.h) that hold here, RULE_NONE last */
};

#define FOLDS 32 /* a power of two */

struct policy {
	const char               *block; /* borrowed */
	const struct policy_head *head;
	const struct block_rule  *rules;
	struct host_set          *hosts; /* owned */
	const uint64_t           *base_bits;
	const uint32_t           *lists;
	const uint64_t           *progs;
	const struct number_map  *places;
	unsigned                  n_active;             /* dimensions that some rule looks at, addresses last */
	enum condition            active[COND_COUNT];
	/* scratch; one caller at a time */
	struct fold      *folds; /* FOLDS */
	uint64_t         *fold_bits;
	uint32_t         *fold_base;
	/* for names that globs or regexes match */
	uint32_t         *loose;
	uint8_t          *on;      /* by owner of hosts; all zero between calls */
	uint64_t         *touched; /* row; all zero between calls */
	struct candidate *merged;
};

struct view {
	const struct candidate *own;             /* the host's list, from where the walk stands */
	const uint64_t         *row[COND_COUNT]; /* by place in `active`, then null; without addresses while they are unknown */
	unsigned                n_rows;
	bool                    has_address;
	uint32_t                place;
	uint64_t                given_up; /* regexes that hit their limit: whether they hold for the host is not known */
};

static inline const void *
policy_at(const struct policy *p, uint32_t off)
{
	return p->block + off;
}

static inline bool
prog_holds(const struct policy *p, uint32_t prog, uint32_t place)
{
	if (prog < PROG_FIRST)
		return prog == PROG_ALWAYS;
	return bit_has(p->progs + (size_t)(prog - PROG_FIRST) * p->head->prog_words, place);
}

void view_init(const struct policy *p, const struct facts *f, struct view *v);
/* The rules for which this host makes a difference, RULE_NONE last; lives until the next call. *given_up: see struct view. */
const struct candidate *candidates_find(const struct policy *p, const struct host *host, enum url_scheme scheme, uint16_t port, uint64_t *given_up);
/* `v` is the verdict with every regex that gave up taken for one that does not hold: is it the same when it holds? */
bool verdict_is_sure(const struct policy *p, const struct facts *f, const struct verdict *v, enum policy_answer answer, uint64_t given_up);

/* Does the host's list, walked in rule order from *own, let `rule` hold? Moves *own to it. */
static inline bool
candidates_hold(const struct policy *p, const struct candidate **own, uint32_t rule, uint32_t place)
{
	while ((*own)->rule < rule)
		++*own;
	return (*own)->rule == rule ? prog_holds(p, (*own)->prog, place) : bit_has(p->base_bits, rule);
}

/* What to do with a rule all of whose known conditions hold. */
enum settle { SETTLE_NEXT, SETTLE_REPORT, SETTLE_ADDRESS, SETTLE_DECIDE };

static inline enum settle
rule_settle(const struct policy *p, const struct view *v, uint32_t rule)
{
	bool unknown = !v->has_address && (p->rules[rule].has >> COND_ADDRESSES & 1);

	if (p->rules[rule].report)
		return unknown ? SETTLE_NEXT : SETTLE_REPORT;
	return unknown ? SETTLE_ADDRESS : SETTLE_DECIDE;
}

void verdict_init(struct verdict *v);
void verdict_report(struct verdict *v, uint32_t rule);
void verdict_decide(const struct policy *p, struct verdict *v, uint32_t rule);

#endif
