/* SPDX-License-Identifier: MIT */
/*
 * ports: the listening sockets, made once by the parent and kept open by it: one for each worker and address (SO_REUSEPORT), so that what is queued
 * survives a worker; of a UNIX socket, and of one that systemd passed, one for all workers; beside them the keys of listeners that speak TLS. Slots keep
 * their place over reloads.
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
#include "proc/secrets.h"
#include "session/gateway.h"

struct port {
	bool            used;
	struct endpoint asked; /* as configured */
	struct endpoint bound; /* with the port that the kernel chose */
	char            path[UNIX_PATH_MOST]; /* of a UNIX socket; "": it has an address */
	uint64_t        dev, ino; /* of that file, which goes with the socket; 0: it is somebody else's */
	uint32_t        mode; /* of that file */
	bool            has_file; /* of an earlier parent's UNIX socket: the file becomes ours when that one is gone */
	uint16_t        index; /* of the listener in the configuration */
	int             fd[SHARED_WORKERS_MAX]; /* some or all may be the same */
};

struct ports {
	uint32_t    n_workers;
	struct secrets *secrets; /* a reference: files that workers need beside the sockets */
	struct port slot[LISTENER_SLOTS];
	struct keys *keys; /* a reference: of listeners that speak TLS */
};

/* Take over the listening sockets that systemd passed (sd_listen_fds(3)): ports_open uses them where their address is configured. They stay open until the end,
 * so that what comes between two runs of this program waits in systemd's copy. Once, at the start. */
void ports_take_passed(void);
/* A warning for each of them that `c` has no use for. */
void ports_name_unused(const struct conf *c, struct report *r);
/* The place of a port for people: "192.0.2.1:3128", "unix:/run/postern/proxy.sock". */
#define PORT_TEXT_MAX (UNIX_PATH_MOST + 8)
void port_print(const struct port *p, char text[PORT_TEXT_MAX]);
/* The sockets that `c` wants: those of `old` (null: none) that stay are shared, new ones are opened. NULL: every address that cannot be
 * opened is in `r`, and what was opened is closed again. */
struct ports *ports_open(const struct conf *c, const struct ports *old, uint32_t n_workers, struct report *r);
/* The same sockets once more, shared with `p`. NULL: out of memory. */
struct ports *ports_again(const struct ports *p);
/* They are in use: files of UNIX sockets that are ours get their modes. */
void ports_use(const struct ports *p);
/* Close those that `kept` (null: none) does not share, and free. */
void ports_free(struct ports *p, const struct ports *kept);
/* All bound addresses, without UNIX sockets; returns how many were written, at most LISTENER_SLOTS. */
size_t ports_own(const struct ports *p, struct endpoint *out);

#endif
