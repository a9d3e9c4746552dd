/* SPDX-License-Identifier: MIT */
/*
 * build: what lies on the bench while a policy is compiled, and the steps in their order.
 * Private to compile and its steps: gather -> lint -> rows, hosts -> graves -> compile writes the block.
 * A step that runs out of memory sets `oom` and the rest is skipped; a step that finds something wrong says so in `report` and goes on.
 */
#ifndef POSTERN_POLICY_BUILD_H
#define POSTERN_POLICY_BUILD_H

#include "base/flat.h"
#include "conf/conf.h"
#include "match/addr_set.h"
#include "match/host_set.h"
#include "match/pattern.h"
#include "policy/block.h"
#include "policy/pool.h"
#include "policy/rule.h"

/* Distinct ports that host items may name (x:8443): each makes a place, and a program has a bit for each. */
#define BUILD_PORTS_MAX 1024

struct numbers {
	uint32_t *v;
	uint32_t  n;
	size_t    room;
};
bool numbers_add(struct numbers *s, uint32_t x);

struct owner {
	const struct conf_list *list; /* null: a rule's own items */
	uint32_t                n_plain, n_negated;
	bool                    loose_plain, loose_negated; /* globs and regexes among them */
	uint32_t                last_key, last_tag;         /* the tag of the entry before: most entries of an owner have the same */
	uint32_t                rules_at, n_rules;          /* in side->rules */
};

struct side_build {
	struct pool    tags; /* of struct block_tag */
	struct owner  *owner;
	uint32_t       n_owners;
	size_t         owner_room;
	struct numbers terms;
	struct {
		uint32_t at, n;
	} *rule_terms;              /* by rule, in terms */
	uint32_t      *list_owner;  /* by list; owner + 1 */
	struct numbers rules;       /* for each owner, the rules that name it */
};

struct list_use {
	const struct conf_list *list;
	const struct conf_rule *bypass; /* the first bypass rule that names it, without force */
	bool                    used;
};

/* One address entry, for lint: a set cannot tell which of its CIDRs were superfluous. */
struct cidr_entry {
	struct cidr cidr;
	uint32_t    tag;
	uint32_t    line; /* global */
};

struct cidr_entries {
	struct cidr_entry *v;
	size_t             n, room;
};

struct build {
	const struct conf       *conf;
	struct flat             *flat;
	struct report           *report;
	bool                     oom;
	uint32_t                 n_rules, n_lists, n_listeners, words;
	const struct conf_rule **rule;
	struct list_use         *list;
	uint32_t                *file_first; /* global line numbers: file_first[file] + line */
	uint32_t                *has;        /* by rule, bit for each enum condition */
	struct side_build        side[SIDE_COUNT];
	struct host_set_builder *hosts;
	struct addr_set_builder *addrs[SIDE_COUNT];
	struct cidr_entries      cidrs[SIDE_COUNT];
	struct stretches         numbers[COND_COUNT];
	struct pool              methods; /* number of a method: index + 1 */
	struct people_build {
		struct pool    names, globs; /* folded texts */
		struct numbers items;        /* in threes: glob?, index in that pool, term */
	} people[PEOPLE_COUNT];
	uint64_t                *nobody;  /* row: see struct policy_head */
	uint32_t                *request, *effects; /* by rule: offsets, as struct block_rule has them */
	struct rule_way         *ways;  /* by rule */
	struct texts_build {
		struct pool      spelled; /* each once; its number is that of the pattern */
		struct pattern **v;       /* owned, with what it points to */
		uint32_t         n;
		size_t           room;
	} texts;
	struct pool              ports;   /* that host items name; number: index + 1 */
	struct {
		struct pool rows; /* classes */
		uint32_t    where;
		bool        used;
	} dim[COND_COUNT];
	/* hosts */
	uint32_t    hosts_off, n_sets, prog_words;
	uint64_t   *base;     /* row */
	uint32_t   *set_list; /* by interned set; index in lists */
	struct pool lists;    /* of struct candidate runs */
	struct pool progs;
};

uint32_t build_line(const struct build *b, struct where at);
struct where build_where(const struct build *b, uint32_t line);
void     build_oom(struct build *b);

void gather(struct build *b);
void people_gather(struct build *b, uint32_t rule);
void people_write(struct build *b, struct policy_head *head);
/* request_gather: url, headers, content-types, origin-tls, origin-strength. */
void request_gather(struct build *b, uint32_t rule);
void request_write(struct build *b, struct policy_head *head);
void request_clear(struct build *b);
/* effects: redirect and what is done to header fields. */
void effects_gather(struct build *b, uint32_t rule);
void inspections_write(struct build *b, struct policy_head *head);
/* ways: parents, sources, limits. */
void ways_gather(struct build *b);
void ways_write(struct build *b, struct policy_head *head);
void rows_build(struct build *b);
void hosts_build(struct build *b);
void lint_lists(struct build *b);
void lint_requests(struct build *b);
void graves_find(struct build *b);
/* Does the rule's hosts condition name this term (owner << 1 | negated)? */
bool build_has_term(const struct build *b, uint32_t rule, uint32_t term);

/* Append the number_map of class_of[65536]; 0 on failure. */
uint32_t number_map_add(struct flat *f, const uint16_t *class_of);
/* Owners as the block has them, but for their rules: what terms_hold looks at. Heap; null: out of memory. */
struct block_owner *owners_flat(const struct side_build *s);

extern const enum condition side_condition[SIDE_COUNT];

#endif
