/* SPDX-License-Identifier: MIT */
/* run: the gateway in the foreground. */
#include <getopt.h>
#include <stdio.h>

#include "cli/cli.h"
#include "proc/parent.h"

static const char usage[] =
    "usage: postern run [-c FILE] [--report-only]\n"
    "The gateway, in the foreground. Its operations log goes to standard error; SIGHUP reloads, SIGUSR1 opens the access logs anew,\n"
    "SIGTERM or SIGINT lets what is under way end and stops it, the same once more cuts it off.\n"
    "  -c, --config FILE    the configuration (" CLI_DEFAULT_CONF ")\n"
    "      --report-only    what the rules deny passes as a tunnel, and the access log says which rule it was\n"
    "exit code: 0 told to stop, 1 could not start, 2 usage, or a configuration that is unreadable or wrong, or asks for an address that is taken\n";

int
cli_run(int argc, char **argv)
{
	static const struct option longs[] = {
		{"config", required_argument, NULL, 'c'},
		{"report-only", no_argument, NULL, 'r'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{0},
	};
	struct parent_options o = {.conf = CLI_DEFAULT_CONF};

	for (int c; (c = getopt_long(argc, argv, "c:hV", longs, NULL)) != -1;) {
		switch (c) {
		case 'c':
			o.conf = optarg;
			break;
		case 'r':
			o.report_only = true;
			break;
		default:
			return cli_usage(c, usage);
		}
	}
	if (optind != argc)
		return cli_usage('?', usage);
	return cli_file_readable(o.conf) ? parent_run(&o) : CLI_USAGE;
}
