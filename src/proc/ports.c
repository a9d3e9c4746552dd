/* SPDX-License-Identifier: MIT */
#include "proc/ports.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/listener.h"

static bool
is_same(const struct endpoint *a, const struct endpoint *b)
{
	return addr_eq(&a->addr, &b->addr) && a->port == b->port && a->scope == b->scope;
}

static struct port *
find(const struct ports *p, const struct endpoint *e)
{
	for (uint32_t i = 0; p && i < LISTENER_SLOTS; i++)
		if (p->slot[i].used && is_same(&p->slot[i].asked, e))
			return (struct port *)&p->slot[i];
	return NULL;
}

static void
close_port(struct port *p, uint32_t n_workers)
{
	for (uint32_t w = 0; w < n_workers; w++)
		if (p->fd[w] >= 0)
			close(p->fd[w]);
	p->used = false;
}

static bool
open_port(struct port *p, const struct endpoint *e, uint16_t index, uint32_t n_workers, char *why, size_t why_n)
{
	struct endpoint at = *e;

	*p = (struct port){.used = true, .asked = *e, .index = index};
	for (uint32_t w = 0; w < n_workers; w++)
		p->fd[w] = -1;
	for (uint32_t w = 0; w < n_workers; w++) {
		/* port 0: the first socket gets one from the kernel, the others join it */
		if ((p->fd[w] = listener_open(&at, n_workers > 1, why, why_n)) < 0 || !listener_where(p->fd[w], &at)) {
			close_port(p, n_workers);
			return false;
		}
	}
	p->bound = at;
	return true;
}

static bool
has_port(const struct ports *p, uint16_t port)
{
	for (uint32_t i = 0; p && i < LISTENER_SLOTS; i++)
		if (p->slot[i].used && p->slot[i].bound.port == port)
			return true;
	return false;
}

/* SO_REUSEPORT would let another gateway of the same user share the port, unseen: without it the kernel tells. */
static bool
is_free(const struct endpoint *e, char *why, size_t why_n)
{
	int fd = listener_open(e, false, why, why_n);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* A slot that neither the new set nor the old one uses, so that workers never mix two sockets up. */
static struct port *
spare_slot(struct ports *p, const struct ports *old)
{
	for (uint32_t i = 0; i < LISTENER_SLOTS; i++)
		if (!p->slot[i].used && !(old && old->slot[i].used))
			return &p->slot[i];
	return NULL;
}

struct ports *
ports_open(const struct conf *c, const struct ports *old, uint32_t n_workers, struct report *r)
{
	struct ports         *p = calloc(1, sizeof *p);
	struct conf_listener *l;
	uint16_t              index = 0;
	size_t                errors = r->errors;

	if (!p) {
		report_error(r, (struct where){0, 0}, "out of memory");
		return NULL;
	}
	p->n_workers = n_workers;
	TAILQ_FOREACH(l, &c->listeners, link)
	{
		for (size_t i = 0; i < l->address.n; i++) {
			const struct endpoint *e = &l->address.v[i];
			struct port           *was = find(old, e), *slot;
			char                   why[160];
			/* one that is ours already, at this address or a wider one, is in nobody's way */
			bool probe = n_workers > 1 && e->port && !has_port(p, e->port) && !has_port(old, e->port);

			if (was && find(p, e) == NULL) {
				slot = &p->slot[was - old->slot];
				*slot = *was;
				slot->index = index;
			} else if (!(slot = spare_slot(p, old))) {
				report_error(r, l->at, "too many addresses: at most %u over all listeners", LISTENER_SLOTS);
			} else if ((probe && !is_free(e, why, sizeof why)) || !open_port(slot, e, index, n_workers, why, sizeof why)) {
				report_error(r, l->at, "cannot listen: %s; is another program there, or are privileges missing?", why);
			}
		}
		index++;
	}
	if (r->errors == errors && (p->keys = keys_open(c, r)))
		return p;
	ports_free(p, old);
	return NULL;
}

struct ports *
ports_again(const struct ports *p)
{
	struct ports *q = malloc(sizeof *q);

	if (q) {
		*q = *p;
		q->keys = keys_ref(p->keys);
	}
	return q;
}

void
ports_free(struct ports *p, const struct ports *kept)
{
	if (!p)
		return;
	for (uint32_t i = 0; i < LISTENER_SLOTS; i++) {
		bool shared = kept && kept->slot[i].used && kept->slot[i].fd[0] == p->slot[i].fd[0];
		if (p->slot[i].used && !shared)
			close_port(&p->slot[i], p->n_workers);
	}
	keys_unref(p->keys);
	free(p);
}

size_t
ports_own(const struct ports *p, struct endpoint *out)
{
	size_t n = 0;

	for (uint32_t i = 0; i < LISTENER_SLOTS; i++)
		if (p->slot[i].used)
			out[n++] = p->slot[i].bound;
	return n;
}
