/* SPDX-License-Identifier: MIT */
/*
 * fold: names of people and groups without regard to case, as directories compare them.
 * UTF-8; letters of Latin, Greek, Cyrillic and Armenian whose cases are one to one and of one length. Bytes that are no UTF-8 stay as they are.
 */
#ifndef POSTERN_MATCH_FOLD_H
#define POSTERN_MATCH_FOLD_H

#include "base/span.h"

/* `out` gets in.n bytes, no NUL; it may be where `in` lies. */
void name_fold(struct span in, char *out);

#endif
