/* SPDX-License-Identifier: MIT */
/*
 * dial: connects to one of several addresses, racing families (RFC 8305 section 5: 250 ms between attempts, interleaved).
 * Gets addresses that were already judged; never looks a name up.
 */
#ifndef POSTERN_NET_DIAL_H
#define POSTERN_NET_DIAL_H

#include <stdint.h>

#include "base/addr.h"
#include "base/fault.h"
#include "net/loop.h"

struct dial;

/* fault FAULT_NONE: fd is connected, non-blocking, TCP_NODELAY set, and the callee's; else -1. `to` is the address that answered, or the
 * last one that failed. */
typedef void dial_fn(void *arg, enum fault fault, int fd, const struct addr *to);

/* Start; n >= 1 addresses (copied). The callback comes once, possibly from inside a later turn only, never from inside this call, unless cancelled.
 * After timeout_ms: FAULT_CONNECT_TIMEOUT. NULL: out of memory. No more than one socket is open at a time for each attempt under way. */
struct dial *dial_start(struct loop *l, const struct addr *addrs, unsigned n, uint16_t port, uint64_t timeout_ms, dial_fn *done, void *arg);
void dial_cancel(struct dial *d);

#endif
