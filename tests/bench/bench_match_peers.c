/* SPDX-License-Identifier: MIT */
/* What host_set is measured against: a plain hash table that is asked for each suffix, PCRE2 with JIT, and Hyperscan where it is installed. */
#include "bench.h"
#include "bench_match.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#ifdef HAVE_HS
#include <hs.h>
#endif
#define XXH_INLINE_ALL
#include <xxhash.h>

static void
print_rate(const char *what, size_t n_patterns, size_t n_asked, double *run, size_t hits)
{
	double s = bench_median(run, BENCH_RUNS);
	printf("  %-42s %9zu patterns %9.1f ns each  %5.1f %% hits\n", what, n_patterns, s / (double)n_asked * 1e9, 100.0 * (double)hits / (double)n_asked);
}

struct chained {
	struct chained *next;
	struct span     x;
	unsigned        exact, below;
};

struct table {
	struct chained **bucket;
	struct chained  *all;
	size_t           mask, n;
};

static struct chained *
table_find(const struct table *t, struct span x)
{
	struct chained *c = t->bucket[XXH3_64bits(x.p, x.n) & t->mask];

	while (c && !span_eq(c->x, x))
		c = c->next;
	return c;
}

static size_t
table_ask(const struct table *t, struct span name)
{
	struct chained *c = table_find(t, name);

	if (c && c->exact)
		return 1;
	for (size_t i = 0; i < name.n; i++) {
		if (name.p[i] != '.')
			continue;
		c = table_find(t, span_of(name.p + i + 1, name.n - i - 1));
		if (c && c->below)
			return 1;
	}
	return 0;
}

void
peer_plain_table(const struct names *patterns, const struct names *asked)
{
	struct table t = {.mask = 1};
	double       run[BENCH_RUNS];
	size_t       hits = 0;

	while (t.mask < patterns->n)
		t.mask = t.mask * 2 + 1;
	t.bucket = calloc(t.mask + 1, sizeof *t.bucket);
	t.all = calloc(patterns->n, sizeof *t.all);
	if (!t.bucket || !t.all)
		bench_die("memory");
	for (size_t i = 0; i < patterns->n; i++) {
		struct span     x = patterns->at[i];
		int             below = x.p[0] == '*';
		struct chained *c;
		if (below)
			x = span_of(x.p + 2, x.n - 2);
		c = table_find(&t, x);
		if (!c) {
			struct chained **b = &t.bucket[XXH3_64bits(x.p, x.n) & t.mask];
			c = &t.all[t.n++];
			c->x = x;
			c->next = *b;
			*b = c;
		}
		c->below |= (unsigned)below;
		c->exact |= (unsigned)!below;
	}
	for (int r = 0; r < BENCH_RUNS; r++) {
		double start = bench_now();
		hits = 0;
		for (size_t i = 0; i < asked->n; i++)
			hits += table_ask(&t, asked->at[i]);
		run[r] = bench_now() - start;
	}
	print_rate("plain hash table, once for each suffix", patterns->n, asked->n, run, hits);
	free(t.bucket);
	free(t.all);
}

/* One pattern as a regex. */
static size_t
put_regex(char *to, struct span x)
{
	size_t n = 0;

	if (x.p[0] == '*') {
		memcpy(to, ".+\\.", 4);
		n = 4;
		x = span_of(x.p + 2, x.n - 2);
	}
	for (size_t i = 0; i < x.n; i++) {
		if (x.p[i] == '.')
			to[n++] = '\\';
		to[n++] = x.p[i];
	}
	return n;
}

/* PCRE2 as Debian builds it (links of two bytes) takes no alternation of 10,000 names: it is cut into as few as it takes. */
#define ALTERNATIVES 500

static pcre2_code *
compile_alternation(const struct names *patterns, size_t from, char *text)
{
	size_t      at = 0, where;
	int         error;
	pcre2_code *code;

	for (size_t i = from; i < patterns->n && i < from + ALTERNATIVES; i++) {
		if (i > from)
			text[at++] = '|';
		at += put_regex(text + at, patterns->at[i]);
	}
	code = pcre2_compile((PCRE2_SPTR)text, at, PCRE2_ANCHORED | PCRE2_ENDANCHORED, &error, &where, NULL);
	if (!code || pcre2_jit_compile(code, PCRE2_JIT_COMPLETE) != 0)
		bench_die("pcre2_compile");
	return code;
}

void
peer_pcre2(const struct names *patterns, const struct names *asked)
{
	size_t            n = (patterns->n + ALTERNATIVES - 1) / ALTERNATIVES, hits = 0, n_asked = asked->n < 2000 ? asked->n : 2000;
	char             *text = malloc(ALTERNATIVES * 600);
	pcre2_code      **code = calloc(n, sizeof *code);
	pcre2_match_data *match = pcre2_match_data_create(1, NULL);
	double            run[BENCH_RUNS];
	char              what[60];

	if (!text || !code || !match)
		bench_die("memory");
	for (size_t i = 0; i < n; i++)
		code[i] = compile_alternation(patterns, i * ALTERNATIVES, text);
	for (int r = 0; r < BENCH_RUNS; r++) {
		double start = bench_now();
		hits = 0;
		for (size_t i = 0; i < n_asked; i++) {
			size_t k = 0;
			while (k < n && pcre2_match(code[k], (PCRE2_SPTR)asked->at[i].p, asked->at[i].n, 0, 0, match, NULL) < 0)
				k++;
			hits += k < n;
		}
		run[r] = bench_now() - start;
	}
	snprintf(what, sizeof what, "PCRE2-JIT, %zu alternations of %d", n, ALTERNATIVES);
	print_rate(what, patterns->n, n_asked, run, hits);
	for (size_t i = 0; i < n; i++)
		pcre2_code_free(code[i]);
	pcre2_match_data_free(match);
	free(code);
	free(text);
}

#ifdef HAVE_HS
static int
on_hs_match(unsigned id, unsigned long long from, unsigned long long to, unsigned flags, void *arg)
{
	(void)id;
	(void)from;
	(void)to;
	(void)flags;
	*(size_t *)arg = 1;
	return 1;
}

void
peer_hyperscan(const struct names *patterns, const struct names *asked)
{
	const char        **text = calloc(patterns->n, sizeof *text);
	char               *block = malloc(patterns->n * 600 + 1);
	unsigned           *flags = calloc(patterns->n, sizeof *flags);
	hs_database_t      *db = NULL;
	hs_compile_error_t *error = NULL;
	hs_scratch_t       *scratch = NULL;
	double              run[BENCH_RUNS], start = bench_now();
	size_t              at = 0, hits = 0;

	if (!text || !block || !flags)
		bench_die("memory");
	for (size_t i = 0; i < patterns->n; i++) {
		text[i] = block + at;
		block[at++] = '^';
		at += put_regex(block + at, patterns->at[i]);
		block[at++] = '$';
		block[at++] = '\0';
		flags[i] = HS_FLAG_SINGLEMATCH | HS_FLAG_DOTALL;
	}
	if (hs_compile_multi(text, flags, NULL, (unsigned)patterns->n, HS_MODE_BLOCK, NULL, &db, &error) != HS_SUCCESS ||
	    hs_alloc_scratch(db, &scratch) != HS_SUCCESS) {
		printf("  libhs does not take %zu patterns\n", patterns->n);
		goto out;
	}
	printf("  %-42s %9zu patterns compiled in %.2f s\n", "libhs (Hyperscan or Vectorscan)", patterns->n, bench_now() - start);
	for (int r = 0; r < BENCH_RUNS; r++) {
		start = bench_now();
		hits = 0;
		for (size_t i = 0; i < asked->n; i++) {
			size_t hit = 0;
			hs_scan(db, asked->at[i].p, (unsigned)asked->at[i].n, 0, scratch, on_hs_match, &hit);
			hits += hit;
		}
		run[r] = bench_now() - start;
	}
	print_rate("libhs (Hyperscan or Vectorscan)", patterns->n, asked->n, run, hits);
out:
	hs_free_compile_error(error);
	hs_free_scratch(scratch);
	hs_free_database(db);
	free(flags);
	free(block);
	free(text);
}
#else
void
peer_hyperscan(const struct names *patterns, const struct names *asked)
{
	(void)patterns;
	(void)asked;
	printf("  libhs was not there when this was built\n");
}
#endif
