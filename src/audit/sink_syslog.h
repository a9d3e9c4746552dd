/* SPDX-License-Identifier: MIT */
/*
 * sink_syslog: a sink that sends each line to a syslog server as an RFC 5424 message.
 * What the server does not take goes to a file, if there is one, else stays in the sink's memory. Lines come out in order. One that was on its way when
 * the server died may come twice; over UDP, which does not tell, it may be lost.
 */
#ifndef POSTERN_AUDIT_SINK_SYSLOG_H
#define POSTERN_AUDIT_SINK_SYSLOG_H

#include "audit/sink.h"
#include "base/span.h"
#include "net/resolve.h"

struct sink_syslog_config {
	const char *to;         /* as `syslog` has it */
	const char *ca;         /* PEM; null: the system's */
	struct span host, name; /* HOSTNAME and APP-NAME, before RFC 5424 has cut them */
	unsigned    facility, severity;
	const char *spool;      /* null: none */
	uint64_t    spool_size;
	struct resolver *resolver; /* borrowed */
};

/* Everything is copied. NULL: no memory, or `to` is no server. sink_path is `to`, with `, spool FILE` when there is one. */
struct sink *sink_syslog_new(const struct sink_syslog_config *c, enum log_format_kind format);
/* What sink_path of such a sink says. */
#define SINK_SYSLOG_NAME 4608
void sink_syslog_name(const char *to, const char *spool, char name[SINK_SYSLOG_NAME]);
/* Take the rest of the configuration for lines and connections to come. False: no memory, nothing changed. */
bool sink_syslog_adopt(struct sink *s, const struct sink_syslog_config *c);

#endif
