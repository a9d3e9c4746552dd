/* SPDX-License-Identifier: MIT */
/*
 * shared: what each worker counts, in memory that all processes map and that outlives the worker.
 * Each worker writes its own part only, with plain stores; readers take what they see. Made by the parent.
 */
#ifndef POSTERN_IPC_SHARED_H
#define POSTERN_IPC_SHARED_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/fault.h"
#include "conf/conf.h"
#include "ipc/census.h"
#include "ipc/evidence.h"
#include "ipc/failures.h"
#include "ipc/limits.h"
#include "ipc/metrics.h"
#include "ipc/names.h"
#include "ipc/parents.h"
#include "ipc/slots.h"
#include "ipc/top.h"

#define SHARED_WORKERS_MAX 128
#define TALLY_SLOTS        8192u /* for each of the two hashes; power of two */

struct worker_counters {
	uint64_t accepted;       /* client connections */
	uint64_t refused_unread; /* not among the listener's clients */
	uint64_t refused_limit;  /* over max-connections-per-client */
	uint64_t requests;       /* ended, of any kind */
	uint64_t tunnels;
	uint64_t bytes_in, bytes_out;
	uint64_t guard_closed, guard_reported;
	uint64_t accept_pauses;  /* out of descriptors, or at max-connections */
	uint64_t open;           /* client connections now */
	uint64_t tunnels_open;   /* tunnels now */
	uint64_t ring_written;   /* bytes of log records handed to the ring, in all; see logger_stats.ring_taken */
	uint64_t by_action[4];   /* enum action */
	uint64_t by_fault[FAULT_COUNT];
	uint64_t failed[4][FAILURE_KINDS]; /* requests that were decided, by enum action, and ended in one of these */
	uint64_t auth_asked, auth_cached; /* errands to auth processes; Basic passwords known already */
	uint64_t inspected, leaves_asked, leaves_cached, origins_remembered; /* tunnels whose TLS was taken up; leaves had of the signer, and of the cache; tunnels answered before their origin */
	uint64_t queued;         /* requests that wait for their turn now */
	uint64_t queued_total, queue_timeouts;
	uint64_t throttled_us;   /* that sessions waited for bandwidth, all together */
};

/* Connections of each client, counted twice under two hashes; the smaller count is the answer: never too low, seldom too high. */
struct tally {
	uint32_t count[2][TALLY_SLOTS];
};

/* The logger's; only added to, so it outlives a logger that dies. */
struct logger_stats {
	_Atomic uint64_t lines, bytes; /* written, over all logs */
	_Atomic uint64_t dropped;      /* lines that a log in trouble had no memory for */
	_Atomic uint64_t ring_dropped; /* records that found their ring full, or damaged */
	_Atomic uint64_t errors;       /* failed opens and writes */
	_Atomic uint64_t ring_taken[SHARED_WORKERS_MAX]; /* of each worker's ring_written */
};

/* Of one auth process; only added to, so it outlives one that dies. */
struct auth_stats {
	_Atomic uint64_t asked, ok, refused, bad, limited, unavailable;
	_Atomic uint64_t dropped; /* the queue was full, or the asker had gone */
	_Atomic uint64_t busy_us; /* in the back end */
	_Atomic uint32_t is_down; /* the breaker is open */
};

struct shared_auth {
	_Atomic uint32_t    epoch[BACK_KINDS]; /* goes up when the file of users changed: what was remembered of before is void */
	_Atomic uint64_t    file[BACK_KINDS];  /* a digest of which file that is, so that a new process knows whether it has changed; 0: none yet */
	struct shared_names names;
	struct auth_stats   stats[BACK_KINDS];
	struct failures     failed;  /* log-ons, by user and client, and by user */
	struct failures     refused; /* Basic passwords, by user and password */
};

/* The signer's; only added to, so it outlives one that dies. */
struct signer_stats {
	_Atomic uint64_t asked, minted, cached, refused;
};

struct shared_worker {
	_Alignas(4096) struct worker_counters counters;
	struct histogram          time[HISTOGRAM_KINDS];
	struct listener_counters  listener[LISTENER_COUNTS];
	_Alignas(4096) struct rule_counters rule[RULE_SLOTS];
	_Alignas(4096) struct tally tally;
	_Alignas(64) struct limits_worker limits;
};

struct shared {
	uint32_t n_workers;
	uint64_t tally_key;
	uint8_t  consent_key[32]; /* of the cookies that say that somebody goes on to a bad origin; whichever worker takes the next request */
	_Alignas(64) struct logger_stats logger;
	_Alignas(64) struct signer_stats signer;
	_Alignas(64) struct census census;
	_Alignas(64) struct slots slots;
	_Alignas(64) struct parents parents;
	_Alignas(64) struct limits limits;
	_Alignas(64) struct shared_auth auth;
	_Alignas(64) struct shared_top hosts; /* the logger's */
	_Alignas(64) struct shared_top clients; /* likewise */
	_Alignas(64) struct shared_evidence evidence; /* likewise; of hosts that clients cannot use as they are treated */
	struct shared_worker worker[];
};

int            shared_create(uint32_t n_workers); /* memfd; -1 with errno */
struct shared *shared_open(int fd);
void           shared_close(struct shared *s);

/* A worker that starts forgets what its predecessor had open. */
void shared_worker_reset(struct shared *s, uint32_t worker);
void tally_add(struct shared *s, uint32_t worker, const struct addr *client);
void tally_remove(struct shared *s, uint32_t worker, const struct addr *client);
/* Connections of this client, over all workers. */
uint32_t tally_count(const struct shared *s, const struct addr *client);
/* One more request or tunnel under this rule slot, if there are fewer than `most` over all workers. Two workers that try for the last place at once may both be
 * told no; never both yes. */
bool shared_hold(struct shared *s, uint32_t worker, uint32_t slot, uint32_t most);
void shared_release(struct shared *s, uint32_t worker, uint32_t slot);
/* Sessions of all workers that wait for this rule slot's bandwidth. */
uint32_t shared_waiting(const struct shared *s, uint32_t slot);

#endif
