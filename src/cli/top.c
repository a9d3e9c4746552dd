/* SPDX-License-Identifier: MIT */
/* top: what `status` and `sessions` say, anew each second, until q is pressed. Where standard output is no terminal: once. */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "cli/ask.h"
#include "cli/cli.h"

static const char usage[] =
    "usage: postern top [-c FILE | --control PATH]\n"
    "The running gateway's state and the sessions that moved most, anew each second; q ends it.\n"
    "  -c, --config FILE    the configuration that names the control socket (" CLI_DEFAULT_CONF ")\n"
    "      --control PATH   the socket itself\n"
    "exit code: 0 fine, 2 usage, 3 the gateway could not be reached\n";

#define CLEAR_LINE "\033[K"

static volatile sig_atomic_t over;

static void
on_signal(int signo)
{
	(void)signo;
	over = 1;
}

struct screen {
	unsigned rows, columns, used;
	bool     terminal;
	char    *text; /* what is drawn, in one piece, so that it does not flicker */
	size_t   n;
	FILE    *to;
};

static void
draw(void *arg, char kind, struct span text)
{
	struct screen *s = arg;

	(void)kind;
	if (s->used + 1 >= s->rows)
		return;
	s->used++;
	/* the gateway has escaped what came from outside, so that each byte takes at most one column */
	cli_print(s->to, span_of(text.p, s->terminal && text.n > s->columns ? s->columns : text.n));
	fputs(s->terminal ? CLEAR_LINE "\n" : "\n", s->to);
}

static void
measure(struct screen *s)
{
	struct winsize w;

	s->rows = 200;
	s->columns = 200;
	if (s->terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_row && w.ws_col) {
		s->rows = w.ws_row;
		s->columns = w.ws_col;
	}
	s->used = 0;
}

static int
turn(struct screen *s, const char *path)
{
	char request[32];
	int  code;

	measure(s);
	s->to = open_memstream(&s->text, &s->n);
	if (!s->to)
		return CLI_NO_GATEWAY;
	code = ask_gateway(path, "status", draw, s);
	snprintf(request, sizeof request, "sessions top=%u", s->rows > s->used + 3 ? s->rows - s->used - 3 : 1);
	if (code == CLI_FINE) {
		draw(s, '.', SPAN(""));
		code = ask_gateway(path, request, draw, s);
	}
	fclose(s->to);
	if (code == CLI_FINE) {
		if (s->terminal)
			fputs("\033[H", stdout);
		fwrite(s->text, 1, s->n, stdout);
		if (s->terminal)
			fputs("\033[J", stdout);
		fflush(stdout);
	}
	free(s->text);
	s->text = NULL;
	return code;
}

/* A second, or less when a key was pressed. False: it was q. */
static bool
wait_key(void)
{
	struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
	char          key = 0;

	if (poll(&p, 1, 1000) > 0 && read(STDIN_FILENO, &key, 1) <= 0)
		return false;
	return key != 'q' && key != 'Q' && !over;
}

static int
live(struct screen *s, const char *path)
{
	struct termios was, raw;
	bool           keys = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &was) == 0;
	int            code;

	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	if (keys) {
		raw = was;
		raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	}
	fputs("\033[?1049h\033[?25l", stdout); /* a screen of its own, without a cursor */
	do
		code = turn(s, path);
	while (code == CLI_FINE && (keys ? wait_key() : sleep(1) == 0) && !over);
	fputs("\033[?25h\033[?1049l", stdout);
	fflush(stdout);
	if (keys)
		tcsetattr(STDIN_FILENO, TCSANOW, &was);
	return code;
}

int
cli_top(int argc, char **argv)
{
	static const struct option longs[] = {
		{"config", required_argument, NULL, 'c'},
		{"control", required_argument, NULL, 'S'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{0},
	};
	const char   *conf = CLI_DEFAULT_CONF, *control = NULL;
	struct screen s = {.terminal = isatty(STDOUT_FILENO)};
	char          path[4096];

	for (int o; (o = getopt_long(argc, argv, "c:hV", longs, NULL)) != -1;) {
		switch (o) {
		case 'c':
			conf = optarg;
			break;
		case 'S':
			control = optarg;
			break;
		case 'h':
			fputs(usage, stdout);
			return CLI_FINE;
		case 'V':
			puts("postern " PACKAGE_VERSION);
			return CLI_FINE;
		default:
			fputs(usage, stderr);
			return CLI_USAGE;
		}
	}
	if (optind != argc) {
		fputs(usage, stderr);
		return CLI_USAGE;
	}
	if (!ask_path(control, conf, path, sizeof path))
		return CLI_USAGE;
	return s.terminal ? live(&s, path) : turn(&s, path);
}
