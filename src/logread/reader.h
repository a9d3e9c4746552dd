/* SPDX-License-Identifier: MIT */
/*
 * reader: access logs, line by line, plain or gzip, told apart by their content. Every size is bounded: lines, nesting, and what a compressed file unpacks to.
 */
#ifndef POSTERN_LOGREAD_READER_H
#define POSTERN_LOGREAD_READER_H

#include "logread/entry.h"

struct log_reader;

enum log_read { LOG_READ_ENTRY, LOG_READ_BAD /* a line that is no log line, or too long: *why says it */, LOG_READ_END, LOG_READ_FAILED /* I/O, damaged gzip, too much: *why */ };

/* `fd` is closed with the reader. `most`: bytes after decompression; 0: as the default. NULL: no memory. */
struct log_reader *log_reader_new(int fd, uint64_t most);
void               log_reader_free(struct log_reader *r);
enum log_read      log_reader_next(struct log_reader *r, struct log_entry *out, const char **why);
/* One line by itself, e.g. of --log-line; `scratch` holds what had to be decoded, LOG_LINE_MAX bytes. False: *why. */
bool log_entry_parse(struct span line, struct log_entry *out, char *scratch, const char **why);

#endif
