/* SPDX-License-Identifier: MIT */
/* h2_pipe: a carrier whose peer has said all that it will say: the input, in steps; what is written is checked to be there and dropped. */
#ifndef POSTERN_FUZZ_H2_PIPE_H
#define POSTERN_FUZZ_H2_PIPE_H

#include <errno.h>

#include "fuzz.h"
#include "net/side.h"

struct h2_pipe {
	struct carrier carrier; /* must be first */
	struct span    first, rest;
	size_t         step;
	unsigned char  sum;
};

static inline ssize_t
pipe_read(struct carrier *c, void *buf, size_t n)
{
	struct h2_pipe *p = (struct h2_pipe *)c;
	struct span    *from = p->first.n ? &p->first : &p->rest;
	size_t          k = from->n < p->step ? from->n : p->step;

	if (k > n)
		k = n;
	if (k)
		memcpy(buf, from->p, k);
	*from = span_of(from->p + k, from->n - k);
	return (ssize_t)k;
}

static inline ssize_t
pipe_write(struct carrier *c, struct span a, struct span b)
{
	struct h2_pipe *p = (struct h2_pipe *)c;

	for (size_t i = 0; i < a.n; i++)
		p->sum ^= (unsigned char)a.p[i];
	return (ssize_t)(a.n + b.n);
}

static inline void
pipe_shut_write(struct carrier *c)
{
	(void)c;
}

static inline bool
pipe_failed(struct carrier *c)
{
	(void)c;
	return false;
}

static inline void
pipe_end(struct carrier *c, bool reset)
{
	(void)c;
	(void)reset;
}

static const struct carrier_ops pipe_ops = {pipe_read, pipe_write, pipe_shut_write, pipe_failed, pipe_end};

static inline void
on_turn(void *arg, unsigned what)
{
	(void)arg;
	(void)what;
}

/* One turn that never waits; `idle` has no descriptor. */
static inline void
turn(struct loop *l, struct watch *idle)
{
	watch_again(idle, WATCH_READ);
	loop_turn(l);
}

#endif
