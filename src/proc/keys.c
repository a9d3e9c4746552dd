/* SPDX-License-Identifier: MIT */
#include "proc/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tls/key.h"

/* -1 with errno. */
static int
copy_sealed(int from, off_t n)
{
	int     fd = memfd_create("postern-tls-key", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	off_t   at = 0;
	ssize_t got = 1;

	while (fd >= 0 && at < n && got > 0)
		got = sendfile(fd, from, &at, (size_t)(n - at));
	if (fd >= 0 && got >= 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

/* -1: reported. */
static int
key_open(const struct conf_listener *l, struct report *r)
{
	int         file = open(l->tls_key, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), fd = -1;
	struct stat st;

	if (file >= 0 && fstat(file, &st) == 0) {
		errno = !S_ISREG(st.st_mode) ? EINVAL : st.st_size > (off_t)KEY_MOST ? EFBIG : 0;
		if (errno == 0)
			fd = copy_sealed(file, st.st_size);
	}
	if (fd < 0)
		report_error(r, l->tls_key_at, "tls-key: %s cannot be read: %s", l->tls_key, strerror(errno));
	if (file >= 0)
		close(file);
	return fd;
}

static bool
key_add(struct keys *k, const struct conf *c, const struct conf_listener *l, uint16_t index, struct report *r)
{
	struct listener_key *one = &k->v[k->n];
	uint32_t             file = l->tls_key_at.file;

	one->index = index;
	one->fd = key_open(l, r);
	if (one->fd < 0)
		return false;
	k->n++;
	if (asprintf(&one->at, "%s:%u: tls-key", file < c->n_files ? c->files[file].path : "", (unsigned)l->tls_key_at.line) >= 0)
		return true;
	one->at = NULL;
	report_error(r, l->tls_key_at, "out of memory");
	return false;
}

struct keys *
keys_open(const struct conf *c, struct report *r)
{
	struct keys                *k = calloc(1, sizeof *k);
	const struct conf_listener *l;
	size_t                      n = 0;
	uint16_t                    index = 0;
	bool                        ok;

	TAILQ_FOREACH (l, &c->listeners, link)
		n++;
	if (k)
		k->v = calloc(n + 1, sizeof *k->v);
	ok = k && k->v;
	if (!ok)
		report_error(r, (struct where){0, 0}, "out of memory");
	else
		k->refs = 1;
	TAILQ_FOREACH (l, &c->listeners, link) {
		if (ok && l->tls_cert && l->tls_key)
			ok = key_add(k, c, l, index, r);
		index++;
	}
	if (ok)
		return k;
	if (k && k->v)
		keys_unref(k);
	else
		free(k);
	return NULL;
}

struct keys *
keys_ref(struct keys *k)
{
	k->refs++;
	return k;
}

void
keys_unref(struct keys *k)
{
	if (!k || --k->refs)
		return;
	for (size_t i = 0; i < k->n; i++) {
		close(k->v[i].fd);
		free(k->v[i].at);
	}
	free(k->v);
	free(k);
}

const char *
keys_where(const struct keys *k, uint16_t index)
{
	for (size_t i = 0; k && i < k->n; i++)
		if (k->v[i].index == index)
			return k->v[i].at;
	return "tls-key";
}
