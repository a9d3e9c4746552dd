/* SPDX-License-Identifier: MIT */
#include "logread/source.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "logread/reader.h"

#define PACKED_ROOM (64u << 10)

enum source_state { SOURCE_NEW, SOURCE_PLAIN, SOURCE_GZIP, SOURCE_BETWEEN /* two members */, SOURCE_END };

struct log_source {
	int               fd; /* owned */
	enum source_state state;
	bool              bounded;   /* plain, but no file: it need not end */
	uint64_t          most, out; /* bytes handed out */
	uint64_t          taken;
	const char       *refused;   /* what it is that cannot be read */
	bool              inflating; /* z is there */
	z_stream          z;
	unsigned char     packed[PACKED_ROOM]; /* before it is known what it is, its first bytes */
	size_t            from, n;             /* packed[from .. n) is not used yet */
};

static const char *
kind_refused(int fd, bool *is_file)
{
	struct stat st;

	*is_file = false;
	if (fstat(fd, &st) != 0)
		return "cannot be read";
	*is_file = S_ISREG(st.st_mode);
	return S_ISDIR(st.st_mode) ? "is a folder" : S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode) ? "is a device" : NULL;
}

struct log_source *
log_source_new(int fd, uint64_t most)
{
	struct log_source *s = calloc(1, sizeof *s);
	bool               is_file;

	if (!s) {
		close(fd);
		return NULL;
	}
	s->fd = fd;
	s->most = most ? most : LOG_UNPACKED_MAX;
	s->refused = kind_refused(fd, &is_file);
	s->bounded = !is_file;
	return s;
}

void
log_source_free(struct log_source *s)
{
	if (!s)
		return;
	if (s->inflating)
		inflateEnd(&s->z);
	close(s->fd);
	free(s);
}

/* A pipe may go on for ever with bytes that unpack to nothing: empty members, or zeros behind the last one. What was read ahead does not count. */
static bool
is_endless(const struct log_source *s)
{
	uint64_t used = s->taken > PACKED_ROOM ? s->taken - PACKED_ROOM : 0;

	return s->bounded && used > s->out && used - s->out > s->most;
}

/* Whoever opened it may have done so without waiting, e.g. for the other end of a pipe: here there is nothing else to do. */
static bool
comes_later(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return errno == EINTR || (errno == EAGAIN && (poll(&p, 1, -1) > 0 || errno == EINTR));
}

static ssize_t
file_read(struct log_source *s, void *to, size_t n, const char **why)
{
	ssize_t got;

	if (is_endless(s)) {
		*why = LOG_WHY_TOO_MUCH;
		return -1;
	}
	do
		got = read(s->fd, to, n);
	while (got < 0 && comes_later(s->fd));
	if (got < 0)
		*why = strerror(errno);
	else
		s->taken += (uint64_t)got;
	return got;
}

/* Have at least `n` bytes of what is packed, unless it ends before. False: *why. */
static bool
packed_fill(struct log_source *s, size_t n, const char **why)
{
	if (s->n - s->from >= n)
		return true;
	memmove(s->packed, s->packed + s->from, s->n - s->from);
	s->n -= s->from;
	s->from = 0;
	while (s->n < n) {
		ssize_t got = file_read(s, s->packed + s->n, sizeof s->packed - s->n, why);
		if (got < 0)
			return false;
		if (got == 0)
			break;
		s->n += (size_t)got;
	}
	return true;
}

static bool
packed_begins(const struct log_source *s, const char *magic, size_t n)
{
	return s->n - s->from >= n && memcmp(s->packed + s->from, magic, n) == 0;
}

/* What do the first bytes say? */
static bool
kind_find(struct log_source *s, const char **why)
{
	static const struct {
		const char *magic;
		size_t      n;
		const char *why;
	} other[] = {
		{"\xfd" "7zXZ", 5, "is compressed by xz, which is not read here; unpack it first"},
		{"BZh", 3, "is compressed by bzip2, which is not read here; unpack it first"},
		{"\x28\xb5\x2f\xfd", 4, "is compressed by zstd, which is not read here; unpack it first"},
		{"PK\x03\x04", 4, "is a zip archive, which is not read here; unpack it first"},
	};

	if (!packed_fill(s, 6, why))
		return false;
	for (size_t i = 0; i < sizeof other / sizeof *other; i++)
		if (packed_begins(s, other[i].magic, other[i].n)) {
			*why = other[i].why;
			return false;
		}
	s->state = packed_begins(s, "\x1f\x8b", 2) ? SOURCE_GZIP : SOURCE_PLAIN;
	if (s->state == SOURCE_GZIP && inflateInit2(&s->z, 15 + 16) != Z_OK) {
		*why = "out of memory";
		return false;
	}
	s->inflating = s->state == SOURCE_GZIP;
	return true;
}

static ssize_t
plain_read(struct log_source *s, char *to, size_t n, const char **why)
{
	size_t left = s->n - s->from;

	if (left == 0)
		return file_read(s, to, n, why);
	if (n > left)
		n = left;
	memcpy(to, s->packed + s->from, n);
	s->from += n;
	return (ssize_t)n;
}

/* After a member: another one, the end, or zeros up to the end, which tapes and block devices leave. */
static bool
between(struct log_source *s, const char **why)
{
	for (;;) {
		if (!packed_fill(s, 2, why))
			return false;
		if (s->n == s->from) {
			s->state = SOURCE_END;
			return true;
		}
		if (packed_begins(s, "\x1f\x8b", 2)) {
			s->state = SOURCE_GZIP;
			return inflateReset(&s->z) == Z_OK;
		}
		if (s->packed[s->from] != 0) {
			*why = "is damaged: something that is not gzip follows the compressed part";
			return false;
		}
		s->from++;
	}
}

/* Some bytes out of the member; 0: none yet. */
static ssize_t
gzip_read(struct log_source *s, char *to, size_t n, const char **why)
{
	int got;

	if (!packed_fill(s, 1, why))
		return -1;
	if (s->n == s->from) {
		*why = "ends in the middle of the compressed part";
		return -1;
	}
	s->z.next_in = s->packed + s->from;
	s->z.avail_in = (uInt)(s->n - s->from);
	s->z.next_out = (unsigned char *)to;
	s->z.avail_out = (uInt)(n > 1u << 30 ? 1u << 30 : n);
	got = inflate(&s->z, Z_NO_FLUSH);
	s->from = s->n - s->z.avail_in;
	if (got == Z_STREAM_END)
		s->state = SOURCE_BETWEEN;
	n = (size_t)((char *)s->z.next_out - to);
	if (n || got == Z_OK || got == Z_STREAM_END || got == Z_BUF_ERROR)
		return (ssize_t)n; /* an error comes again the next time */
	*why = got == Z_MEM_ERROR ? "out of memory" : "is damaged: it cannot be unpacked";
	return -1;
}

static ssize_t
source_step(struct log_source *s, char *to, size_t n, const char **why)
{
	switch (s->state) {
	case SOURCE_NEW:
		return kind_find(s, why) ? 0 : -1;
	case SOURCE_PLAIN:
		n = (size_t)plain_read(s, to, n, why);
		if (n == 0)
			s->state = SOURCE_END;
		return (ssize_t)n;
	case SOURCE_GZIP:
		return gzip_read(s, to, n, why);
	case SOURCE_BETWEEN:
		return between(s, why) ? 0 : -1;
	case SOURCE_END:
		break;
	}
	return 0;
}

ssize_t
log_source_read(struct log_source *s, char *to, size_t n, const char **why)
{
	ssize_t got = 0;

	if (s->refused) {
		*why = s->refused;
		return -1;
	}
	while (got == 0 && s->state != SOURCE_END)
		got = source_step(s, to, n, why);
	if (got <= 0)
		return got;
	s->out += (uint64_t)got;
	if (s->out <= s->most || (s->state == SOURCE_PLAIN && !s->bounded))
		return got;
	*why = LOG_WHY_TOO_MUCH;
	return -1;
}
