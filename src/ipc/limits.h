/* SPDX-License-Identifier: MIT */
/*
 * limits: how much rules and clients have taken lately, and how many requests each rule has under way, in shared memory for all workers.
 * No lock and no system call. A bucket is one word: the time at which what was taken is paid for at its rate; so a rate may change at any time, a bucket that
 * nobody uses needs no care, and what a worker that dies had taken is paid for all the same.
 * Who waits for what is session's.
 */
#ifndef POSTERN_IPC_LIMITS_H
#define POSTERN_IPC_LIMITS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "ipc/slots.h"

#define BUCKET_BURST_NS   UINT64_C(200000000) /* so much may have been saved up: a fifth of a second's worth */
#define BUCKET_RATE_MOST  (UINT64_C(16) << 30)
#define BUCKET_TAKE_MOST  (UINT64_C(1) << 30)
#define CLIENT_SETS       4096u /* a power of two */
#define CLIENT_WAYS       4u

struct bucket {
	_Alignas(64) _Atomic uint64_t paid_ns; /* CLOCK_MONOTONIC */
};

struct client_bucket {
	_Atomic uint64_t tag; /* of whom; 0: free */
	_Atomic uint64_t paid_ns;
};

struct limits {
	uint64_t             key; /* random: nobody outside can tell whose bucket lies where */
	struct bucket        rule[RULE_SLOTS];
	_Alignas(64) struct client_bucket client[CLIENT_SETS][CLIENT_WAYS];
};

/* Each worker's own part: one writer, plain sums over all workers. */
struct limits_worker {
	_Atomic uint32_t busy[RULE_SLOTS];    /* requests and tunnels under way, of rules with max-connections */
	_Atomic uint32_t waiting[RULE_SLOTS]; /* sessions that wait for bytes of this rule's bandwidth */
};

/* Up to `want` bytes at `rate` bytes a second; 0: not even a 50th of a second's worth is there (or `want`, if that is less). */
uint64_t bucket_take(_Atomic uint64_t *paid_ns, uint64_t rate, uint64_t want, uint64_t now_ns);
/* Bytes that were taken and not used. */
void bucket_give(_Atomic uint64_t *paid_ns, uint64_t rate, uint64_t n);
/* Bytes that have moved already, whether they were there or not. */
void bucket_charge(_Atomic uint64_t *paid_ns, uint64_t rate, uint64_t n, uint64_t now_ns);
/* Bytes that are there. */
uint64_t bucket_level(const _Atomic uint64_t *paid_ns, uint64_t rate, uint64_t now_ns);
/* The least that is handed out, when more is wanted. */
uint64_t bucket_least(uint64_t rate);

/* The bucket of this client under rule slot `under` (RULE_SLOTS: under any), at `rate`. When all places for it are taken, that of whoever has least to pay
 * is given up. *number: small, to count by. */
_Atomic uint64_t *limits_client(struct limits *l, uint32_t under, const struct addr *client, uint64_t now_ns, uint32_t *number);

#endif
