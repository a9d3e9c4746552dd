/* SPDX-License-Identifier: MIT */
/*
 * import: `postern import KIND FILE`: finds the kind and leaves everything to it (import_squid.c, import_m365.c).
 */
#include <stdint.h>

#include "cli/cli.h"
#include "cli/import.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *what;
	const char *called; /* by getopt, when it complains */
} kinds[] = {
	{"m365", cli_import_m365, "Microsoft's list of endpoints (endpoints.office.com, JSON) into lists; compares with the list in use", "postern import m365"},
	{"squid", cli_import_squid, "squid.conf, or a file of its domains, into rules and lists", "postern import squid"},
};

static int
usage(FILE *to, int code)
{
	fputs("usage: postern import KIND FILE [ARGUMENT...]\n", to);
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		fprintf(to, "  %-6s %s\n", kinds[i].name, kinds[i].what);
	fputs("postern import KIND --help says more.\n", to);
	return code;
}

int
cli_import(int argc, char **argv)
{
	if (argc < 2)
		return usage(stderr, CLI_USAGE);
	if (cli_asks(argv[1]) == 'h')
		return usage(stdout, CLI_FINE);
	if (cli_asks(argv[1]) == 'V')
		return cli_usage('V', NULL);
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (strcmp(argv[1], kinds[i].name) == 0) {
			argv[1] = (char *)(uintptr_t)kinds[i].called;
			return kinds[i].run(argc - 1, argv + 1);
		}
	fputs("postern import: there is no `", stderr);
	cli_print(stderr, span_str(argv[1]));
	fputs("`\n", stderr);
	return usage(stderr, CLI_USAGE);
}
