/* SPDX-License-Identifier: MIT */
/*
 * sink: one place that whole lines go to, many with one write: a log file (or FIFO, or standard output; sink_file.c).
 * A full disk, a missing directory, a reader that went away: lines are kept in memory up to SINK_MEMORY_MAX, writing is tried again every second, what
 * comes after that is counted as dropped; the operations log says so, once a minute at most, and again when writing works.
 * Opens files itself, so the process needs the right to; never waits for a FIFO, but may wait for a slow disk or standard output.
 */
#ifndef POSTERN_AUDIT_SINK_H
#define POSTERN_AUDIT_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "audit/format.h"

struct sink;

#define SINK_MEMORY_MAX ((size_t)8 << 20)

/* "-" is standard output. `format`: what the lines are of, since it also has words for the top of a file and for lines that were dropped (log_format_head,
 * log_format_drops). A file that cannot be opened is not an error here. NULL: out of memory. */
struct sink *sink_new(const char *path, enum log_format_kind format, uint64_t now_us);
/* Tries once more to write what is left. Returns how many lines were lost with it. */
uint64_t    sink_free(struct sink *s, uint64_t now_us);
const char *sink_path(const struct sink *s);
/* From now on lines are of that format. */
void sink_speak(struct sink *s, enum log_format_kind format);
/* Of a file; of other places it is ignored. Before it grows beyond max_size bytes (0: it may) it is renamed to FILE.1, what was that to FILE.2 and so on up
 * to FILE.keep; whole lines only. When that fails, which is said once a minute, the file goes on growing. */
void sink_limit(struct sink *s, uint64_t max_size, uint32_t keep);

/* LOG_LINE_MAX bytes to write the next line to, or NULL: no room, counted as dropped. sink_took: the line is n bytes, with its newline. */
char *sink_room(struct sink *s);
/* What that line tells, for places that want more than its text; borrowed until sink_took. */
void  sink_says(struct sink *s, const struct record *r, const struct span text[RT_COUNT]);
void  sink_took(struct sink *s, size_t n);
/* So many lines were lost before they came here. */
void sink_lost(struct sink *s, uint64_t lines);
/* Write what there is. False: something is left, or a new file could not be opened yet; call again after sink_retry_ms. now_us: monotonic. */
bool     sink_flush(struct sink *s, uint64_t now_us);
uint64_t sink_retry_ms(const struct sink *s);
/* Open the path anew (it was renamed) and close the old file; when that fails, the old one stays until it works, which is tried again with
 * sink_flush each second, and the operations log says so; false. */
bool sink_reopen(struct sink *s);

struct sink_counts {
	uint64_t lines, bytes; /* written */
	uint64_t dropped;
	uint64_t errors; /* failed opens and writes */
};
/* What was counted since the last call. */
struct sink_counts sink_counts_take(struct sink *s);

#endif
