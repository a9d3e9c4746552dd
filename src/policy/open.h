/* SPDX-License-Identifier: MIT */
/*
 * open: an opened policy, and one question laid out before its rules (a view). Private to policy and trace, so that the verdict and its
 * explanation come from the same rows.
 */
#ifndef POSTERN_POLICY_OPEN_H
#define POSTERN_POLICY_OPEN_H

#include "match/addr_set.h"
#include "match/host_set.h"
#include "match/pattern.h"
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
	struct pattern_set       *texts; /* owned; null: no rule looks at url or headers by regex */
	const uint64_t           *base_bits;
	const uint32_t           *lists;
	const uint64_t           *progs;
	const struct number_map  *places;
	const uint64_t           *nobody;
	uint16_t                 *place_port;           /* of those who read entries; owned: a port for each number of places */
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
	uint64_t         *held[2]; /* rows: by plain and by negated items, while who asks is looked at */
};

struct view {
	const struct candidate *own;             /* the host's list, from where the walk stands */
	const uint64_t         *row[COND_COUNT]; /* by place in `active`, then null; without addresses while they are unknown */
	unsigned                n_rows;
	bool                    has_address;
	uint32_t                place;
	struct host_hit         hit;
	uint64_t                given_up; /* regexes that hit their limit: whether they hold is not known */
	bool                    waits;    /* some rule waits for the response */
	bool                    may_pass; /* and one of those would let it through */
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
/* The rules for which this host makes a difference, RULE_NONE last; lives until the next call. */
const struct candidate *candidates_find(const struct policy *p, const struct host *host, enum url_scheme scheme, uint16_t port, struct host_hit *hit);
/* Does `rule` name this tag's owner as a plain term (or as a negated one)? A list's own negated entries speak against its plain ones. */
bool tag_concerns(const struct policy *p, enum side side, uint32_t rule, const struct block_tag *t, bool against);
/* The host was found by globs or regexes too: by one of those, if the verdict's rule holds by none of the names. */
void verdict_place_loose(const struct policy *p, const struct facts *f, const struct host_hit *hit, struct verdict *v);
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
enum settle { SETTLE_NEXT, SETTLE_REPORT, SETTLE_ADDRESS, SETTLE_USER, SETTLE_RESPONSE, SETTLE_DECIDE };

/* Does this condition of COND_READ hold? Adds to *given_up the regexes that hit their limit (and counted as no match). */
enum trace_state request_state(const struct policy *p, const struct facts *f, uint32_t rule, enum condition c, uint64_t *given_up);
/* All of those that the rule has: the first that fails, else UNKNOWN when one is. */
enum trace_state request_states(const struct policy *p, const struct facts *f, uint32_t rule, uint64_t *given_up);
/* The line of the item by which it holds (`against`: by which it fails). False: none, or another condition. */
bool request_origin(const struct policy *p, const struct facts *f, uint32_t rule, enum condition c, bool against, uint32_t *line);

/* Do users and groups hold? */
static inline enum trace_state
people_state(const struct policy *p, const struct facts *f, uint32_t rule)
{
	if (f->known & FACT_USER)
		return bit_has(f->user_row, rule) ? TRACE_HELD : TRACE_FAILED;
	return f->bare && bit_has(p->nobody, rule) ? TRACE_HELD : TRACE_UNKNOWN;
}

/* Nobody is asked who they are before everything else holds, addresses too; and where it is known that a rule does not mean them, no address is
 * looked up for it. The response comes last: nothing can be asked of the client any more when it is there. */
static inline enum settle
rule_settle_by(const struct policy *p, const struct facts *f, struct view *v, uint32_t rule, bool reads)
{
	const struct block_rule *r = &p->rules[rule];
	bool                     no_address = !v->has_address && (r->has >> COND_ADDRESSES & 1);
	enum trace_state         who = r->has & COND_PEOPLE ? people_state(p, f, rule) : TRACE_HELD, read = TRACE_HELD;

	if (who == TRACE_FAILED)
		return SETTLE_NEXT;
	if (reads)
		read = request_states(p, f, rule, &v->given_up);
	if (read == TRACE_FAILED)
		return SETTLE_NEXT;
	if (r->report)
		return no_address || who == TRACE_UNKNOWN || read == TRACE_UNKNOWN ? SETTLE_NEXT : SETTLE_REPORT;
	if (no_address)
		return SETTLE_ADDRESS;
	if (who == TRACE_UNKNOWN || (r->auth == AUTH_REQUIRED && !(f->known & FACT_USER)))
		return SETTLE_USER;
	return read == TRACE_UNKNOWN ? SETTLE_RESPONSE : SETTLE_DECIDE;
}

/* The same for a rule with conditions of COND_READ. Apart, so that rules without them do not pay for it. */
enum settle rule_settle_read(const struct policy *p, const struct facts *f, struct view *v, uint32_t rule);

static inline enum settle
rule_settle(const struct policy *p, const struct facts *f, struct view *v, uint32_t rule)
{
	return p->rules[rule].has & COND_READ ? rule_settle_read(p, f, v, rule) : rule_settle_by(p, f, v, rule, false);
}

/* A rule waits for the response: the next ones say what happens when it turns out not to hold. */
static inline void
view_wait(const struct policy *p, struct view *v, uint32_t rule)
{
	v->waits = true;
	v->may_pass |= p->rules[rule].action != ACTION_DENY;
}

/* The answer once a verdict is there. What would be refused whatever the response is, is not sent. */
static inline enum policy_answer
view_answer(const struct view *view, const struct verdict *v)
{
	return view->waits && (view->may_pass || v->action != ACTION_DENY) ? POLICY_NEED_RESPONSE : POLICY_VERDICT;
}

/* Clear the bits of rules whose `users` (or whose `groups`) do not hold for this person. */
void people_narrow(const struct policy *p, enum people which, const struct who *who, uint64_t *row);

void verdict_init(struct verdict *v);
void verdict_report(struct verdict *v, uint32_t rule);
void verdict_decide(const struct policy *p, struct verdict *v, uint32_t rule);

#endif
