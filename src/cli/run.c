/* SPDX-License-Identifier: MIT */
/* run: the gateway in the foreground. */
#include <getopt.h>
#include <stdio.h>

#include "cli/cli.h"
#include "proc/parent.h"

static const char usage[] =
    "usage: postern run [-c FILE] [--report-only]\n"
    "  -c FILE        the configuration (" CLI_DEFAULT_CONF ")\n"
    "  --report-only  what the rules deny or inspect passes as a tunnel, and the log says which rule it was\n";

int
cli_run(int argc, char **argv)
{
	static const struct option longs[] = {
		{"config", required_argument, NULL, 'c'},
		{"report-only", no_argument, NULL, 'r'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	struct parent_options o = {.conf = CLI_DEFAULT_CONF};

	for (int c; (c = getopt_long(argc, argv, "c:h", longs, NULL)) != -1;) {
		switch (c) {
		case 'c':
			o.conf = optarg;
			break;
		case 'r':
			o.report_only = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	if (optind != argc) {
		fputs(usage, stderr);
		return 2;
	}
	return parent_run(&o);
}
