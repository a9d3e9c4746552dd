/* SPDX-License-Identifier: MIT */
/*
 * sink: see sink.h. One buffer: buf[at..end) is still to be written, and buf[0] always begins an entry (sink_kind.h).
 */
#include "audit/sink.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "audit/sink_kind.h"
#include "base/clock.h"
#include "base/log.h"

#define FIRST_BYTES ((size_t)512 << 10)
#define BATCH_BYTES ((size_t)256 << 10) /* written out at once when this much has come together */
#define RETRY_US    1000000u
#define BUSY_MS     50u /* until a full FIFO is tried again */
#define SAY_US      60000000u

struct sink {
	const struct sink_kind *kind;
	void    *arg;  /* owned; the kind's */
	char    *name; /* owned */
	enum log_format_kind format; /* of the lines */
	bool     is_busy;       /* the last write met a reader that does not keep up */
	bool     is_pending;    /* the kind has something left to do */
	int      trouble;       /* errno of the last failure; 0: writing works */
	char     why[SINK_WHY]; /* the same in words; empty: what errno says */
	bool     was_said;      /* the trouble is in the operations log, its end is not */
	unsigned wait_ms;       /* as the kind wishes; 0: none */
	uint64_t retry_us;      /* monotonic; writing is not tried before */
	bool     is_second;     /* sink_kind.h */
	uint64_t say_us[2], say_end_us; /* nor is trouble, the first or the second, or its end, told before */
	char    *buf;           /* owned */
	size_t   room, at, end;
	size_t   tried;         /* what end was at the last try: in trouble not each line is a try of its own */
	uint64_t held;          /* lines in buf */
	uint64_t gap;           /* lines lost since one was last taken */
	uint64_t lost;          /* lines lost here that the operations log has not told */
	const struct record *record; /* borrowed until sink_took: what the line to come says; null: nothing is known */
	const struct span   *text;
	struct sink_counts counts;
};

/* Say what is wrong, once a minute at most. */
static void
complain(struct sink *s, uint64_t now_us)
{
	const char *why = s->trouble == EAGAIN ? "its reader does not keep up" : strerror(s->trouble);

	if (now_us < s->say_us[s->is_second])
		return;
	s->say_us[s->is_second] = now_us + SAY_US;
	s->was_said = true;
	log_warn("access log %s: %s; %llu lines are kept in memory (at most %u MiB), %llu were dropped", s->name, *s->why ? s->why : why,
	         (unsigned long long)s->held, (unsigned)(SINK_MEMORY_MAX >> 20), (unsigned long long)s->lost);
}

/* Writing works again. Trouble that comes and goes is told once a minute too; the count waits until then. */
static void
recover(struct sink *s, uint64_t now_us)
{
	s->trouble = 0;
	if ((!s->was_said && !s->lost) || now_us < s->say_end_us)
		return;
	log_info("access log %s: is written again; %llu lines were dropped", s->name, (unsigned long long)s->lost);
	s->say_end_us = now_us + SAY_US;
	s->lost = 0;
	s->was_said = false;
}

struct sink *
sink_make(const struct sink_kind *kind, void *arg, const char *name, enum log_format_kind format)
{
	struct sink *s = calloc(1, sizeof *s);

	if (!s) {
		kind->free(arg);
		return NULL;
	}
	s->kind = kind;
	s->arg = arg;
	s->name = strdup(name);
	s->buf = malloc(FIRST_BYTES);
	s->room = FIRST_BYTES;
	s->format = format;
	if (s->name && s->buf)
		return s;
	kind->free(arg);
	free(s->name);
	free(s->buf);
	free(s);
	return NULL;
}

void *
sink_arg(const struct sink *s, const struct sink_kind *kind)
{
	return s->kind == kind ? s->arg : NULL;
}

uint64_t
sink_free(struct sink *s, uint64_t now_us)
{
	uint64_t lost;

	if (!s)
		return 0;
	s->retry_us = 0;
	sink_flush(s, now_us);
	lost = s->held + s->kind->free(s->arg);
	if (lost)
		log_warn("access log %s: is given up with %llu lines unwritten", s->name, (unsigned long long)lost);
	free(s->name);
	free(s->buf);
	free(s);
	return lost;
}

const char *
sink_path(const struct sink *s)
{
	return s->name;
}

void
sink_speak(struct sink *s, enum log_format_kind format)
{
	s->format = format;
	if (s->kind->speak)
		s->kind->speak(s->arg, format);
}

/* Start of the entry that buf[at] is in. */
static size_t
entry_start(const struct sink *s)
{
	const char *p;

	if (s->kind->head)
		return s->at; /* these are taken as a whole */
	p = s->at ? memrchr(s->buf, '\n', s->at) : NULL;
	return p ? (size_t)(p - s->buf) + 1 : 0;
}

/* Where the line of an entry is first put: behind the most that may come to stand in front of it. */
static size_t
line_offset(const struct sink *s)
{
	return s->kind->head ? sizeof(uint32_t) + s->kind->head_max : 0;
}

/* Make place for `need` bytes at buf[end]. */
static bool
make_room(struct sink *s, size_t need)
{
	size_t start, room = s->room;
	char  *grown;

	if (s->room - s->end >= need)
		return true;
	start = entry_start(s);
	if (start) {
		memmove(s->buf, s->buf + start, s->end - start);
		s->at -= start;
		s->end -= start;
		s->tried -= start;
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

/* The line of n bytes that was put at line_offset becomes an entry. */
static void
end_entry(struct sink *s, size_t n)
{
	char       *entry = s->buf + s->end, *line = entry + line_offset(s);
	struct line l = {entry + sizeof(uint32_t), line};
	uint32_t    size;

	if (s->kind->head) {
		s->kind->head(s->arg, &l, n, s->record, s->text);
		memmove(l.at, line, n);
		n += (size_t)(l.at - entry);
		size = (uint32_t)(n - sizeof size);
		memcpy(entry, &size, sizeof size);
	}
	s->end += n;
}

/* The line about drops, where they happened. */
static void
put_gap(struct sink *s)
{
	size_t n;

	if (s->gap && make_room(s, line_offset(s) + LOG_DROPS_MAX)) {
		n = log_format_drops(s->format, clock_real_us(), s->gap, s->buf + s->end + line_offset(s));
		if (n)
			end_entry(s, n);
	}
	s->gap = 0;
}

char *
sink_room(struct sink *s)
{
	if (!make_room(s, LOG_LINE_MAX + LOG_DROPS_MAX + 2 * line_offset(s))) {
		s->gap++;
		s->lost++;
		s->counts.dropped++;
		return NULL;
	}
	if (s->gap)
		put_gap(s);
	return s->buf + s->end + line_offset(s);
}

void
sink_says(struct sink *s, const struct record *r, const struct span text[RT_COUNT])
{
	s->record = r;
	s->text = text;
}

/* Write as much as goes. */
static void
write_out(struct sink *s, uint64_t now_us)
{
	struct sink_try t;

	do {
		t = (struct sink_try){0};
		s->kind->write(s->arg, s->buf + s->at, s->end - s->at, now_us, &t);
		s->at += t.took;
		s->counts.bytes += t.took;
		s->counts.errors += t.errors;
		if (t.torn)
			s->at = entry_start(s);
	} while (t.torn && !t.error);
	s->tried = s->end;
	s->is_pending = t.pending;
	s->wait_ms = t.wait_ms;
	s->is_busy = t.error == EAGAIN;
	if (t.error && t.error != EAGAIN) {
		s->trouble = t.error;
		s->is_second = t.is_second;
		memcpy(s->why, t.why, sizeof s->why);
		s->retry_us = now_us + RETRY_US;
		complain(s, now_us);
	}
	if (s->at < s->end)
		return;
	s->counts.lines += s->held;
	s->at = s->end = s->tried = 0;
	s->held = 0;
}

void
sink_took(struct sink *s, size_t n)
{
	end_entry(s, n);
	s->held++;
	s->record = NULL;
	s->text = NULL;
	if (s->end - s->tried >= BATCH_BYTES && (!s->trouble || s->kind->is_paced) && !s->is_busy)
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
	int trouble = s->trouble;

	if (trouble && now_us < s->retry_us && !s->kind->is_paced)
		return false;
	s->trouble = 0;
	write_out(s, now_us);
	if (s->gap && !s->trouble && s->at == s->end) {
		put_gap(s);
		write_out(s, now_us);
	}
	if (s->trouble)
		return false;
	s->trouble = trouble; /* until all is written */
	if (s->at < s->end) {
		if (s->is_busy && s->lost) {
			s->trouble = EAGAIN;
			s->is_second = false;
			s->why[0] = '\0';
			complain(s, now_us);
		}
		return false;
	}
	shrink(s);
	if (s->is_pending && s->kind->is_paced)
		return false;
	recover(s, now_us);
	return !s->is_pending;
}

uint64_t
sink_retry_ms(const struct sink *s)
{
	if (s->wait_ms)
		return s->wait_ms;
	return s->is_busy ? BUSY_MS : RETRY_US / 1000;
}

bool
sink_reopen(struct sink *s)
{
	struct sink_try t = {0};

	if (!s->kind->reopen)
		return true;
	s->kind->reopen(s->arg, &t);
	s->counts.errors += t.errors;
	if (t.torn)
		s->at = entry_start(s);
	if (t.errors)
		return false;
	s->retry_us = 0;
	s->is_busy = false;
	return true;
}

struct sink_counts
sink_counts_take(struct sink *s)
{
	struct sink_counts c = s->counts;

	s->counts = (struct sink_counts){0};
	return c;
}
