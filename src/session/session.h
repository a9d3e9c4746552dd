/* SPDX-License-Identifier: MIT */
/*
 * session: one client connection, from accept to the last log line.
 * Owns its sockets, its request and its deadline. session_move is the only writer of the state, session_finish the only exit; memory goes at
 * the end of the loop turn.
 */
#ifndef POSTERN_SESSION_SESSION_H
#define POSTERN_SESSION_SESSION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "audit/record.h"
#include "net/dial.h"
#include "net/lane.h"
#include "net/loop.h"
#include "net/resolve.h"
#include "parse/authority.h"
#include "parse/body.h"
#include "parse/head.h"
#include "policy/snapshot.h"
#include "session/buf.h"
#include "session/gateway.h"
#include "session/origin.h"

enum session_state {
	SESSION_ACCEPTED,
	SESSION_HEAD,    /* reading a request head, or idle between two */
	SESSION_GATE,    /* policy has the word */
	SESSION_LOOKUP,  /* errand: the target's addresses */
	SESSION_DIAL,    /* connecting */
	SESSION_FORWARD, /* a plain request and its response pass */
	SESSION_REPLY,   /* an answer of our own is on its way out */
	SESSION_PEEK,    /* reading the ClientHello */
	SESSION_TUNNEL,
	SESSION_LINGER,  /* all is said; reading until the client leaves */
	SESSION_DONE,
	SESSION_STATES
};

#define TARGET_ADDRS 8

/* One request under way. Lives from its first byte to its log line, or to the start of its tunnel. */
struct request {
	struct snapshot *snap; /* a reference; null until the head is complete */
	uint16_t         listener; /* index in snap, or LISTENER_NONE */
	uint64_t         id, start_us;
	uint64_t         bytes_in, bytes_out;

	struct buf       text; /* the bytes of the head */
	struct head      head; /* points into them */
	struct authority at;
	struct url       url;
	bool             is_connect;
	bool             has_target; /* at is set */
	bool             has_hops; /* TRACE or OPTIONS: hops is how many more may pass it on (RFC 9110 7.6.2) */
	uint32_t         hops;
	bool             reported_only; /* run --report-only let it pass */
	struct facts     facts;
	struct verdict   verdict;
	bool             has_verdict;

	/* errands */
	struct resolve_job *job;
	struct resolved    *resolved; /* a reference */
	struct dial        *dial;
	struct addr         addr[TARGET_ADDRS]; /* judged and found good */
	unsigned            n_addr;
	uint64_t            errand_us; /* when the errand began */

	/* plain requests */
	struct body   body;      /* the request's */
	struct body   back;      /* the response's */
	struct buf    back_in;   /* response head, while it is incomplete */
	size_t        back_seen;
	struct head   back_head; /* points into back_in: only while it is being forwarded */
	uint8_t       back_minor;
	bool          sent_whole; /* the request is with the origin */
	bool          replied;    /* the final response head is with the client */
	bool          back_whole; /* the response is with the client */
	bool          back_keep;  /* the origin's connection can be used again */
	bool          decode;     /* chunked response to an HTTP/1.0 client */
	bool          pinned;     /* connection-bound authentication was seen: the origin stays with this client */
	bool          retried;
	bool          used_body; /* body bytes have left `in`: the request cannot be sent again */

	/* for the record */
	enum fault       fault;
	uint16_t         status;
	struct addr      to;
	bool             has_to;
	enum guard_word  guard;
	uint32_t         resolve_ms, connect_ms, first_byte_ms;
	char             content_type[96];
	uint8_t          n_content_type;
	struct host      sni; /* n 0: none seen */
	char             alpn[64];
	bool             ech;
	uint64_t         peeked_us; /* when the ClientHello was last looked at */
};

/* RFC 9110 7.6.2: the last hop that a TRACE or OPTIONS may make answers itself. */
static inline bool
request_ends_here(const struct request *r)
{
	return r->has_hops && r->hops == 0;
}

/* What the log line of a tunnel needs, kept small while it lives. */
struct memo;

struct session {
	struct grave         grave;
	TAILQ_ENTRY(session) link;
	struct gateway      *gw;
	struct side          client;
	struct origin       *origin; /* owned; null: none */
	struct timer         timer;  /* the deadline of the state */
	struct lane          up, down; /* tunnel; for plain requests only their outboxes */
	struct buf           in;       /* from the client, not used yet */
	struct request      *req;      /* owned; null: none under way */
	struct memo         *memo;     /* owned; tunnels only */
	uint64_t             id;
	uint64_t             active_us; /* last time that something moved */
	uint64_t             memo_idle_ms; /* tunnel: its idle-timeout */
	struct endpoint      peer;
	uint32_t             head_seen; /* bytes of `in` that were no whole head */
	uint16_t             slot;
	uint8_t              state;
	bool                 keep;       /* the client's connection stays after this request */
	bool                 eof;        /* the client will send no more */
	bool                 counted;    /* in the tally */
	bool                 settled;    /* tunnel: keepalive is on */
	uint64_t             lingered;   /* bytes read in vain */
};

/* --- session.c: life --- */
void session_accept(struct gateway *gw, struct slot *slot, int fd, const struct endpoint *peer);
/* Go to `next`: checks the edge, arms the deadline. */
void session_move(struct session *s, enum session_state next);
/* Change the deadline of the state at hand. */
void session_deadline(struct session *s, uint64_t ms);
/* The end, from any state: cancels errands, writes the log line of what was under way, closes, and forgets. */
void session_finish(struct session *s, enum fault fault);
void session_on_origin(struct session *s, unsigned what);
/* Drain: idle connections go at once. */
void session_drain(struct session *s);
struct request *request_new(struct session *s);
void request_free(struct session *s);
void session_cancel_errands(struct session *s);
/* The request is done with and the client's connection stays: on to the next one. */
void session_next_request(struct session *s);
/* The origin is not needed any more. */
void session_drop_origin(struct session *s);

/* --- the steps, in order; each ends by moving on, waiting, or finishing, so callers return at once --- */
void head_read(struct session *s);    /* head.c */
void gate_enter(struct session *s);   /* gate.c: a head is complete */
void gate_decide(struct session *s);  /* gate.c: ask policy with the facts at hand */
void reach_begin(struct session *s);  /* reach.c: policy said yes: pool, look-up, judging of addresses */
void reach_lookup(struct session *s); /* reach.c: for gate: the addresses are needed */
void reach_on_origin(struct session *s, unsigned what);
void reply_established(struct session *s);                   /* reply.c: 200 to CONNECT */
void reply_fault(struct session *s, enum fault fault);       /* reply.c: an error page, then on or away */
void reply_continue(struct session *s);                      /* the client's socket takes more */
void reply_trace(struct session *s);                         /* Max-Forwards ran out */
void linger_begin(struct session *s);                        /* reply.c */
void linger_read(struct session *s);
void forward_begin(struct session *s);                       /* forward.c: origin is connected */
void forward_on_client(struct session *s);
void forward_on_origin(struct session *s);
void forward_on_timeout(struct session *s);
void forward_request_failed(struct session *s, enum fault f); /* the client's body is at fault */
bool forward_sees_bound_auth(const struct head *h, enum field_id id); /* NTLM or Negotiate in this field */
void response_read(struct session *s);                       /* response.c */
void forward_done(struct session *s);                        /* both ways are through */
void forward_origin_failed(struct session *s, enum fault f); /* before, or while, the response came */
void peek_begin(struct session *s);                          /* peek.c */
void peek_pump(struct session *s); /* either socket has something to say */
void peek_on_timeout(struct session *s);
void tunnel_begin(struct session *s);                        /* tunnel.c */
void tunnel_on_client(struct session *s, unsigned what);
void tunnel_on_origin(struct session *s, unsigned what);
void tunnel_on_timeout(struct session *s);

/* --- record.c: the log line --- */
void record_request(struct session *s, enum fault fault); /* of s->req */
struct memo *memo_new(struct session *s);                 /* of s->req, at the start of its tunnel */
void memo_record(struct session *s, enum fault fault);
void memo_free(struct memo *m);
uint64_t memo_start_us(const struct memo *m);


#endif
