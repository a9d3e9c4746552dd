/* SPDX-License-Identifier: MIT */
#include "base/flat.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FLAT_FIRST_ROOM ((size_t)1 << 16)
#define FLAT_SEALS      (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK)

void
flat_init(struct flat *f)
{
	*f = (struct flat){0};
}

void
flat_clear(struct flat *f)
{
	if (f->base)
		munmap(f->base, f->room);
	*f = (struct flat){0};
}

static bool
grow(struct flat *f, size_t need)
{
	size_t room = f->room ? f->room : FLAT_FIRST_ROOM;
	void  *p;

	while (room < need)
		room *= 2;
	if (room == f->room)
		return true;
	p = f->base ? mremap(f->base, f->room, room, MREMAP_MAYMOVE)
	            : mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return false;
	f->base = p;
	f->room = room;
	return true;
}

uint32_t
flat_add(struct flat *f, const void *data, size_t n, size_t align)
{
	size_t at = f->used ? f->used : 1; /* offset 0 means none */

	at = (at + align - 1) & ~(align - 1);
	if (f->failed || n > UINT32_MAX - at || !grow(f, at + n)) {
		f->failed = true;
		return 0;
	}
	if (data && n)
		memcpy(f->base + at, data, n);
	f->used = at + n;
	return (uint32_t)at;
}

struct flat_ref
flat_add_text(struct flat *f, struct span s)
{
	uint32_t off = flat_add(f, s.p, s.n, 1);
	return (struct flat_ref){off, off ? (uint32_t)s.n : 0};
}

int
flat_seal(const struct flat *f, const char *name)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -1;
	for (size_t at = 0; at < f->used;) {
		ssize_t w = write(fd, f->base + at, f->used - at);
		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			goto fail;
		at += (size_t)w;
	}
	if (fcntl(fd, F_ADD_SEALS, FLAT_SEALS) == 0)
		return fd;
fail:;
	int e = errno;
	close(fd);
	errno = e;
	return -1;
}

const void *
flat_map(int fd, size_t *n)
{
	struct stat st;
	int         seals = fcntl(fd, F_GET_SEALS);
	void       *p;

	if (seals < 0 || (seals & FLAT_SEALS) != FLAT_SEALS || fstat(fd, &st) != 0 || st.st_size <= 0) {
		errno = EINVAL;
		return NULL;
	}
	/* private: kernels before 6.7 refuse a shared mapping of a write-sealed memfd */
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return NULL;
	*n = (size_t)st.st_size;
	return p;
}

void
flat_unmap(const void *p, size_t n)
{
	if (p)
		munmap((void *)(uintptr_t)p, n);
}
