/* SPDX-License-Identifier: MIT */
/*
 * import_squid: `postern import squid FILE`: reads its arguments, has room import/ read the file, writes what it made, and reports what could not be said.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/import.h"
#include "import/squid.h"

struct words {
	const char *file, *folder, *output;
	bool        json, force;
};

static const char usage[] =
    "usage: postern import squid FILE [-o DIR | --output FILE] [--force] [--json]\n"
    "Turns squid.conf, with all that it includes, into an ini with the same meaning, or a file of domains into a list.\n"
    "Without -o and --output the ini, or the list, goes to standard output, and the report to standard error.\n"
    "  -o, --directory DIR  write DIR/postern.ini, and DIR/lists/NAME.list for ACLs that Squid reads from files\n"
    "      --output FILE    write one ini, with all in it\n"
    "      --force          replace files that are there\n"
    "      --json           the report as one JSON object on standard output\n"
    "exit code: 0 all was said that concerns who may go where, 1 not all: the report says what, by file and line;\n"
    "           2 usage, or a file that cannot be read or written\n";

/* --- the report --- */

static void
note_print(FILE *to, const struct squid_note *n)
{
	if (n->line) {
		cli_print(to, span_str(n->file));
		fprintf(to, ":%u: ", n->line);
	}
	fprintf(to, "%s: ", squid_note_word(n->kind));
	cli_print(to, n->text);
	if (n->said.n > 0) {
		fputs(" (", to);
		cli_print(to, n->said);
		fputc(')', to);
	}
	fputc('\n', to);
}

static void
report_print_text(const struct squid *s, const char *path, FILE *to)
{
	struct squid_totals t = squid_count(s);
	size_t              n[SQUID_NOTE_KINDS] = {0};

	for (unsigned kind = 0; kind < SQUID_NOTE_KINDS; kind++)
		for (size_t i = 0; i < squid_notes(s); i++)
			if (squid_note_at(s, i)->kind == kind) {
				n[kind]++;
				note_print(to, squid_note_at(s, i));
			}
	cli_print(to, span_str(path));
	if (squid_is_bare(s))
		fprintf(to, ": %zu entr%s of a list\n", t.entries, t.entries == 1 ? "y" : "ies");
	else
		fprintf(to, ": %zu line%s of http_access and %zu ACL%s became %zu rule%s and %zu list%s\n", t.accesses, t.accesses == 1 ? "" : "s", t.acls, t.acls == 1 ? "" : "s",
		    t.rules, t.rules == 1 ? "" : "s", t.lists, t.lists == 1 ? "" : "s");
	fprintf(to, "%zu wider, %zu narrower, %zu different, %zu to do, %zu not needed\n", n[SQUID_WIDER], n[SQUID_NARROWER], n[SQUID_DIFFERS], n[SQUID_TODO], n[SQUID_UNNEEDED]);
	if (n[SQUID_WIDER])
		fputs("MORE IS LET THROUGH THAN BY SQUID until what is `wider` is settled.\n", to);
}

static void
report_print_json(const struct squid *s, const char *path, bool exact)
{
	struct squid_totals t = squid_count(s);

	fputs("{\"file\":", stdout);
	cli_print_json(stdout, span_str(path));
	printf(",\"kind\":\"%s\",\"exact\":%s", squid_is_bare(s) ? "list" : "configuration", exact ? "true" : "false");
	printf(",\"files\":%zu,\"lines\":%zu,\"acls\":%zu,\"accesses\":%zu,\"rules\":%zu,\"lists\":%zu,\"entries\":%zu,\"notes\":[", t.files, t.lines, t.acls, t.accesses,
	    t.rules, t.lists, t.entries);
	for (size_t i = 0; i < squid_notes(s); i++) {
		const struct squid_note *n = squid_note_at(s, i);
		printf("%s{\"kind\":\"%s\",\"file\":", i ? "," : "", squid_note_word(n->kind));
		cli_print_json(stdout, span_str(n->file));
		printf(",\"line\":%u,\"said\":", n->line);
		cli_print_json(stdout, n->said);
		fputs(",\"text\":", stdout);
		cli_print_json(stdout, n->text);
		putchar('}');
	}
	puts("]}");
}

/* --- files --- */

struct made {
	char  path[PATH_MAX], beside[PATH_MAX];
	FILE *to;
};

/* A file beside its place, which it takes in one step by made_end. */
static bool
made_begin(struct made *m, const char *path, bool force)
{
	int n = snprintf(m->path, sizeof m->path, "%s", path), k = snprintf(m->beside, sizeof m->beside, "%s.%ld.new", path, (long)getpid()), fd;

	if (n < 0 || k < 0 || (size_t)k >= sizeof m->beside) {
		cli_file_error(path, strerror(ENAMETOOLONG));
		return false;
	}
	if (!force && access(path, F_OK) == 0) {
		cli_file_error(path, "is there already; --force replaces it");
		return false;
	}
	fd = open(m->beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	m->to = fd < 0 ? NULL : fdopen(fd, "w");
	if (m->to)
		return true;
	cli_file_error(path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return false;
}

static bool
made_end(struct made *m)
{
	bool fine = !ferror(m->to);

	fine = fclose(m->to) == 0 && fine;
	if (fine && rename(m->beside, m->path) == 0)
		return true;
	cli_file_error(m->path, strerror(errno));
	unlink(m->beside);
	return false;
}

static bool
ini_write(struct squid *s, const char *path, const char *lists, bool force)
{
	struct made m = {.to = NULL};

	if (!made_begin(&m, path, force))
		return false;
	squid_write_ini(s, m.to, lists);
	return made_end(&m);
}

static bool
folder_make(const char *path)
{
	if (mkdir(path, 0755) == 0 || errno == EEXIST)
		return true;
	cli_file_error(path, strerror(errno));
	return false;
}

static bool
folder_write(struct squid *s, const struct words *w)
{
	char        path[PATH_MAX];
	struct made m = {.to = NULL};

	if (strlen(w->folder) > sizeof path - 128) {
		cli_file_error(w->folder, strerror(ENAMETOOLONG));
		return false;
	}
	snprintf(path, sizeof path, "%s/lists", w->folder);
	if (!folder_make(w->folder) || (squid_list_files(s) > 0 && !folder_make(path)))
		return false;
	for (size_t i = 0; i < squid_list_files(s); i++) {
		snprintf(path, sizeof path, "%s/lists/%s.list", w->folder, squid_list_name(s, i));
		if (!made_begin(&m, path, w->force))
			return false;
		squid_write_list(s, i, m.to);
		if (!made_end(&m))
			return false;
	}
	snprintf(path, sizeof path, "%s/postern.ini", w->folder);
	return ini_write(s, path, "lists", w->force);
}

static bool
write_all(struct squid *s, const struct words *w)
{
	if (w->folder)
		return folder_write(s, w);
	if (w->output)
		return ini_write(s, w->output, NULL, w->force);
	if (w->json)
		return true;
	if (squid_is_bare(s))
		squid_write_list(s, 0, stdout);
	else
		squid_write_ini(s, stdout, NULL);
	return true;
}

/* --- the command --- */

/* Of SOURCE_DATE_EPOCH where it is set, so that what is made twice is the same. */
static time_t
now(void)
{
	const char *said = getenv("SOURCE_DATE_EPOCH");
	char       *end;
	long long   v = said ? strtoll(said, &end, 10) : -1;

	return said && *said && !*end && v >= 0 && v < 253402300800 ? (time_t)v : time(NULL);
}

static int
import(const struct words *w)
{
	struct squid *s = squid_new();
	bool          exact = true;
	int           code;

	if (!s)
		return cli_usage_error("out of memory");
	if (!squid_load(s, w->file, now())) {
		fputs("postern: ", stderr);
		cli_print(stderr, span_str(squid_why(s)));
		fputc('\n', stderr);
		code = CLI_USAGE;
	} else if (!write_all(s, w)) {
		code = CLI_USAGE;
	} else {
		for (size_t i = 0; i < squid_notes(s); i++)
			exact = exact && squid_note_at(s, i)->kind != SQUID_WIDER && squid_note_at(s, i)->kind != SQUID_NARROWER;
		if (w->json)
			report_print_json(s, w->file, exact);
		else
			report_print_text(s, w->file, w->folder || w->output ? stdout : stderr);
		code = exact ? CLI_FINE : CLI_NEGATIVE;
	}
	squid_free(s);
	return code;
}

int
cli_import_squid(int argc, char **argv)
{
	static const struct option options[] = {{"directory", required_argument, NULL, 'o'}, {"output", required_argument, NULL, 'f'}, {"force", no_argument, NULL, 'F'},
		{"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {"version", no_argument, NULL, 'V'}, {0}};
	struct words w = {0};
	int          o;

	while ((o = getopt_long(argc, argv, "o:hV", options, NULL)) != -1) {
		switch (o) {
		case 'o':
			w.folder = optarg;
			break;
		case 'f':
			w.output = optarg;
			break;
		case 'F':
			w.force = true;
			break;
		case 'j':
			w.json = true;
			break;
		default:
			return cli_usage(o, usage);
		}
	}
	if (optind + 1 != argc || (w.folder && w.output))
		return cli_usage('?', usage);
	w.file = argv[optind];
	return import(&w);
}
