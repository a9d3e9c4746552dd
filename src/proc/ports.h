/* SPDX-License-Identifier: MIT */
/*
 * ports: the listening sockets, made once by the parent and kept open by it: one for each worker and address (SO_REUSEPORT), so that what is queued
 * survives a worker; beside them the keys of those that speak TLS. Slots keep their place over reloads.
 */
#ifndef POSTERN_PROC_PORTS_H
#define POSTERN_PROC_PORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "conf/conf.h"
#include "ipc/shared.h"
#include "proc/keys.h"
#include "session/gateway.h"

struct port {
	bool            used;
	struct endpoint asked; /* as configured */
	struct endpoint bound; /* with the port that the kernel chose */
	uint16_t        index; /* of the listener in the configuration */
	int             fd[SHARED_WORKERS_MAX];
};

struct ports {
	uint32_t    n_workers;
	struct port slot[LISTENER_SLOTS];
	struct keys *keys; /* a reference: of listeners that speak TLS */
};

/* The sockets that `c` wants: those of `old` (null: none) that stay are shared, new ones are opened. NULL: every address that cannot be
 * opened is in `r`, and what was opened is closed again. */
struct ports *ports_open(const struct conf *c, const struct ports *old, uint32_t n_workers, struct report *r);
/* The same sockets once more, shared with `p`. NULL: out of memory. */
struct ports *ports_again(const struct ports *p);
/* Close those that `kept` (null: none) does not share, and free. */
void ports_free(struct ports *p, const struct ports *kept);
/* All bound addresses; returns how many were written, at most LISTENER_SLOTS. */
size_t ports_own(const struct ports *p, struct endpoint *out);

#endif
