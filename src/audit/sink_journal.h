/* SPDX-License-Identifier: MIT */
/*
 * sink_journal: a sink that hands each line to the systemd journal, with fields to look it up by.
 * Speaks the journal's native protocol itself (systemd.io, JOURNAL_NATIVE_PROTOCOL): sd_journal_sendv waits for a journal that does not read.
 */
#ifndef POSTERN_AUDIT_SINK_JOURNAL_H
#define POSTERN_AUDIT_SINK_JOURNAL_H

#include "audit/sink.h"
#include "base/span.h"

#define SINK_JOURNAL_NAME "journald"

struct sink_journal_config {
	struct span name; /* SYSLOG_IDENTIFIER */
	unsigned    facility, severity;
};

/* Everything is copied. NULL: no memory. sink_path is SINK_JOURNAL_NAME. */
struct sink *sink_journal_new(const struct sink_journal_config *c, enum log_format_kind format);
/* The same configuration of lines to come. */
void sink_journal_adopt(struct sink *s, const struct sink_journal_config *c);

#endif
