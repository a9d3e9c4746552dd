/* SPDX-License-Identifier: MIT */
/*
 * office: one back end at work: a bounded queue of asks, a pool of threads that check, a deadline for each ask, lock-out protection before, a circuit
 * breaker around. Knows no sockets: proc/authd brings the asks and carries the answers away.
 * Always true: each ask that was taken is answered once, at its deadline at the latest, though a thread may still be stuck with it; the loop's thread
 * never waits for a thread (but in office_free).
 */
#ifndef POSTERN_AUTH_OFFICE_H
#define POSTERN_AUTH_OFFICE_H

#include "auth/back.h"
#include "ipc/shared.h"
#include "net/loop.h"

struct office;

#define OFFICE_HELD_MAX    1024u       /* asks in the tarpit; more are refused as limited */
#define OFFICE_BYTES_MAX   (64u << 20) /* of all asks: tokens may be long */

struct office_config {
	const struct back_ops *ops;
	enum back_kind         kind;
	struct shared_auth    *shared;
	/* `from` and `id` as they came. The answer lives until it returns. May come from within office_ask. */
	void (*answer)(void *arg, uint32_t from, uint64_t id, const struct answer *a);
	/* What office_find_names found; null: nothing. May be null itself. */
	void (*names)(void *arg, const struct ntlm_names *names);
	void  *arg;
};

/* Starts the threads. NULL: no memory, no threads. */
struct office *office_new(struct loop *loop, const struct office_config *c);
/* Waits for what is in the back end; what waits is forgotten, unanswered. A process that ends rather exits, when office_is_busy. */
void office_free(struct office *o);
bool office_is_busy(const struct office *o); /* a thread is in the back end */
bool office_is_idle(const struct office *o); /* nobody waits for an answer */

/* Opens the back end anew; asks under way end with the one before. False: `why`; the one before stays in use, if there is one. */
bool office_open(struct office *o, const struct snapshot *snap, int fd, char why[BACK_WHY_MAX]);
bool office_is_open(const struct office *o);
/* Has the back end say the names for challenges, in a thread, since it may block; `names` of the config hears of them. False: not now. */
bool office_find_names(struct office *o);

/* One packet of auth/wire from a worker; copied. False: damaged. */
bool office_ask(struct office *o, uint32_t from, const void *packet, size_t n);

#endif
