/* SPDX-License-Identifier: MIT */
/*
 * source: the bytes of a log file, unpacked when it is gzip (RFC 1952), which its first bytes tell. Knows no lines.
 * A file may be several members, one after the other, as log rotation and `cat` make them.
 */
#ifndef POSTERN_LOGREAD_SOURCE_H
#define POSTERN_LOGREAD_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct log_source;

/* As log_reader_new. */
struct log_source *log_source_new(int fd, uint64_t most);
void               log_source_free(struct log_source *s);
/* Up to n (not 0) bytes to `to`; 0: the end; -1: *why. What came before a damage is handed out first. */
ssize_t            log_source_read(struct log_source *s, char *to, size_t n, const char **why);

#endif
