/* SPDX-License-Identifier: MIT */
/*
 * explain: what would happen to one request, and why, by the very functions that the worker calls.
 * Resolves nothing and connects nowhere: an address that is asked for has to be given.
 */
#include <getopt.h>
#include <stdlib.h>

#include <unistd.h>

#include "audit/check.h"
#include "base/clock.h"
#include "cli/cli.h"
#include "conf/conf.h"
#include "policy/rule.h"
#include "policy/snapshot.h"
#include "session/gateway.h"

#define GROUPS_MOST 256

struct question {
	const char      *path;
	const char      *listener; /* null: any, the first */
	struct authority target;
	struct facts     facts;
	bool             connect; /* else a plain request */
	struct who       who;
	struct span      group[GROUPS_MOST];
	bool             has_client, json;
};

/* What was found, before it is printed. */
struct answer {
	const struct question *q;
	const struct policy   *policy;
	enum policy_answer     rules;
	struct verdict         verdict;
	bool                   client_allowed, port_allowed;
	const struct addr     *address; /* literal or given; null: would be resolved */
	bool                   address_allowed;
	bool                   is_self;
	const struct auth_settings *auth;
	const char            *sep; /* JSON */
};

static void
usage(FILE *to)
{
	fputs("usage: postern explain [-c FILE] [--client IP] [--user NAME] [--group NAME] [--method M] [--address IP] [--listener NAME] [--at 'mon 09:00'] [--json] TARGET\n"
	      "Says what would happen to a request and why. TARGET is HOST:PORT or HOST (a CONNECT, port 443) or http://HOST/ (a plain GET).\n"
	      "Resolves nothing and connects nowhere.\n"
	      "  -c, --config FILE    the configuration (" CLI_DEFAULT_CONF ")\n"
	      "      --client IP      from this client (127.0.0.1)\n"
	      "      --user NAME      asked by CORP\\alice, alice@CORP.EXAMPLE, alice or CORP\\WS01$, who is known to be that; or nobody: without credentials\n"
	      "                       (again, with another spelling: the same user's realm)\n"
	      "      --group NAME     who is in this group (again for more)\n"
	      "      --method M       with this method, for a plain request\n"
	      "      --address IP     as if HOST had resolved to this address\n"
	      "      --listener NAME  at this listener (the first)\n"
	      "      --at 'mon 09:00' at this local time (now)\n"
	      "      --json           one JSON object on standard output\n"
	      "exit code: 0 it would be let through, 1 refused, 2 usage, unreadable or wrong file, or an address or a user is needed to tell\n",
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
static int
target_read(struct question *q, const char *text)
{
	struct span s = span_str(text);
	struct url  url;
	struct addr addr;
	char        bracketed[ADDR_TEXT_MAX + 2];
	bool        ok;

	q->connect = true;
	if (strstr(text, "://")) {
		ok = url_parse(s, &url);
		if (ok && url.scheme != SCHEME_HTTP && url.scheme != SCHEME_HTTPS)
			return cli_usage_error("only http and https are spoken here; the gateway would answer 501 (fault bad-scheme)");
		if (ok)
			q->target = url.at;
		q->connect = ok && url.scheme == SCHEME_HTTPS;
	} else if (addr_parse(s, &addr) && !addr_is_v4(&addr)) {
		snprintf(bracketed, sizeof bracketed, "[%s]", text);
		ok = authority_parse(span_str(bracketed), &q->target);
	} else {
		ok = authority_parse(s, &q->target);
	}
	if (!ok)
		return cli_usage_error("the target is no host that could be asked for: the gateway would answer 400 (fault bad-target); say HOST:PORT, HOST or "
		                       "http://HOST/, without a user, and an address in full");
	if (q->connect && q->facts.method.n && !span_eq(q->facts.method, SPAN("CONNECT")))
		return cli_usage_error("--method goes with http://HOST/; HOST:PORT and https:// are a CONNECT");
	if (!q->connect && span_eq(q->facts.method, SPAN("CONNECT")))
		return cli_usage_error("--method CONNECT goes with HOST:PORT, not with a URL");
	if (q->target.port == 0)
		q->target.port = q->connect ? 443 : 80;
	q->facts.host = &q->target.host;
	q->facts.port = q->target.port;
	q->facts.scheme = q->connect ? SCHEME_HTTPS : SCHEME_HTTP;
	if (q->facts.method.n == 0)
		q->facts.method = q->connect ? SPAN("CONNECT") : SPAN("GET");
	return CLI_FINE;
}

/* `nobody`, or "": a request without credentials. */
static bool
user_read(struct question *q, struct span name)
{
	if (span_eq(name, SPAN("nobody")) || name.n == 0) {
		q->facts.bare = true;
		return !(q->facts.known & FACT_USER);
	}
	q->facts.known |= FACT_USER;
	q->facts.who = &q->who;
	return !q->facts.bare && who_read(name, &q->who);
}

/* Options to q; CLI_FINE: go on. -1: help was printed. */
static int
options_read(struct question *q, int argc, char **argv)
{
	enum { OPT_CLIENT = 256, OPT_USER, OPT_GROUP, OPT_METHOD, OPT_ADDRESS, OPT_LISTENER, OPT_AT, OPT_JSON };
	static const struct option options[] = {{"config", required_argument, NULL, 'c'}, {"client", required_argument, NULL, OPT_CLIENT},
		{"user", required_argument, NULL, OPT_USER}, {"group", required_argument, NULL, OPT_GROUP}, {"method", required_argument, NULL, OPT_METHOD}, {"address", required_argument, NULL, OPT_ADDRESS},
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
		case OPT_USER:
			if (!user_read(q, span_str(optarg)))
				return cli_usage_error("--user takes CORP\\alice, alice@CORP.EXAMPLE or alice, or nobody alone; given again, another spelling of the same");
			break;
		case OPT_GROUP:
			if (q->who.n_groups == GROUPS_MOST || !*optarg)
				return cli_usage_error("--group takes a group such as 'CORP\\Proxy Users' or a SID, at most %d of them", GROUPS_MOST);
			q->group[q->who.n_groups++] = span_str(optarg);
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
	if (q->who.n_groups && !(q->facts.known & FACT_USER))
		return cli_usage_error("--group goes with --user: who is in it?");
	return target_read(q, argv[optind]);
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

static void
on_rule(void *arg, const struct trace_rule *t)
{
	static const char *const state[] = {[TRACE_HELD] = "holds", [TRACE_FAILED] = "does not hold", [TRACE_UNKNOWN] = "is not known"};
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
	fputs(t->decided ? "): holds and decides\n" : t->reported ? "): holds and is only reported\n" : t->held ? "): holds\n" : t->needs_address || t->needs_user ? "): may hold\n" : "): does not hold\n", stdout);
	for (unsigned c = 0; c < COND_COUNT; c++) {
		if (t->cond[c] == TRACE_ABSENT)
			continue;
		any = true;
		printf("    %-9s %s", condition_name(c), t->cond[c] == TRACE_UNKNOWN ? c == COND_ADDRESSES ? "needs an address" : "needs to know who asks" : state[t->cond[c]]);
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

static bool
is_allowed(const struct answer *a)
{
	return a->client_allowed && a->port_allowed && !a->is_self && a->rules == POLICY_VERDICT && a->verdict.action != ACTION_DENY &&
	    (!a->address || a->address_allowed);
}

static int
answer_code(const struct answer *a)
{
	if (a->client_allowed && a->port_allowed && a->rules != POLICY_VERDICT && a->rules != POLICY_UNDECIDED)
		return CLI_USAGE;
	return is_allowed(a) ? CLI_FINE : CLI_NEGATIVE;
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
		/* no listener speaks TLS in this version */
		if (a->auth->scheme[i] == AUTH_SCHEME_BASIC && !a->auth->basic_without_tls)
			continue;
		printf("%s%s", sep, name[a->auth->scheme[i]]);
		sep = between;
	}
	fputs(sep == before ? a->q->json ? "[]" : "nothing" : after, stdout);
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
		printf("],\"needs\":\"%s\",\"action\":null,\"rule\":null", a->rules == POLICY_NEED_USER ? "user" : "address");
		if (a->rules == POLICY_NEED_USER)
			schemes_print(a, "[\"", "\",\"", "\"]");
	} else {
		printf("],\"action\":\"%s\",\"rule\":", action_name(a->verdict.action));
		cli_print_json(stdout, policy_rule_name(a->policy, a->verdict.rule));
		fputs(",\"reason\":", stdout);
		cli_print_json(stdout, policy_rule_reason(a->policy, a->verdict.rule));
		printf(",\"guard\":\"%s\",\"auth\":\"%s\"", guard_name(a->verdict.guard), a->verdict.auth == AUTH_REQUIRED ? "required" : "none");
	}
	printf(",\"client_allowed\":%s,\"port_allowed\":%s", a->client_allowed ? "true" : "false", a->port_allowed ? "true" : "false");
	if (a->address) {
		addr_print(a->address, text);
		printf(",\"address\":\"%s\",\"address_allowed\":%s", text, a->address_allowed && !a->is_self ? "true" : "false");
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
ask(struct question *q, const struct conf *c, const struct snapshot *s)
{
	const struct conf_listener *l = listener_find(c, q);
	const struct egress        *egress = egress_at(s->block, s->set->egress);
	struct answer               a = {.q = q, .policy = s->policy, .auth = &s->set->auth};
	uint64_t                   *row = NULL;

	if (q->listener && !l)
		return cli_usage_error("--listener: the configuration has no such listener");
	a.client_allowed = !q->has_client || !l || cidrs_have(&l->clients, &q->facts.client);
	a.port_allowed = egress_port_allowed(egress, q->connect, q->facts.port);
	if (q->facts.host->kind == HOST_ADDR)
		a.address = &q->facts.host->addr;
	else if (q->facts.known & FACT_ADDRESS)
		a.address = &q->facts.address;
	a.address_allowed = a.address && egress_allows(egress, a.address);
	a.is_self = a.address && snapshot_is_self(s, a.address, q->facts.port);
	if (q->facts.known & FACT_USER) {
		row = calloc(policy_row_words(s->policy), sizeof *row);
		if (!row)
			return cli_usage_error("out of memory");
		policy_user_row(s->policy, &q->who, row);
		q->facts.user_row = row;
	}
	answer_print(&a);
	free(row);
	return answer_code(&a);
}

/* Where the gateway would listen; ports that the kernel is to choose are not known. */
static size_t
own_places(const struct conf *c, struct endpoint own[LISTENER_SLOTS])
{
	const struct conf_listener *l;
	size_t                      n = 0;

	TAILQ_FOREACH (l, &c->listeners, link)
		for (size_t i = 0; i < l->address.n && n < LISTENER_SLOTS; i++)
			if (l->address.v[i].port)
				own[n++] = l->address.v[i];
	return n;
}

/* As the parent would build it; null: what is wrong is in `r`. */
static struct snapshot *
snapshot_of(const struct conf *c, struct report *r)
{
	struct endpoint        own[LISTENER_SLOTS];
	struct snapshot_inputs in = {.generation = 1, .own = own, .n_own = own_places(c, own)};
	struct snapshot       *s;
	int                    block;

	log_formats_check(c, r);
	block = snapshot_build(c, &in, r);
	if (block < 0)
		return NULL;
	s = snapshot_open(block, true);
	close(block);
	return s;
}

int
cli_explain(int argc, char **argv)
{
	struct question  q = {.path = CLI_DEFAULT_CONF};
	struct report    r;
	struct conf     *c;
	struct snapshot *s;
	int              code;

	q.facts.client = addr_from_v4(0x7f000001);
	q.who.group = q.group;
	q.facts.week_minute = policy_week_minute(clock_real_us());
	code = options_read(&q, argc, argv);
	if (code != CLI_FINE)
		return code < 0 ? CLI_FINE : code;
	if (!cli_file_readable(q.path))
		return CLI_USAGE;
	report_init(&r);
	c = conf_load(q.path, &r);
	s = c ? snapshot_of(c, &r) : NULL;
	if (s) {
		code = ask(&q, c, s);
	} else {
		if (c)
			report_print(&r, c, stderr);
		code = cli_usage_error(r.errors ? "the configuration has errors: nothing can be explained by it" : "out of memory");
	}
	snapshot_unref(s);
	conf_free(c);
	report_clear(&r);
	return code;
}
