/* SPDX-License-Identifier: MIT */
/*
 * line: one line of each format. They fill in what the line says of an entry that was reset; texts that need decoding go to the scratch.
 */
#ifndef POSTERN_LOGREAD_LINE_H
#define POSTERN_LOGREAD_LINE_H

#include "logread/entry.h"

/* LINE_NOTE: our own word about the log itself, no request. LINE_BAD: *why says what is wrong. */
enum line_read { LINE_ENTRY, LINE_NOTE, LINE_BAD };

enum line_read line_squid(struct span line, struct log_entry *out, char *scratch, const char **why);
/* *lost: of a LINE_NOTE, how many requests it says were dropped. */
enum line_read line_json(struct span line, struct log_entry *out, char *scratch, uint64_t *lost, const char **why);
/* Either, told by its first byte. */
enum line_read line_any(struct span line, struct log_entry *out, char *scratch, uint64_t *lost, const char **why);

/* Digits only; false when there is none, something else, or too many of them. */
bool line_number_read(struct span s, uint64_t *out);

#endif
