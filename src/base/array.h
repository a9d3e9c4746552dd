/* SPDX-License-Identifier: MIT */
/*
 * array: one that grows as it is filled, to twice its length each time.
 */
#ifndef POSTERN_BASE_ARRAY_H
#define POSTERN_BASE_ARRAY_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* Room for one more: `old` has *room places of `size` bytes, of which n are taken. The array, perhaps in another place now. NULL: no memory, and nothing
 * has changed. */
static inline void *
array_grow(void *old, size_t n, size_t *room, size_t size)
{
	size_t more = *room ? *room * 2 : 64;
	void  *made;

	if (n < *room)
		return old;
	made = more > SIZE_MAX / 2 / size ? NULL : realloc(old, more * size);
	if (made)
		*room = more;
	return made;
}

#endif
