/* SPDX-License-Identifier: MIT */
/*
 * link: what front and rear share: one connection of HTTP/2 over a side, its library session, its streams, and the pump between them.
 * Owns no side. For this room only.
 * Always true: the library is never entered again from one of its callbacks; what is freed meanwhile goes when the pump has stopped.
 */
#ifndef POSTERN_H2_LINK_H
#define POSTERN_H2_LINK_H

#include <nghttp2/nghttp2.h>
#include <sys/queue.h>

#include "base/fault.h"
#include "h2/flood.h"
#include "h2/translate.h"
#include "net/side.h"
#include "parse/body.h"

#define LINK_STREAM_WINDOW (128 * 1024)  /* of one stream, what the peer may send unread */
#define LINK_WINDOW        (1024 * 1024) /* of all streams of a connection together */
#define LINK_WINDOW_PROXY  (8 * 1024 * 1024) /* where they are tunnels: some that stall for long must not hold up the others */
#define STREAM_OUT_MAX     (64 * 1024)   /* of one stream, what waits for the peer's window */

struct link;

/* Bytes in a row; those before `at` are used up. */
struct bytes {
	char  *p; /* owned */
	size_t at, n, room;
};

static inline size_t
bytes_size(const struct bytes *b)
{
	return b->n - b->at;
}

bool bytes_put(struct bytes *b, struct span s);
/* The block goes when all of it is used. */
void bytes_use(struct bytes *b, size_t n);
void bytes_free(struct bytes *b);

enum stream_out {
	OUT_HEAD, /* a head is being collected */
	OUT_BODY,
	OUT_WHOLE
};

struct stream {
	struct carrier carrier; /* must be first */
	TAILQ_ENTRY(stream) link_entry;
	struct link  *link;  /* null: the connection is gone */
	int32_t       id;    /* 0: not yet sent (rear) */
	enum stream_out out_state;
	enum method_id  method; /* of the request, whoever sent it */

	/* from the peer */
	struct h2_head head, trailer;
	struct bytes   text;            /* HTTP/1.1 that is read before data: heads, or the end of a chunked body */
	char           line[24];        /* around a chunk; read after text, before data */
	uint8_t        line_at, n_line;
	struct bytes   data;
	size_t         chunk_left;      /* bytes of data that are read as they are */
	bool           in_begun;        /* the final head came */
	bool           in_chunked;
	bool           in_ended;        /* END_STREAM came */
	bool           in_done;         /* and what it means in HTTP/1.1 was put into text */

	/* to the peer */
	struct bytes out; /* a head while it is collected, then data */
	size_t       seen;
	struct body  body;
	struct bytes out_trailer;

	bool is_server;
	bool is_tunnel; /* a CONNECT that was let through: both ways are bytes as they are, each with its own end */
	bool held;     /* by a session */
	bool deferred; /* the library has asked for data and waits */
	bool blocked;  /* the writer waits */
	bool all_sent; /* END_STREAM */
	bool closed;   /* the library knows it no more */
	bool broken;   /* reset, or lost with its connection */
	bool unserved; /* the peer says that it did nothing for it */
	bool cut;      /* no more comes to be sent, although the body is not whole */
	bool shut;     /* the session sends and wants no more */
};

/* A whole head came. What differs between front and rear. */
struct link_ops {
	/* A stream of the peer's begins to send its head. Null: refused. */
	struct stream *(*begin)(struct link *l, int32_t id);
	/* Its head is whole; null: nobody asks. */
	void (*head)(struct link *l, struct stream *s);
	/* The connection is over; last. The link may be freed in it. */
	void (*end)(struct link *l, enum fault fault);
};

struct link {
	const struct link_ops *ops;
	struct loop           *loop;
	struct side           *under; /* the owner's */
	nghttp2_session       *h2;
	struct watch           kick;  /* without a descriptor: to be served again */
	TAILQ_HEAD(stream_list, stream) streams;
	struct h2_flood flood;
	struct bytes    out;
	size_t          max_head;
	unsigned        n_held;
	unsigned        own_resets; /* sent because of us, not of the peer */
	enum fault      fault;
	bool            is_server, busy, dead; /* dead: freed while busy */
	bool            is_proxy; /* of a server: its streams may be CONNECTs */
	bool            ending;   /* nothing is read any more; over when what is to be sent was tried */
	bool            told;     /* end was called */
	bool            draining;
	bool            lost;     /* the side takes nothing any more */
};

/* False: no memory. Sends the preface and SETTINGS at the next serving. */
bool link_init(struct link *l, struct loop *loop, struct side *under, bool is_server, uint32_t streams, uint32_t max_head, const struct link_ops *ops);
/* All streams lose their connection. free()s the struct that the link begins. */
void link_free(struct link *l);
void link_serve(struct link *l);
/* Serve soon. */
void link_kick(struct link *l);
void link_drain(struct link *l);

struct stream *stream_new(struct link *l, int32_t id);
void stream_free(struct stream *s);
/* From the library. False: the stream is to be reset. `head` is whole; `ends`: nothing follows. */
bool stream_on_head(struct stream *s, bool ends);
bool stream_on_data(struct stream *s, struct span data);
void stream_on_end(struct stream *s);
void stream_on_all_sent(struct stream *s);
/* May free it. */
void stream_on_close(struct stream *s, uint32_t code);
/* Takes bytes of HTTP/1.1 for the peer (stream_send.c): how many, or -1 when they are none. */
ssize_t stream_send(struct stream *s, struct span in);
/* A body that ends with its connection ends here. */
void stream_send_end(struct stream *s);
/* A body breaks off here: a reset, behind what waits. */
void stream_send_cut(struct stream *s);
void stream_reset(struct stream *s, uint32_t code);
/* Its reader and writer learn that it failed. */
void stream_break(struct stream *s);
/* The connection is gone. */
void stream_lose(struct stream *s);
void stream_wake(struct stream *s, unsigned what);

#endif
