/* SPDX-License-Identifier: MIT */
/*
 * built: a configuration as the parent would build it, for commands that ask it what would become of requests.
 */
#ifndef POSTERN_CLI_BUILT_H
#define POSTERN_CLI_BUILT_H

#include "conf/conf.h"
#include "policy/snapshot.h"

struct built {
	struct conf     *c;
	struct snapshot *s;
};

/* False: said on stderr why not; nothing is to be closed. */
bool built_open(struct built *b, const char *path);
void built_close(struct built *b);

#endif
