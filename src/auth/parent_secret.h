/* SPDX-License-Identifier: MIT */
/*
 * parent_secret: what we say to a proxy behind us that wants Basic (RFC 7617): one line user:password of a file, as a field's value.
 * Always true: nothing of it stays in memory but in `out`, which its owner wipes.
 */
#ifndef POSTERN_AUTH_PARENT_SECRET_H
#define POSTERN_AUTH_PARENT_SECRET_H

#include <stdbool.h>

#include "policy/snapshot.h"

/* The file is read from its beginning, whoever read it before. False: `*why` (static text) says what is wrong with it. */
bool parent_secret_read(int fd, struct snapshot_secret *out, const char **why);

/* The files of a configuration, each that is there and closed to others, which conf has seen to: reports those that say nothing of use. */
void parent_secret_check(const struct conf *c, struct report *r);

#endif
