/* SPDX-License-Identifier: MIT */
/*
 * inject: what its files share. inject.c: the calls of the C library and of the smaller libraries; inject_tls.c: OpenSSL and nghttp2.
 */
#ifndef POSTERN_FAULTS_INJECT_H
#define POSTERN_FAULTS_INJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

extern char __executable_start[], etext[];

/* The variant that this call is to fail with; -1: let it do its work. */
int inject_fails(const char *function, unsigned variants, const void *site);

/* The same for memory that a library asks for while the program waits in it. `path` is how the library came there: each pair of a site and a path is
 * written down once. */
bool inject_fails_within(const char *library, const void *site, uint32_t path);
/* Whether such a place is of interest at all: finding it takes longer than the allocation. */
bool inject_asks_within(const char *library);

/* From inject.c's constructor, before anything is allocated. */
void inject_tls_begin(void);

#define SITE __builtin_return_address(0)

/* A function of a library that says what is wrong itself. */
#define SAYS(ret, name, params, args, bad)                                           \
	ret __real_##name params;                                                    \
	ret __wrap_##name params;                                                    \
	ret __wrap_##name params                                                     \
	{                                                                            \
		return inject_fails(#name, 1, SITE) < 0 ? __real_##name args : (bad); \
	}

#endif
