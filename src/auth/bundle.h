/* SPDX-License-Identifier: MIT */
/*
 * bundle: several files as one memory file, each under a name: how the keytabs of all parents travel by one descriptor.
 * Whoever makes a bundle has the kernel copy the files, and reads none of them.
 */
#ifndef POSTERN_AUTH_BUNDLE_H
#define POSTERN_AUTH_BUNDLE_H

#include <stdbool.h>

#include "base/span.h"

#define BUNDLE_FILE_MAX (1u << 20)

/* Each -1 or false with errno. */
int  bundle_new(void);
bool bundle_add(int bundle, struct span name, int fd); /* `fd` stays the caller's */
/* A memory file with what was added under this name; its owner closes it. ENOENT: nothing was. EBADMSG: no bundle. */
int  bundle_find(int bundle, struct span name);

#endif
