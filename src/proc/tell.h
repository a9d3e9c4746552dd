/* SPDX-License-Identifier: MIT */
/*
 * tell: what the parent says of itself: to the service manager and in the operations log.
 */
#ifndef POSTERN_PROC_TELL_H
#define POSTERN_PROC_TELL_H

#include <stdint.h>

#include "conf/conf.h"
#include "ipc/shared.h"
#include "proc/ports.h"

/* sd_notify(3); nothing without systemd. */
void notify(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* How often the service manager wants to hear WATCHDOG=1 (WatchdogSec=, twice in that time); 0: it does not. */
uint64_t notify_interval_ms(void);
/* Where `p` listens and `other` does not. `c` may be null: without the listeners' names. */
void say_listening(const struct ports *p, const struct ports *other, const char *what, const struct conf *c);
/* Says that the clock of the day was set, when it was since the last call. Called every few seconds; deadlines do not go by that clock. */
void note_clock(void);
/* What the configuration consists of, in words. */
void note_counts(const struct conf *c, char *buf, size_t n);

#endif
