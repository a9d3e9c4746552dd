/* SPDX-License-Identifier: MIT */
/*
 * files: may others change what the gateway is told by? Looks at the mode of each file and of the folders that lead to it: who may write to a folder puts
 * another file in its place, unless it is sticky. Keys and certificates that are open themselves conf/ has refused; their folders are looked at here.
 * Says nothing of owners: who installs a gateway may be anybody.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "conf/key_uri.h"
#include "lint/parts.h"

#define FOLDERS_MOST 64u /* told; each once */

struct looking {
	struct report *r;
	char          *folder[FOLDERS_MOST]; /* owned */
	size_t         n;
};

/* The group's bit counts where the group is not root's. */
static bool
others_may_write(const struct stat *st)
{
	return (st->st_mode & S_IWOTH) || ((st->st_mode & S_IWGRP) && st->st_gid != 0);
}

static bool
is_told(struct looking *l, const char *folder)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->folder[i], folder) == 0)
			return true;
	if (l->n == FOLDERS_MOST)
		return true;
	l->folder[l->n] = strdup(folder);
	if (!l->folder[l->n])
		return true;
	l->n++;
	return false;
}

/* The folders above `path`, which is absolute and without links; it is cut short meanwhile. */
static void
folders_look(struct looking *l, struct where at, char *path)
{
	struct stat st;
	char       *slash;

	while ((slash = strrchr(path, '/'))) {
		slash[slash == path] = '\0';
		if (stat(path, &st) == 0 && others_may_write(&st) && !(st.st_mode & S_ISVTX) && !is_told(l, path))
			report_find(l->r, FINDING_FILE_WRITABLE, at, "folder %s has mode %04o, so that others can put other files in the place of those that the gateway reads; "
			    "take the right to write from them (chmod go-w)", path, (unsigned)(st.st_mode & 07777));
		if (slash == path)
			return;
	}
}

static void
file_look(struct looking *l, struct where at, const char *path)
{
	struct stat st;
	char       *real;

	if (!path || stat(path, &st) != 0)
		return;
	if (S_ISREG(st.st_mode) && others_may_write(&st))
		report_find(l->r, FINDING_FILE_WRITABLE, at, "%s has mode %04o, so that others can change it; take the right to write from them (chmod go-w)", path,
		    (unsigned)(st.st_mode & 07777));
	real = realpath(path, NULL);
	if (real)
		folders_look(l, at, real);
	free(real);
}

/* One that conf/ refuses when others may change it. */
static void
closed_look(struct looking *l, struct where at, const char *path)
{
	char *real = path ? realpath(path, NULL) : NULL;

	if (real)
		folders_look(l, at, real);
	free(real);
}

static void
inspection_look(struct looking *l, const struct conf_inspection *i)
{
	closed_look(l, i->ca_cert_at, i->ca_cert);
	if (i->ca_key && !key_uri_is(i->ca_key))
		closed_look(l, i->ca_key_at, i->ca_key);
	closed_look(l, i->ca_key_at, i->ca_pin);
	closed_look(l, i->ca_key_at, i->ca_module);
	for (size_t k = 0; k < i->trust.n; k++)
		if (i->trust.v[k].quoted)
			closed_look(l, i->trust.v[k].at, i->trust.v[k].text.p);
	for (size_t k = 0; k < i->crl.n; k++)
		closed_look(l, i->crl.v[k].at, i->crl.v[k].text.p);
}

void
lint_files(const struct conf *c, struct report *r)
{
	struct looking              l = {.r = r};
	const struct conf_listener *listener;
	const struct conf_parent   *parent;

	for (size_t i = 0; i < c->n_files; i++)
		file_look(&l, (struct where){(uint32_t)i, 0}, c->files[i].path);
	inspection_look(&l, &c->inspection);
	closed_look(&l, c->auth.basic_file_at, c->auth.basic_file);
	closed_look(&l, c->auth.ntlm_file_at, c->auth.ntlm_file);
	closed_look(&l, c->auth.keytab_at, c->auth.keytab);
	closed_look(&l, c->auth.at, c->auth.ldap_ca);
	TAILQ_FOREACH (listener, &c->listeners, link) {
		closed_look(&l, listener->tls_cert_at, listener->tls_cert);
		closed_look(&l, listener->tls_key_at, listener->tls_key);
	}
	TAILQ_FOREACH (parent, &c->parents, link) {
		closed_look(&l, parent->credentials_at, parent->credentials);
		closed_look(&l, parent->keytab_at, parent->keytab);
	}
	for (size_t i = 0; i < l.n; i++)
		free(l.folder[i]);
}
