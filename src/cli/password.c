/* SPDX-License-Identifier: MIT */
#include "cli/password.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "cli/cli.h"

static const int         fatal[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
static volatile sig_atomic_t caught;

static void
on_signal(int number)
{
	caught = number;
}

/* One line, byte by byte: what follows it belongs to the next question. False: its end is missing, or it is too long. */
static bool
line_read(char out[PASSWORD_MOST])
{
	size_t n = 0;
	bool   long_one = false;

	for (;;) {
		char    c;
		ssize_t got = read(STDIN_FILENO, &c, 1);
		if (got < 0 && errno == EINTR && !caught)
			continue;
		if (got < 0 || (got == 0 && n == 0))
			return false;
		if (got == 0 || c == '\n')
			break;
		if (n + 1 < PASSWORD_MOST)
			out[n++] = c;
		else
			long_one = true;
	}
	if (n > 0 && out[n - 1] == '\r')
		n--;
	out[n] = '\0';
	return !long_one && strlen(out) == n;
}

/* The terminal shows what is typed again whatever happens, and only then the signal does what it would have done. */
static bool
terminal_read(const char *prompt, char out[PASSWORD_MOST])
{
	struct termios   was, quiet;
	struct sigaction old[sizeof fatal / sizeof *fatal], own = {.sa_handler = on_signal};
	bool             ok;

	if (tcgetattr(STDIN_FILENO, &was) != 0)
		return false;
	caught = 0;
	for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++)
		sigaction(fatal[i], &own, &old[i]);
	quiet = was;
	quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
	fputs(prompt, stderr);
	ok = line_read(out);
	fputc('\n', stderr);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &was);
	for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++)
		sigaction(fatal[i], &old[i], NULL);
	if (caught)
		raise(caught);
	return ok && !caught;
}

bool
password_read(const char *prompt, bool twice, char out[PASSWORD_MOST])
{
	char again[PASSWORD_MOST];
	bool terminal = isatty(STDIN_FILENO), same = true;

	if (!(terminal ? terminal_read(prompt, out) : line_read(out))) {
		cli_usage_error("no password was read: %s of at most %u bytes on standard input would be right", twice ? "two lines" : "one line", PASSWORD_MOST - 1);
		return false;
	}
	if (twice) {
		if (!(terminal ? terminal_read("once more: ", again) : line_read(again))) {
			explicit_bzero(out, PASSWORD_MOST);
			cli_usage_error("the password is asked for twice; there was no second line");
			return false;
		}
		same = strcmp(out, again) == 0;
		explicit_bzero(again, sizeof again);
	}
	if (!same) {
		explicit_bzero(out, PASSWORD_MOST);
		cli_usage_error("the two passwords are not the same; nothing was changed");
	}
	return same;
}
