/* SPDX-License-Identifier: MIT */
/*
 * reader: access logs, line by line, plain or gzip, told apart by their content. Every size is bounded: lines, nesting, and what a compressed file unpacks to.
 */
#ifndef POSTERN_LOGREAD_READER_H
#define POSTERN_LOGREAD_READER_H

#include "logread/entry.h"

struct log_reader;

enum log_read { LOG_READ_ENTRY, LOG_READ_BAD /* a line that is no log line, or too long: *why says it */, LOG_READ_END, LOG_READ_FAILED /* I/O, damaged gzip, too much: *why */ };

/* Bytes that a compressed file may unpack to unless the caller says another number, and that anything which is no file may hold: a pipe need not end. */
#define LOG_UNPACKED_MAX (16ull << 30)
#define LOG_WHY_TOO_MUCH "holds more than is read" /* the *why of that */

/* `fd` is closed with the reader. Folders and devices are not read: LOG_READ_FAILED. `most`: bytes after decompression; 0: as the default. NULL: no memory. */
struct log_reader *log_reader_new(int fd, uint64_t most);
void               log_reader_free(struct log_reader *r);
enum log_read      log_reader_next(struct log_reader *r, struct log_entry *out, const char **why);
/* How many lines were read so far. */
uint64_t           log_reader_lines(const struct log_reader *r);
/* How many requests the log itself says were lost before they could be written to it; its lines that say so are no entries. */
uint64_t           log_reader_lost(const struct log_reader *r);
/* One line by itself, e.g. of --log-line; `scratch` holds what had to be decoded, LOG_LINE_MAX bytes. False: *why. */
bool log_entry_parse(struct span line, struct log_entry *out, char *scratch, const char **why);

#endif
