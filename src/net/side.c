/* SPDX-License-Identifier: MIT */
#include "net/side.h"

#include <errno.h>

#include "net/sock.h"

ssize_t
side_read(struct side *s, void *buf, size_t n)
{
	ssize_t r;

	if (s->carrier) {
		r = s->carrier->ops->read(s->carrier, buf, n);
		if (r < 0 && errno == EAGAIN)
			s->readable = false;
		return r;
	}
	r = sock_read(s->fd, buf, n);
	/* edge-triggered: without a FIN on its way, a short read says that there is no more */
	if (r < 0 ? errno == EAGAIN : (size_t)r < n && r > 0 && !s->closed)
		s->readable = false;
	return r;
}

ssize_t
side_write(struct side *s, struct span a, struct span b)
{
	ssize_t w = s->carrier ? s->carrier->ops->write(s->carrier, a, b) : sock_write2(s->fd, a, b);

	if (w < 0 ? errno == EAGAIN : (size_t)w < a.n + b.n)
		s->writable = false;
	return w;
}

void
side_shut_write(struct side *s)
{
	if (s->carrier)
		s->carrier->ops->shut_write(s->carrier);
	else
		sock_shut_write(s->fd);
}

bool
side_failed(struct side *s)
{
	return s->carrier ? s->carrier->ops->failed(s->carrier) : sock_failed(s->fd);
}

void
side_carry(struct side *s, struct carrier *c)
{
	c->side = s;
	s->carrier = c;
	s->readable = s->writable = true;
}

static void
end(struct side *s, bool reset)
{
	bool carried = s->carrier != NULL;

	if (carried)
		s->carrier->ops->end(s->carrier, reset);
	s->carrier = NULL;
	watch_drop(&s->watch);
	/* TLS that ends without its goodbye says by itself that something is missing; the socket's reset would throw away what was sent before */
	if (s->fd >= 0)
		(reset && !carried ? sock_reset : sock_close)(s->fd);
	s->fd = -1;
}

void
side_close(struct side *s)
{
	end(s, false);
}

void
side_reset(struct side *s)
{
	end(s, true);
}
