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
#include "auth/handshake.h"
#include "auth/identity.h"
#include "net/dial.h"
#include "net/lane.h"
#include "net/loop.h"
#include "net/resolve.h"
#include "parse/authority.h"
#include "parse/body.h"
#include "parse/head.h"
#include "parse/hello.h"
#include "policy/snapshot.h"
#include "session/buf.h"
#include "session/gateway.h"
#include "session/inside.h"
#include "session/origin.h"
#include "tls/aia.h"
#include "tls/end.h"
#include "tls/leaf.h"

enum session_state {
	SESSION_ACCEPTED,
	SESSION_GREET,   /* before any request: a PROXY header, or what tells a transparent connection's target */
	SESSION_HEAD,    /* reading a request head, or idle between two */
	SESSION_GATE,    /* policy has the word */
	SESSION_LOOKUP,  /* errand: the target's addresses */
	SESSION_AUTH,    /* errand: who asks */
	SESSION_QUEUE,   /* waiting for its turn, in front of a limit */
	SESSION_DIAL,    /* connecting */
	SESSION_PARENT,  /* connected to a parent: asking it to CONNECT */
	SESSION_FORWARD, /* a plain request and its response pass */
	SESSION_REPLY,   /* an answer of our own is on its way out */
	SESSION_DRAIN,   /* it is out; the rest of the request's body is read in vain */
	SESSION_PEEK,    /* reading the ClientHello */
	SESSION_ORIGIN_TLS, /* handshake with the origin, and what its certificate is worth */
	SESSION_LEAF,    /* errand: the signer, whether it is there, or for a certificate */
	SESSION_CLIENT_TLS, /* handshake with the client */
	SESSION_FRONT,   /* HTTP/2: each of its streams is a session of its own */
	SESSION_TUNNEL,
	SESSION_LINGER,  /* all is said; reading until the client leaves */
	SESSION_DONE,
	SESSION_STATES
};

#define TARGET_ADDRS 8

/* Of an inspected CONNECT, while its tunnel is not taken up yet (inspect.h). */
struct inspection;
struct front;
/* TLS to the proxy itself (listener_tls.h). */
struct outer;

/* What a URL says beside its authority; spans point into the head. */
struct target {
	enum url_scheme scheme;
	struct span     path, query;
	bool            has_query;
};

/* A log-on under way, and what the log says of it. */
struct logon;

/* One request under way. Lives from its first byte to its log line, or to the start of its tunnel. */
struct request {
	struct snapshot *snap; /* a reference; null until the head is complete */
	uint16_t         listener; /* index in snap, or LISTENER_NONE */
	uint64_t         id, start_us;
	uint64_t         bytes_in, bytes_out;
	uint16_t         rule_slot; /* the number that its rule counts under; 0: no rule's */
	uint16_t         open_at;   /* the same and one, while it is among the rule's requests under way; 0: it is not */

	struct buf       text; /* the bytes of the head */
	struct head      head; /* points into them */
	struct authority at;
	struct target    url;
	bool             is_connect;
	bool             sniffed;    /* a CONNECT that was never sent: it stands for a transparent connection, whose client waits for no answer */
	bool             to_original; /* connected to where the client meant, not to what the name resolves to */
	bool             has_target; /* at is set */
	bool             has_hops; /* TRACE or OPTIONS: hops is how many more may pass it on (RFC 9110 7.6.2) */
	uint32_t         hops;
	bool             reported_only; /* run --report-only let it pass */
	char            *url_text; /* owned: the URL as the rules see it; null: no request that can be read */
	struct facts     facts;
	struct verdict   verdict;
	bool             has_verdict;
	bool             needs_response; /* it is provisional: the response's type may change it */

	/* errands */
	struct resolve_job *job;
	struct resolved    *resolved; /* a reference */
	struct dial        *dial;
	struct addr         addr[TARGET_ADDRS]; /* judged and found good; of the parent, where it goes through one */
	unsigned            n_addr;
	uint64_t            errand_us; /* when the errand began */

	/* the way out (way.h) */
	uint16_t            parent;    /* through the snapshot's parent of this index, less one; 0: none */
	uint8_t             parent_at; /* its place among the rule's */
	uint8_t             tried;     /* bit for each of the rule's that could not be reached */
	bool                straight;  /* all are down, and it goes to the origin itself */
	bool                no_pass;   /* one of them wanted a token that could not be had */
	uint32_t            n_pass;
	char               *pass;      /* owned: what that parent is shown next (pass.h); null: nothing, or what stands in a file */
	struct desk_job    *pass_job;

	/* TLS with the origin, then, of an inspected CONNECT, with the client */
	struct tls_end     *shake;    /* owned: a handshake, until the side that it is for carries it; null: none */
	struct tls_context *tls;      /* a reference: what the origin's began under */
	const char         *wants;    /* where a missing issuer is fetched from; lives as long as shake */
	struct aia_job     *fetch;
	unsigned            fetches;
	struct leaf_job    *leaf_job;
	struct inspection  *inspection; /* owned; null: no ClientHello was read */

	/* who asks */
	struct logon    *logon;    /* owned; null: no credentials were read */
	struct identity *identity; /* a reference; null: not known, or nobody asked */
	bool             expired;  /* the connection's identity holds no longer */

	/* plain requests */
	struct body   body;      /* the request's */
	struct body   back;      /* the response's */
	struct buf    back_in;   /* response head, while it is incomplete */
	size_t        back_seen;
	bool          sent_whole; /* the request is with the origin */
	bool          replied;    /* the final response head is with the client */
	bool          back_whole; /* the response is with the client */
	bool          back_keep;  /* the origin's connection can be used again */
	bool          decode;     /* chunked response to an HTTP/1.0 client */
	bool          pinned;     /* connection-bound authentication was seen: the origin stays with this client */
	bool          retried;
	bool          used_body; /* body bytes have left `in`: the request cannot be sent again */
	bool          drains;    /* refused: its body is still to be read in vain */
	uint32_t      drained;   /* bytes of it */

	/* for the record */
	enum fault       fault;
	uint16_t         status;
	struct addr      to;
	bool             has_to;
	const char      *detail; /* borrowed of `inside`, or tls_detail: what exactly is wrong; null: nothing to add */
	enum guard_word  guard;
	uint32_t         resolve_ms, connect_ms, tls_ms, first_byte_ms, queue_ms;
	uint64_t         tls_us; /* when that handshake began */
	char            *tls_detail; /* owned: what exactly was wrong with TLS or a certificate when this request met it; null: nothing, or `inside` tells */
	char             content_type[96];
	uint8_t          n_content_type;
	char            *sni; /* owned; null: none seen (or no memory to tell the log of it) */
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

/* Another proxy passed it on: others than its user may be behind this connection. */
static inline bool
request_is_relayed(const struct request *r)
{
	return r->head.seen & (1u << FIELD_VIA | 1u << FIELD_FORWARDED | 1u << FIELD_X_FORWARDED_FOR);
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
	struct inside       *inside;   /* a reference: what came before this connection's requests; null: they come in the open. A CONNECT has it from its verdict on */
	struct memo         *connect;  /* owned: the CONNECT's line, once its requests come; null: none, or it is another session's (HTTP/2) */
	struct outer        *outer;    /* a reference: TLS to the proxy itself, below all that is said; null: the client speaks to us in the clear */
	struct tls_end      *client_tls; /* what carries the client's side, the innermost (owned by the session while it shakes hands with a listener); null: nothing, or a stream */
	struct front        *front;    /* owned; HTTP/2: the connection whose streams are sessions */
	struct identity     *identity; /* a reference: who logged on to this connection (NTLM); null: nobody */
	uint64_t             ground;    /* what that rests on */
	struct handshake    *handshake; /* owned: of a log-on between two requests; null: none */
	uint64_t             id;
	uint64_t             active_us; /* last time that something moved */
	uint64_t             memo_idle_ms; /* tunnel: its idle-timeout */
	struct endpoint      peer;      /* the client; behind a balancer what its PROXY header says */
	struct endpoint     *original;  /* owned: where a transparent connection was going; null: the client knows of the proxy */
	struct wait          wait;      /* for its place in front of a limit (queue), or for bandwidth (throttle) */
	uint32_t             head_seen; /* bytes of `in` that were no whole head */
	uint16_t             limited_by; /* what it moves is of this rule's bandwidth (ipc/slots) */
	uint16_t             held;      /* of this rule's max-connections it has a place; 0: of none */
	uint16_t             slot;
	uint16_t             counted_at; /* the number that its listener counts under */
	uint8_t              state;
	uint8_t              greet;      /* enum greet_step (greet.c) */
	bool                 tallied;    /* it counts as one of its client's */
	bool                 keep;       /* the client's connection stays after this request */
	bool                 eof;        /* the client will send no more */
	bool                 is_stream;  /* of another session's HTTP/2: no socket */
	bool                 is_bounded; /* there, and inside an inspected tunnel: in no tally, and not under max-connections */
	bool                 settled;    /* tunnel: keepalive is on */
	uint64_t             lingered;   /* bytes read in vain */
};

/* --- session.c: life --- */
/* `greets`: the listener has more to do before the first request (greet.h). */
void session_accept(struct gateway *gw, struct slot *slot, int fd, const struct endpoint *peer, bool greets);
/* From now on it counts as one of its client's. */
void session_tally(struct session *s);
/* One stream of a client's HTTP/2, which the carrier is; on behalf of `parent`: inside its tunnel, or, in the open, as a connection of its own would be.
 * False: no memory, or too many; the carrier stays the caller's. */
bool session_open_stream(struct session *parent, struct carrier *stream);
/* Go to `next`: checks the edge, arms the deadline. */
void session_move(struct session *s, enum session_state next);
/* Change the deadline of the state at hand. */
void session_deadline(struct session *s, uint64_t ms);
/* The end, from any state: cancels errands, writes the log line of what was under way, closes, and forgets. */
void session_finish(struct session *s, enum fault fault);
void session_on_origin(struct session *s, unsigned what);
/* It waited for bandwidth, and has some now. */
void session_go_on(struct session *s);
/* Drain: idle connections go at once, or with `gentle` in their own time. */
void session_drain(struct session *s, bool gentle);
struct request *request_new(struct session *s);
void request_free(struct session *s);
void session_cancel_errands(struct session *s);
/* For the page and the log, so without a word when memory is short; "" or null: nothing to tell. */
void request_note_tls(struct request *r, const char *detail);
/* The request is done with and the client's connection stays: on to the next one. */
void session_next_request(struct session *s);
/* The origin is not needed any more. */
void session_drop_origin(struct session *s);

/* --- the steps, in order; each ends by moving on, waiting, or finishing, so callers return at once --- */
void head_read(struct session *s);    /* head.c */
/* The request may wait long, as may thousands: its head moves to a block of its own size, without the credentials, which are in good hands by now.
 * False: no memory. */
bool head_settle(struct session *s);
void gate_enter(struct session *s);   /* gate.c: a head is complete */
void gate_decide(struct session *s);  /* gate.c: ask policy with the facts at hand */
/* The verdict is final: counts it, and answers what it refuses or sends elsewhere. False: answered. */
bool gate_settle(struct session *s);
/* The response is of this type: the verdict becomes final. False: answered; the response must not reach the client. */
bool gate_judge_response(struct session *s, struct span type);
void reach_begin(struct session *s);  /* reach.c: policy said yes: pool, look-up, judging of addresses */
void reach_resume(struct session *s); /* reach.c: it has its place in front of a limit now */
void reach_lookup(struct session *s); /* reach.c: for gate: the addresses are needed */
void authenticate(struct session *s); /* authenticate.c: for gate: the user is needed */
void reach_on_origin(struct session *s, unsigned what);
void reach_on_timeout(struct session *s);                    /* of the look-up or the dial */
void reach_connected(struct session *s);                     /* reach.c: to the origin, by a parent's tunnel or straight */
void reach_parent_failed(struct session *s, enum fault fault); /* reach_parent.c: it cannot be reached: the next one */
void reach_with_pass(struct session *s);                     /* reach_parent.c: there is something to show to it */
void parent_connect(struct session *s);                      /* parent.c: it is connected, and is to tunnel */
void parent_on_origin(struct session *s);
void parent_on_timeout(struct session *s);
/* Where the deciding rule has a transparent request go, whatever its name resolves to; null: where the name says. */
const struct addr *reach_original(const struct session *s);
void reply_established(struct session *s);                   /* reply.c: 200 to CONNECT */
void reply_fault(struct session *s, enum fault fault);       /* reply.c: an error page, then on or away */
/* The same for somebody who may go on: the page has a button that leads to this URL. */
void reply_warning(struct session *s, enum fault fault, struct span action);
/* `more`: whole field lines. */
void reply_elsewhere(struct session *s, enum fault fault, uint16_t status, struct span location, struct span more);
void reply_continue(struct session *s);                      /* the client's socket takes more */
void reply_done(struct session *s);                          /* our answer is out, and nothing of the request is left */
void drain_read(struct session *s);                          /* drain.c: the body of a request that was refused */
bool drain_is_possible(const struct session *s);
/* An answer of ours that is no refusal: `head` without Connection and the empty line. */
struct compose;
void reply_own(struct session *s, uint16_t status, struct compose *head, struct span content);
bool pac_serve(struct session *s);                           /* pac.c: is it /proxy.pac that is asked for? False: it is not */
void reply_trace(struct session *s);                         /* Max-Forwards ran out */
void linger_begin(struct session *s);                        /* reply.c */
void linger_read(struct session *s);
void forward_begin(struct session *s);                       /* forward.c: origin is connected */
void forward_on_client(struct session *s);
void forward_on_origin(struct session *s);
void forward_on_timeout(struct session *s);
bool forward_sees_bound_auth(const struct head *h, enum field_id id); /* NTLM or Negotiate in this field */
void response_read(struct session *s);                       /* response.c */
void forward_done(struct session *s);                        /* both ways are through */
void forward_origin_failed(struct session *s, enum fault f); /* before, or while, the response came */
void peek_begin(struct session *s);                          /* peek.c */
void peek_pump(struct session *s); /* either socket has something to say */
void peek_on_timeout(struct session *s);
void peek_note_hello(struct request *r, const struct hello *h); /* for the log */
void tunnel_begin(struct session *s);                        /* tunnel.c */
void tunnel_on_client(struct session *s, unsigned what);
void tunnel_on_origin(struct session *s, unsigned what);
void tunnel_on_timeout(struct session *s);

/* --- throttle.c: what each read asks --- */
/* Is what it moves limited? A reload may change it at any time, so it is looked up, in one line of a table. */
static inline bool
throttle_holds(const struct session *s)
{
	const struct throttle *t = &s->gw->throttle;

	return t->on && (t->client || t->rule[s->limited_by].all || t->rule[s->limited_by].client);
}
/* Of `want` bytes, how many may be read now; 0: none, and session_go_on will call. */
static inline size_t
throttle_take(struct session *s, size_t want)
{
	return throttle_holds(s) ? throttle_take_some(s, want) : want;
}
/* Of `taken` bytes it turned out to be n (less than 0: none). */
static inline void
throttle_settle(struct session *s, size_t taken, ssize_t n)
{
	if (throttle_holds(s))
		throttle_give_back(s, taken - (n > 0 ? (size_t)n : 0));
}
/* lane_pump, for as much as may move now. */
enum lane_answer throttle_pump_some(struct session *s, struct lane *l, struct side *from, struct side *to);
static inline enum lane_answer
throttle_pump(struct session *s, struct lane *l, struct side *from, struct side *to)
{
	size_t may = SIZE_MAX;

	return throttle_holds(s) ? throttle_pump_some(s, l, from, to) : lane_pump(l, from, to, &s->gw->lanes, &may);
}

/* --- authenticate.c, logon.c: what others need of it --- */
/* Is this connection somebody's already? Then policy is told at once. False: no memory (answered). */
bool authenticate_recall(struct session *s);
/* The rows that policy wants, anew: another snapshot's requests may have asked in between. False: no memory. */
bool request_know_user(struct request *r);
/* A log-on that has begun on this connection is not gone on with. */
void authenticate_break_off(struct session *s);
/* Nobody is logged on to this connection any more, and nobody in the middle of it. */
void authenticate_forget(struct session *s);
/* The fields that an answer of ours with this fault carries for it; bytes written. */
size_t authenticate_fields(const struct session *s, enum fault fault, char *out, size_t room);
/* The schemes that this client may log on by: bit 1 << enum auth_scheme. */
unsigned authenticate_schemes(const struct session *s);
/* Proxy-Authentication-Info for the answer of what was let through, if there is one. */
size_t authenticate_info(const struct request *r, char *out, size_t room);

/* --- record.c: the log line --- */
void record_request(struct session *s, enum fault fault); /* of s->req */
/* Of somebody who was refused before anything was read. */
void record_refusal(struct gateway *gw, uint16_t slot, const struct endpoint *peer, enum fault fault, size_t bytes_out);
struct memo *memo_new(struct session *s);                 /* of s->req, at the start of its tunnel */
/* The line of a tunnel that has ended, or of a CONNECT that was inspected; `detail` when something more is known of its TLS by now, else "". */
void memo_record(struct session *s, struct memo *m, enum fault fault, struct span detail);
void memo_free(struct memo *m);
uint64_t memo_start_us(const struct memo *m);
/* Its line as far as it is known; the texts live as long as the memo. */
void memo_look(const struct memo *m, const struct record **rec, struct span text[RT_COUNT]);


#endif
