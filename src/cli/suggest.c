/* SPDX-License-Identifier: MIT */
/*
 * suggest: hosts whose clients refuse our certificates, and machines that fail a 407 again and again, with the lines that would let them through.
 * The evidence is the running gateway's, or is found in logs by the same code; changes nothing.
 */
#include "cli/suggest.h"

#include <getopt.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "cli/ask.h"
#include "cli/built.h"
#include "cli/cli.h"

struct call {
	const char *conf, *control;
	bool        json;
	const char **log; /* owned: room for as many as there are arguments */
	size_t      n_logs;
};

static const char usage[] =
    "usage: postern suggest [-c FILE] [--control PATH] [--json] [--log FILE...]\n"
    "Lists hosts whose clients refuse the inspection certificate, servers that demand a certificate of the client, and machines that get a 407 again and\n"
    "again because they cannot log on: how often, who, and the lines that would let them through. Asks the running gateway, or reads logs; changes nothing.\n"
    "  -c, --config FILE    the configuration (" CLI_DEFAULT_CONF ")\n"
    "      --control PATH   the gateway's control socket, instead of the one that the configuration names\n"
    "      --log FILE...    what these access logs tell, in json, plain or gzip, in this order, instead of what the gateway remembers\n"
    "      --json           one JSON object on standard output\n"
    "exit code: 0 nothing is to be added, 1 there are suggestions, 2 usage, unreadable or wrong file, 3 the gateway could not be reached\n";

/* Where the options end well, -1; else the exit code. */
static int
read_options(struct call *c, int argc, char **argv)
{
	static const struct option longs[] = {
		{"config", required_argument, NULL, 'c'},
		{"control", required_argument, NULL, 'S'},
		{"json", no_argument, NULL, 'j'},
		{"log", required_argument, NULL, 'l'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{0},
	};

	for (int o; (o = getopt_long(argc, argv, "c:hV", longs, NULL)) != -1;) {
		switch (o) {
		case 'c':
			c->conf = optarg;
			break;
		case 'S':
			c->control = optarg;
			break;
		case 'j':
			c->json = true;
			break;
		case 'l':
			c->log[c->n_logs++] = optarg;
			break;
		default:
			return cli_usage(o, usage);
		}
	}
	while (c->n_logs && optind < argc)
		c->log[c->n_logs++] = argv[optind++];
	return optind == argc ? -1 : cli_usage('?', usage);
}

/* What was found, however it was. */
struct found {
	struct evidence           *evidence; /* of logs; owned */
	struct evidence_row       *row;      /* of the gateway; owned */
	const struct evidence_row *at[EVIDENCE_HOSTS];
	size_t                     n;
	uint64_t                   lines, skipped;
};

static int
judge(const struct call *c, const struct found *f, const struct conf *conf, const struct snapshot *snap)
{
	struct suggestions *s = calloc(1, sizeof *s);
	int                 code;

	if (!s)
		return cli_usage_error("out of memory");
	s->file = c->conf;
	s->conf = conf;
	s->policy = snap->policy;
	s->json = c->json;
	s->from_logs = c->n_logs > 0;
	s->lines = f->lines;
	s->skipped = f->skipped;
	s->n = f->n;
	for (size_t i = 0; i < f->n; i++)
		s->v[i].row = f->at[i];
	suggest_find(s);
	suggest_print(s);
	code = suggest_open(s) ? CLI_NEGATIVE : CLI_FINE;
	free(s);
	return code;
}

static int
with_conf(const struct call *c, const struct found *f)
{
	struct built b;
	int          code;

	if (!built_open(&b, c->conf))
		return CLI_USAGE;
	code = judge(c, f, b.c, b.s);
	built_close(&b);
	return code;
}

static int
from_gateway(const struct call *c, struct found *f)
{
	char path[4096];
	int  code;

	if (!ask_path(c->control, c->conf, path, sizeof path))
		return CLI_USAGE;
	f->row = calloc(EVIDENCE_HOSTS, sizeof *f->row);
	if (!f->row)
		return cli_usage_error("out of memory");
	f->n = suggest_ask(path, f->row, &code);
	for (size_t i = 0; i < f->n; i++)
		f->at[i] = &f->row[i];
	return code;
}

static int
from_logs(const struct call *c, struct found *f)
{
	uint64_t key = 0;
	int      code;

	if (getrandom(&key, sizeof key, 0) != sizeof key)
		key = (uint64_t)getpid();
	f->evidence = evidence_new(key, NULL);
	if (!f->evidence)
		return cli_usage_error("out of memory");
	code = suggest_read_logs(c->log, c->n_logs, f->evidence, &f->lines, &f->skipped);
	f->n = evidence_rows(f->evidence, f->at);
	return code;
}

static int
answer(const struct call *c)
{
	struct found *f;
	int           code;

	if (!cli_file_readable(c->conf))
		return CLI_USAGE;
	f = calloc(1, sizeof *f);
	if (!f)
		return cli_usage_error("out of memory");
	code = c->n_logs ? from_logs(c, f) : from_gateway(c, f);
	if (code == CLI_FINE)
		code = with_conf(c, f);
	evidence_free(f->evidence);
	free(f->row);
	free(f);
	return code;
}

int
cli_suggest(int argc, char **argv)
{
	struct call c = {.conf = CLI_DEFAULT_CONF, .log = calloc((size_t)argc, sizeof *c.log)};
	int         code;

	if (!c.log)
		return cli_usage_error("out of memory");
	code = read_options(&c, argc, argv);
	if (code < 0)
		code = answer(&c);
	free(c.log);
	return code;
}
