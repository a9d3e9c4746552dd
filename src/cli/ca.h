/* SPDX-License-Identifier: MIT */
/*
 * ca: what `postern ca init` (ca.c) and `postern ca show` (ca_show.c) share.
 */
#ifndef POSTERN_CLI_CA_H
#define POSTERN_CLI_CA_H

#include <stdbool.h>

/* How both are used; the exit code: `asked`: somebody wanted to know. */
int ca_usage(bool asked);
int cli_ca_show(int argc, char **argv);

#endif
