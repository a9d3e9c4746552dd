/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

#define LINE_MAX_BYTES 2048
#define LIMIT_US       60000000u

static char           who[48] = "postern";
enum log_level        log_most = LOG_LEVEL_INFO;

void
log_as(const char *name)
{
	snprintf(who, sizeof who, "%s", name);
}

void
log_threshold(enum log_level level)
{
	log_most = level;
}

/* Is stderr the stream that the service manager says leads to the journal, and not something that it was redirected to? */
static bool
is_journal(void)
{
	static int         known; /* 1: no, 2: yes */
	unsigned long long dev, ino;
	const char        *stream;
	struct stat        st;

	if (!known) {
		stream = getenv("JOURNAL_STREAM");
		known = stream && sscanf(stream, "%llu:%llu", &dev, &ino) == 2 && fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev && st.st_ino == ino ? 2 : 1;
	}
	return known == 2;
}

/* Control bytes and non-ASCII come out as \xNN, so that no peer writes to the terminal of whoever reads this. */
static size_t
escape(char *out, size_t room, const char *in)
{
	static const char hex[] = "0123456789abcdef";
	size_t            n = 0;

	for (; *in && n + 5 < room; in++) {
		unsigned char c = (unsigned char)*in;
		if (c >= 0x20 && c < 0x7f) {
			out[n++] = (char)c;
			continue;
		}
		out[n++] = '\\';
		out[n++] = 'x';
		out[n++] = hex[c >> 4];
		out[n++] = hex[c & 15];
	}
	return n;
}

static void
write_line(enum log_level level, const char *fmt, va_list ap, uint64_t held)
{
	static const char *const word[] = {"error: ", "warning: ", "", "debug: "};
	static const char *const priority[] = {"<3>", "<4>", "<6>", "<7>"};
	char                     text[LINE_MAX_BYTES], line[LINE_MAX_BYTES + 128];
	int                      saved = errno, n;
	size_t                   at;

	vsnprintf(text, sizeof text, fmt, ap);
	n = snprintf(line, sizeof line, "%s%s: %s", is_journal() ? priority[level] : "", who, word[level]);
	at = (size_t)n + escape(line + n, LINE_MAX_BYTES, text);
	if (held)
		at += (size_t)snprintf(line + at, sizeof line - at, " (%llu more like this were held back)", (unsigned long long)held);
	line[at++] = '\n';
	/* one write, so that lines of several processes do not mix; a closed stderr is nobody's problem */
	if (write(STDERR_FILENO, line, at) < 0)
		errno = saved;
	errno = saved;
}

void
log_write(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	if (level > log_most)
		return;
	va_start(ap, fmt);
	write_line(level, fmt, ap, 0);
	va_end(ap);
}

void
log_write_limited(struct log_limit *l, enum log_level level, const char *fmt, ...)
{
	uint64_t now = clock_mono_us();
	va_list  ap;

	if (level > log_most)
		return;
	if (l->next_us > now) {
		l->held++;
		return;
	}
	va_start(ap, fmt);
	write_line(level, fmt, ap, l->held);
	va_end(ap);
	*l = (struct log_limit){.next_us = now + LIMIT_US};
}
