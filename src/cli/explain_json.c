/* SPDX-License-Identifier: MIT */
/*
 * explain_json: says what was found, as one JSON object on one line; contrib/schema/postern-explain.json describes it.
 */
#include "audit/record.h"
#include "cli/explain.h"

struct telling {
	const struct answer *a;
	const char          *sep;
};

static const char *
yes_no(bool b)
{
	return b ? "true" : "false";
}

static void
rule_name_print(const struct answer *a, uint32_t rule)
{
	cli_print_json(stdout, policy_rule_name(a->snap->policy, rule));
}

/* --- what each rule said --- */

static void
on_rule(void *arg, const struct trace_rule *t)
{
	static const char *const state[] = {[TRACE_HELD] = "held", [TRACE_FAILED] = "failed", [TRACE_UNKNOWN] = "unknown"};
	struct telling          *tell = arg;
	const struct policy     *p = tell->a->snap->policy;
	char                     where[WHERE_MAX];
	const char              *sep = "";

	printf("%s{\"name\":", tell->sep);
	tell->sep = ",";
	cli_print_json(stdout, policy_rule_name(p, t->rule));
	fputs(",\"where\":", stdout);
	cli_print_json(stdout, policy_rule_where(p, t->rule));
	printf(",\"action\":\"%s\",\"asked\":%s,\"held\":%s,\"decided\":%s,\"reported\":%s,\"conditions\":{", action_name(t->action), yes_no(!t->not_asked), yes_no(t->held),
	    yes_no(t->decided), yes_no(t->reported));
	for (unsigned c = 0; c < COND_COUNT; c++) {
		if (t->cond[c] == TRACE_ABSENT)
			continue;
		printf("%s\"%s\":{\"state\":\"%s\"", sep, condition_name(c), state[t->cond[c]]);
		if (policy_condition_where(p, t->rule, c, &tell->a->facts, t->cond[c] == TRACE_FAILED, where, sizeof where)) {
			fputs(",\"entry\":", stdout);
			cli_print_json(stdout, span_str(where));
		}
		putchar('}');
		sep = ",";
	}
	fputs("}}", stdout);
}

static void
rules_print(const struct answer *a)
{
	struct telling t = {.a = a, .sep = ""};

	fputs(",\"rules\":[", stdout);
	answer_trace(a, on_rule, &t);
	putchar(']');
}

/* --- the verdict --- */

static void
outcome_print(const struct answer *a, uint32_t rule, enum action action)
{
	fputs("{\"rule\":", stdout);
	rule_name_print(a, rule);
	printf(",\"action\":\"%s\"}", action_name(action));
}

static void
on_wait(void *arg, const struct trace_rule *t)
{
	struct telling *tell = arg;

	if (!t->needs_response)
		return;
	fputs(tell->sep, stdout);
	outcome_print(tell->a, t->rule, t->action);
	tell->sep = ",";
}

static void
needs_print(const struct answer *a)
{
	static const char *const word[] = {[NEEDS_ADDRESS] = "address", [NEEDS_USER] = "user", [NEEDS_RESPONSE] = "response"};
	unsigned                 schemes = answer_schemes(a);
	struct telling           t = {.a = a, .sep = ""};
	const char              *sep = "";

	printf(",\"needs\":\"%s\"", word[a->needs]);
	if (a->needs == NEEDS_USER) {
		fputs(",\"schemes\":[", stdout);
		for (uint32_t i = 0; i < a->snap->set->auth.n_schemes; i++)
			if (schemes >> a->snap->set->auth.scheme[i] & 1) {
				printf("%s\"%s\"", sep, scheme_name(a->snap->set->auth.scheme[i]));
				sep = ",";
			}
		putchar(']');
	}
	if (a->needs == NEEDS_RESPONSE) {
		fputs(",\"waits\":[", stdout);
		answer_trace(a, on_wait, &t);
		fputs("],\"otherwise\":", stdout);
		outcome_print(a, a->verdict.rule, a->verdict.action);
	}
}

static void
effects_print(const struct answer *a)
{
	struct effect e[4];
	struct span   redirect, one;

	effects_list(a, e, &redirect);
	if (redirect.n) {
		fputs(",\"redirect\":", stdout);
		cli_print_json(stdout, redirect);
	}
	for (unsigned i = 0; i < 4; i++) {
		const char *sep = "";
		if (e[i].text.n == 0)
			continue;
		printf(",\"%s\":[", e[i].option);
		while (effect_next(&e[i], &one)) {
			fputs(sep, stdout);
			cli_print_json(stdout, one);
			sep = ",";
		}
		putchar(']');
	}
}

static void
way_print(const struct answer *a)
{
	const struct rule_way        *way = answer_way(a);
	const struct snapshot_parent *v = snapshot_at(a->snap, a->snap->set->parents.off);
	char                          text[ADDR_TEXT_MAX];
	const char                   *sep = "";

	fputs(",\"parents\":[", stdout);
	for (unsigned i = 0; i < way->n_parents; i++) {
		fputs(i ? "," : "", stdout);
		cli_print_json(stdout, snapshot_text(a->snap, v[way->parent[i]].name));
	}
	fputs("],\"source\":[", stdout);
	for (unsigned i = 0; i < 2; i++) {
		if (!way->has_source[i])
			continue;
		addr_print(&way->source[i], text);
		printf("%s\"%s\"", sep, text);
		sep = ",";
	}
	printf("],\"bandwidth\":%llu,\"bandwidth_per_client\":%llu,\"max_connections\":%u", (unsigned long long)way->bandwidth,
	    (unsigned long long)way->bandwidth_per_client, way->max_connections);
}

static void
guard_print(const struct answer *a)
{
	static const char *const word[] = {[GUARD_WORD_NONE] = "none", [GUARD_WORD_PASSED] = "passed", [GUARD_WORD_REPORTED] = "reported", [GUARD_WORD_CLOSED] = "closed"};

	printf(",\"hello\":{\"sni\":");
	if (a->q->has_sni)
		cli_print_json(stdout, host_span(&a->q->sni));
	else
		fputs("null", stdout);
	printf(",\"guard\":\"%s\",\"fault\":", word[a->guard]);
	if (a->hello == FAULT_NONE)
		fputs("null", stdout);
	else
		printf("\"%s\"", fault_row(a->hello)->word);
	printf(",\"inspected\":%s}", yes_no(a->verdict.action == ACTION_INSPECT && !a->not_inspected && answer_is_allowed(a)));
}

static void
verdict_print(const struct answer *a)
{
	char entry[WHERE_MAX];

	if (a->rules != POLICY_VERDICT) {
		fputs(",\"action\":null,\"rule\":null,\"list_entry\":null", stdout);
		return;
	}
	printf(",\"action\":\"%s\",\"rule\":", action_name(a->verdict.action));
	rule_name_print(a, a->verdict.rule);
	fputs(",\"list_entry\":", stdout);
	if (policy_entry_where(a->snap->policy, a->verdict.rule, a->facts.host, a->facts.scheme, a->facts.port, entry, sizeof entry))
		cli_print_json(stdout, span_str(entry));
	else
		fputs("null", stdout);
	fputs(",\"reason\":", stdout);
	cli_print_json(stdout, policy_rule_reason(a->snap->policy, a->verdict.rule));
	printf(",\"guard\":\"%s\",\"auth\":\"%s\"", guard_name(a->verdict.guard), a->verdict.auth == AUTH_REQUIRED ? "required" : "none");
	effects_print(a);
	if (a->verdict.action != ACTION_DENY)
		way_print(a);
	if (a->connect && a->verdict.action != ACTION_DENY && a->stage == STAGE_FIRST)
		guard_print(a);
}

/* --- all of one stage --- */

static void
on_line(void *arg, struct span log, const char *format, struct span line)
{
	struct telling *t = arg;

	if (!line.n)
		return;
	printf("%s{\"log\":", t->sep);
	cli_print_json(stdout, log);
	printf(",\"format\":\"%s\",\"line\":", format);
	cli_print_json(stdout, line);
	putchar('}');
	t->sep = ",";
}

static void
request_print(const struct answer *a)
{
	char text[ADDR_TEXT_MAX];

	addr_print(&a->facts.client, text);
	fputs("\"method\":", stdout);
	cli_print_json(stdout, a->facts.method);
	printf(",\"scheme\":\"%s\",\"host\":", a->facts.scheme == SCHEME_HTTPS ? "https" : "http");
	cli_print_json(stdout, host_span(a->facts.host));
	printf(",\"port\":%u,\"client\":\"%s\"", a->facts.port, text);
	if (a->facts.known & FACT_REQUEST) {
		fputs(",\"url\":", stdout);
		cli_print_json(stdout, a->facts.url);
	}
}

static void
stage_print(const struct answer *a, bool rules)
{
	struct telling t = {.a = a, .sep = ""};
	char           text[ADDR_TEXT_MAX];

	request_print(a);
	if (rules)
		rules_print(a);
	fputs(",\"reported\":[", stdout);
	for (uint32_t i = 0; i < a->verdict.n_reported; i++) {
		fputs(i ? "," : "", stdout);
		rule_name_print(a, a->verdict.reported[i]);
	}
	putchar(']');
	if (a->needs != NEEDS_NOTHING)
		needs_print(a);
	if (a->rules == POLICY_UNDECIDED)
		fputs(",\"undecided\":true", stdout);
	verdict_print(a);
	if (a->fault == FAULT_NONE)
		fputs(",\"fault\":null", stdout);
	else
		printf(",\"fault\":\"%s\"", fault_row(a->fault)->word);
	if (a->status)
		printf(",\"status\":%u", a->status);
	else
		fputs(",\"status\":null", stdout);
	printf(",\"user_asked\":%s,\"client_allowed\":%s,\"port_allowed\":%s", yes_no(a->asked_user || a->needs == NEEDS_USER), yes_no(a->client_allowed), yes_no(a->port_allowed));
	if (a->address) {
		addr_print(a->address, text);
		printf(",\"address\":\"%s\"", text);
		if (a->address_allowed || a->is_self || a->fault == FAULT_EGRESS_DENIED)
			printf(",\"address_allowed\":%s", yes_no(a->address_allowed));
	}
	fputs(",\"log_lines\":[", stdout);
	if (answer_has_line(a))
		answer_lines(a, on_line, &t);
	putchar(']');
}

void
answers_print_json(const struct answers *all, bool rules, const char *id, const struct logged *logged)
{
	static const char *const stage[] = {[STAGE_NAMED] = "named", [STAGE_INSIDE] = "inside"};
	int                      code = answers_code(all);
	const char              *allowed = code == CLI_USAGE ? "null" : code == CLI_FINE ? "true" : "false";

	putchar('{');
	if (id)
		printf("\"id\":%s,", id);
	stage_print(&all->v[0], rules);
	for (unsigned i = 1; i < all->n; i++) {
		printf(",\"%s\":{", stage[all->v[i].stage]);
		stage_print(&all->v[i], rules);
		printf(",\"allowed\":%s}", allowed);
	}
	if (logged)
		logged_print_json(logged, all);
	printf(",\"allowed\":%s}", allowed);
}
