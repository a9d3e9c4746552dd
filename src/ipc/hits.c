/* SPDX-License-Identifier: MIT */
#include "ipc/hits.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define HITS_MAGIC 0x31746968u

/* As it lies in the memory file. */
struct table {
	uint32_t         magic;
	uint32_t         room;
	_Atomic uint32_t n;
	_Atomic uint32_t final;
	_Atomic uint64_t lost;
	_Alignas(64) struct hit_row row[];
};

struct hits {
	struct table *table;
	size_t        size;
	uint32_t     *index; /* owned: number of a row + 1, 0 free; hashed by key */
	uint32_t      shift;
};

struct hits_view {
	const struct table *table;
	size_t              size;
	uint32_t            room; /* as the size has it */
};

int
hits_create(uint32_t room)
{
	struct table head = {.magic = HITS_MAGIC, .room = room > HITS_ROOM_MOST ? HITS_ROOM_MOST : room};
	off_t        size = (off_t)(sizeof head + (size_t)head.room * sizeof(struct hit_row));
	int          fd = memfd_create("postern-hits", MFD_CLOEXEC | MFD_ALLOW_SEALING), saved;

	if (fd >= 0 && ftruncate(fd, size) == 0 && pwrite(fd, &head, sizeof head, 0) == (ssize_t)sizeof head &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) == 0)
		return fd;
	saved = errno;
	if (fd >= 0)
		close(fd);
	errno = saved;
	return -1;
}

static void *
map(int fd, int prot, size_t *size)
{
	struct stat st;
	void       *p;

	if (fstat(fd, &st) != 0 || st.st_size < (off_t)sizeof(struct table))
		return NULL;
	*size = (size_t)st.st_size;
	p = mmap(NULL, *size, prot, MAP_SHARED, fd, 0);
	return p == MAP_FAILED ? NULL : p;
}

/* --- the worker's --- */

struct hits *
hits_open(int fd)
{
	struct hits *h = calloc(1, sizeof *h);
	uint32_t     bits = 4;

	if (!h || !(h->table = map(fd, PROT_READ | PROT_WRITE, &h->size)))
		goto fail;
	if (h->table->magic != HITS_MAGIC || h->table->room > (h->size - sizeof *h->table) / sizeof *h->table->row || h->table->n)
		goto fail;
	while ((uint32_t)1 << bits < h->table->room + h->table->room / 2)
		bits++;
	h->shift = 64 - bits;
	h->index = calloc((size_t)1 << bits, sizeof *h->index);
	if (h->index)
		return h;
fail:
	if (h && h->table)
		munmap(h->table, h->size);
	free(h);
	return NULL;
}

void
hits_close(struct hits *h)
{
	if (!h)
		return;
	atomic_store_explicit(&h->table->final, 1, memory_order_release);
	munmap(h->table, h->size);
	free(h->index);
	free(h);
}

/* A key that was not there: a row for it. */
static void
row_add(struct hits *h, uint32_t at, uint64_t key, uint64_t now_real_us)
{
	struct table *t = h->table;
	uint32_t      n = atomic_load_explicit(&t->n, memory_order_relaxed);

	if (n == t->room) {
		atomic_store_explicit(&t->lost, atomic_load_explicit(&t->lost, memory_order_relaxed) + 1, memory_order_relaxed);
		return;
	}
	t->row[n] = (struct hit_row){key, 1, now_real_us};
	atomic_store_explicit(&t->n, n + 1, memory_order_release);
	h->index[at] = n + 1;
}

void
hits_count(struct hits *h, uint64_t key, uint64_t now_real_us)
{
	uint32_t mask = (uint32_t)(UINT64_MAX >> h->shift);

	/* fewer than two thirds of the places are ever taken, so a free one comes soon */
	for (uint32_t at = (uint32_t)(key * 0x9e3779b97f4a7c15u >> h->shift);; at = (at + 1) & mask) {
		uint32_t        i = h->index[at];
		struct hit_row *row;
		if (!i) {
			row_add(h, at, key, now_real_us);
			return;
		}
		row = &h->table->row[i - 1];
		if (row->key == key) {
			row->hits++;
			row->last_real_us = now_real_us;
			return;
		}
	}
}

/* --- a reader's --- */

struct hits_view *
hits_look(int fd)
{
	struct hits_view *v = calloc(1, sizeof *v);

	if (!v || !(v->table = map(fd, PROT_READ, &v->size))) {
		free(v);
		return NULL;
	}
	v->room = (uint32_t)((v->size - sizeof *v->table) / sizeof *v->table->row);
	return v;
}

void
hits_look_away(struct hits_view *v)
{
	if (!v)
		return;
	munmap((void *)(uintptr_t)v->table, v->size);
	free(v);
}

const struct hit_row *
hits_rows(const struct hits_view *v, uint32_t *n)
{
	*n = atomic_load_explicit(&v->table->n, memory_order_acquire);
	if (*n > v->room)
		*n = v->room;
	return v->table->row;
}

uint64_t
hits_lost(const struct hits_view *v)
{
	return atomic_load_explicit(&v->table->lost, memory_order_relaxed);
}

bool
hits_are_final(const struct hits_view *v)
{
	return atomic_load_explicit(&v->table->final, memory_order_acquire) != 0;
}
