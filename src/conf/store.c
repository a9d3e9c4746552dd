/* SPDX-License-Identifier: MIT */
#include "conf/store.h"

#include <stdalign.h>
#include <stdlib.h>

#define BLOCK_BYTES 16384

struct conf_block {
	struct conf_block *next;
	size_t             used, room;
	alignas(max_align_t) char bytes[];
};

void *
conf_alloc(struct conf *c, size_t n)
{
	const size_t       step = alignof(max_align_t);
	struct conf_block *b = c->blocks;

	n = (n + step - 1) / step * step;
	if (!b || b->room - b->used < n) {
		size_t room = n > BLOCK_BYTES ? n : BLOCK_BYTES;
		b = calloc(1, sizeof *b + room);
		if (!b)
			return NULL;
		b->room = room;
		b->next = c->blocks;
		c->blocks = b;
	}
	b->used += n;
	return b->bytes + b->used - n;
}

char *
conf_keep(struct conf *c, struct span s)
{
	char *copy = conf_alloc(c, s.n + 1);

	if (copy && s.n)
		memcpy(copy, s.p, s.n);
	return copy;
}

char *
conf_path(struct conf *c, const char *base, struct span name)
{
	const char *slash = strrchr(base, '/');
	size_t      dir = slash ? (size_t)(slash - base) + 1 : 0;
	char       *path;

	if (dir == 0 || (name.n && name.p[0] == '/'))
		return conf_keep(c, name);
	path = conf_alloc(c, dir + name.n + 1);
	if (path) {
		memcpy(path, base, dir);
		memcpy(path + dir, name.p, name.n);
	}
	return path;
}

static size_t
array_room(size_t n)
{
	size_t room = 4;

	if (n == 0)
		return 0;
	while (room < n)
		room *= 2;
	return room;
}

bool
array_grow(void **v, size_t n, size_t more, size_t size)
{
	void *p;

	if (n + more <= array_room(n))
		return true;
	p = realloc(*v, array_room(n + more) * size);
	if (!p)
		return false;
	*v = p;
	return true;
}

bool
conf_file_add(struct conf *c, char *path, uint32_t *index)
{
	if (!array_grow((void **)&c->files, c->n_files, 1, sizeof *c->files))
		return false;
	*index = (uint32_t)c->n_files;
	c->files[c->n_files++] = (struct conf_file){.path = path};
	return true;
}

static void
lists_clear(struct conf *c)
{
	struct conf_listener *l;
	struct conf_list     *s;
	struct conf_rule     *r;
	struct conf_log      *a;

	TAILQ_FOREACH(l, &c->listeners, link) {
		free(l->address.v);
		free(l->paths.v);
		free(l->clients.v);
		free(l->proxy_from.v);
	}
	TAILQ_FOREACH(s, &c->lists, link) {
		free(s->hosts.v);
		free(s->files.v);
		free(s->read.v);
		free(s->addresses.v);
		free(s->probes.v);
	}
	TAILQ_FOREACH(r, &c->rules, link) {
		struct conf_items *const all[] = {&r->hosts, &r->ports, &r->schemes, &r->methods, &r->clients, &r->listeners, &r->addresses, &r->times,
			&r->users, &r->groups, &r->url, &r->headers, &r->content_types, &r->origin_tls, &r->origin_strength, &r->set_request_header,
			&r->remove_request_header, &r->set_response_header, &r->remove_response_header, &r->parent, &r->source};
		for (size_t i = 0; i < sizeof all / sizeof *all; i++)
			free(all[i]->v);
	}
	TAILQ_FOREACH(a, &c->logs, link) {
		free(a->rules.v);
		free(a->actions.v);
		free(a->anonymise.v);
	}
}

void
conf_free(struct conf *c)
{
	if (!c)
		return;
	lists_clear(c);
	free(c->gateway.connect_ports.v);
	free(c->gateway.http_ports.v);
	free(c->gateway.egress_deny.v);
	free(c->gateway.egress_allow.v);
	free(c->gateway.admin_clients.v);
	free(c->gateway.resolvers.v);
	free(c->gateway.admin.v);
	free(c->gateway.parent.v);
	free(c->pac.proxy.v);
	free(c->pac.direct.v);
	free(c->doctor.lists.v);
	free(c->doctor.issuers.v);
	free(c->inspection.ca_pin);
	free(c->inspection.ca_module);
	free(c->inspection.trust.v);
	free(c->inspection.crl.v);
	for (size_t i = 0; i < c->n_files; i++)
		free(c->files[i].bytes);
	free(c->files);
	while (c->blocks) {
		struct conf_block *next = c->blocks->next;
		free(c->blocks);
		c->blocks = next;
	}
	free(c);
}
