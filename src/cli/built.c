/* SPDX-License-Identifier: MIT */
#include "cli/built.h"

#include <unistd.h>

#include "audit/check.h"
#include "cli/cli.h"
#include "session/gateway.h"

/* Where the gateway would listen; ports that the kernel is to choose are not known. */
static size_t
own_places(const struct conf *c, struct endpoint own[LISTENER_SLOTS])
{
	const struct conf_listener *l;
	size_t                      n = 0;

	TAILQ_FOREACH (l, &c->listeners, link)
		for (size_t i = 0; i < l->address.n && n < LISTENER_SLOTS; i++)
			if (l->address.v[i].port)
				own[n++] = l->address.v[i];
	return n;
}

static struct snapshot *
snapshot_of(const struct conf *c, struct report *r)
{
	struct endpoint        own[LISTENER_SLOTS];
	struct snapshot_inputs in = {.generation = 1, .own = own, .n_own = own_places(c, own)};
	struct snapshot       *s;
	int                    block;

	log_formats_check(c, r);
	block = snapshot_build(c, &in, r);
	if (block < 0)
		return NULL;
	s = snapshot_open(block, true);
	close(block);
	return s;
}

bool
built_open(struct built *b, const char *path)
{
	struct report r;

	*b = (struct built){0};
	if (!cli_file_readable(path))
		return false;
	report_init(&r);
	b->c = conf_load(path, &r);
	b->s = b->c ? snapshot_of(b->c, &r) : NULL;
	if (!b->s) {
		if (b->c)
			report_print(&r, b->c, stderr);
		cli_file_error(path, r.errors ? "the configuration has errors: nothing can be decided by it" : "out of memory");
		built_close(b);
	}
	report_clear(&r);
	return b->s != NULL;
}

void
built_close(struct built *b)
{
	snapshot_unref(b->s);
	conf_free(b->c);
	*b = (struct built){0};
}
