/* SPDX-License-Identifier: MIT */
/*
 * parent: reads and checks the configuration, opens listeners, starts and watches the other processes, reloads, rotates, drains.
 * Reads no traffic. A reload is one transaction: every child prepares the new snapshot, and only when all have are they told to use it.
 */
#ifndef POSTERN_PROC_PARENT_H
#define POSTERN_PROC_PARENT_H

#include <stdbool.h>

struct parent_options {
	const char *conf; /* path */
	bool        report_only;
};

/* Runs until drained; the exit code. 2: the configuration is wrong (every problem was printed). */
int parent_run(const struct parent_options *o);

#endif
