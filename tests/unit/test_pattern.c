/* SPDX-License-Identifier: MIT */
/* What loose patterns are made of: globs, regexes with their bounds, and the literals that are searched for before either is tried. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "match/glob.h"
#include "match/loose.h"
#include "match/pattern.h"

#ifndef WITH_SANITIZERS
/* every allocation of this program and its libraries is counted */
static unsigned allocations;
extern void    *__libc_malloc(size_t n);
void           *malloc(size_t n);

void *
malloc(size_t n)
{
	allocations++;
	return __libc_malloc(n);
}
#endif

static bool
slow_glob(const char *g, const char *s)
{
	if (*g == '*')
		return slow_glob(g + 1, s) || (*s && slow_glob(g, s + 1));
	return *g == *s && (!*g || slow_glob(g + 1, s + 1));
}

static bool
glob_on_exact_blocks(const char *g, const char *s)
{
	char *x = malloc(strlen(g) + 1), *y = malloc(strlen(s) + 1);
	bool  r;

	memcpy(x + 1, g, strlen(g));
	memcpy(y + 1, s, strlen(s));
	r = glob_matches(span_of(x + 1, strlen(g)), span_of(y + 1, strlen(s)));
	free(x);
	free(y);
	return r;
}

static void
spell(char *to, unsigned n, unsigned code, const char *alphabet)
{
	for (unsigned i = 0; i < n; i++, code /= 3)
		to[i] = alphabet[code % 3];
	to[n] = '\0';
}

static void
test_globs_match_as_the_obvious_version_does(void **state)
{
	static const unsigned power[] = {1, 3, 9, 27, 81, 243};
	char                  g[6], s[6];

	(void)state;
	for (unsigned n = 0; n < 6; n++)
		for (unsigned i = 0; i < power[n]; i++) {
			spell(g, n, i, "a.*");
			for (unsigned m = 0; m < 6; m++)
				for (unsigned k = 0; k < power[m]; k++) {
					spell(s, m, k, "a.b");
					if (glob_on_exact_blocks(g, s) != slow_glob(g, s))
						fail_msg("%s on %s", g, s);
				}
		}
}

static void
test_a_glob_of_many_stars_ends_soon(void **state)
{
	char g[250], s[250];

	(void)state;
	for (unsigned i = 0; i < sizeof g; i++)
		g[i] = i % 2 ? 'a' : '*';
	memset(s, 'a', sizeof s);
	g[sizeof g - 1] = 'b';
	for (unsigned i = 0; i < 10000; i++)
		assert_false(glob_matches(span_of(g, sizeof g), span_of(s, sizeof s)));
}

/* One regex on one name. -1: refused. */
static int
regex_on(const char *regex, const char *name, bool jit, uint64_t *limit_hits)
{
	char                why[HOST_SPEC_WHY];
	struct pattern     *p = pattern_new(PATTERN_NAME, span_str(regex), why);
	struct pattern_set *s;
	struct flat         f;
	uint32_t            off, bytes;
	bool                r;

	if (!p) {
		assert_in_range(strlen(why), 10, HOST_SPEC_WHY - 1);
		return -1;
	}
	flat_init(&f);
	off = pattern_write(&p, 1, &f, &bytes);
	assert_int_not_equal(off, 0);
	pattern_free(p);
	s = pattern_set_open(PATTERN_NAME, flat_at(&f, off), 1, jit);
	assert_non_null(s);
	flat_clear(&f);
	r = pattern_set_matches(s, 0, span_str(name));
	if (limit_hits)
		*limit_hits = pattern_set_limit_hits(s);
	pattern_set_close(s);
	return r;
}

static void
test_regexes_match_whole_names_without_case(void **state)
{
	static const struct {
		const char *regex, *name;
		int         matches; /* -1: refused */
	} rows[] = {
		{"a+\\.b", "aa.b", 1}, {"a+\\.b", "aa.bb", 0}, {"a+\\.b", "caa.b", 0}, {"A\\.B", "a.b", 1}, {"a|b", "b", 1}, {"a|b", "ab", 0},
		{"a|ab", "ab", 1}, {"(?-i)A", "a", 0}, {"^a$", "a", 1}, {".*", "", 1}, {"a(?!b).*", "ac", 1},
		{"(", "", -1}, {"[a", "", -1}, {"a\\", "", -1}, {"a\\C", "", -1}, {"a(?C)b", "", -1}, {"a(?C7)", "", -1}, {"(*UTF)a", "", -1}, {"(*UCP)a", "", -1},
		{"a{2}{3}(", "", -1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		for (int jit = 0; jit < 2; jit++)
			if (regex_on(rows[i].regex, rows[i].name, jit, NULL) != rows[i].matches)
				fail_msg("%s on %s", rows[i].regex, rows[i].name);
}

static void
test_a_regex_that_runs_wild_is_stopped_and_counted(void **state)
{
	static const char *const wild[] = {"(a+)+b", "(a|aa)+b", "(.*)*b", "((a?){30}){30}b", "(a*)*(a*)*b", "(?:(a)|(b)|a)*b"};
	char                     name[HOSTNAME_MAX + 1];
	unsigned                 stopped = 0;

	(void)state;
	memset(name, 'a', HOSTNAME_MAX);
	/* what the library looks for before it begins is there, and yet the end does not match */
	memcpy(name + HOSTNAME_MAX - 2, "bx", 3);
	for (size_t i = 0; i < sizeof wild / sizeof *wild; i++)
		for (int jit = 0; jit < 2; jit++) {
			uint64_t hits;
			assert_int_equal(regex_on(wild[i], name, jit, &hits), 0);
			stopped += hits > 0;
		}
	assert_int_equal(stopped, 2 * sizeof wild / sizeof *wild);
}

static void
test_too_long_a_regex_is_refused(void **state)
{
	char text[5000], why[HOST_SPEC_WHY];

	(void)state;
	memset(text, 'a', sizeof text);
	assert_null(pattern_new(PATTERN_NAME, span_of(text, sizeof text), why));
	assert_non_null(strstr(why, "split it"));
}

static void
test_a_regex_that_takes_in_strangers_is_known_by_a_name(void **state)
{
	static const struct {
		const char *regex;
		bool        strange;
	} rows[] = {
		{".*", true}, {".+", true}, {"[a-z0-9.-]+", true}, {"(.*\\.)?(com|net)", true}, {"[^.]+\\.io", true}, {"[^.]*\\.github\\.io", true},
		{"[a-z]+\\.blob\\.core\\.windows\\.net", true}, {"(?!www).*", true}, {".*name\\.co\\.uk", true},
		{"", false}, {"www\\.example\\.com", false}, {".*\\.example\\.com", false}, {"v[0-9]+\\.events\\.data\\.microsoft\\.com", false},
		{"(.*\\.)?example\\.(com|net)", false}, {"com", false}, {"(a+)+b", false},
	};
	char why[HOST_SPEC_WHY];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct pattern *p = pattern_new(PATTERN_NAME, span_str(rows[i].regex), why);
		assert_non_null(p);
		if ((pattern_stranger(p) != NULL) != rows[i].strange)
			fail_msg("%s", rows[i].regex);
		pattern_free(p);
	}
}

static void
test_matching_allocates_nothing(void **state)
{
#ifdef WITH_SANITIZERS
	(void)state; /* the sanitizer has an allocator of its own */
	skip();
#else
	static const char *const regex[] = {"(a+)+b", "((a|b)*x)*", "(?:(a)|(b)|a)*", "([ab]{1,3}){10,}"};
	struct pattern          *p[4];
	char                     why[HOST_SPEC_WHY], name[HOSTNAME_MAX];
	struct pattern_set      *s;
	struct flat              f;
	uint32_t                 off, bytes;
	unsigned                 before;

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		assert_non_null(p[i] = pattern_new(PATTERN_NAME, span_str(regex[i]), why));
	flat_init(&f);
	off = pattern_write(p, 4, &f, &bytes);
	for (unsigned i = 0; i < 4; i++)
		pattern_free(p[i]);
	memset(name, 'a', sizeof name);
	memcpy(name + sizeof name - 3, "bxb", 3);
	for (int jit = 0; jit < 2; jit++) {
		s = pattern_set_open(PATTERN_NAME, flat_at(&f, off), 4, jit);
		assert_non_null(s);
		before = allocations;
		assert_int_not_equal(before, 0);
		for (unsigned i = 0; i < 400; i++)
			pattern_set_matches(s, i % 4, span_of(name + i % 99, sizeof name - i % 99));
		assert_int_equal(allocations, before);
		pattern_set_close(s);
	}
	flat_clear(&f);
#endif
}

/* Whoever cannot wait has them compiled a few at a time; they match all the while, and allocate nothing then. */
static void
test_a_cold_set_is_warmed_in_slices(void **state)
{
	static const enum pattern_use use[] = {PATTERN_NAME, PATTERN_TEXT};
	struct pattern               *p[10];
	char                          why[HOST_SPEC_WHY], text[20];

	(void)state;
	for (unsigned k = 0; k < 2; k++) {
		struct pattern_set *cold, *warm;
		struct flat         f;
		uint32_t            off, bytes, n = 0;
		unsigned            slices = 0;
		for (unsigned i = 0; i < 10; i++) {
			snprintf(text, sizeof text, "(a|b)+%u", i);
			assert_non_null(p[i] = pattern_new(use[k], span_str(text), why));
		}
		flat_init(&f);
		off = pattern_write(p, 10, &f, &bytes);
		cold = pattern_set_open(use[k], flat_at(&f, off), 10, false);
		warm = pattern_set_open(use[k], flat_at(&f, off), 10, true);
		assert_true(cold && warm && !pattern_set_is_warm(cold) && pattern_set_is_warm(warm) && !pattern_set_has_jit(cold));
		assert_true(pattern_set_warm(cold, &n) && !pattern_set_is_warm(cold));
		for (; !pattern_set_is_warm(cold); slices++) {
			for (unsigned i = 0; i < 10; i++) {
				snprintf(text, sizeof text, "abba%u", i);
				assert_true(pattern_set_matches(cold, i, span_str(text)) && !pattern_set_matches(cold, (i + 1) % 10, span_str(text)));
			}
			n = 3;
			assert_true(pattern_set_warm(cold, &n));
		}
		assert_int_equal(pattern_set_has_jit(cold), pattern_set_has_jit(warm));
		if (pattern_set_has_jit(warm)) {
			assert_int_equal(slices, 4);
			assert_int_equal(n, 2); /* the last slice had one left to do */
		}
		assert_true(pattern_set_matches(cold, 9, SPAN("ab9")) && !pattern_set_matches(cold, 9, SPAN("ab8")));
		pattern_set_close(cold);
		pattern_set_close(warm);
		for (unsigned i = 0; i < 10; i++)
			pattern_free(p[i]);
		flat_clear(&f);
	}
}

static void
test_literals_of_a_regex_are_read_conservatively(void **state)
{
	static const struct {
		const char *regex, *runs; /* of all branches: runs joined by blanks, branches by | */
	} rows[] = {
		{"abc", "abc"}, {"ABC", "abc"}, {"(?i)abc", "abc"}, {"a\\.bc\\-d", "a.bc-d"}, {"abc?d", "ab"}, {"abc*de", "ab de"}, {"abc+de", "ab de"},
		{"abc{2}de", "ab de"}, {"abc{0,1}de", "ab de"}, {"abc??de", "ab de"}, {"abc++de", "ab de"}, {"a.cd", "cd"}, {"ab[c]de", "ab de"},
		{"ab[]x]de", "ab de"}, {"ab[^]x]de", "ab de"}, {"ab[\\]]de", "ab de"}, {"ab(x|y)de", "ab de"}, {"ab(x[)]y)?de", "ab de"}, {"ab(?:x\\)y)*de", "ab de"},
		{"ab|cd", "ab|cd"}, {"ab|", "ab|"}, {"|ab", "|ab"}, {"ab|.*", "ab|"}, {"ab\\d+cd", "ab cd"}, {"^ab$", "ab"}, {"ab\\bcd", "ab cd"}, {"(ab)", ""},
		{"ab(?=cd)ef", "ab ef"}, {"ab(?!cd)ef", "ab ef"}, {"a b.cd", "cd"},
		/* not sure of anything any more */
		{"ab(?x)c d", ""}, {"ab(?i)cd", ""}, {"ab(*ACCEPT)cd", ""}, {"(*ACCEPT)ab", ""}, {"ab(?#c(d)ef", ""}, {"ab\\Qcd\\Eef", ""}, {"ab\\x{41}cd", ""}, {"ab(c)\\1cd", ""},
		{"ab\\012cd", ""}, {"ab(?(1)c|d)ef", ""}, {"ab(?R)?cd", ""}, {"ab(?<n>c)de", ""}, {"ab[[:alpha:]]cd", ""}, {"ab[\\Qx]\\E]cd", ""}, {"ab{,3}cd", ""},
		{"ab{x}cd", ""}, {"ab\\Kcd", ""}, {"ab\\p{L}cd", ""}, {"ab\\cAcd", ""}, {"ab(c\\Q)\\E)de", ""}, {"ab|cd(?x)e f", "ab|"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct loose_runs r;
		size_t            at = 0, n = 0;
		char              text[300] = "";
		bool              first = true;
		while (loose_regex_runs(span_str(rows[i].regex), &at, &r)) {
			if (!first)
				text[n++] = '|';
			for (unsigned k = 0; k < r.n; k++) {
				if (k)
					text[n++] = ' ';
				memcpy(text + n, r.text + r.run[k].at, r.run[k].n);
				n += r.run[k].n;
			}
			first = false;
		}
		text[n] = '\0';
		if (strcmp(text, rows[i].runs) != 0)
			fail_msg("%s: %s, should be %s", rows[i].regex, text, rows[i].runs);
	}
}

/* Whatever the regex: a name that it matches holds every run of one of its branches. */
static void
test_every_match_holds_the_literals(void **state)
{
	static const char *const piece[] = {"ab", "a", "b", ".", "\\.", "(a|b)", "(?:ab)?", "[ab]", "[^a]", "a?", "b*", "a+", "(b|)", "|", "b{2}", "\\w", "(?=a)", "$", "x*", "(?!b)", "ba", "ab"};
	unsigned                 seed = 7, matched = 0;

	(void)state;
	for (unsigned round = 0; round < 3000; round++) {
		char              regex[120] = "", name[8], why[HOST_SPEC_WHY];
		struct pattern   *p;
		struct flat       f;
		uint32_t          off, bytes;
		struct pattern_set *s;
		for (unsigned i = 2 + round % 5; i; i--) {
			seed = seed * 1664525 + 1013904223;
			strcat(regex, piece[(seed >> 8) % (sizeof piece / sizeof *piece)]);
		}
		p = pattern_new(PATTERN_NAME, span_str(regex), why);
		if (!p)
			continue;
		flat_init(&f);
		off = pattern_write(&p, 1, &f, &bytes);
		pattern_free(p);
		s = pattern_set_open(PATTERN_NAME, flat_at(&f, off), 1, false);
		for (unsigned n = 0; n < 6; n++)
			for (unsigned code = 0; code < (unsigned[]){1, 3, 9, 27, 81, 243}[n]; code++) {
				struct loose_runs r;
				size_t            at = 0;
				bool              held = false;
				spell(name, n, code, "ab.");
				if (!pattern_set_matches(s, 0, span_of(name, n)))
					continue;
				matched++;
				while (loose_regex_runs(span_str(regex), &at, &r)) {
					bool all = true;
					for (unsigned k = 0; k < r.n; k++)
						all &= memmem(name, n, r.text + r.run[k].at, r.run[k].n) != NULL;
					held |= all;
				}
				if (!held)
					fail_msg("%s on %s", regex, name);
			}
		pattern_set_close(s);
		flat_clear(&f);
	}
	assert_in_range(matched, 10000, 10000000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_globs_match_as_the_obvious_version_does),
		cmocka_unit_test(test_a_glob_of_many_stars_ends_soon),
		cmocka_unit_test(test_regexes_match_whole_names_without_case),
		cmocka_unit_test(test_a_regex_that_runs_wild_is_stopped_and_counted),
		cmocka_unit_test(test_too_long_a_regex_is_refused),
		cmocka_unit_test(test_a_regex_that_takes_in_strangers_is_known_by_a_name),
		cmocka_unit_test(test_matching_allocates_nothing),
		cmocka_unit_test(test_a_cold_set_is_warmed_in_slices),
		cmocka_unit_test(test_literals_of_a_regex_are_read_conservatively),
		cmocka_unit_test(test_every_match_holds_the_literals),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
