/* SPDX-License-Identifier: MIT */
/*
 * lint: what a configuration says that its writer hardly means, and what would harm devices that nobody sees. For `postern check` alone: a start reports
 * what conf/ and policy/ find on their way, which is never repeated here.
 * Claims nothing that is not so: what hangs on the rules is asked of the compiled policy, with the facts that a request would bring.
 * Always true: `c` is as it was afterwards.
 */
#ifndef POSTERN_LINT_LINT_H
#define POSTERN_LINT_LINT_H

#include "conf/conf.h"

/* Adds findings to `r`. `block`: what snapshot_build gave for `c`; -1: nothing, then only what can be seen without rules is looked at. */
void lint_check(struct conf *c, int block, struct report *r);

#endif
