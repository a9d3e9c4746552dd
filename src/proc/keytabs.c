/* SPDX-License-Identifier: MIT */
#include "proc/keytabs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auth/back.h"
#include "auth/bundle.h"
#include "base/log.h"

bool
keytabs_init(struct keytabs *k, const struct conf *c)
{
	const struct conf_parent *p;
	size_t                    n = 0;

	TAILQ_FOREACH (p, &c->parents, link)
		n += p->auth == PARENT_AUTH_NEGOTIATE;
	*k = (struct keytabs){0};
	if (!n)
		return true;
	if (!(k->v = calloc(n, sizeof *k->v)))
		return false;
	TAILQ_FOREACH (p, &c->parents, link) {
		if (p->auth != PARENT_AUTH_NEGOTIATE)
			continue;
		k->v[k->n].parent = strndup(p->name.p, p->name.n);
		k->v[k->n].path = strdup(p->keytab);
		k->n++;
		if (!k->v[k->n - 1].parent || !k->v[k->n - 1].path)
			return false;
	}
	return true;
}

void
keytabs_clear(struct keytabs *k)
{
	for (size_t i = 0; i < k->n; i++) {
		free(k->v[i].parent);
		free(k->v[i].path);
	}
	free(k->v);
	*k = (struct keytabs){0};
}

static void
look_at(const char *path, struct stat *st)
{
	if (stat(path, st) != 0)
		*st = (struct stat){0};
}

static void
add(int bundle, struct keytab *one)
{
	const char *fault;
	int         fd;

	look_at(one->path, &one->seen);
	fd = open(one->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	fault = fd < 0 ? strerror(errno) : back_file_fault(BACK_INITIATOR, fd);
	if (!fault && !bundle_add(bundle, span_str(one->parent), fd))
		fault = strerror(errno);
	if (fault)
		log_warn("%s: %s; nobody can log on to parent %s until it can be read", one->path, fault, one->parent);
	if (fd >= 0)
		close(fd);
}

int
keytabs_open(struct keytabs *k)
{
	int bundle = bundle_new();

	if (bundle < 0)
		log_warn("no memory for keytabs: %s", strerror(errno));
	for (size_t i = 0; bundle >= 0 && i < k->n; i++)
		add(bundle, &k->v[i]);
	return bundle;
}

bool
keytabs_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	    a->st_mtim.tv_nsec == b->st_mtim.tv_nsec && a->st_mode == b->st_mode && a->st_uid == b->st_uid;
}

bool
keytabs_differ(const struct keytabs *k)
{
	struct stat now;

	for (size_t i = 0; i < k->n; i++) {
		look_at(k->v[i].path, &now);
		if (!keytabs_same_file(&now, &k->v[i].seen))
			return true;
	}
	return false;
}
