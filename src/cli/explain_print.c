/* SPDX-License-Identifier: MIT */
/*
 * explain_print: says what was found, to people or as JSON. Asks nothing but the rules' trace.
 */
#include <string.h>

#include "cli/explain.h"

static const char *
action_name(enum action a)
{
	static const char *const name[] = {[ACTION_DENY] = "deny", [ACTION_BYPASS] = "bypass", [ACTION_TUNNEL] = "tunnel", [ACTION_INSPECT] = "inspect"};

	return name[a];
}

static const char *
guard_name(enum guard_mode g)
{
	static const char *const name[] = {[GUARD_ENFORCE] = "enforce", [GUARD_REPORT] = "report", [GUARD_OFF] = "off"};

	return name[g];
}

/* --- what each rule said --- */

static void
rule_print_json(struct answer *a, const struct trace_rule *t)
{
	static const char *const state[] = {[TRACE_HELD] = "held", [TRACE_FAILED] = "failed", [TRACE_UNKNOWN] = "unknown"};
	char                     where[4200];
	const char              *sep = "";

	printf("%s{\"name\":", a->sep);
	cli_print_json(stdout, policy_rule_name(a->policy, t->rule));
	fputs(",\"where\":", stdout);
	cli_print_json(stdout, policy_rule_where(a->policy, t->rule));
	printf(",\"held\":%s,\"decided\":%s,\"reported\":%s,", t->held ? "true" : "false", t->decided ? "true" : "false",
	    t->reported ? "true" : "false");
	fputs("\"conditions\":{", stdout);
	for (unsigned c = 0; c < COND_COUNT; c++) {
		if (t->cond[c] == TRACE_ABSENT)
			continue;
		printf("%s\"%s\":{\"state\":\"%s\"", sep, condition_name(c), state[t->cond[c]]);
		if (policy_condition_where(a->policy, t->rule, c, &a->q->facts, t->cond[c] == TRACE_FAILED, where, sizeof where)) {
			fputs(",\"entry\":", stdout);
			cli_print_json(stdout, span_str(where));
		}
		putchar('}');
		sep = ",";
	}
	fputs("}}", stdout);
	a->sep = ",";
}

static const char *
state_words(const struct answer *a, enum condition c, enum trace_state state)
{
	if (state == TRACE_UNKNOWN)
		return c == COND_ADDRESSES ? "needs an address" : c == COND_CONTENT_TYPES ? "needs the response's type" : "needs to know who asks";
	if (state == TRACE_HELD)
		return "holds";
	if (c >= COND_ORIGIN_TLS && !(a->q->facts.known & FACT_ORIGIN))
		return "does not hold: nothing is known of the server's TLS";
	if (c >= COND_URL && c <= COND_CONTENT_TYPES && !(a->q->facts.known & FACT_REQUEST))
		return "does not hold: a CONNECT has none";
	return "does not hold";
}

static void
on_rule(void *arg, const struct trace_rule *t)
{
	struct answer *a = arg;
	char           where[4200];
	bool           any = false;

	if (t->needs_response && a->n_waits < WAITS_MOST) {
		a->wait[a->n_waits].rule = t->rule;
		a->wait[a->n_waits++].action = t->action;
	}
	if (a->q->json) {
		rule_print_json(a, t);
		return;
	}
	fputs("rule ", stdout);
	cli_print(stdout, policy_rule_name(a->policy, t->rule));
	fputs(" (", stdout);
	cli_print(stdout, policy_rule_where(a->policy, t->rule));
	fputs(t->decided ? "): holds and decides\n" : t->reported ? "): holds and is only reported\n" : t->held ? "): holds\n" :
	    t->needs_address || t->needs_user || t->needs_response ? "): may hold\n" : "): does not hold\n", stdout);
	for (unsigned c = 0; c < COND_COUNT; c++) {
		if (t->cond[c] == TRACE_ABSENT)
			continue;
		any = true;
		printf("    %-9s %s", condition_name(c), state_words(a, c, t->cond[c]));
		if (policy_condition_where(a->policy, t->rule, c, &a->q->facts, t->cond[c] == TRACE_FAILED, where, sizeof where)) {
			fputs(t->cond[c] == TRACE_FAILED ? ", negated by " : ", by ", stdout);
			cli_print(stdout, span_str(where));
		}
		putchar('\n');
	}
	if (!any)
		puts("    no conditions");
	if (t->needs_user && t->held)
		puts("    auth      needs to know who asks");
}

/* --- the whole --- */

bool
answer_is_allowed(const struct answer *a)
{
	return a->client_allowed && a->port_allowed && !a->is_self && a->rules == POLICY_VERDICT && a->verdict.action != ACTION_DENY &&
	    (!a->address || a->address_allowed);
}

/* Inside a tunnel that was opened without a user, nobody can be asked. */
static bool
is_user_unknown(const struct answer *a)
{
	return a->inside && a->q->nobody_asked && a->rules == POLICY_NEED_USER;
}

int
answer_code(const struct answer *a, const struct answer *inside)
{
	if (inside)
		return answer_code(inside, NULL);
	if (a->client_allowed && a->port_allowed && a->rules != POLICY_VERDICT && a->rules != POLICY_UNDECIDED && !is_user_unknown(a))
		return CLI_USAGE;
	return answer_is_allowed(a) ? CLI_FINE : CLI_NEGATIVE;
}

/* What a 407 would offer. */
static void
schemes_print(const struct answer *a, const char *before, const char *between, const char *after)
{
	static const char *const name[AUTH_SCHEMES] = {[AUTH_SCHEME_BASIC] = "basic", [AUTH_SCHEME_NTLM] = "ntlm", [AUTH_SCHEME_NEGOTIATE] = "negotiate"};
	const char              *sep = before;

	if (a->q->json)
		fputs(",\"schemes\":", stdout);
	for (uint32_t i = 0; i < a->auth->n_schemes; i++) {
		if (a->auth->scheme[i] == AUTH_SCHEME_BASIC && !a->auth->basic_without_tls && !a->client_tls)
			continue;
		printf("%s%s", sep, name[a->auth->scheme[i]]);
		sep = between;
	}
	fputs(sep == before ? a->q->json ? "[]" : "nothing" : after, stdout);
}

static void
outcome_print_json(const struct answer *a, uint32_t rule, enum action action)
{
	fputs("{\"rule\":", stdout);
	cli_print_json(stdout, policy_rule_name(a->policy, rule));
	printf(",\"action\":\"%s\"}", action_name(action));
}

static void
waits_print_json(const struct answer *a)
{
	fputs("],\"needs\":\"response\",\"action\":null,\"rule\":null,\"waits\":[", stdout);
	for (unsigned i = 0; i < a->n_waits; i++) {
		fputs(i ? "," : "", stdout);
		outcome_print_json(a, a->wait[i].rule, a->wait[i].action);
	}
	fputs("],\"otherwise\":", stdout);
	outcome_print_json(a, a->verdict.rule, a->verdict.action);
}

/* The next of an effect's lines or names. */
static bool
effect_next(struct span *left, char end, struct span *one)
{
	const char *stop = left->n ? memchr(left->p, end, left->n) : NULL;
	size_t      skip = end == '\r' ? 2 : 1;

	if (!stop)
		return false;
	*one = span_of(left->p, (size_t)(stop - left->p));
	*left = span_of(stop + skip, left->n - one->n - skip);
	return true;
}

/* What the rule does to fields, by its option. */
struct effect {
	const char *option;
	struct span text;
	char        end;
};

static void
effects_list(const struct answer *a, struct effect out[4], struct span *redirect)
{
	struct rule_effects e;

	policy_rule_effects(a->policy, a->verdict.rule, &e);
	*redirect = e.redirect;
	out[0] = (struct effect){"set-request-header", e.set_request, '\r'};
	out[1] = (struct effect){"remove-request-header", e.remove_request, ','};
	out[2] = (struct effect){"set-response-header", e.set_response, '\r'};
	out[3] = (struct effect){"remove-response-header", e.remove_response, ','};
}

static void
effects_print_json(const struct answer *a)
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
		while (effect_next(&e[i].text, e[i].end, &one)) {
			fputs(sep, stdout);
			cli_print_json(stdout, one);
			sep = ",";
		}
		putchar(']');
	}
}

static void
effects_print(const struct answer *a)
{
	struct effect e[4];
	struct span   redirect, one;

	effects_list(a, e, &redirect);
	if (redirect.n) {
		fputs("    redirect  ", stdout);
		cli_print(stdout, redirect);
		puts(a->q->facts.known & FACT_REQUEST ? "" : ", but a CONNECT is answered with the page");
	}
	for (unsigned i = 0; i < 4; i++)
		while (a->q->facts.known & FACT_REQUEST && effect_next(&e[i].text, e[i].end, &one)) {
			printf("    %s  ", e[i].option);
			cli_print(stdout, one);
			putchar('\n');
		}
}

/* What happens by each type that the response may be of. */
static void
waits_print(const struct answer *a)
{
	puts("the request would be sent, and the type of the response decides what becomes of that; say it with --content-type:");
	for (unsigned i = 0; i < a->n_waits; i++) {
		printf("    %s by rule ", action_name(a->wait[i].action));
		cli_print(stdout, policy_rule_name(a->policy, a->wait[i].rule));
		puts(" when its content-types hold");
	}
	printf("    else %s", action_name(a->verdict.action));
	if (a->verdict.rule != RULE_NONE) {
		fputs(" by rule ", stdout);
		cli_print(stdout, policy_rule_name(a->policy, a->verdict.rule));
	} else {
		fputs(": no rule holds", stdout);
	}
	putchar('\n');
}

/* Where what is let through goes: by which parents, from which addresses. */
static void
way_print(const struct answer *a)
{
	const struct rule_way        *way = policy_rule_way(a->policy, a->verdict.rule);
	const struct snapshot_parent *v = snapshot_at(a->snap, a->snap->set->parents.off);
	char                          text[ADDR_TEXT_MAX];
	struct span                   host;

	if (a->verdict.action == ACTION_DENY)
		return;
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
}

static void
way_print_json(const struct answer *a)
{
	const struct rule_way        *way = policy_rule_way(a->policy, a->verdict.rule);
	const struct snapshot_parent *v = snapshot_at(a->snap, a->snap->set->parents.off);
	char                          text[ADDR_TEXT_MAX];
	const char                   *sep = "";

	if (a->verdict.action == ACTION_DENY)
		return;
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
	putchar(']');
}

static void
end_print_json(const struct answer *a)
{
	char text[ADDR_TEXT_MAX];

	printf("],\"reported\":[");
	for (uint32_t i = 0; i < a->verdict.n_reported; i++) {
		fputs(i ? "," : "", stdout);
		cli_print_json(stdout, policy_rule_name(a->policy, a->verdict.reported[i]));
	}
	if (a->rules == POLICY_UNDECIDED) {
		fputs("],\"undecided\":true,\"action\":null,\"rule\":null", stdout);
	} else if (a->rules == POLICY_NEED_RESPONSE) {
		waits_print_json(a);
	} else if (is_user_unknown(a)) {
		fputs("],\"fault\":\"user-unknown\",\"action\":null,\"rule\":null", stdout);
	} else if (a->rules != POLICY_VERDICT) {
		printf("],\"needs\":\"%s\",\"action\":null,\"rule\":null", a->rules == POLICY_NEED_USER ? "user" : "address");
		if (a->rules == POLICY_NEED_USER)
			schemes_print(a, "[\"", "\",\"", "\"]");
	} else {
		printf("],\"action\":\"%s\",\"rule\":", action_name(a->verdict.action));
		cli_print_json(stdout, policy_rule_name(a->policy, a->verdict.rule));
		fputs(",\"reason\":", stdout);
		cli_print_json(stdout, policy_rule_reason(a->policy, a->verdict.rule));
		printf(",\"guard\":\"%s\",\"auth\":\"%s\"", guard_name(a->verdict.guard), a->verdict.auth == AUTH_REQUIRED ? "required" : "none");
		effects_print_json(a);
		way_print_json(a);
	}
	printf(",\"client_allowed\":%s,\"port_allowed\":%s", a->client_allowed ? "true" : "false", a->port_allowed ? "true" : "false");
	if (a->address) {
		addr_print(a->address, text);
		printf(",\"address\":\"%s\",\"address_allowed\":%s", text, a->address_allowed && !a->is_self ? "true" : "false");
	}
}

static void
verdict_print(const struct answer *a)
{
	struct span reason = policy_rule_reason(a->policy, a->verdict.rule);

	if (a->rules == POLICY_UNDECIDED) {
		puts("refused: a regex is too slow for this name and gave up, and the decision hangs on it; write it without nested repeats");
		return;
	}
	if (a->rules == POLICY_NEED_RESPONSE) {
		waits_print(a);
		return;
	}
	if (is_user_unknown(a)) {
		puts("refused: the rule needs to know who asks, and the CONNECT passed without asking; inside a tunnel nobody can be asked (fault user-unknown)");
		return;
	}
	if (a->rules == POLICY_NEED_USER) {
		fputs("would be asked who it is (407), offered: ", stdout);
		schemes_print(a, "", " ", "");
		puts("; say who with --user");
		return;
	}
	if (a->rules != POLICY_VERDICT) {
		puts("the rule needs an address: the gateway would resolve the name and ask again; say one with --address");
		return;
	}
	if (a->verdict.rule == RULE_NONE) {
		puts("deny: no rule holds");
		return;
	}
	printf("%s by rule ", action_name(a->verdict.action));
	cli_print(stdout, policy_rule_name(a->policy, a->verdict.rule));
	if (a->verdict.action == ACTION_BYPASS && a->q->connect)
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
	way_print(a);
}

static void
end_print_text(const struct answer *a)
{
	char text[ADDR_TEXT_MAX];

	verdict_print(a);
	if (!a->client_allowed)
		puts("but the listener's `clients` do not hold for this client: its connection is closed unread, without a line in the access log");
	if (!a->port_allowed)
		printf("but port %u is not in %s: refused before any rule is asked (fault port-denied)\n", a->q->facts.port,
		    a->q->connect ? "connect-ports" : "http-ports");
	if (a->is_self) {
		addr_print(a->address, text);
		printf("but the gateway itself listens on %s port %u: refused (fault self-target)\n", text, a->q->facts.port);
	} else if (a->address && !a->address_allowed) {
		addr_print(a->address, text);
		printf("but address %s is forbidden by egress-deny: refused (fault egress-denied)\n", text);
	} else if (!a->address && !a->inside && answer_is_allowed(a) && policy_rule_way(a->policy, a->verdict.rule)->n_parents) {
		puts("the parent looks the name up: no address of it is judged here");
	} else if (!a->address && !a->inside && answer_is_allowed(a)) {
		puts("each address of the name is judged by egress-deny before it is connected to; see with --address");
	}
}

void
answer_print(struct answer *a)
{
	const struct question *q = a->q;
	const struct host     *h = q->facts.host;
	bool                   v6 = h->kind == HOST_ADDR && !addr_is_v4(&h->addr);
	char                   client[ADDR_TEXT_MAX];

	addr_print(&q->facts.client, client);
	if (q->json) {
		fputs(a->inside ? ",\"inside\":{\"method\":" : "{\"method\":", stdout);
		cli_print_json(stdout, q->facts.method);
		printf(",\"scheme\":\"%s\",\"host\":", q->connect ? "https" : "http");
		cli_print_json(stdout, host_span(h));
		printf(",\"port\":%u,\"client\":\"%s\"", q->facts.port, client);
		if (q->facts.known & FACT_REQUEST) {
			fputs(",\"url\":", stdout);
			cli_print_json(stdout, q->facts.url);
		}
		fputs(",\"rules\":[", stdout);
	} else if (a->inside) {
		fputs("inside the tunnel: ", stdout);
		cli_print(stdout, q->facts.method);
		putchar(' ');
		cli_print(stdout, q->facts.url);
		putchar('\n');
	} else {
		cli_print(stdout, q->facts.method);
		printf(v6 ? " [%s]:%u from %s\n" : " %s:%u from %s\n", h->text, q->facts.port, client);
	}
	a->sep = "";
	a->rules = policy_trace(a->policy, &q->facts, &a->verdict, on_rule, a);
	if (q->json)
		end_print_json(a);
	else
		end_print_text(a);
}

void
answer_print_end(const struct answer *a, const struct answer *inside)
{
	int         code = answer_code(a, inside);
	const char *allowed = code == CLI_USAGE ? "null" : code == CLI_FINE ? "true" : "false";

	if (!a->q->json && !inside && a->q->connect && a->q->is_url && answer_is_allowed(a))
		puts("what is asked for inside the tunnel is seen by no rule");
	if (!a->q->json)
		puts(code == CLI_USAGE ? "=> cannot tell" : code == CLI_FINE ? "=> allowed" : "=> refused");
	else if (inside)
		printf(",\"allowed\":%s},\"allowed\":%s}\n", allowed, allowed);
	else
		printf(",\"allowed\":%s}\n", allowed);
}
