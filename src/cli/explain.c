/* SPDX-License-Identifier: MIT */
/*
 * explain: what would happen to one request, and why, by the very functions that the worker calls.
 * Resolves nothing and connects nowhere: an address that is asked for has to be given.
 */
#include <getopt.h>
#include <stdlib.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "conf/conf.h"
#include "policy/compile.h"
#include "policy/egress.h"
#include "policy/policy.h"
#include "policy/rule.h"

struct question {
	const char      *path;
	const char      *listener; /* null: any, the first */
	struct authority target;
	struct facts     facts;
	bool             connect; /* else a plain request */
	bool             has_client, json;
};

/* What was found, before it is printed. */
struct answer {
	const struct question *q;
	const struct conf     *conf;
	const struct policy   *policy;
	const struct egress   *egress;
	enum policy_answer     rules;
	struct verdict         verdict;
	bool                   client_allowed, port_allowed;
	const struct addr     *address; /* literal or given; null: would be resolved */
	bool                   address_allowed;
	const char            *sep; /* JSON */
};

static void
usage(FILE *to)
{
	fputs("usage: postern explain [-c FILE] [--client IP] [--method M] [--address IP] [--listener NAME] [--at 'mon 09:00'] [--json] TARGET\n"
	      "Says what would happen to a request and why. TARGET is HOST:PORT or HOST (a CONNECT, port 443) or http://HOST/ (a plain GET).\n"
	      "  -c, --config FILE    the configuration (" CLI_DEFAULT_CONF ")\n"
	      "      --client IP      from this client (127.0.0.1)\n"
	      "      --method M       with this method\n"
	      "      --address IP     as if HOST had resolved to this address\n"
	      "      --listener NAME  at this listener (the first)\n"
	      "      --at 'mon 09:00' at this local time (now)\n"
	      "      --json           one JSON object on standard output\n"
	      "exit code: 0 it would be let through, 1 refused, 2 usage, unreadable file, or an address is needed to tell\n",
	    to);
}

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

/* HOST:PORT, HOST, a bare IPv6 address, or a URL. */
static bool
target_read(struct question *q, const char *text)
{
	struct span s = span_str(text);
	struct url  url;
	struct addr addr;
	char        bracketed[ADDR_TEXT_MAX + 2];

	q->connect = true;
	if (strstr(text, "://")) {
		if (!url_parse(s, &url) || url.scheme == SCHEME_OTHER || url.scheme == SCHEME_NONE)
			return false;
		q->target = url.at;
		q->connect = url.scheme == SCHEME_HTTPS;
	} else if (addr_parse(s, &addr) && !addr_is_v4(&addr)) {
		snprintf(bracketed, sizeof bracketed, "[%s]", text);
		if (!authority_parse(span_str(bracketed), &q->target))
			return false;
	} else if (!authority_parse(s, &q->target)) {
		return false;
	}
	if (q->target.port == 0)
		q->target.port = q->connect ? 443 : 80;
	q->facts.host = &q->target.host;
	q->facts.port = q->target.port;
	q->facts.scheme = q->connect ? SCHEME_HTTPS : SCHEME_HTTP;
	if (q->facts.method.n == 0)
		q->facts.method = q->connect ? SPAN("CONNECT") : SPAN("GET");
	return true;
}

/* Options to q; CLI_FINE: go on. -1: help was printed. */
static int
options_read(struct question *q, int argc, char **argv)
{
	enum { OPT_CLIENT = 256, OPT_METHOD, OPT_ADDRESS, OPT_LISTENER, OPT_AT, OPT_JSON };
	static const struct option options[] = {{"config", required_argument, NULL, 'c'}, {"client", required_argument, NULL, OPT_CLIENT},
		{"method", required_argument, NULL, OPT_METHOD}, {"address", required_argument, NULL, OPT_ADDRESS},
		{"listener", required_argument, NULL, OPT_LISTENER}, {"at", required_argument, NULL, OPT_AT}, {"json", no_argument, NULL, OPT_JSON},
		{"help", no_argument, NULL, 'h'}, {"version", no_argument, NULL, 'V'}, {0}};
	int o;

	while ((o = getopt_long(argc, argv, "c:hV", options, NULL)) != -1) {
		switch (o) {
		case 'c':
			q->path = optarg;
			break;
		case OPT_CLIENT:
			q->has_client = true;
			if (!addr_parse(span_str(optarg), &q->facts.client))
				return cli_usage_error("--client takes an IP address");
			break;
		case OPT_METHOD:
			q->facts.method = span_str(optarg);
			if (!method_item_is_token(q->facts.method))
				return cli_usage_error("--method takes a method such as GET");
			break;
		case OPT_ADDRESS:
			q->facts.known |= FACT_ADDRESS;
			if (!addr_parse(span_str(optarg), &q->facts.address))
				return cli_usage_error("--address takes an IP address");
			break;
		case OPT_LISTENER:
			q->listener = optarg;
			break;
		case OPT_AT:
			if (!week_minute_read(span_str(optarg), &q->facts.week_minute))
				return cli_usage_error("--at takes a day and a time such as 'mon 09:00'");
			break;
		case OPT_JSON:
			q->json = true;
			break;
		case 'h':
			usage(stdout);
			return -1;
		case 'V':
			puts("postern " PACKAGE_VERSION);
			return -1;
		default:
			usage(stderr);
			return CLI_USAGE;
		}
	}
	if (argc - optind != 1) {
		usage(stderr);
		return CLI_USAGE;
	}
	if (!target_read(q, argv[optind]))
		return cli_usage_error("the target is not a host that could be asked for; say HOST:PORT, HOST or http://HOST/");
	return CLI_FINE;
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
	printf(",\"held\":%s,\"decided\":%s,\"reported\":%s,\"conditions\":{", t->held ? "true" : "false", t->decided ? "true" : "false",
	    t->reported ? "true" : "false");
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

static void
on_rule(void *arg, const struct trace_rule *t)
{
	static const char *const state[] = {[TRACE_HELD] = "holds", [TRACE_FAILED] = "does not hold", [TRACE_UNKNOWN] = "needs an address"};
	struct answer           *a = arg;
	char                     where[4200];
	bool                     any = false;

	if (a->q->json) {
		rule_print_json(a, t);
		return;
	}
	fputs("rule ", stdout);
	cli_print(stdout, policy_rule_name(a->policy, t->rule));
	fputs(" (", stdout);
	cli_print(stdout, policy_rule_where(a->policy, t->rule));
	fputs(t->decided ? "): holds and decides\n" : t->reported ? "): holds and is only reported\n" : t->held ? "): holds\n" : "): does not hold\n", stdout);
	for (unsigned c = 0; c < COND_COUNT; c++) {
		if (t->cond[c] == TRACE_ABSENT)
			continue;
		any = true;
		printf("    %-9s %s", condition_name(c), state[t->cond[c]]);
		if (policy_condition_where(a->policy, t->rule, c, &a->q->facts, t->cond[c] == TRACE_FAILED, where, sizeof where)) {
			fputs(t->cond[c] == TRACE_FAILED ? ", negated by " : ", by ", stdout);
			cli_print(stdout, span_str(where));
		}
		putchar('\n');
	}
	if (!any)
		puts("    no conditions");
}

/* --- the whole --- */

static bool
is_allowed(const struct answer *a)
{
	return a->client_allowed && a->port_allowed && a->rules == POLICY_VERDICT && a->verdict.action != ACTION_DENY && (!a->address || a->address_allowed);
}

static int
answer_code(const struct answer *a)
{
	if (a->client_allowed && a->port_allowed && a->rules != POLICY_VERDICT && a->rules != POLICY_UNDECIDED)
		return CLI_USAGE;
	return is_allowed(a) ? CLI_FINE : CLI_NEGATIVE;
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
	} else if (a->rules != POLICY_VERDICT) {
		fputs("],\"needs\":\"address\",\"action\":null,\"rule\":null", stdout);
	} else {
		printf("],\"action\":\"%s\",\"rule\":", action_name(a->verdict.action));
		cli_print_json(stdout, policy_rule_name(a->policy, a->verdict.rule));
		fputs(",\"reason\":", stdout);
		cli_print_json(stdout, policy_rule_reason(a->policy, a->verdict.rule));
		printf(",\"guard\":\"%s\"", guard_name(a->verdict.guard));
	}
	printf(",\"client_allowed\":%s,\"port_allowed\":%s", a->client_allowed ? "true" : "false", a->port_allowed ? "true" : "false");
	if (a->address) {
		addr_print(a->address, text);
		printf(",\"address\":\"%s\",\"address_allowed\":%s", text, a->address_allowed ? "true" : "false");
	}
	printf(",\"allowed\":%s}\n", answer_code(a) == CLI_USAGE ? "null" : is_allowed(a) ? "true" : "false");
}

static void
verdict_print(const struct answer *a)
{
	struct span reason = policy_rule_reason(a->policy, a->verdict.rule);

	if (a->rules == POLICY_UNDECIDED) {
		puts("refused: a regex is too slow for this name and gave up, and the decision hangs on it; write it without nested repeats");
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
	if (reason.n > 0) {
		fputs(": ", stdout);
		cli_print(stdout, reason);
	}
	putchar('\n');
}

static void
end_print_text(const struct answer *a)
{
	char text[ADDR_TEXT_MAX];

	verdict_print(a);
	if (!a->client_allowed)
		puts("but the listener's `clients` do not hold for this client: it is closed unread");
	if (!a->port_allowed)
		printf("but port %u is not in %s: refused\n", a->q->facts.port, a->q->connect ? "connect-ports" : "http-ports");
	if (a->address && !a->address_allowed) {
		addr_print(a->address, text);
		printf("but address %s is forbidden by egress-deny: refused\n", text);
	} else if (!a->address && is_allowed(a)) {
		puts("each address of the name is judged by egress-deny before it is connected to; see with --address");
	}
	puts(answer_code(a) == CLI_USAGE ? "=> cannot tell" : is_allowed(a) ? "=> allowed" : "=> refused");
}

static void
answer_print(struct answer *a)
{
	const struct question *q = a->q;
	const struct host     *h = q->facts.host;
	bool                   v6 = h->kind == HOST_ADDR && !addr_is_v4(&h->addr);
	char                   client[ADDR_TEXT_MAX];

	addr_print(&q->facts.client, client);
	if (q->json) {
		fputs("{\"method\":", stdout);
		cli_print_json(stdout, q->facts.method);
		printf(",\"scheme\":\"%s\",\"host\":", q->connect ? "https" : "http");
		cli_print_json(stdout, host_span(h));
		printf(",\"port\":%u,\"client\":\"%s\",\"rules\":[", q->facts.port, client);
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

static bool
cidrs_have(const struct conf_cidrs *cidrs, const struct addr *a)
{
	for (size_t i = 0; i < cidrs->n; i++) {
		struct addr first, last;
		cidr_range(&cidrs->v[i], &first, &last);
		if (memcmp(first.b, a->b, 16) <= 0 && memcmp(a->b, last.b, 16) <= 0)
			return true;
	}
	return false;
}

/* The listener that was named, or the first; null: no such. Its index goes to the facts. */
static const struct conf_listener *
listener_find(const struct conf *c, struct question *q)
{
	const struct conf_listener *l;

	q->facts.listener = 0;
	TAILQ_FOREACH (l, &c->listeners, link) {
		if (!q->listener || span_eq(l->name, span_str(q->listener)))
			return l;
		q->facts.listener++;
	}
	return NULL;
}

static int
ask(struct question *q, const struct conf *c, const struct flat *f, uint32_t policy, uint32_t egress)
{
	const struct conf_listener *l = listener_find(c, q);
	struct answer               a = {.q = q, .conf = c};
	struct policy              *p;
	int                         code;

	if (q->listener && !l)
		return cli_usage_error("--listener: the configuration has no such listener");
	p = policy_open(f->base, f->used, policy, false);
	if (!p)
		return cli_usage_error("out of memory");
	a.policy = p;
	a.egress = egress_at(f->base, egress);
	a.client_allowed = !q->has_client || !l || cidrs_have(&l->clients, &q->facts.client);
	a.port_allowed = egress_port_allowed(a.egress, q->connect, q->facts.port);
	if (q->facts.host->kind == HOST_ADDR)
		a.address = &q->facts.host->addr;
	else if (q->facts.known & FACT_ADDRESS)
		a.address = &q->facts.address;
	a.address_allowed = a.address && egress_allows(a.egress, a.address);
	answer_print(&a);
	code = answer_code(&a);
	policy_close(p);
	return code;
}

int
cli_explain(int argc, char **argv)
{
	struct question q = {.path = CLI_DEFAULT_CONF};
	struct report   r;
	struct flat     f;
	struct conf    *c;
	uint32_t        policy, egress;
	int             code;

	q.facts.client = addr_from_v4(0x7f000001);
	q.facts.week_minute = policy_week_minute(clock_real_us());
	code = options_read(&q, argc, argv);
	if (code != CLI_FINE)
		return code < 0 ? CLI_FINE : code;
	if (!cli_file_readable(q.path))
		return CLI_USAGE;
	report_init(&r);
	flat_init(&f);
	c = conf_load(q.path, &r);
	policy = c ? policy_compile(c, &f, &r) : 0;
	egress = policy ? egress_compile(c, &f) : 0;
	if (egress && r.errors == 0) {
		code = ask(&q, c, &f, policy, egress);
	} else {
		if (c)
			report_print(&r, c, stderr);
		code = cli_usage_error("the configuration has errors; postern check lists them");
	}
	conf_free(c);
	flat_clear(&f);
	report_clear(&r);
	return code;
}
