/* SPDX-License-Identifier: MIT */
/*
 * replay: feeds the requests of access logs to a candidate configuration, and says which would be decided differently: from what the logs say, or from what another
 * file, or the running one, would do. Resolves nothing and connects nowhere.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/replay.h"
#include "cli/replay_running.h"
#include "conf/value.h"

#define FILES_MAX      10000
#define PROGRESS_LINES 16384u
#define PROGRESS_US    200000u

struct replay {
	const char  *candidate, *against; /* null: the logs */
	const char  *control;             /* null: as the candidate names it */
	char         running[4096];
	bool         json;
	uint64_t     unpacked_max;
	uint32_t     limit;
	struct judge  to, from;
	struct asked asked;
	struct tally tally;
	char       **file;
	int          n_files;
	uint64_t     done, shown_us; /* lines of the files before, and when the progress was shown */
	uint64_t     good;           /* lines of a log among them */
	bool         shows, failed;
};

static const char usage[] =
    "usage: postern replay [-c FILE] [--against FILE|running] [--control PATH] [--limit N] [--unpacked-max SIZE] [--json] LOG...\n"
    "Says which requests of access logs would be decided differently by a configuration. A LOG is a file in Postern's json or squid format, or Squid's own,\n"
    "plain or gzip; - is standard input. Resolves nothing and connects nowhere.\n"
    "  -c, --config FILE         the candidate (" CLI_DEFAULT_CONF ")\n"
    "      --against FILE        compare with what FILE would do, not with what the logs say was done; running: the file of the running gateway\n"
    "      --control PATH        the running gateway's control socket (as the candidate names it)\n"
    "      --limit N             this many ways to go differently, and of each this many hosts (10)\n"
    "      --unpacked-max SIZE   a gzip file, or a pipe, may hold so much (16G)\n"
    "      --json                one JSON object on standard output\n"
    "exit code: 0 nothing changes, 1 something does, 2 usage, an unusable configuration or an unreadable log, 3 the running gateway could not be reached\n";

/* --- options --- */

static bool
limit_read(const char *text, uint32_t *limit)
{
	char         *end;
	unsigned long v;

	errno = 0;
	v = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || v == 0 || v > TALLY_HOSTS_MAX)
		return false;
	*limit = (uint32_t)v;
	return true;
}

/* -1: go on; else the exit code. */
static int
options_read(struct replay *r, int argc, char **argv)
{
	enum { OPT_AGAINST = 256, OPT_CONTROL, OPT_LIMIT, OPT_UNPACKED, OPT_JSON };
	static const struct option options[] = {{"config", required_argument, NULL, 'c'}, {"against", required_argument, NULL, OPT_AGAINST}, {"control", required_argument, NULL, OPT_CONTROL},
		{"limit", required_argument, NULL, OPT_LIMIT}, {"unpacked-max", required_argument, NULL, OPT_UNPACKED}, {"json", no_argument, NULL, OPT_JSON},
		{"help", no_argument, NULL, 'h'}, {"version", no_argument, NULL, 'V'}, {0}};
	int o;

	while ((o = getopt_long(argc, argv, "c:hV", options, NULL)) != -1) {
		switch (o) {
		case 'c':
			r->candidate = optarg;
			break;
		case OPT_AGAINST:
			r->against = optarg;
			break;
		case OPT_CONTROL:
			r->control = optarg;
			break;
		case OPT_LIMIT:
			if (!limit_read(optarg, &r->limit))
				return cli_usage_error("--limit takes a number from 1 to %u", TALLY_HOSTS_MAX);
			break;
		case OPT_UNPACKED:
			if (!value_size(span_str(optarg), &r->unpacked_max) || r->unpacked_max == 0)
				return cli_usage_error("--unpacked-max takes a size such as 64G");
			break;
		case OPT_JSON:
			r->json = true;
			break;
		default:
			return cli_usage(o, usage);
		}
	}
	r->file = argv + optind;
	r->n_files = argc - optind;
	return r->n_files > 0 && r->n_files <= FILES_MAX ? -1 : cli_usage('?', usage);
}

/* --- one request --- */

static bool
is_diagnostic(const struct replay *r, const struct asked *a, const struct outcome *from)
{
	return from->fate == FATE_BYPASS || asked_is_shipped(a) || judge_bypasses(&r->to, a) || (r->against && judge_bypasses(&r->from, a));
}

/* Would it be asked, opened or refused, that was let through? */
static bool
is_worse(const struct asked *a, const struct outcome *from, const struct outcome *to)
{
	return from->fate <= FATE_LET && from->fate != to->fate &&
	    (to->fate == FATE_CHALLENGE || to->fate == FATE_DENY || (to->fate == FATE_INSPECT && a->connect));
}

/* A tunnel in the squid format: Squid writes another word for one that it opens, but we do not; a diagnostic one nobody means to open. */
static bool
is_untouched(const struct log_entry *e, const struct asked *a)
{
	static const struct span tunnel = SPAN("TCP_TUNNEL");

	return a->connect && e->result.n >= tunnel.n && memcmp(e->result.p, tunnel.p, tunnel.n) == 0;
}

static bool
compare(struct replay *r, const struct log_entry *e, uint16_t file, const struct outcome *from, const struct outcome *to)
{
	struct tally *t = &r->tally;
	struct asked *a = &r->asked;
	bool          unseen = from->fate == FATE_UNSEEN || to->fate == FATE_UNSEEN, same = outcome_same(from, to), hurts;

	if (from->fate == FATE_UNTOLD || to->fate == FATE_UNTOLD) {
		t->untold += !a->first_leg;
		if (!a->first_leg)
			t->untold_why[to->fate == FATE_UNTOLD ? to->untold : from->untold]++;
		return true;
	}
	if (unseen && !same) {
		t->unseen++;
		return true;
	}
	hurts = (!same || (from->fate == FATE_LET && is_untouched(e, a))) && is_worse(a, from, to) && is_diagnostic(r, a, from);
	if (!same || hurts)
		return tally_change(t, e, a, file, from, to, hurts);
	if (!a->first_leg) {
		t->same++;
		t->other_rule += (r->against || e->kind == LOG_KIND_JSON) && (!span_eq(from->rule, to->rule) || from->fault != to->fault);
	}
	return true;
}

static void
began_note(struct tally *t, const struct log_entry *e)
{
	uint64_t began = e->end_us - e->elapsed_us;

	if (began < t->first_us)
		t->first_us = began;
	if (began > t->last_us)
		t->last_us = began;
}

/* False: no memory. */
static bool
entry_take(struct replay *r, const struct log_entry *e, uint16_t file)
{
	struct tally  *t = &r->tally;
	struct asked  *a = &r->asked;
	struct outcome from = {.fate = FATE_UNTOLD, .untold = UNTOLD_TARGET}, to = from;
	enum asked_kind kind = asked_read(a, e);

	if (kind == ASKED_NOTHING) {
		t->nothing++;
		return true;
	}
	if (kind == ASKED_REQUEST && !logged_outcome(e, a, &from)) {
		t->no_decision++;
		return true;
	}
	began_note(t, e);
	if (kind == ASKED_REQUEST) {
		if (r->against) {
			judge_know(&r->from, a);
			judge_ask(&r->from, a, &from);
		}
		judge_know(&r->to, a);
		judge_ask(&r->to, a, &to);
	}
	if (a->first_leg) {
		t->legs++;
		t->legs_fate[to.fate]++;
	} else {
		t->requests++;
	}
	return compare(r, e, file, &from, &to);
}

/* --- the logs --- */

static void
file_say(const struct replay *r, uint16_t file, const char *what)
{
	if (r->shows)
		fputs("\r\033[K", stderr);
	cli_file_error(r->file[file], what);
}

static void
progress_show(struct replay *r, const struct log_reader *reader, bool now)
{
	uint64_t us;

	if (!r->shows || (!now && log_reader_lines(reader) % PROGRESS_LINES != 0))
		return;
	us = clock_real_us();
	if (!now && us - r->shown_us < PROGRESS_US)
		return;
	r->shown_us = us;
	if (now)
		fputs("\r\033[K", stderr);
	else
		fprintf(stderr, "\r%" PRIu64 " lines", r->done + log_reader_lines(reader));
}

static void
bad_note(struct tally *t, const struct log_entry *e, uint16_t file, const char *why)
{
	if (t->bad++ == 0) {
		t->bad_line = e->line;
		t->bad_file = file;
		t->bad_why = why;
	}
}

/* False: it is said what is wrong. */
static bool
log_take(struct replay *r, struct log_reader *reader, uint16_t file)
{
	struct log_entry e;
	const char      *why;
	uint64_t         good = 0, bad = 0;

	for (;;) {
		switch (log_reader_next(reader, &e, &why)) {
		case LOG_READ_ENTRY:
			good++;
			if (entry_take(r, &e, file))
				break;
			file_say(r, file, "out of memory");
			return false;
		case LOG_READ_BAD:
			bad++;
			bad_note(&r->tally, &e, file, why);
			break;
		case LOG_READ_FAILED:
			file_say(r, file, strcmp(why, LOG_WHY_TOO_MUCH) == 0 ? LOG_WHY_TOO_MUCH "; --unpacked-max raises that" : why);
			return false;
		case LOG_READ_END:
			if (good == 0 && bad > 0)
				file_say(r, file, "holds no line of an access log in the squid or json format");
			r->good += good;
			return good > 0 || bad == 0; /* a log that was rotated just now is empty */
		}
		progress_show(r, reader, false);
	}
}

static bool
log_open(struct replay *r, uint16_t file)
{
	const char        *path = r->file[file];
	int                fd = strcmp(path, "-") == 0 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct log_reader *reader;
	bool               ok;

	if (fd < 0) {
		file_say(r, file, strerror(errno));
		return false;
	}
	reader = log_reader_new(fd, r->unpacked_max);
	if (!reader) {
		file_say(r, file, "cannot be read: out of memory");
		return false;
	}
	ok = log_take(r, reader, file);
	progress_show(r, reader, true);
	r->done += log_reader_lines(reader);
	r->tally.lost += log_reader_lost(reader);
	r->tally.lines = r->done;
	log_reader_free(reader);
	return ok;
}

static int
replay(struct replay *r)
{
	struct replay_shown what = {r->candidate, r->against, r->file, (uint32_t)r->n_files, r->limit};
	bool                ok = true;

	r->shows = isatty(STDERR_FILENO);
	for (int i = 0; i < r->n_files && ok; i++)
		ok = log_open(r, (uint16_t)i);
	if (!ok) /* a part of the answer might be taken for the whole */
		return CLI_USAGE;
	if (!r->good) /* "nothing changes" would be said of nothing */
		return cli_usage_error("there is no line in any of these logs");
	if (!tally_sort(&r->tally))
		return cli_usage_error("out of memory");
	if (r->json)
		replay_print_json(&r->tally, &what);
	else
		replay_print(&r->tally, &what);
	return r->tally.changed || r->tally.legs_changed ? CLI_NEGATIVE : CLI_FINE;
}

int
cli_replay(int argc, char **argv)
{
	struct replay *r = calloc(1, sizeof *r);
	int            code;

	if (!r)
		return cli_usage_error("out of memory");
	r->candidate = CLI_DEFAULT_CONF;
	r->limit = 10;
	code = options_read(r, argc, argv);
	if (code < 0 && r->against && strcmp(r->against, "running") == 0) {
		code = running_path(r->control, r->candidate, r->running, sizeof r->running);
		code = code == CLI_FINE ? -1 : code;
		r->against = r->running;
	}
	if (code < 0) {
		code = CLI_USAGE;
		r->asked.text = malloc(ASKED_ROOM);
		if (!r->asked.text || !tally_init(&r->tally))
			cli_usage_error("out of memory");
		else if (judge_open(&r->to, r->candidate) && (!r->against || judge_open(&r->from, r->against)))
			code = replay(r);
	}
	judge_close(&r->from);
	judge_close(&r->to);
	tally_clear(&r->tally);
	free(r->asked.text);
	free(r);
	return code;
}
