/* SPDX-License-Identifier: MIT */
/*
 * logger: drains each worker's ring to the access logs; runs in a process of its own, so that no slow disk holds up traffic.
 * Plugs into a loop: watches the eventfd that workers write when it sleeps, and polls while there is work, so that a busy worker makes no system call
 * for its log. Lines of several workers come out in the order of their time, as far as they are in the rings at once.
 * Leaves starting the process, signals and control messages to the others; SIGPIPE must be ignored.
 * Always true: a record leaves its ring only after its line was handed to the kernel or to the memory of a sink in trouble. A logger that is killed may write
 * a line twice, but loses none.
 */
#ifndef POSTERN_PROC_LOGGER_H
#define POSTERN_PROC_LOGGER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "conf/conf.h"
#include "ipc/shared.h"
#include "net/loop.h"

struct logger;

/* One access log; everything is copied. */
struct logger_log {
	const char          *path; /* of a file: absolute, or "-"; null: another kind of place */
	const char          *syslog; /* a server; null: none, and without a path the journal */
	const char          *syslog_ca, *spool; /* null: none */
	struct span          host, app_name; /* of syslog messages */
	unsigned             facility, severity;
	uint64_t             spool_size;
	struct resolver     *resolver; /* borrowed as long as the logger lives; null where no server is named by a name */
	enum log_format_kind format;
	struct span          custom; /* LOG_CUSTOM's */
	bool                 log_query;
	const struct span   *rules; /* names of those whose lines it takes */
	size_t               n_rules; /* 0: all */
	uint32_t             lets, sample, masks; /* as struct snapshot_log has them */
	uint64_t             max_size; /* of the file, see sink_limit */
	uint32_t             keep;
	const uint8_t       *key; /* LOG_KEY_BYTES, where masks is not 0 */
};

struct logger_config {
	const int               *rings; /* ring_create's descriptors; may be closed after logger_new */
	unsigned                 n_rings;
	int                      wake_fd; /* an eventfd, non-blocking; stays the caller's, open as long as the logger lives */
	const struct logger_log *logs;
	unsigned                 n_logs;
	struct logger_stats     *stats; /* borrowed; null: nobody counts */
	struct shared           *shared; /* borrowed: where it publishes which hosts and clients come most often; null: nowhere */
};

/* Starts at once with what is in the rings. NULL: out of memory, a descriptor that is no ring, or a bad custom format (said in the operations log). */
struct logger *logger_new(struct loop *loop, const struct logger_config *c);
/* Writes all that is in the rings now, with one last try for logs in trouble. */
void logger_free(struct logger *l);
bool logger_add_ring(struct logger *l, int fd);
/* Rotation: every path is opened anew. How many could not be; `first` is then the path of the first. */
unsigned logger_reopen(struct logger *l, const char **first);
/* What is in the rings goes to the old logs; those whose place stays keep their file, connection, spool and lines that wait. False: out of memory or a bad format; nothing changed. */
bool logger_reconfigure(struct logger *l, const struct logger_log *logs, unsigned n_logs);

#endif
