/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>

#include "match/host_set.h"
#include "match/name_index.h"

#ifdef WITH_SANITIZERS
#define EFFORT 1
#else
#define EFFORT 8
#endif

#define TAGS     8
#define PATTERNS 48

static const uint8_t key[16] = {7, 1, 3};
static uint64_t      seed = 99;

static uint32_t
below(uint32_t n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((seed >> 33) % n);
}

/* --- the slow, obvious version --- */

struct slow {
	struct host_spec spec;
	char             item[80];
	uint32_t         tag, origin;
	regex_t          posix;
	bool             has_posix;
};

static bool
slow_glob(const char *g, const char *s)
{
	if (*g == '*')
		return slow_glob(g + 1, s) || (*s && slow_glob(g, s + 1));
	return *g == *s && (!*g || slow_glob(g + 1, s + 1));
}

static bool
slow_is_below(const char *x, const char *name)
{
	size_t n = strlen(name), k = strlen(x);
	return n > k + 1 && name[n - k - 1] == '.' && strcmp(name + n - k, x) == 0;
}

static bool
slow_matches(const struct slow *p, const char *name)
{
	switch (p->spec.kind) {
	case SPEC_EXACT:
		return strcmp(p->spec.text, name) == 0;
	case SPEC_BELOW:
		return slow_is_below(p->spec.text, name);
	case SPEC_TREE:
		return strcmp(p->spec.text, name) == 0 || slow_is_below(p->spec.text, name);
	case SPEC_ALL:
		return true;
	case SPEC_GLOB:
		return slow_glob(p->spec.text, name);
	case SPEC_REGEX:
		return regexec(&p->posix, name, 0, NULL, 0) == 0;
	case SPEC_ADDR:
		break;
	}
	return false;
}

/* --- a built set --- */

struct built {
	struct flat              f;
	char                    *block; /* a copy of exact size, so that the sanitizer sees what reads beyond it */
	struct host_set         *set;
	uint32_t                *loose;
	struct host_set_builder *b;
};

static void
built_begin(struct built *w)
{
	*w = (struct built){.b = host_set_builder_new(key)};
	assert_non_null(w->b);
	flat_init(&w->f);
}

static void
built_add(struct built *w, const char *item, uint32_t tag, uint32_t origin)
{
	struct host_spec s;
	char             why[HOST_SPEC_WHY];

	if (!host_spec_parse(span_str(item), &s, why) || !host_set_builder_add(w->b, &s, tag, origin, why))
		fail_msg("%s: %s", item, why);
}

static void
built_end(struct built *w, bool jit)
{
	uint32_t off = host_set_builder_finish(w->b, &w->f);

	assert_int_not_equal(off, 0);
	host_set_builder_free(w->b);
	assert_int_equal(posix_memalign((void **)&w->block, 64, w->f.used), 0);
	memcpy(w->block, w->f.base, w->f.used);
	w->set = host_set_open(w->block, w->f.used, off, jit);
	assert_non_null(w->set);
	w->loose = calloc(host_set_loose_tags(w->set) + 1, sizeof *w->loose);
	flat_clear(&w->f);
}

static void
built_clear(struct built *w)
{
	host_set_close(w->set);
	free(w->block);
	free(w->loose);
}

/* The tags of a name as bits, with all that a hit promises checked. The name lies in a block of exact size. */
static uint64_t
tags_of(struct built *w, const char *name)
{
	size_t          n = strlen(name);
	char           *exact = malloc(n + !n);
	struct host_hit hit = {.loose = w->loose};
	const uint32_t *tag;
	uint32_t        n_tags;
	uint64_t        bits = 0;

	memcpy(exact, name, n);
	host_set_find(w->set, span_of(exact, n), &hit);
	free(exact);
	assert_in_range(hit.set, 0, host_set_count(w->set) - 1);
	if (hit.node != UINT32_MAX)
		assert_in_range(hit.node, 0, host_set_nodes(w->set) - 1);
	tag = host_set_tags(w->set, hit.set, &n_tags);
	for (uint32_t i = 0; i < n_tags; i++) {
		assert_true(i == 0 || tag[i] > tag[i - 1]);
		bits |= (uint64_t)1 << tag[i];
	}
	assert_in_range(hit.n_loose, 0, host_set_loose_tags(w->set));
	for (uint32_t i = 0; i < hit.n_loose; i++) {
		assert_true(i == 0 || w->loose[i] > w->loose[i - 1]);
		assert_false(bits >> w->loose[i] & 1);
	}
	for (uint32_t i = 0; i < hit.n_loose; i++)
		bits |= (uint64_t)1 << w->loose[i];
	return bits;
}

static int
compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

static void
check_name(struct built *w, const struct slow *p, size_t n, const char *name, bool origins)
{
	uint64_t want = 0, got = tags_of(w, name);

	for (size_t i = 0; i < n; i++)
		if (slow_matches(&p[i], name))
			want |= (uint64_t)1 << p[i].tag;
	if (got != want) {
		for (size_t i = 0; i < n; i++)
			print_message("%s tag %u\n", p[i].item, p[i].tag);
		fail_msg("%s: tags %lx, should be %lx", name, (unsigned long)got, (unsigned long)want);
	}
	for (uint32_t tag = 0; origins && tag < TAGS; tag++) {
		uint32_t a[PATTERNS] = {0}, b[PATTERNS], n_a, n_b = 0;
		for (size_t i = 0; i < n; i++)
			if (p[i].tag == tag && slow_matches(&p[i], name))
				b[n_b++] = p[i].origin;
		n_a = host_set_origins(w->set, span_str(name), tag, a, PATTERNS);
		assert_int_equal(n_a, n_b);
		qsort(a, n_a, sizeof *a, compare);
		qsort(b, n_b, sizeof *b, compare);
		assert_memory_equal(a, b, n_a * sizeof *a);
		/* too little room: the count stays, nothing is written beyond */
		a[0] = 12345;
		assert_int_equal(host_set_origins(w->set, span_str(name), tag, a, 0), n_b);
		assert_int_equal(a[0], 12345);
	}
}

/* --- random patterns and names over a small alphabet, so that they meet --- */

static size_t
random_name(char *to, unsigned most)
{
	unsigned labels = 1 + below(most);
	size_t   n = 0;

	while (labels--) {
		unsigned k = 1 + (below(4) == 0);
		while (k--)
			to[n++] = "ab"[below(2)];
		if (labels)
			to[n++] = '.';
	}
	to[n] = '\0';
	return n;
}

static void
random_item(char item[80], bool loose)
{
	static const char *const regex[] = {"a.*", ".*b", "(a|b)\\.ab", "a+\\.b+", "[ab]+\\.a\\.b", "ab|b\\.a", "a?b?\\.aa\\.[ab]", "(ab\\.)*b", "b{1,2}\\.a",
		"(a\\.b|b\\.a)(\\.a)?", "aa\\.b.*", "a\\.a\\.a|b", ".+\\.(a|bb)\\.b+", "ab\\.(ab\\.)?b\\.[^b]"};
	char                     name[40];

	random_name(name, 4);
	switch (below(loose ? 6 : 4)) {
	case 0:
		snprintf(item, 80, "%s", name);
		break;
	case 1:
		snprintf(item, 80, "*.%s", name);
		break;
	case 2:
		snprintf(item, 80, ".%s", name);
		break;
	case 3:
		snprintf(item, 80, "%s", below(40) ? name : "*");
		break;
	case 4:
		snprintf(item, 80, "%s", name);
		for (unsigned i = 1 + below(2); i; i--) {
			size_t n = strlen(item), at = below((uint32_t)n + 1);
			memmove(item + at + 1, item + at, n + 1 - at);
			item[at] = '*';
		}
		if (item[0] == '.' || strstr(item, "..") || (item[0] == '*' && item[1] == '.' && item[2] == '\0'))
			strcpy(item, "a*b");
		break;
	default:
		snprintf(item, 80, "re:%s", regex[below(sizeof regex / sizeof *regex)]);
	}
}

static void
random_patterns(struct built *w, struct slow *p, size_t n, bool loose)
{
	char text[120], why[HOST_SPEC_WHY];

	for (size_t i = 0; i < n; i++) {
		p[i] = (struct slow){.tag = below(TAGS), .origin = 100 + (uint32_t)i};
		if (i && below(6) == 0) /* the same pattern with another tag */
			strcpy(p[i].item, p[i - 1].item);
		else
			random_item(p[i].item, loose);
		if (!host_spec_parse(span_str(p[i].item), &p[i].spec, why))
			fail_msg("%s: %s", p[i].item, why);
		if (p[i].spec.kind == SPEC_REGEX) {
			snprintf(text, sizeof text, "^(%.*s)$", SPAN_ARG(p[i].spec.regex));
			assert_int_equal(regcomp(&p[i].posix, text, REG_EXTENDED | REG_NOSUB), 0);
			p[i].has_posix = true;
		}
		built_add(w, p[i].item, p[i].tag, p[i].origin);
	}
}

static void
clear_patterns(struct slow *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i].has_posix)
			regfree(&p[i].posix);
}

static void
check_random(unsigned rounds, unsigned names, bool loose)
{
	static struct slow p[PATTERNS];

	for (unsigned r = 0; r < rounds; r++) {
		struct built w;
		size_t       n = 1 + below(PATTERNS);
		char         name[120];
		built_begin(&w);
		random_patterns(&w, p, n, loose);
		built_end(&w, r % 2);
		for (unsigned i = 0; i < names; i++) {
			random_name(name, i % 16 ? 6 : 30);
			check_name(&w, p, n, name, i % 32 == 0);
		}
		built_clear(&w);
		clear_patterns(p, n);
	}
}

static void
test_names_and_suffixes_match_as_the_obvious_version_does(void **state)
{
	(void)state;
	check_random(100 * EFFORT, 3000, false);
}

static void
test_all_kinds_together_match_as_the_obvious_version_does(void **state)
{
	(void)state;
	check_random(60 * EFFORT, 1500, true);
}

/* Every string of up to 7 bytes over "ab." and a foreign one: canonical names as the obvious version, others merely answered. */
static void
test_every_short_string_is_answered(void **state)
{
	static struct slow p[PATTERNS];

	(void)state;
	for (unsigned r = 0; r < 2 * EFFORT; r++) {
		struct built w;
		char         name[8];
		built_begin(&w);
		random_patterns(&w, p, PATTERNS, true);
		built_end(&w, true);
		for (unsigned len = 0; len < 8; len++)
			for (unsigned code = 0; code < 1u << (2 * len); code++) {
				bool canonical = len > 0;
				for (unsigned i = 0; i < len; i++)
					name[i] = "ab.\xff"[code >> (2 * i) & 3];
				name[len] = '\0';
				for (unsigned i = 0; i < len; i++)
					canonical &= name[i] != '\xff' && (name[i] != '.' || (i > 0 && i + 1 < len && name[i + 1] != '.'));
				if (canonical)
					check_name(&w, p, PATTERNS, name, false);
				else
					tags_of(&w, name);
			}
		built_clear(&w);
		clear_patterns(p, PATTERNS);
	}
}

static void
test_patterns_mean_what_the_manual_says(void **state)
{
	static const struct {
		const char *item, *name;
		bool        holds;
	} rows[] = {
		{"x.com", "x.com", true}, {"x.com", "www.x.com", false}, {"x.com", "evilx.com", false}, {"x.com", "com", false},
		{"*.x.com", "x.com", false}, {"*.x.com", "www.x.com", true}, {"*.x.com", "a.b.x.com", true}, {"*.x.com", "evilx.com", false},
		{"*.x.com", "evil.x.com.evil", false},
		{".x.com", "x.com", true}, {".x.com", "www.x.com", true}, {".x.com", "evilx.com", false}, {".x.com", "x.comx", false},
		{"*", "anything", true}, {"*", "a.b", true},
		{"*vortex*.data.microsoft.com", "vortex.data.microsoft.com", true}, {"*vortex*.data.microsoft.com", "v10.vortex-win.data.microsoft.com", true},
		{"*vortex*.data.microsoft.com", "vortex.x.y.data.microsoft.com", true}, {"*vortex*.data.microsoft.com", "data.microsoft.com", false},
		{"*vortex*.data.microsoft.com", "vortex.data.microsoft.com.evil", false}, {"microsoft.com*", "microsoft.com.malware.com", true},
		{"re:v[0-9]+\\.x", "v10.x", true}, {"re:v[0-9]+\\.x", "av10.x", false}, {"re:v[0-9]+\\.x", "v10.x.y", false}, {"re:V[0-9]+\\.X", "v10.x", true},
		{"re:a|b", "b", true}, {"re:a|b", "ab", false}, {"re:a|ab", "ab", true},
		{"https://*.manage.microsoft.com/", "r.manage.microsoft.com", true}, {"WWW.X.com.", "www.x.com", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct built w;
		built_begin(&w);
		built_add(&w, rows[i].item, 5, 1);
		built_end(&w, true);
		if (tags_of(&w, rows[i].name) != (rows[i].holds ? 1u << 5 : 0))
			fail_msg("%s on %s", rows[i].item, rows[i].name);
		built_clear(&w);
	}
}

static void
test_numbers_of_sets_are_as_promised(void **state)
{
	struct built    w;
	struct host_hit hit = {0};
	struct addr     in, out;
	const uint32_t *tag;
	uint32_t        n, origin[4];

	(void)state;
	built_begin(&w);
	built_add(&w, "*", 3, 30);
	built_add(&w, "a.b", 1, 10);
	built_add(&w, "10.0.0.0/8", 2, 20);
	built_add(&w, "10.1.0.0/16", 4, 40);
	built_end(&w, true);
	host_set_find(w.set, SPAN("z"), &hit);
	assert_int_equal(hit.set, 0);
	assert_int_equal(hit.node, UINT32_MAX);
	tag = host_set_tags(w.set, 0, &n);
	assert_int_equal(n, 1);
	assert_int_equal(tag[0], 3);
	assert_true(addr_parse(SPAN("10.1.2.3"), &in) && addr_parse(SPAN("11.0.0.1"), &out));
	host_set_find_addr(w.set, &out, &hit);
	assert_int_equal(hit.set, 1); /* `*` holds no address */
	host_set_tags(w.set, 1, &n);
	assert_int_equal(n, 0);
	host_set_find_addr(w.set, &in, &hit);
	tag = host_set_tags(w.set, hit.set, &n);
	assert_int_equal(n, 2);
	assert_int_equal(tag[0], 2);
	assert_int_equal(tag[1], 4);
	assert_in_range(hit.set, 2, host_set_count(w.set) - 1);
	assert_int_equal(host_set_origins_addr(w.set, &in, 4, origin, 4), 1);
	assert_int_equal(origin[0], 40);
	assert_int_equal(host_set_nodes(w.set), 1);
	assert_true(host_set_has_jit(w.set));
	built_clear(&w);
}

static void
test_an_empty_set_holds_nothing(void **state)
{
	struct built w;
	struct addr  a;
	struct host_hit hit;

	(void)state;
	built_begin(&w);
	built_end(&w, true);
	assert_int_equal(tags_of(&w, "a.b"), 0);
	assert_true(addr_parse(SPAN("::"), &a));
	host_set_find_addr(w.set, &a, &hit);
	assert_int_equal(hit.set, 1);
	built_clear(&w);
}

/* Many names of all lengths up to the longest: each is found, its neighbours are not, and nodes are numbered without gaps. */
static void
test_every_one_of_many_names_is_found(void **state)
{
	enum { N = 20000 * EFFORT };
	static char  name[N][HOSTNAME_MAX + 1];
	struct built w;
	uint8_t     *seen = calloc(N, 1);

	(void)state;
	built_begin(&w);
	for (uint32_t i = 0; i < N; i++) {
		size_t n = (size_t)snprintf(name[i], sizeof name[i], "%c%x-%u", 'a' + below(26), below(1u << 30), i), most = i % 50 ? 20 + below(30) : HOSTNAME_MAX;
		for (size_t label = n; n < most; n++, label++) {
			name[i][n] = (char)(label >= 30 && n + 1 < most && name[i][n - 1] != '.' ? '.' : 'a' + below(26));
			label = name[i][n] == '.' ? 0 : label;
		}
		name[i][n] = '\0';
		built_add(&w, name[i], 1, i);
	}
	built_end(&w, true);
	assert_int_equal(host_set_nodes(w.set), N);
	for (uint32_t i = 0; i < N; i++) {
		struct host_hit hit = {0};
		size_t          n = strlen(name[i]), at = below((uint32_t)n);
		uint32_t        origin;
		char            old = name[i][at];
		host_set_find(w.set, span_of(name[i], n), &hit);
		assert_int_equal(host_set_origins(w.set, span_of(name[i], n), 1, &origin, 1), 1);
		assert_int_equal(origin, i);
		assert_int_equal(seen[hit.node]++, 0);
		host_set_find(w.set, span_of(name[i] + 1, n - 1), &hit);
		assert_int_equal(hit.set, 0);
		name[i][at] = old == '.' ? '-' : '_'; /* no name here has one */
		host_set_find(w.set, span_of(name[i], n), &hit);
		assert_int_equal(hit.node, UINT32_MAX);
		name[i][at] = old;
	}
	free(seen);
	built_clear(&w);
}

/* Strangers that pass the filter and fall into a bucket with names, as someone who knew the key would choose them. */
static void
test_a_stranger_that_passes_the_filter_is_not_let_through(void **state)
{
	struct name_index x = {.n_lines = 1};
	struct name_line  line = {0};
	struct built      w;
	char              name[40];
	unsigned          depth, passed = 0;
	uint64_t          family;

	(void)state;
	name_key_init(&x.key, key);
	built_begin(&w);
	for (unsigned i = 0; i < 23; i++) {
		uint64_t h;
		snprintf(name, sizeof name, "h%02u.example.com", i);
		built_add(&w, name, 1, i);
		h = name_hash(&x.key, span_str(name), &family, &depth);
		assert_int_equal(depth, 3);
		for (unsigned k = 0; k < 4; k++)
			line.filter[k] |= (uint64_t)1 << (h >> (6 * k) & 63);
	}
	built_end(&w, true);
	for (unsigned i = 0; i < 300000; i++) {
		snprintf(name, sizeof name, "%c%02x.example.com", 'a' + i % 26, i);
		if (i >= 0x100)
			snprintf(name, sizeof name, "%x.e%u.example.com", i, i % 7);
		if (name[0] == 'h' || !name_filter(&line, name_hash(&x.key, span_str(name), &family, &depth)))
			continue;
		passed++;
		assert_int_equal(tags_of(&w, name), 0);
	}
	assert_in_range(passed, 300, 300000);
	built_clear(&w);
}

struct cover_row {
	uint32_t tag, origin, by;
};

static struct cover_row covered[32];
static unsigned         n_covered;

static void
on_covered(void *arg, uint32_t tag, uint32_t origin, uint32_t by)
{
	(void)arg;
	assert_in_range(n_covered, 0, 31);
	covered[n_covered++] = (struct cover_row){tag, origin, by};
}

static void
test_superfluous_patterns_are_named(void **state)
{
	static const struct {
		const char *item;
		uint32_t    tag;
		int         by; /* row that covers it; -1 none */
	} rows[] = {
		{"a.x.com", 1, 3}, {"a.x.com", 2, -1}, {"*.b.x.com", 1, 3}, {"*.x.com", 1, -1}, {"x.com", 1, -1}, {"a.x.com", 2, 1},
		{".y.com", 1, -1}, {"y.com", 1, 6}, {"*.y.com", 1, 6}, {".z.y.com", 1, 6},
		{"*v*.z.com", 1, -1}, {"v10.z.com", 1, 10}, {"v10.z.com", 2, -1}, {"*v*.z.com", 1, 10},
		{"re:a+", 1, -1}, {"re:a+", 1, 14}, {"re:a+", 3, 18}, {"q.org", 3, 18}, {"*", 3, -1}, {"*", 3, 18},
		{"10.0.0.0/8", 1, -1}, {"10.1.0.0/16", 1, 20}, {"10.1.2.3", 1, 20}, {"10.1.0.0/16", 2, -1},
	};
	struct built w;
	unsigned     at = 0, n = sizeof rows / sizeof *rows;

	(void)state;
	built_begin(&w);
	for (unsigned i = 0; i < n; i++)
		built_add(&w, rows[i].item, rows[i].tag, i);
	n_covered = 0;
	host_set_builder_covered(w.b, NULL, on_covered, NULL);
	for (unsigned i = 0; i < n; i++) {
		if (rows[i].by < 0)
			continue;
		assert_in_range(at, 0, n_covered - 1);
		assert_int_equal(covered[at].origin, i);
		assert_int_equal(covered[at].tag, rows[i].tag);
		assert_int_equal(covered[at].by, rows[i].by);
		at++;
	}
	assert_int_equal(at, n_covered);
	built_end(&w, true); /* and asking changed nothing */
	assert_int_equal(tags_of(&w, "a.x.com"), 1u << 1 | 1u << 2 | 1u << 3);
	built_clear(&w);
}

static void
test_the_most_specific_origin_comes_first(void **state)
{
	struct built w;
	uint32_t     origin[8];

	(void)state;
	built_begin(&w);
	built_add(&w, "*", 1, 50);
	built_add(&w, "*b.c*", 1, 40);
	built_add(&w, ".c", 1, 30);
	built_add(&w, "*.b.c", 1, 20);
	built_add(&w, "a.b.c", 1, 10);
	built_add(&w, "a.b.c", 1, 11);
	built_add(&w, "a.b.c", 2, 12);
	built_end(&w, true);
	assert_int_equal(host_set_origins(w.set, SPAN("a.b.c"), 1, origin, 8), 6);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(origin[i], i < 2 ? 10 + i : 10 * i);
	built_clear(&w);
}

static void
test_a_block_that_is_not_a_set_is_refused(void **state)
{
	struct flat              f;
	struct host_set_builder *b = host_set_builder_new(key);
	uint32_t                 off;

	(void)state;
	flat_init(&f);
	off = host_set_builder_finish(b, &f);
	host_set_builder_free(b);
	assert_int_not_equal(off, 0);
	assert_null(host_set_open(f.base, f.used, 0, true));
	assert_null(host_set_open(f.base, f.used, off + 8, true));
	assert_null(host_set_open(f.base, f.used, (uint32_t)f.used, true));
	assert_null(host_set_open(f.base, f.used - 1, off, true));
	assert_null(host_set_open(f.base, off + 4, off, true));
	flat_clear(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_patterns_mean_what_the_manual_says),
		cmocka_unit_test(test_names_and_suffixes_match_as_the_obvious_version_does),
		cmocka_unit_test(test_all_kinds_together_match_as_the_obvious_version_does),
		cmocka_unit_test(test_every_short_string_is_answered),
		cmocka_unit_test(test_numbers_of_sets_are_as_promised),
		cmocka_unit_test(test_an_empty_set_holds_nothing),
		cmocka_unit_test(test_every_one_of_many_names_is_found),
		cmocka_unit_test(test_a_stranger_that_passes_the_filter_is_not_let_through),
		cmocka_unit_test(test_superfluous_patterns_are_named),
		cmocka_unit_test(test_the_most_specific_origin_comes_first),
		cmocka_unit_test(test_a_block_that_is_not_a_set_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
