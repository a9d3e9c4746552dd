/* SPDX-License-Identifier: MIT */
#include "proc/upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "ipc/channel.h"
#include "proc/member.h"

#define VARIABLE     "POSTERN_UPGRADE"
#define TAKE_OVER_MS 2000u

static void on_channel(void *arg, unsigned what);
static void on_deadline(void *arg);

/* The path that the kernel was given; where that was relative, the one that it found, before anybody replaces it. */
static char *
program_path(void)
{
	const char *named = (const char *)(uintptr_t)getauxval(AT_EXECFN); /* NOLINT: the kernel's own pointer */
	char        path[4096];
	ssize_t     n;

	if (named && named[0] == '/' && strncmp(named, "/proc/", 6) != 0 && strncmp(named, "/dev/", 5) != 0)
		return strdup(named);
	n = readlink("/proc/self/exe", path, sizeof path - 1);
	return n <= 0 ? NULL : strndup(path, (size_t)n);
}

void
upgrade_init(struct upgrade *u, struct loop *loop, void (*on_end)(void *arg, bool serves, const char *how), void *arg)
{
	*u = (struct upgrade){.loop = loop, .program = program_path(), .channel = -1, .on_end = on_end, .arg = arg};
	timer_init(&u->deadline, on_deadline, u);
}

static int
table_write(const struct estate *e)
{
	int   fd = memfd_create("postern-upgrade", MFD_CLOEXEC);
	FILE *f = fd >= 0 ? fdopen(fcntl(fd, F_DUPFD_CLOEXEC, 0), "w") : NULL;
	bool  ok = f != NULL;

	for (size_t i = 0; ok && i < e->n; i++)
		ok = fprintf(f, "%s\t%u\t%d\n", e->v[i].key, e->v[i].index, e->v[i].fd) > 0;
	if (f && fclose(f) != 0)
		ok = false;
	if (ok && lseek(fd, 0, SEEK_SET) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

/* Our environment with one more line; the array is the caller's to free. */
static char **
environment(char *line)
{
	size_t n = 0, k = 0;
	char **env;

	while (environ[n])
		n++;
	env = calloc(n + 2, sizeof *env);
	for (size_t i = 0; env && i < n; i++)
		if (strncmp(environ[i], VARIABLE "=", sizeof VARIABLE) != 0)
			env[k++] = environ[i];
	if (env)
		env[k] = line;
	return env;
}

/* In the child, between fork and exec: only calls that are safe there. */
static void
become(const struct upgrade *u, const struct estate *e, int channel, int table, char *const argv[], char *const env[])
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (size_t i = 0; i < e->n; i++)
		fcntl(e->v[i].fd, F_SETFD, 0);
	fcntl(channel, F_SETFD, 0);
	fcntl(table, F_SETFD, 0);
	execve(u->program, argv, env);
	_exit(126);
}

bool
upgrade_begin(struct upgrade *u, const struct estate *e, char *const argv[], uint64_t within_ms)
{
	char   line[64], **env = NULL;
	int    end[2] = {-1, -1}, table = table_write(e);
	bool   ok = table >= 0 && u->program && channel_open(end);
	size_t why = sizeof u->why;

	u->why[0] = '\0';
	if (ok) {
		snprintf(line, sizeof line, VARIABLE "=%d,%d", end[1], table);
		env = environment(line);
	}
	ok = ok && env && watch_init_level(&u->watch, u->loop, end[0], WATCH_READ, on_channel, u);
	if (ok && (u->pid = fork()) == 0)
		become(u, e, end[1], table, argv, env);
	if (!ok || u->pid < 0) {
		snprintf(u->why, why, "the new program cannot be started: %s", strerror(errno));
		u->pid = 0;
		ok = false;
		watch_clear(&u->watch);
	}
	free(env);
	if (table >= 0)
		close(table);
	if (end[1] >= 0)
		close(end[1]);
	u->channel = end[0];
	if (ok)
		timer_set(u->loop, &u->deadline, within_ms);
	else
		upgrade_abandon(u);
	return ok;
}

static void
let_go(struct upgrade *u)
{
	timer_clear(&u->deadline);
	watch_clear(&u->watch);
	if (u->channel >= 0)
		close(u->channel);
	u->channel = -1;
}

static void
failed(struct upgrade *u, const char *how)
{
	char text[sizeof u->why];

	snprintf(text, sizeof text, "%s", how);
	upgrade_abandon(u);
	u->on_end(u->arg, false, text);
}

/* It has taken over. */
static void
succeeded(struct upgrade *u)
{
	char text[80];

	let_go(u);
	u->told = false;
	snprintf(text, sizeof text, "the new program (pid %d) serves", (int)u->pid);
	u->on_end(u->arg, true, text);
}

static void
on_deadline(void *arg)
{
	struct upgrade *u = arg;

	if (u->told)
		succeeded(u);
	else
		failed(u, "the new program did not serve within upgrade-timeout, and was ended");
}

static void
on_channel(void *arg, unsigned what)
{
	struct upgrade *u = arg;
	struct message  m, go = {.type = MSG_GO};

	(void)what;
	switch (channel_receive(u->channel, &m)) {
	case CHANNEL_EMPTY:
		return;
	case CHANNEL_GONE:
		/* what became of one that had not taken over is known when it is reaped */
		watch_clear(&u->watch);
		if (u->told)
			succeeded(u);
		return;
	case CHANNEL_GOT:
		break;
	}
	message_drop(&m);
	if (m.type == MSG_REFUSED) {
		snprintf(u->why, sizeof u->why, "the new program refused: %.*s", (int)(m.n < CHANNEL_DATA_MAX ? m.n : CHANNEL_DATA_MAX), m.data);
	} else if (m.type == MSG_APPLIED) {
		if (!channel_send(u->channel, &go)) {
			failed(u, "the new program cannot be reached");
			return;
		}
		/* it writes the pid file and opens the control socket; then it closes the channel */
		u->told = true;
		timer_set(u->loop, &u->deadline, TAKE_OVER_MS);
	}
}

void
upgrade_reaped(struct upgrade *u, pid_t pid, int status)
{
	char how[80], text[160];

	if (!u->pid || pid != u->pid || u->channel < 0)
		return;
	/* why it ended may still wait to be read */
	if (!u->told && watch_is_set(&u->watch))
		on_channel(u, WATCH_READ);
	if (u->channel < 0)
		return;
	u->pid = 0;
	snprintf(text, sizeof text, "the new program %s", member_end_text(status, how, sizeof how));
	failed(u, u->why[0] ? u->why : text);
}

void
upgrade_abandon(struct upgrade *u)
{
	if (u->pid > 0 && u->channel >= 0 && !u->told)
		kill(u->pid, SIGKILL); /* its own children see that, take nothing new, and end what they have */
	let_go(u);
	u->told = false;
	u->pid = 0;
}

void
upgrade_settle(struct upgrade *u)
{
	if (u->told)
		succeeded(u);
}

void
upgrade_clear(struct upgrade *u)
{
	upgrade_abandon(u);
	free(u->program);
}
