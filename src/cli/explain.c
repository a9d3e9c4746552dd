/* SPDX-License-Identifier: MIT */
/*
 * explain: what would happen to one request, or to many, and why, by the very functions that live traffic asks.
 * Resolves nothing and connects nowhere: an address that is asked for has to be given.
 */
#include <getopt.h>
#include <stdlib.h>

#include "cli/built.h"
#include "cli/explain.h"

/* Codes of the options that are not a question's; those are 256 and their number. */
enum { OPT_ASK = 256, OPT_JSON = OPT_ASK + QUESTION_OPTIONS, OPT_ALL, OPT_BATCH, OPT_LINE, OPT_ID, OPT_LOG };
#define OPTIONS_MAX (QUESTION_OPTIONS + 16)

struct words {
	const char      *path, *batch;
	struct log_query log;
	bool             json, all;
};

static const char usage[] =
    "usage: postern explain [-c FILE] [--client IP] [--user NAME] [--group NAME] [--method M] [--address IP] [--listener NAME] [--at 'mon 09:00']\n"
    "                       [--sni NAME] [--header 'NAME: VALUE'] [--content-type TYPE] [--origin-tls V] [--origin-strength BITS] [--all] [--json] TARGET\n"
    "       postern explain [-c FILE] [--all] [--json] --log-line LINE | --id ID [--log FILE]\n"
    "       postern explain [-c FILE] [--all] --batch FILE\n"
    "Says what would happen to a request and why. TARGET is HOST:PORT or HOST (a CONNECT, port 443), http://HOST/PATH (a plain GET) or https://HOST/PATH\n"
    "(a CONNECT and, when that is inspected, the GET inside).\n"
    "Resolves nothing and connects nowhere.\n"
    "  -c, --config FILE    the configuration (" CLI_DEFAULT_CONF ")\n"
    "      --client IP      from this client (127.0.0.1)\n"
    "      --user NAME      asked by CORP\\alice, alice@CORP.EXAMPLE, alice or CORP\\WS01$, who is known to be that; or nobody: without credentials\n"
    "                       (again, with another spelling: the same user's realm)\n"
    "      --group NAME     who is in this group (again for more)\n"
    "      --method M       with this method, for a URL\n"
    "      --address IP     as if HOST had resolved to this address\n"
    "      --listener NAME  at this listener (the first)\n"
    "      --at 'mon 09:00' at this local time (now)\n"
    "      --sni NAME       as if the ClientHello named this server; '' for none\n"
    "      --header FIELD   with this header field, 'Name: value', for a URL (again for more)\n"
    "      --content-type T as if the response were of this media type; '' for none\n"
    "      --origin-tls V   as if the server spoke TLS 1.2 or 1.3, and\n"
    "      --origin-strength BITS  of this strength, inside an inspected tunnel\n"
    "      --log-line LINE  the request that this line of an access log (json, squid) tells of; - for one on standard input\n"
    "      --id ID          the request of this id, as error pages show it, looked up in the configured json logs\n"
    "      --log FILE       looked up here instead; plain or gzip\n"
    "      --batch FILE     one question a line, as such words or as a JSON object; - for standard input; one JSON answer a line\n"
    "      --all            all conditions of all rules\n"
    "      --json           one JSON object on standard output\n"
    "exit code: 0 it would be let through (--batch: every line was read), 1 refused, 2 usage, unreadable or wrong file, or an address, a user or the\n"
    "type of the response is needed to tell\n";

static void
options_make(struct option out[OPTIONS_MAX])
{
	static const struct option more[] = {{"config", required_argument, NULL, 'c'}, {"json", no_argument, NULL, OPT_JSON}, {"all", no_argument, NULL, OPT_ALL},
		{"verbose", no_argument, NULL, OPT_ALL}, {"batch", required_argument, NULL, OPT_BATCH}, {"log-line", required_argument, NULL, OPT_LINE},
		{"id", required_argument, NULL, OPT_ID}, {"log", required_argument, NULL, OPT_LOG}, {"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'}, {0}};

	for (unsigned i = 0; i < ASK_TARGET; i++)
		*out++ = (struct option){question_option(i), required_argument, NULL, OPT_ASK + (int)i};
	memcpy(out, more, sizeof more);
}

/* One option that is no question's. -1: go on; else the exit code. */
static int
word_take(struct words *w, int o)
{
	switch (o) {
	case 'c':
		w->path = optarg;
		break;
	case OPT_JSON:
		w->json = true;
		break;
	case OPT_ALL:
		w->all = true;
		break;
	case OPT_BATCH:
		w->batch = optarg;
		break;
	case OPT_LINE:
		w->log.line = optarg;
		break;
	case OPT_ID:
		w->log.id = optarg;
		break;
	case OPT_LOG:
		w->log.file = optarg;
		break;
	default:
		return cli_usage(o, usage);
	}
	return -1;
}

/* Exactly one of a target, a log line, an id and a batch. -1: go on; else the exit code. */
static int
words_judge(const struct words *w, struct question *q, int n, char **argv)
{
	bool from_log = w->log.line || w->log.id;

	if (n + from_log + (w->batch != NULL) != 1 || (w->log.line && w->log.id))
		return cli_usage('?', usage);
	if (w->log.file && !w->log.id)
		return cli_usage_error("--log goes with --id");
	if (n && !question_take_target(q, argv[0]))
		return cli_usage_error("%s", q->error);
	return -1;
}

/* Words to q and w. -1: go on; else the exit code. */
static int
words_read(struct question *q, struct words *w, int argc, char **argv)
{
	struct option options[OPTIONS_MAX];
	int           o, code;

	options_make(options);
	while ((o = getopt_long(argc, argv, "c:hV", options, NULL)) != -1) {
		if (o >= OPT_ASK && o < OPT_JSON) {
			if (!question_set(q, (enum question_option)(o - OPT_ASK), optarg))
				return cli_usage_error("%s", q->error);
		} else if ((code = word_take(w, o)) >= 0) {
			return code;
		}
	}
	return words_judge(w, q, argc - optind, argv + optind);
}

static int
ask(struct question *q, const struct snapshot *s, const struct words *w)
{
	struct answers all;
	int            code;

	if (!answers_find(&all, s, q)) {
		code = cli_usage_error("%s", q->error);
	} else {
		code = answers_code(&all);
		if (w->json) {
			answers_print_json(&all, true, NULL, NULL);
			putchar('\n');
		} else {
			answers_print(&all, w->all, NULL);
		}
	}
	answers_clear(&all);
	return code;
}

static int
explain(struct question *q, const struct words *w)
{
	struct built b;
	int          code;

	if (!built_open(&b, w->path))
		return CLI_USAGE;
	if (w->batch)
		code = explain_batch(b.s, w->batch, w->all);
	else if (w->log.line || w->log.id)
		code = explain_log(b.s, &w->log, q, w->json, w->all);
	else
		code = ask(q, b.s, w);
	built_close(&b);
	return code;
}

int
cli_explain(int argc, char **argv)
{
	struct words    w = {.path = CLI_DEFAULT_CONF};
	struct question q;
	int             code;

	question_init(&q);
	code = words_read(&q, &w, argc, argv);
	if (code < 0)
		code = explain(&q, &w);
	question_clear(&q);
	return code;
}
