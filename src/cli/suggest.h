/* SPDX-License-Identifier: MIT */
/*
 * suggest: what its files share. suggest finds the evidence, suggest_remedy asks the rules what would have to be written where, suggest_print says it.
 * None of them writes to a file.
 */
#ifndef POSTERN_CLI_SUGGEST_H
#define POSTERN_CLI_SUGGEST_H

#include "conf/conf.h"
#include "ipc/evidence.h"
#include "parse/authority.h"
#include "policy/snapshot.h"

#define SUGGEST_ENTRY_MAX 300
#define SUGGEST_NAME_MAX  64

/* Where the lines go. */
enum remedy {
	REMEDY_NONE,      /* the rules let it through by now, or refuse it: nothing to add */
	REMEDY_SUFFIX,    /* nothing that could be said: its name is a public suffix */
	REMEDY_LIST_FILE, /* at the end of a list's file */
	REMEDY_LIST,      /* a further `host =` of a list */
	REMEDY_RULE,      /* a further `hosts =` of a bypass rule */
	REMEDY_NEW,       /* a list and a rule of their own, before the first that catches the host */
	REMEDY_NEW_LAST,  /* the same, at the end: no rule catches it */
};

struct suggestion {
	const struct evidence_row *row;
	struct authority           at;
	enum remedy                remedy;
	uint32_t                   rule; /* that decides on it now, or asks who it is; RULE_NONE */
	bool                       asks; /* that one has to know who it is */
	struct where               place; /* of what the lines are added to, or before which they go */
	struct span                name; /* of the list or rule that they are added to */
	unsigned                   block; /* which of the blocks of lines, from 0 */
	char                       entry[SUGGEST_ENTRY_MAX];
};

/* Lines that belong together in one place. */
struct suggest_block {
	enum remedy  remedy;
	bool         loop; /* REMEDY_NEW: for those that cannot log on */
	struct where place;
	struct span  name;
	char         fresh[SUGGEST_NAME_MAX]; /* REMEDY_NEW: what list and rule are called */
};

/* One entry for several hosts of one registrable domain. */
struct suggest_wildcard {
	char     entry[SUGGEST_ENTRY_MAX];
	unsigned hosts;
};

struct suggestions {
	const char             *file;
	const struct conf      *conf;
	const struct policy    *policy;
	bool                    json, from_logs;
	uint64_t                lines, skipped; /* of logs */
	struct suggestion       v[EVIDENCE_HOSTS];
	size_t                  n;
	struct suggest_block    block[EVIDENCE_HOSTS];
	unsigned                n_blocks;
	struct suggest_wildcard wildcard[EVIDENCE_HOSTS];
	unsigned                n_wildcards;
};

/* --- suggest_remedy --- */

/* Asks the rules about each of v[0 .. n), whose `row` is set; one that is no host is taken out. Fills in the rest. */
void suggest_find(struct suggestions *s);

/* --- suggest_print --- */

void suggest_print(const struct suggestions *s);
/* How many of them still have something to be added. */
size_t suggest_open(const struct suggestions *s);

/* --- suggest_ask --- */

/* The evidence of the running gateway, a row each; as many as were written to `out`. An exit code in *code: CLI_FINE, else it was said. */
size_t suggest_ask(const char *path, struct evidence_row out[EVIDENCE_HOSTS], int *code);

/* --- suggest_logs --- */

/* The evidence in these files goes to `e`. Lines that say too little are counted. An exit code; what is wrong was said. */
int suggest_read_logs(const char *const *path, size_t n, struct evidence *e, uint64_t *lines, uint64_t *skipped);

#endif
