/* SPDX-License-Identifier: MIT */
/*
 * ca: what `postern ca init` (ca.c) and `postern ca show` (ca_show.c) share.
 */
#ifndef POSTERN_CLI_CA_H
#define POSTERN_CLI_CA_H

/* How both are used. */
extern const char ca_usage[];
int cli_ca_show(int argc, char **argv);

#endif
