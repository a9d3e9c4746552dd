/* SPDX-License-Identifier: MIT */
/*
 * block: how a compiled policy lies in the flat block, and the few steps that compile and decide must take alike.
 * Private to this room. Every piece is named by its offset from the block's start.
 *
 * Each condition but hosts is a "dimension". What a request says in one dimension falls into a class, and each class has a row: one bit for each
 * rule, set when the rule's condition holds there, or when the rule has no such condition. Hosts go the other way: a host look-up gives a number,
 * and for each number there is a short list of the rules for which that host makes a difference.
 */
#ifndef POSTERN_POLICY_BLOCK_H
#define POSTERN_POLICY_BLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/flat.h"
#include "policy/policy.h"

#define POLICY_MAGIC 0x31594c50u /* "PLY1" */

/* The conditions whose items are patterns, not numbers. */
enum side { SIDE_HOSTS, SIDE_CLIENTS, SIDE_ADDRESSES, SIDE_COUNT };

/* A rule for which a host makes a difference. Lists of them are in rule order and end with rule RULE_NONE. */
struct candidate {
	uint32_t rule;
	uint32_t prog; /* PROG_ALWAYS, PROG_NEVER, or 2 + index of a program */
};
#define PROG_ALWAYS 0
#define PROG_NEVER  1
#define PROG_FIRST  2

/* An owner is a list, or the plain or the negated items of one rule. A tag is what match/ is given for an owner's entries of one kind. */
struct block_tag {
	uint32_t owner;
	uint16_t port;    /* 0: any */
	uint8_t  scheme;  /* enum url_scheme; SCHEME_NONE: any */
	uint8_t  negated; /* entries of a list that take names out of it */
};
struct block_owner {
	struct flat_ref rules;        /* uint32_t, ascending: the rules that have a term of this owner */
	struct flat_ref list;         /* its name; n 0: it is a rule's own items */
	uint32_t        only_negated; /* holds when none of its entries does */
};

/* A term of a rule's condition: owner << 1 | negated. */

/* Who asks: users, and groups. A condition's names lie in one hash table, folded (match/fold); a name says for which rules it stands. */
enum people { PEOPLE_USERS, PEOPLE_GROUPS, PEOPLE_COUNT };

/* The word `computers` among the names: bytes that no name of a user has. */
#define NAME_COMPUTERS "\001c"

struct block_name {
	struct flat_ref text;
	struct flat_ref terms; /* uint32_t: rule << 1 | negated */
};
struct block_people {
	uint32_t        used;
	struct flat_ref names; /* block_name, each text once */
	struct flat_ref slots; /* uint32_t: index in names + 1, or 0; a power of two of them, probed one by one from name_slot */
	struct flat_ref globs; /* block_name */
	uint32_t        has;   /* row: rules with this condition */
	uint32_t        plain; /* row: those with an item that is not negated */
};

static inline uint32_t
name_slot(struct span name, uint32_t n_slots)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < name.n; i++)
		h = (h ^ (unsigned char)name.p[i]) * 0x100000001b3u;
	return (uint32_t)(h ^ h >> 32) & (n_slots - 1);
}

/* The conditions that user_row answers for. */
#define COND_PEOPLE (1u << COND_USERS | 1u << COND_GROUPS)
/* Those that are asked one rule after another, when all else of the rule holds (request.c). */
#define COND_READ (1u << COND_URL | 1u << COND_HEADERS | 1u << COND_CONTENT_TYPES | 1u << COND_ORIGIN_TLS | 1u << COND_ORIGIN_STRENGTH)
/* Those that are a dimension. */
#define COND_DIMS (~(COND_PEOPLE | COND_READ | 1u << COND_HOSTS))

/* One item of url, headers or content-types. */
struct block_test {
	struct flat_ref text;    /* headers: the field's name; content-types: "type/subtype" or "type/"; in lower case */
	uint32_t        regex;   /* url, headers: its number among the policy's texts + 1; 0: only whether the field is there */
	uint32_t        negated;
	uint32_t        line;    /* global: where it stands */
};
/* One item of origin-strength. */
struct block_bits {
	uint32_t first, last; /* both in */
	uint32_t negated;
};
/* What a rule asks of requests that can be read, of their answers and of their origin: the conditions of COND_READ. */
struct block_request {
	struct flat_ref tests[3]; /* block_test, by condition from COND_URL on */
	struct flat_ref bits;     /* block_bits */
	uint32_t        tls;      /* bit 0: holds for TLS 1.2, bit 1: for TLS 1.3 */
};
/* As struct rule_effects (policy.h). */
struct block_effects {
	struct flat_ref redirect, set_request, set_response, remove_request, remove_response;
};

/* In block_rule.has: some item of hosts is not negated, so that an entry can be why the rule holds. */
#define HAS_ENTRIES (1u << 31)

struct block_rule {
	struct flat_ref name, reason, where;
	uint8_t         action, guard, auth, report; /* auth: settled, REQUIRED or NONE */
	uint32_t        has; /* bit for each enum condition */
	struct flat_ref terms[SIDE_COUNT];
	uint32_t        request; /* block_request; 0: it has none of COND_READ */
	uint32_t        effects; /* block_effects; 0: none */
};

struct block_dim {
	uint32_t used;  /* does any rule have this condition? */
	uint32_t rows;  /* n_classes rows of `words` words */
	uint32_t n_classes;
	uint32_t where; /* number_map, or addr_set whose sets are the classes */
};

struct block_file {
	uint32_t        first; /* global number of its line 0 */
	struct flat_ref path;
};

struct policy_head {
	uint32_t         magic;
	uint32_t         n_rules;
	uint32_t         words; /* of a row: one bit for each rule */
	uint32_t         hosts; /* host_set */
	struct flat_ref  rules; /* block_rule */
	struct {
		struct flat_ref tags, owners;
	} side[SIDE_COUNT];
	uint32_t         base_bits; /* row: the base, rules whose host condition holds when no host pattern does */
	struct flat_ref  lists;     /* for each interned set of hosts: offset of its candidates */
	uint32_t         progs, n_progs, prog_words; /* a program: one bit for each place */
	uint32_t         places;    /* number_map of ports */
	struct block_dim dim[COND_COUNT];
	struct flat_ref  methods;   /* flat_ref of each method that some rule names; its number is index + 1 */
	struct flat_ref  files;     /* block_file, by `first` */
	uint32_t         n_listeners;
	struct block_people people[PEOPLE_COUNT];
	uint32_t         nobody;    /* row: rules whose users and groups hold for a request without credentials */
	uint32_t         texts, n_texts; /* regexes of url and headers, as match/pattern writes them */
	uint32_t         inspections;    /* struct rule_inspection, by rule */
	uint32_t         ways;           /* struct rule_way, by rule, and one more for RULE_NONE */
};

/* Numbers 0 .. 65535 to classes, in pages, equal pages kept once. */
struct number_map {
	uint16_t page[256];
	uint16_t class_of[][256];
};

static inline uint32_t
number_map_find(const struct number_map *m, uint32_t n)
{
	return m->class_of[m->page[n >> 8 & 255]][n & 255];
}

/* A place is what items such as https://x or x:8443 look at: port (those that some item names, 0 for all others) and scheme. */
static inline uint32_t
place_number(const struct number_map *ports, enum url_scheme scheme, uint16_t port)
{
	return number_map_find(ports, port) * 4 + ((uint32_t)scheme & 3);
}

static inline bool
bit_has(const uint64_t *row, uint32_t i)
{
	return row[i >> 6] >> (i & 63) & 1;
}

static inline void
bit_set(uint64_t *row, uint32_t i)
{
	row[i >> 6] |= (uint64_t)1 << (i & 63);
}

static inline bool
tag_applies(const struct block_tag *t, enum url_scheme scheme, uint16_t port)
{
	return (t->scheme == SCHEME_NONE || t->scheme == (uint8_t)scheme) && (t->port == 0 || t->port == port);
}

/* What is known of an owner while tags are being looked at. */
#define OWNER_PLAIN   1
#define OWNER_NEGATED 2

static inline void
owner_mark(uint8_t *on, const struct block_tag *t)
{
	on[t->owner] |= t->negated ? OWNER_NEGATED : OWNER_PLAIN;
}

static inline bool
owner_holds(const struct block_owner *o, uint8_t on)
{
	return ((on & OWNER_PLAIN) || o->only_negated) && !(on & OWNER_NEGATED);
}

/* A condition: one plain term must hold, if there is one, and no negated term may. */
static inline bool
terms_hold(const uint32_t *term, uint32_t n, const struct block_owner *owner, const uint8_t *on)
{
	bool held = false, asked = false;

	for (uint32_t i = 0; i < n; i++) {
		bool negated = term[i] & 1;
		asked |= !negated;
		if (!owner_holds(&owner[term[i] >> 1], on[term[i] >> 1]))
			continue;
		if (negated)
			return false;
		held = true;
	}
	return held || !asked;
}

#endif
