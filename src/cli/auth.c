/* SPDX-License-Identifier: MIT */
/*
 * auth: `postern auth test`: opens each back end that the configuration names, in this process and by the functions that the auth processes call, and
 * says what it found; with a user, whether that user gets in, by Basic and by NTLM. Talks to no running gateway.
 * Each back end has a thread of its own: one that hangs is told of and left behind, since it is when something hangs that people come here.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "auth/back.h"
#include "auth/ntlm.h"
#include "auth/ntlm_client.h"
#include "auth/user_file.h"
#include "base/clock.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/password.h"
#include "conf/conf.h"
#include "policy/snapshot.h"

struct test {
	const char      *path; /* the ini */
	const char      *user; /* null: nobody's password is tried */
	bool             json;
	char             password[PASSWORD_MOST];
	struct conf     *conf;
	struct snapshot *snap;
	bool             faults; /* something is not in order, or the user did not get in somewhere */
	const char      *sep_back, *sep_line;
	enum back_kind   kind;     /* whose turn it is; a thread of another one that comes back late says nothing any more */
	uint64_t         moved_us; /* when it last said something */
	bool             hangs;    /* a thread was left behind: nothing may be freed under its feet */
	pthread_mutex_t  lock;     /* kind, moved_us and the output */
};

static _Thread_local enum back_kind mine;

static const char usage[] =
    "usage: postern auth test [-c FILE] [--user NAME] [--json]\n"
    "Tries each authentication back end of the configuration and says what is wrong. Run it as root, or as the user that the gateway runs as.\n"
    "  -c, --config FILE  the configuration (" CLI_DEFAULT_CONF ")\n"
    "      --user NAME    asks for the password of NAME (or takes a line of standard input) and tries to log on: alice, CORP\\alice, alice@CORP.EXAMPLE\n"
    "      --json         one JSON object on standard output\n"
    "exit code: 0 all is well, 1 something is wrong, 2 usage, or a file that is unreadable or wrong\n";

/* --- output --- */

/* With the lock held; false: too late. */
static bool
speak(struct test *t)
{
	pthread_mutex_lock(&t->lock);
	t->moved_us = clock_mono_us();
	if (mine == t->kind)
		return true;
	pthread_mutex_unlock(&t->lock);
	return false;
}

static void
line_print(struct test *t, bool fault, const char *line)
{
	t->faults |= fault;
	if (t->json) {
		printf("%s{\"ok\":%s,\"text\":", t->sep_line, fault ? "false" : "true");
		cli_print_json(stdout, span_str(line));
		putchar('}');
		t->sep_line = ",";
		return;
	}
	fputs(fault ? "  WRONG: " : "  ", stdout);
	cli_print(stdout, span_str(line));
	putchar('\n');
}

static void
say(void *arg, bool fault, const char *line)
{
	struct test *t = arg;

	if (!speak(t))
		return;
	line_print(t, fault, line);
	pthread_mutex_unlock(&t->lock);
}

static void
on_bad_line(void *arg, uint32_t line, const char *what)
{
	char text[2 * BACK_WHY_MAX + ASK_NAME_MAX];

	snprintf(text, sizeof text, "line %u: %s", line, what);
	say(arg, true, text);
}

/* Texts that stand one after the other, each ended by a NUL. */
static void
groups_print(const struct answer *a)
{
	const char *sep = "";

	for (uint32_t at = 0; at < a->groups_bytes; at += (uint32_t)strlen(a->groups + at) + 1) {
		fputs(sep, stdout);
		cli_print(stdout, span_str(a->groups + at));
		sep = ", ";
	}
}

static void
groups_print_json(const struct answer *a)
{
	const char *sep = "";

	for (uint32_t at = 0; at < a->groups_bytes; at += (uint32_t)strlen(a->groups + at) + 1) {
		fputs(sep, stdout);
		cli_print_json(stdout, span_str(a->groups + at));
		sep = ",";
	}
}

static void
who_print(const struct answer *a, char *out, size_t room)
{
	if (a->domain[0])
		snprintf(out, room, "%s\\%s", a->domain, a->account);
	else
		snprintf(out, room, "%s%s%s", a->account, a->realm[0] ? "@" : "", a->realm);
}

/* How the log-on by one scheme went. */
static void
answer_print(struct test *t, const char *scheme, const struct answer *a, uint64_t took_us)
{
	static const char *const word[ASK_RESULTS] = {[ASK_OK] = "ok", [ASK_CONTINUE] = "unfinished", [ASK_REFUSED] = "refused", [ASK_BAD_TOKEN] = "bad token",
		[ASK_LIMITED] = "limited", [ASK_UNAVAILABLE] = "unavailable"};
	char                     who[2 * ASK_NAME_MAX + 2];

	t->faults |= a->result != ASK_OK;
	who_print(a, who, sizeof who);
	if (t->json) {
		printf("%s{\"ok\":%s,\"scheme\":\"%s\",\"result\":\"%s\",\"user\":", t->sep_line, a->result == ASK_OK ? "true" : "false", scheme, word[a->result]);
		cli_print_json(stdout, span_str(who));
		fputs(",\"detail\":", stdout);
		cli_print_json(stdout, span_str(a->detail));
		printf(",\"took_ms\":%.1f,\"groups\":[", (double)took_us / 1000);
		groups_print_json(a);
		fputs("]}", stdout);
		t->sep_line = ",";
		return;
	}
	printf("  %s%s: %s", a->result == ASK_OK ? "" : "WRONG: ", scheme, a->result == ASK_OK ? "let in as " : word[a->result]);
	cli_print(stdout, span_str(a->result == ASK_OK ? who : ""));
	fputs(a->detail[0] ? ": " : "", stdout);
	cli_print(stdout, span_str(a->detail));
	printf(" (%.1f ms)\n", (double)took_us / 1000);
	if (a->groups_bytes > 0) {
		fputs("    groups: ", stdout);
		groups_print(a);
		putchar('\n');
	}
}

/* --- a log-on --- */

static void
try_ask(struct test *t, const struct back_ops *ops, struct back *b, const char *scheme, struct ask *ask)
{
	struct answer a = {0};
	uint64_t      from = clock_mono_us();

	ask->wants_groups = true;
	ask->timeout_ms = (uint32_t)t->snap->set->auth.timeout_ms;
	ask->client = addr_from_v4(0x7f000001);
	ops->check(b, 0, ask, &a);
	if (speak(t)) {
		answer_print(t, scheme, &a, clock_mono_us() - from);
		pthread_mutex_unlock(&t->lock);
	}
	answer_clear(&a);
}

static void
try_basic(struct test *t, const struct back_ops *ops, struct back *b)
{
	struct ask ask = {.op = ASK_BASIC};

	ask.part[0] = span_str(t->user);
	ask.part[1] = span_str(t->password);
	try_ask(t, ops, b, "Basic", &ask);
}

/* As a client does: "CORP\alice" has a domain; of "alice@CORP.EXAMPLE" the whole is the user. */
static void
try_ntlm(struct test *t, const struct back_ops *ops, struct back *b)
{
	const uint64_t        filetime = (clock_real_us() + 11644473600000000u) * 10; /* of 1601, in 100 ns */
	const char           *slash = strchr(t->user, '\\');
	struct span           domain = slash ? span_of(t->user, (size_t)(slash - t->user)) : SPAN(""), user = span_str(slash ? slash + 1 : t->user);
	struct ntlm_names     names;
	struct ntlm_negotiate negotiate;
	uint8_t               random[16], key[16];
	char                  first[NTLM_CLIENT_NEGOTIATE], second[NTLM_CHALLENGE_MAX], third[NTLM_CLIENT_MAX];
	struct ask            ask = {.op = ASK_NTLM};

	if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random) {
		say(t, true, "NTLM: there is no randomness");
		return;
	}
	if (!ops->names || !ops->names(b, &names))
		names_alone(snapshot_text(t->snap, t->snap->set->visible_name), &names);
	ntlm_client_negotiate(first);
	ask.part[0] = span_of(first, sizeof first);
	if (!ntlm_negotiate_read(ask.part[0], &negotiate)) {
		say(t, true, "NTLM: its own NEGOTIATE was not understood");
		return;
	}
	ask.part[1] = span_of(second, ntlm_challenge_write(&negotiate, &names, ops->names != NULL, random, filetime, second));
	ask.part[2].p = third;
	ask.part[2].n = ntlm_client_authenticate(ask.part[0], ask.part[1], domain, user, span_str(t->password), random + 8, third, key);
	if (ask.part[2].n == 0)
		say(t, true, "NTLM: the name or the password is not UTF-8, or too long");
	else
		try_ask(t, ops, b, "NTLM", &ask);
	explicit_bzero(key, sizeof key);
}

/* --- a back end --- */

/* The file of this kind, or null. */
static const char *
file_of(const struct conf_auth *a, enum back_kind kind)
{
	return kind == BACK_NTLM_FILE ? a->ntlm_file : kind == BACK_BASIC_FILE ? a->basic_file : kind == BACK_KERBEROS ? a->keytab : NULL;
}

/* What lines of a user file are not taken; the back end itself says but the first, or says it to the operations log. */
static void
lines_check(struct test *t, enum back_kind kind, int fd)
{
	struct user_file f;
	char             why[BACK_WHY_MAX];

	if (kind != BACK_NTLM_FILE && kind != BACK_BASIC_FILE)
		return;
	if (user_file_read(&f, kind == BACK_NTLM_FILE ? USER_FILE_NTLM : USER_FILE_BASIC, fd, on_bad_line, t, why))
		user_file_clear(&f);
}

static void
opened_test(struct test *t, const struct back_ops *ops, struct back *b)
{
	const struct auth_settings *set = &t->snap->set->auth;
	char                        why[BACK_WHY_MAX] = "";
	uint64_t                    from = clock_mono_us();

	if (ops->describe)
		ops->describe(b, say, t);
	if (ops->ping && !ops->ping(b, 0, why)) {
		say(t, true, why);
	} else if (ops->ping) {
		snprintf(why, sizeof why, "answers (%.1f ms)", (double)(clock_mono_us() - from) / 1000);
		say(t, false, why);
	}
	if (!t->user)
		return;
	if (set->basic != BACK_KINDS && back_ops(set->basic) == ops)
		try_basic(t, ops, b);
	if (set->ntlm != BACK_KINDS && back_ops(set->ntlm) == ops)
		try_ntlm(t, ops, b);
}

static void
back_test(struct test *t, enum back_kind kind)
{
	const struct back_ops *ops = back_ops(kind);
	const char            *file = file_of(&t->conf->auth, kind);
	char                   why[BACK_WHY_MAX] = "it does not say why";
	struct back           *b = NULL;
	int                    fd = file ? open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;

	if (!ops) {
		say(t, true, "this program was built without it");
	} else if (file && fd < 0) {
		snprintf(why, sizeof why, "%.200s", strerror(errno));
		say(t, true, why);
	} else if (ops->load && !ops->load(why)) {
		say(t, true, why);
	} else {
		if (file)
			lines_check(t, kind, fd);
		b = ops->open(t->snap, fd, why);
		if (b)
			opened_test(t, ops, b);
		else
			say(t, true, why);
	}
	if (b)
		ops->close(b);
	if (fd >= 0)
		close(fd);
}

static void *
thread_main(void *arg)
{
	struct test *t = arg;

	mine = t->kind;
	back_test(t, mine);
	return NULL;
}

/* Steps that are bounded by `timeout` themselves may take it twice, with two servers. */
static uint64_t
patience_us(const struct test *t)
{
	return t->snap->set->auth.timeout_ms * 2000 + 1000000;
}

static void
back_watch(struct test *t, enum back_kind kind)
{
	pthread_t id;
	uint64_t  until_us;
	int       code;
	char      text[BACK_WHY_MAX];

	mine = t->kind = kind;
	t->moved_us = clock_mono_us();
	if (pthread_create(&id, NULL, thread_main, t) != 0) {
		line_print(t, true, "out of memory");
		return;
	}
	pthread_mutex_lock(&t->lock);
	do {
		struct timespec until;
		until_us = t->moved_us + patience_us(t);
		until = (struct timespec){.tv_sec = (time_t)(until_us / 1000000), .tv_nsec = (long)(until_us % 1000000 * 1000)};
		pthread_mutex_unlock(&t->lock);
		code = pthread_clockjoin_np(id, NULL, CLOCK_MONOTONIC, &until);
		pthread_mutex_lock(&t->lock);
	} while (code == ETIMEDOUT && t->moved_us + patience_us(t) > until_us);
	if (code == ETIMEDOUT) {
		snprintf(text, sizeof text, "no answer within %.0f s: it hangs, or what it asks does (a domain controller, a directory)", (double)patience_us(t) / 1e6);
		line_print(t, true, text);
		t->hangs = true;
	}
	t->kind = mine = BACK_KINDS;
	pthread_mutex_unlock(&t->lock);
}

static void
backs_test(struct test *t)
{
	t->sep_back = "";
	if (t->json)
		fputs("{\"back_ends\":[", stdout);
	for (unsigned kind = 0; kind < BACK_KINDS; kind++) {
		const char *file = file_of(&t->conf->auth, kind);
		if (!(t->snap->set->auth.kinds & 1u << kind))
			continue;
		t->sep_line = "";
		if (t->json) {
			printf("%s{\"name\":\"%s\",\"file\":", t->sep_back, back_word(kind));
			cli_print_json(stdout, span_str(file ? file : ""));
			fputs(",\"lines\":[", stdout);
		} else {
			printf("%s%s", back_word(kind), file ? " " : "");
			cli_print(stdout, span_str(file ? file : ""));
			putchar('\n');
		}
		fflush(stdout); /* what follows may take a while */
		back_watch(t, (enum back_kind)kind);
		if (t->json)
			fputs("]}", stdout);
		t->sep_back = ",";
	}
	if (t->json)
		printf("],\"ok\":%s}\n", t->faults ? "false" : "true");
}

/* --- the command --- */

/* CLI_FINE, or what was said on stderr. */
static int
settings_load(struct test *t, struct report *r)
{
	struct snapshot_inputs in = {.generation = 1};
	int                    block;

	t->conf = conf_load(t->path, r);
	block = t->conf ? snapshot_build(t->conf, &in, r) : -1;
	if (block < 0) {
		report_print(r, t->conf, stderr);
		return CLI_USAGE;
	}
	t->snap = snapshot_open(block, false);
	close(block);
	if (!t->snap)
		return cli_usage_error("out of memory");
	if (t->snap->set->auth.kinds == 0)
		return cli_usage_error("%s: nobody can be asked there: there is no [auth] section, or it offers nothing", t->path);
	return CLI_FINE;
}

static int
auth_test(struct test *t)
{
	struct report r;
	int           code;

	report_init(&r);
	/* what a back end would log at its start is told here, line by line */
	log_threshold(LOG_LEVEL_ERROR);
	code = settings_load(t, &r);
	if (code == CLI_FINE && t->user && !password_read("password: ", false, t->password))
		code = CLI_USAGE;
	if (code == CLI_FINE) {
		backs_test(t);
		code = t->faults ? CLI_NEGATIVE : CLI_FINE;
	}
	if (t->hangs) {
		fflush(stdout);
		_exit(code);
	}
	explicit_bzero(t->password, sizeof t->password);
	snapshot_unref(t->snap);
	conf_free(t->conf);
	report_clear(&r);
	return code;
}

int
cli_auth(int argc, char **argv)
{
	static const struct option options[] = {{"config", required_argument, NULL, 'c'}, {"user", required_argument, NULL, 'u'}, {"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'}, {"version", no_argument, NULL, 'V'}, {0}};
	struct test t = {.path = CLI_DEFAULT_CONF, .kind = BACK_KINDS, .lock = PTHREAD_MUTEX_INITIALIZER};
	int         o;

	while ((o = getopt_long(argc, argv, "c:hV", options, NULL)) != -1) {
		switch (o) {
		case 'c':
			t.path = optarg;
			break;
		case 'u':
			t.user = optarg;
			break;
		case 'j':
			t.json = true;
			break;
		default:
			return cli_usage(o, usage);
		}
	}
	if (argc - optind != 1 || strcmp(argv[optind], "test") != 0)
		return cli_usage('?', usage);
	return cli_file_readable(t.path) ? auth_test(&t) : CLI_USAGE;
}
