/* SPDX-License-Identifier: MIT */
/*
 * child: how a child process begins: exec'd from the parent's own binary, its channel on descriptor 3, the rest by message.
 */
#ifndef POSTERN_PROC_CHILD_H
#define POSTERN_PROC_CHILD_H

#include <stdbool.h>
#include <stdint.h>

#include "ipc/channel.h"
#include "ipc/shared.h"
#include "net/loop.h"

#define CHILD_CHANNEL 3

/* What MSG_START carries. */
struct start {
	uint32_t index; /* which worker; of an auth process: enum back_kind; PEER_SIGNER */
	uint32_t n_workers;
	uint32_t uid, gid;
	bool     drop_user;
	bool     jit;
	bool     has_ring;
	uint32_t deaths; /* of its predecessors, lately */
	bool     open; /* signer: its key is in a token */
	bool     alone; /* it shares nothing with the others; its own descriptor is all that comes with this */
};

struct child {
	struct loop   *loop;
	struct watch   watch; /* of the channel */
	struct start   start;
	struct shared *shared;
	int            wake_fd, ring_fd; /* -1: none */
	int            own_fd;  /* of one that is alone, which has no `shared`; -1: none */
	void         (*on_message)(void *arg, struct message *m); /* descriptors that it does not want stay in m and are closed */
	void         (*on_orphaned)(void *arg);                   /* the parent is gone */
	void          *arg;
};
/* Waits for MSG_START. False: said in the operations log. */
bool child_begin(struct child *c, const char *role);
/* Listen to the parent. */
bool child_listen(struct child *c);
/* Answer the parent; when that fails, it is as if the parent were gone. */
void child_say(enum message_type type, uint64_t number);
/* The same with a text. */
void child_tell(enum message_type type, uint64_t number, const char *text);
/* MSG_REFUSED, with the reason. */
void child_refuse(uint64_t number, const char *why);
void child_end(struct child *c);

#endif
