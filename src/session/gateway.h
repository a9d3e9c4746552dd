/* SPDX-License-Identifier: MIT */
/*
 * gateway: what the sessions of one worker share, and the listeners that feed them.
 */
#ifndef POSTERN_SESSION_GATEWAY_H
#define POSTERN_SESSION_GATEWAY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "ipc/ring.h"
#include "ipc/shared.h"
#include "net/lane.h"
#include "net/loop.h"
#include "net/resolve.h"
#include "policy/snapshot.h"
#include "session/buf.h"
#include "session/origin.h"
#include "session/queue.h"
#include "session/throttle.h"
#include "tls/context.h"

#define LISTENER_SLOTS 256

#define SLOT_NONE      LISTENER_SLOTS /* of a session whose listener is gone */
#define LISTENER_NONE  UINT16_MAX

struct aia;
struct basic_cache;
struct desk;
struct health;
struct leaf_desk;
struct origin_memory;
struct session;
struct session_list;
struct tls_context;
struct tls_server;
struct unserved;

/* One listening socket. Slots keep their number over reloads; the snapshot's index may change. */
struct slot {
	struct gateway *gw;
	struct watch    watch;
	int             fd;    /* -1: none */
	uint16_t        index; /* in the snapshot's listeners */
};

struct gateway {
	struct loop            *loop;
	struct snapshot        *snap;
	struct resolver        *resolver;
	struct ring            *ring;
	struct shared          *shared;
	struct worker_counters *count; /* this worker's */
	uint32_t                worker;
	int                     wake_fd; /* the logger's eventfd */

	struct slot       slot[LISTENER_SLOTS];
	struct timer      resume; /* accepting again after a pause */
	bool              paused;
	bool              draining;
	void            (*on_drained)(void *arg);
	void             *arg;

	TAILQ_HEAD(, session) sessions;
	uint32_t           n_sessions;
	uint32_t           n_streams; /* of them, streams inside inspected tunnels: bounded there, not by max-connections */
	uint64_t           next_id;

	struct lane_pool   lanes;
	struct buf_pool    bufs;
	struct origin_pool origins;
	struct health     *health; /* owned; null: no snapshot had a parent yet, or no memory */
	uint64_t           passes_refused; /* bit for each parent of the snapshot in use that did not accept the token that it was shown last */
	uint64_t           parent_turn; /* whose turn it is, under round-robin */
	uint64_t           date_s; /* the second that `date` is of */
	char               date[40];
	struct desk        *desk;  /* owned by the worker; null: there is nobody to ask */
	struct basic_cache *basic; /* owned; null when memory was short */
	/* inspection; each may be missing, and then what is to be inspected is answered with a page */
	struct tls_context   *tls;      /* a reference: of this snapshot; null: nothing is inspected, or no memory */
	struct leaf_desk     *leaves;   /* owned by the worker; null: there is nobody to ask */
	struct origin_memory *verified; /* owned */
	struct aia           *aia;      /* owned */
	struct unserved      *unserved; /* owned; null: nothing of the kind was met, or no memory */
	uint8_t               ticket[TICKET_KEYS][TICKET_KEY_SIZE]; /* n_tickets of them: for the context to come */
	unsigned              n_tickets;
	struct tls_server    *server[LISTENER_SLOTS]; /* references, by listener of this snapshot; null: that speaks no TLS */
	char              *compose; /* where heads and pages are put together */
	size_t             compose_size;
	struct session_list *list; /* owned: being written for the parent; null: none is */
	struct throttle    throttle;
	struct queue       queue;
	uint64_t           refused_s; /* the second in which refusals were told to the log last, and how many */
	uint32_t           refused_n;
	struct loop_hook   end_of_turn;
};

bool gateway_init(struct gateway *gw, struct loop *loop, uint32_t worker);
void gateway_clear(struct gateway *gw);
/* Use this snapshot for every request that begins from now on; takes the caller's reference. False: could not (kept the old one). */
bool gateway_use(struct gateway *gw, struct snapshot *s);
/* Together with a snapshot: what its listeners speak TLS with; takes the caller's references. */
void gateway_use_servers(struct gateway *gw, struct tls_server *server[LISTENER_SLOTS]);
/* The keys of session tickets that all workers share, as a desk of leaves tells them (arg: the gateway). */
void gateway_on_tickets(void *arg, const uint8_t key[][TICKET_KEY_SIZE], unsigned n);
/* Accept on fd (owned from now on) for listener `index` of the snapshot. */
void gateway_listen(struct gateway *gw, uint32_t slot, int fd, uint16_t index);
/* No more: the listener is not in the configuration any more, and what it accepted belongs to none from now on. */
void gateway_remove(struct gateway *gw, uint32_t slot);
/* The index in the snapshot of the listener that accepted on this slot; LISTENER_NONE for SLOT_NONE. */
static inline uint16_t
gateway_listener(const struct gateway *gw, uint16_t slot)
{
	return slot == SLOT_NONE ? LISTENER_NONE : gw->slot[slot].index;
}
/* End the session in which this id is under way, with FAULT_KILLED. False: there is none. */
bool gateway_end(struct gateway *gw, uint64_t id);
/* Take no more; idle connections close now (gentle: after their keepalive-timeout, or one more request), the rest within the time given; then on_drained. */
void gateway_drain(struct gateway *gw, uint64_t within_ms, bool gentle);
/* A session ended. */
void gateway_forget(struct gateway *gw, struct session *s);
/* A Date field of now, with its CRLF. */
struct span gateway_date(struct gateway *gw);
/* May a client with this address use the listener of `slot`? Else *fault: FAULT_NONE: it is closed unread; another one: it hears why. Counts who may not. */
bool gateway_admits(struct gateway *gw, uint16_t slot, const struct addr *client, enum fault *fault);
/* The listener, in the snapshot in use; null: it is not in the configuration any more. */
const struct snapshot_listener *gateway_listener_row(const struct gateway *gw, uint16_t slot);
/* Tell the log that somebody may not use a listener, and him why, if he speaks plain HTTP; FAULT_NONE: nobody. Leaves closing to the caller. */
void gateway_turn_away(struct gateway *gw, uint16_t slot, int fd, const struct endpoint *peer, enum fault fault);

#endif
