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
	MSG_START,    /* parent: struct start_message in data; descriptors: see proc/child.h */
	MSG_RING,     /* parent to logger: number = worker; descriptor: its ring */
	MSG_LISTENER, /* parent to worker: number = slot; descriptor: a listening socket */
	MSG_UNLISTEN, /* parent to worker: number = slot: close it */
	MSG_SNAPSHOT, /* parent: number = generation; descriptor: the block */
	MSG_GO,       /* parent: all is there; number = generation */
	MSG_READY,    /* child: takes work under snapshot `number` */
	MSG_REFUSED,  /* child: could not use snapshot `number` */
	MSG_DRAIN,    /* parent: take no more, finish within `number` ms */
	MSG_REOPEN    /* parent to logger */
};

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
