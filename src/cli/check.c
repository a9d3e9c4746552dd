/* SPDX-License-Identifier: MIT */
/*
 * check: reads and compiles a configuration as `run` would, has lint/ look through it, prints every error and warning, starts nothing.
 */
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit/check.h"
#include "auth/parent_secret.h"
#include "auth/user_file.h"
#include "cli/check.h"
#include "cli/cli.h"
#include "conf/conf.h"
#include "lint/lint.h"
#include "policy/snapshot.h"

static const char usage[] =
    "usage: postern check [-c FILE] [--strict] [--json]\n"
    "Reads and compiles the configuration, prints every error and warning; starts nothing.\n"
    "  -c, --config FILE  the configuration (" CLI_DEFAULT_CONF ")\n"
    "      --strict       warnings count as errors\n"
    "      --json         one JSON object on standard output\n"
    "exit code: 0 fine (there may be warnings), 1 errors (--strict: or warnings), 2 usage or unreadable file\n"
    "postern-check(8) explains each kind of finding.\n";

static void
line_json(const struct conf *c, const struct report_line *l)
{
	size_t what = l->remedy ? l->remedy - 2 : strlen(l->text); /* without the "; " between the two */

	fputs("{\"file\":", stdout);
	cli_print_json(stdout, l->at.file < c->n_files ? span_str(c->files[l->at.file].path) : SPAN(""));
	printf(",\"line\":%u,\"severity\":\"%s\",\"kind\":\"%s\",\"text\":", l->at.line, severity_word(finding_severity(l->kind)), finding_word(l->kind));
	cli_print_json(stdout, span_of(l->text, what));
	fputs(",\"remedy\":", stdout);
	cli_print_json(stdout, span_str(l->remedy ? l->text + l->remedy : finding_remedy(l->kind)));
	putchar('}');
}

static void
lines_json(const struct conf *c, const struct report_line **line, size_t n, enum severity severity)
{
	const char *sep = "";

	for (size_t i = 0; i < n; i++) {
		if (finding_severity(line[i]->kind) != severity)
			continue;
		fputs(sep, stdout);
		line_json(c, line[i]);
		sep = ",";
	}
}

static bool
print_json(const char *path, const struct conf *c, const struct report *r, int code)
{
	struct conf_counts         t = conf_count(c);
	const struct report_line **line = report_sorted(r);

	if (!line)
		return false;
	printf("{\"ok\":%s,\"file\":", code == CLI_FINE ? "true" : "false");
	cli_print_json(stdout, span_str(path));
	printf(",\"rules\":%zu,\"lists\":%zu,\"entries\":%zu,\"listeners\":%zu,\"errors\":[", t.rules, t.lists, t.entries, t.listeners);
	lines_json(c, line, r->n, SEVERITY_ERROR);
	fputs("],\"warnings\":[", stdout);
	lines_json(c, line, r->n, SEVERITY_WARNING);
	fputs("],\"notes\":[", stdout);
	lines_json(c, line, r->n, SEVERITY_NOTE);
	printf("],\"untold\":%zu}\n", r->errors + r->warnings + r->notes - r->n);
	free(line);
	return true;
}

static const char *
plural(size_t n)
{
	return n == 1 ? "" : "s";
}

static void
print_text(const char *path, const struct conf *c, const struct report *r, int code)
{
	struct conf_counts t = conf_count(c);
	char               text[160];

	report_print(r, c, stderr);
	if (code != CLI_FINE) {
		fputs("postern: ", stderr);
		cli_print(stderr, span_str(path));
		fprintf(stderr, ": %s: %zu error%s, %zu warning%s\n", r->errors ? "not usable" : "not clean", r->errors, plural(r->errors), r->warnings, plural(r->warnings));
		return;
	}
	cli_print(stdout, span_str(path));
	printf(": OK: %s", conf_counts_print(&t, text, sizeof text));
	if (r->warnings)
		printf("; %zu warning%s", r->warnings, plural(r->warnings));
	putchar('\n');
}

struct user_lines {
	struct report *r;
	struct where   at; /* the option that names the file */
	const char    *path;
};

static void
on_user_line(void *arg, uint32_t line, const char *what)
{
	const struct user_lines *u = arg;

	report_error(u->r, u->at, "%s:%u: %s", u->path, line, what);
}

/* Lines of a user file that its back end would not take. That the file is there, and closed to others, conf has seen to. */
static void
user_file_check(const char *path, enum user_file_kind kind, struct where at, struct report *r)
{
	struct user_lines u = {r, at, path};
	struct user_file  f;
	char              why[BACK_WHY_MAX];
	int               fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;

	if (fd < 0)
		return;
	if (user_file_read(&f, kind, fd, on_user_line, &u, why))
		user_file_clear(&f);
	else
		report_error(r, at, "%s: %s", path, why);
	close(fd);
}

static int
check(const char *path, bool json, bool strict)
{
	struct snapshot_inputs in = {.generation = 1};
	struct report          r;
	struct conf           *c;
	int                    code = CLI_NEGATIVE, block;

	report_init(&r);
	r.thorough = true;
	c = conf_load(path, &r);
	if (!c) {
		code = cli_usage_error("out of memory");
		goto out;
	}
	log_formats_check(c, &r);
	user_file_check(c->auth.basic_file, USER_FILE_BASIC, c->auth.basic_file_at, &r);
	user_file_check(c->auth.ntlm_file, USER_FILE_NTLM, c->auth.ntlm_file_at, &r);
	parent_secret_check(c, &r);
	check_keys(c, &r);
	block = snapshot_build(c, &in, &r);
	lint_check(c, block, &r);
	if (block >= 0) {
		close(block);
		code = r.errors || (strict && r.warnings) ? CLI_NEGATIVE : CLI_FINE;
	}
	if (!json)
		print_text(path, c, &r, code);
	else if (!print_json(path, c, &r, code))
		code = cli_usage_error("out of memory");
out:
	conf_free(c);
	report_clear(&r);
	return code;
}

int
cli_check(int argc, char **argv)
{
	static const struct option options[] = {{"config", required_argument, NULL, 'c'}, {"json", no_argument, NULL, 'j'}, {"strict", no_argument, NULL, 's'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'}, {0}};
	const char *path = CLI_DEFAULT_CONF;
	bool        json = false, strict = false;
	int         o;

	while ((o = getopt_long(argc, argv, "c:hV", options, NULL)) != -1) {
		switch (o) {
		case 'c':
			path = optarg;
			break;
		case 'j':
			json = true;
			break;
		case 's':
			strict = true;
			break;
		default:
			return cli_usage(o, usage);
		}
	}
	if (optind < argc) {
		fputs("postern check: the file is named with -c\n", stderr);
		return cli_usage('?', usage);
	}
	return cli_file_readable(path) ? check(path, json, strict) : CLI_USAGE;
}
