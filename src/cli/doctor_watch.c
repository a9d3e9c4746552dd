/* SPDX-License-Identifier: MIT */
/*
 * doctor_watch: `postern doctor --watch`: what the running gateway's doctor process found last, asked over the control socket; or, with a time, the tests
 * themselves again and again in the foreground, for who has no gateway to do it.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/doctor.h"
#include "conf/value.h"

#define LEAST_MS 1000u

int
doctor_watch_ask(const char *control, const char *conf, bool json)
{
	char path[4096];

	if (!ask_path(control, conf, path, sizeof path))
		return CLI_USAGE;
	return ask_gateway(path, json ? "doctor --json" : "doctor", ask_print, NULL);
}

bool
doctor_watch_time(const char *text, uint64_t *ms)
{
	return text && text[0] >= '0' && text[0] <= '9' && value_time(span_str(text), ms) && *ms >= LEAST_MS;
}

static void
say_when(void)
{
	time_t    now = time(NULL);
	struct tm tm;
	char      text[40];

	if (gmtime_r(&now, &tm) && strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &tm))
		printf("%s\n", text);
}

int
doctor_watch_run(uint64_t every_ms, bool titles, int (*once)(void *arg), void *arg)
{
	for (bool first = true;; first = false) {
		struct timespec pause = {.tv_sec = (time_t)(every_ms / 1000), .tv_nsec = (long)(every_ms % 1000 * 1000000)};
		int             code;

		if (titles)
			say_when();
		code = once(arg);
		if ((code == CLI_USAGE && first) || code > CLI_NO_GATEWAY)
			return code; /* who made a mistake hears it now, not for ever; or it was interrupted */
		if (fflush(stdout) != 0 || ferror(stdout))
			return CLI_NEGATIVE;
		nanosleep(&pause, NULL);
	}
}
