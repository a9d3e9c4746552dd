/* SPDX-License-Identifier: MIT */
/*
 * spool: see spool.h. A head of 64 bytes, then a ring of `size` bytes. Offsets count all bytes ever put; where one lies is offset % size.
 * A message is its length, a hash over length and text, and the text.
 */
#include "audit/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#define MAGIC      "PSTSPOOL"
#define STAGE_MAX  ((size_t)256 << 10) /* of one write */
#define FRAME      sizeof(struct frame)

struct head {
	char     magic[8];
	uint64_t size, begin, end; /* of the ring; offsets of what is not delivered */
	uint64_t hash;             /* over the fields before */
};

struct frame {
	uint32_t n, hash;
};

struct spool {
	int         fd; /* owned */
	struct head head;
	uint64_t    size;    /* that was asked for; taken when the ring is empty */
	uint64_t    read;    /* offset of the next message to be read */
	uint64_t    old_end; /* what lies before was there when the file was opened */
	uint64_t    skip_from, skip_to; /* between these nothing can be read */
	uint64_t    damage;
	bool        is_changed; /* the head on disk is another */
	char       *stage;      /* owned; STAGE_MAX + one message */
};

static uint64_t
head_hash(const struct head *h)
{
	return XXH64(h, offsetof(struct head, hash), 0);
}

static uint32_t
frame_hash(const char *p, uint32_t n)
{
	return XXH32(p, n, n);
}

/* Move n bytes at this offset, in two pieces where the ring ends. False with errno. */
static bool
ring_move(struct spool *s, bool is_write, char *p, size_t n, uint64_t offset)
{
	while (n) {
		uint64_t at = offset % s->head.size;
		size_t   part = n < s->head.size - at ? n : (size_t)(s->head.size - at);
		ssize_t  moved = is_write ? pwrite(s->fd, p, part, (off_t)(SPOOL_HEAD + at)) : pread(s->fd, p, part, (off_t)(SPOOL_HEAD + at));

		if (moved < 0 && errno == EINTR)
			continue;
		if (moved <= 0) {
			errno = moved == 0 ? ENODATA : errno;
			return false;
		}
		p += moved;
		n -= (size_t)moved;
		offset += (uint64_t)moved;
	}
	return true;
}

/* The whole message at `offset`, or false. */
static bool
frame_read(struct spool *s, uint64_t offset, char *buf, uint32_t *n)
{
	struct frame f;

	if (s->head.end - offset < FRAME || !ring_move(s, false, (char *)&f, FRAME, offset))
		return false;
	if (f.n > SPOOL_MESSAGE_MAX || s->head.end - offset - FRAME < f.n || !ring_move(s, false, buf, f.n, offset + FRAME))
		return false;
	*n = f.n;
	return f.hash == frame_hash(buf, f.n);
}

/* The file is shorter than its head says, or the head is spoilt: what is there up to the first thing that is not whole. */
static void
salvage(struct spool *s)
{
	uint64_t at = s->head.begin, end = s->head.end;
	uint32_t n;

	while (at < end && frame_read(s, at, s->stage, &n))
		at += FRAME + n;
	s->head.end = at;
	s->damage += end - at;
	s->is_changed = true;
}

static void
head_init(struct spool *s)
{
	memcpy(s->head.magic, MAGIC, sizeof s->head.magic);
	s->head.size = s->size;
	s->head.begin = s->head.end = 0;
	s->is_changed = true;
}

static bool
head_is_sane(const struct head *h)
{
	return h->hash == head_hash(h) && h->size && h->begin <= h->end && h->end - h->begin <= h->size;
}

/* 0, or errno. */
static int
head_read(struct spool *s)
{
	struct stat st;
	ssize_t     n;
	uint64_t    stored;

	if (fstat(s->fd, &st) != 0)
		return errno;
	if (!S_ISREG(st.st_mode))
		return EINVAL;
	if (st.st_size == 0) {
		head_init(s);
		return 0;
	}
	n = pread(s->fd, &s->head, sizeof s->head, 0);
	if (n < 0)
		return errno;
	if (memcmp(s->head.magic, MAGIC, (size_t)n < sizeof s->head.magic ? (size_t)n : sizeof s->head.magic) != 0)
		return EINVAL;
	stored = st.st_size > (off_t)SPOOL_HEAD ? (uint64_t)st.st_size - SPOOL_HEAD : 0;
	if ((size_t)n < sizeof s->head || !head_is_sane(&s->head)) {
		head_init(s);
		s->head.size = stored > s->size ? stored : s->size;
		s->head.end = stored;
		s->damage += !stored;
		salvage(s);
	} else if (stored < (s->head.end < s->head.size ? s->head.end : s->head.size)) {
		salvage(s);
	}
	return 0;
}

struct spool *
spool_open(const char *path, uint64_t size, int *error)
{
	struct spool *s = calloc(1, sizeof *s);
	struct flock  lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	*error = ENOMEM;
	if (!s)
		return NULL;
	s->size = size;
	s->stage = malloc(STAGE_MAX + SPOOL_MESSAGE_MAX);
	s->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW, 0600);
	if (s->fd < 0)
		*error = errno;
	else if (s->stage && fcntl(s->fd, F_OFD_SETLK, &lock) != 0)
		*error = errno == EACCES ? EAGAIN : errno;
	else if (s->stage)
		*error = head_read(s);
	if (*error) {
		if (s->fd >= 0)
			close(s->fd);
		free(s->stage);
		free(s);
		return NULL;
	}
	s->read = s->head.begin;
	s->old_end = s->head.end;
	return s;
}

void
spool_close(struct spool *s)
{
	if (!s)
		return;
	spool_settle(s);
	close(s->fd);
	free(s->stage);
	free(s);
}

size_t
spool_put(struct spool *s, const char *p, size_t n, int *error)
{
	size_t   took = 0;
	uint32_t len;

	if (spool_is_empty(s) && s->head.size != s->size)
		spool_settle(s);
	*error = 0;
	while (took < n && !*error) {
		size_t   staged = 0, from = took;
		uint64_t free_bytes = s->head.size - (s->head.end - s->head.begin);

		for (; from < n && staged < STAGE_MAX; from += sizeof len + len) {
			struct frame f;
			memcpy(&len, p + from, sizeof len);
			f = (struct frame){len, frame_hash(p + from + sizeof len, len)};
			if (staged + FRAME + len > free_bytes) {
				*error = ENOSPC;
				break;
			}
			memcpy(s->stage + staged, &f, FRAME);
			memcpy(s->stage + staged + FRAME, p + from + sizeof len, len);
			staged += FRAME + len;
		}
		if (staged && !ring_move(s, true, s->stage, staged, s->head.end)) {
			*error = errno;
			break;
		}
		s->head.end += staged;
		s->is_changed |= staged > 0;
		took = from;
	}
	return took;
}

bool
spool_read(struct spool *s, char *buf, size_t *n, uint64_t *mark)
{
	uint32_t len;

	while (s->read < s->head.end) {
		if (frame_read(s, s->read, buf, &len)) {
			s->read += FRAME + len;
			*n = len;
			*mark = s->read;
			return true;
		}
		/* where the next message begins is not known; what was put since then lies behind what was there */
		uint64_t next = s->read < s->old_end ? s->old_end : s->head.end;
		s->damage += next - s->read;
		if (s->head.begin == s->read) {
			s->head.begin = next;
			s->is_changed = true;
		}
		s->skip_from = s->read;
		s->skip_to = next;
		s->read = next;
	}
	return false;
}

void
spool_deliver(struct spool *s, uint64_t mark)
{
	if (mark == s->skip_from && mark < s->skip_to)
		mark = s->skip_to;
	if (mark > s->head.begin && mark <= s->head.end) {
		s->head.begin = mark;
		s->is_changed = true;
	}
	if (s->read < s->head.begin)
		s->read = s->head.begin;
}

uint64_t
spool_pass(struct spool *s)
{
	s->read = s->head.end;
	return s->read;
}

void
spool_settle(struct spool *s)
{
	bool        is_empty = spool_is_empty(s);
	struct head h;

	if (is_empty && (s->head.end || s->head.size != s->size)) {
		head_init(s);
		s->read = s->old_end = 0;
	}
	if (!s->is_changed)
		return;
	s->head.hash = head_hash(&s->head);
	h = s->head;
	if (pwrite(s->fd, &h, sizeof h, 0) != sizeof h)
		return;
	s->is_changed = false;
	if (is_empty && ftruncate(s->fd, SPOOL_HEAD) != 0)
		s->is_changed = true; /* once more at the next time */
}

bool
spool_is_empty(const struct spool *s)
{
	return s->head.begin == s->head.end;
}

bool
spool_is_read(const struct spool *s)
{
	return s->read == s->head.end;
}

uint64_t
spool_bytes(const struct spool *s)
{
	return s->head.end - s->head.begin;
}

uint64_t
spool_damage_take(struct spool *s)
{
	uint64_t n = s->damage;

	s->damage = 0;
	return n;
}
