/* SPDX-License-Identifier: MIT */
/*
 * origin_memory: profiles of origins that were verified not long ago, by name, port and ground (snapshot and rule), so that a client can be answered before
 * its origin is connected. Bounded; the oldest goes first. One for each worker.
 */
#ifndef POSTERN_TLS_ORIGIN_MEMORY_H
#define POSTERN_TLS_ORIGIN_MEMORY_H

#include "tls/profile.h"

#define ORIGIN_MEMORY_US (UINT64_C(600) * 1000000)

struct origin_memory;
struct origin_memory *origin_memory_new(uint32_t most);
void                  origin_memory_free(struct origin_memory *m);
/* A reference, or null: not known, or too old. Only profiles that were found good are remembered. */
struct profile *origin_memory_find(struct origin_memory *m, struct span host, uint16_t port, uint64_t ground, uint64_t now_us);
void            origin_memory_keep(struct origin_memory *m, struct span host, uint16_t port, uint64_t ground, struct profile *p);
/* It failed: not to be believed any longer. */
void            origin_memory_drop(struct origin_memory *m, struct span host, uint16_t port, uint64_t ground);

#endif
