/* SPDX-License-Identifier: MIT */
/*
 * sink_file: a log file, a FIFO, or standard output.
 * Opens files itself; may wait for a slow disk or standard output, never for a FIFO.
 * Always true: what was cut off in the middle of a line is continued in the same file, or written as a whole line to the next one.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/sink_kind.h"
#include "base/log.h"

#define STALE_US 1000000u /* until a file that could not be opened anew is tried again */

struct file_sink {
	char    *path; /* owned */
	int      fd;   /* owned, but for standard output; -1: could not be opened */
	bool     is_stdout;
	bool     is_stale; /* could not be opened anew: still the file of before the rotation */
	uint64_t stale_us; /* monotonic; opening anew is not tried before */
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
	}
	if (f->fd >= 0)
		close(f->fd);
	f->fd = fd;
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
	while (t->took < n) {
		ssize_t wrote = write(f->fd, p + t->took, n - t->took);

		if (wrote >= 0) {
			t->took += (size_t)wrote;
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno == EAGAIN) {
			t->error = EAGAIN;
			return;
		}
		file_failed(t, errno);
		if ((t->error == EPIPE || t->error == ESTALE) && !f->is_stdout) {
			close(f->fd);
			f->fd = -1;
			t->torn = true;
		}
		return;
	}
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

static const struct sink_kind file_kind = {.write = file_write, .reopen = file_reopen, .free = file_free};

struct sink *
sink_new(const char *path, bool says_drops, uint64_t now_us)
{
	struct file_sink *f = calloc(1, sizeof *f);
	struct sink      *s;

	if (!f)
		return NULL;
	f->fd = -1;
	f->is_stdout = strcmp(path, "-") == 0;
	if (f->is_stdout)
		f->fd = STDOUT_FILENO;
	f->path = strdup(path);
	if (!f->path) {
		free(f);
		return NULL;
	}
	s = sink_make(&file_kind, f, path, says_drops);
	if (s)
		sink_flush(s, now_us); /* so that a file is there, or its trouble said, from the start */
	return s;
}
