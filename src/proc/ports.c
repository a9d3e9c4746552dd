/* SPDX-License-Identifier: MIT */
#include "proc/ports.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

#include "base/log.h"
#include "net/listener.h"

#define PASSED_MAX 256u

/* What systemd passed to this process: there is one set of it, whatever the configuration. */
struct passed {
	int             fd;
	struct endpoint at;
	char            path[UNIX_PATH_MOST]; /* "": it has an address */
	bool            both; /* [::], and IPv4 comes in there too */
};

static struct passed passed[PASSED_MAX];
static unsigned      n_passed;

/* Where a socket is wanted: an address, or a path. */
struct place {
	const struct endpoint *at;
	char                   path[UNIX_PATH_MOST];
};

/* What is common to the opening of all ports of one configuration. */
struct opening {
	struct ports       *to;
	const struct ports *old;
	uint32_t            n_workers;
	struct report      *r;
};

static bool
is_same(const struct endpoint *a, const struct endpoint *b)
{
	return addr_eq(&a->addr, &b->addr) && a->port == b->port && a->scope == b->scope;
}

static bool
is_at(const struct place *w, const struct endpoint *at, const char *path)
{
	return w->at ? !path[0] && is_same(at, w->at) : strcmp(path, w->path) == 0;
}

static struct port *
find(const struct ports *p, const struct place *w)
{
	for (uint32_t i = 0; p && i < LISTENER_SLOTS; i++)
		if (p->slot[i].used && is_at(w, &p->slot[i].asked, p->slot[i].path))
			return (struct port *)&p->slot[i];
	return NULL;
}

void
port_print(const struct port *p, char text[PORT_TEXT_MAX])
{
	if (p->path[0])
		snprintf(text, PORT_TEXT_MAX, "unix:%s", p->path);
	else
		endpoint_print(&p->bound, text);
}

/* --- what systemd passed --- */

#ifdef HAVE_SYSTEMD

static bool
passed_init(struct passed *p, int fd)
{
	struct sockaddr_storage sa = {0};
	socklen_t               n = sizeof sa;
	int                     only = 1;
	socklen_t               only_n = sizeof only;

	*p = (struct passed){.fd = fd};
	if (sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) <= 0 || getsockname(fd, (struct sockaddr *)&sa, &n) != 0 || !listener_adopt(fd))
		return false;
	if (sa.ss_family == AF_UNIX) {
		const struct sockaddr_un *sun = (const struct sockaddr_un *)&sa;
		size_t path_n = strnlen(sun->sun_path, sizeof sun->sun_path);
		if (path_n == sizeof p->path)
			return false;
		memcpy(p->path, sun->sun_path, path_n);
		return p->path[0] == '/';
	}
	if (!endpoint_from_sockaddr((const struct sockaddr *)&sa, &p->at))
		return false;
	if (sa.ss_family == AF_INET6 && getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, &only_n) == 0)
		p->both = !only && addr_eq(&p->at.addr, &(struct addr){{0}});
	return true;
}

void
ports_take_passed(void)
{
	int n = sd_listen_fds(1);

	for (int i = 0; i < n; i++) {
		int fd = SD_LISTEN_FDS_START + i;
		if (n_passed < PASSED_MAX && passed_init(&passed[n_passed], fd))
			n_passed++;
		else
			log_warn("descriptor %d that systemd passed is no listening stream socket with an address or a path, or there are too many: not used", fd);
	}
}

#else

void
ports_take_passed(void)
{
}

#endif

/* The `nth` of those at this place, over and over when there are fewer; null: there is none. Several share an address with ReusePort=yes, and each of them
 * must be accepted on. */
static const struct passed *
passed_find(const struct place *w, uint32_t nth)
{
	unsigned found = 0;

	for (unsigned i = 0; i < n_passed; i++)
		found += is_at(w, &passed[i].at, passed[i].path);
	for (unsigned i = 0, k = 0; found && i < n_passed; i++)
		if (is_at(w, &passed[i].at, passed[i].path) && k++ == nth % found)
			return &passed[i];
	return NULL;
}

/* Does a socket for both families bring this IPv4 port already? */
static bool
passed_covers(const struct place *w)
{
	if (!w->at || !addr_eq(&w->at->addr, &(struct addr){.b = {[10] = 0xff, [11] = 0xff}}))
		return false;
	for (unsigned i = 0; i < n_passed; i++)
		if (passed[i].both && passed[i].at.port == w->at->port)
			return true;
	return false;
}

void
ports_name_unused(const struct conf *c, struct report *r)
{
	const struct conf_listener *l;

	for (unsigned i = 0; i < n_passed; i++) {
		const struct passed *p = &passed[i];
		struct port          as = {.bound = p->at};
		char                 text[PORT_TEXT_MAX];
		bool                 wanted = false;
		TAILQ_FOREACH(l, &c->listeners, link) {
			for (size_t k = 0; k < l->address.n; k++)
				wanted |= !p->path[0] && is_same(&l->address.v[k], &p->at);
			for (size_t k = 0; k < l->paths.n; k++)
				wanted |= p->path[0] && span_eq(l->paths.v[k].text, span_str(p->path));
		}
		memcpy(as.path, p->path, sizeof as.path);
		port_print(&as, text);
		if (!wanted)
			report_warn(r, (struct where){0}, "systemd passes a socket at %s, which no listener has for its address; nobody accepts there", text);
	}
}

/* --- opening and closing --- */

/* The file of a UNIX socket goes with it, unless another one stands there by now. */
static void
remove_file(const struct port *p)
{
	struct stat st;

	if (p->ino && lstat(p->path, &st) == 0 && st.st_dev == p->dev && st.st_ino == p->ino)
		unlink(p->path);
}

static void
close_port(struct port *p, uint32_t n_workers)
{
	for (uint32_t w = 0; w < n_workers; w++) {
		bool again = false;
		for (uint32_t k = 0; k < w; k++)
			again |= p->fd[k] == p->fd[w];
		if (p->fd[w] >= 0 && !again)
			close(p->fd[w]);
	}
	remove_file(p);
	p->used = false;
}

/* Copies: systemd's own stay open when the listener goes. */
static bool
open_passed(struct port *p, const struct place *w, uint32_t n_workers, char *why, size_t why_n)
{
	for (uint32_t i = 0; i < n_workers; i++) {
		const struct passed *from = passed_find(w, i);
		uint32_t             k = 0;
		while (k < i && passed_find(w, k) != from)
			k++;
		p->fd[i] = k < i ? p->fd[k] : fcntl(from->fd, F_DUPFD_CLOEXEC, 3);
		if (p->fd[i] < 0) {
			snprintf(why, why_n, "cannot copy the socket that systemd passed: %s", strerror(errno));
			return false;
		}
		p->bound = from->at;
	}
	return true;
}

static bool
open_unix(struct port *p, unsigned mode, uint32_t n_workers, char *why, size_t why_n)
{
	struct stat st;
	int         fd = listener_open_unix(p->path, mode, why, why_n);

	for (uint32_t i = 0; i < n_workers; i++)
		p->fd[i] = fd;
	if (fd >= 0 && lstat(p->path, &st) == 0) {
		p->dev = st.st_dev;
		p->ino = st.st_ino;
	}
	return fd >= 0;
}

static bool
open_inet(struct port *p, const struct endpoint *e, uint32_t n_workers, char *why, size_t why_n)
{
	p->bound = *e;
	for (uint32_t w = 0; w < n_workers; w++)
		/* port 0: the first socket gets one from the kernel, the others join it */
		if ((p->fd[w] = listener_open(&p->bound, n_workers > 1, why, why_n)) < 0 || !listener_where(p->fd[w], &p->bound))
			return false;
	return true;
}

static bool
has_port(const struct ports *p, uint16_t port)
{
	for (uint32_t i = 0; p && i < LISTENER_SLOTS; i++)
		if (p->slot[i].used && !p->slot[i].path[0] && p->slot[i].bound.port == port)
			return true;
	return false;
}

/* SO_REUSEPORT would let another gateway of the same user share the port, unseen: without it the kernel tells. One that is ours already, at this address or a
 * wider one, is in nobody's way. */
static bool
is_free(const struct opening *o, const struct endpoint *e, char *why, size_t why_n)
{
	int fd;

	if (o->n_workers == 1 || !e->port || has_port(o->to, e->port) || has_port(o->old, e->port))
		return true;
	fd = listener_open(e, false, why, why_n);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static bool
open_port(const struct opening *o, struct port *p, const struct place *w, unsigned mode, char *why, size_t why_n)
{
	bool ok;

	*p = (struct port){.used = true};
	if (w->at)
		p->asked = *w->at;
	else
		memcpy(p->path, w->path, sizeof p->path);
	for (uint32_t i = 0; i < o->n_workers; i++)
		p->fd[i] = -1;
	if (passed_find(w, 0))
		ok = open_passed(p, w, o->n_workers, why, why_n);
	else if (!w->at)
		ok = open_unix(p, mode, o->n_workers, why, why_n);
	else
		ok = is_free(o, w->at, why, why_n) && open_inet(p, w->at, o->n_workers, why, why_n);
	if (!ok)
		close_port(p, o->n_workers);
	return ok;
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

/* For TPROXY. What is redirected comes without it. */
static void
make_transparent(const struct opening *o, const struct port *p, const struct conf_listener *l)
{
	char text[PORT_TEXT_MAX];

	for (uint32_t w = 0; w < o->n_workers; w++)
		if (!listener_make_transparent(p->fd[w])) {
			port_print(p, text);
			report_warn(o->r, l->mode_at, "mode = transparent: %s takes what nftables redirects, but nothing from TPROXY, for which it needs CAP_NET_ADMIN: %s", text,
			    strerror(errno));
			return;
		}
}

static void
place_open(const struct opening *o, const struct conf_listener *l, uint16_t index, const struct place *w)
{
	struct port *was = find(o->old, w), *slot;
	char         why[UNIX_PATH_MOST + 160];

	if (was && !find(o->to, w)) {
		slot = &o->to->slot[was - o->old->slot];
		*slot = *was;
	} else if (passed_covers(w)) {
		return;
	} else if (!(slot = spare_slot(o->to, o->old))) {
		report_error(o->r, l->at, "too many addresses: at most %u over all listeners", LISTENER_SLOTS);
		return;
	} else if (!open_port(o, slot, w, l->socket_mode, why, sizeof why)) {
		report_error(o->r, l->at, "cannot listen: %s; is another program there, does this machine not have the address, or are privileges missing?", why);
		return;
	}
	slot->index = index;
	slot->mode = l->socket_mode;
	if (l->mode == LISTENER_TRANSPARENT)
		make_transparent(o, slot, l);
}

static void
listener_places(const struct opening *o, const struct conf_listener *l, uint16_t index)
{
	for (size_t i = 0; i < l->address.n; i++)
		place_open(o, l, index, &(struct place){.at = &l->address.v[i]});
	for (size_t i = 0; i < l->paths.n; i++) {
		struct place w = {0};
		memcpy(w.path, l->paths.v[i].text.p, l->paths.v[i].text.n); /* conf saw to its length */
		place_open(o, l, index, &w);
	}
}

struct ports *
ports_open(const struct conf *c, const struct ports *old, uint32_t n_workers, struct report *r)
{
	struct ports         *p = calloc(1, sizeof *p);
	struct opening        o = {.to = p, .old = old, .n_workers = n_workers, .r = r};
	struct conf_listener *l;
	uint16_t              index = 0;
	size_t                errors = r->errors;

	if (!p) {
		report_error(r, (struct where){0, 0}, "out of memory");
		return NULL;
	}
	p->n_workers = n_workers;
	p->secrets = secrets_open(c, r);
	TAILQ_FOREACH(l, &c->listeners, link)
		listener_places(&o, l, index++);
	if (r->errors == errors && (p->keys = keys_open(c, r)))
		return p;
	ports_free(p, old);
	return NULL;
}

struct ports *
ports_again(const struct ports *p)
{
	struct ports *q = malloc(sizeof *q);

	if (!q)
		return NULL;
	*q = *p;
	secrets_ref(q->secrets);
	keys_ref(q->keys);
	return q;
}

void
ports_use(const struct ports *p)
{
	for (uint32_t i = 0; i < LISTENER_SLOTS; i++)
		if (p->slot[i].used && p->slot[i].ino && chmod(p->slot[i].path, p->slot[i].mode) != 0)
			log_warn("the mode of %s cannot be set: %s", p->slot[i].path, strerror(errno));
}

void
ports_free(struct ports *p, const struct ports *kept)
{
	if (!p)
		return;
	secrets_unref(p->secrets);
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
		if (p->slot[i].used && !p->slot[i].path[0])
			out[n++] = p->slot[i].bound;
	return n;
}
