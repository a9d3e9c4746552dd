/* SPDX-License-Identifier: MIT */
/*
 * outline_lines: what the two files of an outline share: outline makes it, outline_diff compares two.
 */
#ifndef POSTERN_CONF_OUTLINE_LINES_H
#define POSTERN_CONF_OUTLINE_LINES_H

#include "conf/option.h"
#include "conf/outline.h"
#include "conf/outline_list.h"
#include "conf/store.h"

/* One section; all of one kind stand together, in the order of the file. */
struct outline_section {
	enum section_kind kind;
	char             *name, *where; /* owned */
	uint64_t         *digest;       /* owned; one for each row of the option table, 0 for those of other kinds */
	uint64_t         *entry;        /* owned; of a list: one for each entry */
	struct list_facts *facts;       /* owned; of a list */
	size_t            n_entries;
	uint64_t          sum;          /* of the entries', in any order */
	bool              sorted;       /* they are */
	enum action       action;       /* rule */
	uint32_t          slot;
};

struct outline {
	struct outline_section *v;
	size_t                  n;
};

#endif
