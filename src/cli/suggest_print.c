/* SPDX-License-Identifier: MIT */
/*
 * suggest_print: what was found, to people or as JSON. What stands between the comments can be pasted as it is. Names and user agents come from outside.
 */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "cli/cli.h"
#include "cli/suggest.h"

static const char *
moment(uint64_t us, char buf[32])
{
	time_t    t = (time_t)(us / 1000000);
	struct tm tm;

	if (!gmtime_r(&t, &tm) || !strftime(buf, 32, "%Y-%m-%dT%H:%M:%SZ", &tm))
		snprintf(buf, 32, "-");
	return buf;
}

static bool
is_new(enum remedy r)
{
	return r == REMEDY_NEW || r == REMEDY_NEW_LAST;
}

/* --- the lines of a block, without their place --- */

static void
put_line(bool json, const char **sep, const char *before, struct span text)
{
	char line[SUGGEST_ENTRY_MAX + 64];
	int  n = snprintf(line, sizeof line, "%s%.*s", before, SPAN_ARG(text));

	if (json) {
		fputs(*sep, stdout);
		cli_print_json(stdout, span_of(line, (size_t)n < sizeof line ? (size_t)n : sizeof line - 1));
		*sep = ",";
	} else {
		cli_print(stdout, span_of(line, (size_t)n < sizeof line ? (size_t)n : sizeof line - 1));
		putchar('\n');
	}
}

static void
put_lines(const struct suggestions *s, unsigned block)
{
	const struct suggest_block *b = &s->block[block];
	const char                 *sep = "", *key = b->remedy == REMEDY_LIST_FILE ? "" : b->remedy == REMEDY_RULE ? "hosts = " : "host = ";
	char                        name[SUGGEST_NAME_MAX + 16];

	if (is_new(b->remedy)) {
		snprintf(name, sizeof name, "[list %s]", b->fresh);
		put_line(s->json, &sep, "", span_str(name));
	}
	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].remedy >= REMEDY_LIST_FILE && s->v[i].block == block)
			put_line(s->json, &sep, key, span_str(s->v[i].entry));
	if (!is_new(b->remedy))
		return;
	put_line(s->json, &sep, "", SPAN(""));
	snprintf(name, sizeof name, "[rule %s]", b->fresh);
	put_line(s->json, &sep, "", span_str(name));
	put_line(s->json, &sep, "hosts = @", span_str(b->fresh));
	put_line(s->json, &sep, "action = bypass", SPAN(""));
	put_line(s->json, &sep, "", SPAN(""));
}

static struct span
file_of(const struct suggestions *s, struct where at)
{
	return at.line && at.file < s->conf->n_files ? span_str(s->conf->files[at.file].path) : span_str(s->file);
}

/* --- JSON --- */

static void
moment_json(const char *key, uint64_t us)
{
	char buf[32];

	printf(",\"%s\":\"%s\"", key, moment(us, buf));
}

static void
texts_json(const char *key, const char *texts, size_t size, uint64_t n)
{
	printf(",\"%s\":[", key);
	for (uint64_t i = 0; i < n; i++) {
		fputs(i ? "," : "", stdout);
		cli_print_json(stdout, span_str(texts + i * size));
	}
	putchar(']');
}

static const char *
remedy_word(enum remedy r)
{
	static const char *const word[] = {"none", "public-suffix", "list-file", "list", "rule", "new", "new-at-the-end"};

	return word[r];
}

static void
host_json(const struct suggestions *s, const struct suggestion *g)
{
	const struct evidence_row *r = g->row;
	char                       client[ADDR_TEXT_MAX];

	fputs("{\"host\":", stdout);
	cli_print_json(stdout, host_span(&g->at.host));
	printf(",\"port\":%u,\"scheme\":\"%s\",\"reason\":\"%s\",\"times\":%" PRIu64, g->at.port, r->https ? "https" : "http", evidence_word((enum evidence_kind)r->kind), r->count);
	moment_json("first", r->first_us);
	moment_json("last", r->last_us);
	fputs(",\"clients\":[", stdout);
	for (uint64_t i = 0; i < r->n_who; i++) {
		addr_print(&r->who[i].client, client);
		printf("%s{\"address\":\"%s\",\"user_agent\":", i ? "," : "", client);
		if (r->who[i].agent < r->n_agents)
			cli_print_json(stdout, span_str(r->agent[r->who[i].agent]));
		else
			fputs("null", stdout);
		printf(",\"times\":%" PRIu64 "}", r->who[i].count);
	}
	printf("],\"times_of_others\":%" PRIu64, r->more);
	texts_json("user_agents", r->agent[0], EVIDENCE_AGENT_MAX, r->n_agents);
	texts_json("details", r->detail[0], EVIDENCE_DETAIL_MAX, r->n_details);
	fputs(",\"rule\":", stdout);
	if (g->rule == RULE_NONE) {
		fputs("null", stdout);
	} else {
		fputs("{\"name\":", stdout);
		cli_print_json(stdout, policy_rule_name(s->policy, g->rule));
		fputs(",\"where\":", stdout);
		cli_print_json(stdout, policy_rule_where(s->policy, g->rule));
		printf(",\"asks\":%s}", g->asks ? "true" : "false");
	}
	printf(",\"remedy\":\"%s\",\"entry\":", remedy_word(g->remedy));
	if (g->remedy >= REMEDY_LIST_FILE) {
		cli_print_json(stdout, span_str(g->entry));
		printf(",\"block\":%u}", g->block);
	} else {
		fputs("null,\"block\":null}", stdout);
	}
}

static void
block_json(const struct suggestions *s, unsigned block)
{
	const struct suggest_block *b = &s->block[block];

	printf("{\"remedy\":\"%s\",\"file\":", remedy_word(b->remedy));
	cli_print_json(stdout, file_of(s, b->place));
	fputs(",\"line\":", stdout);
	if (b->place.line)
		printf("%u", b->place.line);
	else
		fputs("null", stdout);
	fputs(",\"of\":", stdout);
	if (b->name.n)
		cli_print_json(stdout, b->name);
	else
		fputs("null", stdout);
	fputs(",\"lines\":[", stdout);
	put_lines(s, block);
	fputs("]}", stdout);
}

static void
print_json(const struct suggestions *s)
{
	printf("{\"source\":\"%s\",\"configuration\":", s->from_logs ? "logs" : "gateway");
	cli_print_json(stdout, span_str(s->file));
	if (s->from_logs)
		printf(",\"lines\":%" PRIu64 ",\"skipped\":%" PRIu64, s->lines, s->skipped);
	fputs(",\"hosts\":[", stdout);
	for (size_t i = 0; i < s->n; i++) {
		fputs(i ? ",\n" : "\n", stdout);
		host_json(s, &s->v[i]);
	}
	fputs("],\n\"blocks\":[", stdout);
	for (unsigned i = 0; i < s->n_blocks; i++) {
		fputs(i ? ",\n" : "\n", stdout);
		block_json(s, i);
	}
	fputs("],\n\"wildcards\":[", stdout);
	for (unsigned i = 0; i < s->n_wildcards; i++) {
		printf("%s{\"entry\":", i ? "," : "");
		cli_print_json(stdout, span_str(s->wildcard[i].entry));
		printf(",\"hosts\":%u}", s->wildcard[i].hosts);
	}
	puts("]}");
}

/* --- for people --- */

static const char *
why(const struct evidence_row *r)
{
	static const char *const words[EVIDENCE_KINDS] = {"", "clients refuse the inspection certificate", "the server demands a certificate of the client",
		"a machine that cannot log on asks again and again (407)"};

	return words[r->kind];
}

static void
who_print(const struct evidence_row *r)
{
	char client[ADDR_TEXT_MAX];

	fputs("    clients  ", stdout);
	for (uint64_t i = 0; i < r->n_who; i++) {
		addr_print(&r->who[i].client, client);
		printf("%s%s (%" PRIu64, i ? ", " : "", client, r->who[i].count);
		if (r->n_agents > 1 && r->who[i].agent < r->n_agents) {
			fputs(", ", stdout);
			cli_print(stdout, r->agent[r->who[i].agent][0] ? span_str(r->agent[r->who[i].agent]) : SPAN("no user agent"));
		}
		putchar(')');
	}
	if (r->more)
		printf("%sothers (%" PRIu64 ")", r->n_who ? ", " : "", r->more);
	putchar('\n');
}

static void
texts_print(const char *label, const char *texts, size_t size, uint64_t n, const char *none)
{
	for (uint64_t i = 0; i < n; i++) {
		fputs(i ? "             " : label, stdout);
		cli_print(stdout, texts[i * size] ? span_str(texts + i * size) : span_str(none));
		putchar('\n');
	}
}

static void
now_print(const struct suggestions *s, const struct suggestion *g)
{
	fputs("    now      ", stdout);
	if (g->rule == RULE_NONE) {
		puts("no rule holds for it: it would be refused");
		return;
	}
	fputs("rule ", stdout);
	cli_print(stdout, policy_rule_name(s->policy, g->rule));
	fputs(" (", stdout);
	cli_print(stdout, policy_rule_where(s->policy, g->rule));
	puts(g->asks ? ") asks who it is" : g->remedy == REMEDY_NONE ? ") decides, and neither inspects it nor asks: nothing is to be done" : ") decides");
	if (g->remedy == REMEDY_SUFFIX)
		puts("    add      nothing: anyone may have a name below it (a public suffix)");
}

static void
host_print(const struct suggestions *s, const struct suggestion *g)
{
	const struct evidence_row *r = g->row;
	char                       first[32], last[32];

	cli_print(stdout, host_span(&g->at.host));
	printf(":%u (%s): %s\n    times    %" PRIu64 ", %s to %s\n", g->at.port, r->https ? "https" : "http", why(r), r->count, moment(r->first_us, first), moment(r->last_us, last));
	who_print(r);
	texts_print("    agents   ", r->agent[0], EVIDENCE_AGENT_MAX, r->n_agents, "(none)");
	texts_print("    said     ", r->detail[0], EVIDENCE_DETAIL_MAX, r->n_details, "");
	now_print(s, g);
}

/* A comment, so that all of it can be pasted. */
static void
place_print(const struct suggestions *s, const struct suggest_block *b)
{
	fputs(b->remedy == REMEDY_LIST_FILE ? "\n# at the end of " : "\n; in ", stdout);
	cli_print(stdout, file_of(s, b->place));
	if (b->remedy == REMEDY_NEW || b->remedy == REMEDY_LIST || b->remedy == REMEDY_RULE) {
		printf(b->remedy == REMEDY_NEW ? ", before line %u, [rule " : b->remedy == REMEDY_LIST ? ", below line %u, [list " : ", below line %u, [rule ", b->place.line);
		cli_print(stdout, b->name);
		putchar(']');
	} else if (b->remedy == REMEDY_NEW_LAST) {
		fputs(", at the end", stdout);
	}
	putchar('\n');
}

static void
advice_print(const struct suggestions *s)
{
	puts("\nTo let them through, uninspected and without a password, add:");
	for (unsigned i = 0; i < s->n_blocks; i++) {
		place_print(s, &s->block[i]);
		put_lines(s, i);
	}
	for (unsigned i = 0; i < s->n_wildcards; i++) {
		fputs(i ? "" : "\n", stdout);
		fputs("; instead of the ", stdout);
		printf("%u hosts ", s->wildcard[i].hosts);
		cli_print(stdout, span_str(s->wildcard[i].entry));
		puts(" would do, and let through every other name there is or will be below it");
	}
	puts("\nA client that merely does not trust the inspection CA yet needs that installed instead: postern ca show.\n"
	     "Nothing was changed. Afterwards: postern check, postern reload.");
}

void
suggest_print(const struct suggestions *s)
{
	if (s->json) {
		print_json(s);
		return;
	}
	for (size_t i = 0; i < s->n; i++)
		host_print(s, &s->v[i]);
	if (s->n_blocks)
		advice_print(s);
	else if (s->n == 0)
		puts("no client was seen that refuses our certificate, and no machine that keeps failing to log on");
	if (s->from_logs && s->skipped)
		printf("%" PRIu64 " of %" PRIu64 " lines were skipped: only lines of the json format tell all that is needed\n", s->skipped, s->lines);
}
