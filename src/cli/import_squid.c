/* SPDX-License-Identifier: MIT */
/*
 * import_squid: `postern import squid FILE`: reads its arguments; what Squid's words mean is in room import/.
 */
#include "cli/cli.h"
#include "cli/import.h"

int
cli_import_squid(int argc, char **argv)
{
	(void)argc;
	return cli_usage_error("%s: FILE is missing", argv[0]);
}
