/* SPDX-License-Identifier: MIT */
/*
 * log: the operations log, on stderr (service managers keep it). One line for each call; outside text is escaped. When stderr is
 * the journal (JOURNAL_STREAM), each line begins with its priority, <4> for a warning (sd-daemon(3)), which the journal takes off.
 * warn means that someone should act; a hostile or clumsy client is never more than info.
 * Not for the access log (audit/), not for answers of subcommands (stdout).
 */
#ifndef POSTERN_BASE_LOG_H
#define POSTERN_BASE_LOG_H

#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* What stands before each line: "postern[worker 0]". Copied. */
void log_as(const char *who);
void log_threshold(enum log_level most);
extern enum log_level log_most; /* what log_threshold said last */
void log_write(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_write(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_write(LOG_LEVEL_INFO, __VA_ARGS__)
/* Costs a look at one number when nobody wants it. */
#define log_debug(...) \
	do { \
		if (log_most >= LOG_LEVEL_DEBUG) \
			log_write(LOG_LEVEL_DEBUG, __VA_ARGS__); \
	} while (0)

/* For trouble that repeats: at most one line a minute for each `kind`; the next line says how many were held back.
 * Embed one static struct log_limit for each kind. */
struct log_limit {
	uint64_t next_us; /* monotonic; 0: never said */
	uint64_t held;
};
void log_write_limited(struct log_limit *l, enum log_level level, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
