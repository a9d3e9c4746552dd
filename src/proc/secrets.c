/* SPDX-License-Identifier: MIT */
#include "proc/secrets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct secrets *
secrets_open(const struct conf *c, struct report *r)
{
	struct secrets           *s = calloc(1, sizeof *s);
	const struct conf_parent *p;
	size_t                    errors = r->errors;

	if (!s) {
		report_error(r, (struct where){0, 0}, "out of memory");
		return NULL;
	}
	s->refs = 1;
	TAILQ_FOREACH (p, &c->parents, link) {
		int fd = -1;
		if (s->n == PARENTS_MAX)
			break; /* reported by conf */
		if (p->auth == PARENT_AUTH_BASIC && p->credentials && (fd = open(p->credentials, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)) < 0)
			report_error(r, p->credentials_at, "credentials: %s cannot be read: %s", p->credentials, strerror(errno));
		s->fd[s->n++] = fd;
	}
	if (r->errors == errors)
		return s;
	secrets_unref(s);
	return NULL;
}

struct secrets *
secrets_ref(struct secrets *s)
{
	s->refs++;
	return s;
}

void
secrets_unref(struct secrets *s)
{
	if (!s || --s->refs)
		return;
	for (uint32_t i = 0; i < s->n; i++)
		if (s->fd[i] >= 0)
			close(s->fd[i]);
	free(s);
}
