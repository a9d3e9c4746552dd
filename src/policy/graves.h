/* SPDX-License-Identifier: MIT */
/*
 * graves: what the search for rules that never decide keeps, shared by graves.c, where one rule buries another, and graves_deep.c, which looks longer, for
 * `check`: at people, at what is read of requests, and at several rules that bury one together.
 */
#ifndef POSTERN_POLICY_GRAVES_H
#define POSTERN_POLICY_GRAVES_H

#include "policy/build.h"

/* What each rule's fellows are, while dead ones are looked for. */
struct graves {
	struct build *b;
	uint64_t     *cover;  /* for each rule a row: rules whose host condition holds wherever its own does */
	uint64_t     *always; /* row: rules whose host condition holds everywhere */
	uint64_t     *here;   /* row: rules that hold for the host set at hand */
	bool         *seen;   /* by rule: some host set lets it hold */
	uint64_t     *dead;   /* row: the answer for one rule */
	uint64_t     *all[COND_COUNT]; /* row: rules whose condition of this dimension holds everywhere */
	uint8_t      *met[COND_COUNT]; /* by class of this dimension: a request can bring it */
	uint64_t      steps;           /* taken to find hosts that several rules bury together */
};

/* Keep in row only the rules that hold, in dimension `cond`, wherever `rule` does. False: `rule` holds nowhere. */
bool graves_narrow(const struct graves *g, enum condition cond, uint32_t rule, uint64_t *row);
/* Does the host condition of `wide` hold wherever that of `rule` does? */
bool graves_hosts(const struct graves *g, uint32_t wide, uint32_t rule);

/* Does a single program of places, or PROG_ALWAYS, hold wherever another one does? */
bool graves_prog_within(const struct build *b, uint32_t narrow, uint32_t wide);
/* Globs and regexes are in no list: may some of this rule's (loose: plain ones) let it hold, (veto) make it fail, unseen? */
bool graves_is_loose(const struct build *b, uint32_t rule, bool veto);

/* Does `wide` mean everybody whom `rule` means? By the words of their users and groups. */
bool graves_people(const struct build *b, uint32_t wide, uint32_t rule);
/* Does what `wide` reads of requests hold wherever that of `rule` does? By the words. */
bool graves_read(const struct build *b, uint32_t wide, uint32_t rule);
/* Rules before `rule` that together hold wherever it does, differing in one condition: up to two of them, and that condition. False: none are found. */
bool graves_together(struct graves *g, uint32_t rule, uint32_t by[2], enum condition *cond);

#endif
