/* SPDX-License-Identifier: MIT */
#include "auth/bundle.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_MAX_BYTES 256u

struct part_head {
	uint32_t n_name, n;
};

int
bundle_new(void)
{
	return memfd_create("postern-bundle", MFD_CLOEXEC);
}

static bool
copy(int to, int from, size_t n)
{
	off_t   at = 0;
	ssize_t got = 1;

	while ((size_t)at < n && got > 0)
		got = sendfile(to, from, &at, n - (size_t)at);
	if (got == 0)
		errno = EAGAIN; /* it became shorter meanwhile */
	return got > 0;
}

bool
bundle_add(int bundle, struct span name, int fd)
{
	struct part_head h = {.n_name = (uint32_t)name.n};
	struct stat      st;
	off_t            before = lseek(bundle, 0, SEEK_END);

	if (before < 0 || fstat(fd, &st) != 0)
		return false;
	if (name.n > NAME_MAX_BYTES || st.st_size > (off_t)BUNDLE_FILE_MAX) {
		errno = EFBIG;
		return false;
	}
	h.n = (uint32_t)st.st_size;
	if (write(bundle, &h, sizeof h) == sizeof h && write(bundle, name.p, name.n) == (ssize_t)name.n && copy(bundle, fd, h.n))
		return true;
	int why = errno;
	(void)!ftruncate(bundle, before);
	errno = why;
	return false;
}

/* The bytes from `at` on. In the process that reads them no kernel copy is allowed, nor needed. */
static int
extract(int bundle, off_t at, size_t n)
{
	char block[4096];
	int  fd = memfd_create("postern-part", MFD_CLOEXEC);
	bool ok = fd >= 0;

	for (size_t done = 0; ok && done < n;) {
		ssize_t got = pread(bundle, block, n - done < sizeof block ? n - done : sizeof block, at + (off_t)done);
		ok = got > 0 && write(fd, block, (size_t)got) == got;
		if (got == 0)
			errno = EBADMSG;
		done += got > 0 ? (size_t)got : 0;
	}
	explicit_bzero(block, sizeof block);
	if (ok)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

int
bundle_find(int bundle, struct span name)
{
	struct part_head h;
	char             text[NAME_MAX_BYTES];
	ssize_t          got;

	for (off_t at = 0; (got = pread(bundle, &h, sizeof h, at)) == sizeof h; at += (off_t)h.n) {
		at += (off_t)sizeof h;
		if (h.n_name > sizeof text || h.n > BUNDLE_FILE_MAX || pread(bundle, text, h.n_name, at) != (ssize_t)h.n_name)
			break;
		at += (off_t)h.n_name;
		if (span_eq(span_of(text, h.n_name), name))
			return extract(bundle, at, h.n);
	}
	errno = got == 0 ? ENOENT : EBADMSG;
	return -1;
}
