/* SPDX-License-Identifier: MIT */
/*
 * count: what a worker counts by rule, by listener and in buckets of time (ipc/metrics.h), in its own part of the shared memory.
 * Plain stores: no lock, no allocation, no call. The totals of struct worker_counters are written where things happen.
 */
#ifndef POSTERN_SESSION_COUNT_H
#define POSTERN_SESSION_COUNT_H

#include <stdint.h>

#include "audit/record.h"
#include "session/gateway.h"

struct request;

/* The number of the listener that accepted on this slot. */
uint16_t count_listener(const struct gateway *gw, uint16_t slot);
/* The verdict is final: the rule's requests under way are one more. */
void count_decided(struct gateway *gw, struct request *r);
/* They are one less; `open_at` is the request's, or of the memo that took its place: 0 when it is not among them. */
void count_ended(struct gateway *gw, uint16_t *open_at);
/* A line's worth of work is done, under this rule and listener. */
void count_line(struct gateway *gw, const struct record *rec, uint16_t rule, uint16_t listener);
void count_time(struct gateway *gw, enum histogram_kind kind, uint64_t us);

static inline struct listener_counters *
count_of_listener(struct gateway *gw, uint16_t listener)
{
	return &gw->shared->worker[gw->worker].listener[listener];
}

#endif
