/* SPDX-License-Identifier: MIT */
/* heir: the side of an upgrade that comes; and the estate, which both sides speak of. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "conf/store.h"
#include "ipc/channel.h"
#include "net/listener.h"
#include "proc/upgrade.h"

#define VARIABLE "POSTERN_UPGRADE"

/* --- the estate --- */

bool
estate_add(struct estate *e, unsigned index, int fd, const char *fmt, ...)
{
	va_list ap;
	char   *key;
	int     n;

	va_start(ap, fmt);
	n = vasprintf(&key, fmt, ap);
	va_end(ap);
	if (n >= 0 && ARRAY_ADD(e, ((struct estate_item){key, index, fd})))
		return true;
	if (n >= 0)
		free(key);
	return false;
}

void
estate_clear(struct estate *e)
{
	for (size_t i = 0; i < e->n; i++)
		free(e->v[i].key);
	free(e->v);
	*e = (struct estate){0};
}

int
estate_take(struct estate *e, unsigned index, const char *fmt, ...)
{
	char    key[4200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(key, sizeof key, fmt, ap);
	va_end(ap);
	for (size_t i = 0; i < e->n; i++)
		if (e->v[i].fd >= 0 && e->v[i].index == index && strcmp(e->v[i].key, key) == 0) {
			int fd = e->v[i].fd;
			e->v[i].fd = -1;
			return fd;
		}
	return -1;
}

/* Where it was asked to listen, as hexadecimal digits: the text of an address may change between versions. */
static void
place_print(const struct endpoint *e, char out[64])
{
	for (unsigned i = 0; i < sizeof e->addr.b; i++)
		snprintf(out + 2 * i, 3, "%02x", e->addr.b[i]);
	snprintf(out + 32, 32, " %" PRIu32 " %u", e->scope, e->port);
}

static bool
place_read(const char *text, struct endpoint *e)
{
	unsigned port;

	*e = (struct endpoint){0};
	for (unsigned i = 0; i < sizeof e->addr.b; i++)
		if (sscanf(text + (size_t)2 * i, "%2" SCNx8, &e->addr.b[i]) != 1)
			return false;
	if (strlen(text) < 34 || sscanf(text + 32, " %" SCNu32 " %u", &e->scope, &port) != 2 || port > UINT16_MAX)
		return false;
	e->port = (uint16_t)port;
	return true;
}

bool
ports_bequeath(const struct ports *p, struct estate *e)
{
	char place[64];

	for (uint32_t i = 0; i < LISTENER_SLOTS; i++) {
		const struct port *port = &p->slot[i];
		if (!port->used)
			continue;
		place_print(&port->asked, place);
		for (uint32_t w = 0; w < p->n_workers; w++)
			if (!(port->path[0] ? estate_add(e, w, port->fd[w], "unix %u %s", port->ino != 0, port->path) : estate_add(e, w, port->fd[w], "port %s", place)))
				return false;
	}
	return true;
}

/* The place that `key` names, into a port without sockets. */
static bool
port_read(const char *key, struct port *port)
{
	size_t n = strlen(key);

	*port = (struct port){0};
	if (strncmp(key, "port ", 5) == 0)
		return place_read(key + 5, &port->asked);
	if (strncmp(key, "unix ", 5) != 0 || n < 8 || n - 7 >= sizeof port->path)
		return false;
	port->has_file = key[5] == '1';
	strcpy(port->path, key + 7);
	return true;
}

struct ports *
ports_adopt(struct estate *e, uint32_t n_workers)
{
	struct ports *p = calloc(1, sizeof *p);
	uint32_t      n = 0;

	if (!p)
		return NULL;
	p->n_workers = n_workers;
	for (size_t i = 0; i < e->n && n < LISTENER_SLOTS; i++) {
		struct port *port = &p->slot[n];
		const char  *key = e->v[i].key;
		bool         whole = true;
		if (e->v[i].index != 0 || e->v[i].fd < 0 || !port_read(key, port) || (!port->path[0] && !listener_where(e->v[i].fd, &port->bound)))
			continue;
		for (uint32_t w = 0; w < n_workers; w++) {
			port->fd[w] = estate_take(e, w, "%s", key);
			whole = whole && port->fd[w] >= 0;
		}
		port->used = whole;
		n += whole;
	}
	return p;
}

void
ports_leave_files(struct ports *p)
{
	for (uint32_t i = 0; p && i < LISTENER_SLOTS; i++)
		p->slot[i].ino = 0;
}

void
ports_own_files(struct ports *p)
{
	struct stat st;

	for (uint32_t i = 0; p && i < LISTENER_SLOTS; i++)
		if (p->slot[i].used && p->slot[i].has_file && lstat(p->slot[i].path, &st) == 0) {
			p->slot[i].dev = st.st_dev;
			p->slot[i].ino = st.st_ino;
		}
}

bool
admin_bequeath(const struct admin *a, struct estate *e)
{
	char place[64];

	for (uint32_t i = 0; i < a->now.n; i++) {
		place_print(&a->now.v[i].asked, place);
		if (!estate_add(e, 0, a->now.v[i].fd, "admin %s", place))
			return false;
	}
	return true;
}

void
admin_adopt(struct admin *a, struct estate *e)
{
	for (size_t i = 0; i < e->n && a->now.n < ADMIN_PORTS; i++) {
		const char *key = e->v[i].key;
		if (strncmp(key, "admin ", 6) != 0 || !place_read(key + 6, &a->now.v[a->now.n].asked) || !listener_where(e->v[i].fd, &a->now.v[a->now.n].bound))
			continue;
		a->now.v[a->now.n++].fd = estate_take(e, e->v[i].index, "%s", key);
	}
}

void
admin_give_away(struct admin *a)
{
	for (uint32_t i = 0; i < a->now.n; i++)
		close(a->now.v[i].fd);
	a->now.n = 0; /* so that nobody starts it again */
	admin_kill(a);
}

/* --- the one that comes --- */

static void
table_read(struct heir *h, FILE *f)
{
	char *line = NULL;
	size_t room = 0;

	while (getline(&line, &room, f) > 0) {
		char    *index = strchr(line, '\t'), *fd = index ? strchr(index + 1, '\t') : NULL;
		unsigned i;
		int      n;
		if (!fd)
			continue;
		*index++ = '\0';
		if (sscanf(index, "%u\t%d", &i, &n) != 2)
			continue;
		if (strcmp(line, "workers") == 0)
			h->workers = i <= SHARED_WORKERS_MAX ? i : 0;
		else if (fcntl(n, F_SETFD, FD_CLOEXEC) == 0 && !estate_add(&h->estate, i, n, "%s", line))
			close(n);
	}
	free(line);
}

bool
heir_init(struct heir *h)
{
	const char *text = getenv(VARIABLE);
	int         table;
	FILE       *f;

	*h = (struct heir){.channel = -1};
	if (!text || sscanf(text, "%d,%d", &h->channel, &table) != 2) {
		h->channel = -1;
		return false;
	}
	unsetenv(VARIABLE);
	if (fcntl(h->channel, F_SETFD, FD_CLOEXEC) != 0 || !(f = fdopen(table, "r"))) {
		h->channel = -1;
		return false;
	}
	table_read(h, f);
	fclose(f);
	return true;
}

static void
on_channel(void *arg, unsigned what)
{
	struct heir   *h = arg;
	struct message m;
	int            channel;
	bool           taken;

	(void)what;
	switch (channel_receive(h->channel, &m)) {
	case CHANNEL_GOT:
		taken = m.type == MSG_GO;
		message_drop(&m);
		break;
	case CHANNEL_EMPTY:
		return;
	default:
		taken = true; /* it is gone: there is nobody else */
		break;
	}
	if (!taken)
		return;
	watch_clear(&h->watch);
	channel = h->channel;
	h->channel = -1;
	h->taken = true;
	h->on_taken(h->arg);
	close(channel); /* the one before says that we serve when all is ours */
}

void
heir_serves(struct heir *h, struct loop *loop, void (*on_taken)(void *arg), void *arg)
{
	struct message m = {.type = MSG_APPLIED};

	h->on_taken = on_taken;
	h->arg = arg;
	if (!channel_send(h->channel, &m) || !watch_init_level(&h->watch, loop, h->channel, WATCH_READ, on_channel, h))
		log_error("upgrade: the program before this one cannot be reached");
}

void
heir_refuses(struct heir *h, const char *why)
{
	struct message m = {.type = MSG_REFUSED};

	if (h->channel < 0)
		return;
	snprintf(m.data, sizeof m.data, "%s", why);
	m.n = (uint32_t)strlen(m.data);
	while (m.n && m.data[m.n - 1] == '\n')
		m.n--;
	for (uint32_t i = 0; i < m.n; i++)
		if (m.data[i] == '\n')
			m.data[i] = ';';
	if (!channel_send(h->channel, &m))
		log_error("upgrade: the program before this one cannot be told: %s", strerror(errno));
}

/* What was handed over and nobody wanted; `gone`: its files too, which the other one leaves to us. */
static void
close_rest(struct estate *e, bool gone)
{
	for (size_t i = 0; i < e->n; i++) {
		const char *key = e->v[i].key;
		if (e->v[i].fd < 0)
			continue;
		if (gone && strncmp(key, "control ", 8) == 0)
			unlink(key + 8);
		else if (gone && strncmp(key, "pid ", 4) == 0)
			unlink(key + 4);
		close(e->v[i].fd);
	}
}

void
heir_clear(struct heir *h)
{
	watch_clear(&h->watch);
	if (h->channel >= 0)
		close(h->channel);
	h->channel = -1;
	close_rest(&h->estate, h->taken);
	estate_clear(&h->estate);
}
