/* SPDX-License-Identifier: MIT */
/*
 * run_tables: plays x.cases against x.ini, for each x.cases named. No code is needed for a new case. A line of a .cases file is one of
 *
 *   host=NAME port=N ... -> rule=NAME action=bypass ...
 *       Keys before the arrow: host, port (443), scheme (https), method (CONNECT, or GET for http), client (10.0.0.1), listener (the first),
 *       address (not known), at (mon,00:00), user (not known; NAME, or nobody: without credentials; again to add its realm), group (again for
 *       more), of, url (a request that can be read; gives host, port and scheme too, and method GET), header ("Name: value" of such a request, again
 *       for more), type (the response's Content-Type; empty: it has none), tls (the origin's: 1.2 or 1.3, with strength=BITS). After it, each that is given must come out: rule, action, guard, auth, reason, reported
 *       (names joined by commas, - none), entry (FILE:LINE, its end), need=address, user, response (then rule and action are those of now) or undecided, host=CANONICAL, host=bad,
 *       redirect, set-request, set-response, remove-request, remove-response (what the rule does, lines ended by |); with of=RULE: holds=yes or no, what the
 *       guard of that rule says of such a server name.
 *   error LINE WORDS        the ini must be refused, for this reason at this line; every error must be named
 *   warning LINE WORDS      the same for a warning; warnings may go unnamed
 *   warnings N              there must be so many, conf's own included
 *
 * Empty lines and lines that begin with # are skipped; "..." keeps blanks in a value.
 */
#include <glob.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "parse/url.h"
#include "policy/compile.h"
#include "policy/policy.h"
#include "policy/rule.h"

struct table {
	const char    *name;
	unsigned       line;
	unsigned       failed, cases, errors;
	struct conf   *conf;
	struct report  report;
	struct flat    flat;
	struct policy *policy; /* null: the ini was refused */
	struct policy *entries; /* the same, open for its entries */
};

struct given {
	struct host  host;
	bool         host_bad;
	struct facts facts;
	const char  *of;
	struct who   who;
	struct span  group[16];
	char         url[2048], text[2048]; /* the normalised URL; the head */
	size_t       n_text;
	struct head  head;
};

static void __attribute__((format(printf, 2, 3)))
fail(struct table *t, const char *fmt, ...)
{
	va_list ap;

	t->failed++;
	fprintf(stderr, "%s:%u: ", t->name, t->line);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

/* The next word of a line, cut off in place; a quoted part keeps its blanks. Null at the end. */
static char *
word_next(char **line)
{
	char *s = *line + strspn(*line, " \t\n"), *from = s, *to = s;
	bool  quoted = false;

	if (*s == '\0')
		return NULL;
	for (; *s && (quoted || !strchr(" \t\n", *s)); s++) {
		if (*s == '"')
			quoted = !quoted;
		else
			*to++ = *s;
	}
	*line = s + (*s != '\0');
	*to = '\0';
	return from;
}

static uint16_t
listener_index(const struct conf *c, const char *name)
{
	const struct conf_listener *l;
	uint16_t                    i = 0;

	TAILQ_FOREACH (l, &c->listeners, link) {
		if (span_eq(l->name, span_str(name)))
			break;
		i++;
	}
	return i;
}

static bool
url_read(struct given *g, const char *value)
{
	struct url url;

	if (!url_parse(span_str(value), &url) || !url_normalise(&url, g->url, sizeof g->url, &g->facts.url))
		return false;
	g->host = url.at.host;
	g->facts.port = url.at.port;
	g->facts.scheme = url.scheme;
	if (g->facts.method.n == 0)
		g->facts.method = SPAN("GET");
	g->facts.known |= FACT_REQUEST;
	return true;
}

static bool
header_read(struct given *g, const char *value)
{
	int n = snprintf(g->text + g->n_text, sizeof g->text - g->n_text, "%s\r\n", value);

	g->n_text += (size_t)n;
	return n > 0 && g->n_text < sizeof g->text;
}

/* The head, when all its fields are there. */
static bool
head_finish(struct given *g)
{
	size_t     used;
	enum fault fault;

	if (!(g->facts.known & FACT_REQUEST))
		return g->n_text == 0;
	g->facts.head = &g->head;
	if (g->n_text == 0)
		header_read(g, "GET / HTTP/1.1");
	return header_read(g, "Host: x\r\n") && head_parse_request(span_of(g->text, g->n_text), 0, &g->head, &used, &fault) == PARSE_OK;
}

static bool
given_read_request(struct given *g, const char *key, const char *value)
{
	if (strcmp(key, "url") == 0) {
		return url_read(g, value);
	} else if (strcmp(key, "header") == 0) {
		if (g->n_text == 0)
			header_read(g, "GET / HTTP/1.1");
		return header_read(g, value);
	} else if (strcmp(key, "type") == 0) {
		g->facts.known |= FACT_RESPONSE;
		g->facts.response_type = span_str(value);
	} else if (strcmp(key, "tls") == 0) {
		g->facts.known |= FACT_ORIGIN;
		g->facts.origin_tls = strcmp(value, "1.3") == 0 ? 0x0304 : strcmp(value, "1.2") == 0 ? 0x0303 : 0x0302;
	} else if (strcmp(key, "strength") == 0) {
		g->facts.origin_strength = (uint16_t)atoi(value);
	} else {
		return false;
	}
	return true;
}

static bool
given_read(struct table *t, struct given *g, const char *key, const char *value)
{
	char at[32];

	if (strcmp(key, "host") == 0) {
		g->host_bad = !host_parse(span_str(value), &g->host);
	} else if (strcmp(key, "port") == 0) {
		g->facts.port = (uint16_t)atoi(value);
	} else if (strcmp(key, "scheme") == 0) {
		g->facts.scheme = strcmp(value, "http") == 0 ? SCHEME_HTTP : SCHEME_HTTPS;
	} else if (strcmp(key, "method") == 0) {
		g->facts.method = span_str(value);
	} else if (strcmp(key, "client") == 0) {
		return addr_parse(span_str(value), &g->facts.client);
	} else if (strcmp(key, "address") == 0) {
		g->facts.known |= FACT_ADDRESS;
		return addr_parse(span_str(value), &g->facts.address);
	} else if (strcmp(key, "listener") == 0) {
		g->facts.listener = listener_index(t->conf, value);
	} else if (strcmp(key, "at") == 0) {
		snprintf(at, sizeof at, "%s", value);
		if (strlen(at) > 3 && at[3] == ',')
			at[3] = ' ';
		return week_minute_read(span_str(at), &g->facts.week_minute);
	} else if (strcmp(key, "user") == 0 && strcmp(value, "nobody") == 0) {
		g->facts.bare = true;
	} else if (strcmp(key, "user") == 0) {
		g->facts.known |= FACT_USER;
		return who_read(span_str(value), &g->who);
	} else if (strcmp(key, "group") == 0 && g->who.n_groups < 16) {
		g->group[g->who.n_groups++] = span_str(value);
	} else if (strcmp(key, "of") == 0) {
		g->of = value;
	} else {
		return given_read_request(g, key, value);
	}
	return true;
}

static const char *
span_text(struct span s, char *buf, size_t n)
{
	snprintf(buf, n, "%.*s", SPAN_ARG(s));
	return buf;
}

static uint32_t
rule_find(const struct policy *p, const char *name)
{
	for (uint32_t i = 0; i < policy_rule_count(p); i++)
		if (span_eq(policy_rule_name(p, i), span_str(name)))
			return i;
	return RULE_NONE;
}

/* Lines ended by '|', so that a case can be one line. */
static const char *
effect_text(const struct policy *p, uint32_t rule, const char *key, char *buf, size_t n)
{
	struct rule_effects e;
	struct span         s;
	size_t              at = 0;

	policy_rule_effects(p, rule, &e);
	s = strcmp(key, "redirect") == 0 ? e.redirect : strcmp(key, "set-request") == 0 ? e.set_request : strcmp(key, "set-response") == 0 ? e.set_response :
	    strcmp(key, "remove-request") == 0 ? e.remove_request : e.remove_response;
	for (size_t i = 0; i < s.n && at + 1 < n; i++)
		if (s.p[i] != '\n')
			buf[at++] = s.p[i] == '\r' ? '|' : s.p[i];
	buf[at] = '\0';
	return buf;
}

/* What came out under one name. */
static const char *
outcome(const struct table *t, const struct given *g, const char *key, char *buf, size_t n)
{
	static const char *const action[] = {"deny", "bypass", "tunnel", "inspect"}, *const guard[] = {"enforce", "report", "off"},
				 *const  auth[] = {"default", "none", "required"};
	const struct policy     *p = t->policy;
	struct verdict           v;
	enum policy_answer       answer = policy_decide(p, &g->facts, &v);

	if (strcmp(key, "host") == 0)
		return g->host.text;
	if (strcmp(key, "holds") == 0) {
		uint32_t rule = g->of ? rule_find(p, g->of) : RULE_NONE;
		return rule == RULE_NONE ? "no such rule" : policy_rule_host_holds(p, rule, &g->host, g->facts.scheme, g->facts.port) ? "yes" : "no";
	}
	if (strcmp(key, "reported") == 0) {
		size_t used = (size_t)snprintf(buf, n, "%s", v.n_reported ? "" : "-");
		for (uint32_t i = 0; i < v.n_reported && used < n; i++) {
			struct span name = policy_rule_name(p, v.reported[i]);
			used += (size_t)snprintf(buf + used, n - used, "%s%.*s", i ? "," : "", SPAN_ARG(name));
		}
		return buf;
	}
	if (strcmp(key, "need") == 0)
		return answer == POLICY_VERDICT ? "nothing" : answer == POLICY_NEED_ADDRESS ? "address" : answer == POLICY_NEED_USER ? "user" : answer == POLICY_NEED_RESPONSE ? "response" : answer == POLICY_UNDECIDED ? "undecided" : "something else";
	if (answer != POLICY_VERDICT && answer != POLICY_NEED_RESPONSE)
		return "(a fact is needed)";
	if (strcmp(key, "rule") == 0)
		return span_text(policy_rule_name(p, v.rule), buf, n);
	if (strcmp(key, "reason") == 0)
		return span_text(policy_rule_reason(p, v.rule), buf, n);
	if (strcmp(key, "action") == 0)
		return action[v.action];
	if (strcmp(key, "guard") == 0)
		return guard[v.guard];
	if (strcmp(key, "auth") == 0)
		return auth[v.auth];
	if (strcmp(key, "redirect") == 0 || strncmp(key, "set-", 4) == 0 || strncmp(key, "remove-", 7) == 0)
		return effect_text(p, v.rule, key, buf, n);
	if (strcmp(key, "entry") == 0) {
		policy_entry_where(p, v.rule, &g->host, g->facts.scheme, g->facts.port, buf, n);
		return buf;
	}
	return "(no such key)";
}

static void
expect(struct table *t, const struct given *g, const char *key, const char *value)
{
	char        buf[4200];
	const char *got;
	size_t      n;

	if (g->host_bad || (strcmp(key, "host") == 0 && strcmp(value, "bad") == 0)) {
		if (!g->host_bad || strcmp(value, "bad") != 0)
			fail(t, "the host is %s", g->host_bad ? "bad" : g->host.text);
		return;
	}
	got = outcome(t, g, key, buf, sizeof buf);
	n = strlen(got);
	/* entries by their end, so that cases need not know the directory */
	if (strcmp(key, "entry") == 0 && *value && n > strlen(value))
		got += n - strlen(value);
	if (strcmp(got, value) != 0)
		fail(t, "%s=%s, not %s", key, got, value);
}

/* The explanation must say what the verdict says. */
static void
on_rule(void *arg, const struct trace_rule *r)
{
	if (r->decided)
		*(uint32_t *)arg = r->rule;
}

static void
compare_trace(struct table *t, const struct given *g)
{
	struct verdict     v, w;
	uint32_t           decided = RULE_NONE;
	enum policy_answer answer = policy_decide(t->policy, &g->facts, &v), traced = policy_trace(t->policy, &g->facts, &w, on_rule, &decided);

	if (answer != traced || ((answer == POLICY_VERDICT || answer == POLICY_NEED_RESPONSE) && (v.rule != w.rule || v.rule != decided)) || v.n_reported != w.n_reported)
		fail(t, "policy_trace says otherwise than policy_decide");
}

/* What is counted is the entry that the log names; a rule with no entry to name has none. And that entry is among those that are listed. */
static void
compare_hit(struct table *t, const struct given *g)
{
	struct policy_entry e, one;
	struct host_walk    walk = {0};
	struct verdict      v;
	enum policy_answer  answer = policy_decide(t->policy, &g->facts, &v);
	char                where[4200], text[ENTRY_TEXT_MAX], line[4200] = "";
	uint64_t            key;
	size_t              n = 0;
	bool                listed = false;

	if ((answer != POLICY_VERDICT && answer != POLICY_NEED_RESPONSE) || v.rule == RULE_NONE)
		return;
	key = policy_hit_key(t->policy, &v, g->facts.scheme, g->facts.port);
	policy_entry_where(t->policy, v.rule, &g->host, g->facts.scheme, g->facts.port, where, sizeof where);
	if (key != HIT_NONE && policy_hit_entry(t->entries, key, &e))
		n = policy_line_print(t->entries, e.what.origin, line, sizeof line);
	while (n && !listed && policy_entry_next(t->entries, &walk, &one))
		listed = one.id == e.id && one.what.origin == e.what.origin && strcmp(policy_entry_text(&one, text), "") != 0;
	/* what a worker that was taken over may have written: any number is borne */
	for (unsigned i = 0; i < 64; i++)
		policy_hit_entry(t->entries, key ^ (uint64_t)0x9e3779b97f4a7c15u >> i, &one);
	if (strcmp(line, where) != 0 || (n && !listed))
		fail(t, "the hit is of %s%s, the log names %s", n ? line : "no entry", n && !listed ? " (which is not listed)" : "", where);
}

static void
case_play(struct table *t, char *line)
{
	struct given g = {.facts = {.port = 443, .scheme = SCHEME_HTTPS, .client = addr_from_v4(0x0a000001)}};
	bool         after = false;
	char        *word;
	uint64_t     row[16];

	if (policy_row_words(t->policy) > sizeof row / sizeof *row) {
		fail(t, "too many rules for this program");
		return;
	}
	g.who.group = g.group;
	g.facts.host = &g.host;
	t->cases++;
	while ((word = word_next(&line))) {
		char *eq = strchr(word, '=');
		if (strcmp(word, "->") == 0) {
			after = true;
			if (g.facts.method.n == 0)
				g.facts.method = g.facts.scheme == SCHEME_HTTP ? SPAN("GET") : SPAN("CONNECT");
			if (g.facts.known & FACT_USER) {
				policy_user_row(t->policy, &g.who, row);
				g.facts.user_row = row;
				g.facts.who = &g.who;
			}
			if (!head_finish(&g))
				fail(t, "the head cannot be read");
			if (!g.host_bad) {
				compare_trace(t, &g);
				compare_hit(t, &g);
			}
			continue;
		}
		if (!eq) {
			fail(t, "`%s` has no =", word);
			return;
		}
		*eq = '\0';
		if (after)
			expect(t, &g, word, eq + 1);
		else if (!given_read(t, &g, word, eq + 1))
			fail(t, "`%s=%s` cannot be given", word, eq + 1);
	}
	if (!after)
		fail(t, "no -> in this line");
}

/* "LINE WORDS": is there such a problem? */
static void
problem_expect(struct table *t, bool is_error, char *rest)
{
	char    *words;
	unsigned line = (unsigned)strtoul(rest, &words, 10);

	t->cases++;
	t->errors += is_error;
	words += strspn(words, " ");
	words[strcspn(words, "\n")] = '\0';
	for (size_t i = 0; i < t->report.n; i++)
		if (t->report.v[i].is_error == is_error && t->report.v[i].at.line == line && strstr(t->report.v[i].text, words))
			return;
	fail(t, "no such %s at line %u: %s", is_error ? "error" : "warning", line, words);
}

static void
warnings_expect(struct table *t, size_t n)
{
	t->cases++;
	if (t->report.warnings != n) {
		fail(t, "%zu warnings, not %zu", t->report.warnings, n);
		report_print(&t->report, t->conf, stderr);
	}
}

static bool
table_open(struct table *t, const char *cases)
{
	char     ini[4096];
	uint32_t off;
	size_t   n = strlen(cases);

	if (n < 6 || n + 1 > sizeof ini || strcmp(cases + n - 6, ".cases") != 0)
		return false;
	snprintf(ini, sizeof ini, "%.*s.ini", (int)(n - 6), cases);
	*t = (struct table){.name = cases};
	report_init(&t->report);
	flat_init(&t->flat);
	t->conf = conf_load(ini, &t->report);
	if (!t->conf)
		return false;
	off = policy_compile(t->conf, &t->flat, &t->report);
	if (off && t->report.errors == 0)
		t->policy = policy_open(t->flat.base, t->flat.used, off, true);
	if (t->policy)
		t->entries = policy_open_entries(t->flat.base, t->flat.used, off);
	return true;
}

static void
table_close(struct table *t)
{
	policy_close(t->policy);
	policy_close(t->entries);
	flat_clear(&t->flat);
	conf_free(t->conf);
	report_clear(&t->report);
}

static bool
table_run(const char *cases)
{
	struct table t;
	char         line[4096], *rest;
	bool         refused = false;
	FILE        *f = fopen(cases, "re");

	if (!f || !table_open(&t, cases)) {
		fprintf(stderr, "%s: cannot be read\n", cases);
		return false;
	}
	while (fgets(line, sizeof line, f)) {
		t.line++;
		rest = line + strspn(line, " \t");
		if (*rest == '#' || *rest == '\n' || *rest == '\0')
			continue;
		if (strncmp(rest, "error ", 6) == 0)
			problem_expect(&t, true, rest + 6);
		else if (strncmp(rest, "warning ", 8) == 0)
			problem_expect(&t, false, rest + 8);
		else if (strncmp(rest, "warnings ", 9) == 0)
			warnings_expect(&t, strtoul(rest + 9, NULL, 10));
		else if (t.policy)
			case_play(&t, rest);
		else
			refused = true;
	}
	if (refused)
		fail(&t, "the ini was refused, so no case was played");
	fclose(f);
	if (t.report.errors != t.errors || t.failed > 0) {
		if (t.report.errors != t.errors)
			fail(&t, "%u errors are named, %zu were found", t.errors, t.report.errors);
		report_print(&t.report, t.conf, stderr);
	}
	printf("%s: %u cases, %u failed\n", cases, t.cases, t.failed);
	table_close(&t);
	return t.failed == 0 && t.cases > 0;
}

/* Without arguments: all tables beside this file. */
int
main(int argc, char **argv)
{
	const char *src = getenv("srcdir");
	char        pattern[4096];
	glob_t      g;
	bool        ok;

	if (argc > 1) {
		ok = true;
		for (int i = 1; i < argc; i++)
			ok &= table_run(argv[i]);
		return ok ? 0 : 1;
	}
	snprintf(pattern, sizeof pattern, "%s/tests/tables/*.cases", src ? src : ".");
	ok = glob(pattern, 0, NULL, &g) == 0;
	for (size_t i = 0; ok && i < g.gl_pathc; i++)
		ok &= table_run(g.gl_pathv[i]);
	if (!ok)
		return 1;
	globfree(&g);
	return 0;
}
