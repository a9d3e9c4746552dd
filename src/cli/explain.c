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
#include "cli/explain.h"
#include "conf/conf.h"
#include "parse/octet.h"
#include "policy/rule.h"
#include "session/gateway.h"

static void
usage(FILE *to)
{
	fputs("usage: postern explain [-c FILE] [--client IP] [--user NAME] [--group NAME] [--method M] [--address IP] [--listener NAME] [--at 'mon 09:00']\n"
	      "                       [--header 'NAME: VALUE'] [--content-type TYPE] [--origin-tls V] [--origin-strength BITS] [--json] TARGET\n"
	      "Says what would happen to a request and why. TARGET is HOST:PORT or HOST (a CONNECT, port 443), http://HOST/PATH (a plain GET) or https://HOST/PATH\n"
	      "(a CONNECT and, when that is inspected, the GET inside).\n"
	      "Resolves nothing and connects nowhere.\n"
	      "  -c, --config FILE    the configuration (" CLI_DEFAULT_CONF ")\n"
	      "      --client IP      from this client (127.0.0.1)\n"
	      "      --user NAME      asked by CORP\\alice, alice@CORP.EXAMPLE, alice or CORP\\WS01$, who is known to be that; or nobody: without credentials\n"
	      "                       (again, with another spelling: the same user's realm)\n"
	      "      --group NAME     who is in this group (again for more)\n"
	      "      --method M       with this method, for a URL\n"
	      "      --address IP     as if HOST had resolved to this address\n"
	      "      --listener NAME  at this listener (the first)\n"
	      "      --at 'mon 09:00' at this local time (now)\n"
	      "      --header FIELD   with this header field, 'Name: value', for a URL (again for more)\n"
	      "      --content-type T as if the response were of this media type; '' for none\n"
	      "      --origin-tls V   as if the server spoke TLS 1.2 or 1.3, and\n"
	      "      --origin-strength BITS  of this strength, inside an inspected tunnel\n"
	      "      --json           one JSON object on standard output\n"
	      "exit code: 0 it would be let through, 1 refused, 2 usage, unreadable or wrong file, or an address, a user or the type of the response is\n"
	      "needed to tell\n",
	    to);
}

/* HOST:PORT, HOST, a bare IPv6 address, or a URL. */
static bool
place_read(struct question *q, const char *text)
{
	struct span s = span_str(text);
	struct addr addr;
	char        bracketed[ADDR_TEXT_MAX + 2];

	q->connect = true;
	if (strstr(text, "://")) {
		q->is_url = true;
		if (!url_parse(s, &q->url))
			return false;
		q->target = q->url.at;
		q->connect = q->url.scheme == SCHEME_HTTPS;
		return true;
	}
	if (addr_parse(s, &addr) && !addr_is_v4(&addr)) {
		snprintf(bracketed, sizeof bracketed, "[%s]", text);
		s = span_str(bracketed);
	}
	return authority_parse(s, &q->target);
}

static int
target_read(struct question *q, const char *text)
{
	if (!place_read(q, text))
		return cli_usage_error("the target is no host that could be asked for: the gateway would answer 400 (fault bad-target); say HOST:PORT, HOST or "
		                       "http://HOST/, without a user, and an address in full");
	if (q->is_url && q->url.scheme == SCHEME_OTHER)
		return cli_usage_error("only http and https are spoken here; the gateway would answer 501 (fault bad-scheme)");
	if (!q->is_url && q->method.n && !span_eq(q->method, SPAN("CONNECT")))
		return cli_usage_error("--method goes with http://HOST/ or https://HOST/; HOST:PORT is a CONNECT");
	if (q->is_url && span_eq(q->method, SPAN("CONNECT")))
		return cli_usage_error("--method CONNECT goes with HOST:PORT, not with a URL");
	if (!q->is_url && (q->n_fields || q->facts.known & (FACT_RESPONSE | FACT_ORIGIN)))
		return cli_usage_error("--header, --content-type and --origin-tls go with http://HOST/ or https://HOST/; nothing is read of a CONNECT");
	if (!q->connect && q->facts.known & FACT_ORIGIN)
		return cli_usage_error("--origin-tls and --origin-strength go with https://HOST/");
	if (q->target.port == 0)
		q->target.port = q->connect ? 443 : 80;
	q->facts.host = &q->target.host;
	q->facts.port = q->target.port;
	q->facts.scheme = q->connect ? SCHEME_HTTPS : SCHEME_HTTP;
	if (q->method.n == 0)
		q->method = SPAN("GET");
	q->facts.method = q->connect ? SPAN("CONNECT") : q->method;
	return question_read(q);
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
	enum { OPT_CLIENT = 256, OPT_USER, OPT_GROUP, OPT_METHOD, OPT_ADDRESS, OPT_LISTENER, OPT_AT, OPT_JSON, OPT_HEADER, OPT_TYPE,
		OPT_TLS, OPT_STRENGTH };
	static const struct option options[] = {{"config", required_argument, NULL, 'c'}, {"client", required_argument, NULL, OPT_CLIENT},
		{"user", required_argument, NULL, OPT_USER}, {"group", required_argument, NULL, OPT_GROUP}, {"method", required_argument, NULL, OPT_METHOD}, {"address", required_argument, NULL, OPT_ADDRESS},
		{"listener", required_argument, NULL, OPT_LISTENER}, {"at", required_argument, NULL, OPT_AT}, {"json", no_argument, NULL, OPT_JSON},
		{"header", required_argument, NULL, OPT_HEADER}, {"content-type", required_argument, NULL, OPT_TYPE},
		{"origin-tls", required_argument, NULL, OPT_TLS}, {"origin-strength", required_argument, NULL, OPT_STRENGTH},
		{"help", no_argument, NULL, 'h'}, {"version", no_argument, NULL, 'V'}, {0}};
	uint32_t bits, last;
	int      o;

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
			q->method = span_str(optarg);
			if (!octet_is_token(q->method))
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
		case OPT_HEADER:
			if (!question_add_header(q, optarg))
				return CLI_USAGE;
			break;
		case OPT_TYPE:
			q->facts.known |= FACT_RESPONSE;
			q->facts.response_type = span_str(optarg);
			break;
		case OPT_TLS:
			q->facts.known |= FACT_ORIGIN;
			q->facts.origin_tls = strcmp(optarg, "1.3") == 0 ? 0x0304 : 0x0303;
			if (strcmp(optarg, "1.2") != 0 && strcmp(optarg, "1.3") != 0)
				return cli_usage_error("--origin-tls takes 1.2 or 1.3");
			break;
		case OPT_STRENGTH:
			q->facts.known |= FACT_ORIGIN;
			if (!port_item_read(span_str(optarg), &bits, &last) || bits != last)
				return cli_usage_error("--origin-strength takes a number of bits such as 128");
			q->facts.origin_strength = (uint16_t)bits;
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

/* What is asked, and what comes after it when that is a CONNECT which is inspected. */
static int
ask_inside(struct question *q, struct answer *a)
{
	struct answer inside = *a;

	answer_print(a);
	if (!q->connect || !q->is_url || !answer_is_allowed(a) || a->verdict.action != ACTION_INSPECT) {
		answer_print_end(a, NULL);
		return answer_code(a, NULL);
	}
	inside.inside = true;
	question_go_inside(q, a->policy);
	answer_print(&inside);
	answer_print_end(a, &inside);
	return answer_code(a, &inside);
}

static int
ask(struct question *q, const struct conf *c, const struct snapshot *s)
{
	const struct conf_listener *l = listener_find(c, q);
	const struct egress        *egress = egress_at(s->block, s->set->egress);
	struct answer               a = {.q = q, .policy = s->policy, .auth = &s->set->auth, .snap = s};
	uint64_t                   *row = NULL;
	int                         code;

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
	code = ask_inside(q, &a);
	free(row);
	return code;
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
	if (code == CLI_FINE && !cli_file_readable(q.path))
		code = CLI_USAGE;
	if (code != CLI_FINE) {
		question_clear(&q);
		return code < 0 ? CLI_FINE : code;
	}
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
	question_clear(&q);
	return code;
}
