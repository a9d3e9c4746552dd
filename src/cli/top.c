/* SPDX-License-Identifier: MIT */
/* top: the running gateway in a terminal, live: totals, rules, sessions; filters, and a key that ends one. Where standard output is no terminal: one plain screen. */
#include <curses.h>
#include <errno.h>
#include <getopt.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/top.h"

#define DELAY_LEAST 0.1
#define DELAY_MOST  3600.0
#define KEY_ESCAPE  27

static const char usage[] =
    "usage: postern top [-c FILE | --control PATH] [-d SECONDS] [--once]\n"
    "The running gateway, its rules and its sessions, live; ? names the keys, q ends it.\n"
    "  -c, --config FILE    the configuration that names the control socket (" CLI_DEFAULT_CONF ")\n"
    "      --control PATH   the socket itself\n"
    "  -d, --delay SECONDS  between two looks (1; from 0.1 on)\n"
    "      --once           one plain screen, then the end; so it is where the output is no terminal\n"
    "exit code: 0 fine, 2 usage, 3 the gateway could not be reached\n";

static volatile sig_atomic_t over;

static void
on_signal(int signo)
{
	(void)signo;
	over = 1;
}

/* --- one plain screen --- */

static void
print_line(void *arg, unsigned row, enum pen pen, const char *text)
{
	(void)arg;
	(void)row;
	(void)pen;
	puts(text);
}

static int
complain(const struct top *t, int code)
{
	fputs("postern: ", stderr);
	cli_print(stderr, span_str(t->said));
	putc('\n', stderr);
	return code;
}

static int
show_once(struct top *t)
{
	struct canvas c = {.rows = 100000, .columns = 500, .line = print_line};
	int           code = top_refresh(t);

	if (code != CLI_FINE)
		return complain(t, code);
	top_draw(t, &c, true);
	return CLI_FINE;
}

/* --- the terminal --- */

static attr_t
attributes(enum pen pen)
{
	static const attr_t attr[] = {[PEN_PLAIN] = A_NORMAL, [PEN_TITLE] = A_BOLD, [PEN_HEAD] = A_UNDERLINE, [PEN_SELECTED] = A_REVERSE, [PEN_DIM] = A_DIM, [PEN_WARN] = A_BOLD};

	return attr[pen] | (has_colors() && pen == PEN_WARN ? COLOR_PAIR(1) : 0);
}

static void
draw_line(void *arg, unsigned row, enum pen pen, const char *text)
{
	(void)arg;
	attrset((int)attributes(pen));
	mvaddstr((int)row, 0, text);
	attrset(A_NORMAL);
}

static void
draw(struct top *t)
{
	struct canvas c = {.rows = (unsigned)LINES, .columns = (unsigned)COLS, .line = draw_line};

	erase();
	top_draw(t, &c, false);
	refresh();
}

static void
begin_typing(struct top *t, enum top_filter which)
{
	t->asks = ASK_FILTER;
	t->typing = which;
	memcpy(t->typed, t->filter[which], sizeof t->typed);
}

static void
select_row(struct top *t, long row)
{
	long n = (long)t->now->n_sessions;

	if (!n)
		return;
	row = row < 0 ? 0 : row >= n ? n - 1 : row;
	memcpy(t->selected, t->now->session[row].id, sizeof t->selected);
}

/* True: look at once, what is wanted has changed. */
static bool
key_typed(struct top *t, int key)
{
	size_t n = strlen(t->typed);

	if (key == KEY_ESCAPE) {
		t->asks = ASK_NOTHING;
		t->filter[t->typing][0] = '\0';
		return true;
	}
	if (key == '\n' || key == '\r' || key == KEY_ENTER) {
		t->asks = ASK_NOTHING;
		memcpy(t->filter[t->typing], t->typed, sizeof t->typed);
		return true;
	}
	if ((key == KEY_BACKSPACE || key == 127 || key == 8) && n)
		t->typed[n - 1] = '\0';
	else if (key > 0x20 && key < 0x7f && n < FILTER_MOST) { /* what a name, an address or a rule holds, and one word for the gateway */
		t->typed[n] = (char)key;
		t->typed[n + 1] = '\0';
	}
	return false;
}

static bool
key_answer(struct top *t, int key)
{
	t->asks = ASK_NOTHING;
	if (key != 'y' && key != 'Y')
		return false;
	top_kill(t, t->selected);
	return true;
}

/* The gateway is asked about the session that is on the line now, whatever comes to lie there meanwhile. */
static void
begin_kill(struct top *t)
{
	if (!t->now->n_sessions)
		return;
	select_row(t, (long)top_selected(t));
	t->asks = ASK_KILL;
}

static bool
key_plain(struct top *t, int key)
{
	long at = (long)top_selected(t), page = LINES / 2 > 1 ? LINES / 2 : 1;

	t->said[0] = '\0';
	switch (key) {
	case 'q':
	case 'Q':
		over = 1;
		return false;
	case 'c':
		begin_typing(t, FILTER_CLIENT);
		return false;
	case 'r':
		begin_typing(t, FILTER_RULE);
		return false;
	case 'h':
		begin_typing(t, FILTER_HOST);
		return false;
	case KEY_ESCAPE:
		memset(t->filter, 0, sizeof t->filter);
		t->help = false;
		return true;
	case 's':
		t->sort = (enum top_sort)((t->sort + 1) % SORT_COUNT);
		return true;
	case 'p':
	case ' ':
		t->paused = !t->paused;
		return !t->paused;
	case '?':
		t->help = !t->help;
		return false;
	case 'k':
		begin_kill(t);
		return false;
	case KEY_UP:
	case KEY_DOWN:
		select_row(t, at + (key == KEY_UP ? -1 : 1));
		return false;
	case KEY_PPAGE:
	case KEY_NPAGE:
		select_row(t, at + (key == KEY_PPAGE ? -page : page));
		return false;
	case KEY_HOME:
		select_row(t, 0);
		return false;
	default:
		return false;
	}
}

static bool
key_any(struct top *t, int key)
{
	if (t->asks == ASK_FILTER)
		return key_typed(t, key);
	if (t->asks == ASK_KILL)
		return key_answer(t, key);
	return key_plain(t, key);
}

/* Keys until the next look is due. */
static void
wait_keys(struct top *t, uint64_t until_us)
{
	for (uint64_t now; !over && (now = clock_mono_us()) < until_us;) {
		int key;
		timeout((int)((until_us - now) / 1000) + 1);
		key = getch();
		if (key == ERR && errno != EINTR && clock_mono_us() < until_us && now + 1000 > clock_mono_us()) {
			over = 1; /* the terminal is gone: it would be asked without end */
			return;
		}
		if (key == ERR)
			continue;
		if (key != KEY_RESIZE && key_any(t, key))
			return;
		draw(t);
	}
}

static bool
terminal_begin(void)
{
	const char *plain = getenv("NO_COLOR");
	SCREEN     *s = newterm(NULL, stdout, stdin);

	if (!s)
		return false;
	set_term(s);
	/* one that cannot place its cursor would show nothing */
	if (!tigetstr("cup") || tigetstr("cup") == (char *)-1) {
		endwin();
		delscreen(s);
		return false;
	}
	set_escdelay(50);
	cbreak();
	noecho();
	nonl();
	intrflush(stdscr, FALSE);
	keypad(stdscr, TRUE);
	curs_set(0);
	if (!(plain && *plain) && has_colors()) {
		start_color();
		use_default_colors();
		init_pair(1, COLOR_YELLOW, -1);
	}
	return true;
}

static int
show_live(struct top *t, double delay_s)
{
	struct sigaction end = {.sa_handler = on_signal}; /* no SA_RESTART: the wait for a key ends */
	int              code = top_refresh(t);
	char             why[sizeof t->said];

	if (code == CLI_NO_GATEWAY)
		return complain(t, code);
	if (code == CLI_FINE && !terminal_begin()) {
		cli_usage_error("this terminal (TERM) is not known here, or too simple; --once needs none");
		return CLI_USAGE;
	}
	sigaction(SIGINT, &end, NULL);
	sigaction(SIGTERM, &end, NULL);
	sigaction(SIGHUP, &end, NULL);
	while (!over) {
		uint64_t due_us = clock_mono_us() + (uint64_t)(delay_s * 1e6);
		draw(t);
		wait_keys(t, due_us);
		if (!over && !t->paused && t->asks != ASK_KILL) {
			memcpy(why, t->said, sizeof why);
			code = top_refresh(t);
			if (code == CLI_FINE && !t->said[0] && !t->away)
				memcpy(t->said, why, sizeof why);
			t->away = code == CLI_NO_GATEWAY; /* it may come back: an upgrade, a start anew */
		}
	}
	if (stdscr)
		endwin();
	return CLI_FINE;
}

static bool
read_delay(const char *text, double *delay_s)
{
	char *end;

	*delay_s = strtod(text, &end);
	return end != text && !*end && *delay_s >= DELAY_LEAST && *delay_s <= DELAY_MOST;
}

int
cli_top(int argc, char **argv)
{
	static const struct option longs[] = {
		{"config", required_argument, NULL, 'c'},
		{"control", required_argument, NULL, 'S'},
		{"delay", required_argument, NULL, 'd'},
		{"once", no_argument, NULL, 'o'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{0},
	};
	const char *conf = CLI_DEFAULT_CONF, *control = NULL;
	bool        once = !isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO);
	double      delay_s = 1;
	char        path[4096];
	struct top  t;
	int         code;

	for (int o; (o = getopt_long(argc, argv, "c:d:hV", longs, NULL)) != -1;) {
		switch (o) {
		case 'c':
			conf = optarg;
			break;
		case 'S':
			control = optarg;
			break;
		case 'd':
			if (!read_delay(optarg, &delay_s))
				return cli_usage_error("-d: want seconds from 0.1 to 3600");
			break;
		case 'o':
			once = true;
			break;
		default:
			return cli_usage(o, usage);
		}
	}
	if (optind != argc)
		return cli_usage('?', usage);
	if (!ask_path(control, conf, path, sizeof path))
		return CLI_USAGE;
	setlocale(LC_CTYPE, "");
	if (top_init(&t, path))
		code = once ? show_once(&t) : show_live(&t, delay_s);
	else
		code = cli_usage_error("out of memory");
	top_clear(&t);
	return code;
}
