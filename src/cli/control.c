/* SPDX-License-Identifier: MIT */
/* control: the subcommands that ask the running gateway, or tell it to do something. The answers are the gateway's; here they are only printed. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/ask.h"
#include "cli/cli.h"
#include "conf/conf.h"
#include "conf/value.h"

#define REQUEST_MAX 1000

struct call {
	const char *conf, *control;
	bool        json;
	char        request[REQUEST_MAX];
};

static const char usage[] =
    "usage: postern reload|drain|upgrade|rotate|status|sessions|rules|lists [-c FILE | --control PATH] [--json]\n"
    "       postern kill [-c FILE | --control PATH] [--json] ID\n"
    "Asks the running gateway over its control socket, or tells it what to do and waits until that is done.\n"
    "  -c, --config FILE    the configuration that names the socket (" CLI_DEFAULT_CONF ")\n"
    "      --control PATH   the socket itself\n"
    "      --json           the answer as JSON\n"
    "      --timeout TIME   drain: what is under way gets this long, instead of drain-timeout\n"
    "      --client ADDRESS, --host TEXT, --rule NAME   sessions: only these\n"
    "      --entries        rules: the entries of lists and of rules' own hosts, instead of the rules\n"
    "      --dead           rules: only those that never decided anything\n"
    "      --rule NAME, --list NAME   rules: only this rule; only the entries of this list\n"
    "exit code: 0 fine, 1 it was not done, 2 usage, 3 the gateway could not be reached\n";

/* Behind a blank; an argument that would be two words, or a line of its own, is none. */
static bool
add(struct call *c, const char *key, const char *value)
{
	size_t at = strlen(c->request);

	for (const char *p = value; *p; p++)
		if ((unsigned char)*p <= 0x20 || *p == 0x7f)
			return false;
	return *value && (size_t)snprintf(c->request + at, sizeof c->request - at, " %s%s", key, value) < sizeof c->request - at;
}

static bool
add_timeout(struct call *c, const char *text)
{
	char     ms[24];
	uint64_t v;

	if (!value_time(span_str(text), &v))
		return false;
	snprintf(ms, sizeof ms, "%llu", (unsigned long long)v);
	return add(c, "", ms);
}

static int
bad_value(const char *option, const char *value, const char *want)
{
	fprintf(stderr, "postern: %s: ", option);
	cli_print(stderr, span_str(value));
	fprintf(stderr, ": want %s\n", want);
	return CLI_USAGE;
}

/* Which sessions. -1, or the exit code. */
static int
add_filter(struct call *c, int o, const char *value)
{
	struct addr a;

	if (o == 'C')
		return addr_parse(span_str(value), &a) && add(c, "client=", value) ? -1 : bad_value("--client", value, "an address such as 192.0.2.1 or 2001:db8::1");
	if (o == 'H')
		return add(c, "host=", value) ? -1 : bad_value("--host", value, "a part of a name, without blanks");
	return add(c, "rule=", value) ? -1 : bad_value("--rule", value, "the name of a rule");
}

/* Where the options end well, -1; else the exit code. */
static int
read_options(struct call *c, int argc, char **argv)
{
	static const struct option longs[] = {
		{"config", required_argument, NULL, 'c'},
		{"control", required_argument, NULL, 'S'},
		{"json", no_argument, NULL, 'j'},
		{"timeout", required_argument, NULL, 't'},
		{"client", required_argument, NULL, 'C'},
		{"host", required_argument, NULL, 'H'},
		{"rule", required_argument, NULL, 'R'},
		{"list", required_argument, NULL, 'L'},
		{"entries", no_argument, NULL, 'E'},
		{"dead", no_argument, NULL, 'D'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{0},
	};
	bool drains = strcmp(c->request, "drain") == 0, lists = strcmp(c->request, "sessions") == 0, rules = strcmp(c->request, "rules") == 0;
	bool kills = strcmp(c->request, "kill") == 0;
	int  code;

	for (int o; (o = getopt_long(argc, argv, "c:hV", longs, NULL)) != -1;) {
		switch (o) {
		case 'c':
			c->conf = optarg;
			continue;
		case 'S':
			c->control = optarg;
			continue;
		case 'j':
			c->json = true;
			continue;
		case 't':
			if (!drains)
				break;
			if (!add_timeout(c, optarg))
				return bad_value("--timeout", optarg, "a time with its unit, such as 30s or 5m");
			continue;
		case 'C':
		case 'H':
		case 'R':
			if (!lists && !(rules && o == 'R'))
				break;
			if ((code = add_filter(c, o, optarg)) >= 0)
				return code;
			continue;
		case 'L':
			if (!rules)
				break;
			if (!add(c, "list=", optarg))
				return bad_value("--list", optarg, "the name of a list");
			continue;
		case 'E':
		case 'D':
			if (!rules)
				break;
			add(c, "", o == 'E' ? "entries" : "dead");
			continue;
		default:
			return cli_usage(o, usage);
		}
		return cli_usage('?', usage); /* it is not this command's */
	}
	if (optind == argc && !kills)
		return -1;
	if (kills && optind + 1 == argc)
		return add(c, "", argv[optind]) ? -1 : bad_value("kill", argv[optind], "the ID of a session, as postern sessions shows it");
	return cli_usage('?', usage);
}

int
cli_control(int argc, char **argv)
{
	struct call c = {.conf = CLI_DEFAULT_CONF};
	char        path[4096];
	const char *word = strrchr(argv[0], ' '); /* "postern reload" */
	int         code;

	snprintf(c.request, sizeof c.request, "%s", word ? word + 1 : argv[0]);
	code = read_options(&c, argc, argv);
	if (code >= 0)
		return code;
	if (c.json && !add(&c, "", "--json"))
		return CLI_USAGE;
	return ask_path(c.control, c.conf, path, sizeof path) ? ask_gateway(path, c.request, ask_print, NULL) : CLI_USAGE;
}
