/* SPDX-License-Identifier: MIT */
/*
 * import_m365: `postern import m365`: Microsoft's list of endpoints into list files, or against the list in use. A list is there whole or not at all.
 */
#include "cli/import_m365.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/import.h"

enum split { SPLIT_NONE, SPLIT_CATEGORY, SPLIT_AREA };

struct call {
	const char      *file, *version_file, *name, *folder, *diff, *source;
	struct span      area[M365_AREAS];
	struct m365_want want;
	enum split       split;
	bool             json;
	char             version[48], fetched[32];
	const char      *sep; /* JSON */
};

static const char usage[] =
    "usage: postern import m365 FILE [VERSION-FILE] [--list NAME] [--category NAME,...] [--service-area NAME,...] [--required-only] [--addresses]\n"
    "                           [--split category|service-area] [-o DIR] [--diff FILE] [--version-of VERSION] [--source TEXT] [--json]\n"
    "Turns what https://endpoints.office.com/endpoints/worldwide answered (JSON) into list files. Fetches nothing itself.\n"
    "      VERSION-FILE      what https://endpoints.office.com/version answered: kept in the list\n"
    "      --version-of V    the version itself, such as 2026103100\n"
    "      --source TEXT     where FILE is from, for the list's head (https://endpoints.office.com/endpoints/worldwide)\n"
    "      --list NAME       what the list is called (m365)\n"
    "      --category C      only Optimize, Allow or Default; more separated by commas\n"
    "      --service-area A  only Common, Exchange, SharePoint, Skype ...; likewise\n"
    "      --required-only   only what Microsoft calls required\n"
    "      --addresses       its address ranges too; they hold for targets that are addresses\n"
    "      --split WHAT      a list for each category or service area: NAME-optimize.list\n"
    "  -o, --directory DIR   write DIR/NAME.list, instead of standard output\n"
    "      --diff FILE       what is new and what is gone, compared with a list file, or with list NAME of FILE.ini\n"
    "      --json            what was done as one JSON object on standard output\n"
    "exit code: 0 fine, 1 --diff finds differences, 2 usage or unreadable input\n";

/* --- arguments --- */

static bool
is_name(const char *s)
{
	size_t n = strlen(s);

	return n > 0 && n <= 64 && strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == n && s[0] != '.';
}

/* The next of "a,b"; false: no more. */
static bool
item_next(const char **at, struct span *item)
{
	const char *p = *at + strspn(*at, ", ");

	*item = span_of(p, strcspn(p, ","));
	while (item->n && item->p[item->n - 1] == ' ')
		item->n--;
	*at = p + strcspn(p, ",");
	return item->n > 0;
}

static bool
categories_read(struct call *c, const char *text)
{
	struct span        item;
	enum m365_category which;

	while (item_next(&text, &item)) {
		if (!m365_category_read(item, &which))
			return false;
		c->want.categories |= 1u << which;
	}
	return c->want.categories != 0;
}

static bool
areas_read(struct call *c, const char *text)
{
	struct span item;

	c->want.area = c->area;
	while (item_next(&text, &item) && c->want.n_areas < M365_AREAS)
		c->area[c->want.n_areas++] = item;
	return c->want.n_areas > 0;
}

/* One option; false: what it wants was said. */
static bool
option_read(struct call *c, int o)
{
	switch (o) {
	case 'L':
		c->name = optarg;
		if (!is_name(optarg))
			return cli_usage_error("--list takes a name of letters, digits, - _ and ."), false;
		break;
	case 'C':
		if (!categories_read(c, optarg))
			return cli_usage_error("--category takes Optimize, Allow and Default, separated by commas"), false;
		break;
	case 'A':
		if (!areas_read(c, optarg))
			return cli_usage_error("--service-area takes names such as Exchange, separated by commas"), false;
		break;
	case 'S':
		c->split = strcmp(optarg, "category") == 0 ? SPLIT_CATEGORY : SPLIT_AREA;
		if (c->split == SPLIT_AREA && strcmp(optarg, "service-area") != 0)
			return cli_usage_error("--split takes category or service-area"), false;
		break;
	case 'v':
		if (!*optarg || strlen(optarg) > 31 || strspn(optarg, "0123456789") != strlen(optarg))
			return cli_usage_error("--version-of takes a version such as 2026103100"), false;
		strcpy(c->version, optarg);
		break;
	case 's':
		for (const char *p = optarg; *p; p++)
			if ((unsigned char)*p < 0x20 || *p == 0x7f)
				return cli_usage_error("--source takes a text without control bytes"), false;
		c->source = optarg;
		break;
	}
	return true;
}

/* Where the options end well, -1; else the exit code. */
static int
options_read(struct call *c, int argc, char **argv)
{
	static const struct option longs[] = {{"list", required_argument, NULL, 'L'}, {"category", required_argument, NULL, 'C'}, {"service-area", required_argument, NULL, 'A'},
		{"required-only", no_argument, NULL, 'r'}, {"addresses", no_argument, NULL, 'a'}, {"split", required_argument, NULL, 'S'}, {"directory", required_argument, NULL, 'o'},
		{"diff", required_argument, NULL, 'd'}, {"version-of", required_argument, NULL, 'v'}, {"source", required_argument, NULL, 's'}, {"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'}, {"version", no_argument, NULL, 'V'}, {0}};

	for (int o; (o = getopt_long(argc, argv, "o:hV", longs, NULL)) != -1;) {
		c->want.required_only |= o == 'r';
		c->want.addresses |= o == 'a';
		c->json |= o == 'j';
		if (o == 'o')
			c->folder = optarg;
		else if (o == 'd')
			c->diff = optarg;
		if (o == 'h' || o == 'V' || o == '?')
			return cli_usage(o, usage);
		if (!option_read(c, o))
			return CLI_USAGE;
	}
	if (argc - optind < 1 || argc - optind > 2)
		return cli_usage('?', usage);
	c->file = argv[optind];
	c->version_file = argc - optind == 2 ? argv[optind + 1] : NULL;
	if (c->split && (!c->folder || c->diff))
		return cli_usage_error(c->diff ? "--diff compares one list; leave out --split" : "--split makes several lists; say where to with -o DIR");
	return -1;
}

/* --- files --- */

static bool
slurp(const char *path, struct file_bytes *out)
{
	char why[FILE_WHY];

	if (file_read(path, M365_BYTES_MAX, out, why))
		return true;
	cli_file_error(path, why);
	return false;
}

/* All of it, or nothing: written beside, then renamed. False: said. */
static bool
list_save(const char *path, const struct m365_list *l, const struct m365_head *head)
{
	char part[4200];
	int  fd;
	FILE *f;
	bool ok;

	snprintf(part, sizeof part, "%s.part.%d", path, (int)getpid());
	fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	f = fd < 0 ? NULL : fdopen(fd, "w");
	if (!f) {
		cli_file_error(path, strerror(errno));
		if (fd >= 0) {
			close(fd);
			unlink(part);
		}
		return false;
	}
	m365_write(l, head, f);
	ok = fflush(f) == 0 && !ferror(f) && fsync(fd) == 0;
	ok = (fclose(f) == 0) & ok && rename(part, path) == 0;
	if (!ok) {
		cli_file_error(path, strerror(errno));
		unlink(part);
	}
	return ok;
}

/* --- what is told --- */

static void
refused_json(struct call *c, const struct m365_list *l)
{
	for (size_t i = l->n_entries; i < l->n; i++) {
		const struct m365_item *m = &l->v[i];
		printf("%s{\"text\":", c->sep);
		cli_print_json(stdout, span_str(m->text));
		fputs(",\"why\":", stdout);
		cli_print_json(stdout, span_str(m->why));
		fputs(",\"ids\":[", stdout);
		for (unsigned k = 0; k < m->n_ids; k++)
			printf("%s%lld", k ? "," : "", (long long)m->id[k]);
		printf("],\"category\":\"%s\",\"required\":%s,\"unsafe\":%s}", m365_category_word((enum m365_category)m->category), m->required ? "true" : "false", m->unsafe ? "true" : "false");
		c->sep = ",\n";
	}
}

static void
refused_print(const struct m365_list *l, FILE *to)
{
	char comment[400];

	for (size_t i = l->n_entries; i < l->n; i++) {
		fputs("not an entry: ", to);
		cli_print(to, span_str(l->v[i].text));
		fputs(": ", to);
		cli_print(to, span_str(l->v[i].why));
		fputs(" (", to);
		cli_print(to, span_str(m365_comment(&l->v[i], comment, sizeof comment)));
		fputs(")\n", to);
	}
}

static void
line_json(const char **sep, struct span entry, struct span comment)
{
	printf("%s{\"entry\":", *sep);
	cli_print_json(stdout, entry);
	fputs(",\"comment\":", stdout);
	cli_print_json(stdout, comment);
	putchar('}');
	*sep = ",\n";
}

static void
diff_json(const struct m365_diff *d)
{
	char        comment[400];
	const char *sep = "";

	fputs("{\"added\":[", stdout);
	for (size_t i = 0; i < d->n_added; i++)
		line_json(&sep, span_str(d->added[i]->text), span_str(m365_comment(d->added[i], comment, sizeof comment)));
	fputs("],\"removed\":[", stdout);
	sep = "";
	for (size_t i = 0; i < d->n_removed; i++)
		line_json(&sep, d->removed[i]->text, d->removed[i]->comment);
	fputs("]}", stdout);
}

static void
line_print(char sign, struct span entry, struct span comment)
{
	printf("%c ", sign);
	cli_print(stdout, entry);
	if (comment.n) {
		fputs("   # ", stdout);
		cli_print(stdout, comment);
	}
	putchar('\n');
}

static void
diff_print(const struct m365_diff *d)
{
	char comment[400];

	for (size_t i = 0; i < d->n_added; i++)
		line_print('+', span_str(d->added[i]->text), span_str(m365_comment(d->added[i], comment, sizeof comment)));
	for (size_t i = 0; i < d->n_removed; i++)
		line_print('-', d->removed[i]->text, d->removed[i]->comment);
	printf("%zu added, %zu removed\n", d->n_added, d->n_removed);
}

/* --- what is done --- */

/* One list under `name`. JSON: one of "lists". */
static int
list_put(struct call *c, const struct m365_list *l, const char *name, const char *what)
{
	struct m365_head head = {.source = c->source, .version = c->version, .fetched = c->fetched, .what = what};
	char             path[4096];

	if (!c->folder) {
		if (!c->json && !c->diff)
			m365_write(l, &head, stdout);
		return CLI_FINE;
	}
	if ((size_t)snprintf(path, sizeof path, "%s/%s.list", c->folder, name) >= sizeof path)
		return cli_file_error(c->folder, "its path is too long");
	if (!list_save(path, l, &head))
		return CLI_USAGE;
	if (c->json) {
		printf("%s{\"file\":", c->sep);
		cli_print_json(stdout, span_str(path));
		printf(",\"entries\":%zu}", l->n_entries);
		c->sep = ",";
	} else {
		cli_print(stdout, span_str(path));
		printf(": %zu entries, version %s\n", l->n_entries, c->version);
	}
	return CLI_FINE;
}

/* NAME-exchange: a service area comes from outside. */
static void
part_name(const struct call *c, const char *part, char out[160])
{
	int n = snprintf(out, 160, "%s-", c->name);

	for (; *part && n < 158; part++)
		out[n++] = (*part >= '0' && *part <= '9') || (ascii_lower(*part) >= 'a' && ascii_lower(*part) <= 'z') ? ascii_lower(*part) : '-';
	out[n] = '\0';
}

/* Two service areas that make one file would each be lost for the other. */
static bool
names_differ(const struct call *c, const char *const *area, size_t n)
{
	char a[160], b[160];

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < i; k++) {
			part_name(c, area[i], a);
			part_name(c, area[k], b);
			if (strcmp(a, b) == 0)
				return false;
		}
	return true;
}

static int
part_put(struct call *c, const struct m365 *m, struct m365_want want, const char *part)
{
	struct m365_list l;
	char             name[160], what[200];
	int              code;

	part_name(c, part, name);
	snprintf(what, sizeof what, "%s", name + strlen(c->name) + 1);
	if (!m365_select(m, &want, &l))
		return cli_usage_error("out of memory, or more entries than any list of Microsoft's has");
	code = l.n ? list_put(c, &l, name, what) : CLI_FINE;
	m365_list_clear(&l);
	return code;
}

static int
parts_put(struct call *c, const struct m365 *m)
{
	const char *area[M365_AREAS];
	size_t      n = m365_areas(m, area);
	int         code = CLI_FINE;

	if (c->split == SPLIT_AREA && !names_differ(c, area, n))
		return cli_usage_error("two service areas of the file would make one list; choose one with --service-area, without --split");
	for (unsigned k = 0; k < M365_CATEGORIES && c->split == SPLIT_CATEGORY && code == CLI_FINE; k++) {
		struct m365_want want = c->want;
		if (want.categories && !(want.categories & 1u << k))
			continue;
		want.categories = 1u << k;
		code = part_put(c, m, want, m365_category_word((enum m365_category)k));
	}
	for (size_t i = 0; i < n && c->split == SPLIT_AREA && code == CLI_FINE; i++) {
		struct m365_want want = c->want;
		struct span      one = span_str(area[i]);
		bool             wanted = want.n_areas == 0;
		for (size_t k = 0; k < want.n_areas; k++)
			wanted |= span_eq_nocase(want.area[k], one);
		want.area = &one;
		want.n_areas = 1;
		if (wanted)
			code = part_put(c, m, want, area[i]);
	}
	return code;
}

/* An area that is not there would give an empty list without a word. */
static int
areas_judge(const struct call *c, const struct m365 *m)
{
	const char *area[M365_AREAS];
	size_t      n = m365_areas(m, area), k;

	for (size_t i = 0; i < c->want.n_areas; i++) {
		for (k = 0; k < n && !span_eq_nocase(c->want.area[i], span_str(area[k])); k++)
			;
		if (k < n)
			continue;
		fputs("postern: --service-area: the file has none called ", stderr);
		cli_print(stderr, c->want.area[i]);
		fputs("; it has", stderr);
		for (k = 0; k < n; k++) {
			fputs(k ? ", " : " ", stderr);
			cli_print(stderr, span_str(area[k]));
		}
		putc('\n', stderr);
		return CLI_USAGE;
	}
	return CLI_FINE;
}

static int
put_all(struct call *c, const struct m365 *m, const struct m365_list *l, const struct m365_diff *d)
{
	int code;

	c->sep = "";
	if (c->json) {
		fputs("{\"source\":", stdout);
		cli_print_json(stdout, span_str(c->source));
		printf(",\"version\":\"%s\",\"fetched\":\"%s\",\"entries\":%zu,\"lists\":[", c->version, c->fetched, l->n_entries);
	}
	code = c->split ? parts_put(c, m) : list_put(c, l, c->name, "all that was asked for");
	if (c->json) {
		fputs("],\n\"refused\":[", stdout);
		c->sep = "";
		refused_json(c, l);
		fputs("],\n\"diff\":", stdout);
		if (c->diff)
			diff_json(d);
		else
			fputs("null", stdout);
		puts("}");
	} else if (code == CLI_FINE) {
		refused_print(l, c->folder || c->diff ? stdout : stderr);
		if (c->diff)
			diff_print(d);
	}
	return code != CLI_FINE ? code : d->n_added || d->n_removed ? CLI_NEGATIVE : CLI_FINE;
}

static int
import(struct call *c, const struct m365 *m)
{
	struct m365_list l = {0};
	struct m365_diff d = {0};
	int              code = areas_judge(c, m);

	if (code != CLI_FINE)
		return code;
	if (!m365_select(m, &c->want, &l))
		return cli_usage_error("out of memory, or more entries than any list of Microsoft's has");
	if (c->diff)
		code = m365_diff_make(&d, &l, c->diff, c->name);
	if (code == CLI_FINE)
		code = put_all(c, m, &l, &d);
	m365_diff_clear(&d);
	m365_list_clear(&l);
	return code;
}

/* The version that is kept: as given, of the second file, else the file's date. */
static int
version_find(struct call *c)
{
	struct file_bytes bytes;
	char              why[M365_WHY] = "";
	bool              ok;

	if (c->version_file) {
		if (!slurp(c->version_file, &bytes))
			return CLI_USAGE;
		ok = m365_version(span_of(bytes.p, bytes.n), SPAN(""), c->version, why);
		free(bytes.p);
		if (!ok)
			return cli_file_error(c->version_file, why);
	}
	if (!*c->version)
		snprintf(c->version, sizeof c->version, "%s", c->fetched);
	return CLI_FINE;
}

int
cli_import_m365(int argc, char **argv)
{
	struct call       c = {.name = "m365", .source = "https://endpoints.office.com/endpoints/worldwide"};
	struct file_bytes bytes;
	char              why[M365_WHY] = "";
	struct m365      *m;
	struct tm         tm;
	int               code = options_read(&c, argc, argv);

	if (code >= 0)
		return code;
	if (!slurp(c.file, &bytes))
		return CLI_USAGE;
	if (!gmtime_r(&bytes.changed, &tm) || !strftime(c.fetched, sizeof c.fetched, "%Y-%m-%d", &tm))
		snprintf(c.fetched, sizeof c.fetched, "1970-01-01");
	m = m365_new(span_of(bytes.p, bytes.n), why);
	free(bytes.p);
	if (!m)
		return cli_file_error(c.file, why);
	code = version_find(&c);
	if (code == CLI_FINE)
		code = import(&c, m);
	m365_free(m);
	return code;
}
