/* SPDX-License-Identifier: MIT */
/*
 * sink_file: a log file, a FIFO, or standard output. Writes what its format wants at the top of each file, and renames a file that is full.
 * Opens files itself; may wait for a slow disk or standard output, never for a FIFO.
 * Always true: what was cut off in the middle of a line is continued in the same file, or written as a whole line to the next one.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/sink_kind.h"
#include "base/clock.h"
#include "base/log.h"

#define STALE_US 1000000u /* until a file that could not be opened anew is tried again */
#define TURN_US  10000000u /* until a file that could not be renamed is tried again */

struct file_sink {
	char    *path; /* owned */
	int      fd;   /* owned, but for standard output; -1: could not be opened */
	bool     is_stdout;
	bool     is_stale; /* could not be opened anew: still the file of before the rotation */
	uint64_t stale_us; /* monotonic; opening anew is not tried before */
	bool     is_regular;
	bool     mid_line; /* the last byte written was not a newline */
	uint64_t size;     /* of a regular file, as far as we know */
	uint64_t max_size; /* 0: it may grow */
	uint32_t keep;     /* FILE.1 to FILE.keep */
	uint64_t turn_us;  /* monotonic; renaming is not tried before */
	struct log_limit turn_limit;
	enum log_format_kind format;
	char     head[LOG_HEAD_MAX]; /* what stands at the top, from head_at to head_n still to be written */
	size_t   head_at, head_n;
};

/* A logger that was killed may have left half a line; what we append must not continue it. */
static void
end_torn_line(const char *path, int fd, const struct stat *st)
{
	char last = '\n';
	int  in;

	if (!S_ISREG(st->st_mode) || st->st_size == 0)
		return;
	in = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (in < 0)
		return;
	if (lseek(in, -1, SEEK_END) >= 0 && read(in, &last, 1) == 1 && last != '\n' && write(fd, "\n", 1) != 1)
		log_info("access log %s: its last line is torn", path);
	close(in);
}

/* A descriptor, -1 with errno. */
static int
open_path(const char *path, struct stat *st)
{
	/* O_NONBLOCK: neither opening nor writing a FIFO may hold us up; files do not care */
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);

	if (fd < 0)
		return -1;
	if (fstat(fd, st) != 0)
		memset(st, 0, sizeof *st);
	return fd;
}

/* A file that was just opened: the top is written before the next line. */
static void
file_begin(struct file_sink *f, const struct stat *st)
{
	f->is_regular = S_ISREG(st->st_mode);
	f->size = f->is_regular ? (uint64_t)st->st_size : 0;
	f->mid_line = false;
	f->head_at = 0;
	f->head_n = log_format_head(f->format, clock_real_us(), f->head);
}

static void
file_speak(void *arg, enum log_format_kind format)
{
	struct file_sink *f = arg;

	if (f->format == format)
		return;
	f->format = format;
	f->head_at = 0;
	f->head_n = log_format_head(format, clock_real_us(), f->head);
}

static void
file_failed(struct sink_try *t, int error)
{
	t->error = error;
	t->errors++;
}

static bool
file_open_first(struct file_sink *f, struct sink_try *t)
{
	struct stat st;

	f->fd = open_path(f->path, &st);
	if (f->fd < 0) {
		file_failed(t, errno);
		return false;
	}
	end_torn_line(f->path, f->fd, &st);
	file_begin(f, &st);
	return true;
}

static void
file_reopen(void *arg, struct sink_try *t)
{
	struct file_sink *f = arg;
	struct stat       now = {0}, old = {0};
	int               fd;

	if (f->is_stdout)
		return;
	fd = open_path(f->path, &now);
	if (fd < 0) {
		if (!f->is_stale)
			log_warn("access log %s: cannot be opened again: %s; %s until it can", f->path, strerror(errno),
			         f->fd >= 0 ? "the old file is written" : "lines are kept in memory");
		f->is_stale = f->fd >= 0;
		t->errors++;
		return;
	}
	f->is_stale = false;
	if (f->fd < 0 || fstat(f->fd, &old) != 0 || old.st_dev != now.st_dev || old.st_ino != now.st_ino) {
		t->torn = true;
		end_torn_line(f->path, fd, &now);
		file_begin(f, &now);
	}
	if (f->fd >= 0)
		close(f->fd);
	f->fd = fd;
}

/* FILE, or FILE.i. */
static void
name_of(const struct file_sink *f, uint32_t i, char *to, size_t n)
{
	if (i)
		snprintf(to, n, "%s.%" PRIu32, f->path, i);
	else
		snprintf(to, n, "%s", f->path);
}

/* FILE to FILE.1, and so on. Only the first of these that are not there are left alone. False with errno: nothing was lost, but perhaps moved. */
static bool
move_all(const struct file_sink *f)
{
	size_t      n = strlen(f->path) + 12;
	char       *from = malloc(n), *to = malloc(n);
	uint32_t    i = 0;
	struct stat st;
	bool        ok = from && to;

	/* up to the first gap, or the last that is kept, which goes */
	while (ok && i < f->keep) {
		name_of(f, i, from, n);
		if (lstat(from, &st) != 0)
			break;
		i++;
	}
	for (; ok && i > 0; i--) {
		name_of(f, i - 1, from, n);
		name_of(f, i, to, n);
		ok = rename(from, to) == 0;
	}
	free(from);
	free(to);
	return ok;
}

/* The file is full, and ends with a whole line. When others have renamed it meanwhile, a new one is all that is needed. */
static void
file_turn(struct file_sink *f, uint64_t now_us, struct sink_try *t)
{
	struct stat ours, named;
	bool is_ours = fstat(f->fd, &ours) == 0 && stat(f->path, &named) == 0 && ours.st_dev == named.st_dev && ours.st_ino == named.st_ino;

	if (is_ours && (uint64_t)ours.st_size < f->size) {
		f->size = (uint64_t)ours.st_size; /* somebody cut it off */
		return;
	}
	f->turn_us = now_us + TURN_US;
	if (is_ours && !move_all(f)) {
		t->errors++;
		log_write_limited(&f->turn_limit, LOG_LEVEL_WARN, "access log %s: is full, and cannot be renamed: %s; it goes on growing", f->path, strerror(errno));
		return;
	}
	file_reopen(f, t);
	if (t->torn)
		f->turn_us = 0;
}

/* How much of the lines at p may be written now: what fits into a file that is to be renamed when it is full; at least one line, when the file is new. 0: it
 * is full. */
static size_t
fitting(const struct file_sink *f, const char *p, size_t n, uint64_t now_us)
{
	uint64_t    room = f->max_size > f->size ? f->max_size - f->size : 0;
	const char *end;

	if (!f->max_size || !f->is_regular || n <= room || now_us < f->turn_us)
		return n;
	end = room ? memrchr(p, '\n', room) : NULL;
	if (!end && !f->mid_line && f->size > f->head_n)
		return 0;
	if (!end)
		end = memchr(p, '\n', n);
	return end ? (size_t)(end - p) + 1 : n;
}

/* Bytes written, 0 with what is wrong in `t`. */
static size_t
write_some(struct file_sink *f, const char *p, size_t n, struct sink_try *t)
{
	ssize_t wrote;

	do
		wrote = write(f->fd, p, n);
	while (wrote < 0 && errno == EINTR);
	if (wrote > 0) {
		f->size += (uint64_t)wrote;
		f->mid_line = p[wrote - 1] != '\n';
		return (size_t)wrote;
	}
	if (wrote == 0 || errno == EAGAIN) {
		t->error = EAGAIN;
		return 0;
	}
	file_failed(t, errno);
	if ((t->error == EPIPE || t->error == ESTALE) && !f->is_stdout) {
		close(f->fd);
		f->fd = -1;
		t->torn = true;
	}
	return 0;
}

/* What is at p: the end of a line that was begun, the top of the file before the next one, then the lines. */
static void
write_all(struct file_sink *f, const char *p, size_t n, uint64_t now_us, struct sink_try *t)
{
	while (f->head_at < f->head_n || t->took < n) {
		const char *rest = p + t->took, *end;
		size_t      most = n - t->took, wrote;

		if (f->head_at < f->head_n && !f->mid_line) {
			wrote = write_some(f, f->head + f->head_at, f->head_n - f->head_at, t);
			f->head_at += wrote;
			f->mid_line = false; /* no line of ours, wherever it broke off */
		} else {
			if (most == 0)
				return; /* the line that was begun has no end yet */
			end = f->head_at < f->head_n ? memchr(rest, '\n', most) : NULL;
			most = end ? (size_t)(end - rest) + 1 : fitting(f, rest, most, now_us);
			if (most == 0) {
				file_turn(f, now_us, t);
				if (t->torn)
					return;
				continue;
			}
			wrote = write_some(f, rest, most, t);
			t->took += wrote;
		}
		if (wrote == 0)
			return;
	}
}

static void
file_write(void *arg, const char *p, size_t n, uint64_t now_us, struct sink_try *t)
{
	struct file_sink *f = arg;

	if (f->is_stale && now_us >= f->stale_us) {
		f->stale_us = now_us + STALE_US;
		file_reopen(f, t);
		if (t->torn)
			return;
	}
	t->pending = f->is_stale;
	if (f->fd < 0 && !file_open_first(f, t))
		return;
	write_all(f, p, n, now_us, t);
}

static uint64_t
file_free(void *arg)
{
	struct file_sink *f = arg;

	if (f->fd >= 0 && !f->is_stdout)
		close(f->fd);
	free(f->path);
	free(f);
	return 0;
}

static const struct sink_kind file_kind = {.write = file_write, .speak = file_speak, .reopen = file_reopen, .free = file_free};

struct sink *
sink_new(const char *path, enum log_format_kind format, uint64_t now_us)
{
	struct file_sink *f = calloc(1, sizeof *f);
	struct sink      *s;

	if (!f)
		return NULL;
	f->fd = -1;
	f->is_stdout = strcmp(path, "-") == 0;
	f->format = format;
	if (f->is_stdout) {
		f->fd = STDOUT_FILENO;
		f->head_n = log_format_head(format, clock_real_us(), f->head);
	}
	f->path = strdup(path);
	if (!f->path) {
		free(f);
		return NULL;
	}
	s = sink_make(&file_kind, f, path, format);
	if (s)
		sink_flush(s, now_us); /* so that a file is there, or its trouble said, from the start */
	return s;
}

void
sink_limit(struct sink *s, uint64_t max_size, uint32_t keep)
{
	struct file_sink *f = sink_arg(s, &file_kind);

	if (!f)
		return;
	f->max_size = max_size;
	f->keep = keep;
}
