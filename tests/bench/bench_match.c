/* SPDX-License-Identifier: MIT */
/*
 * bench_match: how fast a million host patterns are compiled and asked, and how much memory they take. Figures are medians of five runs
 * that take turns with the pointer chase that they are compared with.
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"
#include "bench_match.h"
#include "match/host_set.h"

#define MILLION     1000000u
#define ASKED       1000000u
#define CHASE_BYTES ((size_t)64 << 20)

static const uint8_t key[16] = "a key for bench";
static uint64_t      seed = 20261121;

/* --- the ruler: one dependent access to random memory --- */

struct chase {
	uint32_t *next; /* a single cycle through all cache lines */
	size_t    lines;
};

static void
chase_init(struct chase *c)
{
	uint32_t *order;

	c->lines = CHASE_BYTES / 64;
	c->next = mmap(NULL, CHASE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	order = calloc(c->lines, sizeof *order);
	if (c->next == MAP_FAILED || !order)
		bench_die("memory");
	for (size_t i = 0; i < c->lines; i++)
		order[i] = (uint32_t)i;
	for (size_t i = c->lines - 1; i > 0; i--) {
		size_t   j = bench_random(&seed) % (i + 1);
		uint32_t swap = order[i];
		order[i] = order[j];
		order[j] = swap;
	}
	for (size_t i = 0; i < c->lines; i++)
		c->next[(size_t)order[i] * 16] = order[(i + 1) % c->lines];
	free(order);
}

static double
chase_ns(const struct chase *c)
{
	volatile uint32_t keep;
	uint32_t                 at = 0;
	size_t                   n = 2 * MILLION;
	double                   start = bench_now();

	for (size_t i = 0; i < n; i++)
		at = c->next[(size_t)at * 16];
	keep = at;
	(void)keep;
	return (bench_now() - start) / (double)n * 1e9;
}

/* --- names --- */

static size_t
put_label(char *to)
{
	static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
	size_t            n = 3 + bench_random(&seed) % 10;

	for (size_t i = 0; i < n; i++)
		to[i] = alphabet[bench_random(&seed) % (i && i < n - 1 ? 37 : 26)];
	return n;
}

static size_t
put_name(char *to, unsigned labels)
{
	static const char *const top[] = {"com", "net", "org", "de", "io", "co", "uk", "fr", "nl", "info", "cloud", "app"};
	size_t                   n = 0;

	while (--labels) {
		n += put_label(to + n);
		to[n++] = '.';
	}
	strcpy(to + n, top[bench_random(&seed) % 12]);
	return n + strlen(to + n);
}

static void
names_init(struct names *a, size_t n, size_t bytes)
{
	a->n = n;
	a->at = calloc(n, sizeof *a->at);
	a->text = malloc(bytes + 16);
	if (!a->at || !a->text)
		bench_die("memory");
}

static void
names_clear(struct names *a)
{
	free(a->at);
	free(a->text);
}

/* Random names of 2 to 5 labels, a third of them below a star. */
static void
make_patterns(struct names *a, size_t n)
{
	char *to;

	names_init(a, n, n * 70);
	to = a->text;
	for (size_t i = 0; i < n; i++) {
		char *start = to;
		if (bench_random(&seed) % 3 == 0) {
			*to++ = '*';
			*to++ = '.';
		}
		to += put_name(to, 2 + (unsigned)(bench_random(&seed) % 4));
		a->at[i] = span_of(start, (size_t)(to - start));
	}
}

/* Half of them match a pattern, taken at random; in random order, side by side in memory in that order. */
static void
make_asked(struct names *a, const struct names *patterns, size_t n)
{
	char *to;

	names_init(a, n, n * 90);
	to = a->text;
	for (size_t i = 0; i < n; i++) {
		char       *start = to;
		struct span x = patterns->at[bench_random(&seed) % patterns->n];
		if (bench_random(&seed) % 2) {
			to += put_name(to, 2 + (unsigned)(bench_random(&seed) % 4));
		} else {
			if (x.p[0] == '*') {
				to += put_label(to);
				x = span_of(x.p + 1, x.n - 1);
			}
			memcpy(to, x.p, x.n);
			to += x.n;
		}
		a->at[i] = span_of(start, (size_t)(to - start));
	}
}

/* --- compiling --- */

struct built {
	struct flat      f;
	int              fd;
	const void      *block;
	size_t           size;
	uint32_t         off;
	struct host_set *set;
	double           read_s, parse_s, add_s, finish_s;
};

static void
write_file(const char *path, const struct names *patterns)
{
	FILE *out = fopen(path, "w");

	if (!out)
		bench_die("fopen");
	for (size_t i = 0; i < patterns->n; i++)
		fprintf(out, "%.*s\n", SPAN_ARG(patterns->at[i]));
	if (fclose(out) != 0)
		bench_die("write");
}

static void
built_open(struct built *b)
{
	b->fd = flat_seal(&b->f, "bench");
	b->block = b->fd < 0 ? NULL : flat_map(b->fd, &b->size);
	b->set = b->block ? host_set_open(b->block, b->size, b->off, true) : NULL;
	if (!b->set)
		bench_die("host_set_open");
}

static void
built_clear(struct built *b)
{
	host_set_close(b->set);
	flat_unmap(b->block, b->size);
	close(b->fd);
	flat_clear(&b->f);
}

/* From a text file to a finished block, as the gateway does it. */
static void
compile(struct built *b, const char *path)
{
	struct host_set_builder *builder = host_set_builder_new(key);
	FILE                    *in = fopen(path, "r");
	char                    *text = NULL, why[HOST_SPEC_WHY];
	size_t                   room = 0;
	ssize_t                  n;
	uint32_t                 line = 0;
	struct host_spec         spec;
	double                   start, parsed = 0;

	if (!builder || !in)
		bench_die("fopen");
	flat_init(&b->f);
	start = bench_now();
	while ((n = getline(&text, &room, in)) > 0) {
		if (!host_spec_parse(span_of(text, (size_t)n - 1), &spec, why) || !host_set_builder_add(builder, &spec, 1, ++line, why))
			bench_die(why);
	}
	parsed = bench_now();
	b->off = host_set_builder_finish(builder, &b->f);
	b->finish_s = bench_now() - parsed;
	b->add_s = parsed - start;
	if (!b->off)
		bench_die("host_set_builder_finish");
	host_set_builder_free(builder);
	fclose(in);
	/* the parts, each measured alone */
	in = fopen(path, "r");
	start = bench_now();
	while (in && getline(&text, &room, in) > 0)
		;
	b->read_s = bench_now() - start;
	rewind(in);
	start = bench_now();
	while ((n = getline(&text, &room, in)) > 0)
		if (!host_spec_parse(span_of(text, (size_t)n - 1), &spec, why))
			bench_die(why);
	b->parse_s = bench_now() - start - b->read_s;
	fclose(in);
	free(text);
}

/* --- asking --- */

static uint32_t *loose_room;

static double
throughput_ns(const struct host_set *h, const struct names *asked, size_t *hits)
{
	struct host_hit hit = {.loose = loose_room};
	double          start = bench_now();

	*hits = 0;
	for (size_t i = 0; i < asked->n; i++) {
		host_set_find(h, asked->at[i], &hit);
		*hits += (hit.set != 0) | (hit.n_loose != 0);
	}
	return (bench_now() - start) / (double)asked->n * 1e9;
}

/* Which name is next depends on the answer. */
static double
latency_ns(const struct host_set *h, const struct names *asked)
{
	volatile size_t      keep;
	struct host_hit        hit = {.loose = loose_room};
	size_t                 at = 0;
	double                 start = bench_now();

	for (size_t i = 0; i < asked->n; i++) {
		host_set_find(h, asked->at[at], &hit);
		at += 1 + (hit.set >> 31); /* arithmetic, so that no branch is guessed */
		at = at < asked->n ? at : 0;
	}
	keep = at;
	(void)keep;
	return (bench_now() - start) / (double)asked->n * 1e9;
}

static void
bench_million(const struct chase *chase)
{
	struct names patterns, asked, few;
	struct built b = {0};
	double       total[BENCH_RUNS], read[BENCH_RUNS], parse[BENCH_RUNS], finish[BENCH_RUNS], through[BENCH_RUNS], late[BENCH_RUNS], ruler[BENCH_RUNS];
	char         path[] = "bench-match-XXXXXX";
	size_t       hits = 0, text = 0;
	double       ns;

	close(mkstemp(path));
	make_patterns(&patterns, MILLION);
	make_asked(&asked, &patterns, ASKED);
	for (size_t i = 0; i < patterns.n; i++)
		text += patterns.at[i].n;
	write_file(path, &patterns);
	for (int r = 0; r < BENCH_RUNS; r++) {
		if (r)
			flat_clear(&b.f);
		compile(&b, path);
		read[r] = b.read_s;
		parse[r] = b.parse_s;
		finish[r] = b.finish_s;
		total[r] = b.add_s + b.finish_s;
	}
	unlink(path);
	built_open(&b);
	printf("%u patterns of %.1f bytes: compiled in %.3f s (reading %.3f, host_spec_parse %.3f, finish %.3f), at most 1\n", MILLION,
	    (double)text / MILLION, bench_median(total, BENCH_RUNS), bench_median(read, BENCH_RUNS), bench_median(parse, BENCH_RUNS),
	    bench_median(finish, BENCH_RUNS));
	printf("  resident for each pattern                  %.1f bytes, at most 48\n", (double)b.f.used / MILLION);
	for (int r = 0; r < BENCH_RUNS; r++) {
		ruler[r] = chase_ns(chase);
		through[r] = throughput_ns(b.set, &asked, &hits);
		late[r] = latency_ns(b.set, &asked);
	}
	ns = bench_median(ruler, BENCH_RUNS);
	printf("  one dependent random access in 64 MiB      %.1f ns\n", ns);
	printf("  look-up, throughput                        %.1f ns = %.2f x that access, at most 2.0 (%.1f %% hits)\n", bench_median(through, BENCH_RUNS),
	    bench_median(through, BENCH_RUNS) / ns, 100.0 * (double)hits / ASKED);
	printf("  look-up, latency (each waits for the last) %.1f ns = %.2f x\n", bench_median(late, BENCH_RUNS), bench_median(late, BENCH_RUNS) / ns);
	printf("beside it:\n");
	peer_plain_table(&patterns, &asked);
	few = patterns;
	few.n = 10000;
	names_clear(&asked);
	make_asked(&asked, &few, 100000);
	peer_plain_table(&few, &asked);
	peer_pcre2(&few, &asked);
	peer_hyperscan(&few, &asked);
	built_clear(&b);
	names_clear(&asked);
	names_clear(&patterns);
}

/* --- the shipped list, and regexes --- */

static const char *const shipped[] = {"aka.ms", "graph.windows.net", "*.manage.microsoft.com", "*.events.data.microsoft.com",
	"v10c.events.data.microsoft.com", "v10.events.data.microsoft.com", "v20.events.data.microsoft.com", "v10.vortex-win.data.microsoft.com",
	"vortex-win.data.microsoft.com", "settings-win.data.microsoft.com", "adl.windows.com", "watson.telemetry.microsoft.com",
	"oca.telemetry.microsoft.com", "umwatsonc.events.data.microsoft.com", "kmwatsonc.events.data.microsoft.com",
	"ceuswatcab01.blob.core.windows.net", "ceuswatcab02.blob.core.windows.net", "eaus2watcab01.blob.core.windows.net",
	"eaus2watcab02.blob.core.windows.net", "weus2watcab01.blob.core.windows.net", "weus2watcab02.blob.core.windows.net", "login.live.com"};

static void
build(struct built *b, const char *const *item, size_t n)
{
	struct host_set_builder *builder = host_set_builder_new(key);
	struct host_spec         spec;
	char                     why[HOST_SPEC_WHY];

	if (!builder)
		bench_die("memory");
	flat_init(&b->f);
	for (size_t i = 0; i < n; i++)
		if (!host_spec_parse(span_str(item[i]), &spec, why) || !host_set_builder_add(builder, &spec, 1 + (uint32_t)i % 7, (uint32_t)i, why))
			bench_die(why);
	b->off = host_set_builder_finish(builder, &b->f);
	host_set_builder_free(builder);
	if (!b->off)
		bench_die("host_set_builder_finish");
	built_open(b);
}

static void
bench_shipped(void)
{
	struct names list, asked;
	struct built b = {0};
	double       run[BENCH_RUNS], ns;
	size_t       hits = 0, n = sizeof shipped / sizeof *shipped;

	names_init(&list, n, 0);
	for (size_t i = 0; i < n; i++)
		list.at[i] = span_str(shipped[i]);
	make_asked(&asked, &list, 100000);
	build(&b, shipped, n);
	for (int r = 0; r < BENCH_RUNS; r++)
		run[r] = throughput_ns(b.set, &asked, &hits);
	ns = bench_median(run, BENCH_RUNS);
	printf("the %zu shipped names: %.1f million look-ups a second, at least 25 (%.1f ns, %.1f %% hits)\n", n, 1e3 / ns, ns, 100.0 * (double)hits / 100000);
	built_clear(&b);
	names_clear(&asked);
	names_clear(&list);
}

static void
bench_regexes(void)
{
	enum { N = 1000, NAMES = 20000 };
	static char        text[N][80];
	static const char *item[N];
	struct names       asked[2];
	struct built       b = {0};
	double             run[2][BENCH_RUNS];
	size_t             hits[2];
	char              *to[2];

	for (unsigned i = 0; i < N; i++) {
		snprintf(text[i], sizeof text[i], "re:(v|w)[0-9]+-node%u[a-f]?\\.(eu|us)\\.example%u\\.com", i, i % 10);
		item[i] = text[i];
	}
	build(&b, item, N);
	loose_room = calloc(host_set_loose_tags(b.set), sizeof *loose_room);
	for (unsigned k = 0; k < 2; k++) {
		names_init(&asked[k], NAMES, NAMES * 100);
		to[k] = asked[k].text;
		for (unsigned i = 0; i < NAMES; i++) {
			char *start = to[k];
			if (k == 0)
				to[k] += put_name(to[k], 3);
			else
				to[k] += sprintf(to[k], "v%u-node%u.eu.example%u.com", i % 100, i % N, i % N % 10);
			asked[k].at[i] = span_of(start, (size_t)(to[k] - start));
		}
	}
	for (int r = 0; r < BENCH_RUNS; r++)
		for (unsigned k = 0; k < 2; k++)
			run[k][r] = throughput_ns(b.set, &asked[k], &hits[k]);
	printf("%d regexes (JIT %s): a name without any of their literals %.1f ns (%zu hits), one that matches %.1f ns (%zu of %d hits)\n", N,
	    host_set_has_jit(b.set) ? "on" : "off", bench_median(run[0], BENCH_RUNS), hits[0], bench_median(run[1], BENCH_RUNS), hits[1], NAMES);
	free(loose_room);
	loose_room = NULL;
	built_clear(&b);
	names_clear(&asked[0]);
	names_clear(&asked[1]);
}

int
main(void)
{
	struct chase chase;

	chase_init(&chase);
	bench_million(&chase);
	bench_shipped();
	bench_regexes();
	munmap(chase.next, CHASE_BYTES);
	return 0;
}
