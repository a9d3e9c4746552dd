/* SPDX-License-Identifier: MIT */
/*
 * origin: connections to servers, and the pool of those that wait for their next request.
 * A pooled connection serves any client, but only for the same host, port, way, snapshot and ground, and never once connection-bound authentication was
 * seen on it (RFC 4559 section 6). Inside inspected tunnels one that carried any authentication is of its client's own ground.
 */
#ifndef POSTERN_SESSION_ORIGIN_H
#define POSTERN_SESSION_ORIGIN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/addr.h"
#include "base/fault.h"
#include "base/span.h"
#include "net/lane.h"
#include "net/loop.h"

struct gateway;
struct tls_end;
struct rear;
struct session;

struct origin {
	struct grave    grave;
	struct gateway *gw;
	struct side     side;
	struct session *user; /* null: in the pool, or a trunk */
	struct addr     addr;
	uint16_t        port;
	struct tls_end *tls;    /* its side's carrier; null: bare, or a branch */
	uint64_t        way;    /* how it goes there (way.h); 0: straight */
	uint64_t        ground; /* of an inspected tunnel (inside.h) whose requests may use it; 0: in the open */
	bool            reused; /* has served a request before */
	bool            bound;  /* connection-bound authentication was seen: what a server takes it for hangs on what it carried before */
	/* in the pool */
	struct pooled *pooled; /* owned: what it is found by; null for tunnels until needed */
	/* HTTP/2: a trunk is a connection, always in the pool; its branches are streams that sessions use as if each were a connection for one request */
	struct rear                     *rear;  /* owned; null: no trunk */
	struct origin                   *trunk; /* of a branch; null: none, or gone */
	TAILQ_HEAD(branch_list, origin)  branches;
	TAILQ_ENTRY(origin)              branch_link;
	enum fault                       late;        /* of a branch whose trunk is gone: what the trunk's TLS said of that, as origin_why says it */
	const char                      *late_detail; /* static text */
};

#define ORIGIN_BUCKETS 1024u

TAILQ_HEAD(pooled_list, pooled);
struct origin_pool {
	struct pooled_list bucket[ORIGIN_BUCKETS];
	struct pooled_list by_age; /* oldest first */
	uint32_t           n;
	struct timer       sweep;
	uint64_t           key; /* of the hash */
};

void origin_pool_init(struct origin_pool *p, struct gateway *gw);
void origin_pool_clear(struct origin_pool *p);
/* Close what serves nobody; trunks that do go when they have. */
void origin_pool_rest(struct origin_pool *p);

/* A connection that fd (connecting or connected; owned from now on) is, watched on behalf of `user`. NULL: no memory; fd is closed. */
struct origin *origin_new(struct gateway *gw, struct session *user, int fd, const struct addr *addr, uint16_t port);
void origin_free(struct origin *o);  /* closes; takes NULL */
void origin_reset(struct origin *o); /* closes by a reset */
/* Why a read of it gave n, which is 0, or less with ECONNRESET; *detail: what its TLS says of it, null: nothing. */
enum fault origin_why(const struct origin *o, ssize_t n, const char **detail);

/* Has it asked for a certificate of ours in its handshake? */
bool origin_was_asked(const struct origin *o);

/* A connection that a request can use. */
struct origin_want {
	struct span host;
	uint16_t    port;
	uint64_t    way;
	uint64_t    generation;  /* of the snapshot that it was opened under */
	uint64_t    ground;
	uint64_t    own;         /* 0: any of this ground will do; else one of this ground, or one that serves nobody and becomes of it for good */
	uint64_t    max_idle_ms;
	bool        h2;          /* a stream will do as well */
	uint16_t    min_version; /* of its TLS: what the client was told; 0: none */
};
/* NULL: none. */
struct origin *origin_take(struct gateway *gw, struct session *user, const struct origin_want *want);
/* Its TLS has chosen HTTP/2: it goes into the pool as a trunk, and is the pool's. False: no memory, or it would be of no use; closed. */
bool origin_make_trunk(struct origin *o, struct span host, uint64_t generation, uint32_t max_head);
/* It did not answer in time: what is HTTP/2 may be dead behind it, so no other request begins there. */
void origin_retire(struct origin *o);
/* Has the server said that it did nothing for this request? Then it may be sent again, whatever it is. */
bool origin_was_unserved(const struct origin *o);
/* Remember what it leads to, for origin_is_for: the caller means to keep it for one client. False: no memory. */
bool origin_label(struct origin *o, struct span host, uint64_t generation);
/* False as well when it has ended, or said what nobody asked for. */
bool origin_is_for(struct origin *o, struct span host, uint64_t generation);
/* Has nothing come that was not asked for, no end, no byte? Looks when its watch, or a turn put off, said that there may be. */
bool origin_is_quiet(struct origin *o);
/* Put it where others find it (or close it: when bytes came that nobody asked for, the pool is full or memory short). */
void origin_give(struct origin *o, struct span host, uint64_t generation);

#endif
