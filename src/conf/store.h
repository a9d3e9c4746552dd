/* SPDX-License-Identifier: MIT */
/*
 * store: the memory of a struct conf. Texts lie in blocks that live as long as it does; arrays grow by doubling.
 */
#ifndef POSTERN_CONF_STORE_H
#define POSTERN_CONF_STORE_H

#include "conf/conf.h"

/* A NUL-terminated copy that lives as long as `c`. NULL: out of memory. */
char *conf_keep(struct conf *c, struct span s);
/* Zeroed, aligned for any struct; the same life. */
void *conf_alloc(struct conf *c, size_t n);
/* The path of `name` as seen from the file `base`: itself when absolute, else beside it. NULL: out of memory. */
char *conf_path(struct conf *c, const char *base, struct span name);
/* Add a row to conf.files; `path` must be kept by `c`. False: out of memory. */
bool conf_file_add(struct conf *c, char *path, uint32_t *index);

/* Room for `more` elements of `size` bytes behind the `n` that are there. The room is always the next power of two, so that it need not be kept
 * beside n. False: out of memory, *v unchanged. */
bool array_grow(void **v, size_t n, size_t more, size_t size);
/* Append one element to a { v, n } array. */
#define ARRAY_ADD(a, e) (array_grow((void **)&(a)->v, (a)->n, 1, sizeof *(a)->v) && ((a)->v[(a)->n++] = (e), true))

#endif
