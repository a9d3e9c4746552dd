/* SPDX-License-Identifier: MIT */
/*
 * doctor: `postern doctor`: tests the endpoints of the bypass rules, directly, through each parent and through the running gateway, and says what to do.
 * The tests are doctor/'s; this reads the configuration, runs them, and has what was found printed.
 */
#include "cli/doctor.h"

#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "cli/cli.h"
#include "doctor/metrics.h"
#include "parse/authority.h"

#define ROOM        8192u /* endpoints */
#define INTERRUPTED (128 + SIGINT)

static const char usage[] =
    "usage: postern doctor [-c FILE] [--via HOST:PORT] [--json | --nagios | --prometheus] [--watch TIME] [LIST...]\n"
    "       postern doctor --watch [-c FILE | --control PATH] [--json]\n"
    "Tests whether the endpoints of the bypass rules, or of the lists named, can be reached: directly, through each parent and through the running\n"
    "gateway.\n"
    "  -c, --config FILE    the configuration (" CLI_DEFAULT_CONF ")\n"
    "      --via HOST:PORT  where the gateway is, when not at its first listener; https://HOST:PORT: over TLS\n"
    "      --json           one JSON object\n"
    "      --nagios         one line, and the exit code, of a monitoring plugin\n"
    "      --prometheus     metrics as Prometheus reads them\n"
    "      --watch TIME     again every TIME (15m), until it is ended; --watch alone: what the running gateway found last ([doctor] interval)\n"
    "      --control PATH   with --watch alone: the gateway's control socket\n"
    "exit code: 0 all is well, 1 an endpoint fails, 2 usage, or a file that is unreadable or wrong, 3 the gateway cannot be reached;\n"
    "           with --nagios: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN\n";

/* --- what was found --- */

bool
checkup_was_tested(const struct checkup *c, size_t target)
{
	const struct doctor_row *r = &c->row[target * c->lanes];

	return r->fault != DOCTOR_NOT_TRIED || r->detail[0]; /* else nothing came */
}

bool
checkup_uses(const struct checkup *c, unsigned lane)
{
	for (size_t t = 0; t < c->n; t++)
		if (doctor_lane_is_of(lane, c->set.n_parents, &c->target[t]))
			return true;
	return false;
}

const struct doctor_row *
checkup_worst(const struct checkup *c, size_t target)
{
	/* the way that devices take comes first, and last the direct one */
	for (unsigned i = 0; i < c->lanes; i++) {
		unsigned                 lane = i == 0 ? c->lanes - 1 : i + 1 < c->lanes ? i : 0;
		const struct doctor_row *r = &c->row[target * c->lanes + lane];
		if (doctor_counts(r, &c->target[target]))
			return r;
	}
	return NULL;
}

void
checkup_way(const struct checkup *c, const struct doctor_row *r, char out[DOCTOR_PARENT_NAME + 8])
{
	bool named = r->way == DOCTOR_PARENT;

	snprintf(out, DOCTOR_PARENT_NAME + 8, "%s%s%s", doctor_way_word((enum doctor_way)r->way), named ? " " : "", named ? c->set.parent[r->parent].name : "");
}

struct checkup_sum
checkup_sum(const struct checkup *c)
{
	struct checkup_sum sum = {0};
	size_t             tried = 0, down = 0;

	for (size_t t = 0; t < c->n; t++) {
		const struct doctor_row *r = &c->row[t * c->lanes], *gateway = &r[c->lanes - 1];
		bool                     slow = false;
		if (!checkup_was_tested(c, t))
			continue;
		for (unsigned l = 0; l < c->lanes; l++)
			slow |= r[l].fault == DOCTOR_SLOW;
		tried += gateway->fault != DOCTOR_NOT_TRIED;
		down += gateway->fault == DOCTOR_PROXY_DOWN;
		if (checkup_worst(c, t))
			sum.failing++;
		else if (c->target[t].no_probe)
			sum.unknown++;
		else
			sum.slow += slow;
	}
	sum.no_gateway = tried && tried == down;
	return sum;
}

static bool
print_prometheus(const struct checkup *c)
{
	struct text         text = {0};
	struct doctor_found f = {.target = c->target, .n = c->n, .row = c->row, .n_rows = c->n * c->lanes, .n_parents = c->set.n_parents,
		.when = (int64_t)(clock_real_us() / 1000000), .took_ms = c->took_ms};
	bool                ok;

	for (unsigned i = 0; i < c->set.n_parents; i++)
		f.parent[i] = c->set.parent[i].name;
	doctor_metrics(&text, &f);
	fwrite(text.p, 1, text.n, stdout);
	ok = !text.failed;
	text_clear(&text);
	return ok;
}

static int
tell(const struct checkup *c)
{
	struct checkup_sum sum = checkup_sum(c);

	switch (c->form) {
	case DOCTOR_FORM_TABLE:
		checkup_print(c);
		break;
	case DOCTOR_FORM_JSON:
		checkup_print_json(c);
		break;
	case DOCTOR_FORM_NAGIOS:
		return checkup_print_nagios(c);
	case DOCTOR_FORM_PROMETHEUS:
		if (!print_prometheus(c))
			return cli_usage_error("out of memory");
		break;
	}
	if (c->interrupted)
		return INTERRUPTED;
	return sum.no_gateway ? CLI_NO_GATEWAY : sum.failing ? CLI_NEGATIVE : CLI_FINE;
}

/* --- the run --- */

/* For whoever sits in front of it; of no use in a file. */
static void
progress(const struct checkup *c)
{
	if (c->form == DOCTOR_FORM_TABLE && isatty(STDERR_FILENO))
		fprintf(stderr, c->done < c->n ? "\r\033[K%zu of %zu endpoints ..." : "\r\033[K", c->done, c->n);
}

static void
on_row(void *arg, const struct doctor_row *row)
{
	struct checkup *c = arg;

	c->row[(size_t)row->target * c->lanes + doctor_lane(row, c->set.n_parents)] = *row;
	if (row->way == DOCTOR_GATEWAY) {
		c->done++;
		progress(c);
	}
}

static void
on_done(void *arg)
{
	struct checkup *c = arg;

	loop_stop(c->loop);
}

/* Those that never come are of no way. */
static bool
rows_begin(struct checkup *c)
{
	c->row = calloc(c->n * c->lanes, sizeof *c->row);
	for (size_t i = 0; c->row && i < c->n * c->lanes; i++) {
		unsigned lane = (unsigned)(i % c->lanes);
		c->row[i].target = (uint32_t)(i / c->lanes);
		c->row[i].way = (uint8_t)doctor_lane_way(lane, c->set.n_parents);
		c->row[i].parent = c->row[i].way == DOCTOR_PARENT ? (uint8_t)(lane - 1) : 0;
		c->row[i].fault = DOCTOR_NOT_TRIED;
	}
	return c->row != NULL;
}

/* Who interrupts a table gets what there is of it; other forms are whole or not at all. */
static void
on_interrupt(void *arg)
{
	struct checkup *c = arg;

	c->interrupted = true;
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
	loop_stop(c->loop);
}

static void
interrupt_end(struct signal_watch *w)
{
	sigset_t one;

	signal_watch_clear(w);
	sigemptyset(&one);
	sigaddset(&one, SIGINT);
	sigprocmask(SIG_UNBLOCK, &one, NULL);
}

static bool
run(struct checkup *c, char why[200])
{
	uint64_t            from = clock_mono_us();
	struct signal_watch interrupt = {0};
	struct doctor      *d;

	snprintf(why, 200, "out of memory");
	c->loop = rows_begin(c) ? loop_new() : NULL;
	if (!c->loop)
		return false;
	progress(c);
	d = doctor_start(c->loop, &c->set, c->target, c->n, on_row, on_done, c, why);
	if (d && (c->form != DOCTOR_FORM_TABLE || signal_watch_init(&interrupt, c->loop, SIGINT, on_interrupt, c)))
		loop_run(c->loop);
	if (c->form == DOCTOR_FORM_TABLE)
		interrupt_end(&interrupt);
	doctor_free(d);
	loop_free(c->loop);
	c->took_ms = (clock_mono_us() - from) / 1000;
	return d != NULL;
}

/* --- what is tested --- */

/* --via: HOST:PORT, or https://HOST:PORT */
static bool
via_read(struct checkup *c)
{
	struct doctor_proxy *g = &c->set.gateway;
	struct span          text = span_str(c->via);
	struct authority     at;
	bool                 tls = text.n > 8 && strncmp(text.p, "https://", 8) == 0;

	if (tls)
		text = span_of(text.p + 8, text.n - 8);
	if (!authority_parse_connect(text, &at))
		return false;
	*g = (struct doctor_proxy){.present = true, .name = "gateway", .tls = tls, .at = {.addr = at.host.addr, .port = at.port}};
	if (at.host.kind == HOST_NAME) {
		snprintf(c->via_host, sizeof c->via_host, "%s", at.host.text);
		g->host = c->via_host;
	}
	return true;
}

static bool
lists_exist(const struct checkup *c, char *const *list, int n)
{
	for (int i = 0; i < n; i++) {
		if (conf_list_find(c->conf, span_str(list[i])))
			continue;
		fputs("postern doctor: there is no [list ", stderr);
		cli_print(stderr, span_str(list[i]));
		fputs("] in ", stderr);
		cli_print(stderr, span_str(c->path));
		fputs("\n", stderr);
		return false;
	}
	return true;
}

/* CLI_FINE, or what was said on stderr. */
static int
prepare(struct checkup *c, struct report *r, char **list, int n_lists)
{
	struct snapshot_inputs in = {.generation = 1};
	int                    block;

	c->conf = conf_load(c->path, r);
	block = c->conf ? snapshot_build(c->conf, &in, r) : -1;
	if (block < 0) {
		report_print(r, c->conf, stderr);
		return CLI_USAGE;
	}
	c->snap = snapshot_open(block, false);
	close(block);
	c->target = malloc(ROOM * sizeof *c->target);
	if (!c->snap || !c->target || !doctor_settings_of(c->conf, &c->set, &c->issuer))
		return cli_usage_error("out of memory");
	c->set.snap = c->snap;
	c->lanes = c->set.n_parents + 2;
	if (c->via && !via_read(c))
		return cli_usage_error("--via: want HOST:PORT such as 127.0.0.1:3128, or https://HOST:PORT");
	if (!lists_exist(c, list, n_lists))
		return CLI_USAGE;
	c->n = doctor_targets(c->conf, (const char *const *)list, (size_t)n_lists, c->target, ROOM, &c->more);
	if (c->n == 0)
		return cli_usage_error("there is nothing to test: no bypass rule and no list that was asked for names a host");
	return parents_log_on(c) ? CLI_FINE : cli_usage_error("out of memory");
}

static int
checkup(struct checkup *c, char **list, int n_lists)
{
	struct report r;
	char          why[200];
	int           code;

	report_init(&r);
	log_threshold(LOG_LEVEL_ERROR);
	signal(SIGPIPE, SIG_IGN);
	code = prepare(c, &r, list, n_lists);
	if (code == CLI_FINE)
		code = run(c, why) ? tell(c) : cli_usage_error("%s", why);
	/* to whoever watches, whatever keeps it from looking is no state of what is watched */
	if (c->form == DOCTOR_FORM_NAGIOS && code == CLI_USAGE && !c->done)
		code = 3;
	parents_free(c->parents);
	free(c->row);
	free(c->target);
	free(c->issuer);
	snapshot_unref(c->snap);
	conf_free(c->conf);
	report_clear(&r);
	return code;
}

/* --- again and again --- */

struct watched {
	struct checkup *checkup;
	bool            wanted;
	uint64_t        every_ms; /* 0: only ask the gateway */
	const char     *control;
	char          **list;
	int             n_lists;
};

/* The configuration is read anew each time. */
static int
watch_once(void *arg)
{
	const struct watched *w = arg;
	struct checkup        c = *w->checkup;

	return checkup(&c, w->list, w->n_lists);
}

static int
watch(struct watched *w, int unknown)
{
	const struct checkup *c = w->checkup;

	if (c->form == DOCTOR_FORM_NAGIOS || (w->control && (!w->wanted || w->every_ms)) || (!w->every_ms && (w->n_lists || c->via || c->form == DOCTOR_FORM_PROMETHEUS))) {
		cli_usage('?', usage);
		return unknown;
	}
	if (!w->every_ms)
		return doctor_watch_ask(w->control, c->path, c->form == DOCTOR_FORM_JSON);
	return cli_file_readable(c->path) ? doctor_watch_run(w->every_ms, c->form == DOCTOR_FORM_TABLE, watch_once, w) : CLI_USAGE;
}

int
cli_doctor(int argc, char **argv)
{
	enum { OPT_JSON = 256, OPT_NAGIOS, OPT_PROMETHEUS, OPT_VIA, OPT_WATCH, OPT_CONTROL };
	static const struct option options[] = {{"config", required_argument, NULL, 'c'}, {"via", required_argument, NULL, OPT_VIA}, {"json", no_argument, NULL, OPT_JSON},
		{"nagios", no_argument, NULL, OPT_NAGIOS}, {"prometheus", no_argument, NULL, OPT_PROMETHEUS}, {"watch", optional_argument, NULL, OPT_WATCH}, {"control", required_argument, NULL, OPT_CONTROL}, {"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'}, {0}};
	struct checkup c = {.path = CLI_DEFAULT_CONF};
	struct watched w = {.checkup = &c};
	int            o, unknown = CLI_USAGE;

	while ((o = getopt_long(argc, argv, "c:hV", options, NULL)) != -1) {
		switch (o) {
		case 'c':
			c.path = optarg;
			break;
		case OPT_VIA:
			c.via = optarg;
			break;
		case OPT_JSON:
			c.form = DOCTOR_FORM_JSON;
			break;
		case OPT_NAGIOS:
			c.form = DOCTOR_FORM_NAGIOS;
			unknown = 3;
			break;
		case OPT_PROMETHEUS:
			c.form = DOCTOR_FORM_PROMETHEUS;
			break;
		case OPT_WATCH:
			w.wanted = true;
			/* --watch 15m too: what begins with a digit is a time, no list */
			if (!optarg && optind < argc && argv[optind][0] >= '0' && argv[optind][0] <= '9')
				optarg = argv[optind++];
			if (optarg && !doctor_watch_time(optarg, &w.every_ms))
				return cli_usage_error("--watch: want a time of at least 1s, such as 15m");
			break;
		case OPT_CONTROL:
			w.control = optarg;
			break;
		default:
			return cli_usage(o, usage) == CLI_FINE ? CLI_FINE : unknown;
		}
	}
	w.list = argv + optind;
	w.n_lists = argc - optind;
	if (w.wanted || w.control)
		return watch(&w, unknown);
	if (!cli_file_readable(c.path))
		return unknown;
	o = checkup(&c, argv + optind, argc - optind);
	if (c.lingers) {
		fflush(stdout);
		_exit(o);
	}
	return o;
}
