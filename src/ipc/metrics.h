/* SPDX-License-Identifier: MIT */
/*
 * metrics: counts that are kept by kind: times in buckets, and what each rule and listener did. Part of each worker's own shared memory: plain stores by one
 * writer; readers take what they see.
 */
#ifndef POSTERN_IPC_METRICS_H
#define POSTERN_IPC_METRICS_H

#include <stdint.h>

#include "ipc/slots.h"

enum histogram_kind { HISTOGRAM_RESOLVE, HISTOGRAM_CONNECT, HISTOGRAM_TLS, HISTOGRAM_REQUEST, HISTOGRAM_KINDS };
/* Upper bounds in milliseconds, in the order of the buckets; one more bucket takes what is beyond. */
#define HISTOGRAM_BOUNDS 16u
extern const uint32_t histogram_bound_ms[HISTOGRAM_BOUNDS];
struct histogram {
	uint64_t bucket[HISTOGRAM_BOUNDS + 1]; /* not cumulative */
	uint64_t sum_us;
};
void histogram_add(struct histogram *h, uint64_t us);

struct rule_counters {
	uint64_t requests;  /* ended, tunnels among them */
	uint64_t open;      /* under way */
	uint64_t bytes_in, bytes_out;
	uint64_t last_real_us; /* when one was decided last */
};

struct listener_counters {
	uint64_t accepted, refused, requests;
	uint64_t open;
};

#endif
