/* SPDX-License-Identifier: MIT */
#include "proc/signer_peers.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ipc/shared.h"
#include "proc/child.h"

struct signer_peer {
	struct signer_peers *all;
	uint32_t             worker;
	int                  fd; /* -1: none */
	struct watch         watch;
	bool                 owes_hello, owes_tickets; /* to be sent before anything else */
	uint8_t             *kept;                     /* an answer that did not fit; owned */
	size_t               n_kept;
};

struct signer_peers {
	struct loop                  *loop;
	const struct signer_peer_ops *ops;
	void                         *arg;
	struct signer_peer            peer[SHARED_WORKERS_MAX];
	uint8_t                       in[LEAF_PACKET_MAX], out[LEAF_PACKET_MAX];
};

static void
peer_close(struct signer_peer *p)
{
	watch_clear(&p->watch);
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
	free(p->kept);
	p->kept = NULL;
}

/* False: it did not go, and may later. */
static bool
peer_put(struct signer_peer *p, const uint8_t *packet, size_t n)
{
	ssize_t w;

	do
		w = send(p->fd, packet, n, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (w < 0 && errno == EINTR);
	return w >= 0 || (errno != EAGAIN && errno != ENOBUFS && errno != ENOMEM); /* a worker that is gone: on_peer closes */
}

/* False: it did not go, and may later. */
static bool
peer_tell(struct signer_peer *p, size_t (*write)(void *arg, uint8_t *out, size_t room), bool *owed)
{
	struct signer_peers *s = p->all;
	size_t               n = write(s->arg, s->out, sizeof s->out);
	bool                 went = n == 0 || peer_put(p, s->out, n);

	*owed = !went || n == 0;
	OPENSSL_cleanse(s->out, n);
	return went;
}

/* What is owed. False: not all of it went. */
static bool
peer_settle(struct signer_peer *p)
{
	const struct signer_peer_ops *ops = p->all->ops;

	if (p->owes_hello && !peer_tell(p, ops->hello, &p->owes_hello))
		return false;
	if (p->owes_tickets && !peer_tell(p, ops->tickets, &p->owes_tickets))
		return false;
	if (p->kept && !peer_put(p, p->kept, p->n_kept))
		return false;
	free(p->kept);
	p->kept = NULL;
	return true;
}

void
signer_peers_owe(struct signer_peers *s, bool hello, bool tickets)
{
	for (uint32_t i = 0; i < SHARED_WORKERS_MAX; i++) {
		struct signer_peer *p = &s->peer[i];
		if (p->fd < 0)
			continue;
		p->owes_hello |= hello;
		p->owes_tickets |= tickets;
		peer_settle(p);
	}
}

void
signer_peer_answer(struct signer_peer *p, const struct leaf_made *m)
{
	struct signer_peers *s = p->all;
	size_t               n = leaf_made_write(m, s->out, sizeof s->out);

	if (peer_put(p, s->out, n))
		return;
	p->kept = malloc(n);
	if (!p->kept)
		return; /* its deadline ends that ask */
	memcpy(p->kept, s->out, n);
	p->n_kept = n;
}

static void
on_peer(void *arg, unsigned what)
{
	struct signer_peer  *p = arg;
	struct signer_peers *s = p->all;
	ssize_t              n;

	(void)what;
	if (!peer_settle(p))
		return; /* it reads no more; WATCH_WRITE comes when it has */
	do
		n = recv(p->fd, s->in, sizeof s->in, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == ENOMEM || errno == ENOBUFS))
		return;
	if (n <= 0) {
		peer_close(p);
		child_say(MSG_PEER, p->worker);
		return;
	}
	s->ops->ask(s->arg, p, span_of((const char *)s->in, (size_t)n));
	watch_again(&p->watch, WATCH_READ); /* the others first */
}

void
signer_peers_take(struct signer_peers *s, struct message *m)
{
	struct signer_peer *p = m->number < SHARED_WORKERS_MAX ? &s->peer[m->number] : NULL;

	if (!p || m->n_fds != 1)
		return;
	peer_close(p);
	p->fd = m->fd[0];
	m->n_fds = 0;
	p->owes_hello = p->owes_tickets = true;
	if (!watch_init(&p->watch, s->loop, p->fd, WATCH_READ | WATCH_WRITE | WATCH_CLOSED, on_peer, p)) {
		peer_close(p);
		child_say(MSG_PEER, p->worker);
		return;
	}
	peer_settle(p);
}

uint32_t
signer_peer_number(const struct signer_peer *p)
{
	return p->worker;
}

struct signer_peers *
signer_peers_new(struct loop *loop, const struct signer_peer_ops *ops, void *arg)
{
	struct signer_peers *s = calloc(1, sizeof *s);

	if (!s)
		return NULL;
	s->loop = loop;
	s->ops = ops;
	s->arg = arg;
	for (uint32_t i = 0; i < SHARED_WORKERS_MAX; i++)
		s->peer[i] = (struct signer_peer){.all = s, .worker = i, .fd = -1};
	return s;
}

void
signer_peers_free(struct signer_peers *s)
{
	if (!s)
		return;
	for (uint32_t i = 0; i < SHARED_WORKERS_MAX; i++)
		peer_close(&s->peer[i]);
	OPENSSL_cleanse(s, sizeof *s);
	free(s);
}
