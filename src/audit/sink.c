/* SPDX-License-Identifier: MIT */
/*
 * sink: see sink.h. One buffer: buf[at..end) is still to be written, and buf[0] always begins a line.
 * Always true: what was cut off in the middle of a line is continued in the same file, or written as a whole line to the next one.
 */
#include "audit/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/line.h"
#include "audit/words.h"
#include "base/clock.h"
#include "base/log.h"

#define FIRST_BYTES ((size_t)512 << 10)
#define BATCH_BYTES ((size_t)256 << 10) /* written out at once when this much has come together */
#define EVENT_BYTES 128u                /* most that the line about drops takes */
#define RETRY_US    1000000u
#define BUSY_MS     50u /* until a full FIFO is tried again */
#define SAY_US      60000000u

struct sink {
	char    *path; /* owned */
	int      fd;   /* owned, but for standard output; -1: could not be opened */
	bool     is_stdout, says_drops;
	bool     is_busy;       /* the last write met a full FIFO */
	bool     is_stale;      /* could not be opened anew: still the file of before the rotation */
	int      trouble;       /* errno of the last failure; 0: writing works */
	bool     was_said;      /* the trouble is in the operations log, its end is not */
	uint64_t retry_us;      /* monotonic; writing is not tried before */
	uint64_t stale_us;      /* nor opening anew */
	uint64_t say_us, say_end_us; /* nor is trouble, or its end, told before */
	char    *buf;           /* owned */
	size_t   room, at, end;
	uint64_t held;          /* lines in buf */
	uint64_t gap;           /* lines lost since one was last taken */
	uint64_t lost;          /* lines lost here that the operations log has not told */
	struct sink_counts counts;
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

/* Say what is wrong, once a minute at most. */
static void
complain(struct sink *s, uint64_t now_us)
{
	if (now_us < s->say_us)
		return;
	s->say_us = now_us + SAY_US;
	s->was_said = true;
	log_warn("access log %s: %s; %llu lines are kept in memory (at most %u MiB), %llu were dropped", s->path,
	         s->trouble == EAGAIN ? "its reader does not keep up" : strerror(s->trouble), (unsigned long long)s->held,
	         (unsigned)(SINK_MEMORY_MAX >> 20), (unsigned long long)s->lost);
}

static void
fail(struct sink *s, int error, uint64_t now_us)
{
	s->trouble = error;
	s->counts.errors++;
	s->retry_us = now_us + RETRY_US;
	complain(s, now_us);
}

/* Writing works again. Trouble that comes and goes is told once a minute too; the count waits until then. */
static void
recover(struct sink *s, uint64_t now_us)
{
	s->trouble = 0;
	if ((!s->was_said && !s->lost) || now_us < s->say_end_us)
		return;
	log_info("access log %s: is written again; %llu lines were dropped", s->path, (unsigned long long)s->lost);
	s->say_end_us = now_us + SAY_US;
	s->lost = 0;
	s->was_said = false;
}

static bool
open_first(struct sink *s, uint64_t now_us)
{
	struct stat st;

	s->fd = open_path(s->path, &st);
	if (s->fd < 0) {
		fail(s, errno, now_us);
		return false;
	}
	end_torn_line(s->path, s->fd, &st);
	return true;
}

struct sink *
sink_new(const char *path, bool says_drops, uint64_t now_us)
{
	struct sink *s = calloc(1, sizeof *s);

	if (!s)
		return NULL;
	s->fd = -1;
	s->path = strdup(path);
	s->buf = malloc(FIRST_BYTES);
	s->room = FIRST_BYTES;
	s->says_drops = says_drops;
	if (!s->path || !s->buf) {
		free(s->path);
		free(s->buf);
		free(s);
		return NULL;
	}
	s->is_stdout = strcmp(path, "-") == 0;
	if (s->is_stdout)
		s->fd = STDOUT_FILENO;
	else
		open_first(s, now_us);
	return s;
}

uint64_t
sink_free(struct sink *s, uint64_t now_us)
{
	uint64_t lost;

	if (!s)
		return 0;
	s->retry_us = 0;
	sink_flush(s, now_us);
	lost = s->held;
	if (lost)
		log_warn("access log %s: is given up with %llu lines unwritten", s->path, (unsigned long long)lost);
	if (s->fd >= 0 && !s->is_stdout)
		close(s->fd);
	free(s->path);
	free(s->buf);
	free(s);
	return lost;
}

const char *
sink_path(const struct sink *s)
{
	return s->path;
}

void
sink_say_drops(struct sink *s, bool says_drops)
{
	s->says_drops = says_drops;
}

/* Start of the line that buf[at] is in. */
static size_t
line_start(const struct sink *s)
{
	const char *p = s->at ? memrchr(s->buf, '\n', s->at) : NULL;

	return p ? (size_t)(p - s->buf) + 1 : 0;
}

/* Make place for `need` bytes at buf[end]. */
static bool
make_room(struct sink *s, size_t need)
{
	size_t start, room = s->room;
	char  *grown;

	if (s->room - s->end >= need)
		return true;
	start = line_start(s);
	if (start) {
		memmove(s->buf, s->buf + start, s->end - start);
		s->at -= start;
		s->end -= start;
	}
	while (room - s->end < need && room < SINK_MEMORY_MAX)
		room *= 2;
	if (room - s->end < need)
		return false;
	if (room != s->room) {
		grown = realloc(s->buf, room);
		if (!grown)
			return false;
		s->buf = grown;
		s->room = room;
	}
	return true;
}

/* The line about drops, where they happened. */
static void
put_gap(struct sink *s)
{
	struct line l;

	if (s->gap && s->says_drops && make_room(s, EVENT_BYTES)) {
		l = (struct line){s->buf + s->end, s->buf + s->end + EVENT_BYTES};
		line_str(&l, "{\"ts\":\"");
		moment_print(&l, clock_real_us());
		line_str(&l, "\",\"event\":\"dropped\",\"lines\":");
		line_number(&l, s->gap, 0, ' ');
		line_str(&l, "}\n");
		s->end = (size_t)(l.at - s->buf);
	}
	s->gap = 0;
}

char *
sink_room(struct sink *s)
{
	if (!make_room(s, LOG_LINE_MAX + EVENT_BYTES)) {
		s->gap++;
		s->lost++;
		s->counts.dropped++;
		return NULL;
	}
	if (s->gap)
		put_gap(s);
	return s->buf + s->end;
}

/* Write as much as goes. */
static void
write_out(struct sink *s, uint64_t now_us)
{
	while (s->at < s->end) {
		ssize_t n = write(s->fd, s->buf + s->at, s->end - s->at);

		if (n >= 0) {
			s->at += (size_t)n;
			s->counts.bytes += (uint64_t)n;
			s->is_busy = false;
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno == EAGAIN) {
			s->is_busy = true;
			return;
		}
		fail(s, errno, now_us);
		if ((s->trouble == EPIPE || s->trouble == ESTALE) && !s->is_stdout) {
			close(s->fd);
			s->fd = -1;
			s->at = line_start(s);
		}
		return;
	}
	s->counts.lines += s->held;
	s->at = s->end = 0;
	s->held = 0;
}

void
sink_took(struct sink *s, size_t n)
{
	s->end += n;
	s->held++;
	if (s->end - s->at >= BATCH_BYTES && !s->trouble && !s->is_busy && s->fd >= 0)
		write_out(s, clock_mono_us());
}

void
sink_lost(struct sink *s, uint64_t lines)
{
	s->gap += lines;
}

/* Give back what a time of trouble took. */
static void
shrink(struct sink *s)
{
	char *p;

	if (s->room == FIRST_BYTES || s->end)
		return;
	p = realloc(s->buf, FIRST_BYTES);
	if (p) {
		s->buf = p;
		s->room = FIRST_BYTES;
	}
}

bool
sink_flush(struct sink *s, uint64_t now_us)
{
	if (s->is_stale && now_us >= s->stale_us) {
		s->stale_us = now_us + RETRY_US;
		sink_reopen(s);
	}
	if (s->trouble && now_us < s->retry_us)
		return false;
	if (s->fd < 0 && !open_first(s, now_us))
		return false;
	write_out(s, now_us);
	if (s->gap && s->at == s->end && s->fd >= 0) {
		put_gap(s);
		write_out(s, now_us);
	}
	if (s->at < s->end) {
		if (s->is_busy && s->lost) {
			s->trouble = EAGAIN;
			complain(s, now_us);
		}
		return false;
	}
	recover(s, now_us);
	shrink(s);
	return !s->is_stale;
}

uint64_t
sink_retry_ms(const struct sink *s)
{
	return s->is_busy ? BUSY_MS : RETRY_US / 1000;
}

void
sink_reopen(struct sink *s)
{
	struct stat now = {0}, old = {0};
	int         fd;

	if (s->is_stdout)
		return;
	fd = open_path(s->path, &now);
	if (fd < 0) {
		if (!s->is_stale)
			log_warn("access log %s: cannot be opened again: %s; %s until it can", s->path, strerror(errno),
			         s->fd >= 0 ? "the old file is written" : "lines are kept in memory");
		s->is_stale = s->fd >= 0;
		s->counts.errors++;
		return;
	}
	s->is_stale = false;
	if (s->fd < 0 || fstat(s->fd, &old) != 0 || old.st_dev != now.st_dev || old.st_ino != now.st_ino) {
		s->at = line_start(s);
		end_torn_line(s->path, fd, &now);
	}
	if (s->fd >= 0)
		close(s->fd);
	s->fd = fd;
	s->retry_us = 0;
	s->is_busy = false;
}

struct sink_counts
sink_counts_take(struct sink *s)
{
	struct sink_counts c = s->counts;

	s->counts = (struct sink_counts){0};
	return c;
}
