/* SPDX-License-Identifier: MIT */
#include "cli/ask.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/cli.h"
#include "conf/conf.h"

bool
ask_path(const char *control, const char *conf, char *path, size_t n)
{
	struct report r;
	struct conf  *c;
	bool          ok;

	if (control) {
		snprintf(path, n, "%s", control);
		return true;
	}
	if (!cli_file_readable(conf))
		return false;
	report_init(&r);
	c = conf_load(conf, &r); /* what else is wrong with it is the gateway's to say */
	ok = c && c->gateway.control;
	if (ok)
		snprintf(path, n, "%s", c->gateway.control);
	else
		cli_usage_error("%s names no control socket; want control = /run/postern/control.sock in [gateway], or --control PATH", conf);
	conf_free(c);
	report_clear(&r);
	return ok;
}

static int
reach(const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int                fd;

	if (strlen(path) >= sizeof sa.sun_path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(sa.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&sa, sizeof sa) != 0) {
		int saved = errno;
		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

static int
unreachable(const char *path, const char *why, char *said, size_t n)
{
	snprintf(said, n, "the gateway at %s cannot be reached: %s", path, why);
	return CLI_NO_GATEWAY;
}

static const char *
why_not(int e)
{
	if (e == ENOENT || e == ECONNREFUSED)
		return "nobody is there; does it run, and does its configuration name this socket as `control`?";
	if (e == EACCES)
		return "not allowed; root and the user that started it are, and the control-group for questions";
	return strerror(e);
}

int
ask_gateway_quietly(const char *path, const char *request, void (*line)(void *arg, char kind, struct span text), void *arg, char *said, size_t said_n)
{
	char  *text = NULL;
	size_t room = 0;
	int    fd = reach(path), code = -1;
	FILE  *f = fd < 0 ? NULL : fdopen(fd, "r");

	if (!f) {
		code = unreachable(path, why_not(errno), said, said_n);
		if (fd >= 0)
			close(fd);
		return code;
	}
	/* one that has no time for us has answered already: its answer is read all the same */
	if (send(fd, request, strlen(request), MSG_NOSIGNAL) < 0 || send(fd, "\n", 1, MSG_NOSIGNAL) < 0)
		code = -1;
	for (ssize_t n; (n = getline(&text, &room, f)) > 0;) {
		if (n < 3 || text[1] != ' ' || text[n - 1] != '\n')
			continue;
		if (text[0] == 'x')
			code = (int)strtol(text + 2, NULL, 10);
		else
			line(arg, text[0], span_of(text + 2, (size_t)n - 3));
	}
	free(text);
	fclose(f);
	return code < 0 || code > CLI_NO_GATEWAY ? unreachable(path, "it broke off its answer", said, said_n) : code;
}

int
ask_gateway(const char *path, const char *request, void (*line)(void *arg, char kind, struct span text), void *arg)
{
	char said[4400];
	int  code = ask_gateway_quietly(path, request, line, arg, said, sizeof said);

	if (code == CLI_NO_GATEWAY) {
		fputs("postern: ", stderr);
		cli_print(stderr, span_str(said));
		putc('\n', stderr);
	}
	return code;
}

void
ask_print(void *arg, char kind, struct span text)
{
	FILE *to = kind == 'e' ? stderr : stdout;

	(void)arg;
	/* problems of a configuration name the program themselves */
	if (kind == 'e' && (text.n < 9 || memcmp(text.p, "postern: ", 9) != 0))
		fputs("postern: ", to);
	cli_print(to, text);
	putc('\n', to);
	fflush(to); /* progress is seen as it comes */
}
