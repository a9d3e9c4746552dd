/* SPDX-License-Identifier: MIT */
/*
 * ring: see ring.h. The memfd holds one page of header, then the data.
 * A record is a frame of 8 bytes and its bytes, at a multiple of 8. One that does not fit before the end of the data is preceded by a frame that
 * says "go on at the start". head and tail count bytes for ever; their low bits are the place in the data.
 * Always true: the writer stores head once for each record, after the record is whole; the reader stores tail after it has done with one.
 */
#include "ipc/ring.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEADER_BYTES 4096u
#define CACHE_LINE   64
#define RING_SEALS   (F_SEAL_SHRINK | F_SEAL_GROW)
#define FRAME_BYTES  8u
#define FRAME_WRAP   UINT32_MAX
#define FRAME_MIX    0x7e5a91c3u /* so that zeros or text are not taken for a frame */

struct header {
	/* the writer's */
	_Alignas(CACHE_LINE) _Atomic uint64_t head;
	_Atomic uint64_t drops;
	/* the reader's */
	_Alignas(CACHE_LINE) _Atomic uint64_t tail;
	_Atomic uint64_t damaged;
	_Atomic uint64_t told; /* drops already handed out by ring_drops_take */
	/* both sides' */
	_Alignas(CACHE_LINE) _Atomic uint32_t asleep;
};
_Static_assert(sizeof(struct header) <= HEADER_BYTES, "header fits its page");

struct ring {
	struct header *h;
	char          *data;
	uint64_t       size; /* of the data; a power of two, from the memfd itself */
	/* our own copies, so that the other side cannot move us about */
	uint64_t head, tail;
	uint64_t cursor; /* reader: the oldest record that was not passed */
	uint64_t next;   /* writer: where the record under way begins; reader: cursor after the record shown */
	uint64_t pressed_tail; /* writer: where the reader stood when it was last called for a full ring */
	uint32_t reserved;
	bool     is_attached; /* head and tail were taken over */
	bool     is_dirty;    /* writer: committed since the last ring_wants_wake */
};

static uint64_t
framed(uint64_t n)
{
	return FRAME_BYTES + ((n + 7) & ~(uint64_t)7);
}

int
ring_create(size_t bytes, const char *name)
{
	size_t size = RING_BYTES_MIN;
	int    fd, e;

	if (bytes > RING_BYTES_MAX) {
		errno = EINVAL;
		return -1;
	}
	while (size < bytes)
		size *= 2;
	fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -1;
	/* sealed, so that neither side can make the other fault by shrinking it */
	if (ftruncate(fd, (off_t)(HEADER_BYTES + size)) == 0 && fcntl(fd, F_ADD_SEALS, RING_SEALS | F_SEAL_SEAL) == 0)
		return fd;
	e = errno;
	close(fd);
	errno = e;
	return -1;
}

struct ring *
ring_open(int fd)
{
	struct stat  st;
	struct ring *r;
	int          seals = fcntl(fd, F_GET_SEALS);
	uint64_t     size;
	void        *p;

	if (seals < 0 || fstat(fd, &st) != 0)
		return NULL;
	size = st.st_size > (off_t)HEADER_BYTES ? (uint64_t)st.st_size - HEADER_BYTES : 0;
	if ((seals & RING_SEALS) != RING_SEALS || size < RING_BYTES_MIN || size > RING_BYTES_MAX || (size & (size - 1))) {
		errno = EINVAL;
		return NULL;
	}
	r = calloc(1, sizeof *r);
	if (!r)
		return NULL;
	p = mmap(NULL, HEADER_BYTES + size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED) {
		free(r);
		return NULL;
	}
	r->h = p;
	r->data = (char *)p + HEADER_BYTES;
	r->size = size;
	r->pressed_tail = UINT64_MAX;
	r->is_dirty = true; /* an earlier writer may have died before it woke the reader */
	return r;
}

void
ring_close(struct ring *r)
{
	if (!r)
		return;
	munmap(r->h, HEADER_BYTES + r->size);
	free(r);
}

static void
attach(struct ring *r)
{
	r->head = (atomic_load_explicit(&r->h->head, memory_order_acquire) + 7) & ~(uint64_t)7;
	r->tail = atomic_load_explicit(&r->h->tail, memory_order_acquire);
	r->cursor = r->next = r->tail;
	r->is_attached = true;
}

/* One writer, so a plain load and store do; no locked instruction. */
static void
count_one(_Atomic uint64_t *c)
{
	atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + 1, memory_order_relaxed);
}

static char *
place(const struct ring *r, uint64_t at)
{
	return r->data + (at & (r->size - 1));
}

/* A frame is the record's length (or FRAME_WRAP) and the same mixed; read and written in one go, since the other side may be writing too. */
static void
frame_put(struct ring *r, uint64_t at, uint32_t n)
{
	atomic_store_explicit((_Atomic uint64_t *)(void *)place(r, at), (uint64_t)(n ^ FRAME_MIX) << 32 | n, memory_order_relaxed);
}

static bool
frame_get(const struct ring *r, uint64_t at, uint32_t *n)
{
	uint64_t f = atomic_load_explicit((_Atomic uint64_t *)(void *)place(r, at), memory_order_relaxed);

	*n = (uint32_t)f;
	return (*n ^ FRAME_MIX) == f >> 32;
}

/* Is there room for `need` bytes from head on? A tail that lies outside of what was written counts as a full ring; head is told again, for the reader
 * to find out and empty the ring. */
static bool
has_room(struct ring *r, uint64_t need)
{
	uint64_t used = r->head - r->tail;

	if (used <= r->size && need <= r->size - used)
		return true;
	r->tail = atomic_load_explicit(&r->h->tail, memory_order_acquire);
	used = r->head - r->tail;
	if (used > r->size)
		atomic_store_explicit(&r->h->head, r->head, memory_order_release);
	return used <= r->size && need <= r->size - used;
}

void *
ring_reserve(struct ring *r, size_t n)
{
	uint64_t at, need, to_end, skip;

	if (!r->is_attached)
		attach(r);
	if (n > r->size / 4) {
		count_one(&r->h->drops);
		return NULL;
	}
	need = framed(n);
	to_end = r->size - (r->head & (r->size - 1));
	skip = need > to_end ? to_end : 0;
	if (!has_room(r, skip + need)) {
		count_one(&r->h->drops);
		return NULL;
	}
	at = r->head;
	if (skip) {
		frame_put(r, at, FRAME_WRAP);
		at += skip;
	}
	r->next = at;
	r->reserved = (uint32_t)n;
	return place(r, at) + FRAME_BYTES;
}

void
ring_commit(struct ring *r, size_t n)
{
	assert(n <= r->reserved);
	frame_put(r, r->next, (uint32_t)n);
	r->head = r->next + framed(n);
	r->is_dirty = true;
	/* the only store that the reader can see the record by */
	atomic_store_explicit(&r->h->head, r->head, memory_order_release);
}

static const void *
damaged(struct ring *r)
{
	r->tail = r->cursor = r->next = r->head;
	atomic_store_explicit(&r->h->tail, r->tail, memory_order_release);
	count_one(&r->h->damaged);
	return NULL;
}

const void *
ring_peek(struct ring *r, size_t *n)
{
	uint64_t at, used, to_end;
	uint32_t len;
	bool     ok;

	if (!r->is_attached)
		attach(r);
	at = r->cursor;
	r->head = atomic_load_explicit(&r->h->head, memory_order_acquire);
	used = r->head - at;
	if (used == 0)
		return NULL;
	if (r->head - r->tail > r->size || used > r->size || ((at | r->head) & 7))
		return damaged(r);
	ok = frame_get(r, at, &len);
	to_end = r->size - (at & (r->size - 1));
	if (ok && len == FRAME_WRAP && to_end < r->size && used > to_end) {
		at += to_end;
		used -= to_end;
		ok = frame_get(r, at, &len);
		to_end = r->size;
	}
	if (!ok || len > r->size / 4 || framed(len) > used || framed(len) > to_end)
		return damaged(r);
	r->next = at + framed(len);
	*n = len;
	return place(r, at) + FRAME_BYTES;
}

void
ring_pass(struct ring *r)
{
	r->cursor = r->next;
}

void
ring_release_passed(struct ring *r)
{
	if (r->tail == r->cursor)
		return;
	r->tail = r->cursor;
	atomic_store_explicit(&r->h->tail, r->tail, memory_order_release);
}

void
ring_release(struct ring *r)
{
	ring_pass(r);
	ring_release_passed(r);
}

size_t
ring_size(const struct ring *r)
{
	return r->size;
}

size_t
ring_fill(const struct ring *r)
{
	uint64_t tail = atomic_load_explicit(&r->h->tail, memory_order_acquire);
	uint64_t used = atomic_load_explicit(&r->h->head, memory_order_acquire) - tail;

	return used > r->size ? r->size : used;
}

uint64_t
ring_written(const struct ring *r)
{
	return atomic_load_explicit(&r->h->head, memory_order_relaxed);
}

uint64_t
ring_taken(const struct ring *r)
{
	return atomic_load_explicit(&r->h->tail, memory_order_relaxed);
}

uint64_t
ring_drops(const struct ring *r)
{
	return atomic_load_explicit(&r->h->drops, memory_order_relaxed) + atomic_load_explicit(&r->h->damaged, memory_order_relaxed);
}

uint64_t
ring_drops_take(struct ring *r)
{
	uint64_t all = ring_drops(r), told = atomic_load_explicit(&r->h->told, memory_order_relaxed);

	if (all != told)
		atomic_store_explicit(&r->h->told, all, memory_order_relaxed);
	return all > told ? all - told : 0; /* fewer than before: the writer's count was tampered with */
}

bool
ring_sleep(struct ring *r)
{
	if (!r->is_attached)
		attach(r);
	atomic_store_explicit(&r->h->asleep, 1, memory_order_relaxed);
	/* pairs with the fence in ring_wants_wake: either the writer sees that we sleep, or we see what it wrote */
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load_explicit(&r->h->head, memory_order_acquire) == r->cursor)
		return false;
	atomic_store_explicit(&r->h->asleep, 0, memory_order_relaxed);
	return true;
}

bool
ring_wants_wake(struct ring *r)
{
	if (!r->is_dirty)
		return false;
	r->is_dirty = false;
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load_explicit(&r->h->asleep, memory_order_relaxed) && atomic_exchange(&r->h->asleep, 0))
		return true;
	if (!r->is_attached || r->head - r->tail <= r->size / 2)
		return false;
	r->tail = atomic_load_explicit(&r->h->tail, memory_order_acquire);
	if (r->head - r->tail <= r->size / 2 || r->tail == r->pressed_tail)
		return false;
	r->pressed_tail = r->tail;
	return true;
}
