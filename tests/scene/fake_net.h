/* SPDX-License-Identifier: MIT */
/*
 * fake_net: a net/ without a network and a clock that only the script moves. Stands in for net/loop, sock, resolve, dial, listener, base/clock and
 * ipc/ring; lane and outbox are the real ones.
 * Sockets behave as Linux's do under an edge-triggered watch: an event comes when something new happened and tells all that holds by then; data
 * that came before a reset can still be read; room makes an event only after a write came up short.
 * Whatever the gateway does wrong with these interfaces (uses what it closed, closes what it watches, cancels twice) makes the scene fail.
 */
#ifndef POSTERN_TESTS_FAKE_NET_H
#define POSTERN_TESTS_FAKE_NET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "audit/record.h"
#include "base/addr.h"
#include "base/fault.h"
#include "base/span.h"
#include "net/loop.h"

/* Something that the loop will hand out in its next turn, in the order of queueing. */
struct happening {
	TAILQ_ENTRY(happening) link;
	void (*fn)(void *arg);
	void *arg;
	bool  queued;
};

struct inside;

struct bytes {
	char  *p; /* owned */
	size_t at, n, room;
};
void bytes_add(struct bytes *b, struct span s);
static inline struct span
bytes_left(const struct bytes *b)
{
	return span_of(b->p ? b->p + b->at : NULL, b->n - b->at);
}

enum fake_kind { FAKE_CLIENT, FAKE_ORIGIN, FAKE_LISTENER };

struct fake_sock {
	TAILQ_ENTRY(fake_sock) link;
	struct happening event;
	enum fake_kind   kind;
	char             name[16];
	int              fd;
	struct endpoint  peer;
	struct endpoint  original; /* where a transparent client was going; port 0: nobody can tell */
	struct watch    *watch; /* the gateway's; null: none */
	struct inside   *inside; /* owned until it is accepted: the tunnel in which the client is; null: none */
	bool             level;
	bool             connecting;
	enum fault       outcome; /* of the connecting */
	/* to the gateway */
	struct bytes in;
	bool         in_end; /* FIN */
	int          error;  /* pending */
	bool         dead;   /* a reset came */
	/* from the gateway */
	struct bytes out;
	size_t       window;  /* bytes that the peer still takes; SIZE_MAX: all */
	bool         full;    /* a write came up short */
	bool         limited; /* ever */
	bool         accepted, ended, closed, reset, keepalive;
	uint64_t     n_read, n_written;
};

struct fake_record {
	TAILQ_ENTRY(fake_record) link;
	size_t n;
	_Alignas(8) char bytes[];
};

TAILQ_HEAD(fake_socks, fake_sock);
TAILQ_HEAD(fake_records, fake_record);

struct fake {
	uint64_t          now_us;
	uint64_t          turns;
	struct fake_socks socks;
	unsigned          n_clients, n_origins;
	int               accept_errno; /* 0: accepting works */
	enum fault        dial_fault;   /* of the next dial_now, at once */
	bool              log_full;
	struct fake_records records;
	uint64_t          n_records, sum_in, sum_out; /* over all records */
	volatile bool     may_fail; /* allocations; true while the gateway runs (volatile: compilers think that malloc reads no variable of ours) */
	unsigned          alloc_at, n_allocs; /* the allocation of the gateway that fails (0: none); how many there were */
	unsigned          alloc_next; /* alloc_at of the scene to come */
	uintptr_t         stack_base, stack_least;    /* addresses: how deep callbacks went */
	struct bytes      errands; /* what the gateway asked of the net, one line each */
	char              wrong[512]; /* the first breach of a promise; "" none */
};
extern struct fake fake;

void fake_begin(void);
/* Everything must have been given back; says what was not in fake.wrong. Frees all. */
void fake_end(struct loop *l);
void fake_wrong(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void fake_errand(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void happening_queue(struct happening *h);
void happening_drop(struct happening *h);

/* Turns until nothing is left to do. */
void fake_settle(struct loop *l);
/* Let time pass, stopping at each deadline on the way. */
void fake_advance(struct loop *l, uint64_t ms);
bool fake_timers_left(struct loop *l);

/* --- what the script does to sockets --- */
struct fake_sock *fake_listener(void);
struct fake_sock *fake_client(const char *name, const struct endpoint *from, int listener);
struct fake_sock *fake_find(const char *name); /* the youngest of that name */
void fake_send(struct fake_sock *s, struct span bytes);
void fake_finish(struct fake_sock *s); /* FIN */
void fake_reset(struct fake_sock *s);
void fake_take(struct fake_sock *s, size_t n); /* so many bytes more; SIZE_MAX: all from now on */

/* --- to errands; false: there is none such --- */
bool fake_answer(const char *name, const struct addr *a, unsigned n, enum fault fault); /* name null: the oldest look-up */
void fake_know(const char *name, const struct addr *a, unsigned n, enum fault fault);
bool fake_dialled(const struct addr *to, enum fault fault); /* the oldest; to null: its first address */
bool fake_errands_left(void);
void fake_errands_clear(void);

/* In fake_net.c, for the others. */
void fake_unwatch(const struct watch *w);
/* Memory for the fakes themselves; never fails. */
void *fake_alloc(void *p, size_t n);
struct fake_sock *fake_origin(const struct endpoint *to, bool connecting);

#endif
