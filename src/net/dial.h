/* SPDX-License-Identifier: MIT */
/*
 * dial: connects to one of several addresses, racing families (RFC 8305 section 5: 250 ms between attempts, interleaved).
 * Gets addresses that were already judged; never looks a name up.
 */
#ifndef POSTERN_NET_DIAL_H
#define POSTERN_NET_DIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/fault.h"
#include "net/loop.h"

#define DIAL_ADDRS_MAX 8u /* most that are tried */

struct dial;

/* Where connections come from. A family without an address: wherever the system chooses. */
struct dial_source {
	bool        has[2]; /* IPv4, IPv6 */
	struct addr addr[2];
};

/* --- one address, by the caller's own watch ---
 * Three system calls and no memory. The caller watches the descriptor for WATCH_READ | WATCH_WRITE (and WATCH_CLOSED), edge-triggered as it
 * will need it for the connection anyway, sets its own deadline, and asks dial_outcome at the first event. */

/* socket, TCP_NODELAY, (with `from`) bind, connect: a descriptor, non-blocking and close-on-exec, that is connected or connecting; -1 and *fault.
 * CONNECT_FAILED when it cannot be bound to `from`, which may be null. */
int dial_now(const struct endpoint *to, const struct dial_source *from, enum fault *fault);
/* How the connecting that dial_now began has ended, by SO_ERROR: FAULT_NONE or why not. The descriptor stays the caller's either way. */
enum fault dial_finish(int fd);
/* The same for a first event `what` of such a watch. Costs no system call when the event alone proves success: a socket that failed is
 * always reported readable too (epoll's EPOLLERR and EPOLLHUP come out as both). */
static inline enum fault
dial_outcome(int fd, unsigned what)
{
	return what & (WATCH_READ | WATCH_CLOSED) ? dial_finish(fd) : FAULT_NONE;
}

/* --- several addresses --- */

/* fault FAULT_NONE: fd is connected, non-blocking, TCP_NODELAY set, and the callee's; no watch is on it. Else -1, and the most telling
 * fault of the first family tried (of the other, when this host has no way to the first at all). `to` is the address that answered, or the
 * last one that failed. */
typedef void dial_fn(void *arg, enum fault fault, int fd, const struct addr *to);

/* Start; n >= 1 addresses (copied, as is `from`, which may be null), of which DIAL_ADDRS_MAX are tried: the family of the first one first, then in turn. The callback comes
 * once, possibly from inside a later turn only, never from inside this call, unless cancelled. An attempt that fails is followed at once.
 * After timeout_ms: FAULT_CONNECT_TIMEOUT. NULL: out of memory. No more than one socket is open at a time for each attempt under way. */
struct dial *dial_start(struct loop *l, const struct addr *addrs, unsigned n, uint16_t port, const struct dial_source *from, uint64_t timeout_ms, dial_fn *done,
    void *arg);
void         dial_cancel(struct dial *d);

#endif
