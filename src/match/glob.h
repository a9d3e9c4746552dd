/* SPDX-License-Identifier: MIT */
/* glob: a name with '*' inside; each '*' stands for any bytes, dots too, or none. Private to match/. */
#ifndef POSTERN_MATCH_GLOB_H
#define POSTERN_MATCH_GLOB_H

#include "base/span.h"

/* Does the whole name match? Never goes back over a '*': cost at most the product of both lengths, whatever stands in them. */
bool glob_matches(struct span glob, struct span name);

#endif
