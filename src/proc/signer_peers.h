/* SPDX-License-Identifier: MIT */
/*
 * signer_peers: the signer's sockets to the workers: what they are told, and their asks one after the other. What is told and answered is the signer's.
 * Always true: one ask of a worker at a time, then the next one's; an answer that the worker does not take is kept, and no other ask of it is read.
 */
#ifndef POSTERN_PROC_SIGNER_PEERS_H
#define POSTERN_PROC_SIGNER_PEERS_H

#include <stdbool.h>
#include <stdint.h>

#include "ipc/channel.h"
#include "net/loop.h"
#include "tls/leaf_wire.h"

struct signer_peers;
struct signer_peer;

struct signer_peer_ops {
	/* LEAF_HELLO and LEAF_TICKETS. 0: nothing to say now, or no memory; it stays owed. */
	size_t (*hello)(void *arg, uint8_t *out, size_t room);
	size_t (*tickets)(void *arg, uint8_t *out, size_t room);
	/* A packet of a worker, to be answered before this returns, if at all. */
	void (*ask)(void *arg, struct signer_peer *p, struct span packet);
};

struct signer_peers *signer_peers_new(struct loop *loop, const struct signer_peer_ops *ops, void *arg);
void                 signer_peers_free(struct signer_peers *s);
/* MSG_PEER: the socket to a worker, who is told everything. */
void signer_peers_take(struct signer_peers *s, struct message *m);
/* All workers are to be told. */
void     signer_peers_owe(struct signer_peers *s, bool hello, bool tickets);
void     signer_peer_answer(struct signer_peer *p, const struct leaf_made *m);
uint32_t signer_peer_number(const struct signer_peer *p);

#endif
