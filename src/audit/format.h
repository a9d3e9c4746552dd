/* SPDX-License-Identifier: MIT */
/*
 * format: one record to one line. Pure. Escapes what comes from outside; never writes a query unless told to, never user information.
 */
#ifndef POSTERN_AUDIT_FORMAT_H
#define POSTERN_AUDIT_FORMAT_H

#include "audit/record.h"

struct log_format;

/* `custom`: a format string with Squid's % codes. NULL: *why says which code is unknown or malformed, and where ("" when memory ran out). */
struct log_format *log_format_new(enum log_format_kind kind, struct span custom, bool log_query, char why[160]);
void log_format_free(struct log_format *f);
/* Most bytes that one line can take. */
#define LOG_LINE_MAX 196608
/* Write the line with its newline to buf (LOG_LINE_MAX bytes); returns its length. */
size_t log_format_line(const struct log_format *f, const struct record *r, const struct span text[RT_COUNT], char *buf);

/* What stands at the top of a file of this kind, with its newlines; 0: nothing does. */
#define LOG_HEAD_MAX 1024
size_t log_format_head(enum log_format_kind kind, uint64_t real_us, char buf[LOG_HEAD_MAX]);
/* The line that stands where so many were lost; 0: this kind cannot say so. */
#define LOG_DROPS_MAX 128
size_t log_format_drops(enum log_format_kind kind, uint64_t real_us, uint64_t lines, char buf[LOG_DROPS_MAX]);

#endif
