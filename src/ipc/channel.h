/* SPDX-License-Identifier: MIT */
/*
 * channel: short messages with descriptors between the parent and one child, over a SOCK_SEQPACKET pair.
 * Each message is one packet: a type, a number, some bytes, some descriptors. Neither side trusts lengths.
 */
#ifndef POSTERN_IPC_CHANNEL_H
#define POSTERN_IPC_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum message_type {
	MSG_START,    /* parent: a struct start in data; descriptors: shared counters, the logger's eventfd, the worker's ring; to the doctor: its board */
	MSG_RING,     /* parent to logger: descriptor: the ring of worker `number` */
	MSG_LISTENER, /* parent to worker: slot `number` belongs to the snapshot to come, as its listener data[0..1]; descriptor: the socket, when
	               * it is a new one. Slots that are not named before MSG_SNAPSHOT are closed with MSG_GO. */
	MSG_SNAPSHOT, /* parent: prepare snapshot `number`; descriptor: the block; to the signer with one byte of data: say no if you cannot serve it */
	MSG_PREPARED, /* child: snapshot `number` can be used */
	MSG_REFUSED,  /* child: it cannot; data: why, for a person (signer); a worker when it is a listener's key or certificate: data[0..1] that listener, then why */
	MSG_GO,       /* parent: use snapshot `number` from now on */
	MSG_FORGET,   /* parent: drop what was prepared */
	MSG_APPLIED,  /* child: done */
	MSG_DRAIN,    /* parent: take no more, finish within `number` ms, exit; with one byte of data: idle connections may still ask once */
	MSG_PEER,     /* parent: descriptor: the way to auth process `number`, or for PEER_SIGNER to the signer (to a worker), or to worker `number` (to one of these);
	               * these: the way to worker `number` has ended, another one is needed */
	MSG_FILE,     /* parent to auth or signer: descriptor: its file of users or keys, newly opened; to the doctor, before MSG_SNAPSHOT: its plan; to admin: the
	               * doctor's board, to be read */
	MSG_ALIVE,    /* parent: is your loop turning? child: it is (proc/pulse) */
	MSG_KEY,      /* parent to worker, before MSG_SNAPSHOT: descriptor: the private key of TLS for listener `number` of the snapshot to come */
	MSG_CREDENTIALS, /* parent to worker or doctor, before MSG_SNAPSHOT: descriptor: the file of credentials for [parent] `number` of the snapshot to come */
	MSG_SESSIONS, /* parent to worker: write what is under way to the memfd (as session/list says), in slices; worker: done, `number` as asked */
	MSG_REOPEN,   /* parent to logger: open all files anew; logger: `number` of them could not be, data: the first one */
	MSG_HITS,     /* parent to worker, before MSG_SNAPSHOT: descriptor: where it counts the entries of snapshot `number` that decide (ipc/hits) */
	MSG_END,      /* parent to worker: end the session that `number` is under way in (as session/list names it); worker: done, data[0] says whether there was one;
	               * data of both: 4 bytes that tell whose question it is */
	MSG_DONE,     /* doctor: run `number` is over, and what it found stands on the board */
	MSG_LET_GO    /* worker: descriptor: a block that it does not map any more; the parent holds it a while, so that nobody who carries traffic is the last */
};

#define PEER_SIGNER BACK_KINDS /* beyond enum back_kind (conf/conf.h) */

#define CHANNEL_DATA_MAX 1024
#define CHANNEL_FDS_MAX  4

struct message {
	uint32_t type;
	uint32_t n; /* bytes of data */
	uint64_t number;
	unsigned n_fds;
	int      fd[CHANNEL_FDS_MAX]; /* received ones are the receiver's to close */
	char     data[CHANNEL_DATA_MAX];
};

/* Two connected ends, close-on-exec, non-blocking. */
bool channel_open(int end[2]);
/* False with errno: EAGAIN when the other side does not read, EPIPE when it is gone. */
bool channel_send(int fd, const struct message *m);
enum channel_answer { CHANNEL_GOT, CHANNEL_EMPTY, CHANNEL_GONE };
enum channel_answer channel_receive(int fd, struct message *m);
/* Close the descriptors of a message that nobody wants. */
void message_drop(struct message *m);

#endif
