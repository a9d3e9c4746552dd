/* SPDX-License-Identifier: MIT */
/* An option is born whole: its row in the table, its place in the manual with an example, its line in the sample. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>

#include "source.h"
#include "conf/load.h"

#define N(a) (sizeof(a) / sizeof *(a))

/* The text from the line `from` to before the line that begins with `to`. */
static char *
part_of(const char *text, const char *from, const char *to)
{
	const char *start = strstr(text, from), *end;

	if (!start)
		fail_msg("%s is missing", from);
	end = strstr(start + strlen(from), to);
	return strndup(start, end ? (size_t)(end - start) : strlen(start));
}

/* Where the manual and the sample speak of a section's options. */
static const struct {
	enum section_kind kind;
	const char       *man, *sample;
} places[] = {
	{SECTION_TOP, "\n.Ss More files\n", NULL},
	{SECTION_GATEWAY, "\n.Sh THE GATEWAY\n", "\n[gateway]\n"},
	{SECTION_AUTH, "\n.Sh AUTHENTICATION\n", "\n;[auth]\n"},
	{SECTION_INSPECTION, "\n.Sh INSPECTION\n", "\n;[inspection]\n"},
	{SECTION_LISTENER, "\n.Sh LISTENERS\n", "\n[listener "},
	{SECTION_PAC, "\n.Sh AUTOMATIC CONFIGURATION OF CLIENTS\n", "\n;[pac]\n"},
	{SECTION_DOCTOR, "\n.Sh THE DOCTOR\n", "\n;[doctor]\n"},
	{SECTION_LIST, "\n.Sh LISTS\n", NULL},
	{SECTION_PARENT, "\n.Sh PARENTS\n", "\n;[parent "},
	{SECTION_RULE, "\n.Sh RULES\n", NULL},
	{SECTION_LOG, "\n.Sh LOGS\n", "\n[log "},
};

static void
test_every_option_stands_in_the_manual_with_an_example(void **state)
{
	char                *man = source_read("man/postern.ini.5"), entry[64], example[64];
	size_t               n;
	const struct option *o = option_table(&n);

	(void)state;
	for (size_t p = 0; p < N(places); p++) {
		char *part = part_of(man, places[p].man, "\n.Sh ");
		for (size_t i = 0; i < n; i++) {
			if (o[i].section != places[p].kind)
				continue;
			snprintf(entry, sizeof entry, "\n.It Cm %s = ", o[i].key);
			snprintf(example, sizeof example, "\n.Dl %s = ", o[i].key);
			if (!strstr(part, entry) || !strstr(part, example))
				fail_msg("postern.ini.5 has no entry or no example of %s %s", section_shape(o[i].section), o[i].key);
		}
		free(part);
	}
	free(man);
}

static void
test_the_manual_names_no_option_that_is_not_there(void **state)
{
	char *man = source_read("man/postern.ini.5");

	(void)state;
	for (size_t p = 0; p < N(places); p++) {
		char *part = part_of(man, places[p].man, "\n.Sh ");
		for (const char *at = part; (at = strstr(at, "\n.It Cm ")); at++) {
			const char *key = at + strlen("\n.It Cm ");
			size_t      len = strcspn(key, " \n");
			if (strncmp(key + len, " = ", 3) == 0 && !option_find(places[p].kind, span_of(key, len)))
				fail_msg("postern.ini.5 has an entry of %.*s, which %s does not have", (int)len, key, section_shape(places[p].kind));
		}
		free(part);
	}
	free(man);
}

/* The examples of the manual, each in a section of its own kind, are right. */
static void
test_the_examples_of_the_manual_are_accepted(void **state)
{
	char  *man = source_read("man/postern.ini.5");
	size_t seen = 0;

	(void)state;
	for (size_t p = 1; p < N(places); p++) {
		char *part = part_of(man, places[p].man, "\n.Sh ");
		for (const char *at = part; (at = strstr(at, "\n.Dl ")); at++) {
			const char   *line = at + strlen("\n.Dl ");
			size_t        len = strcspn(line, "\n"), key = strcspn(line, " ");
			char          ini[1000];
			struct report r;
			struct conf  *c;
			if (!option_find(places[p].kind, span_of(line, key)))
				continue;
			snprintf(ini, sizeof ini, "[%s%s]\n%.*s\n%s%s%s%s%s[listener zz]\naddress = 127.0.0.1:0\n", section_row(places[p].kind)->word,
			    section_row(places[p].kind)->named ? " x" : "", (int)len, line,
			    strncmp(line, "tls-cert", 8) == 0 ? "tls-key = b\n" : strncmp(line, "tls-key", 7) == 0 ? "tls-cert = a\n" : "",
			    places[p].kind == SECTION_LISTENER && strncmp(line, "address", 7) != 0 ? "address = 127.0.0.1:9\n" :
			    places[p].kind == SECTION_DOCTOR && strncmp(line, "lists", 5) == 0 ? "[list microsoft-clients]\nhost = a\n[list microsoft-intune]\nhost = b\n" :
			    places[p].kind == SECTION_LIST ? "host = www.example.com, a.example.com\n" :
			    places[p].kind == SECTION_PARENT ? strncmp(line, "address", 7) == 0 ? "" : strncmp(line, "auth", 4) == 0 ?
			        "address = a:1\ncredentials = c\n" : "address = a:1\n" :
			    places[p].kind == SECTION_LOG && (strncmp(line, "syslog =", 8) == 0 || strncmp(line, "journald", 8) == 0) ? "" :
			    places[p].kind == SECTION_LOG && strncmp(line, "file", 4) != 0         ? "file = a.log\n[rule no-uploads]\naction = deny\n[rule everything-else]\naction = deny\n" :
			    places[p].kind == SECTION_RULE && strncmp(line, "action", 6) != 0      ? "action = deny\n" : "",
			    places[p].kind != SECTION_AUTH || (strncmp(line, "domain", 6) != 0 && strncmp(line, "ntlm-file", 9) != 0) ? "[auth]\ndomain = winbind\n" : "",
			    places[p].kind == SECTION_INSPECTION && strncmp(line, "ca-cert", 7) == 0 ? "" : "[inspection]\nca-cert = a\n",
			    places[p].kind == SECTION_INSPECTION && strncmp(line, "ca-key", 6) == 0 ? "" : "[inspection]\nca-key = b\n");
			report_init(&r);
			c = conf_load_memory("example", span_str(ini), &r);
			/* a list file is not read from memory; that is the one thing said then */
			if (r.errors != (strncmp(line, "file = lists/", 13) == 0))
				fail_msg("%.*s: %s", (int)len, line, r.v[0].text);
			report_clear(&r);
			conf_free(c);
			seen++;
		}
		free(part);
	}
	assert_true(seen > 40);
	free(man);
}

/* "key = " at the start of a line, or commented out. */
static bool
sample_has(const char *sample, const char *key)
{
	char line[64];

	snprintf(line, sizeof line, "\n%s = ", key);
	if (strstr(sample, line))
		return true;
	snprintf(line, sizeof line, "\n;%s = ", key);
	return strstr(sample, line) != NULL;
}

static void
test_every_option_stands_in_the_sample(void **state)
{
	char                *sample = source_read("conf/postern.ini");
	size_t               n;
	const struct option *o = option_table(&n);

	(void)state;
	for (size_t p = 0; p < N(places); p++) {
		char *part = places[p].sample ? part_of(sample, places[p].sample, "\n[") : strdup(sample);
		for (size_t i = 0; i < n; i++)
			if (o[i].section == places[p].kind && !sample_has(part, o[i].key))
				fail_msg("conf/postern.ini does not mention %s %s", section_shape(o[i].section), o[i].key);
		free(part);
	}
	free(sample);
}

/* What the sample shows as a comment without "for example" is the default. */
static void
test_the_sample_shows_the_defaults(void **state)
{
	char                *sample = source_read("conf/postern.ini"), line[200];
	size_t               n, seen = 0;
	const struct option *o = option_table(&n);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		const char *at;
		if (o[i].section != SECTION_GATEWAY || !o[i].def)
			continue;
		snprintf(line, sizeof line, "\n;%s = %s ", o[i].key, o[i].def);
		at = strstr(sample, line);
		if (!at)
			fail_msg("conf/postern.ini does not show the default %s", line + 2);
		assert_null(memmem(at + 1, strcspn(at + 1, "\n"), "for example", 11));
		seen++;
	}
	assert_true(seen > 20);
	free(sample);
}

static void
test_the_shipped_files_load_without_a_warning(void **state)
{
	const char   *top = getenv("srcdir");
	char          path[4096];
	struct report r;
	struct conf  *c;

	(void)state;
	snprintf(path, sizeof path, "%s/conf/postern.ini", top ? top : ".");
	report_init(&r);
	c = conf_load(path, &r);
	report_print(&r, c, stderr);
	assert_int_equal(r.errors + r.warnings, 0);
	report_clear(&r);
	conf_free(c);
}

/* The endpoints that Microsoft's documents name, each once over all shipped lists. */
static const char *const endpoints[] = {
	"https://aka.ms", "https://graph.windows.net", "https://*.manage.microsoft.com", "https://*.events.data.microsoft.com",
	"https://v10c.events.data.microsoft.com", "https://v10.events.data.microsoft.com", "https://v20.events.data.microsoft.com",
	"https://v10.vortex-win.data.microsoft.com", "https://vortex-win.data.microsoft.com", "https://settings-win.data.microsoft.com",
	"http://adl.windows.com", "https://watson.telemetry.microsoft.com", "https://oca.telemetry.microsoft.com",
	"https://umwatsonc.events.data.microsoft.com", "https://kmwatsonc.events.data.microsoft.com",
	"https://ceuswatcab01.blob.core.windows.net", "https://ceuswatcab02.blob.core.windows.net", "https://eaus2watcab01.blob.core.windows.net",
	"https://eaus2watcab02.blob.core.windows.net", "https://weus2watcab01.blob.core.windows.net", "https://weus2watcab02.blob.core.windows.net",
	"https://login.live.com",
};

static void
test_the_shipped_lists_hold_each_endpoint_once_and_nothing_else(void **state)
{
	const char       *top = getenv("srcdir");
	char              path[4096];
	struct report     r;
	struct conf      *c;
	struct conf_list *l;
	size_t            count[N(endpoints)] = {0}, others = 0;

	(void)state;
	snprintf(path, sizeof path, "%s/conf/postern.ini", top ? top : ".");
	report_init(&r);
	c = conf_load(path, &r);
	TAILQ_FOREACH(l, &c->lists, link)
		for (size_t i = 0; i < l->hosts.n; i++) {
			size_t k = 0;
			while (k < N(endpoints) && !span_eq(l->hosts.v[i].text, span_str(endpoints[k])))
				k++;
			*(k < N(endpoints) ? &count[k] : &others) += 1;
		}
	for (size_t k = 0; k < N(endpoints); k++)
		assert_int_equal(count[k], 1);
	assert_int_equal(others, 0);
	report_clear(&r);
	conf_free(c);
}

static void
test_no_two_rows_say_the_same(void **state)
{
	size_t               n;
	const struct option *o = option_table(&n);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		assert_ptr_equal(option_find(o[i].section, span_str(o[i].key)), &o[i]);
		assert_true(strlen(o[i].key) < 32); /* inih cuts at 49, nearest_key at 32 */
		for (size_t k = 0; k < i; k++)
			assert_false(o[k].section == o[i].section && o[k].off == o[i].off && o[k].off != OPTION_NOWHERE);
	}
}

static void
test_a_misspelt_word_finds_the_nearest(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{"wokers", "workers"}, {"worker", "workers"}, {"Workers", "workers"}, {"hosts-mismatch", "host-mismatch"}, {"idle_timeout", "idle-timeout"},
		{"visible-hostname", "visible-name"}, {"iva", "via"}, {"", NULL}, {"x", NULL}, {"frobnicate", NULL},
		{"a-key-that-is-much-longer-than-any-word-of-ours-could-be", NULL},
	};
	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		const char *got = nearest_key(SECTION_GATEWAY, span_str(rows[i].in));
		if (!got != !rows[i].out || (got && strcmp(got, rows[i].out) != 0))
			fail_msg("%s: %s", rows[i].in, got ? got : "nothing");
	}
	assert_string_equal(nearest_section(SPAN("lisener")), "listener");
	assert_string_equal(nearest_section(SPAN("rules")), "rule");
	assert_null(nearest_section(SPAN("upstream")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_option_stands_in_the_manual_with_an_example),
		cmocka_unit_test(test_the_manual_names_no_option_that_is_not_there),
		cmocka_unit_test(test_the_examples_of_the_manual_are_accepted),
		cmocka_unit_test(test_every_option_stands_in_the_sample),
		cmocka_unit_test(test_the_sample_shows_the_defaults),
		cmocka_unit_test(test_the_shipped_files_load_without_a_warning),
		cmocka_unit_test(test_the_shipped_lists_hold_each_endpoint_once_and_nothing_else),
		cmocka_unit_test(test_no_two_rows_say_the_same),
		cmocka_unit_test(test_a_misspelt_word_finds_the_nearest),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
