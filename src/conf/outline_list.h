/* SPDX-License-Identifier: MIT */
/*
 * outline_list: what an outline keeps of one list: what it holds, where it is from, how old it is, and which rules name it. Texts are copies.
 * Private to outline.
 */
#ifndef POSTERN_CONF_OUTLINE_LIST_H
#define POSTERN_CONF_OUTLINE_LIST_H

#include "conf/outline.h"

struct list_facts {
	struct outline_list       told; /* its name and where: the section's */
	struct outline_list_file *file; /* owned, and its texts */
	char                     *source, *rules; /* owned */
};

/* NULL: out of memory. */
struct list_facts *list_facts_new(const struct conf *c, const struct conf_list *l);
void               list_facts_free(struct list_facts *f);

#endif
