/* SPDX-License-Identifier: MIT */
/*
 * import: what `postern import KIND` leaves to one file for each kind. argv[0] is the kind's name for complaints, "postern import squid".
 */
#ifndef POSTERN_CLI_IMPORT_H
#define POSTERN_CLI_IMPORT_H

int cli_import_squid(int argc, char **argv);
int cli_import_m365(int argc, char **argv);

#endif
