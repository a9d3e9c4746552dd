/* SPDX-License-Identifier: MIT */
/*
 * explain_print: says what was found, to people. One line for a rule unless all is wanted; long runs of rules that do not hold are cut short.
 */
#include <stdlib.h>
#include <string.h>

#include "audit/record.h"
#include "cli/explain.h"

#define RUN_SHOWN 4u /* of rules that do not hold, in a row: the first ones, and the last */

const char *
action_name(enum action a)
{
	static const char *const name[] = {[ACTION_DENY] = "deny", [ACTION_BYPASS] = "bypass", [ACTION_TUNNEL] = "tunnel", [ACTION_INSPECT] = "inspect"};

	return name[a];
}

const char *
guard_name(enum guard_mode g)
{
	static const char *const name[] = {[GUARD_ENFORCE] = "enforce", [GUARD_REPORT] = "report", [GUARD_OFF] = "off"};

	return name[g];
}

const char *
scheme_name(enum auth_scheme s)
{
	static const char *const name[AUTH_SCHEMES] = {[AUTH_SCHEME_BASIC] = "basic", [AUTH_SCHEME_NTLM] = "ntlm", [AUTH_SCHEME_NEGOTIATE] = "negotiate"};

	return name[s];
}

bool
effect_next(struct effect *e, struct span *one)
{
	const char *stop = e->text.n ? memchr(e->text.p, e->end, e->text.n) : NULL;
	size_t      skip = e->end == '\r' ? 2 : 1;

	if (!stop)
		return false;
	*one = span_of(e->text.p, (size_t)(stop - e->text.p));
	e->text = span_of(stop + skip, e->text.n - one->n - skip);
	return true;
}

void
effects_list(const struct answer *a, struct effect out[4], struct span *redirect)
{
	struct rule_effects e = {0};

	if (a->verdict.rule != RULE_NONE)
		policy_rule_effects(a->snap->policy, a->verdict.rule, &e);
	*redirect = e.redirect;
	out[0] = (struct effect){"set-request-header", e.set_request, '\r'};
	out[1] = (struct effect){"remove-request-header", e.remove_request, ','};
	out[2] = (struct effect){"set-response-header", e.set_response, '\r'};
	out[3] = (struct effect){"remove-response-header", e.remove_response, ','};
}

/* --- what each rule said --- */

struct telling {
	const struct answer *a;
	bool                 verbose;
	/* rules that do not hold, in a row: the last ones are kept back until it is known how long the row is */
	struct trace_rule    kept[RUN_SHOWN];
	unsigned             run;
	unsigned             n_rest, n_hold; /* behind the one that decided; which of those would hold */
	uint32_t             hold;           /* the first of these */
};

static void
name_print(const struct answer *a, uint32_t rule)
{
	cli_print(stdout, policy_rule_name(a->snap->policy, rule));
	fputs(" (", stdout);
	cli_print(stdout, policy_rule_where(a->snap->policy, rule));
	putchar(')');
}

static const char *
state_words(const struct answer *a, enum condition c, enum trace_state state)
{
	if (state == TRACE_UNKNOWN)
		return c == COND_ADDRESSES ? "needs an address" : c == COND_CONTENT_TYPES ? "needs the response's type" : "needs to know who asks";
	if (state == TRACE_HELD)
		return "holds";
	if (c >= COND_ORIGIN_TLS && !(a->facts.known & FACT_ORIGIN))
		return "does not hold: nothing is known of the server's TLS";
	if (c >= COND_URL && c <= COND_CONTENT_TYPES && !(a->facts.known & FACT_REQUEST))
		return "does not hold: a CONNECT has none";
	return "does not hold";
}

/* ", by FILE:LINE" */
static void
entry_print(const struct answer *a, const struct trace_rule *t, enum condition c)
{
	bool against = t->cond[c] == TRACE_FAILED;
	char where[WHERE_MAX];

	if (!policy_condition_where(a->snap->policy, t->rule, c, &a->facts, against, where, sizeof where))
		return;
	fputs(against ? ", negated by " : ", by ", stdout);
	cli_print(stdout, span_str(where));
}

static const char *
outcome_words(const struct trace_rule *t)
{
	if (t->not_asked)
		return t->held ? "is not looked at; would hold" : "is not looked at";
	if (t->decided)
		return "holds and decides";
	if (t->reported)
		return "holds and is only reported";
	if (t->held && !t->needs_user)
		return "holds";
	return t->needs_address || t->needs_user || t->needs_response ? "may hold" : "does not hold";
}

/* The condition that a rule hangs on: the first that failed, else one that is not known, else the most telling of those that hold. */
static enum condition
condition_that_matters(const struct trace_rule *t)
{
	for (unsigned state = TRACE_FAILED; state <= TRACE_UNKNOWN; state++)
		for (unsigned c = 0; c < COND_COUNT; c++)
			if (t->cond[c] == state)
				return c;
	for (unsigned c = 0; c < COND_COUNT; c++)
		if (t->cond[c] == TRACE_HELD)
			return c;
	return COND_COUNT;
}

static void
rule_print_short(const struct answer *a, const struct trace_rule *t)
{
	enum condition c = condition_that_matters(t);

	fputs("  rule ", stdout);
	name_print(a, t->rule);
	printf(": %s", outcome_words(t));
	if (t->held && t->needs_user)
		fputs(", auth needs to know who asks", stdout);
	else if (c < COND_COUNT && t->cond[c] == TRACE_UNKNOWN)
		printf(": %s %s", condition_name(c), state_words(a, c, TRACE_UNKNOWN));
	else if (c < COND_COUNT)
		printf(": %s%s", condition_name(c), t->held ? "" : state_words(a, c, TRACE_FAILED) + sizeof "does not hold" - 1);
	if (c < COND_COUNT)
		entry_print(a, t, c);
	putchar('\n');
}

static void
rule_print_all(const struct answer *a, const struct trace_rule *t)
{
	bool any = false;

	fputs("  rule ", stdout);
	name_print(a, t->rule);
	printf(": %s\n", outcome_words(t));
	for (unsigned c = 0; c < COND_COUNT; c++) {
		if (t->cond[c] == TRACE_ABSENT)
			continue;
		any = true;
		printf("    %-9s %s", condition_name(c), state_words(a, c, t->cond[c]));
		entry_print(a, t, c);
		putchar('\n');
	}
	if (!any)
		puts("    no conditions");
	if (t->needs_user && t->held)
		puts("    auth      needs to know who asks");
}

/* The end of a row of rules that do not hold. */
static void
run_end(struct telling *t)
{
	unsigned left = t->run > RUN_SHOWN ? t->run - RUN_SHOWN : 0, last = left < RUN_SHOWN ? left : RUN_SHOWN;

	if (left > RUN_SHOWN)
		printf("  ... %u more rules that do not hold; see them with --all\n", left - RUN_SHOWN);
	for (unsigned i = t->run - last; i < t->run; i++)
		rule_print_short(t->a, &t->kept[i % RUN_SHOWN]);
	t->run = 0;
}

static void
on_rule(void *arg, const struct trace_rule *r)
{
	struct telling *t = arg;

	if (t->verbose) {
		rule_print_all(t->a, r);
	} else if (r->not_asked) {
		run_end(t);
		t->n_rest++;
		t->hold = r->held && !t->n_hold ? r->rule : t->hold;
		t->n_hold += r->held;
	} else if (r->held || r->decided || r->reported || r->needs_address || r->needs_user || r->needs_response) {
		run_end(t);
		rule_print_short(t->a, r);
	} else if (t->run++ < RUN_SHOWN) {
		rule_print_short(t->a, r);
	} else {
		t->kept[(t->run - 1) % RUN_SHOWN] = *r;
	}
}

static void
rules_print(const struct answer *a, bool verbose)
{
	struct telling t = {.a = a, .verbose = verbose};

	answer_trace(a, on_rule, &t);
	run_end(&t);
	if (!t.n_rest)
		return;
	printf("  not looked at: %u rule%s after it", t.n_rest, t.n_rest == 1 ? "" : "s");
	if (t.n_hold) {
		fputs("; of these would hold ", stdout);
		name_print(a, t.hold);
	}
	if (t.n_hold > 1)
		printf(" and %u more", t.n_hold - 1);
	putchar('\n');
}

/* --- the verdict --- */

static void
effects_print(const struct answer *a)
{
	struct effect e[4];
	struct span   redirect, one;

	effects_list(a, e, &redirect);
	if (redirect.n) {
		fputs("    redirect  ", stdout);
		cli_print(stdout, redirect);
		puts(a->facts.known & FACT_REQUEST ? "" : ", but a CONNECT is answered with the page");
	}
	for (unsigned i = 0; i < 4; i++)
		while (a->facts.known & FACT_REQUEST && effect_next(&e[i], &one)) {
			printf("    %s  ", e[i].option);
			cli_print(stdout, one);
			putchar('\n');
		}
}


static void
on_wait(void *arg, const struct trace_rule *t)
{
	const struct answer *a = arg;

	if (!t->needs_response)
		return;
	printf("    %s by rule ", action_name(t->action));
	cli_print(stdout, policy_rule_name(a->snap->policy, t->rule));
	puts(" when its content-types hold");
}

/* What happens by each type that the response may be of. */
static void
waits_print(const struct answer *a)
{
	puts("the request would be sent, and the type of the response decides what becomes of that; say it with --content-type:");
	answer_trace(a, on_wait, (void *)a);
	printf("    else %s", action_name(a->verdict.action));
	if (a->verdict.rule != RULE_NONE) {
		fputs(" by rule ", stdout);
		cli_print(stdout, policy_rule_name(a->snap->policy, a->verdict.rule));
	} else {
		fputs(": no rule holds", stdout);
	}
	putchar('\n');
}

static void
limits_print(const struct rule_way *way)
{
	const char *sep = "limits: ";

	if (way->bandwidth) {
		printf("%sbandwidth %llu bytes a second", sep, (unsigned long long)way->bandwidth);
		sep = ", ";
	}
	if (way->bandwidth_per_client) {
		printf("%sbandwidth %llu bytes a second for each client", sep, (unsigned long long)way->bandwidth_per_client);
		sep = ", ";
	}
	if (way->max_connections) {
		printf("%sat most %u connections", sep, way->max_connections);
		sep = ", ";
	}
	if (sep[0] == ',')
		putchar('\n');
}

/* Where what is let through goes: by which parents, from which addresses. */
static void
way_print(const struct answer *a)
{
	const struct rule_way        *way = answer_way(a);
	const struct snapshot_parent *v = snapshot_at(a->snap, a->snap->set->parents.off);
	char                          text[ADDR_TEXT_MAX];
	struct span                   host;

	for (unsigned i = 0; i < way->n_parents; i++) {
		fputs(i ? ", " : "through parent ", stdout);
		cli_print(stdout, snapshot_text(a->snap, v[way->parent[i]].name));
		host = snapshot_text(a->snap, v[way->parent[i]].host);
		printf(memchr(host.p, ':', host.n) ? " ([%.*s]:%u)" : " (%.*s:%u)", SPAN_ARG(host), v[way->parent[i]].port);
	}
	if (way->n_parents)
		puts(a->snap->set->parents_down == PARENTS_DOWN_DIRECT ? "; to the origin itself when none serves" : "");
	for (unsigned i = 0, n = 0; i < 2; i++) {
		if (!way->has_source[i])
			continue;
		addr_print(&way->source[i], text);
		printf(n++ ? ", %s" : "from %s", text);
	}
	if (way->has_source[0] || way->has_source[1])
		putchar('\n');
	limits_print(way);
}

static void
guard_print(const struct answer *a)
{
	static const char *const done[] = {[GUARD_WORD_PASSED] = "passes", [GUARD_WORD_REPORTED] = "passes, and is reported", [GUARD_WORD_CLOSED] = "is closed"};

	if (!a->q->has_sni && !a->q->no_sni)
		return;
	fputs("the ClientHello names ", stdout);
	cli_print(stdout, a->q->has_sni ? host_span(&a->q->sni) : SPAN("no server"));
	if (a->guard)
		printf(": the tunnel %s", done[a->guard]);
	else if (a->not_inspected)
		fputs(": the tunnel passes as it is, not inspected", stdout);
	else if (answer_is_allowed(a) && !answer_reads_hello(a))
		fputs(", which nobody looks at here", stdout);
	if (a->hello != FAULT_NONE)
		printf(" (%s)", fault_row(a->hello)->word);
	putchar('\n');
}

static void
needs_print(const struct answer *a)
{
	unsigned schemes = answer_schemes(a);

	if (a->needs == NEEDS_RESPONSE) {
		waits_print(a);
	} else if (a->needs == NEEDS_ADDRESS) {
		puts("the rule needs an address: the gateway would resolve the name and ask again; say one with --address");
	} else {
		fputs("would be asked who it is (407), offered:", stdout);
		for (uint32_t i = 0; i < a->snap->set->auth.n_schemes; i++)
			if (schemes >> a->snap->set->auth.scheme[i] & 1)
				printf(" %s", scheme_name(a->snap->set->auth.scheme[i]));
		puts("; say who with --user");
	}
}

static void
rule_of_verdict_print(const struct answer *a)
{
	struct span reason = policy_rule_reason(a->snap->policy, a->verdict.rule);

	if (a->verdict.rule == RULE_NONE) {
		puts("deny: no rule holds");
		return;
	}
	printf("%s by rule ", action_name(a->verdict.action));
	cli_print(stdout, policy_rule_name(a->snap->policy, a->verdict.rule));
	if (a->verdict.action == ACTION_BYPASS && a->connect)
		printf(", guard %s%s", guard_name(a->verdict.guard),
		    a->verdict.guard == GUARD_ENFORCE ? " (the ClientHello must name a server for which the rule holds)" : "");
	if (a->verdict.auth == AUTH_REQUIRED)
		fputs(", by somebody who is known", stdout);
	if (reason.n > 0) {
		fputs(": ", stdout);
		cli_print(stdout, reason);
	}
	putchar('\n');
	effects_print(a);
}

static void
verdict_print(const struct answer *a)
{
	if (a->rules == POLICY_UNDECIDED)
		puts("refused: a regex is too slow for this name and gave up, and the decision hangs on it; write it without nested repeats");
	else if (a->fault == FAULT_USER_UNKNOWN)
		printf("refused: the rule needs to know who asks, and %s (fault user-unknown)\n",
		    a->stage != STAGE_FIRST ? "nobody can be asked once the tunnel is open" :
		    a->is_transparent       ? "a transparent client cannot be asked" :
		                              "there is no scheme to ask by");
	else if (a->needs != NEEDS_NOTHING)
		needs_print(a);
	else if (a->rules == POLICY_VERDICT)
		rule_of_verdict_print(a);
	if (a->rules == POLICY_VERDICT && a->verdict.action != ACTION_DENY)
		way_print(a);
	if (a->connect && a->rules == POLICY_VERDICT && a->stage == STAGE_FIRST)
		guard_print(a);
}

/* What stands above the rules. */
static void
beyond_print(const struct answer *a)
{
	char text[ADDR_TEXT_MAX];

	if (!a->client_allowed)
		puts("but the listener's `clients` do not hold for this client: its connection is closed unread, without a line in the access log");
	if (!a->port_allowed)
		printf("but port %u is not in %s: refused before any rule is asked (fault port-denied)\n", a->facts.port, a->connect ? "connect-ports" : "http-ports");
	if (a->is_self || a->fault == FAULT_EGRESS_DENIED) {
		addr_print(a->address, text);
		if (a->is_self)
			printf("but the gateway itself listens on %s port %u: refused (fault self-target)\n", text, a->facts.port);
		else
			printf("but address %s is forbidden by egress-deny: refused (fault egress-denied)\n", text);
	} else if (!a->address && a->stage == STAGE_FIRST && answer_is_allowed(a) && answer_way(a)->n_parents) {
		puts("the parent looks the name up: no address of it is judged here");
	} else if (!a->address && a->stage == STAGE_FIRST && answer_is_allowed(a)) {
		puts("each address of the name is judged by egress-deny before it is connected to; see with --address");
	}
}

/* A line of the format json without the fields that are null, of which a line foretold has many. The line is ours: one flat object, no blank outside strings. */
static size_t
nulls_drop(struct span line, char *out)
{
	size_t n = 0, i = 0;
	bool   quoted = false;

	while (i < line.n) {
		const char *name = line.p + i, *end = !quoted && i + 1 < line.n && *name == '"' ? memchr(name + 1, '"', line.n - i - 1) : NULL;
		size_t      after = end ? (size_t)(end - line.p) + 1 : 0;
		if (end && n && (out[n - 1] == '{' || out[n - 1] == ',') && after + 5 < line.n && memcmp(line.p + after, ":null", 5) == 0) {
			i = after + 5 + (line.p[after + 5] == ',');
			continue;
		}
		if (line.p[i] == '\\' && i + 1 < line.n)
			out[n++] = line.p[i++];
		else if (line.p[i] == '"')
			quoted = !quoted;
		out[n++] = line.p[i++];
	}
	if (n > 1 && out[n - 2] == ',' && out[n - 1] == '}')
		out[n-- - 2] = '}';
	return n;
}

/* `arg`: are all fields wanted? */
static void
on_line(void *arg, struct span log, const char *format, struct span line)
{
	bool  shorten = !*(const bool *)arg && strcmp(format, "json") == 0 && line.n;
	char *brief = shorten ? malloc(line.n) : NULL;

	fputs("log ", stdout);
	cli_print(stdout, log);
	if (line.n) {
		printf(brief ? " (%s, but for null fields):\n  " : " (%s):\n  ", format);
		cli_print(stdout, brief ? span_of(brief, nulls_drop(line, brief)) : line);
	} else {
		printf(" (%s) takes no such line", format);
	}
	putchar('\n');
	free(brief);
}

static void
head_print(const struct answer *a)
{
	const struct host *h = a->facts.host;
	bool               v6 = h->kind == HOST_ADDR && !addr_is_v4(&h->addr);
	char               client[ADDR_TEXT_MAX];

	addr_print(&a->facts.client, client);
	if (a->stage == STAGE_INSIDE)
		fputs("inside the tunnel: ", stdout);
	if (a->stage == STAGE_NAMED)
		printf("by the name in the ClientHello: ");
	cli_print(stdout, a->facts.method);
	putchar(' ');
	if (a->stage == STAGE_INSIDE)
		cli_print(stdout, a->facts.url);
	else
		printf(v6 ? "[%s]:%u from %s" : "%s:%u from %s", h->text, a->facts.port, client);
	putchar('\n');
}

void
answers_print(const struct answers *all, bool verbose, const struct logged *logged)
{
	const struct answer *first = &all->v[0];
	int                  code = answers_code(all);

	for (unsigned i = 0; i < all->n; i++) {
		const struct answer *a = &all->v[i];
		head_print(a);
		rules_print(a, verbose);
		verdict_print(a);
		beyond_print(a);
	}
	if (all->n == 1 && first->connect && first->q->is_url && answer_is_allowed(first))
		puts("what is asked for inside the tunnel is seen by no rule");
	for (unsigned i = all->n; i-- > 0;) /* in the order in which they would be written */
		if (answer_has_line(&all->v[i]) && !(i + 1 < all->n && all->v[i + 1].stage == STAGE_NAMED))
			answer_lines(&all->v[i], on_line, &verbose);
	if (logged)
		logged_print(logged, all);
	puts(code == CLI_USAGE ? "=> cannot tell" : code == CLI_FINE ? "=> allowed" : "=> refused");
}
