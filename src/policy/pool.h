/* SPDX-License-Identifier: MIT */
/* pool: keeps equal blobs of bytes once and numbers them in order of arrival. Heap; used while a policy is compiled. */
#ifndef POSTERN_POLICY_POOL_H
#define POSTERN_POLICY_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pool {
	char  *bytes; /* all blobs, one after the other; owned */
	size_t used, room;
	struct pool_blob {
		size_t   off, n;
		uint64_t hash;
	} *v;
	uint32_t  n;
	size_t    v_room;
	uint32_t *slot; /* index + 1; 0: free */
	uint32_t  mask;
};

void pool_clear(struct pool *p);
/* Number of the blob equal to these bytes, which is added when there is none. False: out of memory. */
bool pool_intern(struct pool *p, const void *data, size_t n, uint32_t *index);
/* Add a blob although its equal may be there already; not to be mixed with pool_intern in one pool. */
bool pool_append(struct pool *p, const void *data, size_t n, uint32_t *index);

#endif
