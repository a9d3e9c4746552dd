/* SPDX-License-Identifier: MIT */
#include "cli/replay_running.h"

#include <jansson.h>

#include "cli/ask.h"
#include "cli/cli.h"

#define ANSWER_MAX (1u << 20)

struct text {
	char  *p; /* owned */
	size_t n;
	bool   failed;
};

static void
on_line(void *arg, char kind, struct span line)
{
	struct text *t = arg;
	char        *more = kind == '.' && !t->failed && line.n < ANSWER_MAX - t->n ? realloc(t->p, t->n + line.n + 1) : NULL;

	if (kind != '.') {
		ask_print(NULL, kind, line);
		return;
	}
	t->failed |= !more;
	if (!more)
		return;
	t->p = more;
	memcpy(t->p + t->n, line.p, line.n);
	t->n += line.n;
}

int
running_path(const char *control, const char *conf, char *path, size_t n)
{
	struct text  t = {0};
	json_error_t error;
	json_t      *answer = NULL;
	const char  *file;
	char         socket[4096];
	int          code;

	if (!ask_path(control, conf, socket, sizeof socket))
		return CLI_USAGE;
	code = ask_gateway(socket, "status --json", on_line, &t);
	if (code == CLI_FINE && !t.failed)
		answer = json_loadb(t.p ? t.p : "", t.n, 0, &error);
	file = json_string_value(json_object_get(answer, "file"));
	if (file && (size_t)snprintf(path, n, "%s", file) >= n)
		file = NULL;
	if (code == CLI_NEGATIVE)
		code = CLI_NO_GATEWAY; /* it would look like an answer of replay's own */
	if (code == CLI_FINE && !file) {
		code = CLI_NO_GATEWAY;
		cli_usage_error("the running gateway does not say which file it has read; name it: --against FILE");
	}
	json_decref(answer);
	free(t.p);
	return code;
}
