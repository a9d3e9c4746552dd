/* SPDX-License-Identifier: MIT */
/*
 * filter: which lines one log takes. By the rule that decided (or would have, had it not only been reported), by action, and by chance: of a sample, the
 * lines of one session stay together (a client connection's requests; a CONNECT and the requests inside it), and the same sessions are taken whenever they
 * are asked for.
 * Always true: it keeps what it was made of; asking allocates nothing.
 */
#ifndef POSTERN_AUDIT_FILTER_H
#define POSTERN_AUDIT_FILTER_H

#include "audit/record.h"

struct log_filter;

/* `rules`: names, copied; n 0: whatever the rule. `lets`: LOG_LETS_..., 0: all. `sample`: one of so many sessions; 0 and 1: all. NULL: out of memory. */
struct log_filter *log_filter_new(const struct span *rules, size_t n, uint32_t lets, uint32_t sample);
void log_filter_free(struct log_filter *f);
bool log_filter_takes(const struct log_filter *f, const struct record *r, const struct span text[RT_COUNT]);

#endif
