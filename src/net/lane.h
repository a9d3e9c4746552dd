/* SPDX-License-Identifier: MIT */
/*
 * lane: one direction of a tunnel, from one side to another.
 * An idle lane owns no buffer: it reads into a scratch buffer that all lanes share, writes on at once, and keeps only what the peer
 * would not take. A lane that turns out to be bulk moves bytes by splice(2) through a pipe from a pool, and gives it back when idle.
 * Always true: bytes go out in the order they came; a lane reads only while nothing waits to be written.
 */
#ifndef POSTERN_NET_LANE_H
#define POSTERN_NET_LANE_H

#include <stdbool.h>
#include <stdint.h>

#include "net/outbox.h"
#include "net/side.h"

enum lane_state { LANE_OPEN, LANE_SHUT };

struct lane {
	struct outbox   kept;
	struct conduit *conduit; /* owned while bulk; null else */
	uint64_t        bytes;   /* accepted by the peer or kept for it */
	uint32_t        in_pipe;
	uint8_t         state;   /* enum lane_state */
	uint8_t         bulk;    /* large reads in a row */
};

/* What all lanes of a worker share. */
struct lane_pool {
	char           *scratch; /* owned; scratch_size bytes */
	size_t          scratch_size;
	size_t          pipe_size; /* asked for; what the system allows is used */
	struct conduit *spare;
	unsigned        n_spare, n_conduits, max_conduits;
};
/* `most`: bytes that one lane may keep for a reader that stalls; max_conduits: pipes for bulk lanes, of two descriptors each. False: no memory; what
 * was there stays. May be called again to change it. */
bool lane_pool_fit(struct lane_pool *p, size_t most, unsigned max_conduits);
void lane_pool_clear(struct lane_pool *p);

enum lane_answer {
	LANE_WAITS, /* for an event */
	LANE_AGAIN, /* there is more, but others want a turn: watch_again */
	LANE_DRY,   /* there is more, but no more may be read */
	LANE_DONE,  /* SHUT: the end was passed on */
	LANE_BROKEN_FROM, /* the reading side failed (errno) */
	LANE_BROKEN_TO    /* the writing side did, or no memory */
};

/* Move what can be moved, of which *may bytes may be read; it is left with what is over. */
enum lane_answer lane_pump(struct lane *l, struct side *from, struct side *to, struct lane_pool *p, size_t *may);
/* Would it read now? */
bool lane_wants(const struct lane *l, const struct side *from, const struct side *to);
/* Bytes that were read elsewhere (before the tunnel began) go first. */
enum lane_answer lane_push(struct lane *l, struct side *to, struct span bytes);
/* Nothing moved for a while: give the pipe back, if it is empty. */
void lane_rest(struct lane *l, struct lane_pool *p);
void lane_clear(struct lane *l, struct lane_pool *p);

#endif
