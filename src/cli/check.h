/* SPDX-License-Identifier: MIT */
/* check: what `postern check` looks at beyond what a start does. */
#ifndef POSTERN_CLI_CHECK_H
#define POSTERN_CLI_CHECK_H

#include "conf/conf.h"

/* Reads the CA's key and those of listeners, and reports each that cannot be used or is another certificate's. */
void check_keys(const struct conf *c, struct report *r);

#endif
