/* SPDX-License-Identifier: MIT */
/*
 * replay_print: says what was counted, to people or as JSON. Whatever a log holds, nothing of it reaches a terminal raw.
 */
#include <inttypes.h>

#include "audit/words.h"
#include "cli/cli.h"
#include "cli/replay.h"

static const char *const fate_word[FATE_COUNT] = {
	[FATE_BYPASS] = "bypass", [FATE_TUNNEL] = "tunnel", [FATE_INSPECT] = "inspect", [FATE_LET] = "let-through", [FATE_DENY] = "deny", [FATE_CHALLENGE] = "challenge",
	[FATE_REDIRECT] = "redirect", [FATE_UNSEEN] = "unseen", [FATE_UNTOLD] = "untold",
};

static const struct {
	const char *word, *people;
} untold_words[UNTOLD_COUNT] = {
	[UNTOLD_GROUPS] = {"groups", "a rule asks for groups, which are not known from this log"},
	[UNTOLD_ADDRESS] = {"address", "it hangs on what the name leads to"},
	[UNTOLD_TYPE] = {"content-type", "it hangs on the type of the response"},
	[UNTOLD_HEADERS] = {"headers", "it hangs on header fields"},
	[UNTOLD_QUERY] = {"query", "it hangs on the query, which the log cuts off"},
	[UNTOLD_ORIGIN] = {"origin", "it hangs on the TLS of the server"},
	[UNTOLD_CLIENT] = {"client", "it hangs on the client's address"},
	[UNTOLD_LISTENER] = {"listener", "it hangs on the listener"},
	[UNTOLD_CREDENTIALS] = {"credentials", "it hangs on whether credentials came with it"},
	[UNTOLD_END] = {"end", "the tunnel was opened, then closed; the log does not say what had been decided"},
	[UNTOLD_TARGET] = {"target", "the target cannot be read as it stands in the log"},
};

/* --- for people --- */

static const char *
s_of(uint64_t n)
{
	return n == 1 ? "" : "s";
}

static void
moment_say(uint64_t us)
{
	char        text[32];
	struct line l = {text, text + sizeof text};

	moment_print(&l, us);
	cli_print(stdout, span_of(text, (size_t)(l.at - text)));
}

static void
outcome_say(enum fate fate, const char *rule, const char *fault)
{
	static const char *const people[FATE_COUNT] = {[FATE_LET] = "let through", [FATE_CHALLENGE] = "asked who it is (407)"};

	fputs(people[fate] ? people[fate] : fate_word[fate], stdout);
	if (*rule) {
		fputs(" by ", stdout);
		cli_print(stdout, span_str(rule));
	}
	if (fault)
		printf(" (%s)", fault);
}

static void
host_say(const struct tally_host *h)
{
	bool v6 = strchr(h->host, ':') != NULL;

	printf(v6 ? "[" : "");
	cli_print(stdout, span_str(h->host));
	printf(v6 ? "]:%u" : ":%u", h->port);
}

static void
example_say(const struct tally_example *x, const struct replay_shown *what)
{
	fputs("  (", stdout);
	cli_print(stdout, span_str(what->file[x->file]));
	printf(":%" PRIu64, x->line);
	if (x->client[0])
		printf(", from %s", x->client);
	if (x->user[0]) {
		fputs(", by ", stdout);
		cli_print(stdout, span_str(x->user));
	}
	fputs(", ", stdout);
	cli_print(stdout, span_str(x->url));
	fputs(")\n", stdout);
}

/* A way and its first hosts; `at`: its first host. Returns where the next way's hosts begin. */
static uint32_t
way_say(const struct tally *t, uint32_t way, uint32_t at, const struct replay_shown *what)
{
	const struct tally_way *w = &t->way[way];
	uint32_t                shown = 0;
	uint64_t                rest = w->count;

	printf("  %8" PRIu64 "  ", w->count);
	outcome_say(w->from, w->from_rule, w->from_fault);
	fputs(" -> ", stdout);
	outcome_say(w->to, w->to_rule, w->to_fault);
	putchar('\n');
	for (; at < t->n_hosts && t->host[at].way == way; at++) {
		if (shown == what->limit)
			continue;
		printf("      %8" PRIu64 "  ", t->host[at].count);
		host_say(&t->host[at]);
		example_say(t->host[at].example, what);
		rest -= t->host[at].count;
		shown++;
	}
	if (rest)
		printf("      %8" PRIu64 "  of %s%" PRIu64 " more host%s\n", rest, w->without_host ? "more than " : "", w->hosts - shown, s_of(w->hosts - shown));
	return at;
}

/* The ways of one kind, which stand together. */
static void
ways_say(const struct tally *t, const struct replay_shown *what, bool hurts, bool first_leg)
{
	uint32_t at = 0, shown = 0, left = 0;
	uint64_t requests = 0;

	for (uint32_t i = 0; i < t->n_ways; i++) {
		const struct tally_way *w = &t->way[i];
		bool                    mine = w->hurts == hurts && (hurts || w->first_leg == first_leg);
		if (mine && shown < what->limit) {
			at = way_say(t, i, at, what);
			shown++;
			continue;
		}
		while (at < t->n_hosts && t->host[at].way == i)
			at++;
		left += mine;
		requests += mine ? w->count : 0;
	}
	if (left)
		printf("  %8" PRIu64 "  in %u more way%s; --limit shows more\n", requests, left, s_of(left));
}

static void
rest_say(const struct tally *t, const struct replay_shown *what)
{
	printf("the same: %" PRIu64 " request%s", t->same, s_of(t->same));
	printf(t->other_rule ? ", %" PRIu64 " of them by another rule\n" : "\n", t->other_rule);
	if (t->unseen)
		printf("in tunnels that are decided differently, whose CONNECT tells: %" PRIu64 " request%s\n", t->unseen, s_of(t->unseen));
	if (t->untold)
		printf("cannot tell: %" PRIu64 " request%s\n", t->untold, s_of(t->untold));
	for (unsigned i = 0; i < UNTOLD_COUNT; i++)
		if (t->untold_why[i])
			printf("  %8" PRIu64 "  %s\n", t->untold_why[i], untold_words[i].people);
	if (t->no_decision)
		printf("refused for other reasons than rules: %" PRIu64 " request%s\n", t->no_decision, s_of(t->no_decision));
	if (t->nothing)
		printf("no requests: %" PRIu64 " line%s of connections on which none was made that could be read\n", t->nothing, s_of(t->nothing));
	if (t->bad) {
		printf("not read: %" PRIu64 " line%s; the first is ", t->bad, s_of(t->bad));
		cli_print(stdout, span_str(what->file[t->bad_file]));
		printf(":%" PRIu64 ": %s\n", t->bad_line, t->bad_why);
	}
	if (t->lost)
		printf("not there: %" PRIu64 " request%s that the log says were never written to it\n", t->lost, s_of(t->lost));
}

static void
legs_say(const struct tally *t, const struct replay_shown *what)
{
	if (!t->legs)
		return;
	printf("first legs of a log-on (407): %" PRIu64 ", asked again %" PRIu64 ", let through unasked %" PRIu64 ", refused unasked %" PRIu64 ", cannot tell %" PRIu64 "\n", t->legs,
	    t->legs_fate[FATE_CHALLENGE], t->legs_fate[FATE_BYPASS] + t->legs_fate[FATE_TUNNEL] + t->legs_fate[FATE_INSPECT],
	    t->legs_fate[FATE_DENY] + t->legs_fate[FATE_REDIRECT], t->legs_fate[FATE_UNTOLD]);
	ways_say(t, what, false, true);
}

void
replay_print(const struct tally *t, const struct replay_shown *what)
{
	printf("%" PRIu64 " request%s in %" PRIu64 " line%s", t->requests, s_of(t->requests), t->lines, s_of(t->lines));
	if (t->requests) {
		fputs(", ", stdout);
		moment_say(t->first_us);
		fputs(" to ", stdout);
		moment_say(t->last_us);
	}
	fputs(": ", stdout);
	cli_print(stdout, span_str(what->candidate));
	fputs(", compared with ", stdout);
	cli_print(stdout, span_str(what->against ? what->against : "what the logs say"));
	putchar('\n');
	if (t->hurt) {
		printf("diagnostics that would be hurt: %" PRIu64 " request%s\n", t->hurt, s_of(t->hurt));
		ways_say(t, what, true, false);
	}
	if (t->changed) {
		printf("would be decided differently%s: %" PRIu64 " request%s\n", t->hurt ? ", those included" : "", t->changed, s_of(t->changed));
		ways_say(t, what, false, false);
	}
	if (t->beyond)
		printf("  %8" PRIu64 "  in ways beyond the %u that are kept\n", t->beyond, TALLY_WAYS_MAX);
	legs_say(t, what);
	rest_say(t, what);
	puts(t->changed || t->legs_changed ? "=> something changes" : t->untold || t->legs_fate[FATE_UNTOLD] ? "=> nothing changes, as far as the logs tell" : "=> nothing changes");
}

/* --- as JSON --- */

static void
text_json(const char *key, const char *text)
{
	printf(",\"%s\":", key);
	if (text && *text)
		cli_print_json(stdout, span_str(text));
	else
		fputs("null", stdout);
}

static void
outcome_json(const char *key, enum fate fate, const char *rule, const char *fault)
{
	printf(",\"%s\":{\"outcome\":\"%s\"", key, fate_word[fate]);
	text_json("rule", rule);
	text_json("fault", fault);
	putchar('}');
}

static void
host_json(const struct tally_host *h, const struct replay_shown *what)
{
	const struct tally_example *x = h->example;
	char                        text[32];
	struct line                 l = {text, text + sizeof text - 1};

	fputs("{\"host\":", stdout);
	cli_print_json(stdout, span_str(h->host));
	printf(",\"port\":%u,\"requests\":%" PRIu64 ",\"example\":{\"file\":", h->port, h->count);
	cli_print_json(stdout, span_str(what->file[x->file]));
	moment_print(&l, x->at_us);
	*l.at = '\0';
	printf(",\"line\":%" PRIu64 ",\"began\":\"%s\"", x->line, text);
	text_json("url", x->url);
	text_json("client", x->client);
	text_json("user", x->user);
	fputs("}}", stdout);
}

static void
ways_json(const struct tally *t, const struct replay_shown *what)
{
	uint32_t at = 0;

	fputs(",\"changes\":[", stdout);
	for (uint32_t i = 0; i < t->n_ways; i++) {
		const struct tally_way *w = &t->way[i];
		uint32_t                shown = 0;
		bool                    left_out = i >= what->limit;
		if (!left_out) {
			printf("%s{\"requests\":%" PRIu64 ",\"hurts_diagnostics\":%s,\"first_leg\":%s", i ? "," : "", w->count, w->hurts ? "true" : "false", w->first_leg ? "true" : "false");
			outcome_json("from", w->from, w->from_rule, w->from_fault);
			outcome_json("to", w->to, w->to_rule, w->to_fault);
			printf(",\"hosts_kept\":%" PRIu64 ",\"without_host\":%" PRIu64 ",\"hosts\":[", w->hosts, w->without_host);
		}
		for (; at < t->n_hosts && t->host[at].way == i; at++) {
			if (left_out || shown == what->limit)
				continue;
			fputs(shown++ ? "," : "", stdout);
			host_json(&t->host[at], what);
		}
		fputs(left_out ? "" : "]}", stdout);
	}
	printf("],\"changes_left_out\":%u,\"beyond\":%" PRIu64, t->n_ways > what->limit ? t->n_ways - what->limit : 0, t->beyond);
}

void
replay_print_json(const struct tally *t, const struct replay_shown *what)
{
	fputs("{\"candidate\":", stdout);
	cli_print_json(stdout, span_str(what->candidate));
	text_json("against", what->against);
	printf(",\"lines\":%" PRIu64 ",\"requests\":%" PRIu64 ",\"changed\":%" PRIu64 ",\"hurt\":%" PRIu64 ",\"same\":%" PRIu64 ",\"same_by_other_rule\":%" PRIu64
	       ",\"in_changed_tunnels\":%" PRIu64,
	    t->lines, t->requests, t->changed, t->hurt, t->same, t->other_rule, t->unseen);
	printf(",\"first_legs\":{\"requests\":%" PRIu64 ",\"changed\":%" PRIu64, t->legs, t->legs_changed);
	for (unsigned i = 0; i < FATE_COUNT; i++)
		if (i != FATE_LET && i != FATE_UNSEEN)
			printf(",\"%s\":%" PRIu64, fate_word[i], t->legs_fate[i]);
	printf("},\"cannot_tell\":{\"requests\":%" PRIu64, t->untold);
	for (unsigned i = 0; i < UNTOLD_COUNT; i++)
		printf(",\"%s\":%" PRIu64, untold_words[i].word, t->untold_why[i]);
	printf("},\"refused_otherwise\":%" PRIu64 ",\"no_requests\":%" PRIu64 ",\"not_read\":%" PRIu64 ",\"lost\":%" PRIu64, t->no_decision, t->nothing, t->bad, t->lost);
	ways_json(t, what);
	puts("}");
}
