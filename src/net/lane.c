/* SPDX-License-Identifier: MIT */
#include "net/lane.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "net/sock.h"

#define ROUNDS        8          /* of one pump, before others get a turn */
#define BULK_READS    4          /* large reads in a row that make a lane bulk */
#define BULK_PART     4          /* large: this part of the scratch buffer */
#define PIPE_LEAST    32768      /* below it a pipe costs more than it saves (the system gives small ones to users of many) */
#define SPARE_MAX     32
#define SCRATCH_MOST  65536u /* bytes of one copying read; larger ones fall out of the cache */

struct conduit {
	struct conduit *next;
	int             fd[2];
	uint32_t        size;
};

bool
lane_pool_fit(struct lane_pool *p, size_t most, unsigned max_conduits)
{
	size_t size = most < SCRATCH_MOST ? most : SCRATCH_MOST;
	char  *scratch = size == p->scratch_size ? p->scratch : realloc(p->scratch, size);

	if (!scratch)
		return false;
	p->scratch = scratch;
	p->scratch_size = size;
	p->pipe_size = most;
	p->max_conduits = max_conduits;
	return true;
}

static void
conduit_free(struct conduit *c)
{
	close(c->fd[0]);
	close(c->fd[1]);
	free(c);
}

void
lane_pool_clear(struct lane_pool *p)
{
	for (struct conduit *c = p->spare, *next; c; c = next) {
		next = c->next;
		conduit_free(c);
	}
	free(p->scratch);
	*p = (struct lane_pool){0};
}

static void
conduit_give(struct lane_pool *p, struct conduit *c, bool empty)
{
	if (empty && p->n_spare < SPARE_MAX) {
		c->next = p->spare;
		p->spare = c;
		p->n_spare++;
		return;
	}
	p->n_conduits--;
	conduit_free(c);
}

/* NULL: over the limit or out of descriptors; the lane then goes on copying. */
static struct conduit *
conduit_take(struct lane_pool *p)
{
	struct conduit *c = p->spare;
	int             size;

	if (c) {
		p->spare = c->next;
		p->n_spare--;
		return c;
	}
	if (p->n_conduits >= p->max_conduits || !(c = calloc(1, sizeof *c)))
		return NULL;
	if (pipe2(c->fd, O_NONBLOCK | O_CLOEXEC) != 0) {
		free(c);
		return NULL;
	}
	size = fcntl(c->fd[1], F_SETPIPE_SZ, (int)p->pipe_size); /* what a stalled reader may cost, either way */
	if (size < 0)
		size = fcntl(c->fd[1], F_GETPIPE_SZ);
	c->size = size > 0 ? (uint32_t)size : 0;
	p->n_conduits++;
	if (size >= PIPE_LEAST)
		return c;
	conduit_give(p, c, false);
	return NULL;
}

void
lane_rest(struct lane *l, struct lane_pool *p)
{
	if (!l->conduit || l->in_pipe)
		return;
	conduit_give(p, l->conduit, true);
	l->conduit = NULL;
	l->bulk = 0;
}

void
lane_clear(struct lane *l, struct lane_pool *p)
{
	outbox_clear(&l->kept);
	if (l->conduit)
		conduit_give(p, l->conduit, l->in_pipe == 0);
	l->conduit = NULL;
	l->in_pipe = 0;
}

static enum lane_answer
lane_end(struct lane *l, struct side *from, struct side *to)
{
	l->state = LANE_SHUT;
	from->readable = false; /* what makes it so again is a failure */
	side_shut_write(to);
	return LANE_DONE;
}

enum lane_answer
lane_push(struct lane *l, struct side *to, struct span bytes)
{
	if (outbox_send(&l->kept, to, bytes, span_of(NULL, 0)) == OUTBOX_BROKEN)
		return LANE_BROKEN_TO;
	l->bytes += bytes.n;
	return LANE_WAITS;
}

static enum lane_answer
pump_copy(struct lane *l, struct side *from, struct side *to, struct lane_pool *p, size_t *may)
{
	for (int i = 0; i < ROUNDS; i++) {
		if (*may == 0)
			return LANE_DRY;
		ssize_t r = side_read(from, p->scratch, *may < p->scratch_size ? *may : p->scratch_size);
		if (r < 0)
			return errno == EAGAIN ? LANE_WAITS : LANE_BROKEN_FROM;
		if (r == 0)
			return lane_end(l, from, to);
		*may -= (size_t)r;
		l->bulk = (size_t)r >= p->scratch_size / BULK_PART ? (uint8_t)(l->bulk + 1) : 0;
		if (lane_push(l, to, span_of(p->scratch, (size_t)r)) == LANE_BROKEN_TO)
			return LANE_BROKEN_TO;
		if (!outbox_is_empty(&l->kept) || !from->readable)
			return LANE_WAITS;
		if (l->bulk >= BULK_READS && !from->carrier && !to->carrier)
			return LANE_AGAIN; /* pump moves on to splicing */
	}
	return LANE_AGAIN;
}

/* What the pipe holds goes out; false when the peer takes no more or failed. */
static bool
drain_pipe(struct lane *l, struct side *to, enum lane_answer *answer)
{
	while (l->in_pipe) {
		ssize_t w = sock_splice(l->conduit->fd[0], to->fd, l->in_pipe);
		if (w <= 0) {
			*answer = w < 0 && errno == EAGAIN ? LANE_WAITS : LANE_BROKEN_TO;
			to->writable = false;
			return false;
		}
		l->in_pipe -= (uint32_t)w;
		l->bytes += (uint64_t)w;
	}
	return true;
}

static enum lane_answer
pump_splice(struct lane *l, struct side *from, struct side *to, size_t *may)
{
	enum lane_answer answer = LANE_WAITS;

	for (int i = 0; i < ROUNDS; i++) {
		if (!drain_pipe(l, to, &answer))
			return answer;
		if (!from->readable)
			return LANE_WAITS;
		if (*may == 0)
			return LANE_DRY;
		ssize_t r = sock_splice(from->fd, l->conduit->fd[1], *may < l->conduit->size ? *may : l->conduit->size);
		if (r < 0) {
			if (errno != EAGAIN)
				return LANE_BROKEN_FROM;
			from->readable = false; /* the pipe is empty, so it is the socket that has nothing */
			return LANE_WAITS;
		}
		if (r == 0)
			return lane_end(l, from, to);
		l->in_pipe = (uint32_t)r;
		*may -= (size_t)r;
	}
	return LANE_AGAIN;
}

bool
lane_wants(const struct lane *l, const struct side *from, const struct side *to)
{
	bool stuck = !outbox_is_empty(&l->kept) || l->in_pipe;

	return l->state == LANE_OPEN && from->readable && (!stuck || to->writable);
}

enum lane_answer
lane_pump(struct lane *l, struct side *from, struct side *to, struct lane_pool *p, size_t *may)
{
	enum lane_answer answer;

	if (l->state == LANE_SHUT)
		return LANE_DONE;
	if (!outbox_is_empty(&l->kept)) {
		switch (to->writable ? outbox_flush(&l->kept, to) : OUTBOX_KEPT) {
		case OUTBOX_BROKEN:
			return LANE_BROKEN_TO;
		case OUTBOX_KEPT:
			return LANE_WAITS;
		case OUTBOX_SENT:
			break;
		}
	}
	if (l->in_pipe ? !to->writable : !from->readable)
		return LANE_WAITS;
	if (!l->conduit) {
		answer = pump_copy(l, from, to, p, may);
		if (l->bulk < BULK_READS || from->carrier || to->carrier || (answer != LANE_AGAIN && answer != LANE_WAITS) || !outbox_is_empty(&l->kept))
			return answer;
		l->bulk = 0;
		if (!(l->conduit = conduit_take(p)))
			return answer;
	}
	return pump_splice(l, from, to, may);
}
