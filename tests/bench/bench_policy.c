/* SPDX-License-Identifier: MIT */
/*
 * bench_policy: a whole policy_decide beside the host look-up in it: 1,000 rules, ten of them without hosts, spread among the others and
 * holding for nobody here, conditions of every kind in use. Half of the names asked for are known. Medians of five runs that take turns.
 */
#include <stdarg.h>
#include <string.h>

#include "bench.h"
#include "conf/conf.h"
#include "policy/compile.h"
#include "policy/policy.h"

#define RULES 1000
#define ASKED 100000

static uint64_t seed = 20261121;

struct site {
	struct conf        conf;
	struct conf_rule   rule[RULES];
	struct conf_list   list[RULES];
	char               list_name[RULES][16], rule_name[RULES][16], list_item[RULES][16];
	struct conf_item   item[RULES][4]; /* hosts, ports, clients, methods */
	struct conf_item  *entries;
	char             (*text)[48];
	struct conf_file   file;
};

static void
put_name(char *to, size_t room, unsigned long i, bool known)
{
	snprintf(to, room, "h%lx.%c%lu.example-%lx.com", i, known ? 'k' : 'u', i % 97, i * 2654435761u % 50021);
}

static struct conf_items
one(struct conf_item *item, const char *text)
{
	*item = (struct conf_item){.text = span_str(text), .at = {0, 1}};
	return (struct conf_items){item, 1};
}

/* Rules as a large site has them: each names a list of its own; a few conditions here and there. */
static struct site *
site_new(size_t patterns)
{
	struct site *s = calloc(1, sizeof *s);
	size_t       each = patterns / RULES;

	if (!s || !(s->entries = calloc(patterns, sizeof *s->entries)) || !(s->text = calloc(patterns, sizeof *s->text)))
		bench_die("memory");
	TAILQ_INIT(&s->conf.listeners);
	TAILQ_INIT(&s->conf.lists);
	TAILQ_INIT(&s->conf.rules);
	TAILQ_INIT(&s->conf.logs);
	s->file = (struct conf_file){.path = (char[]){"bench"}, .lines = patterns};
	s->conf.files = &s->file;
	s->conf.n_files = 1;
	for (size_t i = 0; i < patterns; i++) {
		size_t n = i % 3 == 0 ? (size_t)snprintf(s->text[i], 3, "*.") : 0;
		put_name(s->text[i] + n, sizeof s->text[i] - n, i, true);
		s->entries[i] = (struct conf_item){.text = span_str(s->text[i]), .at = {0, (uint32_t)i}};
	}
	for (unsigned i = 0; i < RULES; i++) {
		struct conf_rule *r = &s->rule[i];
		snprintf(s->rule_name[i], sizeof s->rule_name[i], "rule%u", i);
		snprintf(s->list_name[i], sizeof s->list_name[i], "list%u", i);
		snprintf(s->list_item[i], sizeof s->list_item[i], "@list%u", i);
		r->name = span_str(s->rule_name[i]);
		r->has_action = true;
		r->action = i % 2 ? ACTION_BYPASS : ACTION_DENY;
		r->force = true;
		if (i % 100 == 50) {
			r->clients = one(&s->item[i][2], "10.99.0.0/16");
		} else {
			s->list[i].name = span_str(s->list_name[i]);
			s->list[i].hosts = (struct conf_items){s->entries + i * each, each};
			TAILQ_INSERT_TAIL(&s->conf.lists, &s->list[i], link);
			r->hosts = one(&s->item[i][0], s->list_item[i]);
		}
		if (i % 10 == 3)
			r->ports = one(&s->item[i][1], "443");
		if (i % 10 == 4)
			r->clients = one(&s->item[i][2], "10.0.0.0/8");
		if (i % 10 == 5)
			r->methods = one(&s->item[i][3], "CONNECT");
		TAILQ_INSERT_TAIL(&s->conf.rules, r, link);
	}
	return s;
}

static struct host *
hosts_new(size_t patterns)
{
	struct host *h = calloc(ASKED, sizeof *h);

	if (!h)
		bench_die("memory");
	for (size_t i = 0; i < ASKED; i++) {
		bool          known = bench_random(&seed) & 1;
		unsigned long n = bench_random(&seed) % patterns;
		char          name[64];
		put_name(name, sizeof name, n, known);
		h[i].kind = HOST_NAME;
		h[i].n = (uint8_t)snprintf(h[i].text, sizeof h[i].text, known && n % 3 == 0 ? "www.%s" : "%s", name);
	}
	return h;
}

static volatile uint64_t sink;

static double
decide_ns(const struct policy *p, const struct host *hosts, uint64_t *held)
{
	struct facts   f = {.port = 443, .scheme = SCHEME_HTTPS, .method = SPAN("CONNECT"), .client = addr_from_v4(0x0a000001), .week_minute = 600};
	struct verdict v;
	double         start = bench_now();

	*held = 0;
	for (size_t i = 0; i < ASKED; i++) {
		f.host = &hosts[i];
		policy_decide(p, &f, &v);
		*held += v.rule != RULE_NONE;
	}
	return (bench_now() - start) / ASKED * 1e9;
}

static double
look_up_ns(const struct policy *p, const struct host *hosts, uint32_t *loose)
{
	const struct host_set *set = policy_hosts(p);
	struct host_hit        hit = {.loose = loose};
	uint64_t               sum = 0;
	double                 start = bench_now();

	for (size_t i = 0; i < ASKED; i++) {
		host_set_find(set, host_span(&hosts[i]), &hit);
		sum += hit.set;
	}
	sink = sum;
	return (bench_now() - start) / ASKED * 1e9;
}

static void
measure(size_t patterns)
{
	struct site   *s = site_new(patterns);
	struct host   *hosts = hosts_new(patterns);
	struct report  r;
	struct flat    f;
	struct policy *p;
	uint32_t       off, loose[1];
	uint64_t       held = 0;
	double         start, compiled, decide[BENCH_RUNS], look_up[BENCH_RUNS], ratio[BENCH_RUNS];

	report_init(&r);
	flat_init(&f);
	start = bench_now();
	off = policy_compile(&s->conf, &f, &r);
	compiled = bench_now() - start;
	p = off ? policy_open(f.base, f.used, off, true) : NULL;
	if (!p)
		bench_die("policy_compile");
	for (int i = 0; i < BENCH_RUNS; i++) {
		look_up[i] = look_up_ns(p, hosts, loose);
		decide[i] = decide_ns(p, hosts, &held);
		ratio[i] = decide[i] / look_up[i];
	}
	printf("%8zu patterns, %d rules: compiled in %.3f s, %.1f MiB; decide %.0f ns, its host look-up %.0f ns, ratio %.2f (at most 2); %.0f %% decided by a rule\n",
	    patterns, RULES, compiled, (double)f.used / 1048576, bench_median(decide, BENCH_RUNS), bench_median(look_up, BENCH_RUNS),
	    bench_median(ratio, BENCH_RUNS), (double)held * 100 / ASKED);
	policy_close(p);
	flat_clear(&f);
	report_clear(&r);
	free(s->entries);
	free(s->text);
	free(s);
	free(hosts);
}

int
main(void)
{
	measure(10000);
	measure(1000000);
	return 0;
}
