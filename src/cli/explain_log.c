/* SPDX-License-Identifier: MIT */
/*
 * explain_log: a question from a line of an access log, given or looked up by its request id; and whether the configuration decides now as the log says it was
 * decided then. What the line tells is outside text: it goes to a terminal as cli_print writes it only.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/explain.h"
#include "logread/reader.h"

#define TEXTS_MAX (2u * LOG_LINE_MAX)

struct logged {
	struct log_entry e;
	const char      *file;    /* null: a line by itself */
	bool             no_listener; /* it names one that the configuration does not have */
	char            *scratch; /* owned: what had to be decoded */
	char            *texts;   /* owned: texts of the entry with a NUL each, for the question */
	size_t           n_texts;
	char             line[LOG_LINE_MAX];
};

/* --- from the entry to a question --- */

/* With a NUL, behind `before`. Null: it has one already, or is too long. */
static const char *
keep(struct logged *l, const char *before, struct span s)
{
	size_t n = strlen(before);
	char  *to = l->texts + l->n_texts;

	if (n + s.n + 1 > TEXTS_MAX - l->n_texts || (s.n && memchr(s.p, '\0', s.n)))
		return NULL;
	memcpy(to, before, n);
	if (s.n)
		memcpy(to + n, s.p, s.n);
	to[n + s.n] = '\0';
	l->n_texts += n + s.n + 1;
	return to;
}

static bool
take(struct question *q, struct logged *l, enum question_option o, const char *before, struct span s)
{
	const char *text = keep(l, before, s);

	return text ? question_set(q, o, text) : question_fail(q, "the line holds a text that no request could have had");
}

static bool
has_listener(const struct snapshot *s, struct span name)
{
	const struct snapshot_listener *v = snapshot_at(s, s->set->listeners.off);

	for (uint32_t i = 0; i < s->set->listeners.n; i++)
		if (span_eq(snapshot_text(s, v[i].name), name))
			return true;
	return false;
}

/* Who asked and from where, but for what the command line says. */
static bool
who_take(struct question *q, struct logged *l, const struct snapshot *s)
{
	const struct log_entry *e = &l->e;

	if (!q->has_client && e->has_client) {
		q->has_client = true;
		q->facts.client = e->client;
	}
	l->no_listener = !q->listener && e->listener.n && !has_listener(s, e->listener);
	if (!q->listener && e->listener.n && !l->no_listener && !take(q, l, ASK_LISTENER, "", e->listener))
		return false;
	if (q->has_user || q->is_nobody || !e->user.n)
		return true;
	if (!take(q, l, ASK_USER, "", e->user))
		return question_fail(q, "the line names a user that cannot be read; say one with --user");
	for (size_t i = 0; i < e->n_groups && q->who.n_groups < GROUPS_MOST; i++)
		if (e->group[i].n && !take(q, l, ASK_GROUP, "", e->group[i]))
			return false;
	return true;
}

/* What is known of a request that can be read. */
static bool
request_take(struct question *q, struct logged *l)
{
	const struct log_entry *e = &l->e;

	if (!q->method.n && !take(q, l, ASK_METHOD, "", e->method))
		return question_fail(q, "the line tells of no request that could be read");
	if (!q->n_fields && e->user_agent.n && e->user_agent.n < 2000 && !take(q, l, ASK_HEADER, "User-Agent: ", e->user_agent))
		return false;
	if (!(q->facts.known & FACT_RESPONSE) && e->content_type.n && !take(q, l, ASK_TYPE, "", e->content_type))
		return false;
	return true;
}

static bool
entry_take(struct question *q, struct logged *l, const struct snapshot *s)
{
	const struct log_entry *e = &l->e;
	bool                    connect = span_eq(e->method, SPAN("CONNECT"));
	struct span             to = e->address.n ? e->address : e->peer;

	if (!who_take(q, l, s))
		return false;
	if (e->end_us) {
		q->real_us = e->end_us;
		q->facts.week_minute = policy_week_minute(e->end_us > e->elapsed_us ? e->end_us - e->elapsed_us : 0);
	}
	if (!q->has_address && to.n && !e->parent.n && span_eq(e->hierarchy.n ? e->hierarchy : SPAN("HIER_DIRECT"), SPAN("HIER_DIRECT")))
		q->has_address = addr_parse(to, &q->address);
	if (connect && !q->has_sni && !q->no_sni && e->sni.n && !take(q, l, ASK_SNI, "", e->sni))
		return false;
	if (connect && !q->has_sni && span_eq(e->fault, SPAN("guard-no-sni")))
		q->no_sni = true;
	if (!connect && !request_take(q, l))
		return false;
	if (!e->url.n || (e->url.n >= 6 && span_eq(span_of(e->url.p, 6), SPAN("error:"))))
		return question_fail(q, "the line tells of no request that could be read");
	return take(q, l, ASK_TARGET, "", e->url);
}

/* --- then and now --- */

static bool
was_refused(const struct log_entry *e)
{
	return span_eq(e->result, SPAN("TCP_DENIED")) || span_eq(e->result, SPAN("TCP_REDIRECT"));
}

enum same { SAME, DIFFERENT, CANNOT_TELL };

static enum same
compare(const struct logged *l, const struct answers *all)
{
	const struct log_entry *e = &l->e;
	const struct answer    *now = &all->v[all->n - 1];
	struct span             rule = now->verdict.rule == RULE_NONE ? SPAN("") : policy_rule_name(now->snap->policy, now->verdict.rule);

	if (!now->client_allowed)
		return DIFFERENT;
	if (e->is_first_leg)
		return now->needs == NEEDS_USER || now->asked_user ? SAME : DIFFERENT;
	if (now->needs != NEEDS_NOTHING)
		return CANNOT_TELL;
	if (answer_is_allowed(now) == was_refused(e))
		return DIFFERENT;
	if (e->kind != LOG_KIND_JSON || !now->has_verdict || !e->action.n)
		return SAME;
	return span_eq(e->action, span_str(action_name(now->verdict.action))) && span_eq(e->rule, rule) ? SAME : DIFFERENT;
}

void
logged_print(const struct logged *l, const struct answers *all)
{
	static const char *const now[] = {[SAME] = "the same", [DIFFERENT] = "otherwise", [CANNOT_TELL] = "not known, the line does not say enough"};
	const struct log_entry  *e = &l->e;

	fputs("the log", stdout);
	if (l->file) {
		fputs(" (", stdout);
		cli_print(stdout, span_str(l->file));
		printf(":%llu)", (unsigned long long)e->line);
	}
	fputs(" says: ", stdout);
	cli_print(stdout, e->result.n ? e->result : SPAN("-"));
	printf("/%03u", e->status);
	if (e->action.n) {
		fputs(", ", stdout);
		cli_print(stdout, e->action);
		fputs(" by rule ", stdout);
		cli_print(stdout, e->rule.n ? e->rule : SPAN("-"));
	}
	if (e->fault.n) {
		fputs(", fault ", stdout);
		cli_print(stdout, e->fault);
	}
	putchar('\n');
	if (e->is_first_leg)
		puts("that line is the beginning of a log-on: the client was asked who it is");
	if (e->query_is_cut)
		puts("the log has no query of this URL: conditions on url were asked without it");
	if (l->no_listener) {
		fputs("the configuration has no listener ", stdout);
		cli_print(stdout, e->listener);
		puts("; the first one was taken");
	}
	printf("decided now: %s\n", now[compare(l, all)]);
}

static void
text_print_json(const char *name, struct span s)
{
	printf(",\"%s\":", name);
	if (s.n)
		cli_print_json(stdout, s);
	else
		fputs("null", stdout);
}

void
logged_print_json(const struct logged *l, const struct answers *all)
{
	static const char *const kind[] = {[LOG_KIND_UNKNOWN] = "unknown", [LOG_KIND_SQUID] = "squid", [LOG_KIND_JSON] = "json"};
	static const char *const same[] = {[SAME] = "true", [DIFFERENT] = "false", [CANNOT_TELL] = "null"};
	const struct log_entry  *e = &l->e;

	printf(",\"logged\":{\"kind\":\"%s\"", kind[e->kind]);
	text_print_json("file", span_str(l->file));
	printf(",\"line\":%llu", (unsigned long long)e->line);
	text_print_json("id", e->id);
	text_print_json("result", e->result);
	printf(",\"status\":%u", e->status);
	text_print_json("action", e->action);
	text_print_json("rule", e->rule);
	text_print_json("list_entry", e->list_entry);
	text_print_json("fault", e->fault);
	text_print_json("user", e->user);
	printf(",\"first_leg\":%s,\"query_is_cut\":%s,\"same\":%s}", e->is_first_leg ? "true" : "false", e->query_is_cut ? "true" : "false", same[compare(l, all)]);
}

/* --- where the line is --- */

/* The first line of standard input. */
static bool
line_read(struct logged *l, struct span *line)
{
	if (!fgets(l->line, sizeof l->line, stdin))
		return false;
	*line = span_str(l->line);
	return true;
}

static bool
line_find(struct logged *l, const char *text)
{
	struct span line = span_str(text);
	const char *why = "there is no line";

	if ((strcmp(text, "-") == 0 && !line_read(l, &line)) || line.n >= LOG_LINE_MAX) {
		cli_usage_error("--log-line: %s", line.n >= LOG_LINE_MAX ? "it is too long" : why);
		return false;
	}
	while (line.n && (line.p[line.n - 1] == '\n' || line.p[line.n - 1] == '\r'))
		line.n--;
	if (log_entry_parse(line, &l->e, l->scratch, &why))
		return true;
	cli_usage_error("--log-line: %s", why);
	return false;
}

enum found { FOUND, NOT_FOUND, UNREADABLE };

/* What could not be read is said. The entry lives as long as *r. */
static enum found
id_find_in(struct logged *l, const char *file, const char *id, struct log_reader **r)
{
	int           fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	const char   *why = NULL;
	enum log_read got = LOG_READ_FAILED;

	*r = fd >= 0 ? log_reader_new(fd, 0) : NULL;
	if (!*r)
		why = fd < 0 ? strerror(errno) : "out of memory";
	while (*r && ((got = log_reader_next(*r, &l->e, &why)) == LOG_READ_ENTRY || got == LOG_READ_BAD))
		if (got == LOG_READ_ENTRY && span_eq_nocase(l->e.id, span_str(id)))
			return FOUND;
	if (got == LOG_READ_END)
		return NOT_FOUND;
	cli_file_error(file, why ? why : "it cannot be read");
	return UNREADABLE;
}

static bool
id_find(struct logged *l, const struct snapshot *s, const struct log_query *what, struct log_reader **r)
{
	const struct snapshot_log *log = snapshot_at(s, s->set->logs.off);
	enum found                 found = NOT_FOUND;
	unsigned                   looked = 0;

	for (uint32_t i = 0; i < (what->file ? 1 : s->set->logs.n) && found == NOT_FOUND; i++) {
		if (!what->file && (log[i].format != LOG_JSON || !log[i].file.n))
			continue;
		looked++;
		log_reader_free(*r);
		l->file = what->file ? what->file : snapshot_text(s, log[i].file).p;
		found = id_find_in(l, l->file, what->id, r);
	}
	if (found == NOT_FOUND)
		cli_usage_error(looked ? "--id: no line has this request id; older logs can be named with --log" :
		                         "--id: the configuration has no log in json that is a file; name one with --log");
	return found == FOUND;
}

int
explain_log(const struct snapshot *s, const struct log_query *what, struct question *q, bool json, bool verbose)
{
	struct logged     *l = calloc(1, sizeof *l);
	struct log_reader *r = NULL;
	struct answers     all = {.n = 0};
	int                code = CLI_USAGE;

	if (!l || !(l->scratch = malloc(LOG_LINE_MAX)) || !(l->texts = malloc(TEXTS_MAX))) {
		cli_usage_error("out of memory");
		goto out;
	}
	if (!(what->line ? line_find(l, what->line) : id_find(l, s, what, &r)))
		goto out;
	if (!entry_take(q, l, s) || !answers_find(&all, s, q)) {
		cli_usage_error("%s", q->error);
		goto out;
	}
	code = answers_code(&all);
	if (json) {
		answers_print_json(&all, true, NULL, l);
		putchar('\n');
	} else {
		answers_print(&all, verbose, l);
	}
out:
	answers_clear(&all);
	log_reader_free(r);
	if (l) {
		free(l->scratch);
		free(l->texts);
	}
	free(l);
	return code;
}
