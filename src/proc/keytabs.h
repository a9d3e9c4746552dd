/* SPDX-License-Identifier: MIT */
/*
 * keytabs: the keytabs of parents that want Negotiate, opened by the parent process and handed to the auth process that logs us on, as one bundle.
 * Reads none of them. One that cannot be opened is left out: its parent is not logged on to, and that is said.
 */
#ifndef POSTERN_PROC_KEYTABS_H
#define POSTERN_PROC_KEYTABS_H

#include <sys/stat.h>

#include "conf/conf.h"

struct keytab {
	char       *parent, *path; /* owned */
	struct stat seen;          /* when it was opened last */
};

struct keytabs {
	struct keytab *v; /* owned */
	size_t         n;
};

/* False: no memory. */
bool keytabs_init(struct keytabs *k, const struct conf *c);
void keytabs_clear(struct keytabs *k);
/* The bundle (auth/bundle); -1: none, and why was said. */
int keytabs_open(struct keytabs *k);
/* Has one of them changed since? */
bool keytabs_differ(const struct keytabs *k);

/* The same file with the same content, as far as stat tells? */
bool keytabs_same_file(const struct stat *a, const struct stat *b);

#endif
