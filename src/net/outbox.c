/* SPDX-License-Identifier: MIT */
#include "net/outbox.h"

#include <errno.h>
#include <stdlib.h>

#include "net/side.h"

struct kept {
	size_t at, n; /* bytes at .. n of text wait */
	char   text[];
};

void
outbox_clear(struct outbox *o)
{
	free(o->kept);
	o->kept = NULL;
}

static enum outbox_state
keep(struct outbox *o, struct span a, struct span b)
{
	struct kept *k;
	size_t       have = o->kept ? o->kept->n : 0;

	k = realloc(o->kept, sizeof *k + have + a.n + b.n);
	if (!k) {
		errno = ENOMEM;
		return OUTBOX_BROKEN;
	}
	if (!o->kept)
		k->at = 0;
	k->n = have;
	if (a.n)
		memcpy(k->text + k->n, a.p, a.n);
	k->n += a.n;
	if (b.n)
		memcpy(k->text + k->n, b.p, b.n);
	k->n += b.n;
	o->kept = k;
	return OUTBOX_KEPT;
}

enum outbox_state
outbox_send(struct outbox *o, struct side *to, struct span a, struct span b)
{
	ssize_t w;
	size_t  done;

	if (o->kept)
		return keep(o, a, b);
	w = side_write(to, a, b);
	if (w < 0 && errno != EAGAIN)
		return OUTBOX_BROKEN;
	done = w > 0 ? (size_t)w : 0;
	if (done == a.n + b.n)
		return OUTBOX_SENT;
	if (done >= a.n)
		return keep(o, span_of(b.p + (done - a.n), b.n - (done - a.n)), span_of(NULL, 0));
	return keep(o, span_of(a.p + done, a.n - done), b);
}

enum outbox_state
outbox_flush(struct outbox *o, struct side *to)
{
	struct kept *k = o->kept;
	ssize_t      w;

	if (!k)
		return OUTBOX_SENT;
	w = side_write(to, span_of(k->text + k->at, k->n - k->at), span_of(NULL, 0));
	if (w < 0)
		return errno == EAGAIN ? OUTBOX_KEPT : OUTBOX_BROKEN;
	k->at += (size_t)w;
	if (k->at < k->n)
		return OUTBOX_KEPT;
	outbox_clear(o);
	return OUTBOX_SENT;
}
