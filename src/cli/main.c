/* SPDX-License-Identifier: MIT */
/*
 * main: finds the subcommand and leaves everything to it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "proc/roles.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *what;
	const char *called; /* by getopt, when it complains */
} commands[] = {
	{"run", cli_run, "the gateway, in the foreground", "postern run"},
	{"check", cli_check, "read and compile the configuration, print every error and warning", "postern check"},
	{"explain", cli_explain, "what would happen to a request, and why", "postern explain"},
	{"replay", cli_replay, "what a configuration would decide differently of the requests in access logs", "postern replay"},
	{"doctor", cli_doctor, "are the endpoints of the bypass rules reached, without a password and untouched", "postern doctor"},
	{"passwd", cli_passwd, "add, change and remove users of a user file", "postern passwd"},
	{"auth", cli_auth, "auth test: try each authentication back end, say what is wrong", "postern auth"},
	{"ca", cli_ca, "ca init, ca show: make an authority for inspection, tell how clients come to trust it", "postern ca"},
	{"import", cli_import, "import squid, import m365: turn what others have into rules and lists", "postern import"},
	{"reload", cli_control, "have the gateway read its configuration again; tells what changed, or what is wrong", "postern reload"},
	{"drain", cli_control, "have the gateway take no more, let what is under way end, and stop", "postern drain"},
	{"upgrade", cli_control, "have the program that is installed now take over, without losing a connection", "postern upgrade"},
	{"rotate", cli_control, "have the gateway open its access logs anew", "postern rotate"},
	{"kill", cli_control, "end one of the sessions that are under way", "postern kill"},
	{"status", cli_control, "how the gateway is, and what it has done", "postern status"},
	{"sessions", cli_control, "the tunnels and requests that are under way", "postern sessions"},
	{"rules", cli_control, "how often each rule decided, and when last", "postern rules"},
	{"lists", cli_control, "the lists in use", "postern lists"},
	{"suggest", cli_suggest, "what pinned clients and machines that cannot log on would need, as lines to add", "postern suggest"},
	{"top", cli_top, "sessions and rules, live, with filters; ends a session by a key", "postern top"},
};

static void
usage(FILE *to)
{
	fputs("usage: postern COMMAND [ARGUMENT...]\n", to);
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		fprintf(to, "  %-9s %s\n", commands[i].name, commands[i].what);
	fputs("postern COMMAND --help says more; postern --version says which this is.\n", to);
}

/* Who was started without one of the three would have its next file or socket there, and what is printed would go into that. Opened the wrong way round,
 * so that writing, or reading, fails as it should. */
static bool
standard_streams_open(void)
{
	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
			return false;
	return true;
}

static int
command_run(int argc, char **argv)
{
	if (argc < 2) {
		usage(stderr);
		return CLI_USAGE;
	}
	if (cli_asks(argv[1]) == 'h' || strcmp(argv[1], "help") == 0) {
		usage(stdout);
		return CLI_FINE;
	}
	if (cli_asks(argv[1]) == 'V')
		return cli_usage('V', NULL);
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		if (strcmp(argv[1], commands[i].name) == 0) {
			argv[1] = (char *)(uintptr_t)commands[i].called;
			return commands[i].run(argc - 1, argv + 1);
		}
	fputs("postern: there is no command `", stderr);
	cli_print(stderr, span_str(argv[1]));
	fputs("`; postern --help lists them\n", stderr);
	return CLI_USAGE;
}

int
main(int argc, char **argv)
{
	int code;

	if (!standard_streams_open())
		return cli_usage_error("standard input, output or error is closed, and /dev/null cannot stand in for it: %s", strerror(errno));
	/* how the parent starts the other processes: from this very binary */
	if (argc == 3 && strcmp(argv[1], "--child") == 0)
		return role_main(argv[2]);
	code = command_run(argc, argv);
	/* an answer that could not be written is no answer */
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	fputs("postern: the standard output takes no more: not all of the answer was written\n", stderr);
	return CLI_USAGE;
}
